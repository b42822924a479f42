"""PromQL in rules and checks: whole expressions, as far as that is seen without a Prometheus.

Steps are read when their page is; what is filled in there is the business of ``queries``.
"""

from __future__ import annotations

from collections.abc import Iterator

from opsbook.book.positions import Path
from opsbook.book.problems import Problem
from opsbook.book.queries.promql import complete
from opsbook.book.validate.whole import Whole


def expressions(whole: Whole) -> Iterator[Problem]:
    """No expression is empty, and its brackets pair: else its rule would never fire."""
    found: list[tuple[Path, object]] = [
        (("rules", id, "promql"), rule.promql) for id, rule in whole.sections.rules.items()
    ]
    found += [
        (("checks", id, "query"), getattr(check.spec, "query", None))
        for id, check in whole.sections.checks.items()
        if check.kind == "promql"
    ]
    for path, text in found:
        if not isinstance(text, str):
            continue
        try:
            complete(text)
        except ValueError as error:
            told, _, remedy = str(error).partition("; ")
            yield whole.problem(path, told, remedy)
