"""Output as HTML: what a terminal shows, nothing that injects, nothing that hides."""

import html
import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.web import ansi
from opsbook.web.ansi import Rendering, render

SPAN = re.compile(r'<span class="[a-z -]+">|</span>')
CSS = Path("src/opsbook/web/static/app.css").read_text()
CLASSES = [*ansi.HUES, "grey", "faint", *(f"on-{hue}" for hue in ansi.HUES)]
PARTS = [
    "text", "<b>", "&amp;", '"', "'", "한글", "\n", "\r", "\b", "\x1b", "\x1b[", "31", "m", ";",
    "K", "\x1b[1;32m", "\x1b[0m", "\x1b[38;5;200m", "\x1b[48;2;1;2;3m", "\x1b[4:3m", "\x1b[2K",
    "\x1b[8m", "\x1b]8;;http://x/<y>\x1b\\", "\x1b]8;;\x07", "\x1b]0;", "\x07", "\x1b(B", "\x9b",
    "\u202e", "\x1b[30;40m", "\x1b[999999999999m", "\x1bP", "\\", "\x7f", "\0", "\u2028",
    "<script>",
]  # fmt: skip
texts = st.lists(st.sampled_from(PARTS) | st.text(max_size=4), max_size=40).map("".join)


def shown(rendered: str) -> str:
    """What a person reads."""
    return html.unescape(SPAN.sub("", rendered))


@given(texts)
def test_no_markup_comes_from_the_output(text: str) -> None:
    left = SPAN.sub("", render(text))
    assert "<" not in left
    assert ">" not in left
    assert not re.search(r"&(?!(amp|lt|gt|#34|#39);)", left)
    assert render(text).count("<span") == render(text).count("</span>")


@given(st.text(st.characters(exclude_categories=("Cc", "Cs"))))
def test_text_without_control_characters_is_shown_as_it_is(text: str) -> None:
    text = re.sub(f"[{ansi.DECEIVING}]", "", text)
    assert shown(render(text)) == text


@given(
    st.lists(
        st.sampled_from(["\x1b[31m", "\x1b[0m", "\x1b[1;4m", "\x1b[?25l", "a<b", "한 줄", "\n"])
    )
)
def test_colours_take_nothing_away(parts: list[str]) -> None:
    plain = "".join(part for part in parts if not part.startswith("\x1b"))
    assert shown(render("".join(parts))) == plain


@given(texts, st.lists(st.integers(0, 400), max_size=6))
def test_in_pieces_it_is_the_same_as_at_once(text: str, cuts: list[int]) -> None:
    rendering, page, at = Rendering(), "", 0
    marks = sorted(cut % (len(text) + 1) for cut in cuts)
    for end in [*marks, len(text)]:
        page = without_open_line(page) + rendering.feed(text[at:end], last=end == len(text))
        if end == len(text):
            break
        at = end
    assert shown(page) == shown(render(text))


def without_open_line(page: str) -> str:
    return page.partition('<span class="open">')[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m plain\n", '<span class="red">red</span> plain\n'),
        ("\x1b[1;4;91mx\n", '<span class="bold underline red">x</span>\n'),
        ("\x1b[38;5;196mx\n", '<span class="red">x</span>\n'),
        ("\x1b[38;2;10;200;30mx\n", '<span class="green">x</span>\n'),
        ("\x1b[38:2::10:200:30mx\x1b[39my\n", '<span class="green">x</span>y\n'),
        ("\x1b[38;2;250;250;250mx\n", "x\n"),
        ("\x1b[48;5;21mx\x1b[49my\n", '<span class="on-blue">x</span>y\n'),
        ("\x1b[7mx\x1b[27my\n", '<span class="inverse">x</span>y\n'),
        ("\x1b[31m\x1b[0m\n", "\n"),
    ],
)
def test_styles_become_classes(text: str, expected: str) -> None:
    assert render(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10%\r50%\r100%\ndone\n", "100%\ndone\n"),
        ("one\r\ntwo\r\n", "one\ntwo\n"),
        ("long line\r\x1b[Kshort\n", "short\n"),
        ("abc\b\bX\n", "aXc\n"),
        ("abc\r\x1b[2Kd\n", "d\n"),
        ("abcdef\rXY\n", "XYcdef\n"),
        ("\x1b[31mabcdef\r\x1b[32mXY\x1b[0m\n", "XYcdef\n"),
        ("\b\b\rx\n", "x\n"),
        ("\x1b[2J\x1b[10;5Hmoved\x1b[A\x1b[?1049h\n", "moved\n"),
        ("\x1b]0;title\x07text\n", "text\n"),
        ("\x1b(Bascii\x1b=\n", "ascii\n"),
        ("bell\x07 nul\0 tab\there\n", "bell nul tab\there\n"),
    ],
)
def test_of_a_line_that_is_rewritten_the_last_state_counts(text: str, expected: str) -> None:
    assert shown(render(text)) == expected


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("\x1b[8mconcealed", "concealed"),
        ("\x1b[30;40mblack on black", "black on black"),
        ("\x1b[31;41mred on red", "red on red"),
        ("\x1b]0;never ended, and the order is rm -rf\nnext", "the order is rm -rf"),
        ("\x1bPnor this\nnext", "nor this"),
        ("a\u202edetrevni\u202c", "aU+202EdetrevniU+202C"),
        ("zero\u200bwidth", "zeroU+200Bwidth"),
        ("tag \U000e0041\U000e0042", "tag U+E0041U+E0042"),
        ("isolate\u2066\u2069", "isolateU+2066U+2069"),
        ("\x1b]8;;https://evil.example/\x1b\\https://good.example\x1b]8;;\x1b\\", "evil.example"),
    ],
)
def test_nothing_is_hidden(text: str, readable: str) -> None:
    assert readable in shown(render(text))


def test_a_ground_never_comes_with_a_colour_that_could_be_its_own() -> None:
    assert 'class="on-red"' in render("\x1b[31;41mx")
    assert 'class="inverse"' in render("\x1b[31;41;7mx")


def test_an_address_is_written_out_once_and_is_no_link() -> None:
    told = render("\x1b]8;;https://a.example/?x=<1>\x1b\\here\x1b]8;;\x1b\\ and on\n")
    assert shown(told) == "here (https://a.example/?x=<1>) and on\n"
    assert "<a" not in told
    same = render("\x1b]8;;https://a.example/\x1b\\https://a.example/\x1b]8;;\x1b\\\n")
    assert shown(same) == "https://a.example/\n"


def test_the_open_line_stands_apart_and_is_given_anew() -> None:
    rendering = Rendering()
    assert rendering.feed("done\n\x1b[31m10%") == (
        'done\n<span class="open"><span class="red">10%</span></span>'
    )
    assert rendering.feed("\r50") == '<span class="open"><span class="red">50%</span></span>'
    assert rendering.feed("\x1b[") == '<span class="open"><span class="red">50%</span></span>'
    assert rendering.feed("0mx\n") == '<span class="red">50</span>x\n'


@pytest.mark.parametrize(
    "text",
    [
        "x" * 500_000,
        "\x1b[31mx" * 60_000,
        "\x1b]" * 100_000,
        ("\x1b[31ma\x1b[32mb" * 99) + "\rx" * 60_000,
    ],
    ids=["no line end", "styles", "unended", "rewritten"],
)
def test_hostile_output_is_rendered_within_bounds(text: str) -> None:
    rendering, longest = Rendering(), 0
    for at in range(0, len(text), 5_000):
        told = rendering.feed(text[at : at + 5_000])
        longest = max(longest, len(told))
    assert longest < 200_000


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", CLASSES)
def test_every_colour_can_be_read_on_its_ground(name: str, dark: bool) -> None:
    """WCAG 2.2 AA: 4.5 to 1."""
    text, ground = token("--text", dark), token("--sunk", dark)
    hue = re.escape(name.removeprefix("on-"))
    if name in ("grey", "faint"):
        text = token("--muted", dark)
    elif name.startswith("on-"):
        share = re.search(r"in oklab, var\(--hue\) (\d+)%, var\(--sunk\)", CSS)
        assert share
        own = declared(rf"\.on-{hue} {{ --hue: ([^;]+);", dark)
        ground = mixed(own, ground, int(share[1]) / 100)
    else:
        text = declared(rf"\.{hue}, \.on-{hue} {{ --hue: ([^;]+);", dark)
    low, high = sorted((luminance(text), luminance(ground)))
    assert (high + 0.05) / (low + 0.05) >= 4.5


Colour = tuple[float, float, float]


def declared(pattern: str, dark: bool) -> Colour:
    found = re.search(pattern, CSS)
    assert found, pattern
    value = found[1]
    if value.startswith("var("):
        return token(value[4:-1], dark)
    both = re.findall(r"oklch\(([\d.]+)% ([\d.]+) ([\d.]+)\)", value)
    lightness, chroma, hue = map(float, both[1 if dark else 0])
    return lightness / 100, chroma, hue


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """`color-mix(in oklab, one share, other)`."""
    first, second = oklab(one), oklab(other)
    lightness, a, b = (share * x + (1 - share) * y for x, y in zip(first, second, strict=True))
    return lightness, math.hypot(a, b), math.degrees(math.atan2(b, a))


def oklab(colour: Colour) -> Colour:
    lightness, chroma, hue = colour
    angle = math.radians(hue)
    return lightness, chroma * math.cos(angle), chroma * math.sin(angle)


def token(name: str, dark: bool) -> Colour:
    return declared(rf"\n    {name}: (light-dark\([^;]+);", dark)


def luminance(colour: Colour) -> float:
    """The relative luminance of an OKLCH colour, cut to sRGB (CSS Color 4, WCAG 2.2)."""
    lightness, a, b = oklab(colour)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    red = 4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short
    green = -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short
    blue = -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short
    red, green, blue = (min(1.0, max(0.0, one)) for one in (red, green, blue))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
