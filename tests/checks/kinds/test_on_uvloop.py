"""The kinds that speak over the network, on the event loop that `opsbook up` runs on."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.checks.kinds.test_dns import name_server, records
from tests.checks.kinds.test_icmp import needs_echo
from tests.checks.kinds.test_tcp_talk import greeting
from tests.checks.kinds.test_tls_chain import TALKS, Shop, talking
from tests.checks.making import FINE, Looking, answering, serving

Look = Callable[..., Awaitable[Any]]


async def over_http(look: Look, shop: Shop) -> Any:
    async with serving(answering(FINE)) as port:
        return await look(kind="http", url=f"http://127.0.0.1:{port}/", contains="fine")


async def over_https(look: Look, shop: Shop) -> Any:
    async with serving(answering(FINE), shop.server()) as port:
        return await look(kind="http", url=f"https://localhost:{port}/", ca=str(shop.ca))


async def a_banner(look: Look, shop: Shop) -> Any:
    async with serving(greeting(b"220 ready\r\n", hear=b"\n")) as port:
        return await look(kind="tcp", host="127.0.0.1", port=port, send="HI\n", expects="^220")


async def a_secured_banner(look: Look, shop: Shop) -> Any:
    async with serving(greeting(b"220 ready\r\n"), shop.server()) as port:
        ask = {"host": "localhost", "port": port, "tls": True, "ca": str(shop.ca)}
        return await look(kind="tcp", expects="^220", **ask)


async def a_chain(look: Look, shop: Shop) -> Any:
    async with serving(talking(*TALKS["smtp"], tls=shop.server())) as port:
        ask = {"host": "localhost", "port": port, "starttls": "smtp"}
        return await look(kind="tls", chain="trusted", ca=str(shop.ca), **ask)


async def a_name(look: Look, shop: Shop) -> Any:
    async with name_server(records("A 192.0.2.1")) as port:
        ask = {"name": "shop.example", "server": "127.0.0.1", "port": port}
        return await look(kind="dns", expect="192.0.2.1", **ask)


async def an_echo(look: Look, shop: Shop) -> Any:
    needs_echo()
    return await look(kind="icmp", host="127.0.0.1", count=2)


@pytest.mark.parametrize(
    "ask", [over_http, over_https, a_banner, a_secured_banner, a_chain, a_name, an_echo]
)
def test_a_look_is_made_there_as_well(tmp_path: Path, ask: Callable[..., Awaitable[Any]]) -> None:
    async def look() -> Any:
        looking = Looking(datetime.now(UTC))
        try:
            return await ask(looking.look, Shop(tmp_path))
        finally:
            await looking.looker.close()

    seen = uvloop.run(look())
    assert seen.state == "ok", seen.message
