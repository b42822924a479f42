"""A book's PromQL rules as a file of alerting rules, and their examples as promtool's tests.

A rule over a check stays with Opsbook, which does the looking. An example says whether the rule
fires at a time; promtool wants every label and annotation of every alert for that, which nobody can
know without evaluating the expression. So it is asked of the series ``ALERTS`` instead, which
promtool writes as Prometheus does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote

from opsbook.alerts.exchange import layout
from opsbook.alerts.exchange.alertmanager_out import Exported
from opsbook.alerts.exchange.findings import Finding
from opsbook.base.quantities import format_duration
from opsbook.book import Book
from opsbook.book.matchers import Matcher
from opsbook.book.sections.alerts import Rule
from opsbook.book.texts import Text

MINUTE: Final = timedelta(minutes=1)
RUNBOOK: Final = "/book/{book}/runbooks/{runbook}"
_HEAD = "Alerting rules of the book {book}, revision {revision}."
_TEST_HEAD = "Examples of the rules of the book {book}: promtool test rules {file}"


def write(book: Book, *, url: str) -> Exported:
    """Write the rule file, and the test file where rules have examples."""
    rules = [rule for rule in book.rules.values() if rule.promql is not None]
    file, tests = f"{book.id}.rules.yml", f"{book.id}.tests.yml"
    if not rules:
        mark = book.positions.key(("rules",))
        place = (mark.file, mark.line, mark.column) if mark else ("book.yaml", 1, 1)
        told = "no rule of the book is in PromQL, so that a Prometheus has nothing to evaluate"
        remedy = "rules over checks are Opsbook's own; write promql: for the others"
        return Exported({}, (Finding(*place, "missing", told, remedy),))
    by_interval: dict[timedelta | None, list[Rule]] = {}
    for rule in rules:
        by_interval.setdefault(rule.every, []).append(rule)
    groups = [
        {
            "name": book.id if every is None else f"{book.id}-{format_duration(every)}",
            **({} if every is None else {"interval": format_duration(every)}),
            "rules": [_rule(book, rule, url) for rule in listed],
        }
        for every, listed in by_interval.items()
    ]
    head = _HEAD.format(book=book.id, revision=book.revision)
    files = {file: layout.written({"groups": groups}, head=head)}
    if any(rule.tests for rule in rules):
        head = _TEST_HEAD.format(book=book.id, file=tests)
        files[tests] = layout.written(_tests(book, rules, file), head=head)
    return Exported(files)


def _rule(book: Book, rule: Rule, url: str) -> dict[str, Any]:
    labels = rule.labels_of(book.id, None)
    del labels["alertname"]
    found: dict[str, Any] = {"alert": rule.id, "expr": rule.promql}
    if rule.for_:
        found["for"] = format_duration(rule.for_)
    if rule.resolve_after:
        found["keep_firing_for"] = format_duration(rule.resolve_after)
    found["labels"] = labels
    found["annotations"] = dict(_annotations(book, rule, url))
    return found


def _annotations(book: Book, rule: Rule, url: str) -> Iterator[tuple[str, str]]:
    for name, text in (
        ("title", rule.title), ("summary", rule.summary), ("description", rule.description),
    ):  # fmt: skip
        if text is not None:
            yield from _texts(name, text, book.languages[0])
    if rule.runbook is not None:
        path = RUNBOOK.format(book=quote(book.id), runbook=quote(rule.runbook))
        yield "runbook_url", url.rstrip("/") + path
    elif rule.ref is not None and rule.ref.startswith(("http://", "https://")):
        yield "runbook_url", rule.ref


def _texts(name: str, text: Text, language: str) -> Iterator[tuple[str, str]]:
    """A text under its plain name in the book's first language, and in each of several."""
    yield name, text.in_language(language)
    for spoken, said in text.by_language.items():
        if spoken:
            yield f"{name}_{spoken.replace('-', '_')}", said


def _tests(book: Book, rules: list[Rule], file: str) -> dict[str, Any]:
    often = [one.every for rule in rules for one in rule.tests]
    return {
        "rule_files": [file],
        "evaluation_interval": format_duration(min(MINUTE, *often)),
        "tests": [
            {
                "name": f"{rule.id}: example {n}",
                "interval": format_duration(example.every),
                "input_series": [
                    {"series": series, "values": values}
                    for series, values in example.series.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": _fires(book, rule),
                        "eval_time": format_duration(example.at),
                        "exp_samples": [{"labels": "{}", "value": 1}] if example.fires else [],
                    }
                ],
            }
            for rule in rules
            for n, example in enumerate(rule.tests, start=1)
        ],
    }


def _fires(book: Book, rule: Rule) -> str:
    wanted = (("alertname", rule.id), ("alertstate", "firing"), ("book", book.id))
    inner = ",".join(str(Matcher(name, "=", value)) for name, value in wanted)
    return f"count(ALERTS{{{inner}}}) > bool 0"
