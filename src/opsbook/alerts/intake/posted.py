"""The one form that every alert from outside is brought into, and on disk before it is answered.

It is Alertmanager's own (labels, annotations, start, end, link), since every other sender's can be
said in it. msgspec reads and writes it: on this way thousands come in a second, and pydantic takes
five to ten times as long for the same checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec


class Posted(msgspec.Struct, gc=False, omit_defaults=True, frozen=True):
    """An alert as a sender gave it; names as in Alertmanager's interface.

    Without `endsAt` it ends when the sender stops repeating it; with one that is over it is
    resolved. Both times carry a zone.

    `key` is what the sender itself tells its alerts apart by, for senders that do not do it by the
    labels: the word for severity may change while an alert goes on, and an end may come with no
    labels but this. Two alerts of one intake with the same key are the same alert, whatever their
    labels; without a key the labels tell.
    """

    labels: dict[str, str]
    annotations: dict[str, str] = {}
    startsAt: datetime | None = None  # noqa: N815  the interface's name
    endsAt: datetime | None = None  # noqa: N815
    generatorURL: str = ""  # noqa: N815
    key: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(list[Posted])


def encode(alerts: Sequence[Posted]) -> bytes:
    """Return alerts as they are kept until they are worked in."""
    return _encoder.encode(alerts)


def decode(body: bytes) -> list[Posted]:
    """Return alerts from what was kept; raises msgspec.DecodeError for what is no list of them."""
    return _decoder.decode(body)
