"""``rules``: when it is an alert, how bad it is, and what is done at once.

A rule watches a check of the book, or says in PromQL what a Prometheus watches for it, or speaks of
alerts that others find and hand in. All three give alerts of the same kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field

from opsbook.book.fields import IDLE, Argument, Duration, Flag, Id, Named, Part
from opsbook.book.matchers import MOST_MATCHERS, MatcherText
from opsbook.book.measures import Condition, Traffic
from opsbook.book.refs import CheckId, EscalationId, IntakeId, OwnerId, RunbookId, SeverityId
from opsbook.book.sections.checks import Check
from opsbook.book.texts import Text

LABEL = "label:"
LABEL_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Example(Part):
    """Series for which it is known whether the rule fires; exported as a test for promtool."""

    series: Mapping[str, str] = Field(min_length=1)
    """The series and their samples as promtool has them, such as {'up{job="web"}': "1x5 0x10"}."""
    every: Duration = timedelta(minutes=1)
    """How far the samples are apart."""
    at: Duration
    """When it is asked, from the first sample on."""
    fires: Flag = True
    """Whether it fires then."""


class Rule(Named):
    """An alert rule: over a check, in PromQL, or over alerts received from outside.

    ``for`` (in Python `for_`) is how long the condition must hold before the alert fires, and
    `resolve_after` how long it must be gone before the alert is resolved (what Prometheus calls
    ``keep_firing_for``). `escalation` overrides the severity's. A value of `params` is a literal or
    ``label:NAME``, taken from the alert.
    """

    also_called: ClassVar[Mapping[str, str]] = {
        "keep_firing_for": "resolve_after", "expr": "promql", "annotations": "summary",
    }  # fmt: skip
    """What Prometheus calls these keys, so that whoever writes that is told ours."""

    title: Text | None = None
    """What people call it; the summary if left out."""
    check: CheckId | None = None
    """The check it looks at."""
    when: Condition | None = None
    """warning (or worse), critical, nodata, a band such as "> 90%", or what is measured how."""
    traffic: Traffic | None = None
    """What another check must show for this one to mean anything; else nobody can tell."""
    promql: str | None = Field(default=None, min_length=1, max_length=8_000)
    """Instead of a check: what a Prometheus evaluates; exported as a rule file."""
    every: Duration | None = None
    """How often Prometheus evaluates it; as its own settings say, if left out."""
    tests: tuple[Example, ...] = ()
    """Examples that prove it, for promql."""
    received: tuple[MatcherText, ...] = Field(default=(), max_length=MOST_MATCHERS)
    """Instead of a check: matchers of the alerts from outside that this rule speaks of."""
    intake: IntakeId | None = None
    """Only alerts that came in here, for received."""
    for_: Duration = Field(default=timedelta(0), alias="for")
    """How long that must hold before the alert fires."""
    resolve_after: Duration = timedelta(0)
    """How long it must be gone before the alert is over."""
    severity: SeverityId
    """How bad it is."""
    summary: Text
    """What the person who is paged reads first."""
    description: Text | None = None
    """What it means, and what it does to people."""
    owner: OwnerId | None = None
    """The person or team it belongs to."""
    escalation: EscalationId | None = None
    """Whom it pages, instead of the severity's policy."""
    acknowledge_within: Annotated[Duration | None, IDLE] = None
    """By when somebody must have answered, instead of the severity's time."""
    analyse_within: Annotated[Duration | None, IDLE] = None
    """By when it must be understood."""
    runbook: RunbookId | None = None
    """What is started at once; only its reading steps run by themselves."""
    params: Mapping[Id, Argument] = Field(default_factory=dict)
    """Values for the runbook's parameters: literals, or label:NAME."""
    labels: Mapping[str, Argument] = Field(default_factory=dict)
    """What its alerts carry besides book, rule, check, severity and service."""

    @property
    def watches(self) -> str:
        """What it looks at, in the book's words: a check's id, PromQL, or matchers."""
        received = ", ".join(str(one) for one in self.received)
        return self.check or self.promql or f"{{{received}}}"

    @property
    def condition(self) -> str:
        """When it fires: the condition on its check; PromQL and senders say so themselves.

        It reads on after "when the check is", as a plan says it.
        """
        if self.when is None:
            return "true"
        return self.when.describe(self.traffic)

    def labels_of(self, book: str, check: Check | None) -> dict[str, str]:
        """The labels an alert of this rule carries, which `params` may take values from.

        The book's own labels win over those that every alert has only in being refused: see
        `validate`. One place makes them, so that what validation promised is what an alert has. An
        alert that comes from outside has these beside the labels it came with.
        """
        labels = {**self.labels, "alertname": self.id, "book": book, "rule": self.id}
        labels["severity"] = self.severity
        if check is not None:
            labels["check"] = check.id
            if check.service is not None:
                labels["service"] = check.service
        return labels

    def arguments(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The runbook's parameters from this rule and an alert's labels.

        A label the alert does not carry leaves its parameter out, for the parameter's own default
        or for the runbook's own refusal. The values are untrusted: `runbook.check_params` is next.
        """
        given: dict[str, str] = {}
        for name, value in self.params.items():
            if not value.startswith(LABEL):
                given[name] = value
            elif (label := value.removeprefix(LABEL)) in labels:
                given[name] = labels[label]
        return given


OWN_LABELS = frozenset({"alertname", "book", "rule", "check", "severity", "service"})
