"""Signing in and out.

The page of a one-time link only shows a button: programs that look into mails open every link they
see, and opening must use nothing up.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import Response

from opsbook.access import accounts, passwords, sessions, signin
from opsbook.access.errors import LinkSpent, SignInFailed, TooManyTries
from opsbook.access.signin import Opened
from opsbook.base import ids
from opsbook.base.errors import Invalid
from opsbook.web import forms, pages, sayings
from opsbook.web.i18n import LANGUAGES, N_
from opsbook.web.visit import FORM, LANGUAGE, SESSION, YEAR, Visit
from opsbook.web.who import Anybody, Visitor

router = APIRouter(include_in_schema=False)
TO_CHOOSE: Final = timedelta(minutes=30)
"""How long after a one-time link its session may set a password without the old one."""


@router.get("/sign-in")
async def form(visit: Anybody, next: str = "/") -> Response:
    """Ask for account and password."""
    if visit.signed_in:
        return pages.go(visit, forms.local_path(next))
    return _form(visit, next)


@router.post("/sign-in")
async def enter(visit: Anybody) -> Response:
    """Open a session, or say that name and password do not fit together."""
    fields = await visit.form()
    login, onward = forms.text(fields, "login"), forms.local_path(fields.get("next"))
    if onward.startswith("/sign-in"):
        onward = "/"
    try:
        opened = await signin.with_password(
            visit.kept.app.database, visit.now, visit.kept.limits, login=login,
            password=fields.get("password", ""), address=visit.address, agent=_agent(visit),
        )  # fmt: skip
    except (SignInFailed, TooManyTries) as error:
        wrong = sayings.error(visit.speech, error)
        return _form(visit, onward, login=login, wrong=wrong, status=error.status)
    return _entered(visit, opened, onward)


@router.get("/sign-in/link/{raw}")
async def link(visit: Anybody, raw: str) -> Response:
    """Show whose link it is, and the button that uses it."""
    try:
        row = await signin.look_at_link(
            visit.kept.app.database, visit.now, visit.kept.limits, raw, address=visit.address
        )
    except LinkSpent:
        return pages.show(visit, "sign_in/used.html", {}, status=410)
    return pages.show(visit, "sign_in/link.html", {"login": row["login"]})


@router.post("/sign-in/link/{raw}")
async def use_link(visit: Anybody, raw: str) -> Response:
    """Use the link up and go on to choosing a password."""
    await visit.form()
    try:
        opened = await signin.with_link(
            visit.kept.app.database, visit.now, visit.kept.limits, raw, address=visit.address,
            agent=_agent(visit),
        )  # fmt: skip
    except LinkSpent:
        return pages.show(visit, "sign_in/used.html", {}, status=410)
    _remember(visit, opened.raw)
    return _entered(visit, opened, "/sign-in/password")


@router.get("/sign-in/password")
async def password(visit: Visitor) -> Response:
    """Ask for the password to sign in with from now on."""
    if not await _may_choose(visit):
        return pages.go(visit, "/profile")
    return _password(visit)


@router.post("/sign-in/password")
async def set_password(visit: Visitor) -> Response:
    """Set the password; allowed without the old one right after signing in by a link."""
    fields = await visit.form()
    if not await _may_choose(visit):
        return pages.go(visit, "/profile")
    try:
        await keep_password(visit, fields)
    except Invalid as error:
        return _password(visit, sayings.error(visit.speech, error), error.status)
    visit.kept.by_link.pop(_session(visit), None)
    return pages.go(visit, "/", "password")


@router.post("/sign-in/language")
async def language(visit: Anybody) -> Response:
    """Switch the language before anybody is signed in."""
    fields = await visit.form()
    answer = pages.go(visit, f"/sign-in?next={forms.local_path(fields.get('next'))}")
    if (wanted := fields.get("language")) in LANGUAGES:
        pages.set_cookie(visit, answer, LANGUAGE, str(wanted), YEAR)
    return answer


@router.post("/sign-out")
async def leave(visit: Visitor) -> Response:
    """End this session."""
    await visit.form()
    raw = visit.request.cookies.get(SESSION, "")
    await visit.write(lambda tx: sessions.close(tx, visit.now, raw))
    answer = pages.go(visit, "/sign-in")
    answer.delete_cookie(SESSION, path="/")
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


async def keep_password(visit: Visit, fields: dict[str, str]) -> None:
    """Set the visitor's password from the fields ``new`` and ``again``.

    Raises:
        Invalid: the two differ, or the password cannot be used.
    """
    new, account_id = fields.get("new", ""), visit.who.account_id or 0
    if new != fields.get("again"):
        raise Invalid(N_("The two passwords are not the same."), remedy=N_("Type both again."))
    passwords.check(new, visit.login)
    hashed = await asyncio.to_thread(passwords.hash, new)
    raw = visit.request.cookies.get(SESSION, "")
    await visit.write(lambda tx: accounts.set_password(tx, visit.now, account_id, hashed, keep=raw))


async def _may_choose(visit: Visit) -> bool:
    since = visit.kept.by_link.get(_session(visit))
    if since is not None and visit.now - since < TO_CHOOSE:
        return True
    account_id = visit.who.account_id or 0
    row = await visit.kept.app.database.read(lambda tx: accounts.by_id(tx, account_id))
    return row is not None and row["password_hash"] is None


def _remember(visit: Visit, raw: str) -> None:
    """Note that a link opened this session; what is too old to matter is forgotten."""
    fresh = {one: at for one, at in visit.kept.by_link.items() if visit.now - at < TO_CHOOSE}
    visit.kept.by_link = {**fresh, ids.digest(raw): visit.now}


def _session(visit: Visit) -> str:
    return str(visit.session["digest"]) if visit.session is not None else ""


def _form(
    visit: Visit, onward: str, login: str = "", wrong: str = "", status: int = 200
) -> Response:
    values = {"next": forms.local_path(onward), "login": login, "wrong": wrong}
    return pages.show(visit, "sign_in/form.html", values, status=status)


def _password(visit: Visit, wrong: str = "", status: int = 200) -> Response:
    values: dict[str, Any] = {"wrong": wrong, "shortest": passwords.SHORTEST}
    return pages.show(visit, "sign_in/password.html", values, status=status)


def _entered(visit: Visit, opened: Opened, onward: str) -> Response:
    answer = pages.go(visit, onward)
    pages.set_cookie(visit, answer, SESSION, opened.raw, int(sessions.LIFE.total_seconds()))
    answer.delete_cookie(FORM, path="/")
    return answer


def _agent(visit: Visit) -> str:
    return visit.request.headers.get("user-agent", "")[:400]
