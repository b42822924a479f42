"""What a step asks of a person: the question, whose answer counts, who has given one, until when.

Each answer says beforehand what it will do, in the words of this run: which steps are undone, and
in which order. Somebody who is woken by it decides between consequences, not between verbs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from markupsafe import Markup

from opsbook.base.quantities import format_quantity
from opsbook.web import ansi, sayings, waiting, words
from opsbook.web.i18n import N_
from opsbook.web.scene import Row, Scene

ACTS: Final = {"approval": "approve", "person": "confirm", "decision": "decide"}
EXCLUDED: Final = {
    "started": N_("%(who)s started it and may not approve."),
    "triggered": N_("It runs because of %(who)s, who may not approve."),
    "edited": N_("%(who)s set its parameters and may not approve."),
    "authored": N_("%(who)s wrote this revision and may not approve."),
    "steers": N_("%(who)s steers it and may not approve."),
    "linked": N_(
        "%(who)s counts as one person with somebody who takes part, by a sign-in link of the last "
        "hour, and may not approve."
    ),
}
"""Why somebody is left out, by the keys of ``access.model.BECAUSE``."""
MOST_FILES: Final = 20
TAIL: Final = 1_200
"""Characters of what a failed step wrote that stand beside the question, or at the top."""
LAST: Final = 7
"""Lines of it: as many as the box shows where none of them is too long for it."""


def ask(scene: Scene, step: Row) -> dict[str, Any] | None:
    """Return what is asked of people at a step; None where nobody is asked (any more)."""
    wait = scene.waits.get(step["id"])
    if wait is None or wait["kind"] not in ACTS or (step["wait"] or {}).get("answer"):
        return None
    visit, book, kind = scene.visit, scene.book, wait["kind"]
    votes = scene.votes.get(wait["approval_id"] or 0, [])
    mine = waiting.may_answer(visit, book, wait, votes)
    due = wait["due_at"] or wait["expires_at"]
    return {
        "kind": kind,
        "act": ACTS[kind],
        "key": step["key"],
        "title": step["title"],
        "approval_id": wait["approval_id"],
        "seen": wait["bound_to"],
        "question": _question(scene, step, wait),
        "wrote": _wrote(scene, step) if kind == "decision" else "",
        "whom": waiting.whom(visit.speech, book, wait),
        "left": words.moment(visit.speech, due, visit.now, scene.zone, words.LEFT) if due else "",
        "given": list(_given(scene, step, votes)),
        "excluded": _excluded(scene, wait),
        "mine": mine,
        "oneself": mine and kind == "approval" and waiting.excluded(visit, wait),
        "withdraw": kind == "approval" and any(_yes_of(one, visit.who.account_id) for one in votes),
        "why_not": "" if mine else waiting.why_not(visit, book, wait, votes),
        "choices": list(_choices(scene, step, wait)),
        "attach": attaching(scene, step),
    }


def _question(scene: Scene, step: Row, wait: Row) -> str:
    say = scene.visit.speech.say
    if wait["kind"] == "approval":
        return str(wait["question"])
    if wait["kind"] == "person":
        return str(step["title"])
    why = sayings.told(scene.visit.speech, step["message"]).rstrip(".")
    if _failed(wait):
        return say("“%(title)s” failed: %(why)s. What now?", title=step["title"], why=why)
    if not why:
        return say(
            "“%(title)s” was interrupted, and nobody knows how far it came. "
            "Look at the target first, then decide.",
            title=step["title"],
        )
    return say(
        "“%(title)s” was interrupted, and nobody knows how far it came: %(why)s. "
        "Look at the target first, then decide.",
        title=step["title"],
        why=why,
    )


def _wrote(scene: Scene, step: Row) -> Markup | str:
    """The end of what its last try wrote, by which one decides."""
    tail = scene.tails.get(step["attempts"][-1]["id"]) if step["attempts"] else None
    return ansi.render(ending(tail.text)) if tail is not None and tail.text.strip() else ""


def ending(text: str, most: int = TAIL, lines: int = LAST) -> str:
    """Return the end of an output, from the beginning of a line.

    Few lines: what went wrong is said last, and must be in sight without scrolling.
    """
    end = text.rstrip()
    cut = end if len(end) <= most else end[-most:].partition("\n")[2] or end[-most:]
    return "\n".join(cut.split("\n")[-lines:])


def _failed(wait: Row) -> bool:
    return bool((wait["data"] or {}).get("failed"))


def answers(scene: Scene, step: Row) -> list[dict[str, Any]]:
    """Return who has answered a step that is over or still open, with their words."""
    wait = scene.waits.get(step["id"])
    votes = scene.votes.get(wait["approval_id"] or 0, []) if wait is not None else []
    return list(_given(scene, step, votes))


def _given(scene: Scene, step: Row, votes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for vote in votes:
        approved = vote["decision"] == "approve"
        said = N_("%(who)s approved.") if approved else N_("%(who)s rejected.")
        yield _answer(scene, said, vote)
    for one in scene.done_by.get(step["id"], ()):
        yield _answer(scene, N_("%(who)s said that it is done."), one)


def _answer(scene: Scene, said: str, row: Mapping[str, Any]) -> dict[str, Any]:
    visit = scene.visit
    return {
        "said": visit.speech.say(said, who=scene.names.of(f"account:{row['account_id']}")),
        "note": row["note"],
        "at": words.moment(visit.speech, row["at"], visit.now, scene.zone),
    }


def _yes_of(vote: Mapping[str, Any], account_id: int | None) -> bool:
    return (vote["decision"], vote["account_id"]) == ("approve", account_id)


def _excluded(scene: Scene, wait: Row) -> list[str]:
    """Say of everybody who is left out why, unless the book lets them approve on record."""
    if wait["kind"] != "approval" or not wait["excluded"]:
        return []
    if wait["self_approval"] == "record" and scene.book.self_approval == "record":
        return []
    speech, because = scene.visit.speech, wait["excluded_because"] or {}
    return [
        speech.say(
            EXCLUDED.get(because.get(str(one), "started"), EXCLUDED["started"]),
            who=scene.names.of(f"account:{one}"),
        )
        for one in wait["excluded"]
    ]


def _choices(scene: Scene, step: Row, wait: Row) -> Iterator[dict[str, Any]]:
    """The answers: value, word, what it will do, whether it ends something, its own address."""
    say = scene.visit.speech.say
    if wait["kind"] == "approval":
        yield _choice("approve", say("Approve"), act="approve")
        no = say("The run fails. %(rest)s", rest=aftermath(scene))
        yield _choice("reject", say("Reject"), no, danger=True, act="reject")
    elif wait["kind"] == "person":
        yield _choice("done", say("Done"), act="confirm")
    else:
        yield from _decisions(scene, step, _failed(wait))


def _decisions(scene: Scene, step: Row, failed: bool) -> Iterator[dict[str, Any]]:
    say, tries = scene.visit.speech.say, len(step["attempts"])
    main = step["phase"] == "main"
    again = say("Starts “%(title)s” once more, as try %(n)s.", title=step["title"], n=tries + 1)
    yield _choice("retry", say("Run it again"), again)
    following = _following(scene, step)
    goes_on = (
        say("Goes on with “%(next)s”.", next=following["title"])
        if following is not None
        else say("Nothing comes after it.")
    )
    if failed:
        left = say("It stays as it failed.")
        yield _choice("skip", say("Go on without it"), f"{left} {goes_on}")
    else:
        yield _choice("skip", say("It is done, go on"), goes_on)
    if not main:
        rest = say("The run ends as failed; what comes after this is not undone.")
        yield _choice("fail", say("It failed"), rest, danger=True)
        return
    word = say("It failed")
    if failed:
        word = say("Roll back") if scene.undoing() else say("Give up")
    yield _choice("fail", word, say("The run fails. %(rest)s", rest=aftermath(scene)), danger=True)
    if failed:
        stays = say("The run ends here, and nothing is undone.")
        yield _choice("stop", say("Stop here"), f"{stays} {finally_(scene)}".strip(), danger=True)


def _choice(
    value: str, word: str, does: str = "", *, danger: bool = False, act: str = ""
) -> dict[str, Any]:
    return {"value": value, "word": word, "does": does.strip(), "danger": danger, "act": act}


def _following(scene: Scene, step: Row) -> Row | None:
    """What comes next: the next item, or else the step after the one that is repeated."""
    whole = next((one for one in scene.steps if one["id"] == step["part_of"]), step)
    beside = [one for one in scene.steps if one["part_of"] == step["part_of"]]
    items = beside if whole is not step else []
    after = [one for one in scene.phase(step["phase"]) if one["position"] > whole["position"]]
    return next((one for one in (*items, *after) if one["state"] == "pending"), None)


def aftermath(scene: Scene) -> str:
    """Say what is undone when the run fails now, in its order, and what runs in any case."""
    speech, undo = scene.visit.speech, scene.undoing()
    if undo:
        told = speech.say_n(
            "Rolls back %(n)s step: %(titles)s.", "Rolls back %(n)s steps: %(titles)s.",
            len(undo), titles=titles(undo),
        )  # fmt: skip
    else:
        told = speech.say("Nothing is rolled back.")
    return f"{told} {finally_(scene)}".strip()


def finally_(scene: Scene) -> str:
    """Say what runs in any case; nothing where there is none."""
    last = [one for one in scene.phase("finally") if one["state"] == "pending"]
    if not last:
        return ""
    return scene.visit.speech.say("In the end, in any case: %(titles)s.", titles=titles(last))


def titles(steps: list[Row]) -> str:
    """Name some steps: each by its title, and by its key where several share one."""
    told = [str(one["title"]) for one in steps]
    return ", ".join(
        f"{title} ({one['key']})" if told.count(title) > 1 else title
        for title, one in zip(told, steps, strict=True)
    )


def attaching(scene: Scene, step: Row) -> dict[str, Any] | None:
    """Return the files of a manual step, and whether the visitor may add one; else None."""
    if step["kind"] != "manual":
        return None
    visit, files = scene.visit, [one for one in scene.evidence if one["step"] == step["key"]]
    wait = scene.waits.get(step["id"])
    did = {one["account_id"] for one in scene.done_by.get(step["id"], ())}
    if wait is not None and wait["kind"] == "person":
        may = waiting.entitled(visit, scene.book, wait)
    else:
        may = visit.who.account_id in did or visit.may("runs:write", scene.book)
    begun = step["state"] != "pending" and (wait is not None or step["started_at"] is not None)
    return {
        "may": may and begun and scene.alive and len(files) < MOST_FILES,
        "files": [
            {
                "id": one["id"],
                "name": one["name"],
                "size": format_quantity(one["size"], "bytes"),
                "who": scene.names.of(one["added_by"]),
                "at": words.moment(visit.speech, one["added_at"], visit.now, scene.zone),
                "digest": one["digest"],
            }
            for one in files
        ],
    }


def told(asked: Mapping[str, Any]) -> Markup:
    """Return for whom it waits and until when, on one line."""
    return Markup(" · ").join(one for one in (asked["whom"], asked["left"]) if one)
