"""The runbook that is killed at every moment, and what its steps must have written at the end.

Twelve main steps, one of each thing that a run can do, with what undoes them. It ends well, or its
eleventh step fails and everything is rolled back. Every script notes itself and its attempt, says
something before and after, and can be held in between by a file.
"""

from typing import Final, Literal

from opsbook.book import Book
from tests.support.runs import book, runbook

Mode = Literal["well", "back"]
ITEMS: Final = ("a", "b", "c")
HEAD: Final = """params:
  mode: {choices: [well, back, neither], default: well}
  list: {type: list, default: [a, b, c]}"""

_NOTE = """echo "NAME ${OPSBOOK_ATTEMPT##*/}" >> "$OPSBOOK_WORK/ran"
echo "begin NAME"
while [ -e "$OPSBOOK_WORK/hold-NAME" ]; do sleep 0.02; done
BODY
echo "end NAME"
"""
_LOOK: Final = 'if [ "$item" = b ]; then sleep 0.3; fi'
_ONCE: Final = 'test -e "$OPSBOOK_WORK/failed" || { touch "$OPSBOOK_WORK/failed"; exit 1; }'
_MENDED: Final = 'test -e "$OPSBOOK_WORK/mended" || exit 4'
_BREAKS: Final = 'test "$mode" = well || exit 3'


def _step(key: str, has: str = "", body: str = "true", *, item: bool = False) -> str:
    """A step that notes itself; with `item`, once for each item."""
    script = _NOTE.replace("BODY", body).replace("NAME", f"{key}:$item" if item else key)
    return f"```bash {{#{key} {has}}}\n{script}```\n"


def _undo(key: str, *steps: str) -> str:
    return f"## Undo {key} {{.rollback of={key}}}\n" + "".join(steps)


MAIN: Final = "".join((
    _step("one", "save=first"),
    _step("flaky", "retry=2 backoff=50ms", _ONCE),
    "```approval {#agree by=security}\nMay it go on?\n```\n",
    _step("many", "each=list at-once=2", _LOOK, item=True),
    _step("maybe", 'when="mode != neither"', 'test -n "$first"'),
    _step("left", 'when="mode == neither"'),
    "- [ ] Look at it. {#hand by=responder}\n\n",
    "```wait {#pause}\n100ms\n```\n",
    "```run {#sub}\nother\n```\n",
    _step("asks", "on-fail=ask", _MENDED),
    _step("breaks", "", _BREAKS),
    _step("last"),
    _undo("one", _step("undo-one")),
    _undo("many", _step("undo-many", "each=list at-once=2", _LOOK, item=True)),
    _undo("maybe", _step("undo-maybe")),
    _undo("left", _step("undo-left")),
    _undo("sub", _step("undo-sub"), _step("undo-sub-too")),
    _undo("asks", _step("undo-asks")),
    _undo("breaks", _step("undo-breaks")),
    "## Tidy {.finally}\n", _step("tidy"), _step("tidy-too"),
))  # fmt: skip
OTHER: Final = _step("inner") + _step("inner-too") + _undo("inner", _step("undo-inner"))


def made() -> Book:
    """The book with both runbooks."""
    return book(runbook(MAIN, HEAD), runbook(OTHER, id="other"))


def _items(key: str) -> list[str]:
    return [f"{key}:{item}" for item in ITEMS]


TO_THE_END: Final = ["one", "flaky", "flaky", *_items("many"), "maybe", "inner", "inner-too"]
ASKED: Final = ["asks", "asks", "breaks"]
UNDONE: Final = ["undo-breaks", "undo-asks", "undo-sub", "undo-sub-too", "undo-maybe",
                 *_items("undo-many"), "undo-one"]  # fmt: skip
TIDIED: Final = ["tidy", "tidy-too"]

STATES: Final[dict[Mode, str]] = {"well": "succeeded", "back": "failed"}
LINES: Final[dict[Mode, list[str]]] = {
    "well": [*TO_THE_END, *ASKED, "last", *TIDIED],
    "back": [*TO_THE_END, *ASKED, *UNDONE, *TIDIED],
}


def settled(lines: list[str], *, interrupted: bool) -> list[str]:
    """Lines as the model has them: items in their order, whichever was quicker.

    `flaky` fails the first time that it runs. Where that time was `interrupted` nobody counts it.
    """
    found = list(lines)
    for key in ("many", "undo-many"):
        at = [n for n, name in enumerate(found) if name.startswith(f"{key}:")]
        if at and at == list(range(at[0], at[-1] + 1)):
            found[at[0] : at[-1] + 1] = sorted(found[at[0] : at[-1] + 1])
    if interrupted and found.count("flaky") == 1:
        found.insert(found.index("flaky"), "flaky")
    return found
