"""Telling somebody that a sign-in link for their account was made, whichever front door made it.

By every contact the book has for them and not in the inbox alone: whoever got in with that link
reads the inbox. The link itself is in no message; who made it hands it over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from opsbook.access import Principal, managing
from opsbook.access.managing import Made
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.notify import outbox
from opsbook.web import words
from opsbook.web.i18n import Speech

TITLES: Final[Mapping[str, str]] = {
    "en": "{who} made a sign-in link for your account",
    "ko": "{who}님이 회원님 계정의 로그인 링크를 만들었습니다",
}
FRESH: Final[Mapping[str, str]] = {
    "en": "You get it from {who}. It works once, within 7 days. If it never reaches you or was "
    "used already, tell another administrator at once: somebody else is in as {login}.",
    "ko": "링크는 {who}님에게 받으십시오. 7일 안에 한 번만 쓸 수 있습니다. 받지 못했거나 이미 쓴 "
    "링크라고 나오면 다른 관리자에게 바로 알리십시오. 누군가 {login} 계정으로 들어온 것입니다.",
}
KNOWN: Final[Mapping[str, str]] = {
    "en": "Whoever opens it is signed in as you ({login}). If you did not ask for it, set a new "
    "password on your profile and tell another administrator.",
    "ko": "링크를 여는 사람은 회원님 계정({login})으로 로그인됩니다. 요청한 적이 없으면 "
    "내 정보에서 비밀번호를 바꾸고 다른 관리자에게 알리십시오.",
}


def tell(tx: Transaction, now: datetime, books: Sequence[Book], who: Principal, made: Made) -> None:
    """Page the person whose account it is, once, in the first book that names them."""
    for book, person in managing.named(books, made.login)[:1]:
        bodies = FRESH if made.fresh else KNOWN
        called = {language: _name(books, who, language) for language in bodies}
        outbox.page(
            tx, now, book=book, person_id=person.id, cause=f"account:{made.account_id} link",
            key=f"account:{made.account_id}/link/{now.isoformat()}", thread=None,
            title={code: said.format(who=called[code]) for code, said in TITLES.items()},
            body={
                code: said.format(who=called[code], login=made.login)
                for code, said in bodies.items()
            },
            path="/profile",
        )  # fmt: skip


def _name(books: Sequence[Book], who: Principal, language: str) -> str:
    known = managing.named(books, who.login)
    return words.text(Speech(language), known[0][1].name) if known else who.login
