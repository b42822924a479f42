"""Against a small DNS server on the loopback that answers, refuses, hangs and talks rubbish."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from opsbook.book import BookError
from tests.checks.making import Looking, closed_port

Answers = Callable[[dns.message.Message], bytes | None]
NAME = "shop.example."


def records(*lines: str) -> Answers:
    """Answer with these records, given as ``TYPE DATA``, if they are of the type asked for."""

    def answer(query: dns.message.Message) -> bytes:
        reply = dns.message.make_response(query)
        question = query.question[0]
        for line in lines:
            kind, data = line.split(" ", 1)
            if kind == dns.rdatatype.to_text(question.rdtype):
                reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", kind, data))
        return reply.to_wire()

    return answer


def failing(code: dns.rcode.Rcode) -> Answers:
    def answer(query: dns.message.Message) -> bytes:
        reply = dns.message.make_response(query)
        reply.set_rcode(code)
        return reply.to_wire()

    return answer


def saying(raw: bytes) -> Answers:
    """Answer with the right number and then `raw`."""
    return lambda query: query.id.to_bytes(2, "big") + raw


class Udp(asyncio.DatagramProtocol):
    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.asked = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked += 1
        raw = self.answers(dns.message.from_wire(data))
        if raw is not None:
            self.transport.sendto(raw, addr)


@contextlib.asynccontextmanager
async def name_server(answers: Answers, over_tcp: Answers | None = None) -> AsyncIterator[int]:
    """A server on one port, over UDP and, if `over_tcp`, over TCP."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert over_tcp is not None
        size = int.from_bytes(await reader.readexactly(2), "big")
        raw = over_tcp(dns.message.from_wire(await reader.readexactly(size)))
        if raw is not None:
            writer.write(len(raw).to_bytes(2, "big") + raw)
            await writer.drain()
        writer.close()

    loop = asyncio.get_running_loop()
    tcp = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = tcp.sockets[0].getsockname()[1]
    udp, _ = await loop.create_datagram_endpoint(
        lambda: Udp(answers), local_addr=("127.0.0.1", port)
    )
    if over_tcp is None:
        tcp.close()
    try:
        yield port
    finally:
        udp.close()
        tcp.close()


def asked(port: int, **fields: Any) -> dict[str, Any]:
    return {"kind": "dns", "name": "shop.example", "server": "127.0.0.1", "port": port, **fields}


async def test_an_answer_is_fine_and_its_value_is_the_time_it_took(looking: Looking) -> None:
    async with name_server(records("A 192.0.2.7", "A 192.0.2.1")) as port:
        seen = await looking.look(**asked(port))
    assert (seen.state, seen.unit) == ("ok", "ms")
    assert seen.value is not None
    assert 0 < seen.value <= seen.latency_ms
    assert seen.message == "shop.example A: 192.0.2.1, 192.0.2.7"


@pytest.mark.parametrize(
    ("kind", "data", "expect"),
    [
        ("A", "192.0.2.1", "192.0.2.1"),
        ("AAAA", "2001:db8::1", "2001:0DB8:0::1"),
        ("CNAME", "Web.Example.", "web.example"),
        ("MX", "10 Mail.Example.", "10 mail.example."),
        ("MX", "10 Mail.Example.", "mail.example"),
        ("NS", "ns1.example.", "ns1.example"),
        ("TXT", '"v=spf1 include:x " "-all"', "v=spf1 include:x -all"),
        ("SRV", "1 2 443 web.example.", "1 2 443 web.example"),
        ("CAA", '0 issue "ca.example"', '0 issue "ca.example"'),
    ],
)
async def test_records_are_compared_as_they_are_meant(
    looking: Looking, kind: str, data: str, expect: str
) -> None:
    async with name_server(records(f"{kind} {data}")) as port:
        seen = await looking.look(**asked(port, type=kind, expect=expect, answers="exactly"))
        assert seen.state == "ok", seen.message
        other = {"A": "192.0.2.2", "AAAA": "2001:db8::2"}.get(kind, "other.example")
        seen = await looking.look("other", **asked(port, type=kind, expect=other))
        assert (seen.state, seen.value is not None) == ("critical", True)
        assert seen.message.endswith(f"there is not {other}")


async def test_the_book_says_whether_all_any_or_exactly_these_are_wanted(looking: Looking) -> None:
    one, two, three = "192.0.2.1", "192.0.2.2", "192.0.2.3"
    async with name_server(records(f"A {one}", f"A {two}")) as port:
        for answers, expect, state in (
            ("all", [one, two], "ok"),
            ("all", [one], "ok"),
            ("all", [one, three], "critical"),
            ("any", [one, three], "ok"),
            ("any", [three], "critical"),
            ("exactly", [two, one], "ok"),
            ("exactly", [one], "critical"),
            ("exactly", [one, two, three], "critical"),
        ):
            name = f"{answers}{len(expect)}{expect[-1][-1]}"
            seen = await looking.look(name, **asked(port, expect=expect, answers=answers))
            assert seen.state == state, (answers, expect, seen.message)
    assert seen.message == f"shop.example A: {one}, {two}; there is not {three}"


async def test_an_address_is_asked_for_its_name(looking: Looking) -> None:
    names = []

    def answer(query: dns.message.Message) -> bytes | None:
        names.append(query.question[0].name.to_text())
        return records("PTR shop.example.")(query)

    async with name_server(answer) as port:
        fields = asked(port, type="PTR", expect="shop.example") | {"name": "192.0.2.1"}
        assert (await looking.look(**fields)).state == "ok"
    assert names == ["1.2.0.192.in-addr.arpa."]


async def test_what_an_answer_lacks_is_told_apart(looking: Looking) -> None:
    for answers, told in (
        (failing(dns.rcode.NXDOMAIN), "there is no name shop.example"),
        (records("MX 10 mail.example."), "shop.example has no A record"),
        (failing(dns.rcode.SERVFAIL), "says SERVFAIL; asked for shop.example"),
        (failing(dns.rcode.REFUSED), "says REFUSED; asked for shop.example"),
    ):
        async with name_server(answers) as port:
            seen = await looking.look(f"n{port}", **asked(port))
        assert seen.state == "critical"
        assert seen.message.startswith(f"127.0.0.1:{port}")
        assert told in seen.message


async def test_a_server_that_hangs_is_an_outage_within_the_time_of_the_look(
    looking: Looking,
) -> None:
    async with name_server(lambda query: None) as port:
        seen = await looking.look(**asked(port, timeout="400ms"))
    assert (seen.state, seen.message) == (
        "critical",
        f"127.0.0.1:{port} did not answer in time; asked for shop.example",
    )
    assert seen.latency_ms < 400
    with closed_port() as port:
        seen = await looking.look("nobody", **asked(port, timeout="200ms"))
    assert seen.state == "critical"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x84",
        b"\x84\x00" + b"\xff" * 300,
        b"\x84\x00\x00\x01\x00\x01\x00\x00\x00\x00\xc0\x0c\x00\x01\x00\x01",
        b"\x84\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05other\x00\x00\x01\x00\x01",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
async def test_rubbish_is_said_to_be_rubbish(looking: Looking, raw: bytes) -> None:
    async with name_server(saying(raw)) as port:
        seen = await looking.look(**asked(port, timeout="2s"))
    assert seen.state == "critical"
    assert seen.message.startswith(f"127.0.0.1:{port} answers with what is no answer: ")
    assert seen.message.endswith("; asked for shop.example")


async def test_an_answer_too_long_for_a_packet_is_fetched_over_tcp(looking: Looking) -> None:
    def cut(query: dns.message.Message) -> bytes:
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.TC
        return reply.to_wire()

    many = [f"A 192.0.2.{n}" for n in range(1, 200)]
    async with name_server(cut, records(*many)) as port:
        seen = await looking.look(**asked(port, expect=["192.0.2.1", "192.0.2.199"]))
    assert seen.state == "ok"


async def test_a_packet_that_is_lost_is_asked_for_again(looking: Looking) -> None:
    lost = [True]

    def answer(query: dns.message.Message) -> bytes | None:
        return None if lost and lost.pop() else records("A 192.0.2.1")(query)

    async with name_server(answer) as port:
        seen = await looking.look(**asked(port, timeout="1s"))
    assert (seen.state, lost) == ("ok", [])


async def test_the_machines_resolvers_are_asked_unless_the_book_names_one(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []

    def system(self: Any, f: Any = "/etc/resolv.conf") -> None:
        self.nameservers, self.port = ["127.0.0.1"], found[-1]

    monkeypatch.setattr("dns.resolver.BaseResolver.read_resolv_conf", system)
    fields = {"kind": "dns", "name": "shop.example", "timeout": "300ms"}
    async with name_server(records("A 192.0.2.1")) as port:
        found.append(port)
        assert (await looking.look(**fields)).state == "ok"
    async with name_server(failing(dns.rcode.SERVFAIL)) as port:
        found.append(port)
        seen = await looking.look()
    assert seen.state == "critical"
    assert seen.message == (
        f"the machine's resolvers say SERVFAIL (127.0.0.1:{port}); asked for shop.example"
    )
    async with name_server(lambda query: None) as port:
        found.append(port)
        seen = await looking.look()
    assert seen.state == "nodata"
    assert "the machine's resolvers did not answer in time" in seen.message


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "a" * 64 + ".example"}, "cannot be asked for"),
        ({"name": "a..b"}, "cannot be asked for"),
        ({"expect": "not-an-address"}, "is no address that A records have"),
        ({"type": "AAAA", "expect": "192.0.2.1"}, "is no address that AAAA records have"),
        ({"answers": "any"}, "nothing is expected"),
        ({"type": "ANY"}, "type"),
    ],
)
async def test_what_cannot_be_asked_is_refused_with_the_book(
    looking: Looking, fields: dict[str, Any], told: str
) -> None:
    with pytest.raises(BookError, match=told):
        await looking.look(**asked(53, **fields))
