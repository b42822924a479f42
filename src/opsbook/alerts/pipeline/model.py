"""An alert as the pipeline holds it, and the orders and names that Alertmanager gives to alerts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from opsbook.alerts.silences.index import Met

RULES: Final = "rules"
"""The source of alerts that the book's own rules over its checks have raised."""
MOST_NAMED: Final = 65_536
_named: dict[bytes, str] = {}


class Alert(msgspec.Struct, gc=False, eq=False):
    """One alert: the latest time that something with these labels fired.

    `ends_at` in the past means that it is over; ``None`` that it fires until somebody says
    otherwise. `id` is its row, 0 before there is one. `received` counts how often it was handed in,
    and `timed_out` says that its end was ours to set, since the sender gave none. `ended` says that
    its row knows that it is over; `met` remembers which silences it meets (`silences.index`).
    """

    id: int
    book: str
    source: str
    fingerprint: str
    labels: dict[str, str]
    annotations: dict[str, str]
    link: str
    starts_at: datetime
    ends_at: datetime | None
    updated_at: datetime
    timed_out: bool = False
    received: int = 0
    rule: str = ""
    check: str = ""
    severity: str = ""
    revision: str = ""
    summary: dict[str, str] = {}
    ended: bool = False
    met: Met | None = None

    def over(self, now: datetime) -> bool:
        """Whether it is resolved at `now`."""
        return self.ends_at is not None and self.ends_at <= now


def fingerprint(book: str, labels: Mapping[str, str]) -> str:
    """Return the name under which an alert from outside is known: its book and its labels."""
    told = "\0".join(f"{name}\1{value}" for name, value in sorted(labels.items()))
    return hashlib.blake2b(f"{book}\0{told}".encode(), digest_size=16).hexdigest()


def _fnv(told: bytes) -> str:
    number = 0xCBF29CE484222325
    for byte in told:
        number = ((number ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{number:016x}"


def prometheus_fingerprint(labels: Mapping[str, str]) -> str:
    """Return the 16 hexadecimal digits that Prometheus and Alertmanager name labels by.

    FNV-1a over names and values in order, each followed by 0xFF (``model.LabelSet.Fingerprint`` of
    Prometheus' common library). Only what programs of theirs see is named so; 64 bits that anybody
    can collide with are no identity for what pages people.

    Going through them byte by byte is slow here, so names are remembered: by a digest, since labels
    are a sender's and may be long. What is remembered longest goes first.
    """
    told = b"".join(b"%b\xff%b\xff" % (n.encode(), v.encode()) for n, v in sorted(labels.items()))
    key = hashlib.blake2b(told, digest_size=16).digest()
    found = _named.get(key)
    if found is None:
        found = _fnv(told)
        if len(_named) >= MOST_NAMED:
            _named.pop(next(iter(_named), b""), None)
        _named[key] = found
    return found


def label_text(labels: Mapping[str, str]) -> str:
    """Return labels as Prometheus writes them: ``{alertname="x", job="y"}``."""
    inner = ", ".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels.items()))
    return f"{{{inner}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def in_order(alerts: Iterable[Alert]) -> list[Alert]:
    """Return alerts in the order receivers are told of them.

    Alertmanager's: by job, then by instance, alerts without the one last; then by how many labels
    they have, and by the labels.
    """
    return sorted(alerts, key=_rank)


def _rank(alert: Alert) -> tuple[Any, ...]:
    labels = alert.labels
    job, instance = labels.get("job"), labels.get("instance")
    return (
        job is None, job or "", instance is None, instance or "", len(labels),
        sorted(labels.items()),
    )  # fmt: skip


def common(alerts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the pairs that all of these have."""
    kept: dict[str, str] | None = None
    for one in alerts:
        if kept is None:
            kept = dict(one)
        else:
            kept = {name: value for name, value in kept.items() if one.get(name) == value}
        if not kept:
            break
    return kept or {}
