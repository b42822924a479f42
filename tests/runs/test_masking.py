"""Every form in which programs write a secret is hidden, whatever the pieces it arrives in."""

import base64
import binascii
import html
import itertools
import json
import re
import shlex
import subprocess
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsbook.base import secrets
from opsbook.base.secrets import HIDDEN, mask
from opsbook.runs.masking import Masker
from opsbook.runs.output import Recorder
from tests.support.leaks import shows

PLAIN = "tok-9f3A7c21Zx"
ODD = "p&ss \"w/ö'rd\\<$x>\t%1"
KEY = """-----BEGIN PRIVATE KEY-----
MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj
MzEfYyjiWA4R4/M2bS1GB4t7NXp98C3SC6dVMvDuictGeurT8jNbvJZHtCSuYEvu
short
-----END PRIVATE KEY-----
"""
SECRETS = (PLAIN, ODD, KEY)


def go_json(value: str) -> str:
    told = json.dumps(value, ensure_ascii=False)
    return "".join(f"\\u{ord(one):04x}" if one in "<>&" else one for one in told)


FORMS = {
    "as it is": lambda value: value,
    "JSON": json.dumps,
    "JSON that is not ASCII": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON of PHP": lambda value: json.dumps(value).replace("/", "\\/"),
    "JSON of Go": go_json,
    "JSON in JSON": lambda value: json.dumps(json.dumps({"key": value})),
    "an address": lambda value: f"https://host/?q={quote(value, safe='')}&x=1",
    "a path": lambda value: f"https://host/{quote(value)}/x",
    "a form": lambda value: f"user=me&password={quote_plus(value)}&x=1",
    "an address in lower case": lambda value: re.sub(
        "%..", lambda found: found[0].lower(), quote(value, safe="")
    ),
    "an address of JavaScript": lambda value: quote(value, safe="!'()*~"),
    "a shell's word": shlex.quote,
    "a quoted shell's word": lambda value: "'" + value.replace("'", "'\\''") + "'",
    "HTML": html.escape,
    "HTML of Jinja": lambda value: (
        html.escape(value).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    ),
    "XML": lambda value: html.escape(value).replace("&#x27;", "&apos;"),
    "Python": repr,
    "Python's bytes": lambda value: repr(value.encode()),
    "hexadecimal": lambda value: value.encode().hex(),
    "hexadecimal in capitals": lambda value: value.encode().hex().upper(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 for addresses": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64 of a line": lambda value: base64.b64encode(f"{value}\n".encode()).decode(),
    "base64 with lines": lambda value: base64.encodebytes(f"user:{value}".encode()).decode(),
    "base64 behind one": lambda value: base64.b64encode(f"u{value} and more".encode()).decode(),
    "base64 behind two": lambda value: base64.b64encode(f"u:{value} and more".encode()).decode(),
    "base64 behind three": lambda value: base64.b64encode(f"us:{value} and".encode()).decode(),
    "a header": lambda value: (
        f"Authorization: Basic {base64.b64encode(f'admin:{value}'.encode()).decode()}"
    ),
    "hexadecimal with lines": lambda value: "\n".join(
        binascii.hexlify(f"some words before it {value}".encode()).decode()[at : at + 60]
        for at in range(0, 1200, 60)
    ),
}


@pytest.mark.parametrize("value", [PLAIN, ODD], ids=["a plain one", "an odd one"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_form_is_hidden_at_once_and_character_by_character(form, value):
    text = f"before {form(value)} after\n"
    shown = mask(text, SECRETS)
    assert HIDDEN in shown
    assert not shows(shown, value)
    assert shown.startswith("before ")
    assert shown.endswith(" after\n")
    masker = Masker(SECRETS)
    assert "".join(map(masker.feed, text)) + masker.close() == shown


def test_a_form_in_base64_loses_no_more_than_the_characters_it_shares():
    around = base64.b64encode(
        b"the user is admin:" + PLAIN.encode() + b" and that was all"
    ).decode()
    shown = mask(around, SECRETS)
    before, after = shown.split(HIDDEN)
    assert len(around) - len(before) - len(after) >= len(PLAIN) * 8 // 6 - 1
    assert base64.b64decode(before[: len(before) // 4 * 4]).startswith(b"the user is admin"[:15])


def test_a_key_is_hidden_line_by_line_and_the_lines_around_it_are_not():
    first, second = KEY.splitlines()[1:3]
    shown = mask(
        f"  key: |\n    {first}\n    {second}\nshort -----BEGIN PRIVATE KEY-----\n", SECRETS
    )
    assert shown == f"  key: |\n    {HIDDEN}\n    {HIDDEN}\nshort -----BEGIN PRIVATE KEY-----\n"
    assert mask(KEY, SECRETS).strip() == HIDDEN


def test_of_two_that_begin_alike_no_end_is_left():
    assert mask("password password123 pass", ["password", "password123"]) == (
        f"{HIDDEN} {HIDDEN} pass"
    )


def test_what_is_shorter_than_six_characters_is_shown():
    assert mask("12345 123456", ["12345", "123456"]) == f"12345 {HIDDEN}"


def test_an_address_gives_its_password_and_its_tokens_away_but_not_its_host():
    address = "mailtos://relay%40x:s3cr%2Ft-pass@smtp.example.com?to=ops@example.com"
    assert secrets.inside(address) == {"s3cr%2Ft-pass", "s3cr/t-pass"}
    token = "123456789:AAE9f3A7c21Zx_kkQ0pLmN"
    assert secrets.inside(f"tgram://{token}/-100200300400500") == {"AAE9f3A7c21Zx_kkQ0pLmN"}


def test_what_a_real_shell_prints_of_it_is_hidden():
    script = (
        'set -x; : "$S"; printf "%q\\n" "$S"; declare -p S; printf %s "$S" | base64;'
        'printf "user:%s" "$S" | base64 -w0; echo; printf %s "$S" | od -An -tx1 | tr -d " "'
    )
    for value in (PLAIN, "p&ss \"w/ö'rd\\<$x>%1"):
        done = subprocess.run(
            ["bash", "-c", script], env={"S": value, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True,
        )  # fmt: skip
        shown = mask(done.stdout.decode(), [value])
        assert not shows(shown, value)
        assert shown.count(HIDDEN) >= 7, shown


parts = st.sampled_from([*SECRETS, *(form(PLAIN) for form in FORMS.values()), PLAIN[:7], PLAIN[7:],
                         "dG9rLTlm", "\n", " ", "끝", "%20", KEY[28:60]])  # fmt: skip


@given(st.lists(parts, max_size=8).map("".join), st.lists(st.integers(0, 400), max_size=8))
def test_in_pieces_the_same_is_hidden_as_at_once(text, cuts):
    marks = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    masker = Masker(SECRETS)
    told = [masker.feed(text[a:b]) for a, b in itertools.pairwise(marks)]
    shown = "".join(told) + masker.close()
    assert shown == mask(text, SECRETS)
    assert not shows(shown, PLAIN) or PLAIN[:7] + PLAIN[7:] not in text


def written(recorder: Recorder) -> str:
    return "".join(text for _, text in recorder.close().texts)


@given(st.integers(0, 200), st.binary(max_size=4), st.binary(max_size=4), st.integers(0, 120))
def test_neither_odd_bytes_nor_the_border_of_head_and_tail_show_a_part(cut, before, after, more):
    data = b"x" * 40 + before + b" " + PLAIN.encode() + b" " + after + b"y" * more
    recorder = Recorder(SECRETS, head=60, tail=80)
    cut %= len(data) + 1
    recorder.feed(data[:cut])
    recorder.feed(data[cut:])
    shown = written(recorder)
    assert PLAIN not in shown
    assert PLAIN[:8] not in shown
    assert PLAIN[-8:] not in shown


@given(st.integers(1, len(PLAIN) - 1), st.integers(0, 90), st.booleans())
def test_a_gap_that_cuts_a_secret_in_two_shows_neither_half(at, before, far):
    """What the supervisor passes over when the server reads too slowly may begin anywhere."""
    recorder = Recorder(SECRETS, head=100, tail=4000)
    recorder.feed(b"z" * before + b"one " + PLAIN[:at].encode())
    recorder.feed(b"\n[opsbook: 5000 bytes left out here]\n")
    recorder.feed(PLAIN[at:].encode() + b"\n" + b"line\n" * (900 if far else 300))
    shown = written(recorder)
    for half in (PLAIN[:at], PLAIN[at:]):
        assert len(half) < 4 or half not in shown
    assert shown.endswith("line\n")
    assert recorder.dropped > 0


def test_fifty_secrets_do_not_slow_a_flood_down():
    """A ratio of one run, so that a slow machine is no failure: ten times as many secrets cost
    nothing like ten times as much, which trying each form in turn would."""
    values = [base64.b64encode(bytes([n, 7 * n % 251, 3] * 6)).decode() for n in range(50)]
    line = "2026-03-03T09:00:00Z INFO the request for /api/v1/orders took 35ms\n"
    text = line * (4_000_000 // len(line))

    def took(some: list[str]) -> float:
        masker = Masker(some)
        started = time.perf_counter()
        for at in range(0, len(text), 65536):
            masker.feed(text[at : at + 65536])
        return time.perf_counter() - started

    assert took(values) < 4 * max(took(values[:5]), 0.005)
