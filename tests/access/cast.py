"""The standing cast: a lead, two officers, an editor, a viewer, and a stranger who is refused."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from opsbook.access import Principal, accounts, approvals, sessions, tokens
from opsbook.base.database import Transaction
from opsbook.book import Book, Vocabulary, load

BOOK = """
id: {id}
title: Shop
timezone: Asia/Seoul
self_approval: {self_approval}
people:
  lead: {{name: Lead, roles: [admin]}}
  officer: {{name: Officer, roles: [security, responder]}}
  second: {{name: Second officer, account: second-officer, roles: [security]}}
  editor: {{name: Editor, roles: [editor]}}
  viewer: {{name: Viewer, roles: [viewer]}}
roles:
  admin: ["*:admin"]
  security: ["audit:read"]
  responder: ["runs:write", "incidents:write"]
  editor: ["book:write", "runs:read"]
  viewer: ["*:read"]
"""
LOGINS = ("first", "lead", "officer", "second-officer", "editor", "viewer", "stranger")


def book(self_approval: str = "forbid", id: str = "shop") -> Book:
    text = BOOK.format(self_approval=self_approval, id=id)
    return load({"book.yaml": text}, Vocabulary(check_kinds={}))


@dataclass
class Cast:
    """Accounts by login, and what they ask with."""

    tx: Transaction
    now: datetime
    ids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for login in LOGINS:
            self.ids[login] = accounts.create(self.tx, self.now, login, login == "first")

    def session(self, login: str) -> Principal:
        raw, _ = sessions.open(self.tx, self.now, self.ids[login], "test")
        found = sessions.principal(self.tx, self.now, raw)
        assert found is not None
        return found

    def token(self, login: str | None, *scopes: str) -> Principal:
        account = None if login is None else self.ids[login]
        life = None if login is None else timedelta(days=1)
        raw = tokens.create(self.tx, self.now, account, "a program", scopes, life)
        found = tokens.principal(self.tx, self.now, raw)
        assert found is not None
        return found

    def ask(self, of: Book, **changed: Any) -> int:
        """Ask for an approval by an officer of what the lead started."""
        what: dict[str, Any] = {
            "book": of, "subject": "run:5", "thread": "incident:1", "question": "Switch?",
            "role": "security", "need": 1, "bound_to": approvals.binding(step="switch", n=1),
            "excluded": {self.ids["lead"]: "started", self.ids["editor"]: "edited"},
            "expires_at": self.now + timedelta(hours=4),
        }  # fmt: skip
        return approvals.request(self.tx, self.now, **{**what, **changed})


Story = Callable[[Cast], None]
