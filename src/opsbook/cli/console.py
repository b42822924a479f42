"""What ``opsbook up`` shows: the start, one line per event, the stop.

Three forms of the same: at a terminal with color and a sign of life while something takes time,
elsewhere plain lines that are flushed one by one (a service manager reads them), and JSON lines for
scripts. The last line of the start has the URL.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote
from zoneinfo import ZoneInfo

from opsbook.cli import books, output, words
from opsbook.settings import LOOPBACK

if TYPE_CHECKING:
    from rich.console import Console as Terminal

    from opsbook.app import App
    from opsbook.book import Book

MOST_CHECKS = 8
MOST_PROBLEMS = 3
MOST_ALIKE = 20
ALIKE_FOR = timedelta(seconds=10)
"""So many entries of one kind within this time are shown; a storm of alerts hides all the rest."""
SIGNS = {
    "■": (
        "alert.fired", "alert.set_aside", "incident.opened", "incident.unanswered",
        "incident.nobody_on_duty", "incident.runbook_refused", "incident.fired_again",
        "page.failed", "page.unaddressed",
        "routine.refused", "run.failed", "step.failed", "access.refused", "approval.refused",
        "book.source_trouble",
    ),
    "▲": ("step.interrupted", "incident.pages_nobody", "page.delayed", "approval.expired"),
    "⏳": ("approval.requested", "step.waiting"),
    "◐": ("run.started", "step.started", "incident.acknowledged", "incident.paged"),
    "●": (
        "incident.resolved", "alert.resolved", "run.succeeded", "step.succeeded",
        "approval.approved", "step.confirmed", "page.sent",
    ),
    "‖": ("run.cancelled", "step.cancelled", "step.skipped", "approval.rejected", "approval.void"),
}  # fmt: skip
SIGN_OF = {action: sign for sign, actions in SIGNS.items() for action in actions}
"""The sign of an entry by its action: who must act is red, and only that."""


class Console(Protocol):
    """How a server's life is told."""

    def working(self, text: str) -> contextlib.AbstractContextManager[None]:
        """Show that something is being done until it is."""

    def started(self, app: App) -> None:
        """Tell what was loaded, as whom steps run, and where to sign in."""

    def event(self, entry: dict[str, Any]) -> None:
        """Tell one audit entry."""

    def trouble(self, parked: dict[str, Any]) -> None:
        """Tell of an event that could not be handled yet."""

    def told(self, text: str) -> None:
        """Tell that the server stops."""


def choose(form: str) -> Console:
    """Return the console that fits where the output goes."""
    if form == "json":
        return Scripted()
    return Live() if sys.stdout.isatty() else Plain()


class Plain:
    """Plain lines."""

    zone: ZoneInfo | None = None
    url = ""

    def __init__(self) -> None:
        self._alike: dict[str, tuple[datetime, int]] = {}

    @contextlib.contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Say nothing: a line that is over when it is read tells nobody anything."""
        yield

    def started(self, app: App) -> None:
        """Tell the start, the URL last."""
        self.url = app.url
        running = app.library.books()
        zones = {book.timezone for book in running}
        self.zone = ZoneInfo(zones.pop()) if len(zones) == 1 else None
        for shape, name, text in about(app):
            self.line(shape, f"{name:<8} {text}")
        self.line("●", app.url)

    def event(self, entry: dict[str, Any]) -> None:
        """Write time, sign and sentence, and where to look for what a sentence cannot hold."""
        at = output.moment(entry["at"])
        if at is not None and not self._shown(entry["action"], at):
            return
        time = at.astimezone(self.zone).strftime("%H:%M:%S") if at else ""
        told = output.sentence(entry)
        if (book := held_in(entry)) and self.url:
            told = f"{told.removesuffix('.')}: {self.url}/book/{quote(book)}/held"
        self.line(SIGN_OF.get(entry["action"], "○"), told, time)
        if entry["action"] == "book.source_trouble":
            for text in places(entry["data"] or {}):
                self.line("·", output.clean(text), time)

    def _shown(self, action: str, at: datetime) -> bool:
        """Whether an entry is one of the first of its kind in a while; of more there is a word."""
        since, count = self._alike.get(action, (at, 0))
        if at - since > ALIKE_FOR:
            since, count = at, 0
        self._alike[action] = since, count + 1
        if count == MOST_ALIKE:
            told = words.UP_ALIKE.format(
                n=MOST_ALIKE, action=action, seconds=int(ALIKE_FOR.total_seconds()), url=self.url
            )
            self.line("·", told, at.astimezone(self.zone).strftime("%H:%M:%S"))
        return count < MOST_ALIKE

    def trouble(self, parked: dict[str, Any]) -> None:
        """Write what is stuck, and why."""
        self.line("■", output.clean(words.UP_PARKED.format(**parked)))

    def told(self, text: str) -> None:
        """Write a line."""
        self.line("‖", text)

    def line(self, shape: str, text: str, time: str = "") -> None:
        """Write one line, at once."""
        output.say(f"{time} {shape} {text}".lstrip())


class Live(Plain):
    """A terminal: color where somebody should look, a wheel while something takes time."""

    def __init__(self) -> None:
        from rich.console import Console as Terminal

        super().__init__()
        self.terminal: Terminal = Terminal(highlight=False, markup=False, emoji=False)

    @contextlib.contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Turn a wheel beside the text until it is done."""
        with self.terminal.status(text, spinner="dots"):
            yield

    def started(self, app: App) -> None:
        """Tell the start, and how to stop."""
        super().started(app)
        self.terminal.print(f"  {words.UP_STOP_HINT}", style="dim")

    def line(self, shape: str, text: str, time: str = "") -> None:
        """Write one line; only its sign is colored."""
        from rich.text import Text

        told = Text()
        if time:
            told.append(f"{time} ", style="dim")
        told.append(shape, style=output.COLORS.get(shape, "" if shape == "●" else "dim"))
        told.append(f" {text}")
        self.terminal.print(told, soft_wrap=True)


class Scripted:
    """One JSON object a line: ``started``, then ``entry`` by ``entry``, then ``stopped``."""

    @contextlib.contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Say nothing."""
        yield

    def started(self, app: App) -> None:
        """Tell the start."""
        output.as_json_line(
            {
                "event": "started",
                "url": app.url,
                "pid": os.getpid(),
                "data": str(app.places.data),
                "steps_user": step_user(app),
                "sign_in_link": app.sign_in_link,
                "books": [
                    {"id": book.id, "revision": str(book.revision)} for book in app.library.books()
                ],
                "missing_secrets": [
                    {"book": book.id, **one}
                    for book in app.library.books()
                    if book.status == "active"
                    for one in books.secrets_as_data(book)
                ],
            }
        )

    def event(self, entry: dict[str, Any]) -> None:
        """Tell an entry as the API has it."""
        output.as_json_line({"event": "entry", **entry})

    def trouble(self, parked: dict[str, Any]) -> None:
        """Tell what is stuck, and why."""
        shown = ("consumer", "event_id", "kind", "subject", "attempts", "error")
        output.as_json_line({"event": "stuck", **{name: parked[name] for name in shown}})

    def told(self, text: str) -> None:
        """Tell the stop."""
        stages = {words.UP_STOPPING: "stopping", words.UP_STOPPED: "stopped"}
        output.as_json_line({"event": stages.get(text, "note"), "text": text})


def about(app: App) -> Iterator[tuple[str, str, str]]:
    """Yield what a person should know of a server that has started: sign, word, sentence."""
    for book in app.library.books():
        told = words.UP_BOOK.format(id=book.id, title=book.title, revision=book.revision[:12])
        yield "●", words.BOOK_WORD, f"{told} · {books.counts(book)}"
        if book.checks:
            named = list(book.checks)[:MOST_CHECKS]
            more = len(book.checks) - len(named)
            rest = words.UP_MORE.format(n=more) if more else ""
            yield "●", words.WATCHES_WORD, ", ".join(named) + rest
        yield from apart(app, book.id)
        yield from secrets_of(book)
    form = words.UP_DATABASE if app.settings.database else words.UP_DATA
    kind = (app.settings.database or "sqlite").partition(":")[0]
    yield "●", words.DATA_WORD, form.format(data=app.places.data, database=kind)
    yield steps(app)
    if not LOOPBACK.fullmatch(app.address[0]):
        yield "▲", words.NETWORK_WORD, words.UP_EXPOSED.format(host=app.address[0])
    if app.sign_in_link:
        yield "○", words.SIGN_IN_WORD, words.UP_LINK.format(link=app.sign_in_link)


def secrets_of(book: Book) -> Iterator[tuple[str, str, str]]:
    """Yield which secrets of a running book are missing, as one list: none came up by itself.

    Whoever needs one finds out when an alert does not go out. A draft does nothing, and needs none.
    """
    lacking = books.missing_secrets(book) if book.status == "active" else []
    if lacking:
        many = words.plural(len(lacking), "secret")
        yield "▲", words.SECRETS_WORD, words.UP_SECRETS.format(id=book.id, n=many)
        for line in books.secret_lines(book, lacking):
            yield "▲", "", output.clean(line)


def held_in(entry: dict[str, Any]) -> str:
    """Return the book whose revision an entry says to be waiting, or an empty text."""
    if entry["action"] != "approval.requested":
        return ""
    kind, _, rest = str((entry["data"] or {}).get("for", "")).partition(":")
    return rest.partition("/")[0] if kind == "book" else ""


def places(data: dict[str, Any]) -> Iterator[str]:
    """Yield where a source is wrong: the first places, and what names the others."""
    problems, source = data.get("problems") or (), str(data.get("source", ""))
    is_folder = source.startswith("/")
    for one in problems[:MOST_PROBLEMS]:
        yield f"{source}/{one}" if is_folder else str(one)
    if len(problems) > MOST_PROBLEMS:
        form = words.UP_ALL_PROBLEMS if is_folder else words.UP_MORE_PROBLEMS
        yield form.format(folder=shlex.quote(source))


def apart(app: App, book: str) -> Iterator[tuple[str, str, str]]:
    """Yield why what a book comes from is not what runs, with every problem of it."""
    held, trouble = app.library.held(book), app.library.trouble(book)
    if held is not None:
        yield "⏳", words.BOOK_WORD, words.UP_HELD.format(id=book, revision=held.revision[:12])
    if trouble is not None:
        told = words.UP_TROUBLE.format(id=book, why=trouble.message)
        yield "▲", words.BOOK_WORD, output.clean(f"{told} {trouble.remedy}".rstrip())
        for problem in trouble.problems:
            yield "▲", "", output.clean(str(problem))


def steps(app: App) -> tuple[str, str, str]:
    """Return as whom steps run, and plainly what that means where it is this server's own user."""
    user = step_user(app)
    if app.places.user is not None and app.places.user[0] != 0:
        return "●", words.STEPS_WORD, words.UP_STEPS_OTHER.format(user=user)
    form = words.UP_STEPS_ROOT if os.geteuid() == 0 else words.UP_STEPS_SELF
    return "▲", words.STEPS_WORD, form.format(user=user)


def step_user(app: App) -> str:
    """Return the name of the user that steps run as."""
    number = app.places.user[0] if app.places.user is not None else os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"
