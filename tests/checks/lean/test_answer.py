"""Reading answers: whole ones, broken ones, and every one in pieces of any size."""

import contextlib
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.checks.lean import Answer, NoAnswer, Reader
from opsbook.checks.lean.answer import MOST_AROUND

MIB = 1024 * 1024


def read(raw: bytes, *, step: int = 0, most: int = MIB, no_body: bool = False) -> Answer:
    """Feed an answer in pieces of `step` bytes, then let the connection end."""
    reader = Reader(most, no_body=no_body)
    for at in range(0, len(raw), step or len(raw) or 1):
        if reader.feed(raw[at : at + (step or len(raw))]):
            break
    reader.end()
    return reader.answer()


WHOLE = {
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine": (200, "OK", b"fine"),
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine and more": (200, "OK", b"fine"),
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nfine": (200, "OK", b"fine"),
    b"HTTP/1.1 200 OK\r\nContent-Length: 4, 4\r\n\r\nfine": (200, "OK", b"fine"),
    b"HTTP/1.1 200 OK\r\n\r\nto the end": (200, "OK", b"to the end"),
    b"HTTP/1.0 404 Not Found\nServer: old\n\ngone": (404, "Not Found", b"gone"),
    b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n": (200, "", b""),
    b"HTTP/1.1 204 No Content\r\n\r\n": (204, "No Content", b""),
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n": (304, "Not Modified", b""),
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\nnoise": (101, "Switching", b""),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine": (200, "OK", b"fine"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 99\r\n\r\n"
    b"2\r\nfi\r\n2;why=not\r\nne\r\n0\r\n\r\n": (200, "OK", b"fine"),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, Chunked\r\n\r\n4\nfine\n0\nTrailer: x\n\n": (
        200,
        "OK",
        b"fine",
    ),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nraw": (200, "OK", b"raw"),
}


@pytest.mark.parametrize("raw", WHOLE)
@pytest.mark.parametrize("step", [0, 1, 2, 3, 7])
def test_an_answer_is_the_same_in_pieces_of_any_size(raw: bytes, step: int) -> None:
    answer = read(raw, step=step)
    assert (answer.status, answer.reason, answer.body) == WHOLE[raw]
    assert answer.whole


BROKEN = {
    b"": "closed the connection without an answer",
    b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf": "broke off in the middle of its answer",
    b"HTTP/1.1 200 OK\r\nContent-Le": "broke off in the middle of its answer",
    b"HTTP/1.1 100 Continue\r\n\r\n": "broke off in the middle of its answer",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n": "broke off",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfour\r\nfine": "a chunk without a size",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-4\r\nfine": "a chunk without a size",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfine\r\n": "longer than its size",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 9999: "has no end",
    b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n": "says that its answer is '-1' bytes long",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4, 5\r\n\r\n": "'4, 5' bytes long",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n": "both 4 and 5 bytes long",
    b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 99 + b"\r\n\r\n": "bytes long",
    b"HTTP/1.1 200 OK\r\nno header\r\n\r\n": "does not speak HTTP: 'no header' is no header",
    b"HTTP/1.1 2000 OK\r\n\r\n": "does not speak HTTP: it said 'HTTP/1.1 2000 OK'",
    b"HTTP/1.1 099 OK\r\n\r\n": "does not speak HTTP",
    b"SSH-2.0-OpenSSH_9.2\r\n": "does not speak HTTP: it said 'S",
    b"\x15\x03\x01\x00\x02\x02\x46": "does not speak HTTP",
    b"HTTP/2 200\r\n\r\n": "does not speak HTTP",
    b"HTTP/1.1 200 OK\r\nX: " + b"x" * 99_999: "sends more than 64 KiB of headers",
    b"HTTP/1.1 103 Early\r\n\r\n" * 9_999: "sends more than 64 KiB of headers",
}


@pytest.mark.parametrize("raw", BROKEN, ids=lambda raw: repr(raw[:60]))
@pytest.mark.parametrize("step", [0, 1, 5])
def test_what_is_no_answer_is_said_to_be_none_and_why(raw: bytes, step: int) -> None:
    with pytest.raises(NoAnswer) as caught:
        read(raw, step=step)
    assert BROKEN[raw] in caught.value.message


def test_who_does_not_speak_http_is_found_out_before_the_connection_ends() -> None:
    with pytest.raises(NoAnswer, match="does not speak HTTP"):
        Reader(MIB).feed(b"220 mail")


def test_a_body_is_read_so_far_and_no_further() -> None:
    for head in (b"", b"Content-Length: 9000\r\n", b"Transfer-Encoding: chunked\r\n"):
        body = b"2328\r\n" + b"x" * 9000 if b"chunked" in head else b"x" * 9000
        reader = Reader(100)
        assert reader.feed(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n" + body)
        answer = reader.answer()
        assert (answer.body, answer.whole) == (b"x" * 100, False)
    assert read(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100, most=100).whole


def test_chunks_of_one_byte_each_are_not_read_without_end() -> None:
    reader = Reader(MIB)
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    fed, piece = 0, b"1\r\nx\r\n" * 10_000
    while not reader.feed(piece):
        fed += len(piece)
    assert fed <= 6 / 5 * MOST_AROUND
    assert not reader.answer().whole


def test_a_large_body_in_usual_chunks_is_read_as_far_as_any() -> None:
    reader = Reader(MIB)
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    whole = (b"100\r\n" + b"x" * 256 + b"\r\n") * 4096 + b"0\r\n\r\n"
    for at in range(0, len(whole), 256 * 1024):
        reader.feed(whole[at : at + 256 * 1024])
    assert reader.done
    assert reader.answer().whole
    assert reader.answer().body == b"x" * MIB


def test_an_answer_to_head_has_no_body_whatever_it_says() -> None:
    answer = read(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", no_body=True)
    assert (answer.status, answer.body) == (200, b"")


def test_headers_are_found_by_any_spelling_and_folded_ones_are_one() -> None:
    answer = read(b"HTTP/1.1 200 OK\r\nX-One : a\r\n\tb\r\nSet-Cookie: 1\r\nset-cookie: 2\r\n\r\n")
    assert answer.header("x-one") == "a b"
    assert [value for name, value in answer.headers if name == "set-cookie"] == ["1", "2"]
    assert answer.header("absent") is None


def test_a_compressed_body_stays_as_it_was_sent() -> None:
    packed = gzip.compress(b"0" * MIB)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"
    assert read(head + packed).body == packed


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_whatever_bytes_come_the_outcome_is_an_answer_or_none(pieces: list[bytes]) -> None:
    for begun in (
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ):
        reader = Reader(1000)
        with contextlib.suppress(NoAnswer):
            reader.feed(begun)
            for piece in pieces:
                if reader.feed(piece):
                    break
            reader.end()
            assert 100 <= reader.answer().status <= 999
            assert len(reader.answer().body) <= 1000


@given(st.binary(max_size=3000), st.lists(st.integers(1, 700), min_size=1), st.integers(1, 40))
def test_a_body_in_chunks_is_the_body(body: bytes, sizes: list[int], step: int) -> None:
    raw, left, n = b"", body, 0
    while left:
        piece, left = left[: sizes[n % len(sizes)]], left[sizes[n % len(sizes)] :]
        raw += b"%x\r\n%s\r\n" % (len(piece), piece)
        n += 1
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert read(head + raw + b"0\r\n\r\n", step=step).body == body
