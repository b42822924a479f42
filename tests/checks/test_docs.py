"""The reference and the book we ship speak of checks that there are."""

import re
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from opsbook.book import Vocabulary, load, read_folder
from opsbook.checks import KINDS
from opsbook.checks.plan import Plan
from opsbook.settings import InvalidSetting, Settings
from tests.checks.making import FACTS, book

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "docs" / "reference" / "checks.md").read_text()


def test_every_example_of_the_reference_is_a_check_that_loads() -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```", REFERENCE, re.MULTILINE | re.DOTALL)
    loaded = [book(yaml.safe_load(example)) for example in examples]
    assert {check.kind for one in loaded for check in one.checks.values()} == set(KINDS)


def test_every_kind_and_each_of_its_keys_is_in_the_reference() -> None:
    for name, kind in KINDS.items():
        section = REFERENCE.split(f"### `{name}`", 1)[1].split("\n### ", 1)[0]
        keys = [field.alias or key for key, field in kind.model.model_fields.items()]
        missing = [key for key in keys if key not in section and key != "ref"]
        assert not missing, f"{name}: {missing}"


def test_the_starter_books_checks_can_be_filled_in(now: datetime) -> None:
    models = {name: kind.model for name, kind in KINDS.items()}
    steps = frozenset({"bash", "check", "approval"})
    starter = load(read_folder(ROOT / "books" / "starter"), Vocabulary(models, steps))
    plan = Plan(FACTS.by_name())
    plan.renew([starter], now)
    assert len(plan.planned) == len(starter.checks) > 0
    assert {planned.fault for planned in plan.planned.values()} == {""}


def test_the_setting_of_the_reference_is_read() -> None:
    found = re.search(r"(\d+) looks \(`OPSBOOK_LOOKS`, up to (\d+)\)", REFERENCE)
    assert found is not None
    usual, most = found.groups()
    assert Settings.from_env(["x"], environ={"HOME": "/tmp"}).looks == int(usual)
    given = {"OPSBOOK_LOOKS": most, "HOME": "/tmp"}
    assert Settings.from_env(["x"], environ=given).looks == int(most)
    for wrong in ("0", str(int(most) + 1), "-1", "many", "1e2", "٣"):
        with pytest.raises(InvalidSetting, match="OPSBOOK_LOOKS"):
            Settings.from_env(["x"], environ={**given, "OPSBOOK_LOOKS": wrong})
