"""``http``: ``METHOD URL`` on the first line, then headers, an empty line and the body.

Where a variable may stand, and what becomes of its value there:

- the host or the port: as it is, if it is one; the book must say which values it can have;
- the path: percent-encoded, so that it stays one segment; never ``.`` or ``..``, never empty, since
  ``DELETE /users/$name`` without a name would be another request;
- the value of a query parameter or of a form field: percent-encoded;
- the value of a header: as it is, without line breaks and other control characters;
- a body of JSON: the whole of a string, ``"$name"``, and nothing else.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_plus, urlsplit

from opsbook.book.queries.names import VARIABLE, Uses, fill, names, whole

REQUEST: Final = re.compile(r"([A-Z]{3,10}) (\S+)(?: HTTP/[0-9.]+)?")
HEADER: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}):[ \t]*(.*)")
HOST: Final = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
OWN: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "expect",
                        "upgrade", "te", "trailer"})  # fmt: skip
"""Headers that follow from the request itself; one that is written may contradict it."""
SAFE: Final = "/%:@!$&'()*+,;=-._~?"
FORM: Final = "application/x-www-form-urlencoded"
READING: Final = frozenset({"GET", "HEAD"})
METHODS: Final = (
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY", "LIST", "PURGE", "COPY",
    "MOVE", "LOCK", "UNLOCK", "MKCOL", "PROPFIND", "PROPPATCH", "REPORT", "SEARCH",
)  # fmt: skip
"""Those of HTTP itself that ask for something, those of WebDAV, and what vaults (LIST) and caches
(PURGE) have besides. CONNECT and TRACE speak with what lies between."""
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_COLON: Final = re.compile(r"\s*:")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

Value = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it is written: templates. Without `scheme` it is a path on its target."""

    method: str
    scheme: str
    host: str
    port: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def content(self) -> str:
        """The media type of the body, without its parameters; an empty text for none."""
        said = (value for name, value in self.headers if name.lower() == "content-type")
        return next(said, "").partition(";")[0].strip().lower()

    @property
    def is_json(self) -> bool:
        """Whether the body says that it is JSON."""
        return self.content == "application/json" or self.content.endswith("+json")


@dataclass(frozen=True, slots=True)
class Filled:
    """A request that can be sent. `host` and `port` are None where they are the target's."""

    method: str
    scheme: str
    host: str
    port: int | None
    target: str
    headers: tuple[tuple[str, str], ...]
    body: str


def method(text: str) -> str:
    """The method of a step's text, an empty text if it has none."""
    found = REQUEST.fullmatch(text.strip().partition("\n")[0].strip())
    return found[1] if found else ""


def parse(text: str) -> Request:
    """Read a step's text. Raises ValueError."""
    head, _, body = text.strip("\n").replace("\r\n", "\n").partition("\n\n")
    lines = head.strip().split("\n")
    first = REQUEST.fullmatch(lines[0].strip())
    if first is None:
        raise ValueError(
            f"{lines[0].strip()[:60]!r} is no request; write GET https://…, then headers, an empty "
            "line and the body"
        )
    if first[1] not in METHODS:
        raise ValueError(f"{first[1]!r} is no method of HTTP; write {', '.join(METHODS)}")
    request = Request(first[1], *_address(first[2]), tuple(_headers(lines[1:])), body.strip("\n"))
    if request.body and request.is_json:
        try:
            json.loads(request.body)
        except ValueError as error:
            raise ValueError(
                f"its body is no JSON: {error}; put each variable in quotes, as the whole of a "
                'text: "$name"'
            ) from None
    return request


def _address(url: str) -> tuple[str, str, str, str, str]:
    if "#" in url:
        raise ValueError("an address has no use for what follows #; remove it")
    rest, _, query = url.partition("?")
    if rest.startswith("/"):
        return "", "", "", rest, query
    scheme, colon, after = rest.partition("://")
    authority, slash, path = after.partition("/")
    if not colon or scheme not in {"http", "https"}:
        raise ValueError(
            f"{url[:60]!r} is no web address; write https://…, or /path with on= and a target"
        )
    if "@" in authority:
        raise ValueError(
            "it carries a user or a password; put a reference to it into a target's credential"
        )
    host, port = _host_and_port(authority)
    return scheme, host, port, f"{slash}{path}" or "/", query


def _host_and_port(authority: str) -> tuple[str, str]:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|(?:[^:\[\]{}]|\$\{\w+\})+)(?::(\S+))?", authority)
    if found is None:
        raise ValueError(f"{authority[:60]!r} names no host; write one such as example.org:8443")
    host, port = found[1], found[2] or ""
    checked_host(fill(host, lambda name: "x"))
    if port and not names(port):
        checked_port(port)
    return host, port


def checked_host(host: str) -> str:
    """A host that is one. Raises ValueError for anything with more in it."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else ""
    if bare:
        try:
            return f"[{ipaddress.IPv6Address(bare)}]"
        except ValueError:
            pass
    elif HOST.fullmatch(host) and ".." not in host:
        return host
    raise ValueError(f"{host[:60]!r} is no host; write a name or an address alone")


def checked_port(port: str) -> int:
    """A port that is one. Raises ValueError."""
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise ValueError(f"{port[:60]!r} is no port; write a number from 1 to 65535")
    return int(port)


def _headers(lines: list[str]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for line in lines:
        found = HEADER.fullmatch(line.strip())
        if found is None:
            raise ValueError(
                f"{line.strip()[:60]!r} is no header; write Name: value, and an empty line before "
                "the body"
            )
        name = found[1].lower()
        if name in OWN:
            raise ValueError(f"the header {found[1]} follows from the request; remove it")
        if name in seen:
            raise ValueError(f"the header {found[1]} stands there twice; remove one of the two")
        seen.add(name)
        yield found[1], found[2].strip()


def uses(text: str) -> Uses:
    """The variables of a step's text. Raises ValueError for what is no request."""
    request = parse(text)
    inside = [request.host, request.port, request.path, *_values(request.query)]
    inside += [value for name, value in request.headers if name.lower() != "content-type"]
    found = [name for template in inside for name in names(template)]
    in_body, misplaced = _in_body(request)
    wrong = [(name, "only a query's values are filled in") for name in _keys(request.query)]
    for name, value in request.headers:
        if name.lower() == "content-type":
            wrong += [(one, "write the content type as it is") for one in names(value)]
    return Uses(
        frozenset((*found, *in_body)),
        frozenset((*names(request.host), *names(request.port))),
        (*wrong, *misplaced),
    )


def _in_body(request: Request) -> tuple[list[str], list[tuple[str, str]]]:
    if not request.body:
        return [], []
    if request.content == FORM:
        wrong = [(name, "only a field's value is filled in") for name in _keys(request.body)]
        return [name for one in _values(request.body) for name in names(one)], wrong
    if not request.is_json:
        remedy = "send JSON (Content-Type: application/json) or a form"
        return [], [(name, remedy) for name in names(request.body)]
    found, misplaced = [], []
    for matched, is_key in _strings(request.body):
        text = json.loads(matched[0])
        name = whole(text)
        if name is not None and not is_key:
            found.append(name)
        else:
            remedy = 'let it be the whole of a text, "$name"'
            misplaced += [(one, remedy) for one in names(text)]
    return found, misplaced


def _strings(body: str) -> Iterator[tuple[re.Match[str], bool]]:
    """The strings of a JSON text, and whether each is a key."""
    for found in _STRING.finditer(body):
        yield found, _COLON.match(body, found.end()) is not None


def _fields(query: str) -> list[str]:
    return [one for one in re.split(r"[&\n]", query) if one]


def _values(query: str) -> list[str]:
    return [one.partition("=")[2] for one in _fields(query)]


def _keys(query: str) -> list[str]:
    return [name for one in _fields(query) for name in names(one.partition("=")[0])]


def filled(request: Request, variables: Mapping[str, str]) -> Filled:
    """The request with the values of its variables.

    Raises ValueError for one that cannot stand where it is: by its name alone, since it may be a
    secret.
    """

    def value(name: str) -> str:
        return variables.get(name, "")

    try:
        host = checked_host(fill(request.host, value)) if request.scheme else ""
        port = checked_port(text) if (text := fill(request.port, value)) else None
    except ValueError:
        told = ", ".join(names(request.host) + names(request.port))
        raise ValueError(f"{told} gives no host, or no port") from None
    path = "/".join(_segment(one, value) for one in request.path.split("/"))
    query = "&".join(_field(one, value, quote) for one in _fields(request.query))
    headers = tuple((name, _header(name, text, value)) for name, text in request.headers)
    return Filled(
        request.method,
        request.scheme,
        host,
        port,
        f"{path}?{query}" if query else path,
        headers,
        _body(request, value),
    )


def _segment(template: str, value: Value) -> str:
    for name in names(template):
        given = value(name)
        if not given:
            raise ValueError(f"{name} is empty, and the path would be another one without it")
        if {".", ".."} & set(re.split(r"[/\\]", given)):
            raise ValueError(f"{name} would lead to another folder")
    done = fill(template, lambda name: quote(value(name), safe=""), _literal)
    if names(template) and done in {".", ".."}:
        raise ValueError(f"{done!r} would lead to another folder")
    return done


def _literal(text: str) -> str:
    return quote(text, safe=SAFE)


def _field(template: str, value: Value, encode: Callable[..., str]) -> str:
    key, equals, text = template.partition("=")
    return _literal(key) + equals + fill(text, lambda name: encode(value(name), safe=""), _literal)


def _header(name: str, template: str, value: Value) -> str:
    done = fill(template, value) if name.lower() != "content-type" else template
    if _CONTROL.search(done):
        raise ValueError(f"the header {name} would have a line break or a control character in it")
    return done.strip()


def _body(request: Request, value: Value) -> str:
    if request.content == FORM:
        return "&".join(_field(one, value, quote_plus) for one in _fields(request.body))
    if not request.is_json:
        return request.body
    done, at = [], 0
    for found, is_key in _strings(request.body):
        name = whole(json.loads(found[0]))
        if name is not None and not is_key:
            done += [request.body[at : found.start()], json.dumps(value(name), ensure_ascii=False)]
            at = found.end()
    return "".join((*done, request.body[at:]))


def base(url: str) -> tuple[str, str, int | None, str]:
    """A target's address as scheme, host, port and path. Raises ValueError."""
    told = "is no web address; write http://host:port or https://host/path"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(told) from None
    if "@" in parts.netloc:
        raise ValueError(
            "carries a user or a password, which every reader of the book can read; put a header "
            "with a reference to it under read: or change:"
        )
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment:
        raise ValueError(told)
    if VARIABLE.search(url):
        raise ValueError("has a variable in it, and a target stands where it stands; write it out")
    return parts.scheme, checked_host(host), port, parts.path.rstrip("/")
