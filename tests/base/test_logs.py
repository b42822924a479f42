"""The server's log: a line of JSON for each entry, and no secret in any of them."""

import json
import logging

import structlog

from opsbook.base.logs import close_log, open_log

SECRET = 's3cr"et/ü-4711'


def test_no_entry_shows_a_secret_however_deep_it_lies(tmp_path):
    handler = open_log(tmp_path / "log", lambda: [SECRET])
    try:
        log = structlog.get_logger("opsbook.tests")
        log.warning(f"it is {SECRET}", plain=SECRET, deep={SECRET: [1, (f"x{SECRET}",)]}, count=3)
        log.error("a path", at=tmp_path / SECRET.replace("/", ""), cause=ValueError(SECRET))
        logging.getLogger("some.library").warning("told %s", SECRET)
        try:
            raise RuntimeError(f"with {SECRET}")
        except RuntimeError:
            log.exception("failed")
    finally:
        close_log(handler)
    lines = (tmp_path / "log").read_text().splitlines()
    first, second, third, fourth = map(json.loads, lines)
    assert first["event"] == "it is ••••"
    assert first["plain"] == "••••"
    assert first["deep"] == {"••••": [1, ["x••••"]]}
    assert first["count"] == 3
    assert second["cause"] == "ValueError('••••')"
    assert third["event"] == "told ••••"
    assert fourth["exception"].endswith("RuntimeError: with ••••")
    assert SECRET not in "".join(lines)
    assert json.dumps(SECRET)[1:-1] not in "".join(lines)
