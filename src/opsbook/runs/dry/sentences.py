"""A step's attributes in words: what it does, and what becomes of it if that does not go well."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from opsbook.book import Book, Step, waits
from opsbook.book.language import EXECUTING
from opsbook.runs import pausing
from opsbook.runs.dry.model import N_, Note

PAUSES_TOLD: Final = 4
"""So many pauses between repetitions are told one by one."""

TIMED: Final = EXECUTING | {"check", "run"}
INTERRUPTED: Final = {
    "ask": N_("if nobody knows how it ended, a person decides"),
    "retry": N_("if nobody knows how it ended, it is started again"),
    "fail": N_("if nobody knows how it ended, it counts as failed"),
}
ON_FAIL: Final = {
    "rollback": N_("if it fails, the run fails and what was done is undone"),
    "stop": N_("if it fails, the run fails and things are left as they are"),
    "continue": N_("if it fails, the run goes on"),
    "ask": N_("if it fails, a person decides"),
}
FAILS: Final = N_("if it fails, the run fails")
REFUSED: Final = N_("if it is refused, the run fails and what was done is undone")
REFUSED_PLAIN: Final = N_("if it is refused, the run fails")
REFUSED_STOP: Final = N_("if it is refused, the run fails and things are left as they are")
ON_CANCEL: Final = N_("if the run is cancelled here, things are left as they are")


def notes(book: Book, step: Step, check: str | None) -> Iterator[Note]:
    """Yield what a step does besides what its body says. `check` is the one it looks at."""
    if step.kind == "check" and check is not None:
        named = book.checks.get(check)
        title = named.title if named is not None else check
        if step.for_:
            told = N_("%(check)s must hold for %(span)s")
            yield Note(told, {"check": title, "span": step.for_})
        else:
            yield Note(N_("%(check)s must hold"), {"check": title})
    elif step.for_:
        yield Note(N_("must hold for %(span)s"), {"span": step.for_})
    if step.kind == "wait":
        yield _awaited(book, step)
    if step.to:
        yield Note(N_("tells %(who)s"), {"who": step.to})
    if step.save is not None and step.json is not None:
        yield Note(N_("saves %(path)s of its output as %(name)s"),
                   {"path": step.json, "name": step.save})  # fmt: skip
    elif step.save is not None:
        yield Note(N_("saves its output as %(name)s"), {"name": step.save})
    if step.expect:
        yield Note(N_("its output must have %(pattern)s"), {"pattern": step.expect})
    if step.reject:
        yield Note(N_("its output must not have %(pattern)s"), {"pattern": step.reject})
    if step.asserts:
        yield Note(N_("must be %(numbers)s"), {"numbers": tuple(map(str, step.asserts))})
    if step.within is not None and step.kind in EXECUTING:
        yield Note(N_("must not take longer than %(span)s"), {"span": step.within})


def _awaited(book: Book, step: Step) -> Note:
    """Say what a wait step waits for; as it is written, where that cannot be read."""
    try:
        what = waits.parse(step.body)
    except ValueError:
        return Note(N_("waits: %(what)s"), {"what": step.body.strip()})
    match what:
        case waits.For():
            return Note(N_("waits for %(span)s"), {"span": what.span})
        case waits.TimeOfDay():
            return Note(N_("waits until the clock shows %(time)s"), {"time": f"{what.time:%H:%M}"})
        case waits.Moment():
            return Note(N_("waits until %(at)s"), {"at": f"{what.at:%Y-%m-%d %H:%M}"})
        case waits.Opening():
            window = book.windows.get(what.window)
            title = (window.title if window is not None else None) or what.window
            return Note(N_("waits until the window %(window)s is open"), {"window": title})
        case waits.CheckIsOk():
            check = book.checks.get(what.check)
            title = check.title if check is not None else what.check
            return Note(N_("waits until %(check)s is ok"), {"check": title})


def otherwise(step: Step, *, undone: bool) -> Iterator[Note]:
    """Yield what becomes of a step that does not go well; `undone`: there is something to undo."""
    if step.kind in TIMED or (step.kind == "wait" and "timeout" in step.attributes):
        span = step.for_ + step.within if step.kind == "check" and step.within else step.timeout
        yield Note(N_("takes at most %(span)s"), {"span": span})
    if step.retry and step.backoff:
        told = N_("is tried again up to %(n)s times after a failure, after %(pauses)s")
        yield Note(told, {"n": step.retry, "pauses": _pauses(step)})
    elif step.retry:
        told = N_("is tried again up to %(n)s times after a failure, at once")
        yield Note(told, {"n": step.retry})
    if step.phase == "main":
        yield Note(_failing(step, undone))
    elif step.phase == "rollback":
        yield Note(N_("if it fails, nothing further is undone"))
    if step.kind in EXECUTING:
        yield Note(INTERRUPTED[step.interrupted])
    if step.phase == "main" and step.on_cancel == "stop":
        yield Note(ON_CANCEL)


def _failing(step: Step, undone: bool) -> str:
    """What a failure does. A refused approval never lets a run go on."""
    if step.kind == "approval":
        return REFUSED_STOP if step.on_fail == "stop" else REFUSED if undone else REFUSED_PLAIN
    return FAILS if step.on_fail == "rollback" and not undone else ON_FAIL[step.on_fail]


def _pauses(step: Step) -> tuple[timedelta | str, ...]:
    told = [pausing.before_try(step, n + 1) for n in range(min(step.retry, PAUSES_TOLD))]
    return (*told, "…") if step.retry > PAUSES_TOLD else tuple(told)
