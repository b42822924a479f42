"""What pages say about wishes, refusals and how things ended, in the visitor's language.

The packages below write such sentences in English, with the values in them: errors, the reason a
run ended. A sentence that is known here is recognised by its pattern, taken apart and said again in
the visitor's language; one that is not is shown as it was said, which is still what is wrong, with
which value, and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from opsbook.base.errors import OpsbookError
from opsbook.web.i18n import N_, Speech

DONE: Final[Mapping[str, str]] = {
    "acknowledged": N_("Acknowledged. It is yours."),
    "resolved": N_("Resolved."),
    "silenced": N_("Silenced. They go on firing; nobody is told of them for now."),
    "unsilenced": N_("The silence is over."),
    "noted": N_("Note added."),
    "started": N_("Started."),
    "approved": N_("Approved."),
    "rejected": N_("Rejected."),
    "confirmed": N_("Confirmed."),
    "decided": N_("Decided."),
    "cancelled": N_("Cancelling."),
    "withdrawn": N_("Your approval is taken back."),
    "resumed": N_("It goes on."),
    "rerun": N_("Started again."),
    "taken": N_("It is yours to look after."),
    "written": N_("Written into its story."),
    "attached": N_("Attached."),
    "looked": N_("Looked just now."),
    "kept": N_("Kept."),
    "password": N_("The password is set."),
    "revoked": N_("The token no longer works."),
    "closed": N_("Signed out everywhere else."),
    "read": N_("All read."),
    "verified": N_("Verified."),
    "saved": N_("Saved in the draft. Nothing runs differently yet."),
    "published": N_("Published. It runs."),
    "held": N_("It waits for an approval; nothing runs differently yet."),
    "discarded": N_("Discarded."),
    "renewed": N_("The draft stands on the present revision."),
    "session": N_("That browser is signed out."),
    "account-disable": N_("Disabled. It is signed out everywhere."),
    "account-enable": N_("Enabled."),
    "account-end-sessions": N_("Signed out everywhere."),
    "account-appoint": N_("It is a first administrator now."),
    "account-dismiss": N_("It is no first administrator any more."),
}
"""What a page says once after a wish was fulfilled. A cookie names one; its words are only ours."""

KNOWN: Final = (
    N_("That name and password do not fit together."),
    N_("Try again, or ask an administrator for a sign-in link."),
    N_("Signing in failed too often."),
    N_("Wait %(minutes)s min, or ask an administrator for a sign-in link."),
    N_("Sign in first."),
    N_("No page has the address %(path)s."),
    N_("Check the address, or search for what you want."),
    N_("Sign in, then try again."),
    N_("This form was made for another session."),
    N_("Go back, reload the page and send it again."),
    N_("This request came from another site."),
    N_("Open Opsbook in its own tab and try again there."),
    N_("The request is larger than %(size)s KiB."),
    N_("Send less at once."),
    N_("You may not do this."),
    N_("There is no such thing here."),
    N_("This was already decided, or has changed since you looked."),
    N_("Reload the page to see who has it."),
    N_("Incident %(id)s is already %(state)s."),
    N_("There is no incident %(id)s."),
    N_("There is no run %(id)s."),
    N_("There is no page %(id)s."),
    N_("The note is empty."),
    N_("Write what you saw or did."),
    N_("%(who)s has no %(permission)s in the book %(book)s."),
    N_("%(who)s is nobody in the book %(book)s."),
    N_("Ask for a role with %(permission)s in the book's people. Roles that have it: %(roles)s."),
    N_("%(who)s may not approve this: %(because)s, and the book forbids approving one's own work."),
    N_("they started it"),
    N_("it runs because of them"),
    N_("they set its parameters"),
    N_("they wrote this revision of the book"),
    N_("they steer it"),
    N_("they count as one person, by a sign-in link, with somebody who takes part in it"),
    N_("Ask somebody else with the role %(role)s."),
    N_("Ask somebody else who has runs:write."),
    N_("%(who)s has approved this already; %(n)s of %(need)s did."),
    N_(
        "%(who)s counts as one person, by a sign-in link, with somebody who has approved this "
        "already; %(n)s of %(need)s did."
    ),
    N_("%(who)s may not decide this: it takes the role %(role)s, which they do not have."),
    N_("%(who)s may not decide this: it takes the permission runs:write, which they do not have."),
    N_("Ask somebody with the role %(role)s."),
    N_("Ask somebody who has runs:write."),
    N_("This was approved already (%(when)s)."),
    N_("This was rejected (%(when)s)."),
    N_("Nobody decided in time: the approval expired (%(when)s)."),
    N_("What was asked has changed, or is not wanted any more (%(when)s)."),
    N_("Nothing is left to decide."),
    N_("Start it again if needed."),
    N_("What is asked has changed since you looked."),
    N_("Reload the page and read it again."),
    N_("It has %(n)s characters; %(most)s are the fewest."),
    N_("It has %(n)s characters; %(most)s are the most."),
    N_("It is the name you sign in with."),
    N_("It is made of fewer than four different characters."),
    N_("The password cannot be used."),
    N_("A short sentence that only you would say is good and easy to keep in mind."),
    N_("The two passwords are not the same."),
    N_("Type both again."),
    N_("Choose for how long the token is good."),
    N_("There is no such token of yours."),
    N_("A token cannot be made for: %(scopes)s."),
    N_("Choose from %(known)s."),
    N_("There is no book %(book)s here that you may read."),
    N_("The book %(book)s has no check %(check)s."),
    N_("It may have been removed from the book; see the list of checks."),
    N_("The book %(book)s has no runbook %(runbook)s."),
    N_("The book %(book)s has no file %(file)s."),
    N_("Too many live pages are open."),
    N_("Close some tabs."),
    N_("The chain is being verified already."),
    N_("Wait for it to end; the result is shown here."),
    N_("parameter %(name)s: is required."),
    N_("parameter %(name)s: %(value)s is not one of its choices."),
    N_("parameter %(name)s: %(value)s does not match its pattern."),
    N_("parameter %(name)s: %(value)s is outside its range."),
    N_("parameter %(name)s: this runbook has no such parameter."),
    N_("parameter %(name)s: %(value)s is not %(what)s."),
    N_("parameter %(name)s: %(value)s does not lie in %(folder)s."),
    N_("an integer"),
    N_("a number"),
    N_("a size such as 4Gi or 20GB"),
    N_("a percentage such as 80%"),
    N_("true or false"),
    N_("a path without '..'"),
    N_("a duration such as 30s or 1h30m from %(low)s up to %(high)s"),
    N_("a size such as 4Gi or 20GB from %(low)s up to %(high)s"),
    N_("a path without '..' in %(folder)s"),
    N_("exit code %(code)s"),
    N_("ended by signal %(signal)s"),
    N_("the server stopped while it ran, and how it ended is not known"),
    N_("its keeper is gone and has left no outcome; processes of the step may still run"),
    N_("it was told to end"),
    N_("%(n)s processes of the step could not be ended"),
    N_("approved by %(who)s"),
    N_("rejected by %(who)s"),
    N_("nobody approved within %(span)s"),
    N_("the approval was withdrawn"),
    N_("what was to be approved has changed since"),
    N_("nobody did it within %(span)s"),
    N_("only %(n)s of %(need)s approved within %(span)s"),
    N_("only %(n)s of %(need)s did it within %(span)s"),
    N_("approved by %(who)s, who takes part in the run"),
    N_("%(who)s has confirmed this already; %(n)s of %(need)s did."),
    N_(
        "%(who)s counts as one person, by a sign-in link, with somebody who has confirmed this "
        "already; %(n)s of %(need)s did."
    ),
    N_("%(who)s has not approved this, so there is nothing to take back."),
    N_("%(who)s does not have the role %(role)s, which this step asks for."),
    N_("Ask somebody who has it, or for the role %(role)s in the book's people."),
    N_("Step %(step)s of run %(id)s does not wait for this, or not any more."),
    N_("%(who)s steers run %(id)s already."),
    N_("There is nothing to do."),
    N_("Who has voted on something cannot take it over: they would have approved their own."),
    N_("Take your vote back while it is still open, or let somebody else take it over."),
    N_("The %(what)s has %(n)s characters; %(most)s fit."),
    N_("Shorten it, or link to the long text."),
    N_("The comment is empty."),
    N_("A file cannot be called %(name)s: %(why)s."),
    N_("it says nothing"),
    N_("it is a path"),
    N_("it holds a character that cannot be seen"),
    N_("Give it another name."),
    N_("The file is empty."),
    N_("Attach one with something in it."),
    N_("The file has %(size)s; %(most)s fit."),
    N_("Attach the part that proves it, or keep it elsewhere and note the link."),
    N_("Step %(step)s of run %(id)s has not begun."),
    N_("Attach it once the step waits for you."),
    N_("Step %(step)s has %(n)s files, and %(most)s fit."),
    N_("Put several into one archive."),
    N_("done by %(who)s"),
    N_("taken as done by %(who)s"),
    N_("nobody allowed this run to change anything"),
    N_("the run was cancelled, so that nobody is waited for"),
    N_("took longer than the %(limit)s its runbook allows"),
    N_("it saved an empty value, and it is not `optional`"),
    N_("the book has no check %(check)s"),
    N_("%(who)s may not decide this: it takes the permission %(what)s, which they do not have."),
    N_("Ask somebody else who has %(permission)s."),
    N_("Ask somebody who has %(permission)s."),
    N_("There is no draft %(id)s."),
    N_("The book %(book)s has no draft %(id)s."),
    N_("The reason is empty."),
    N_("Say why; the history keeps it."),
    N_("Nothing is different from before."),
    N_("Change something, then save."),
    N_("Edit it as text."),
    N_("Edit it as text to remove it."),
    N_("%(label)s is empty now, and a form leaves nothing out."),
    N_("%(file)s cannot be edited here."),
    N_("%(place)s is written in a way that a form does not change."),
    N_("%(place)s cannot be changed without changing something else."),
    N_("The draft is not what this page showed."),
    N_("Read it again, then publish."),
    N_("%(file)s in this draft is not what you changed any more."),
    N_("Another page has changed it; load it again."),
    N_("Somebody else has changed the same since you began: %(told)s."),
    N_("Read what it says now, take that into your edit, and publish again."),
    N_("This draft is somebody else's."),
    N_("Begin one of your own; both can be published."),
    N_("This draft was %(state)s."),
    N_("Begin a new one."),
    N_("The draft changes nothing that is not so already."),
    N_("Change something, or discard it."),
    N_("Exactly this was rejected before."),
    N_("Change what was objected to; the same content is not asked for again."),
    N_("%(source)s is not what runs, and an edit on top would publish that as well. %(why)s"),
    N_("Settle that first, then publish again; the draft is kept."),
    N_("It holds the revision %(revision)s, which waits for approval."),
    N_("It is being written to at this moment."),
    N_("The book %(book)s comes from nowhere that this server can write to."),
    N_("Edit it where it comes from."),
    N_("The approval was refused."),
    N_("The approval was withdrawn."),
    N_("In %(place)s these have changes that are not committed: %(files)s."),
    N_("Commit or discard them there, then publish again."),
    N_("%(file)s has been changed on disk since the edit was made."),
    N_("%(source)s has %(n)s problem."),
    N_("%(source)s has %(n)s problems."),
    N_("The revision from before goes on until they are mended."),
    N_("accepted: %(what)s."),
    N_("There is an account %(login)s already."),
    N_("Choose another name, or make a sign-in link for this one."),
    N_("A name to sign in with has 1 to %(most)s characters; this has %(n)s."),
    N_("Use the `account` (or else the id) of the person in the book."),
    N_("%(login)s cannot be a name to sign in with."),
    N_("Use letters, digits and . _ - @ + only, without blanks."),
    N_("What was typed is not the account's name."),
    N_("Nothing was changed."),
    N_("There is no account %(id)s that you may see."),
    N_("There is no account %(id)s."),
    N_("There is no such session of yours."),
    N_("%(login)s is a first administrator; only another one may change that account."),
    N_("Ask a first administrator."),
    N_("No running book knows %(login)s; only a first administrator may change such accounts."),
    N_("Add the person to the book's people first, or ask a first administrator."),
    N_("%(login)s has %(permissions)s in the book %(book)s, which %(who)s has not."),
    N_("Ask somebody who has it: a link would let its maker in as that person."),
    N_("A link for yourself would lead where you are."),
    N_("Nobody disables their own account."),
    N_("Nobody makes themself a first administrator, or one no more."),
    N_("Your own sessions are on your profile."),
    N_("Ask somebody else who may change accounts."),
    N_("The account %(login)s is disabled."),
    N_("Enable it, then make a link."),
    N_("Enable it first."),
    N_("Only a first administrator who is signed in says who else is one."),
    N_("Run %(id)s did not fail: it is %(state)s."),
    N_("Run %(id)s is a step of run %(parent)s."),
    N_("Run %(id)s was not approved."),
    N_("Run %(id)s was rolled back (%(step)s): what came before is undone."),
    N_("No main step of run %(id)s has failed: %(why)s."),
    N_("The secret values of run %(id)s were forgotten when it ended."),
    N_("Run %(id)s cannot be taken over before %(step)s: step %(other)s %(why)s."),
    N_("Begin with %(step)s, or from the beginning."),
    N_("is failed"),
    N_("is cancelled"),
    N_("is interrupted"),
    N_("is not a step of it"),
    N_("was undone"),
    N_("was not reached"),
    N_("saved a secret, which was forgotten when it ended"),
    N_("Nobody has said why."),
    N_("Give a reason: it is kept with the run."),
    N_("No file was chosen."),
    N_("Choose one, then attach it."),
    N_("its output does not have what is expected: %(what)s"),
    N_("its output has what must not be in it: %(what)s"),
    N_("it took %(span)s, longer than %(most)s"),
    N_("%(name)s is %(value)s, and must be %(band)s"),
    N_("%(n)s done"),
    N_("%(n)s of %(all)s failed: %(why)s"),
    N_("nothing to do: %(name)s is empty"),
    N_("not needed: %(what)s does not hold"),
    N_("taken over from run %(id)s"),
    N_("left as it failed by %(who)s"),
    N_("waited until %(at)s"),
    N_("run %(id)s succeeded"),
    N_("run %(id)s failed: %(why)s"),
    N_("run %(id)s was cancelled"),
    N_("run %(id)s was cancelled: %(why)s"),
    N_("went on after %(what)s"),
    N_("cancelled by %(who)s"),
    N_("Run %(id)s is over: it %(state)s."),
    N_("Run %(id)s is being cancelled already."),
    N_("No run to compare was named."),
    N_("Choose Compare beside a run in the list of runs."),
    N_("one of %(choices)s"),
    N_("text on one line"),
    N_("a text"),
    N_("an integer from %(low)s up to %(high)s"),
    N_("a number from %(low)s up to %(high)s"),
    N_("it has no matcher: it would keep everything quiet"),
    N_("every matcher takes an alert without its label: it would keep all quiet"),
    N_("it ends before it begins"),
    N_("its end is past already"),
    N_(
        "the pattern of %(name)s is longer than %(most)s characters: set several silences, or "
        "match a label that these alerts share"
    ),
    N_(
        "the pattern of %(name)s is too much work to look for: write it without repetitions such "
        "as {100}"
    ),
    N_(
        "the book has %(n)s silences that are not over, and takes no more than %(most)s: end some, "
        "or set one whose pattern takes the alerts of many"
    ),
    N_(
        "the patterns of this book's silences are too much work together: end some, or match a "
        "value instead of a pattern"
    ),
    N_("it has no comment that says why"),
    N_("it does not say who sets it"),
    N_("it comes again without saying for how long each time"),
    N_('%(text)s is no matcher; write one such as severity="critical" or service=~"a|b"'),
    N_("%(text)s: expected a comma before %(rest)s"),
    N_("%(text)s: a quotation mark is not closed"),
    N_("%(text)s: put the value in quotation marks"),
    N_("%(text)s opens a brace and does not close it, or the reverse"),
    N_("%(text)s is no regular expression of RE2: %(why)s"),
    N_("more than %(n)s matchers are not taken"),
    N_("a matcher needs the name of a label"),
    N_("a matcher longer than %(most)s characters is not taken"),
    N_(
        "%(text)s is not a duration; write a number and a unit, such as 500ms, 30s, 15m, 1h30m "
        "or 7d"
    ),
    N_("%(text)s is too long a duration; write a shorter one, such as 365d"),
    N_(
        '%(text)s is not a schedule; write "every day 09:00", "every Monday 10:00", "first '
        'business day 10:00" or a cron line such as "0 3 * * *"; see docs/reference/calendar.md'
    ),
    N_("%(at)s in %(text)s is no time of day; write 00:00 to 23:59"),
    N_('%(text)s names no time of day; write for example "%(core)s 09:00"'),
    N_("a duration such as 30s or 1h30m"),
    N_(
        "it is JSON with more than %(n)s lists or objects in one another: print only the part "
        "that is needed, for example with jq"
    ),
    N_("it holds a NUL character, which no variable can hold: print it without"),
    N_(
        "it holds half of a character, %(half)s without its other half: print whole characters, "
        "in UTF-8"
    ),
    N_("the server could not move this run any more"),
    N_(
        "the server could not move this run any more, %(n)s times in a row (%(why)s): it was ended "
        "as it stood, and nothing more of it was done or undone"
    ),
    N_("The database does not answer."),
    N_(
        "Try again in a moment: runs go on by themselves once it is back. If it stays away, look "
        "at the database server and at this server's log."
    ),
    N_("The disk that holds the database is full."),
    N_("Free space there; nothing that was acknowledged is lost, and work goes on by itself."),
    # why a webhook was not taken
    N_("No connection: %(why)s."),
    N_("connection refused"),
    N_("no route to host"),
    N_("network is unreachable"),
    N_("No answer within %(seconds)s s."),
    N_("Its certificate is not valid."),
    N_("Its name is not known, or cannot be looked up now."),
    N_("The connection broke before an answer."),
    N_("Its answer is no HTTP that could be read."),
    N_("TLS failed."),
    N_("It answered %(status)s."),
)
"""Sentences of the packages below that are known here; `%(name)s` stands for a value in them."""

NUMBERS: Final = frozenset({"all", "code", "id", "minutes", "n", "need", "parent"})
"""Values that are whole numbers: nothing else is taken for one, however the sentence goes on."""

ACCEPTED: Final = "accepted: %(what)s."
EACH: Final = N_("items with commas between them, each")
NARROWER: Final = (
    (r"matching (?P<pattern>.+)", N_("matching %(pattern)s")),
    (r"from (?P<low>\S+) and above", N_("%(low)s or more")),
    (r"of any size up to (?P<high>\S+)", N_("%(high)s or less")),
    (r"from (?P<low>\S+) up to (?P<high>\S+)", N_("from %(low)s up to %(high)s")),
    (r"in (?P<folder>\S+)", N_("in %(folder)s")),
)
"""What may follow the choices or the kind of a value, in the order in which it is said."""


def error(speech: Speech, found: OpsbookError) -> str:
    """Return an error's sentence and its remedy in the visitor's language."""
    return f"{told(speech, found.message)} {told(speech, found.remedy)}".strip()


def told(speech: Speech, said: str) -> str:
    """Return a sentence, or several, in the visitor's language as far as they are known."""
    if not said or speech.language == "en":
        return said
    whole = _one(speech, said)
    if whole is not None:
        return whole
    parts = re.split(r"(?<=[.!?]) (?=[A-Z]|accepted:)", said)
    return " ".join(_one(speech, part) or _tail(speech, part) for part in parts)


def _tail(speech: Speech, said: str) -> str:
    """Return ``name: why`` with the reason said, where the name is somebody's own words.

    Of reasons that stand one after the other (``exit code 3; its output is cut``) each is said. A
    name may have colons in it: the reason is the longest end that is known.
    """
    for colon in re.finditer(": ", said):
        why = _one(speech, said[colon.end() :])
        if why is not None:
            return f"{said[: colon.end()]}{why}"
    if "; " not in said:
        return said
    return "; ".join(_one(speech, part) or part for part in said.split("; "))


def _one(speech: Speech, said: str) -> str | None:
    for sentence, expression in _known():
        found = expression.fullmatch(said)
        if found is not None:
            tell = _accepted if sentence == ACCEPTED else told
            values = {name: tell(speech, value) for name, value in found.groupdict().items()}
            return speech.say(sentence, **values)
    return None


def _accepted(speech: Speech, said: str) -> str:
    """Return what a parameter accepts: its choices or kind, then a pattern, a range, a folder."""
    rest = said.removeprefix(f"{EACH} ")
    parts: list[str] = []
    for expression, sentence in reversed(NARROWER):
        found = re.fullmatch(rf"(?P<before>|.+? ){expression}", rest, re.DOTALL)
        if found is not None:
            values = found.groupdict()
            rest = values.pop("before").rstrip()
            parts.insert(0, speech.say(sentence, **values))
    if rest:
        parts.insert(0, told(speech, rest))
    accepted = ", ".join(parts)
    return f"{speech.say(EACH)} {accepted}" if said.startswith(f"{EACH} ") else accepted


@cache
def _known() -> list[tuple[str, re.Pattern[str]]]:
    """Return each known sentence with an expression that takes its values out of it."""
    found = []
    for sentence in KNOWN:
        parts = re.split(r"%\((\w+)\)s", sentence)
        text = "".join(
            _value(part) if place % 2 else re.escape(part) for place, part in enumerate(parts)
        )
        found.append((sentence, re.compile(text, re.DOTALL)))
    return found


def _value(name: str) -> str:
    """Return an expression for a value in a sentence."""
    return rf"(?P<{name}>\d+)" if name in NUMBERS else f"(?P<{name}>.+?)"
