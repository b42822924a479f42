"""A form that is hours on its way counts for who its sender is when it arrives, and then."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlencode

import pytest

from opsbook.access import accounts
from opsbook.audit import entries
from opsbook.base.database import Transaction
from opsbook.web import guard
from tests.web.conftest import Enter
from tests.web.rig import Rig
from tests.web.test_guard import TOKEN

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def in_two_parts(
    fields: dict[str, str], between: Callable[[], Awaitable[object]]
) -> AsyncIterator[bytes]:
    body = urlencode(fields).encode()
    yield body[:3]
    await between()
    yield body[3:]


async def test_a_form_that_was_begun_before_its_sender_was_shut_out_does_nothing(
    trouble: Rig, enter: Enter
) -> None:
    operator = await enter(trouble)
    fields = {
        "form_token": TOKEN.findall(await operator.see("/profile"))[-1],
        "name": "late", "scopes": "read", "days": "30",
    }  # fmt: skip

    def disable(tx: Transaction) -> None:
        row = accounts.by_login(tx, "operator")
        assert row is not None
        accounts.disable(tx, trouble.clock.now(), row["id"], by="opsbook")

    answer = await operator.client.post(
        "/profile/tokens", content=in_two_parts(fields, lambda: trouble.database.write(disable)),
        headers=FORM, follow_redirects=False,
    )  # fmt: skip
    assert answer.status_code in {303, 401}
    assert "opb_" not in answer.text
    made = await trouble.database.read(
        lambda tx: [one["action"] for one in entries.latest(tx, limit=20)]
    )
    assert "account.disabled" in made
    assert not [one for one in made if one.startswith("token.")]


async def test_a_form_that_does_not_arrive_is_not_waited_for(
    trouble: Rig, enter: Enter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "LONGEST_BODY_S", 0.3)
    operator = await enter(trouble)
    fields = {"form_token": TOKEN.findall(await operator.see("/profile"))[-1]}

    async def late() -> None:
        await asyncio.sleep(1)

    answer = await operator.client.post(
        "/profile/tokens", content=in_two_parts(fields, late), headers=FORM
    )
    assert answer.status_code == 408
    assert "took longer" in answer.text
