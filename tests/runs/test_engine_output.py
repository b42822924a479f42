"""Output on its way to the journal: whatever the pieces, the same text, and no secret in it."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from opsbook.base.secrets import mask
from opsbook.runs.masking import Masker
from opsbook.runs.output import Recorder

SECRETS = ("password", "password123", "ab cd&ef", "줄\n바꿈 비밀")
PARTS = (*SECRETS, "passw", "ord", "pass", "123", " ", "ab", "YWIgY2QmZWY", "끝", "%20")
texts = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


def pieces(text: str, cuts: list[int]) -> list[str]:
    marks = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(marks)]


@given(texts, st.lists(st.integers(0, 200), max_size=6))
def test_masking_in_pieces_hides_what_masking_at_once_hides(text: str, cuts: list[int]) -> None:
    masker = Masker(SECRETS)
    shown = "".join(masker.feed(piece) for piece in pieces(text, cuts)) + masker.close()
    assert shown == mask(text, SECRETS)


def test_nothing_is_held_back_that_cannot_become_a_secret() -> None:
    masker = Masker(SECRETS)
    assert masker.feed("ready? ") == "ready? "
    assert masker.feed("pass") == ""
    assert masker.feed("port") == "passport"


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_any_bytes_become_text_that_can_be_stored(data: bytes, cuts: list[int]) -> None:
    recorder, at, told = Recorder(()), 0, []
    for cut in [*sorted(cut % (len(data) + 1) for cut in cuts), len(data)]:
        recorder.feed(data[at:cut])
        at = cut
        told += recorder.take().texts
    told += recorder.close().texts
    text = "".join(piece for _, piece in told)
    assert text == data.decode("utf-8", "surrogateescape").translate(
        dict.fromkeys([0, *range(0xDC80, 0xDD00)], "\N{REPLACEMENT CHARACTER}")
    )
    assert "\0" not in text
    end = 0
    for start, piece in told:
        assert start == end
        end += len(piece.encode())


@given(
    st.lists(st.sampled_from(["password", "한글", "x\n", "pass", "\xff"]), max_size=30),
    st.integers(0, 200),
)
def test_a_new_server_goes_on_where_the_stored_pieces_end(words: list[str], cut: int) -> None:
    data = "".join(words).encode("utf-8").replace("\xff".encode(), b"\xff")
    cut %= len(data) + 1
    whole = Recorder(SECRETS)
    whole.feed(data)
    first = Recorder(SECRETS)
    first.feed(data[:cut])
    kept = first.take()
    end = sum(len(text.encode()) for _, text in kept.texts)
    second = Recorder(SECRETS, start=end, raw=kept.raw)
    second.feed(data[kept.raw :])
    both = "".join(text for _, text in [*kept.texts, *second.close().texts])
    assert both == "".join(text for _, text in whole.close().texts)


def test_of_a_flood_the_beginning_and_the_end_are_kept_without_half_a_secret() -> None:
    recorder = Recorder(SECRETS, head=100, tail=200)
    flood = b"first line\n" + b"password123" * 100 + b"\nlast line\n"
    for at in range(0, len(flood), 37):
        recorder.feed(flood[at : at + 37])
    text = "".join(piece for _, piece in recorder.close().texts)
    assert text.startswith("first line\n••••")
    assert text.endswith("last line\n")
    assert f"[opsbook: {recorder.dropped} bytes left out here]" in text
    assert "word" not in text
    assert "123" not in text.split("]")[1]


def test_what_just_fits_is_not_cut() -> None:
    recorder = Recorder((), head=10, tail=10)
    recorder.feed("0123456789가나다".encode())
    assert recorder.dropped == 0
    assert "".join(piece for _, piece in recorder.close().texts) == "0123456789가나다"
