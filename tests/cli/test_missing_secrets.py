"""Secrets that lead to nothing: told at once, at `validate` and at the start, never a value."""

import json
import os
from pathlib import Path

import pytest

from opsbook.base import secrets
from tests.support.front_door import call, start

BOOK = """\
id: shop
title: Shop
timezone: UTC
people:
  lead: {name: Lead, roles: [lead], contacts: [{secret: "env:LAB_MAIL"}]}
roles: {lead: ["*:admin"]}
severities: {P1: {title: Down}}
channels:
  room: {title: Room, to: {secret: "file:FOLDER/none"}}
webhooks:
  hook:
    title: Hook
    url: {secret: "env:LAB_URL"}
    secret: "file:FOLDER/there"
    events: [alerts]
    headers: {X-Key: "file:FOLDER"}
intakes:
  am: {kind: webhook, title: A, token: "env:LAB_TOKEN"}
targets:
  api: {kind: http, title: T, url: "http://t.example", read: {headers: {X-A: "env:LAB_EMPTY"}}}
checks:
  cache:
    {kind: redis, title: Q, url: "redis://x.example", metric: ping, user: u,
     password: "env:LAB_PASSWORD"}
heartbeats:
  out: {title: H, url: {secret: "env:LAB_BEAT"}}
"""
HIDDEN = "correct-horse-battery"


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (tmp_path / "there").write_text(HIDDEN)
    (folder / "book.yaml").write_text(BOOK.replace("FOLDER", str(tmp_path)))
    for name in [one for one in os.environ if one.startswith("LAB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LAB_EMPTY", " ")
    monkeypatch.setenv("LAB_BEAT", f"https://beat.example.org/{HIDDEN}")
    return folder


def lines(folder: Path) -> list[str]:
    """What is said of each secret that is missing, in the order of the sections."""
    away = folder.parent
    return [
        "env:LAB_MAIL (book.yaml:5, people.lead.contacts[0]): it is not set; nothing reaches them "
        "there",
        f"file:{away}/none (book.yaml:9, channels.room.to): it cannot be read: No such file or "
        "directory; nothing is told there",
        "env:LAB_URL (book.yaml:13, webhooks.hook.url): it is not set; nothing is sent there",
        f"file:{away} (book.yaml:16, webhooks.hook.headers.X-Key): it is a folder; nothing is "
        "sent there",
        "env:LAB_TOKEN (book.yaml:18, intakes.am.token): it is not set; nobody can hand in alerts "
        "there, and senders are answered 503",
        "env:LAB_EMPTY (book.yaml:20, targets.api.read.headers.X-A): it is empty; no step or check "
        "that needs it gets in",
        "env:LAB_PASSWORD (book.yaml:24, checks.cache.password): it is not set; it cannot look",
    ]


def test_validate_names_every_secret_that_is_missing_here_and_what_needs_it(book: Path) -> None:
    answer = call("validate", book)
    assert answer.status == 0, "the server may run elsewhere"
    wanted = sorted(lines(book))
    found = answer.out.split("secrets that lead to nothing here")[1].splitlines()[1:]
    assert sorted(one.strip() for one in found) == wanted
    assert HIDDEN not in answer.out + answer.err
    data = call("validate", book, "-o", "json").json["books"][0]["book"]["missing_secrets"]
    assert {
        "reference": "env:LAB_TOKEN", "what": "intakes.am.token", "where": "book.yaml:18",
        "why": "it is not set",
        "without": "nobody can hand in alerts there, and senders are answered 503",
    } in data  # fmt: skip
    assert len(data) == len(wanted)


def test_a_start_tells_them_as_one_list(book: Path, tmp_path: Path) -> None:
    server = start(book, data=tmp_path / "data", form="table")
    try:
        told = "".join(server.lines)
    finally:
        server.stop()
    assert "shop: 7 secrets that it refers to" in told
    assert all(one in told for one in lines(book))
    assert HIDDEN not in told


def test_a_start_tells_them_to_scripts_too_and_a_draft_needs_none(
    book: Path, tmp_path: Path
) -> None:
    server = start(book, data=tmp_path / "data")
    try:
        missing = server.started["missing_secrets"]
        assert {(one["book"], one["reference"]) for one in missing} > {("shop", "env:LAB_URL")}
        assert HIDDEN not in json.dumps(server.started)
    finally:
        server.stop()
    text = (book / "book.yaml").read_text()
    (book / "book.yaml").write_text(f"{text}status: draft\n")
    server = start(book, data=tmp_path / "other")
    try:
        assert server.started["missing_secrets"] == []
    finally:
        server.stop()


def test_nothing_is_read_of_what_is_there(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert secrets.fault(f"file:{pipe}") == "", "reading it would wait for good"
    empty = tmp_path / "empty"
    empty.touch()
    assert secrets.fault(f"file:{empty}") == "it is empty"
    assert "it cannot be read" in secrets.fault("file:/a\0b")
