"""``rules``: a condition over a check that, once it has held for a time, is an alert."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from pydantic import Field

from opsbook.book.fields import Argument, ConditionText, Duration, Id, Named
from opsbook.book.sections.checks import Check
from opsbook.book.texts import Text

LABEL = "label:"
LABEL_NAME = r"^[A-Za-z_][A-Za-z0-9_]*$"


class Rule(Named):
    """An alert rule.

    ``for`` (in Python `for_`) is how long the condition must hold before the alert fires, and
    `resolve_after` how long it must be gone before the alert is resolved. `escalation` overrides
    the severity's. A value of `params` is a literal or ``label:NAME``, taken from the alert.
    """

    title: Text | None = None
    check: Id
    when: ConditionText
    for_: Duration = Field(default=timedelta(0), alias="for")
    resolve_after: Duration = timedelta(0)
    severity: Id
    summary: Text
    description: Text | None = None
    owner: Id | None = None
    escalation: Id | None = None
    runbook: Id | None = None
    params: Mapping[Id, Argument] = Field(default_factory=dict)
    labels: Mapping[str, Argument] = Field(default_factory=dict)

    def labels_of(self, book: str, check: Check) -> dict[str, str]:
        """The labels an alert of this rule carries, which `params` may take values from.

        The book's own labels win over the five that every alert has only in being refused: see
        `validate`. One place makes them, so that what validation promised is what an alert has.
        """
        labels = {**self.labels, "book": book, "rule": self.id, "check": self.check}
        labels["severity"] = self.severity
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


OWN_LABELS = frozenset({"book", "rule", "check", "severity", "service"})
