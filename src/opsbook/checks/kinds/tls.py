"""``tls``: how many days are left on a certificate? Of several, the one that ends first.

Three things are always judged: the days left (the value, by the bands), whether it is valid today,
and, for a server, whether it is for the name that was asked for. The handshake for that accepts any
certificate; otherwise an expired one would be an error without a date. Nothing is sent over the
connection.

With ``chain: trusted`` a second handshake judges the issuers as a visitor's program would, and the
days are those of the certificate that ends first on the way to the authority: an intermediate that
expires is an outage like any other, and is replaced by other people. Without it, what is wrong with
the certificates above is told and not judged: a server may send some that nobody needs.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal, Self

from cryptography import x509
from pydantic import model_validator

from opsbook.book.fields import Part, Port
from opsbook.checks import chains
from opsbook.checks.chains import StartTls
from opsbook.checks.connect import failed, place
from opsbook.checks.fields import AbsolutePath, Host, complaint
from opsbook.checks.kind import Context, Kind
from opsbook.checks.lean import NoAnswer
from opsbook.checks.model import CannotLook, Reading
from opsbook.checks.trust import Trust, trusting

MOST_BYTES = 4 * 1024 * 1024


class Tls(Part):
    """A server, or a file with certificates."""

    host: Host | None = None
    """The server that is asked."""
    port: Port | None = None
    """Its port; 443, or the usual one of what starttls names."""
    file: AbsolutePath | None = None
    """A file in PEM or DER form, instead of a server."""
    starttls: StartTls | None = None
    """What is spoken before TLS, where TLS is not spoken at once."""
    chain: Literal["own", "trusted"] = "own"
    """trusted: the way up to an authority is judged too, and the first to end on it counts."""
    ca: AbsolutePath | None = None
    """A file of the authorities that are trusted instead of the machine's."""

    @property
    def value_unit(self) -> str:
        """Days."""
        return "d"

    @property
    def at(self) -> int:
        """The port that is meant."""
        if self.port is not None:
            return int(self.port)
        return chains.PORTS[self.starttls] if self.starttls is not None else 443

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.host is None) == (self.file is None):
            raise complaint("a tls check looks at a host or at a file; write exactly one of them")
        if self.file is not None and (self.starttls is not None or self.chain == "trusted"):
            raise complaint("a file is not asked for its chain, nor for TLS; name a host for that")
        if self.ca is not None and self.chain != "trusted":
            raise complaint("the authorities of ca are not asked; write chain: trusted too")
        return self


async def observe(spec: Tls, context: Context) -> Reading:
    """Fetch or read, and count the days."""
    if spec.file is not None:
        certificates = await context.blocking(partial(_read, spec.file))
        return judged(certificates, None, context.now)
    host, port = spec.host or "", spec.at
    where = place(host, port)
    try:
        anyone = await trusting(Trust(verify=False), context)
        sent = await chains.shown(context, host, port, anyone, spec.starttls)
        reading = judged(sent[:1], host, context.now)
        if spec.chain != "trusted" or reading.state is not None:
            return _with_others(reading, sent, context.now)
        try:
            trust = await trusting(Trust(ca=spec.ca, names=False), context)
            way = await chains.shown(context, host, port, trust, spec.starttls)
        except ssl.SSLCertVerificationError as error:
            return _untrusted(reading, error, sent, context.now)
        return judged(way, host, context.now)
    except NoAnswer as error:
        return Reading(message=f"{where} {error.message}", state="critical")
    except OSError as error:
        return failed(error, where)
    except ValueError as error:
        told = f"{where} has an unreadable certificate: {error}"
        return Reading(message=told, state="critical")


def judged(certificates: Sequence[x509.Certificate], host: str | None, now: datetime) -> Reading:
    """Return the reading for the certificate that ends first; `host` is the name asked for."""
    first = min(certificates, key=lambda one: one.not_valid_after_utc)
    ends, starts = first.not_valid_after_utc, first.not_valid_before_utc
    days = (ends - now).total_seconds() / 86400
    subject = _subject(first)
    if len(certificates) > 1:
        of = "its chain" if host is not None else f"{len(certificates)}"
        subject += f", the first to end of {of}"
    if ends <= now:
        return Reading(days, "d", f"expired on {ends:%Y-%m-%d}: {subject}", "critical")
    if starts > now:
        return Reading(days, "d", f"not valid before {starts:%Y-%m-%d}: {subject}", "critical")
    if host is not None and not covers(certificates[0], host):
        named = _names(certificates[0]) or "no name"
        return Reading(days, "d", f"the certificate is not for {host}, but for {named}", "critical")
    return Reading(days, "d", f"valid until {ends:%Y-%m-%d}: {subject}")


def _with_others(reading: Reading, sent: Sequence[x509.Certificate], now: datetime) -> Reading:
    """Tell what ends before the server's own certificate among those it sends with it."""
    own, others = sent[0].not_valid_after_utc, sent[1:]
    first = min(others, key=lambda one: one.not_valid_after_utc, default=None)
    if first is None or first.not_valid_after_utc >= own:
        return reading
    ends = first.not_valid_after_utc
    how = "expired" if ends <= now else "ends sooner,"
    told = f"{reading.message}; sent with it and {how} on {ends:%Y-%m-%d}: {_subject(first)}"
    return Reading(reading.value, reading.unit, told, reading.state)


def _untrusted(
    reading: Reading, error: ssl.SSLCertVerificationError, sent: Sequence[x509.Certificate],
    now: datetime,
) -> Reading:  # fmt: skip
    told = f"not trusted: {error.verify_message}"
    over = [one for one in sent[1:] if one.not_valid_after_utc <= now]
    if over:
        ended = ", ".join(f"{_subject(one)} on {one.not_valid_after_utc:%Y-%m-%d}" for one in over)
        told += f"; of its chain expired: {ended}"
    elif len(sent) == 1:
        told += "; it sends its own certificate alone, without intermediates"
    return Reading(reading.value, reading.unit, f"{told}; {reading.message}", "critical")


def covers(certificate: x509.Certificate, host: str) -> bool:
    """Whether a certificate is for `host` (RFC 9525: the alternative names, never the subject's).

    A ``*`` stands for the whole leftmost label and for no other.
    """
    names = _alternative(certificate)
    if names is None:
        return False
    try:
        return ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        pass
    wanted = _ascii(host)
    rest = wanted.partition(".")[2]
    listed = {name.lower().rstrip(".") for name in names.get_values_for_type(x509.DNSName)}
    return wanted in listed or (bool(rest) and f"*.{rest}" in listed)


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode().lower().rstrip(".")
    except UnicodeError:
        return host.lower().rstrip(".")


def _alternative(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return None
    return found.value


def _names(certificate: x509.Certificate) -> str:
    names = _alternative(certificate)
    if names is None:
        return ""
    listed = names.get_values_for_type(x509.DNSName)
    listed += [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return ", ".join(listed[:3]) + (" …" if len(listed) > 3 else "")


def _subject(certificate: x509.Certificate) -> str:
    try:
        return _names(certificate) or certificate.subject.rfc4514_string() or "no name"
    except ValueError:
        return "no readable name"


def _read(path: str) -> list[x509.Certificate]:
    """Return every certificate in a file; keys and other things in it are passed over."""
    try:
        with Path(path).open("rb") as file:
            raw = file.read(MOST_BYTES)
    except OSError as error:
        raise CannotLook(f"{path} cannot be read: {error.strerror}") from None
    try:
        if b"-----BEGIN" in raw:
            return x509.load_pem_x509_certificates(raw)
        return [x509.load_der_x509_certificate(raw)]
    except ValueError:
        raise CannotLook(f"{path} holds no certificate") from None


KIND = Kind("tls", Tls, observe, silence="critical")
