"""Secrets are references, resolved at the last moment and masked wherever text leaves us.

Masking is best effort: it finds a value in the forms that programs write it in (`spellings`). A
program that prints a secret backwards is not caught, and the documentation says so.

Fifty secrets have thousands of forms, and a step may write as fast as a disk takes it: `Sought`
looks for all of them at once.
"""

from __future__ import annotations

import base64
import bisect
import functools
import html
import itertools
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

from opsbook.base.errors import Invalid

HIDDEN: Final = "••••"
SHORTEST: Final = 6
"""Characters. A shorter value is not masked: it would be found in half of all words."""

LEAST_TELLING: Final = 16
"""Characters. How long a line's value is at least that is taken for a secret by itself."""

_SHARED: Final = 4
"""By how many of its first characters a form is found; a line break comes after them or before."""

_NARROWEST: Final = 16
"""How many characters a line of something encoded has at least."""

_BREAK: Final = re.compile(r"\r?\n|\r\Z")

_ARMOUR: Final = re.compile(r"-{3,}.*-{3,}")
_TOKEN: Final = re.compile(r"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9_~+-]{16,}")
_URI_COMPONENT: Final = "!'()*"
_URI: Final = _URI_COMPONENT + ";,/?:@&=+$#"


class SecretMissing(Invalid):
    """A secret that the book refers to is not there."""


def resolve(reference: str) -> str:
    """Return the value behind ``env:NAME`` or ``file:/path``.

    Raises:
        SecretMissing: nothing is there; the message names the reference, never a value.
    """
    kind, _, rest = reference.partition(":")
    if kind == "env" and rest in os.environ:
        return os.environ[rest]
    if kind == "file":
        try:
            return Path(rest).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SecretMissing(
                f"The secret {reference} cannot be read: {error}.",
                remedy="Create the file, readable by the server's user alone.",
            ) from None
    if kind == "env":
        raise SecretMissing(
            f"The secret {reference} is not set.",
            remedy=f"Set the environment variable {rest} before `opsbook up`.",
        )
    raise SecretMissing(
        f"The secret reference {reference!r} is of no known form.",
        remedy="Write env:NAME or file:/path.",
    )


def fault(reference: str) -> str:
    """Return why nothing can be had from a reference now; an empty text where something can.

    Looks without reading: of a pipe that a service manager handed us there is only one reading.
    """
    kind, _, rest = reference.partition(":")
    if kind == "env":
        value = os.environ.get(rest)
        if value is None:
            return "it is not set"
        return "" if value.strip() else "it is empty"
    try:
        found = Path(rest).stat()
    except (OSError, ValueError) as error:
        return f"it cannot be read: {getattr(error, 'strerror', None) or error}"
    if stat.S_ISDIR(found.st_mode):
        return "it is a folder"
    if not os.access(rest, os.R_OK):
        return "it cannot be read: Permission denied"
    return "it is empty" if stat.S_ISREG(found.st_mode) and not found.st_size else ""


def inside(address: str) -> set[str]:
    """Return what in a URL is secret by itself: its password, and parts that look like tokens.

    A program that is handed the URL prints its parts. Hosts and names of people are not hidden, or
    half of each output would be.
    """
    try:
        found = urlsplit(address)
        password = found.password or ""
    except ValueError:
        return set()
    rest = address.partition("://")[2]
    tokens = {part for part in re.split(r"[/?&=@:#,;]+", rest) if _TOKEN.fullmatch(part)}
    return {one for part in {password, *tokens} for one in (part, unquote(part)) if one}


def telling(secret: str) -> Iterator[str]:
    """A secret, and those parts of it that give it away by themselves.

    Of a header also what follows its scheme, as in ``Bearer …``; of several lines the values of
    `LEAST_TELLING` characters and more.
    """
    yield secret
    lines = secret.splitlines()
    if len(lines) == 1 and len(words := secret.split()) == 2:
        yield words[1]
    for line in lines if len(lines) > 1 else ():
        value = line.rpartition(": ")[2].strip().strip("\"'")
        if len(value) >= LEAST_TELLING and not any(one in value for one in (" ", "://")):
            yield value


# ---- how a value is written ---------------------------------------------------------------------


def forms(value: str) -> set[str]:
    """Return the ways in which a value commonly appears in text, but for line breaks in them."""
    return set(spellings(value)) | set(encodings(value))


def spellings(value: str) -> Iterator[str]:
    """A value as it is, and escaped for JSON, for addresses, for shells, for HTML, for Python.

    Of each the variants that programs differ in: what JSON writes as ``\\u00e9`` or leaves, the
    ``\\/`` of PHP, the ``\\u003c`` of Go; ``%2F`` and ``%2f``; a space as ``%20`` and as ``+``.
    """
    # Bytes that are no UTF-8 reach us as lone surrogates: no program writes those escaped.
    fit = value.encode("utf-8", "replace").decode()
    yield value
    for ascii_only in (True, False):
        told = json.dumps(fit, ensure_ascii=ascii_only)[1:-1]
        yield told
        yield told.replace("/", "\\/")
        yield json.dumps(told, ensure_ascii=ascii_only)[1:-1]  # JSON inside of JSON: a log's line
        for signs in ("<>&", "'"):
            for sign in signs:
                told = told.replace(sign, f"\\u{ord(sign):04x}")
            yield told
            yield re.sub(r"\\u[0-9a-f]{4}", lambda found: "\\u" + found[0][2:].upper(), told)
    for safe in ("", "/", _URI_COMPONENT, _URI):
        for told in (quote(fit, safe=safe), quote_plus(fit, safe=safe)):
            yield told
            yield re.sub("%..", lambda found: found[0].lower(), told)
    yield html.escape(fit, quote=False)
    yield html.escape(fit)
    yield html.escape(fit).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    yield html.escape(fit).replace("&#x27;", "&apos;")
    yield fit.replace("'", "'\"'\"'")
    yield fit.replace("'", "'\\''")
    yield re.sub(r'([\\"$`])', r"\\\1", fit)
    yield re.sub(r"([^\w@%+=:,./-])", r"\\\1", fit)
    yield fit.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t")
    yield repr(fit)[1:-1]
    yield ascii(fit)[1:-1]
    yield repr(fit.encode())[2:-1]
    yield fit.replace("'", "''")  # SQL and YAML
    yield fit.replace('"', '""')  # CSV


def encodings(value: str) -> Iterator[str]:
    """A value in base64 and in hexadecimal: what tools break into lines.

    Base64 packs three bytes into four characters, so inside of a longer text (``user:password`` in
    a header) a value has one of three shapes, by where it begins. Only characters that are the
    value's alone are looked for; the one at each end that it shares with its neighbours is not,
    which gives away four bits at most.
    """
    plain = value.encode("utf-8", "surrogateescape")
    yield plain.hex()
    yield plain.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(plain).decode().rstrip("=")
        for before in range(3):
            told = encode(b"\0" * before + plain + b"\0" * 2).decode()
            yield told[-(-8 * before // 6) : 8 * (before + len(plain)) // 6]


def parts(value: str) -> Iterator[str]:
    """A value, and each line of one that has several: a key is printed line by line, indented.

    The lines around a key (``-----BEGIN …-----``) are no secret.
    """
    yield value
    if "\n" in value.strip():
        yield from (
            line.strip() for line in value.splitlines() if not _ARMOUR.fullmatch(line.strip())
        )


# ---- looking for it -----------------------------------------------------------------------------


class Sought:
    """Every form of some values, made ready to be looked for.

    One expression finds the places where the first `_SHARED` characters of any form stand; what
    follows there is compared form by form, the longest first, so that of two secrets that begin
    alike no end is left over. An expression of all the forms would find the same, and take seconds
    to be made, for every run that has a secret of its own.
    """

    def __init__(self, values: Iterable[str]) -> None:
        whole: set[str] = set()
        broken: set[str] = set()
        for value in {part for one in values for part in parts(one)}:
            if len(value) >= SHORTEST:
                whole.update(one for one in spellings(value) if len(one) >= SHORTEST)
                broken.update(one for one in encodings(value) if len(one) >= SHORTEST)
        # What is left of one whose first characters stand at the end of the line before.
        broken |= {
            one[at:] for one in broken if len(one) >= 3 * SHORTEST for at in range(1, _SHARED)
        }
        self._found = _by_beginning(whole), _by_beginning(broken)
        self._sorted = sorted(whole), sorted(broken)
        self._starts = {one[:size] for one in whole | broken for size in range(1, _SHARED + 1)}
        beginnings = {one[:_SHARED] for one in whole | broken}
        self._pattern = re.compile(_alternatives(sorted(beginnings)) or "(?!)")
        self._words = _words(whole | broken)
        self.longest = max([*map(_size, whole), *map(_with_breaks, broken)], default=0)
        """How long the longest form is, in bytes of UTF-8, with room for line breaks."""

    def __bool__(self) -> bool:
        return bool(self._starts)

    def hide(self, text: str) -> str:
        """Return the text with every form of every value hidden."""
        return self.hide_until(text, len(text))[0]

    def hide_until(self, text: str, until: int) -> tuple[str, int]:
        """Hide what begins before `until`; return the text so far and where it ends.

        What begins before may reach further.
        """
        if self._nowhere(text):
            return text[:until], until
        told: list[str] = []
        at = looked = 0
        while (found := self._pattern.search(text, looked)) and found.start() < until:
            end = self._end(text, found.start())
            if end:
                told += [text[at : found.start()], HIDDEN]
                at = looked = end
            else:
                looked = found.start() + 1
        end = max(at, until)
        return "".join([*told, text[at:end]]), end

    def _nowhere(self, text: str) -> bool:
        """Whether no form can stand in the text: most often so, and found out ten times as fast.

        The text is read as numbers of four bytes each, from its first byte on and from its third,
        so that the first or the second byte of every form begins one.
        """
        data = memoryview(text.encode("utf-8", "surrogatepass") + bytes(_SHARED))
        return all(
            self._words.isdisjoint(data[at : at + (len(data) - at) // 4 * 4].cast("I"))
            for at in (0, 2)
        )

    def undecided(self, text: str) -> int:
        """Return where the first thing begins that more text could turn into a secret."""
        size, starts = len(text), self._starts
        for at in range(max(0, size - self.longest + 1), size):
            if text[at : at + _SHARED] in starts and self._may_become(text[at:]):
                return at
        return size

    def _end(self, text: str, start: int) -> int:
        """Where the longest form that begins at `start` ends; 0 if none does."""
        beginning = text[start : start + _SHARED]
        whole, broken = self._found
        ends = [
            start + len(one) for one in whole.get(beginning, ()) if text.startswith(one, start)
        ][:1]
        for one in broken.get(beginning, ()):
            if end := _end_of(one, text, start):
                ends.append(end)
                break
        return max(ends, default=0)

    def _may_become(self, text: str) -> bool:
        whole, broken = self._sorted
        return _begins(whole, text) or _begins(broken, _BREAK.sub("", text))


def _by_beginning(found: Iterable[str]) -> dict[str, list[str]]:
    """The forms by their first characters, the longest of each first."""
    made: dict[str, list[str]] = {}
    for one in sorted(found, key=len, reverse=True):
        made.setdefault(one[:_SHARED], []).append(one)
    return made


def _words(found: Iterable[str]) -> frozenset[int]:
    """The numbers that the first five bytes of these forms are in memory: see `_nowhere`."""
    words: set[bytes] = set()
    for one in found:
        data = one.encode("utf-8", "surrogatepass")
        words |= {data[:4], data[1:5], data[1:4] + b"\n", data[1:4] + b"\r"}
    return frozenset(memoryview(b"".join(words)).cast("I"))


def _alternatives(beginnings: list[str]) -> str:
    """An expression for any of these texts, all of one length, sorted; told apart step by step.

    Where many are possible at each place, as of fifty secrets, this is ten times as fast as trying
    them in turn.
    """
    groups = {
        first: [one[1:] for one in group if one[1:]]
        for first, group in itertools.groupby(beginnings, key=lambda one: one[:1])
    }
    told = [re.escape(first) + _alternatives(rest) for first, rest in groups.items() if first]
    return f"(?:{'|'.join(told)})" if len(told) > 1 else "".join(told)


def _end_of(form: str, text: str, start: int) -> int:
    """Where a form that may be broken into lines ends in the text; 0 if it does not stand there."""
    if text.startswith(form, start):
        return start + len(form)
    line_end = text.find("\n", start, start + len(form) + 1)
    if line_end < 0 or not form.startswith(text[start:line_end].rstrip("\r")):
        return 0
    at, size = start, 0
    while size < len(form) and at < len(text):
        if text[at] == form[size]:
            size += 1
        elif text[at] not in "\r\n":
            return 0
        at += 1
    return at if size == len(form) else 0


def _size(form: str) -> int:
    return len(form.encode("utf-8", "surrogatepass"))


def _with_breaks(form: str) -> int:
    return len(form) + 2 * (len(form) // _NARROWEST + 2)


def _begins(ordered: list[str], text: str) -> bool:
    """Whether one of them begins with the text and is longer."""
    at = bisect.bisect_right(ordered, text)
    return at < len(ordered) and ordered[at].startswith(text)


@functools.lru_cache(maxsize=64)
def sought(values: frozenset[str]) -> Sought:
    """Return what is to be looked for; kept, since the same few sets are asked for repeatedly."""
    return Sought(values)


def mask(text: str, values: Iterable[str]) -> str:
    """Return ``text`` with every form of every value hidden; values under 6 characters are not."""
    return sought(frozenset(values)).hide(text)
