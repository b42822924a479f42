"""The page docs/reference/exchange.md: what it lists is there, and what it shows works."""

import re
from pathlib import Path

import yaml

from opsbook.alerts.exchange import Known, alertmanager_in, rules_out
from opsbook.alerts.exchange.integrations import KINDS, NEWER, WEBHOOKS
from tests.alerts.exchange.tools import FILES, made, promtool

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "exchange.md").read_text()


def test_every_integration_is_on_the_page() -> None:
    for key in (*KINDS, *NEWER, WEBHOOKS):
        assert f"`{key}`" in PAGE


def test_the_example_of_a_rule_with_its_proof_passes_promtool(tmp_path: Path) -> None:
    (shown,) = [one for one in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "tests:" in one]
    files = rules_out.write(made(shown), url="https://opsbook.example.org").files
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert len(yaml.safe_load(files["shop.tests.yml"])["tests"]) == 2
    assert "SUCCESS" in promtool("test", "rules", tmp_path / "shop.tests.yml")


def test_what_it_shows_of_secrets_is_what_is_told() -> None:
    text = (FILES / "alertmanager.yml").read_text()
    told = [str(one) for one in alertmanager_in.read(text, "alertmanager.yml", Known()).settings]
    for line in re.search(r"To set:\n(.*?)```", PAGE, re.DOTALL)[1].splitlines():  # type: ignore[index]
        name, form, place = re.split(r"  +", line.strip())
        assert f"{name}: {form} {place}" in told
