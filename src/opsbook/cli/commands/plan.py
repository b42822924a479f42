"""``opsbook plan``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from opsbook.cli import options, output, server, words

if TYPE_CHECKING:
    from opsbook.book import Book, Vocabulary
    from opsbook.revisions.plan import Change, Plan, Running


@dataclass(frozen=True)
class Waits:
    """The very revision that is compared is held by the server since then, and waits."""

    book: str
    since: datetime
    url: str

    def told(self, new: Book) -> str:
        """Return that in a sentence, by the clocks of the book."""
        at = self.since.astimezone(ZoneInfo(new.timezone))
        today = datetime.now(at.tzinfo).date() == at.date()
        since = f"{at:%H:%M}" if today else f"{at:%Y-%m-%d %H:%M}"
        return words.PLAN_HELD.format(since=since, url=self.url, book=server.part(self.book))


@click.command()
@click.argument("folder", metavar="BOOK", type=click.Path(path_type=Path))
@click.option("--against", metavar="FOLDER|REVISION", help=words.PLAN_AGAINST)
@click.option("--book", metavar="ID", help=words.PLAN_BOOK)
@click.option("--exit-code", is_flag=True, help=words.PLAN_EXIT_CODE)
@options.talks
def command(
    folder: Path,
    against: str | None,
    book: str | None,
    exit_code: bool,
    data: str | None,
    form: str,
) -> int:
    """Say what the folder BOOK would change against what runs; nothing is changed by asking.

    What loosens an approval stands first, then what people feel within a day. Exits with 0 whether
    anything changes or not (see --exit-code), and with 1 if the book has mistakes.
    """
    from opsbook.app import vocabulary
    from opsbook.revisions.plan import as_data, compare

    known = vocabulary()
    other = Path(against) if against is not None and Path(against).is_dir() else None
    read = _read([folder, *([other] if other is not None else [])], known, form)
    if read is None:
        return 2
    new, old, running, told = read[0], None, None, ""
    waits: Waits | None = None
    if other is not None:
        old, told = read[1], str(other)
    else:
        old, running, told, waits = _asked(folder, new, against, book, data, known)
    plan = compare(old, new, datetime.now(UTC), running)
    if form == "json":
        before = str(old.revision) if old is not None else None
        output.as_json(
            {
                "book": new.id, "old": before, "new": str(new.revision),
                "held_since": waits.since.isoformat() if waits is not None else None,
                **as_data(plan),
            }
        )  # fmt: skip
    else:
        head = words.PLAN_HEAD.format(book=new.id, new=folder, old=told)
        output.say(output.clean(head))
        if waits is not None:
            output.say(f"⏳ {output.clean(waits.told(new))}")
        _show(plan)
    return int(exit_code and not plan.empty)


def _read(folders: list[Path], known: Vocabulary, form: str) -> list[Book] | None:
    """Read the folders; None once everything that is wrong with them was said."""
    from opsbook.cli import books as reading

    found = reading.read(folders, known)
    bad = [one for one in found if one.problems]
    if not bad:
        return [one.book for one in found if one.book is not None]
    if form == "json":
        output.as_json({"valid": False, "books": [reading.as_data(one) for one in found]})
    else:
        reading.complain(bad)
    return None


def _asked(
    folder: Path, new: Book, revision: str | None, book: str | None, data: str | None,
    known: Vocabulary,
) -> tuple[Book | None, Running | None, str, Waits | None]:  # fmt: skip
    """What the server says of its side, how that is called, and whether it holds this already."""
    from opsbook.book import load
    from opsbook.revisions.plan import running_of

    try:
        found = server.find(data)
    except server.NotRunning as error:
        remedy = words.PLAN_NO_SERVER.format(folder=folder)
        raise server.NotRunning(error.message, remedy=remedy) from error
    wanted = book or new.id
    try:
        answer = found.get(f"/books/{server.part(wanted)}/running", revision=revision)
    except server.Answered as error:
        if error.http != 404 or book is not None or revision is not None:
            raise
        return None, None, words.PLAN_FIRST.format(book=wanted), None
    form = words.PLAN_REVISION if revision is not None else words.PLAN_RUNNING
    told = form.format(revision=answer["revision"][:12])
    old = load(json.loads(answer["files"]), known)
    since = [one["since"] for one in answer["held"] if one["revision"] == str(new.revision)]
    waits = Waits(wanted, datetime.fromisoformat(since[0]), found.url) if since else None
    return old, running_of(answer["running"]), told, waits


def _show(plan: Plan) -> None:
    """Write the three parts of a plan; the first says in words what it means."""
    if plan.empty:
        output.say(words.PLAN_NOTHING)
        return
    loosening = list(plan.loosens)
    soon = [one for one in plan.changes if one.soon and not one.loosens]
    rest = [one for one in plan.changes if not one.soon and not one.loosens]
    for title, part in (
        (words.PLAN_LOOSENS, loosening), (words.PLAN_SOON, soon), (words.PLAN_REST, rest),
    ):  # fmt: skip
        if part:
            output.say()
            output.say(title.format(n=len(part)))
            for one in part:
                _line(one)
    output.say()
    told = words.plural(len(plan.changes), "change")
    if not loosening:
        output.say(f"{told}.")
        return
    need = words.plural(len(loosening), "needs approval", "need approval")
    output.say(words.PLAN_END.format(n=need, all=told))


def _line(change: Change) -> None:
    sentence = output.clean(str(change))
    if change.loosens:
        sentence = words.PLAN_NEEDS.format(sentence=sentence)
    where: Any = output.faint(change.where)
    output.say(f"  {'■' if change.loosens else '·'} {sentence}  {where}".rstrip())
