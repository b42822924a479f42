"""``dns``: does a name stand for what it should, and how fast is that answered?

The value is the time to the answer in ms. DNS itself is asked, and /etc/hosts is not. Without
`server` the machine's resolvers are asked, in their order. What is an answer is judged: a name that
is not there, a record that is missing, a server that says it failed. Silence is an outage of a
server that the book names; of the machine's own resolvers it is missing data, like everywhere else.

A packet that cannot be read ends the question, where a resolver would go on waiting for a better
one: what answers with rubbish is to be found, and not to be lived with.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, Self

import dns.exception
import dns.name
import dns.rdata
import dns.rdatatype
import dns.reversename
from pydantic import BeforeValidator, Field, model_validator

from opsbook.book import facts
from opsbook.book.fields import Part, Port
from opsbook.checks.connect import failed, place
from opsbook.checks.fields import Host, Texts, complaint
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import Reading

Type = Literal["A", "AAAA", "CNAME", "MX", "NS", "TXT", "SRV", "PTR", "CAA", "SOA"]
SHARE = 0.9
"""Of the look's time; the rest is for telling what happened."""
_SHOWN = 4


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise complaint(f"{value!r} is no name; write one such as shop.example.org")
    if not facts.found(value):
        try:
            _asked(value)
        except (dns.exception.DNSException, UnicodeError) as error:
            raise complaint(f"{value!r} cannot be asked for: {error}; mend it") from None
    return value


class Dns(Part):
    """A name, what to ask of it, and what should come back."""

    name: Annotated[str, Field(max_length=255), BeforeValidator(_name)]
    """The name that is asked for; for PTR also an address."""
    type: Type = "A"
    """Which of its records are asked for."""
    server: Host | None = None
    """The server that is asked; the machine's own resolvers, if left out."""
    port: Port = 53
    """Its port."""
    expect: Texts = ()
    """Records that should be there, as the zone has them: 192.0.2.1, or 10 mail.example.org."""
    answers: Literal["all", "any", "exactly"] = "all"
    """Whether all of them, any of them, or exactly these should be there."""

    @property
    def value_unit(self) -> str:
        """Milliseconds."""
        return "ms"

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.type in {"A", "AAAA"}:
            for one in self.expect:
                if not facts.found(one) and not _is_address(one, 4 if self.type == "A" else 6):
                    raise complaint(f"{one!r} is no address that {self.type} records have; mend it")
        if self.answers != "all" and not self.expect:
            raise complaint("nothing is expected to compare the answers with; write expect")
        return self


async def observe(spec: Dns, context: Context) -> Reading:
    """Ask once, over UDP and, if the answer does not fit, over TCP."""
    # Asking over a network brings half of what is imported here, for a kind that few books have.
    from opsbook.checks import resolving  # noqa: PLC0415

    where = place(spec.server, spec.port) if spec.server is not None else "the machine's resolvers"
    try:
        resolver = await resolving.resolver(spec.server, int(spec.port), context)
    except OSError as error:
        return failed(error, where)
    began = time.perf_counter()
    left = SHARE * context.timeout.total_seconds()
    resolver.timeout = max(0.05, left / (2 * len(resolver.nameservers)))
    try:
        async with asyncio.timeout(left):  # its own limit leaves out the pauses it makes
            answer = await resolver.resolve(
                _asked(spec.name, spec.type),
                spec.type,
                lifetime=left,
                search=False,
                raise_on_no_answer=False,
            )
    except resolving.NXDOMAIN:
        told = f"{where}: there is no name {spec.name}"
        return Reading(_since(began), "ms", told, "critical")
    except (resolving.NoNameservers, resolving.LifetimeTimeout) as error:
        return _unanswered(spec, where, error.kwargs.get("errors") or [])
    except TimeoutError:
        return _unanswered(spec, where, [])
    except dns.exception.DNSException as error:
        return Reading(message=f"{where} gives no proper answer: {error}", state="critical")
    took = _since(began)
    if answer.rrset is None:
        told = f"{where}: {spec.name} has no {spec.type} record"
        return Reading(took, "ms", told, "critical")
    return judged(spec, list(answer.rrset), took)


def judged(spec: Dns, records: Sequence[dns.rdata.Rdata], took: float) -> Reading:
    """Compare what came with what was expected."""
    found = [spellings(one) for one in records]
    seen = ", ".join(sorted(one[0] for one in found)[:_SHOWN]) + (
        " …" if len(found) > _SHOWN else ""
    )
    told = f"{spec.name} {spec.type}: {seen}"
    wanted = {one: _normal(one, spec.type) for one in spec.expect}
    missing = [one for one, text in wanted.items() if not any(text in each for each in found)]
    others = [each[0] for each in found if not any(text in each for text in wanted.values())]
    wrong = []
    if missing and (spec.answers != "any" or len(missing) == len(wanted)):
        any_of = "any of " if spec.answers == "any" and len(missing) > 1 else ""
        wrong.append(f"there is not {any_of}{', '.join(missing[:_SHOWN])}")
    if spec.answers == "exactly" and others:
        wrong.append(f"there should not be {', '.join(sorted(others)[:_SHOWN])}")
    if wrong:
        return Reading(took, "ms", "; ".join([told, *wrong]), "critical")
    return Reading(took, "ms", told)


def spellings(record: dns.rdata.Rdata) -> list[str]:
    """How a record may be written in the book; the first is how it is shown."""
    kind = dns.rdatatype.to_text(record.rdtype)
    if kind == "TXT":
        return [b"".join(getattr(record, "strings", ())).decode("utf-8", "replace")]
    written = _normal(record.to_text(), kind)
    if kind in {"MX", "SRV"}:  # the name alone is most often what matters
        return [written, written.rpartition(" ")[2]]
    return [written]


def _normal(text: str, kind: str) -> str:
    """Names in small letters and without their last dot, addresses in their shortest form."""
    if kind == "TXT":
        return text
    if kind in {"A", "AAAA"}:
        try:
            return str(ipaddress.ip_address(text))
        except ValueError:
            return text
    if kind == "CAA":
        return " ".join(text.split())
    return " ".join(one.rstrip(".").lower() or "." for one in text.split())


def _unanswered(spec: Dns, where: str, errors: Iterable[Any]) -> Reading:
    """Tell why: what a server said goes before what could not be read, and that before silence."""
    said, unread, silent = "", "", ""
    s = "s" if spec.server is not None else ""
    for server, _tcp, port, error, _response in errors:
        at = place(str(server).removeprefix("Do53:").partition("@")[0], port)
        if isinstance(error, str):
            said = said or f"{where} say{s} {error}" + ("" if spec.server else f" ({at})")
        elif isinstance(error, OSError) and not isinstance(error, TimeoutError):
            silent = silent or f"{where} cannot be asked: {error.strerror or error}"
        elif not isinstance(error, (TimeoutError, dns.exception.Timeout)):
            unread = unread or f"{where} answer{s} with what is no answer: {_kind(error)}"
    told = said or unread or silent or f"{where} did not answer in time"
    judged = bool(said or unread) or spec.server is not None
    return Reading(message=f"{told}; asked for {spec.name}", state="critical" if judged else None)


def _kind(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return text.rstrip(".").lower()


def _asked(name: str, kind: str = "") -> dns.name.Name:
    """Return the whole name, never completed by the machine's search domains."""
    if kind == "PTR":
        try:
            return dns.reversename.from_address(name)
        except dns.exception.SyntaxError:
            pass
    return dns.name.from_text(name)


def _is_address(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


KIND = Kind("dns", Dns, observe)
