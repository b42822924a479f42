"""A file of Prometheus' alerting rules as the rules of a book.

Also as a Kubernetes operator has it (``kind: PrometheusRule``). Templates in texts stay as they
are: the book hands them to Prometheus again, and that fills them in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from opsbook.alerts.exchange import layout, matching, reading
from opsbook.alerts.exchange.alertmanager_in import Imported
from opsbook.alerts.exchange.findings import NotReadable
from opsbook.alerts.exchange.integrations import TEMPLATE
from opsbook.alerts.exchange.known import Known
from opsbook.alerts.exchange.reading import At
from opsbook.alerts.exchange.receivers_in import slug, unique
from opsbook.base.quantities import format_duration
from opsbook.book.sections.alerts import OWN_LABELS

_GROUP: Final = ("name", "interval", "rules")
_GROUP_MORE: Final = ("limit", "query_offset", "partial_response_strategy", "labels")
_RULE: Final = ("alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_OURS: Final = re.compile(r"/book/[^/]+/runbooks/([\w.-]+)$")
_TEXTS: Final = ("title", "summary", "description")
_LONGEST_REF: Final = 400
OTHERWISE: Final = ""
"""In the words for severities: what stands for a rule that says none."""


def read(
    texts: Mapping[str, str],
    known: Known | None = None,
    severities: Mapping[str, str] | None = None,
) -> Imported:
    """Carry rule files over, by their names; `severities` says what the words in them are here.

    Raises:
        NotReadable: with everything that Prometheus itself would refuse in any of them.
    """
    carrying = _Carrying(known or Known(), severities or {})
    errors, findings = [], []
    for file, text in texts.items():
        sheet, top = reading.opened(text, file)
        if not sheet.errors:
            carrying.file(top)
        errors += sheet.errors
        findings += sheet.findings
    if errors:
        raise NotReadable(errors)
    files = {"rules.yaml": layout.written({"rules": carrying.rules})} if carrying.rules else {}
    return Imported(files, tuple(sorted(set(findings))))


@dataclass(slots=True)
class _Carrying:
    known: Known
    severities: Mapping[str, str]
    rules: dict[str, Any] = field(default_factory=dict)

    def file(self, top: At) -> None:
        """Take all groups of a file."""
        if top.text("kind") == "PrometheusRule":
            top = top.inside("spec")
        if "groups" not in top:
            top.say("error", "", "there are no groups", "give a file of rules: groups: …")
        for group in top.each("groups"):
            group.only((*_GROUP, *_GROUP_MORE))
            for name in _GROUP_MORE:
                if name in group:
                    group.say("missing", name, "is not carried over")
            if "name" not in group:
                group.say("error", "", "a group has no name", "write name:")
            every = group.duration("interval")
            for rule in group.each("rules"):
                self._rule(rule, {"every": format_duration(every)} if every else {})

    def _rule(self, at: At, every: Mapping[str, str]) -> None:
        if "record" in at:
            told = f"the recording rule {at.text('record')!r} is not carried over"
            at.say("missing", "record", told, "leave it with Prometheus; rules may use its series")
            return
        at.only(_RULE)
        name, expression = at.text("alert"), at.text("expr").strip()
        if not name or not expression:
            missing = "expr" if name else "alert"
            at.say("error", "", f"a rule has no {missing}:", f"write {missing}:")
            return
        labels = at.labels("labels")
        id = self._id(at, name, labels.get("severity", ""))
        texts = self._texts(at)
        found: dict[str, Any] = {"promql": expression, **every}
        if title := texts.pop("title", None):
            found = {"title": title, **found}
        for key, here in (("for", "for"), ("keep_firing_for", "resolve_after")):
            if held := at.duration(key):
                found[here] = format_duration(held)
        found["severity"] = self._severity(at, labels.get("severity", ""))
        found |= {"summary": name, **texts}
        if kept := dict(self._labels(at, labels)):
            found["labels"] = kept
        self.rules[id] = found | self._runbook(at)

    def _id(self, at: At, name: str, severity: str) -> str:
        taken = {*self.rules, *self.known.ids.get("rules", ())}
        id = slug(name) or "rule"
        if id in taken and severity and TEMPLATE not in severity:
            id = slug(f"{name}-{severity}")
        id = unique(id, taken)
        if id != name:
            at.say("changed", "alert", f"the rule {name!r} is called {id!r} here",
                   "its alerts have that as their alertname; look where it is matched")  # fmt: skip
        return id

    def _severity(self, at: At, word: str) -> str:
        if word in self.severities:
            return self.severities[word]
        if self.known.has("severities", word):
            return word
        there = ", ".join(sorted(self.known.ids.get("severities", ()))) or "P1"
        if not word or TEMPLATE in word:
            told = "says no severity, and every rule of a book has one"
            remedy = f"say one for all such rules, such as --severity {there.split(', ')[0]}"
            at.say("missing", "labels", told, remedy)
            return self.severities.get(OTHERWISE, word if word and TEMPLATE not in word else "none")
        told = f"its severity {word!r} is none of the book"
        remedy = f"say what it is here: --severity {word}=…, one of {there}"
        at.inside("labels").say("missing", "severity", told, remedy)
        return word

    def _labels(self, at: At, labels: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        inner = at.inside("labels")
        for name, value in labels.items():
            if not matching.LABEL.fullmatch(name):
                inner.say("error", name, "is no label's name", "use letters, digits and _")
            elif name in {"service", "check"}:
                told = "is a label that alerts of a book have from the check they come from"
                inner.say("missing", name, told, "give it another name, or say it at the intake")
            elif name not in OWN_LABELS:
                yield name, value

    def _texts(self, at: At) -> dict[str, Any]:
        said = at.labels("annotations")
        found: dict[str, Any] = {}
        used = {"runbook_url", *_TEXTS}
        for name in _TEXTS:
            spoken = {
                key.removeprefix(f"{name}_").replace("_", "-"): text
                for key, text in said.items()
                if re.fullmatch(rf"{name}_[a-z]{{2,3}}(_\w{{2,8}})?", key) and text.strip()
            }
            used |= {key for key in said if key.startswith(f"{name}_")} if spoken else set()
            if spoken:
                found[name] = spoken
            elif text := said.get(name, "").strip():
                found[name] = text
        if "summary" not in found and (message := said.get("message", "").strip()):
            found["summary"] = message
            used.add("message")
        if "summary" not in found and isinstance(found.get("description"), str):
            found["summary"] = found.pop("description")
        others = [key for key in said if key not in used]
        if others:
            told = f"not carried over: {', '.join(others)}"
            at.inside("annotations").say("missing", others[0], told, "say it in the description")
        order = [name for name in _TEXTS if name in found]
        return {name: found[name] for name in order}

    def _runbook(self, at: At) -> dict[str, str]:
        url = at.inside("annotations").text("runbook_url").strip()
        ours = _OURS.search(url)
        if ours is not None and "book" in at.inside("labels"):
            return {"runbook": ours[1]}
        if url and len(url) <= _LONGEST_REF:
            return {"ref": url}
        return {}


def words(given: Iterable[str]) -> dict[str, str]:
    """Read ``critical=P1`` and ``P3`` (what stands for a rule that says none) as a map."""
    found = {}
    for one in given:
        word, said, here = one.partition("=")
        found[word if said else OTHERWISE] = here if said else word
    return found
