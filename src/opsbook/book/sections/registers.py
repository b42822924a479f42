"""Things with an owner and an expiry: ``accounts extensions secrets certificates``."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from opsbook.book.fields import Day, Duration, Listed, Named, Part, Port
from opsbook.book.refs import Approval, CheckId, QuotaId, RoleId, ServiceId, Start
from opsbook.book.sections.elements import Element
from opsbook.book.texts import Text


class Account(Element):
    """A kind of account or grant: what a request must say, who allows it, how it comes and goes."""

    service: ServiceId | None = None
    """Where the account is."""
    asks: tuple[Text, ...] = ()
    """What a request must say."""
    approvals: tuple[Approval, ...] = ()
    """Whose yes it needs."""
    create: Start | None = None
    """The runbook that makes it."""
    disable: Start | None = None
    """The runbook that ends it."""
    quota: QuotaId | None = None
    """The quota that comes with it."""
    roles: tuple[RoleId, ...] = ()
    """The roles that come with it, of this book."""
    review_every: Duration | None = None
    """How often it is asked whether it is still needed."""
    expires_after: Duration | None = None
    """How long it holds; for good, if left out."""


class Allowed(Named):
    """Something that may be installed, in these versions."""

    title: Text | None = None
    """What people call it."""
    version: str = Field(min_length=1, max_length=100)
    """A version, or a pattern such as "0.9.x"."""
    approved_on: Day | None = None
    """When it was allowed."""
    approved_by: str | None = Field(default=None, max_length=200)
    """Who allowed it."""
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """The hash of the file that was looked at."""
    notes: Text | None = None
    """What else was said, such as a condition."""


class Blocked(Part):
    """Names that may not be installed, whatever else is said."""

    pattern: str = Field(min_length=1, max_length=200)
    """A name in which * stands for anything, compared without regard to case."""
    reason: Text
    """Why."""


class Extensions(Part):
    """What may be installed and what may not; what is blocked is blocked even if it is allowed."""

    title: Text | None = None
    """What sort of things they are."""
    allow: Listed[Allowed] = Field(default_factory=dict)
    """What may be installed."""
    block: tuple[Blocked, ...] = ()
    """What may not."""
    asks: tuple[Text, ...] = ()
    """What a request must say."""
    looks_at: tuple[Text, ...] = ()
    """What a review looks at."""
    approvals: tuple[Approval, ...] = ()
    """Whose yes a new one needs."""
    deploy: Start | None = None
    """The runbook that puts an allowed one into place."""
    review_every: Duration | None = None
    """How often what is allowed is looked at again."""


class Secret(Element):
    """A secret, never its value: where it is, how old it may become, how it is replaced."""

    service: ServiceId | None = None
    """What needs it."""
    where: Text
    """Where it is kept, in words or as a reference."""
    used_by: tuple[ServiceId, ...] = ()
    """Everything that has to be told of a new one."""
    max_age: Duration
    """How old it may become."""
    changed_on: Day | None = None
    """When it was last replaced, until Opsbook knows it from a run."""
    warn_before: Duration = timedelta(days=30)
    """How long before that somebody should know."""
    rotate: Start | None = None
    """The runbook that replaces it."""


class Certificate(Element):
    """A certificate: where it is shown, and how long before its end somebody should know."""

    service: ServiceId | None = None
    """What shows it."""
    host: str | None = Field(default=None, min_length=1, max_length=253)
    """Where it is shown."""
    port: Port = 443
    """On which port."""
    check: CheckId | None = None
    """The check that looks at it."""
    warn_before: Duration = timedelta(days=30)
    """How long before its end somebody should know."""
    renew: Start | None = None
    """The runbook that renews it."""
