"""Real promtool and amtool, and books made for these tests."""

import itertools
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from opsbook.app import vocabulary
from opsbook.book import Book, load
from tests.support.servers import needs

FILES = Path(__file__).parent / "files"
PEOPLE: Mapping[str, Any] = {
    "id": "shop",
    "title": "Shop",
    "timezone": "Asia/Seoul",
    "languages": ["en"],
    "severities": {"P1": {"title": "Outage"}, "P3": {"title": "Soon"}},
    "people": {"lead": {"name": "Lead"}, "dev": {"name": "Developer"}},
    "teams": {"ops": {"members": ["lead", "dev"]}},
}


def amtool(*words: str | Path) -> str:
    """Run amtool and give what it says; a refusal fails the test with it."""
    return _run("amtool", words)


def promtool(*words: str | Path) -> str:
    """Run promtool and give what it says; a refusal fails the test with it."""
    return _run("promtool", words)


def refused(program: str, *words: str | Path) -> str:
    """Run a program that must refuse, and give what it says."""
    done = subprocess.run([needs(program), *words], capture_output=True, text=True, check=False)
    assert done.returncode != 0, done.stdout
    return done.stdout + done.stderr


def _run(program: str, words: Iterable[str | Path]) -> str:
    done = subprocess.run([needs(program), *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def taken_by(file: Path, labels: Mapping[str, str]) -> list[str]:
    """The receivers that amtool says an alert goes to, in order."""
    given = [f"{name}={value}" for name, value in labels.items()]
    said = amtool("config", "routes", "test", f"--config.file={file}", *given)
    return [one for one in said.strip().split(",") if one]


def made(*texts: str, **sections: Any) -> Book:
    """A book of these YAML texts and sections, with people and severities."""
    whole = {**PEOPLE, **sections}
    files = {"book.yaml": yaml.safe_dump(whole, allow_unicode=True, sort_keys=False)}
    files |= {f"more{n}.yaml": text for n, text in enumerate(texts)}
    return load(files, vocabulary())


def every(**values: Iterable[str]) -> list[dict[str, str]]:
    """Every combination of labels with these values; an empty one leaves its label out."""
    return [
        {name: value for name, value in zip(values, one, strict=True) if value}
        for one in itertools.product(*values.values())
    ]
