"""The shapes of the API's answers: typed, stable, and the same for ``opsbook … -o json``.

A field may be added; none is renamed or removed within ``/api/v1``. Times are ISO 8601 in UTC with
``Z`` and milliseconds. A list stands inside an object, so that something can be said beside it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)

from opsbook.access.model import roles_of
from opsbook.audit import LONGEST_NOTE


def iso(at: datetime) -> str:
    """Return ``2026-11-20T05:02:11.120Z``."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Time = Annotated[
    datetime,
    PlainSerializer(iso, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]  # fmt: skip


class Shape(BaseModel):
    """An answer; built from rows, whose other columns are left out."""

    model_config = ConfigDict(extra="ignore", frozen=True, defer_build=True)


class Version(Shape):
    """Which Opsbook answers."""

    version: str
    api: Literal["v1"] = "v1"


class BookOut(Shape):
    """A running book. ``title`` is in the language of ``Accept-Language``, as every text is."""

    id: str
    title: str
    revision: str
    status: str
    timezone: str
    languages: list[str]
    self_approval: str
    checks: int
    rules: int
    routines: int
    runbooks: list[RunbookOut]


class RunbookOut(Shape):
    """A runbook and the parameters it takes."""

    id: str
    title: str
    risk: str
    params: list[ParamOut]


class ParamOut(Shape):
    """One parameter of a runbook."""

    name: str
    title: str
    type: str
    required: bool
    choices: list[str]
    default: str | None
    secret: bool


class Books(Shape):
    """The running books."""

    books: list[BookOut]


class CheckOut(Shape):
    """A check and what it saw last; ``new`` is one that has not looked yet.

    ``every`` is in seconds, ``where`` is the line of the book that says so. ``paused`` is outside
    of its hours, ``flapping`` changes its state too often to be believed, and ``behind`` names the
    failed check that explains what this one sees.
    """

    book: str
    id: str
    title: str
    kind: str
    every: float
    where: str
    state: str
    since: Time | None
    at: Time | None
    value: float | None
    unit: str
    latency_ms: float | None
    message: str
    flapping: bool
    behind: str
    paused: bool


class Checks(Shape):
    """Every check of the books one may read."""

    checks: list[CheckOut]


class ObservationOut(Shape):
    """One look at the world."""

    at: Time
    state: str
    value: float | None
    unit: str
    latency_ms: float | None
    message: str


class CheckDetail(CheckOut):
    """A check with its rules and what it saw lately, oldest first."""

    rules: list[str]
    series: list[ObservationOut]


class AlertOut(Shape):
    """One instance of an alert rule."""

    id: int
    book: str
    rule: str
    check: str
    state: str
    severity: str
    summary: str
    value: float | None
    unit: str
    message: str
    pending_since: Time
    fired_at: Time | None
    resolved_at: Time | None


class AlertDetail(AlertOut):
    """An alert with its labels. ``source`` is an intake, or ``rules`` for the book's own rules.

    ``quiet`` says why nobody is told of it now, on any of its routes: ``inhibited``, ``behind``,
    ``inactive``, ``muted`` or ``silenced``; empty where somebody is. ``inhibited_by`` are alerts.
    """

    source: str
    labels: dict[str, str]
    annotations: dict[str, str]
    link: str
    received: int
    silenced_by: list[str]
    inhibited_by: list[int]
    quiet: str
    url: str


class Alerts(Shape):
    """Alerts. ``next`` goes into ``before`` for the page after this one."""

    alerts: list[AlertDetail]
    next: int | None


class SilenceOut(Shape):
    """A silence. One that recurs has a ``schedule``, and lasts ``each`` seconds each time."""

    id: str
    book: str
    state: str
    matchers: list[str]
    starts_at: Time
    ends_at: Time
    created_by: str
    comment: str
    schedule: str
    each: int


class SilenceSet(SilenceOut):
    """A silence that was just set; ``quiet`` is how many alerts that fire now have its labels."""

    quiet: int


class Silences(Shape):
    """Silences, those that end first in front."""

    silences: list[SilenceOut]


class PageOut(Shape):
    """Who was told, by which channel, and with what result."""

    id: int
    person: str
    channel: str
    state: str
    title: str
    created_at: Time
    sent_at: Time | None
    read_at: Time | None
    attempts: int
    repeated: bool
    error: str


class Entry(Shape):
    """An audit entry. ``seq`` and ``hash`` are empty until it is sealed.

    ``sentence`` tells a person; ``actor``, ``action``, ``subject`` and ``data`` tell a program.
    ``text`` is what a person wrote.
    """

    id: int
    at: Time
    actor: str
    actor_name: str
    action: str
    subject: str
    thread: str
    data: dict[str, Any]
    text: str | None
    sentence: str
    seq: int | None
    hash: str | None


class Entries(Shape):
    """Audit entries newest first. ``next`` goes into ``before`` for the page after this one."""

    entries: list[Entry]
    next: int | None


class Events(Shape):
    """Audit entries oldest first. ``next`` goes into ``after`` for what happens after them."""

    entries: list[Entry]
    next: int


class Fault(Shape):
    """A broken place of the chain; ``entry`` 0 is one that is gone."""

    entry: int
    seq: int
    message: str


class Verification(Shape):
    """Whether the sealed chain holds, and where it does not."""

    holds: bool
    checked: int
    seals: int
    waiting: int
    head: str
    faults: list[Fault]


class IncidentOut(Shape):
    """An incident. ``acknowledged_by`` is a login."""

    id: int
    book: str
    rule: str
    title: str
    severity: str
    state: str
    opened_at: Time
    acknowledge_by: Time | None
    deadline_missed_at: Time | None
    acknowledged_at: Time | None
    acknowledged_by: str | None
    resolved_at: Time | None
    resolved_by: str | None
    level: int
    run_id: int | None
    url: str


class Incidents(Shape):
    """Incidents. ``next`` goes into ``before`` for the page after this one."""

    incidents: list[IncidentOut]
    next: int | None


class Answerable(Shape):
    """What some people may answer: those of any of ``roles``; ``role`` is the first of them."""

    role: str | None
    roles: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _apart(cls, row: Any) -> Any:
        """A row names its roles in one column, with commas between them."""
        if not isinstance(row, dict) or "roles" in row:
            return row
        roles = list(roles_of(row.get("role")))
        return {**row, "roles": roles, "role": next(iter(roles), None)}


class ApprovalOut(Answerable):
    """What is asked of approvers, and how far they are: ``approved`` of ``need`` people."""

    id: int
    question: str
    need: int
    approved: int
    state: str
    expires_at: Time | None


class WaitOut(Answerable):
    """What a run waits for: ``approval``, ``person``, ``decision``, ``check``, ``time`` or ``run``.

    ``given`` of ``need`` people have approved it, or have said that it is done.
    """

    kind: str
    step: str
    title: str
    need: int
    given: int
    since: Time
    due_at: Time | None
    approval: ApprovalOut | None


class RunOut(Shape):
    """A run. ``waits`` is empty unless its state is ``waiting``."""

    id: int
    book: str
    revision: str
    runbook: str
    title: str
    params: dict[str, str]
    state: str
    cancelling: bool
    started_by: str
    started_by_name: str
    trigger: str
    thread: str
    attended: bool
    reason: str
    created_at: Time
    started_at: Time | None
    finished_at: Time | None
    waits: list[WaitOut]
    url: str


class Runs(Shape):
    """Runs newest first. ``next`` goes into ``before`` for the page after this one."""

    runs: list[RunOut]
    next: int | None


class AttemptOut(Shape):
    """One try of a step. Bytes are of its masked output; beyond a limit they are dropped."""

    id: int
    number: int
    state: str
    intended_at: Time
    ended_at: Time | None
    exit_code: int | None
    message: str
    bytes_seen: int
    bytes_dropped: int


class StepOut(Shape):
    """A step of a run; ``phase`` is ``main``, ``rollback`` or ``finally``."""

    position: int
    key: str
    title: str
    kind: str
    effect: str
    phase: str
    state: str
    started_at: Time | None
    finished_at: Time | None
    message: str
    attempts: list[AttemptOut]


class RunDetail(RunOut):
    """A run with its steps in the order of the runbook.

    ``cannot_resume`` says why a failed run cannot go on where it failed; empty if it can.
    """

    steps: list[StepOut]
    cannot_resume: str = ""


class Piece(Shape):
    """A piece of output; ``id`` grows over the whole run, ``start`` counts bytes of the attempt."""

    id: int
    step: str
    attempt: int
    start: int
    text: str


class Output(Shape):
    """Output in the order it was written. ``next`` goes into ``after`` for what comes then."""

    pieces: list[Piece]
    next: int


class IncidentDetail(IncidentOut):
    """An incident with its alerts, pages, timeline (oldest first) and first-response run."""

    alerts: list[AlertOut]
    pages: list[PageOut]
    timeline: list[Entry]
    run: RunOut | None


class RoleHolder(Shape):
    """Which person of which running book an account is, and what that makes it."""

    book: str
    person: str
    name: str
    roles: list[str]


class AccountOut(Shape):
    """An account. ``state``: ``in`` (was here), ``invited``, ``late`` (no link that works), or
    ``disabled``. ``sessions`` and ``tokens`` count those that are good now.
    """

    id: int
    login: str
    state: Literal["in", "invited", "late", "disabled"]
    first_admin: bool
    password: bool
    persons: list[RoleHolder]
    created_at: Time
    seen_at: Time | None
    disabled_at: Time | None
    sessions: int
    tokens: int
    link_expires_at: Time | None


class Uninvited(Shape):
    """Persons of running books who cannot sign in: nobody has made this account."""

    login: str
    persons: list[RoleHolder]


class Accounts(Shape):
    """Accounts by name, and who has none."""

    accounts: list[AccountOut]
    without: list[Uninvited]


class LinkMade(Shape):
    """A one-time sign-in link, in this answer alone: it is kept as a hash."""

    account: int
    login: str
    url: str
    expires_at: Time


class Asked(BaseModel):
    """What a request says; an unknown field is refused, since it would be a wish not heard."""

    model_config = ConfigDict(extra="forbid")


class StartRun(Asked):
    """Start a runbook. ``book`` may be left out where only one running book has the runbook.

    ``day`` is the run's own, from which its phases are counted: today in the book's zone.
    """

    runbook: str = Field(min_length=1, max_length=200)
    book: str | None = Field(default=None, max_length=200)
    params: dict[str, str] = Field(default_factory=dict, max_length=200)
    day: date | None = None


class AnswerStep(Asked):
    """Answer a step that waits. ``step`` may be left out where only one waits."""

    step: str | None = Field(default=None, max_length=200)
    note: str = Field(default="", max_length=LONGEST_NOTE)


class DecideStep(AnswerStep):
    """Decide about a step that was interrupted or, where ``stop`` is a choice too, has failed."""

    choice: Literal["retry", "skip", "fail", "stop"]


class CancelRun(Asked):
    """Cancel a run."""

    reason: str = Field(default="", max_length=LONGEST_NOTE)


class Invite(Asked):
    """Make an account. ``login`` is the person's ``account`` in the book, or else their id."""

    login: str = Field(min_length=1, max_length=128)


class Note(Asked):
    """A person's words for the timeline."""

    note: str = Field(default="", max_length=LONGEST_NOTE)


class NewSilence(Asked):
    """Which alerts to keep quiet, for how long (``2h``) and why; ``schedule`` makes it recur.

    ``matchers``, ``length`` and ``comment`` are needed; what is missing is told with the rest.
    """

    book: str | None = Field(default=None, max_length=64)
    matchers: list[str] = Field(default_factory=list, max_length=100)
    length: str = Field(default="", max_length=40)
    comment: str = Field(default="", max_length=2_000)
    schedule: str = Field(default="", max_length=200)
    each: str = Field(default="", max_length=40)


class Problem(Shape):
    """RFC 9457: what is wrong. ``remedy`` says what to do, ``problems`` names each field."""

    type: str
    title: str
    status: int
    detail: str
    remedy: str = ""
    problems: list[FieldProblem] | None = None


class FieldProblem(Shape):
    """What is wrong with one parameter or field; ``name`` is empty where no one field is."""

    name: str
    message: str


for shape in (BookOut, RunbookOut, Problem):
    shape.model_rebuild()
