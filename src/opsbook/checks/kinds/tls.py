"""``tls``: how many days are left on a certificate? Of several in a file, the one that ends first.

Three things are judged: the days left (the value, by the bands), whether it is valid today, and,
for a server, whether it is for the name that was asked for. Whether its issuer is trusted is not
judged here: an ``http`` check with ``verify`` does that the way a visitor's browser does.

The handshake therefore accepts any certificate; otherwise an expired one would be an error without
a date. Nothing is sent over the connection.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import Self

from cryptography import x509
from pydantic import model_validator

from opsbook.book.fields import Part, Port
from opsbook.checks.connect import connect, failed, place
from opsbook.checks.fields import AbsolutePath, Host, complaint
from opsbook.checks.kind import Context, Kind
from opsbook.checks.model import CannotLook, Reading

MOST_BYTES = 4 * 1024 * 1024


class Tls(Part):
    """A server (`host`, and `port` if it is not 443), or a `file` in PEM or DER form."""

    host: Host | None = None
    port: Port = 443
    file: AbsolutePath | None = None

    @property
    def value_unit(self) -> str:
        """Days."""
        return "d"

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.host is None) == (self.file is None):
            raise complaint("a tls check looks at a host or at a file; write exactly one of them")
        return self


async def observe(spec: Tls, context: Context) -> Reading:
    """Fetch or read, and count the days."""
    if spec.file is not None:
        certificates = await context.blocking(partial(_read, spec.file))
        return judged(certificates, None, context.now)
    host, port = spec.host or "", int(spec.port)
    try:
        served = await _served(context, host, port)
    except OSError as error:
        return failed(error, place(host, port))
    except ValueError as error:
        told = f"{place(host, port)} has an unreadable certificate: {error}"
        return Reading(message=told, state="critical")
    return judged([served], host, context.now)


def judged(certificates: list[x509.Certificate], host: str | None, now: datetime) -> Reading:
    """Return the reading for the certificate that ends first; `host` is the name asked for."""
    first = min(certificates, key=lambda one: one.not_valid_after_utc)
    ends, starts = first.not_valid_after_utc, first.not_valid_before_utc
    days = (ends - now).total_seconds() / 86400
    subject = _subject(first)
    if len(certificates) > 1:
        subject += f", the first to end of {len(certificates)}"
    if ends <= now:
        return Reading(days, "d", f"expired on {ends:%Y-%m-%d}: {subject}", "critical")
    if starts > now:
        return Reading(days, "d", f"not valid before {starts:%Y-%m-%d}: {subject}", "critical")
    if host is not None and not covers(first, host):
        told = f"the certificate is not for {host}, but for {_names(first) or 'no name'}"
        return Reading(days, "d", told, "critical")
    return Reading(days, "d", f"valid until {ends:%Y-%m-%d}: {subject}")


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


async def _served(context: Context, host: str, port: int) -> x509.Certificate:
    connection, _ = await connect(context, host, port)
    try:
        _, writer = await asyncio.open_connection(
            sock=connection,
            ssl=_any_certificate(),
            server_hostname=host,
            ssl_handshake_timeout=context.timeout.total_seconds() + 1,  # the look's own is first
        )
    except BaseException:
        connection.close()
        raise
    try:
        raw = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()
    return x509.load_der_x509_certificate(raw or b"")


@cache
def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


KIND = Kind("tls", Tls, observe, silence="critical")
