"""The server's own log: one line of JSON per entry, rotated, masked, in the data folder.

People read the console and the pages; the log is for a machine that counts errors (the starter
book's log check does) and for the day when something has to be found out afterwards.
"""

from __future__ import annotations

import logging
import logging.handlers
from collections.abc import Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

import structlog

from opsbook.base.secrets import mask

BYTES = 10_000_000
KEPT = 5


def open_log(file: Path, secrets: Callable[[], Iterable[str]] = tuple) -> logging.Handler:
    """Send every entry, ours and the libraries' warnings, to ``file``; return the handler."""
    logging.raiseExceptions = False  # a full disk must not write tracebacks over the terminal
    handler = logging.handlers.RotatingFileHandler(file, maxBytes=BYTES, backupCount=KEPT)
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]

    def masked(_logger: Any, _name: str, entry: MutableMapping[str, Any]) -> Any:
        return _masked(dict(entry), tuple(secrets()))

    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                masked,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for noisy in ("uvicorn.access", "apprise", "aiohttp.access", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    file.chmod(0o600)
    return handler


def _masked(value: Any, hidden: tuple[str, ...]) -> Any:
    """Every text in it without secrets; what is no text, list or dictionary becomes one.

    Else the writer of JSON would make a text of it behind our back: an error's words, a path.
    """
    match value:
        case str():
            return mask(value, hidden)
        case None | bool() | int() | float():
            return value
        case dict():
            return {_masked(str(key), hidden): _masked(one, hidden) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_masked(one, hidden) for one in value]
        case _:
            return mask(repr(value), hidden)


def close_log(handler: logging.Handler) -> None:
    """Stop writing to the log."""
    logging.getLogger().removeHandler(handler)
    handler.close()
