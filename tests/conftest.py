"""What every test shares: the fixtures of tests/support, and what a skip means.

Every module of tests/support is loaded as a pytest plugin, so a new set of fixtures is one file.

With OPSBOOK_TEST_STRICT=1 (.ci/run sets it) a skipped test is a failed one: a run that skipped
what it should have proved must not look green. The marker `guides` is the one exception, since
the prose guides lie beside the repository and not in it.
"""

import os
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest

STRICT = os.environ.get("OPSBOOK_TEST_STRICT") == "1"

# One such module may import another before pytest loads it; its asserts explain themselves still.
pytest.register_assert_rewrite("tests.support")
pytest_plugins = [
    f"tests.support.{module.stem}"
    for module in sorted((Path(__file__).parent / "support").glob("*.py"))
    if module.stem != "__init__"
]


Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    allowed = item.get_closest_marker("guides") is not None or hasattr(report, "wasxfail")
    return report if allowed else _fail_if_skipped(report)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return _fail_if_skipped((yield))


def _fail_if_skipped(report: Report) -> Report:
    if STRICT and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped, which OPSBOOK_TEST_STRICT=1 does not allow: {reason}"
    return report
