"""A file of Prometheus' alerting rules as the rules of a book.

Also as a Kubernetes operator has it (``kind: PrometheusRule``). Templates in texts stay as they
are: the book hands them to Prometheus again, and that fills them in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from opsbook.alerts.exchange import layout, matching, reading, severities
from opsbook.alerts.exchange.alertmanager_in import Imported
from opsbook.alerts.exchange.findings import Finding, NotReadable
from opsbook.alerts.exchange.integrations import TEMPLATE
from opsbook.alerts.exchange.known import Known
from opsbook.alerts.exchange.reading import At
from opsbook.alerts.exchange.receivers_in import slug, unique
from opsbook.alerts.exchange.severities import OTHERWISE, Words
from opsbook.base.quantities import format_duration
from opsbook.book.queries.promql import complete
from opsbook.book.sections.alerts import OWN_LABELS

_GROUP: Final = ("name", "interval", "rules")
_GROUP_MORE: Final = ("limit", "query_offset", "partial_response_strategy", "labels")
_RULE: Final = ("alert", "expr", "for", "keep_firing_for", "labels", "annotations")
_OURS: Final = re.compile(r"/book/[^/]+/runbooks/([\w.-]+)$")
_TEXTS: Final = ("title", "summary", "description")
_LONGEST_REF: Final = 400
Place = tuple[str, int, int]
"""A file, a line and a column."""


def read(
    texts: Mapping[str, str],
    known: Known | None = None,
    given: Mapping[str, str] | None = None,
) -> Imported:
    """Carry rule files over, by their names; `given` says what the words for severities are here.

    Raises:
        NotReadable: with everything that Prometheus itself would refuse in any of them, and each
            severity that is none of the book: with it the rules would be none either.
    """
    known = known or Known()
    carrying = _Carrying(known, Words(given or {}, known))
    errors: list[Finding] = []
    findings: list[Finding] = []
    for file, text in texts.items():
        sheet, top = reading.opened(text, file)
        if not sheet.errors:
            carrying.file(top)
        errors += sheet.errors
        findings += sheet.findings
    errors += carrying.unsaid()
    if errors:
        raise NotReadable(errors)
    files = {"rules.yaml": layout.written({"rules": carrying.rules})} if carrying.rules else {}
    if files:
        findings += severities.passed_by(carrying.words)
        findings += (
            Finding(next(iter(texts)), 1, 1, "changed", *told)
            for told in severities.lacking(carrying.words)
        )
    return Imported(files, tuple(sorted(set(findings))))


@dataclass(slots=True)
class _Carrying:
    known: Known
    words: Words
    rules: dict[str, Any] = field(default_factory=dict)
    nameless: dict[str, list[Place]] = field(default_factory=dict)

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
        try:
            complete(expression or "up")
        except ValueError as error:
            told, _, remedy = str(error).partition("; ")
            at.say("error", "expr", told, remedy)
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
        if TEMPLATE in word:
            word = OTHERWISE
        here = self.words.given.get(OTHERWISE) if word == OTHERWISE else self.words.here(word)
        if here is not None:
            return here
        place = at.place("labels", "severity") if word else at.path
        self.nameless.setdefault(word, []).append((at.sheet.file, *at.sheet.line(place)))
        return word

    def unsaid(self) -> Iterator[Finding]:
        """The words that are no severity of the book, each once: a file may say it everywhere."""
        there = ", ".join(sorted(self.words.there)) or "P1"
        for word, ((file, line, column), *others) in self.nameless.items():
            more = f" (and of {len(others)} more)" if others else ""
            if word == OTHERWISE:
                told = f"the rule says no severity{more}, and every rule of a book has one"
                remedy = f"say one for all such rules: --severity ID, of {there}"
            else:
                told = f"the severity {word!r} of the rule{more} is none of the book"
                remedy = f"say what it is there: --severity {word}=ID, of {there}"
            yield Finding(file, line, column, "error", told, remedy)

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
