"""Signing in: from what somebody typed, or a link they were given, to a session.

What is typed is never recorded: people type passwords into the field above. A failure is recorded
at the account it was aimed at, or at none; being shut out is recorded once and not for every try
that bounces off it, so an attack cannot fill the audit chain faster than the limits let it guess.
Where a try came from goes into the server's log, which is rotated, and not into the chain, which is
kept.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from opsbook import audit
from opsbook.access import accounts, links, passwords, sessions
from opsbook.access.errors import LinkSpent, SignInFailed
from opsbook.access.limits import SignInLimits
from opsbook.audit.entries import SERVER
from opsbook.base.database import Database, Transaction

log = structlog.get_logger("opsbook.access")


@dataclass(frozen=True)
class Opened:
    """A session that was just opened: ``raw`` goes into the cookie and nowhere else."""

    account_id: int
    raw: str
    csrf: str


async def with_password(
    database: Database, now: datetime, limits: SignInLimits, *, login: str, password: str,
    address: str, agent: str,
) -> Opened:  # fmt: skip
    """Open a session for a name and a password.

    Raises:
        TooManyTries: before the password was looked at.
        SignInFailed: the same for every reason, after the same time.
    """
    shut = limits.take(login, address, now)
    row = await database.read(lambda tx: accounts.by_login(tx, login))
    stored: str | None = row["password_hash"] if row else None
    async with limits.at_once:
        fits = await asyncio.to_thread(passwords.verify, stored, password)
    why = _refusal(row, fits)
    if row is None or stored is None or why:
        await database.write(lambda tx: _failed(tx, now, row, why, shut))
        log.warning("sign-in failed", why=why, account=row and row["id"], address=address)
        raise SignInFailed
    limits.passed(login, address)
    account_id = int(row["id"])
    fresh = await asyncio.to_thread(passwords.hash, password) if passwords.stale(stored) else None

    def enter(tx: Transaction) -> tuple[str, str]:
        if fresh is not None:
            accounts.rehash(tx, account_id, stored, fresh)
        return sessions.open(tx, now, account_id, agent, how="password")

    raw, csrf = await database.write(enter)
    return Opened(account_id, raw, csrf)


async def prove(
    database: Database, now: datetime, limits: SignInLimits, *, account_id: int, password: str,
    address: str,
) -> None:  # fmt: skip
    """Let somebody who is signed in show that it is still them, before they change a password.

    The same limits as for signing in: a session that was left open is no licence to guess.

    Raises:
        TooManyTries: before the password was looked at.
        SignInFailed: it is not the password, or there is none.
    """
    row = await database.read(lambda tx: accounts.require(tx, account_id))
    shut = limits.take(row["login"], address, now)
    async with limits.at_once:
        fits = await asyncio.to_thread(passwords.verify, row["password_hash"], password)
    why = _refusal(row, fits)
    if why:
        await database.write(lambda tx: _failed(tx, now, row, why, shut))
        raise SignInFailed
    limits.passed(row["login"], address)


async def look_at_link(
    database: Database, now: datetime, limits: SignInLimits, raw: str, *, address: str
) -> dict[str, Any]:
    """Return whose link it is, without using it.

    Raises:
        TooManyTries: too many that were none came from this address.
        LinkSpent: it was used, is too old, or never was one.
    """
    limits.take_link(address, now)
    row = await database.read(lambda tx: links.look(tx, now, raw))
    if row is None:
        raise LinkSpent
    limits.good_link(address)
    return row


async def with_link(
    database: Database, now: datetime, limits: SignInLimits, raw: str, *, address: str, agent: str
) -> Opened:
    """Use a one-time link up and open a session, in one transaction.

    Raises:
        TooManyTries: too many that were none came from this address.
        LinkSpent: it was used, is too old, or never was one.
    """

    def enter(tx: Transaction) -> Opened | None:
        row = links.look(tx, now, raw)
        account_id = links.use(tx, now, raw)
        if row is None or account_id is None:
            return None
        link_by = row["made_by"]
        opened = sessions.open(tx, now, account_id, agent, how="link", link_by=link_by)
        return Opened(account_id, *opened)

    limits.take_link(address, now)
    opened = await database.write(enter)
    if opened is None:
        raise LinkSpent
    limits.good_link(address)
    return opened


def _refusal(row: dict[str, Any] | None, fits: bool) -> str:
    if row is None:
        return "unknown"
    if row["disabled_at"] is not None:
        return "disabled"
    if row["password_hash"] is None:
        return "no_password"
    return "" if fits else "password"


def _failed(
    tx: Transaction, now: datetime, row: dict[str, Any] | None, why: str, shut: bool
) -> None:
    subject = f"account:{row['id']}" if row else "sign-in"
    audit.record(tx, now, SERVER, "account.sign_in_failed", subject, data={"why": why})
    if shut:
        audit.record(tx, now, SERVER, "account.sign_in_paused", subject)
