"""The reference is run: every command in docs/reference/cli.md, and the shape of every answer."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.front_door import Up, call, start

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference" / "cli.md"
BLOCK = re.compile(r"^```(console|json)(?: (\w+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FREE = {"params", "data"}


def examples():
    """The commands of the reference in order, each with the JSON that stands right after it."""
    found = []
    for kind, _, body in (match.groups() for match in BLOCK.finditer(REFERENCE.read_text())):
        if kind == "console":
            lines = [line[2:] for line in body.splitlines() if line.startswith("$ ")]
            found += [(line, None) for line in lines]
        elif found and found[-1][1] is None:
            found[-1] = (found[-1][0], json.loads(body))
    return found


@pytest.fixture(scope="module")
def starter(tmp_path_factory) -> Iterator[Up]:
    """A server with the starter book, as after `make up`."""
    folder = tmp_path_factory.mktemp("starter")
    folder.chmod(0o755)
    up = start(ROOT / "books" / "starter", data=folder / "data")
    up.person = "operator"
    yield up
    up.stop()


def test_every_command_of_the_reference_works_and_answers_in_the_shape_it_shows(starter, troubled):
    ran = 0
    for line, shape in examples():
        server = troubled if " incidents " in line else starter
        words = shlex.split(line)[1:]
        if words == ["audit", "verify"]:
            server.sealed()
        answer = (
            server.as_person(*words) if needs_a_person(words) else server.call(*words, cwd=ROOT)
        )
        assert answer.status in allowed(words), f"{line}: {answer.err}"
        if shape is not None:
            assert_alike(answer.json, shape, line)
        ran += 1
    assert ran > 25


def test_the_start_for_scripts_has_the_shape_of_the_reference(starter):
    shown = next(body for _, name, body in BLOCK.findall(REFERENCE.read_text()) if name == "up")
    assert_alike(starter.started, json.loads(shown), "up -o json")


def test_every_command_is_in_the_reference():
    text = REFERENCE.read_text()
    for words in commands():
        assert f"opsbook {' '.join(words)}" in text, words


def test_every_command_explains_itself_and_knows_both_forms():
    for words in commands():
        answer = call(*words, "--help")
        assert answer.status == 0
        assert "[table|json]" in answer.out, words


def commands():
    """Every command there is, by the help of the groups."""
    groups = (
        ["runs"], ["silence"], ["incidents"], ["accounts"], ["audit"], ["routes"], ["export"],
        ["import"],
    )  # fmt: skip
    for group in ([], *groups):
        shown = call(*group, "--help").out.split("Commands:")[1]
        for name in re.findall(r"^  ([a-z]+) ", shown, re.MULTILINE):
            if [name] not in groups or group:
                yield [*group, name]


def needs_a_person(words):
    return words[1:2] in (["reject"], ["ack"], ["resolve"])


def allowed(words):
    """`checks` looks at the real machine, and an open incident is a finding."""
    return {0, 1} if words[0] in {"checks", "incidents"} else {0}


def assert_alike(answer, shown, where):
    """The same fields of the same kinds, at every depth; what may be null is not compared."""
    if isinstance(shown, dict):
        assert isinstance(answer, dict), where
        if where.rpartition(".")[2] in FREE:
            return
        assert sorted(answer) == sorted(shown), where
        for name, value in shown.items():
            assert_alike(answer[name], value, f"{where}.{name}")
    elif isinstance(shown, list):
        assert isinstance(answer, list), where
        if shown and answer:
            assert_alike(answer[0], shown[0], f"{where}[0]")
    elif shown is not None and answer is not None:
        numbers = (int, float)
        both = isinstance(shown, numbers) and isinstance(answer, numbers)
        assert both or type(answer) is type(shown), where
