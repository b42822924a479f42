"""Profile: language and look, password, tokens for programs, where one is signed in."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from opsbook import audit
from opsbook.access import accounts, passwords, sessions, signin, tokens
from opsbook.access.errors import SignInFailed, TooManyTries
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid, NotFound
from opsbook.web import forms, i18n, pages, sayings, sign_in, words
from opsbook.web.i18n import LANGUAGES, N_
from opsbook.web.numbers import Number
from opsbook.web.visit import LANGUAGE, SESSION, THEME, THEMES, YEAR, Visit
from opsbook.web.who import Visitor

router = APIRouter(include_in_schema=False)

LOOKS: Final = {"auto": N_("as the system"), "light": N_("light"), "dark": N_("dark")}
SCOPES: Final = {
    "read": N_("read"),
    "run": N_("start and cancel runs, write notes"),
    "approve": N_("approve, confirm and acknowledge as me"),
    "accounts": N_("invite people, make links, disable and enable accounts"),
}
# In this order: every browser claims to be the ones after it.
BROWSERS: Final = (
    ("Edg/", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser/", "Samsung Internet"),
    ("Whale/", "Whale"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"),
)  # fmt: skip
SYSTEMS: Final = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"),
    ("Mac OS X", "macOS"), ("Linux", "Linux"),
)  # fmt: skip
LIVES: Final = (7, 30, 90, 180, 365)


@router.get("/profile")
async def shown(visit: Visitor) -> Response:
    """Show everything that is the visitor's own."""
    return await _page(visit)


@router.get("/profile/tokens")
@router.get("/profile/password")
async def back(visit: Visitor) -> Response:
    """Go back to the page, for who reloads what a form answered with."""
    return pages.go(visit, "/profile")


@router.post("/profile/look")
async def look(visit: Visitor) -> Response:
    """Keep a language or a theme, for the account and for this browser before sign-in."""
    fields = await visit.form()
    language, theme = fields.get("language"), fields.get("theme")
    language = language if language in LANGUAGES else None
    theme = theme if theme in LOOKS else None
    account_id = visit.who.account_id or 0
    wanted = None if theme is None else (theme if theme in THEMES else "")
    await visit.write(lambda tx: accounts.prefer(tx, account_id, language=language, theme=wanted))
    answer = pages.go(visit, forms.local_path(fields.get("back"), "/profile"))
    if language is not None:
        pages.set_cookie(visit, answer, LANGUAGE, language, YEAR)
    if wanted is not None:
        pages.set_cookie(visit, answer, THEME, wanted, YEAR if wanted else 0)
    return answer


@router.post("/profile/password")
async def change_password(visit: Visitor) -> Response:
    """Change the password, for somebody who knows the present one."""
    fields = await visit.form()
    account_id = visit.who.account_id or 0
    row = await visit.kept.app.database.read(lambda tx: accounts.by_id(tx, account_id))
    stored = row["password_hash"] if row else None
    try:
        if stored is not None:
            await signin.prove(
                visit.kept.app.database, visit.now, visit.kept.limits, account_id=account_id,
                password=fields.get("old", ""), address=visit.address,
            )  # fmt: skip
        await sign_in.keep_password(visit, fields)
    except SignInFailed:
        return await _page(
            visit, wrong_password=visit.speech.say("The present password is not right.")
        )
    except (Invalid, TooManyTries) as error:
        return await _page(visit, wrong_password=sayings.error(visit.speech, error))
    return pages.go(visit, "/profile", "password")


@router.post("/profile/tokens")
async def make_token(visit: Visitor) -> Response:
    """Make a token and show it, this once (no redirect: it is kept nowhere to show again)."""
    fields = await forms.read_lists(visit.request, visit.secret)
    name = fields.get("name", [""])[-1].strip()
    scopes, days = fields.get("scopes", []), fields.get("days", [""])[-1]
    account_id = visit.who.account_id
    link_by = visit.session["link_by"] if visit.session is not None else None
    try:
        if not days.isdigit() or int(days) not in LIVES:
            raise Invalid(N_("Choose for how long the token is good."))
        life = timedelta(days=int(days))
        raw = await visit.write(
            lambda tx: tokens.create(tx, visit.now, account_id, name, scopes, life, link_by=link_by)
        )
    except Invalid as error:
        return await _page(visit, wrong_token=sayings.error(visit.speech, error))
    return await _page(visit, secret={"name": name, "raw": raw})


@router.post("/profile/tokens/{token_id}/revoke")
async def revoke_token(visit: Visitor, token_id: Number) -> Response:
    """Make one of the visitor's tokens void."""
    await visit.form()
    account_id = visit.who.account_id or 0
    if not await visit.write(lambda tx: tokens.revoke(tx, visit.now, token_id, account_id)):
        raise NotFound(N_("There is no such token of yours."))
    return pages.go(visit, "/profile", "revoked")


@router.post("/profile/sessions/{mark}/end")
async def end_session(visit: Visitor, mark: str) -> Response:
    """Sign the visitor out of one other browser."""
    await visit.form()
    account_id = visit.who.account_id or 0
    if not await visit.write(lambda tx: sessions.close_one(tx, visit.now, account_id, mark)):
        raise NotFound(N_("There is no such session of yours."))
    return pages.go(visit, "/profile", "session")


@router.post("/profile/sessions/close")
async def close_sessions(visit: Visitor) -> Response:
    """Sign the visitor out everywhere but here."""
    await visit.form()
    account_id = visit.who.account_id or 0
    raw = visit.request.cookies.get(SESSION, "")

    def close(tx: Transaction) -> None:
        closed = sessions.close_all(tx, account_id, raw)
        audit.record(
            tx, visit.now, visit.who.actor, "account.sessions_closed", f"account:{account_id}",
            data={"sessions": closed},
        )  # fmt: skip

    await visit.write(close)
    return pages.go(visit, "/profile", "closed")


async def _page(
    visit: Visit, *, wrong_password: str = "", wrong_token: str = "",
    secret: dict[str, str] | None = None,
) -> Response:  # fmt: skip
    account_id = visit.who.account_id or 0
    say = visit.speech.say

    def read(tx: Transaction) -> dict[str, Any]:
        row = accounts.by_id(tx, account_id)
        return {
            "has_password": row is not None and row["password_hash"] is not None,
            "tokens": [_token(visit, one) for one in tokens.list(tx, account_id)],
            "sessions": [
                _session(visit, one) for one in sessions.of_account(tx, visit.now, account_id)
            ],
        }

    values = await pages.read(visit, read)
    wrong = wrong_password or wrong_token
    values |= {
        "wrong": wrong,
        "wrong_password": wrong_password,
        "wrong_token": wrong_token,
        "secret": secret,
        "roles": _roles(visit),
        "languages": list(i18n.NAMES.items()),
        "themes": [(code, say(name)) for code, name in LOOKS.items()],
        "scopes": [(code, say(name)) for code, name in SCOPES.items()],
        "lives": [(days, visit.speech.say_n("%(n)s day", "%(n)s days", days)) for days in LIVES],
        "shortest": passwords.SHORTEST,
        "others": sum(not one["here"] for one in values["sessions"]),
    }
    return pages.show(visit, "profile/page.html", values, status=422 if wrong else 200)


def _token(visit: Visit, row: dict[str, Any]) -> dict[str, Any]:
    zone, ends = visit.zone, row["expires_at"]
    past = ends is not None and ends <= visit.now
    until = words.exact(ends, zone)[:10] if ends is not None else "–"
    return {
        **row,
        "scopes": ", ".join(visit.speech.say(SCOPES.get(one, one)) for one in row["scopes"]),
        "until": visit.speech.say("over since %(date)s", date=until) if past else until,
    }


def _session(visit: Visit, row: dict[str, Any]) -> dict[str, Any]:
    mine = visit.session
    here = mine is not None and row["mark"] == sessions.marked(mine["digest"])
    return {**row, "here": here, "agent": _agent(visit, row["agent"])}


def _agent(visit: Visit, agent: str) -> str:
    """Return what a browser is, for people; a program's own name as it is."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    system = next((name for mark, name in SYSTEMS if mark in agent), "")
    if browser and system:
        return visit.speech.say("%(browser)s on %(system)s", browser=browser, system=system)
    return browser or agent[:60]


def _roles(visit: Visit) -> list[str]:
    """Return what the visitor is in each book, in words."""
    found = []
    for book in visit.kept.app.library.books():
        roles = sorted(visit.who.roles(book))
        if roles:
            title = words.text(visit.speech, book.title)
            found.append(
                visit.speech.say("%(book)s: %(roles)s", book=title, roles=", ".join(roles))
            )
    if visit.who.first_admin:
        found.insert(0, visit.speech.say("first administrator"))
    return found
