"""``http``: does a web address answer as it should, and how fast?

The value is the time from asking to the last byte of the answer in ms: name, connection, TLS and
body together, redirects too where they are followed, since that is what a visitor waits for. Every
look opens a new connection; one kept open would go on working after the server has stopped taking
new ones. With `value` it is a number of the answer instead.
"""

from __future__ import annotations

import codecs
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator
from yarl import URL

from opsbook.base import secrets
from opsbook.book.fields import Flag, Part, Whole
from opsbook.book.sections.webhooks import HEADER_FORM, HEADER_VALUE_FORM
from opsbook.checks import jsonpath, patterns, referred
from opsbook.checks.connect import failed, place
from opsbook.checks.fields import AbsolutePath, Statuses, Texts, WebAddress, complaint
from opsbook.checks.jsonpath import Expected, JsonPath, JsonValue
from opsbook.checks.kind import Context, Kind
from opsbook.checks.lean import Answer, NoAnswer, Request, ask
from opsbook.checks.lean.request import FILLED, basic
from opsbook.checks.model import CannotLook, Reading
from opsbook.checks.patterns import Pattern
from opsbook.checks.referred import SecretText
from opsbook.checks.trust import Trust, trusting

MOST_BODY = 1024 * 1024
MOST_REDIRECTS = 5
_LONGEST_SHOWN = 60
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WHO_ASKS = frozenset({"authorization", "cookie", "proxy-authorization", "host"})
_ODD_CHARSETS = frozenset({"idna", "punycode", "raw_unicode_escape", "unicode_escape"})
"""Python knows them as encodings; a page has none of them, and the first two take for ever."""

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
HeaderName = Annotated[str, Field(pattern=HEADER_FORM)]
HeaderText = Annotated[str, Field(pattern=HEADER_VALUE_FORM)]


class Http(Part):
    """What to ask, and what to expect of the answer."""

    url: WebAddress
    """What is asked for, http://… or https://…"""
    method: Method = "GET"
    """How it is asked."""
    headers: Mapping[HeaderName, HeaderText] = Field(default_factory=dict, max_length=50)
    """Sent with it; a value that is env:NAME or file:/path is looked up there, and never shown."""
    body: str | None = Field(default=None, max_length=64 * 1024)
    """Sent with it."""
    user: str | None = Field(default=None, min_length=1, max_length=200, pattern=r"^[^:]+$")
    """Who asks, by basic authentication."""
    password: SecretText | None = None
    """The user's password, as env:NAME or file:/path."""
    status: Statuses = ()
    """The status that is right, or several; any from 200 to 299, if left out."""
    contains: Texts = ()
    """What must be in the body, one text or several."""
    lacks: Texts = ()
    """What must not be in the body."""
    matches: Pattern | None = None
    """A regular expression of RE2 that must match somewhere in the body."""
    json_: Mapping[JsonPath, Expected] = Field(default_factory=dict, alias="json", max_length=50)
    """Paths into a body that is JSON, and what must stand there: a value, or such as "> 3"."""
    response_headers: Mapping[HeaderName, Pattern] = Field(default_factory=dict, max_length=50)
    """Headers of the answer, and a regular expression that the whole value must match."""
    value: JsonValue | None = None
    """Where the body has the check's value, such as json:queue.depth; else it is the time."""
    redirects: Annotated[Whole, Field(ge=0, le=20)] | None = None
    """How many redirects are followed one after the other."""
    follow_redirects: Flag = False
    """Whether redirects are followed, at most five."""
    final_url: WebAddress | None = None
    """The address at which the redirects must end."""
    verify: Flag = True
    """Whether the certificate must be trusted; without, an expired one goes unnoticed."""
    ca: AbsolutePath | None = None
    """A file of the authorities that are trusted instead of the machine's."""
    certificate: AbsolutePath | None = None
    """A certificate that is shown to the server, in PEM form."""
    key: AbsolutePath | None = None
    """Its key, where it is in another file."""

    @property
    def value_unit(self) -> str:
        """Milliseconds, and none for a number of the answer."""
        return "ms" if self.value is None else ""

    @property
    def followed(self) -> int:
        """How many redirects are followed."""
        if self.redirects is not None:
            return self.redirects
        return MOST_REDIRECTS if self.follow_redirects else 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if filled := sorted(FILLED & {name.lower() for name in self.headers}):
            raise complaint(f"the header {filled[0]!r} is filled by Opsbook; leave it out")
        if (self.user is None) != (self.password is None):
            raise complaint("a user and a password go together; write both, or a header")
        if self.user is not None and "authorization" in {name.lower() for name in self.headers}:
            raise complaint("a user and the header Authorization say both who asks; write one")
        if self.method == "HEAD" and (self.contains or self.matches or self.json_ or self.value):
            raise complaint("an answer to HEAD has no body to look at; ask with GET")
        if self.follow_redirects and self.redirects == 0:
            raise complaint("redirects are followed and are not; leave one of the two keys out")
        if self.final_url is not None and not self.followed:
            raise complaint("no redirect is followed to a final_url; say how many with redirects")
        if self.key is not None and self.certificate is None:
            raise complaint("a key without its certificate shows nothing; write certificate too")
        if self.ca is not None and not self.verify:
            raise complaint("with verify: false nobody is trusted or not; leave ca out")
        return self


@dataclass(frozen=True, slots=True)
class _Asking:
    """A check taken apart once, and what it sends, where no secret is in it."""

    url: URL
    where: str
    references: tuple[str, ...]
    trust: Trust
    request: Request | None


async def observe(spec: Http, context: Context) -> Reading:
    """Ask, follow, read the answer up to `MOST_BODY`, and say what came back."""
    asking: _Asking | None = context.memory.get("asking")
    if asking is None:
        asking = context.memory["asking"] = _taken_apart(spec)
    found = await referred.values(asking.references, context) if asking.references else {}
    request = asking.request or _written(spec, asking.url, found)
    began = time.perf_counter()
    try:
        reading = await _asked(spec, context, asking, request, found, began)
    except NoAnswer as error:
        reading = Reading(message=f"{asking.where} {error.message}", state="critical")
    except OSError as error:
        reading = failed(error, asking.where)
    if found:
        return replace(reading, message=secrets.mask(reading.message, found.values()))
    return reading


async def _asked(
    spec: Http, context: Context, asking: _Asking, request: Request, found: Mapping[str, str],
    began: float,
) -> Reading:  # fmt: skip
    url, hops = asking.url, 0
    method: str = spec.method
    tls = await trusting(asking.trust, context) if url.scheme == "https" else None
    answer = await ask(context, request, MOST_BODY, tls)
    while hops < spec.followed and (target := _target(url, answer)) is not None:
        hops += 1
        url, method = _next(url, target, method, answer.status)
        where = f"{place(url.host or '', url.port or 0)} (where a redirect leads)"
        try:
            request = _written(spec, url, found, method, asking.url)
            tls = await trusting(_trust(asking, url), context) if url.scheme == "https" else None
            answer = await ask(context, request, MOST_BODY, tls)
        except NoAnswer as error:
            return Reading(message=f"{where} {error.message}", state="critical")
        except OSError as error:
            return failed(error, where)
    took = (time.perf_counter() - began) * 1000
    if hops and _target(url, answer) is not None:
        told = f"{asking.where} redirects more than {spec.followed} times"
        return Reading(*_time(spec, took), told, "critical")
    return judged(spec, answer, url, hops, took, frozenset(found.values()))


def judged(
    spec: Http, answer: Answer, url: URL, hops: int, took: float,
    hidden: frozenset[str] = frozenset(),
) -> Reading:  # fmt: skip
    """Say what is wrong with an answer, all of it; behind a wrong status nothing else counts.

    What is `hidden` is taken out of a stranger's words before they are cut short, since half a
    secret is not recognised any more.
    """
    said = _said(answer, hidden)
    if hops:
        said += f" at {_without_secrets(url)} after {hops} redirect{'' if hops == 1 else 's'}"
    status = answer.status
    if status not in spec.status if spec.status else not 200 <= status <= 299:
        wanted = ", ".join(map(str, spec.status)) or "200 to 299"
        told = f"{said}; expected {wanted}"
        return Reading(*_time(spec, took), told, "critical")
    wrong = [*_of_address(spec, url), *_of_headers(spec, answer, hidden), *_of_body(spec, answer)]
    measured: tuple[float | None, str] = took, "ms"
    if spec.json_ or spec.value is not None:
        more, value = _of_json(spec, answer, hidden)
        wrong += more
        if spec.value is not None:
            measured = value, ""
    if wrong:
        return Reading(*measured, "; ".join([said, *wrong]), "critical")
    return Reading(*measured, said)


def _time(spec: Http, took: float) -> tuple[float | None, str]:
    """The time of a wrong answer, where the time is what is measured."""
    return (took, "ms") if spec.value is None else (None, "")


def _of_address(spec: Http, url: URL) -> list[str]:
    if spec.final_url is None:
        return []
    wanted = URL(spec.final_url)
    if _plain(wanted) == _plain(url):
        return []
    return [f"the redirects should end at {_without_secrets(wanted)}"]


def _of_headers(spec: Http, answer: Answer, hidden: frozenset[str]) -> list[str]:
    wrong = []
    for name, pattern in spec.response_headers.items():
        values = [value for found, value in answer.headers if found == name.lower()]
        if not values:
            wrong.append(f"there is no header {name}")
        elif not any(_matches_whole(pattern, value) for value in values):
            shown = _hide(values[0], hidden)[:80]
            wrong.append(f"the header {name} is {shown!r}, not {pattern[:80]!r}")
    return wrong


def _matches_whole(pattern: str, value: str) -> bool:
    return patterns.compiled(pattern).fullmatch(value.encode()) is not None


def _of_body(spec: Http, answer: Answer) -> list[str]:
    if not (spec.contains or spec.lacks or spec.matches):
        return []
    where = "the body" if answer.whole else "the first MiB of the body"
    text = _decoded(answer)
    wrong = [f"{where} does not contain {one[:80]!r}" for one in spec.contains if one not in text]
    wrong += [f"{where} contains {one[:80]!r}" for one in spec.lacks if one in text]
    if spec.matches and patterns.compiled(spec.matches).search(_encoded(text)) is None:
        wrong.append(f"{where} does not match {spec.matches[:80]!r}")
    return wrong


def _of_json(spec: Http, answer: Answer, hidden: frozenset[str]) -> tuple[list[str], float | None]:
    """What is wrong in the JSON, and the check's value if it is there."""
    if not answer.whole:
        return ["the body is longer than 1 MiB, too long for its JSON to be read"], None
    try:
        whole = jsonpath.decoded(answer.body)
    except ValueError as error:
        return [f"the body is no JSON: {error}"], None
    wrong = []
    for path, expected in spec.json_.items():
        try:
            seen = jsonpath.at(whole, path)
        except jsonpath.NotThere:
            wrong.append(f"the body has no {path}")
            continue
        if not jsonpath.meets(seen, expected):
            told = _hide(jsonpath.shown(seen), hidden)
            wrong.append(f"{path} is {_short(told)}; expected {jsonpath.wanted(expected)}")
    value = None
    if spec.value is not None:
        path = spec.value.partition(":")[2]
        try:
            seen = jsonpath.at(whole, path)
            value = jsonpath.number(seen)
            if value is None:
                told = _short(_hide(jsonpath.shown(seen), hidden))
                wrong.append(f"{path} is {told}, which is no number")
        except jsonpath.NotThere:
            wrong.append(f"the body has no {path}")
    return wrong, value


# ---- what is sent -------------------------------------------------------------------------------


def _taken_apart(spec: Http) -> _Asking:
    url = URL(spec.url)
    given = [*spec.headers.values(), *([spec.password] if spec.password else [])]
    references = tuple({one for one in given if referred.is_reference(one)})
    return _Asking(
        url=url,
        where=place(url.host or "", url.port or 0),
        references=references,
        trust=Trust(spec.verify, spec.ca, spec.certificate, spec.key),
        request=None if references else _written(spec, url, {}),
    )


def _written(
    spec: Http, url: URL, found: Mapping[str, str], method: str = "", asked: URL | None = None
) -> Request:
    """Write the request; what says who asks goes nowhere but to the origin that the book names."""
    trusted = asked is None or url.origin() == asked.origin()
    headers = {}
    for name, value in spec.headers.items():
        secret = found.get(value)
        if trusted or (secret is None and name.lower() not in _WHO_ASKS):
            headers[name] = value if secret is None else secret
    if trusted and spec.user is not None and spec.password is not None:
        headers["Authorization"] = basic(spec.user, found[spec.password])
    for name, value in headers.items():
        if any(sign in value for sign in "\r\n\0"):
            raise CannotLook(f"the secret for the header {name} has a line break in it")
    method = method or spec.method
    body = spec.body.encode() if spec.body is not None and method == spec.method else None
    return Request.of(url, method, headers, body)


def _trust(asking: _Asking, url: URL) -> Trust:
    if url.origin() == asking.url.origin():
        return asking.trust
    return replace(asking.trust, certificate=None, key=None)


# ---- redirects ----------------------------------------------------------------------------------


def _target(url: URL, answer: Answer) -> str | None:
    return answer.header("location") or None if answer.status in _REDIRECTS else None


def _next(url: URL, target: str, method: str, status: int) -> tuple[URL, str]:
    """Return where a redirect leads and how it is asked there, as browsers do."""
    there = _joined(url, _utf8(target))
    if there is None:
        raise NoAnswer("redirects to something that is no web address")
    if status == 303 or (status in {301, 302} and method == "POST"):
        method = method if method == "HEAD" else "GET"
    return there, method


def _joined(url: URL, target: str) -> URL | None:
    try:
        told = URL(target)
        there = url.join(told).with_fragment(None)
        whole = there.scheme in {"http", "https"} and there.raw_host and there.port is not None
    except ValueError:
        return None
    return there if whole and (told.raw_host or not told.scheme) else None


def _utf8(target: str) -> str:
    """A header's bytes were read as Latin-1; an address with letters in it is meant as UTF-8."""
    try:
        return target.encode("latin-1").decode()
    except UnicodeError:
        return target


# ---- words --------------------------------------------------------------------------------------


def _decoded(answer: Answer) -> str:
    charset = (answer.header("content-type") or "").lower().partition("charset=")[2]
    try:
        name = codecs.lookup(charset.partition(";")[0].strip(" \"'") or "utf-8").name
        if name.replace("-", "_") in _ODD_CHARSETS:
            raise LookupError(name)
        return answer.body.decode(name, "replace")
    except (LookupError, ValueError):  # a charset nobody knows
        return answer.body.decode("utf-8", "replace")


def _encoded(text: str) -> bytes:
    """In UTF-8, whatever a charset has made of the body."""
    return text.encode("utf-8", "replace")


def _hide(text: str, hidden: frozenset[str]) -> str:
    return secrets.mask(text, hidden) if hidden else text


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def _said(answer: Answer, hidden: frozenset[str]) -> str:
    reason = _hide(answer.reason, hidden) if hidden else answer.reason
    said = f"{answer.status} {reason[:100]}".rstrip()
    if not 300 <= answer.status <= 399:
        return said
    if target := answer.header("location"):
        try:
            return f"{said}, a redirect to {_without_secrets(URL(_utf8(target)))}"
        except ValueError:
            return f"{said}, a redirect to {target.split('?', maxsplit=1)[0][:100]}"
    return said


def _plain(url: URL) -> URL:
    return url.with_user(None).with_fragment(None)


def _without_secrets(url: URL) -> str:
    """An address without what may be a session or a password in it."""
    return str(_plain(url).with_query(None) if url.host else url.with_query(None))


KIND = Kind("http", Http, observe, silence="critical")
