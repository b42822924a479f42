"""Audit entries as sentences for people: one pattern for each action, in both languages.

The record keeps names (``incident.opened``) and values; how they are said is decided here, so that
an entry of three years ago reads well in a language that was added today. An action without a
pattern is still a sentence (its own name, made readable, with its values): a page that hides what
it does not know would be a poor auditor.

`PATTERNS` uses ``%(who)s`` for the actor, ``%(it)s`` for the subject and the entry's own data by
name; what an entry lacks is said as a dash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from opsbook.access import accounts
from opsbook.base.database import Transaction
from opsbook.book.library import Library
from opsbook.revisions import asking
from opsbook.web import sayings, store, words
from opsbook.web.i18n import N_, Speech

PATTERNS: Final[Mapping[str, str]] = {
    "book.loaded": N_("The %(it)s was loaded at revision %(revision)s."),
    "book.published": N_("%(who)s published revision %(revision)s of the %(it)s."),
    "book.published.opsbook": N_("Revision %(revision)s of the %(it)s runs (%(origin)s)."),
    "book.rejected": N_("Revision %(revision)s of the %(it)s was rejected; it does not run."),
    "book.source_trouble": N_("The %(it)s goes on as it was, since its source cannot run: %(why)s"),
    "book.source_well": N_("The source of the %(it)s is well again."),
    "draft.opened": N_("%(who)s began to edit the book %(book)s (%(it)s)."),
    "draft.discarded": N_("%(who)s discarded the %(it)s of the book %(book)s."),
    "draft.returned": N_("The %(it)s of the book %(book)s is its author's again."),
    "check.flapping": N_("The %(it)s flaps: its state changes too often to be believed."),
    "check.steady": N_("The %(it)s is steady again."),
    "alert.fired": N_("The rule %(rule)s fired: %(check)s is %(state)s%(reading)s"),
    "alert.resolved": N_("The alert of %(rule)s is over: %(check)s is %(state)s%(reading)s"),
    "alert.set_aside": N_(
        "An alert that came in through %(source)s could not be worked in and was set aside: "
        "%(labels)s (%(why)s)"
    ),
    "alert.fired.outside": N_("%(alertname)s came in through %(source)s: %(message)s"),
    "alert.resolved.outside": N_("%(alertname)s is over, says %(source)s."),
    "silence.set": N_("%(who)s silenced %(matchers)s:"),
    "silence.changed": N_("%(who)s changed the silence of %(matchers)s:"),
    "silence.expired": N_("%(who)s ended the silence of %(matchers)s:"),
    "duty.exception_made": N_("%(who)s: %(person)s is called first in %(rotation)s, %(when)s."),
    "duty.exception_withdrawn": N_(
        "%(who)s: %(person)s is not called first in %(rotation)s any more, %(when)s."
    ),
    "duty.swap_asked": N_("%(giver)s asks %(taker)s to take %(rotation)s, %(when)s."),
    "duty.swap_accepted": N_("%(taker)s takes %(rotation)s from %(giver)s, %(when)s."),
    "duty.swap_declined": N_("%(taker)s does not take %(rotation)s from %(giver)s, %(when)s."),
    "duty.swap_withdrawn": N_("%(giver)s needs nobody any more to take %(rotation)s, %(when)s."),
    "incident.severity_raised": N_("%(it)s is worse now: %(after)s instead of %(before)s."),
    "incident.opened": N_("%(it)s was opened: %(severity)s, rule %(rule)s."),
    "incident.opened.outside": N_("%(it)s was opened: %(severity)s."),
    "incident.paged": N_("Level %(level)s was paged: %(persons)s."),
    "incident.pages_nobody": N_("Nobody was paged: the severity names no escalation."),
    "incident.nobody_on_duty": N_("Level %(level)s reached nobody: %(names)s."),
    "incident.unanswered": N_("Nobody acknowledged in time."),
    "incident.fired_again": N_("Alert %(alert)s fired again while this was open."),
    "incident.runbook_refused": N_("The runbook %(runbook)s could not be started: %(why)s"),
    "incident.acknowledged": N_("%(who)s acknowledged."),
    "incident.note": N_("%(who)s noted:"),
    "incident.resolved": N_("%(who)s resolved %(it)s."),
    "incident.resolved.opsbook": N_("%(it)s is resolved: all its alerts are over."),
    "page.sent": N_("%(person)s was reached by %(channel)s."),
    "page.failed": N_("%(person)s could not be reached by %(channel)s; %(attempts)s tries."),
    "page.delayed": N_("Reaching %(person)s by %(channel)s failed and is tried again."),
    "page.unaddressed": N_("%(person)s could not be paged: the book knows nobody of that name."),
    "webhook.delayed": N_("The webhook %(hook)s was not reached and is tried again: %(why)s"),
    "webhook.sent": N_("The webhook %(hook)s took %(event)s after %(attempts)s tries."),
    "webhook.failed": N_("The webhook %(hook)s was not told of %(event)s; %(attempts)s tries."),
    "webhook.told": N_("The webhook %(hook)s was told."),
    "webhook.on_its_way": N_("The webhook %(hook)s is being told."),
    "webhook.untold": N_("The webhook %(hook)s is not told yet (tries: %(attempts)s): %(why)s"),
    "webhook.replaced": N_("The webhook %(hook)s was not told; a later message replaced this."),
    "webhook.lost": N_(
        "The webhook %(hook)s was not told; given up after %(attempts)s tries: %(why)s"
    ),
    "webhook.tested": N_("%(who)s tried the webhook %(hook)s."),
    "run.started": N_("%(who)s started %(it)s: %(runbook)s."),
    "run.started.opsbook": N_("%(it)s started by itself: %(runbook)s."),
    "run.succeeded": N_("%(it)s succeeded."),
    "run.failed": N_("%(it)s failed. %(reason)s"),
    "run.cancelled": N_("%(it)s was cancelled. %(reason)s"),
    "run.resumed": N_("%(who)s let %(it)s go on where it had failed:"),
    "run.rerun": N_("%(who)s started %(it)s as a repetition of run %(of)s:"),
    "run.rerun.from": N_(
        "%(who)s started %(it)s as a repetition of run %(of)s, from “%(from)s” on:"
    ),
    "run.taken_over": N_("%(who)s took %(it)s over."),
    "run.commented": N_("%(who)s wrote about %(it)s:"),
    "run.cancel_requested": N_("%(who)s asked to cancel %(it)s."),
    "step.started": N_("“%(title)s” started."),
    "step.failed_once": N_("“%(title)s” failed and is tried again: %(message)s"),
    "step.failed_and_asks": N_("“%(title)s” failed, and somebody has to decide: %(message)s"),
    "step.succeeded": N_("“%(title)s” is done."),
    "step.failed": N_("“%(title)s” failed. %(message)s"),
    "step.skipped": N_("“%(title)s” was skipped. %(message)s"),
    "step.cancelled": N_("“%(title)s” was cancelled. %(message)s"),
    "step.waiting": N_("“%(title)s” waits for a person."),
    "step.waiting.check": N_("“%(title)s” watches the check until it holds."),
    "step.waiting.time": N_("“%(title)s” waits for its time."),
    "step.waiting.run": N_("“%(title)s” waits for the run that it started."),
    "window.used": N_("Run %(run)s went on in the window %(window)s."),
    "step.interrupted": N_("“%(title)s” was interrupted: %(why)s"),
    "step.confirmed": N_("%(who)s confirmed “%(title)s”."),
    "step.confirmed_partly": N_(
        "%(who)s confirmed “%(title)s”; more people are needed (%(confirmed)s of %(need)s)."
    ),
    "step.evidence_attached": N_("%(who)s attached a file to “%(title)s”:"),
    "step.decided": N_("%(who)s decided about “%(title)s”."),
    "step.decided.retry": N_("%(who)s let “%(title)s” run again."),
    "step.decided.skip": N_("%(who)s said that “%(title)s” is done."),
    "step.decided.stop": N_("%(who)s stopped the run at “%(title)s”; nothing is undone."),
    "step.decided.fail": N_("%(who)s said that “%(title)s” failed."),
    "approval.requested": N_("An approval is asked for (%(for)s), role %(role)s."),
    "approval.requested.book": N_(
        "Revision %(revision)s of %(book)s waits for an approval by somebody with %(permission)s."
    ),
    "approval.voted": N_("%(who)s approved; more people are needed (%(approved)s of %(need)s)."),
    "approval.withdrawn": N_(
        "%(who)s took their approval back (%(for)s); %(approved)s of %(need)s are left."
    ),
    "approval.excluded": N_("%(who)s takes part in it now and may not approve it (%(for)s)."),
    "approval.approved": N_("%(who)s approved (%(for)s)."),
    "approval.approved.oneself": N_(
        "%(who)s approved their own work (%(for)s), as the book allows."
    ),
    "approval.rejected": N_("%(who)s rejected (%(for)s)."),
    "approval.refused": N_("%(who)s may not decide this (%(reason)s)."),
    "approval.expired": N_("Nobody decided in time; the approval expired (%(for)s)."),
    "approval.void": N_("The approval was taken back (%(for)s): %(why)s."),
    "routine.started": N_("The routine %(routine)s started run %(run)s."),
    "routine.refused": N_("The routine %(routine)s could not start: %(why)s"),
    "account.created": N_("%(it)s was made:"),
    "account.disabled": N_("%(who)s disabled %(it)s."),
    "account.enabled": N_("%(who)s enabled %(it)s."),
    "account.password_set": N_("%(who)s set the password of %(it)s."),
    "account.signed_in": N_("%(who)s signed in."),
    "account.signed_out": N_("%(who)s signed out."),
    "account.sessions_closed": N_("%(who)s signed out everywhere else."),
    "account.session_ended": N_("%(who)s signed one browser out."),
    "account.signed_out_by": N_("%(who)s signed %(it)s out everywhere."),
    "account.appointed": N_("%(who)s made %(it)s a first administrator."),
    "account.dismissed": N_("%(who)s ended that %(it)s is a first administrator."),
    "account.sign_in_failed": N_("A sign-in to %(it)s failed (%(why)s)."),
    "account.sign_in_paused": N_("Signing in to %(it)s is paused after too many failures."),
    "link.made": N_("%(who)s made a sign-in link for %(it)s."),
    "link.made.opsbook": N_("A sign-in link for %(it)s was made."),
    "link.made.offline": N_("A sign-in link for %(it)s was made by somebody with the data folder."),
    "link.used": N_("%(who)s used a sign-in link."),
    "token.made": N_("%(who)s made a token for: %(scopes)s."),
    "token.made.local": N_("A token was made for programs on this machine (%(scopes)s)."),
    "token.revoked": N_("%(who)s revoked %(it)s."),
    "access.refused": N_("%(who)s was refused: %(request)s."),
}

SUBJECTS: Final[Mapping[str, str]] = {
    "incident": N_("incident %(id)s"),
    "alert": N_("alert %(id)s"),
    "run": N_("run %(id)s"),
    "approval": N_("approval %(id)s"),
    "account": N_("account %(id)s"),
    "token": N_("token %(id)s"),
    "book": N_("book %(id)s"),
    "draft": N_("draft %(id)s"),
    "routine": N_("routine %(id)s"),
    "page": N_("page %(id)s"),
    "delivery": N_("delivery %(id)s"),
    "check": N_("check %(id)s"),
    "sign-in": N_("an unknown account"),
}
PATHS: Final = {
    "incident": "/incidents/{}", "alert": "/alerts/{}", "run": "/runs/{}", "book": "/book/{}",
}  # fmt: skip
ALARMS: Final = frozenset(
    {
        "alert.fired", "alert.set_aside", "incident.opened", "incident.unanswered",
        "incident.nobody_on_duty",
        "incident.runbook_refused", "page.failed", "step.interrupted", "step.failed_and_asks",
        "routine.refused",
        "webhook.failed", "webhook.untold", "webhook.lost",
        "approval.expired", "account.sign_in_paused", "account.appointed", "access.refused",
    }
)  # fmt: skip


class Names:
    """What people call those who act; accounts and tokens are read once for a page."""

    def __init__(self, tx: Transaction, speech: Speech, library: Library) -> None:
        self._speech = speech
        self._books = library.books()
        self._logins = {row["id"]: row["login"] for row in accounts.all(tx)}
        self._tokens = {row["id"]: row for row in store.tokens(tx)}

    def of(self, actor: str) -> str:
        """Return a person's name for ``account:3``, a token with its owner, or Opsbook itself."""
        kind, _, number = actor.partition(":")
        if not number.isdigit():
            return "Opsbook" if actor == "opsbook" else actor
        if kind == "token":
            token = self._tokens.get(int(number))
            if token is None or token["account_id"] is None:
                return self._speech.say("a program on this server")
            owner = self._person(self._logins.get(token["account_id"], "?"))
            return self._speech.say("%(who)s (token %(name)s)", who=owner, name=token["name"])
        return self._person(self._logins.get(int(number), actor))

    def person(self, book: str, person: str) -> str:
        """Return what a person of a book is called."""
        for one in self._books:
            if one.id == book and person in one.people:
                return words.text(self._speech, one.people[person].name)
        return person

    def anybody(self, person: str) -> str:
        """Return what a person is called in whichever running book knows the id."""
        return next(
            (self.person(one.id, person) for one in self._books if person in one.people), person
        )

    def called(self, login: str) -> str:
        """Return what the person with an account of that name is called."""
        return self._person(login)

    def _person(self, login: str) -> str:
        for book in self._books:
            found = book.person_of(login)
            if found is not None:
                return words.text(self._speech, book.people[found].name)
        return login


class _Values(dict[str, Any]):
    """An entry's values by name; what it lacks is a dash, so that no entry breaks its page."""

    def __missing__(self, key: str) -> str:
        return "–"


def sentence(entry: Mapping[str, Any], actor_name: str, language: str) -> str:
    """Return an entry as plain text, for programs and the terminal."""
    return _said(Speech(language), entry, actor_name, plain=True).strip()


def html(speech: Speech, entry: Mapping[str, Any], names: Names) -> Markup:
    """Return an entry as HTML, with its subject as a link."""
    data = dict(entry["data"] or {})
    for name in ("person", "persons"):
        if name in data:
            given = [data[name]] if isinstance(data[name], str) else data[name]
            data[name] = [names.anybody(str(one)) for one in given]
    told = {**entry, "data": data}
    return Markup(_said(speech, told, names.of(entry["actor"]), plain=False)).strip()  # noqa: S704


def pattern(entry: Mapping[str, Any]) -> str | None:
    """Return the pattern of an entry; its data, or that nobody did it, may choose a closer one."""
    action, data = entry["action"], entry["data"] or {}
    closer = [f"{action}.{data[name]}" for name in ("choice", "kind") if name in data]
    if action.startswith("alert.") and "source" in data:
        closer.append(f"{action}.outside")
    if action == "incident.opened" and not data.get("rule"):
        closer.append(f"{action}.outside")
    if action == "approval.requested" and str(data.get("for", "")).startswith("book:"):
        closer.append(f"{action}.book")
    if action == "token.made" and data.get("account") is None and entry["actor"] == "opsbook":
        closer.append(f"{action}.local")
    if action == "run.rerun" and data.get("from"):
        closer.append(f"{action}.from")
    if data.get("by_oneself"):
        closer.append(f"{action}.oneself")
    if entry["actor"] == "opsbook":
        closer.append(f"{action}.opsbook")
    return next((PATTERNS[one] for one in (*closer, action) if one in PATTERNS), None)


def _said(speech: Speech, entry: Mapping[str, Any], actor_name: str, *, plain: bool) -> str:
    values = _Values(_values(speech, entry, plain=plain))
    values["who"] = actor_name if plain else escape(actor_name)
    values["it"] = subject(speech, entry["subject"], plain=plain)
    found = pattern(entry)
    if found is not None:
        return speech.catalogue.gettext(found) % values
    told = _readable(entry)
    return told if plain else escape(told)


def _values(speech: Speech, entry: Mapping[str, Any], *, plain: bool) -> dict[str, Any]:
    data = dict(entry["data"] or {})
    if isinstance(data.get("value"), (int, float)):
        data["reading"] = f" ({words.value(speech, data['value'], str(data.get('unit', '')))})"
    if "check_id" in data:
        data["check"] = data["check_id"]
        said = data.get("message") if data.get("check_state") != "ok" else ""
        data["reading"] = data.get("reading", "") + (f": {said}" if said else "")
    if found := data.get("check_state"):
        data["state"] = speech.say(words.state("check", found).word or found)
    if data.get("channel") == "inbox":
        data["channel"] = speech.say("inbox")
    data["revision"] = str(data.get("revision", ""))[:12]
    for name in ("reason", "message"):
        data[name] = sayings.told(speech, str(data.get(name) or ""))
    if isinstance(data.get("why"), str):
        data["why"] = sayings.told(speech, data["why"])
    if data.get("roles"):
        data["role"] = ", ".join(map(str, data["roles"]))
    if data.get("role") is None:
        data.pop("role", None)
    kind, _, which = str(data.get("for") or "").partition(":")
    if kind == "book":  # a held revision: book:ID/DIGITS
        data["book"], _, data["revision"] = which.partition("/")
        data["permission"] = asking.PERMISSION
    if kind:
        data["for"] = subject(speech, str(data["for"]), plain=True)
    shown = {name: _one(value) for name, value in data.items()}
    return shown if plain else {name: escape(value) for name, value in shown.items()}


def _one(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {one}" for name, one in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(str(one) for one in value)
    return str(value)


def subject(speech: Speech, text: str, *, plain: bool) -> Any:
    """Return ``incident 12`` for ``incident:12``, as a link where it has a page."""
    kind, _, which = text.partition(":")
    said = SUBJECTS.get(kind)
    told = speech.say(said, id=which) if said and "%(" in said else speech.say(said or text)
    path = PATHS.get(kind)
    if plain or path is None:
        return told if plain else escape(told)
    return Markup('<a href="{}">{}</a>').format(path.format(quote(which, safe="/")), told)


def _readable(entry: Mapping[str, Any]) -> str:
    """Return an action this version has no pattern for, as words with its values."""
    named = entry["action"].replace(".", ": ").replace("_", " ")
    told = ", ".join(f"{name} {_one(value)}" for name, value in (entry["data"] or {}).items())
    return f"{named} ({entry['subject']}) {told}".strip()


QUIET: Final = frozenset({"step.started"})
"""What a story leaves out, since the next entry says it too; the Audit page has everything."""


def story(
    speech: Speech, entries: Iterable[Mapping[str, Any]], names: Names, zone: ZoneInfo,
    now: datetime, keyed: Iterable[str] = (),
) -> list[dict[str, Any]]:  # fmt: skip
    """Return entries as the timeline of an incident or a run.

    `keyed` are steps that share their title with another one: they are called by their key too.
    """
    told = [one for one in entries if one["action"] not in QUIET and not _of_an_item(one)]
    shared = frozenset(keyed)
    return lines(speech, [_with_key(one, shared) for one in told], names, zone, now)


def _with_key(entry: Mapping[str, Any], keyed: frozenset[str]) -> Mapping[str, Any]:
    data = entry["data"] or {}
    key = str(data.get("step", ""))
    if "title" not in data or key.partition("[")[0] not in keyed:
        return entry
    return {**entry, "data": {**data, "title": f"{data['title']} ({key})"}}


def _of_an_item(entry: Mapping[str, Any]) -> bool:
    """Whether it says that an item of a repeated step is done: a thousand of them are one step."""
    step = str((entry["data"] or {}).get("step", ""))
    return entry["action"] == "step.succeeded" and step.endswith("]")


def lines(
    speech: Speech, entries: Iterable[Mapping[str, Any]], names: Names, zone: ZoneInfo,
    now: datetime,
) -> list[dict[str, Any]]:  # fmt: skip
    """Return entries as a list shows them: with the day where it changes."""
    shown = []
    day = now.astimezone(zone).date()
    for one in entries:
        here = one["at"].astimezone(zone).date()
        shown.append(
            {
                "id": one["id"],
                "at": one["at"],
                "day": day_name(speech, here, now.astimezone(zone).date()) if here != day else "",
                "said": html(speech, one, names),
                "text": one["text"],
                "kind": _kind(one),
                "thread": one["thread"],
                "seq": one["seq"],
                "hash": one["hash"],
                "zone": zone,
            }
        )
        day = here
    return shown


def _kind(entry: Mapping[str, Any]) -> str:
    if entry["action"] in ALARMS:
        return "alarm"
    return "person" if entry["actor"] != "opsbook" else ""


def day_name(speech: Speech, day: date, today: date) -> str:
    """Return a day for people: today, yesterday, or its date."""
    if day == today:
        return speech.say("Today")
    if day == today - timedelta(days=1):
        return speech.say("Yesterday")
    return f"{day:%Y-%m-%d}"
