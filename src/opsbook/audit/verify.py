"""Verifying the chain: which entry, and what is wrong with it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from opsbook.audit.entries import text_hash
from opsbook.audit.seal import START, entry_hash, last_anchor, seal_message
from opsbook.audit.tables import entry, seal
from opsbook.base.database import Transaction
from opsbook.base.errors import Invalid

PAGE = 5_000


@dataclass(frozen=True)
class Fault:
    """One broken place: the entry's id (0 when gone), its sequence number, and what is wrong."""

    entry: int
    seq: int
    message: str


@dataclass
class Verdict:
    """The result. ``waiting`` entries are committed and not sealed yet, which is no fault."""

    checked: int = 0
    seals: int = 0
    waiting: int = 0
    head: str = START
    faults: list[Fault] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether every sealed entry is as it was when it was sealed."""
        return not self.faults


def verify(tx: Transaction, folder: Path) -> Verdict:
    """Check every hash, signature and anchored head, and name each entry that differs."""
    verdict = Verdict()
    # Before the database's snapshot: what is sealed while we look must not seem to be cut off.
    anchored, anchor_head = last_anchor(folder / "heads.log")
    key = _public_key(folder)
    seals = tx.rows(sa.select(seal).order_by(seal.c.id))
    by_last = {row["last_seq"]: row for row in seals}
    head, expected, after = START, 1, 0
    while rows := _sealed_after(tx, after):
        for row in rows:
            for gone in range(expected, row["seq"]):
                verdict.faults.append(Fault(0, gone, "The entry was deleted."))
            expected = row["seq"] + 1
            _check_entry(verdict, head, row)
            head = row["hash"] or ""
            signed = by_last.pop(row["seq"], None)
            if signed is not None:
                _check_seal(verdict, key, signed, row)
        after = rows[-1]["seq"]
        verdict.checked += len(rows)
    for row in by_last.values():
        verdict.faults.append(Fault(0, row["last_seq"], "A seal names an entry that is gone."))
    verdict.faults += _gaps(seals)
    if len(seals) > 1 and not anchored:
        verdict.faults.append(Fault(0, 0, "heads.log beside the key is empty or gone."))
    verdict.seals, verdict.head = len(seals), head
    if anchored >= expected:
        verdict.faults.append(
            Fault(0, anchored, "heads.log names a newer entry than the database holds: "
                  "the newest part of the chain was cut off.")
        )  # fmt: skip
    elif anchored and not _matches(tx, anchored, anchor_head):
        verdict.faults.append(Fault(0, anchored, "The head differs from the one in heads.log."))
    sealed_to = seals[-1]["last_seq"] if seals else 0
    if expected - 1 > sealed_to:
        verdict.faults.append(Fault(0, sealed_to + 1, "Entries are numbered but not signed."))
    verdict.waiting = int(
        tx.scalar(sa.select(sa.func.count()).select_from(entry).where(entry.c.seq.is_(None))) or 0
    )
    return verdict


def _sealed_after(tx: Transaction, after: int) -> list[dict[str, Any]]:
    """Return the next sealed entries, whatever somebody wrote into them.

    SQLite takes any text for JSON; one that cannot be read must be a fault here and not an error.
    """
    columns: list[sa.ColumnElement[Any]] = list(entry.c)
    if tx.connection.dialect.name == "sqlite":
        text = sa.type_coerce(entry.c.data, sa.Text).label("data")
        columns = [text if column is entry.c.data else column for column in columns]
    query = sa.select(*columns).where(entry.c.seq.is_not(None), entry.c.seq > after)
    rows = tx.rows(query.order_by(entry.c.seq).limit(PAGE))
    for row in rows:
        if isinstance(row["data"], str):
            with contextlib.suppress(ValueError):
                row["data"] = json.loads(row["data"])
    return rows


def _gaps(seals: list[dict[str, Any]]) -> list[Fault]:
    """Name every span of entries whose seal was removed."""
    found, expected = [], 1
    for one in seals:
        if one["first_seq"] != expected:
            span = f"{expected} to {one['first_seq'] - 1}"
            found.append(Fault(0, expected, f"The seal over entries {span} is gone."))
        expected = one["last_seq"] + 1
    return found


def _check_entry(verdict: Verdict, head: str, row: dict[str, Any]) -> None:
    if entry_hash(head, row) != row["hash"]:
        message = f"Changed after it was sealed (action {row['action']}, subject {row['subject']})."
        verdict.faults.append(Fault(row["id"], row["seq"], message))
    elif (
        row["text"] is not None
        and text_hash(row["text"], row["text_salt"] or "") != row["text_hash"]
    ):
        verdict.faults.append(Fault(row["id"], row["seq"], "Its text was changed after sealing."))


def _check_seal(
    verdict: Verdict, key: Ed25519PublicKey, signed: dict[str, Any], row: dict[str, Any]
) -> None:
    message = seal_message(signed["first_seq"], signed["last_seq"], signed["head"], signed["at"])
    try:
        key.verify(bytes.fromhex(signed["signature"]), message)
        right = signed["head"] == row["hash"]
    except (InvalidSignature, ValueError):
        right = False
    if not right:
        span = f"{signed['first_seq']} to {signed['last_seq']}"
        verdict.faults.append(
            Fault(row["id"], row["seq"], f"The signature over entries {span} does not fit.")
        )


def _matches(tx: Transaction, seq: int, head: str) -> bool:
    return bool(tx.scalar(sa.select(entry.c.hash).where(entry.c.seq == seq)) == head)


def _public_key(folder: Path) -> Ed25519PublicKey:
    certificate = x509.load_pem_x509_certificate((folder / "certificate.pem").read_bytes())
    key = certificate.public_key()
    if not isinstance(key, Ed25519PublicKey):
        raise Invalid(
            f"{folder / 'certificate.pem'} is not an Ed25519 certificate.",
            remedy="Put back the certificate that this server made.",
        )
    return key
