"""The one form that every alert from outside is brought into, and on disk before it is answered.

It is Alertmanager's own (labels, annotations, start, end, link), since every other sender's can be
said in it. msgspec reads and writes it: on this way thousands come in a second, and pydantic takes
five to ten times as long for the same checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec


class Posted(msgspec.Struct, gc=False, omit_defaults=True, frozen=True):
    """An alert as a sender gave it; names as in Alertmanager's interface.

    Without `endsAt` it ends when the sender stops repeating it; with one that is over it is
    resolved. Both times carry a zone.

    `key` is what the sender itself tells its alerts apart by, for senders that do not do it by the
    labels. Two alerts of one intake with the same key are the same alert, whatever their labels;
    without a key the labels tell. On disk the severity is a part of it (`intake.keyed`), and an end
    may have no labels at all.
    """

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    startsAt: datetime | None = None  # noqa: N815  the interface's name
    endsAt: datetime | None = None  # noqa: N815
    generatorURL: str = ""  # noqa: N815
    key: str = ""


def told_apart_by(source: str, one: Posted) -> Mapping[str, str]:
    """Return what an alert of an intake is known by among those of its book.

    Its labels; or the intake and the sender's own name for it, as if these were its labels. No
    label is called like that, so that the two never meet.
    """
    return {"": source, "key=": one.key} if one.key else one.labels


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[Posted])


def encode(alerts: Sequence[Posted]) -> bytes:
    """Return alerts as they are kept until they are worked in."""
    return _encoder.encode(alerts)


def decode(body: bytes) -> list[Posted]:
    """Return alerts from what was kept; raises msgspec.DecodeError for what is no list of them."""
    return _decoder.decode(body)
