"""Echo requests on the loopback, and what is said where they may not be sent."""

import errno
import socket
import struct
from typing import Any

import pytest

from opsbook.book import BookError
from opsbook.checks.kinds import icmp
from tests.checks.making import Looking


def permitted(family: socket.AddressFamily) -> bool:
    try:
        opened, _ = icmp._opened(family)
    except (icmp.CannotLook, OSError):
        return False
    opened.close()
    return True


def needs_echo(family: socket.AddressFamily = socket.AF_INET) -> None:
    if not permitted(family):
        pytest.skip("echo requests may not be sent here: see net.ipv4.ping_group_range")


@pytest.mark.parametrize(
    ("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
)
async def test_the_machine_itself_answers(
    looking: Looking, host: str, family: socket.AddressFamily
) -> None:
    needs_echo(family)
    seen = await looking.look(kind="icmp", host=host, count=2, timeout="2s")
    assert (seen.state, seen.unit) == ("ok", "ms"), seen.message
    assert seen.value is not None
    assert 0 < seen.value < 1000
    assert seen.message.startswith(f"{host} answered 2 of 2 echo requests, in ")
    seen = await looking.look("loss", kind="icmp", host=host, count=1, measure="loss")
    assert (seen.state, seen.value, seen.unit) == ("ok", 0.0, "%")


async def test_what_is_not_answered_is_lost_within_the_time_of_the_look(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel answers each request on the loopback, so some are not let through to it."""
    needs_echo()
    real, kept = icmp._Echo._send, {0, 2}

    def some(self: Any, number: int) -> None:
        if number in kept:
            real(self, number)

    monkeypatch.setattr(icmp._Echo, "_send", some)
    fields = {"kind": "icmp", "host": "127.0.0.1", "count": 4, "timeout": "300ms"}
    bands = {"warning": "> 20%", "critical": "> 60%"}
    seen = await looking.look("loss", **fields, measure="loss", bands=bands)
    assert (seen.state, seen.value) == ("warning", 50.0)
    assert seen.message.startswith("127.0.0.1 answered 2 of 4 echo requests")
    assert seen.latency_ms < 300
    seen = await looking.look("time", **fields)
    assert (seen.state, seen.value is not None) == ("ok", True)
    kept.clear()
    seen = await looking.look("time", **fields)
    assert (seen.state, seen.value) == ("critical", None)
    assert seen.message == "127.0.0.1 answered 0 of 4 echo requests"
    seen = await looking.look("loss")
    assert (seen.state, seen.value) == ("critical", 100.0)


async def test_where_it_is_not_permitted_the_setting_is_named(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any) -> socket.socket:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("opsbook.checks.kinds.icmp.socket.socket", refused)
    seen = await looking.look(kind="icmp", host="127.0.0.1")
    assert (seen.state, seen.value) == ("nodata", None)
    assert "net.ipv4.ping_group_range" in seen.message
    assert "CAP_NET_RAW" in seen.message


async def test_a_raw_socket_serves_where_the_other_is_not_permitted(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.socket
    try:
        real(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    except PermissionError:
        pytest.skip("a raw socket may not be opened here: it takes CAP_NET_RAW")

    def raw_only(family: int, kind: int, protocol: int) -> socket.socket:
        if kind != socket.SOCK_RAW:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(family, kind, protocol)

    monkeypatch.setattr("opsbook.checks.kinds.icmp.socket.socket", raw_only)
    for host in ("127.0.0.1", "::1"):
        seen = await looking.look(host.replace(":", "x"), kind="icmp", host=host, count=2)
        assert (seen.state, seen.unit) == ("ok", "ms"), seen.message


async def test_two_looks_at_once_do_not_take_each_others_answers(looking: Looking) -> None:
    needs_echo()
    one, other = (icmp._Echo(socket.AF_INET, ("127.0.0.1", 0)) for _ in range(2))
    try:
        assert len(await one.asked(2, 1.0)) == 2
        assert other._took == {}
        assert len(await other.asked(1, 1.0)) == 1
    finally:
        one.close()
        other.close()


def test_a_request_and_its_answer_are_those_of_the_standard() -> None:
    token = bytes(range(24))
    packet = icmp.request(False, 7, 3, token)
    assert packet[:2] == b"\x08\x00"
    assert sum(struct.unpack(f"!{len(packet) // 2}H", packet)) % 0xFFFF == 0
    answer = b"\0\0" + packet[2:]
    assert icmp.answered(answer, False, False, token) == 3
    assert icmp.answered(b"\x45" + bytes(19) + answer, False, True, token) == 3
    assert icmp.answered(packet, False, False, token) == -1  # our own question
    assert icmp.answered(answer, False, False, bytes(24)) == -1
    six = icmp.request(True, 7, 9, token)
    assert six[:4] == b"\x80\0\0\0"
    assert icmp.answered(b"\x81" + six[1:], True, True, token) == 9
    for short in (b"", b"\x45", b"\x4f" * 30, b"\0" * 8):
        assert icmp.answered(short, False, True, token) == -1


@pytest.mark.parametrize("fields", [{"count": 0}, {"count": 21}, {"measure": "jitter"}])
async def test_what_makes_no_sense_is_refused_with_the_book(
    looking: Looking, fields: dict[str, Any]
) -> None:
    with pytest.raises(BookError, match=next(iter(fields))):
        await looking.look(kind="icmp", host="127.0.0.1", **fields)
