"""Sealing: committed entries are chained in batches and signed with a key outside the database.

One sealer (the deciding server) takes what was committed, in order of id, gives each entry the
next sequence number and a hash over its content and the hash before it, and signs the last one.
The signature's key lies in the data folder, not in the database: who can edit rows cannot sign
them. Every signed head is also appended to ``heads.log`` beside the key, so that cutting off the
newest part of the chain, seals included, is noticed.

Sealing while writing was refused: it would make every cause wait for one global order, and a
PostgreSQL transaction cannot know its place before it commits.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from opsbook.audit.tables import entry, seal
from opsbook.base.database import EPOCH, Database, Transaction
from opsbook.base.errors import StartError
from opsbook.base.places import write_private

START = "0" * 64
BATCH = 500
KEY_LIFE = timedelta(days=825)


def entry_hash(before: str, row: Mapping[str, Any]) -> str:
    """Return the hash of one entry: SHA-256 over the hash before it and its sealed content."""
    at = (row["at"] - EPOCH) // timedelta(microseconds=1)
    content = [
        before, row["seq"], row["id"], at, row["actor"], row["action"],
        row["subject"], row["thread"], row["data"], row["text_hash"],
    ]  # fmt: skip
    text = json.dumps(content, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def seal_message(first: int, last: int, head: str, at: datetime) -> bytes:
    """Return what is signed: the span, its head, and when."""
    moment = (at - EPOCH) // timedelta(microseconds=1)
    return f"opsbook-seal-1:{first}:{last}:{head}:{moment}".encode()


class Sealer:
    """Chains and signs. ``folder`` holds ``key.pem`` (0600), ``certificate.pem``, ``heads.log``."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.folder = folder
        self.key, self.key_id = _open_key(folder)

    async def tick(self, now: datetime) -> None:
        """Seal everything committed so far."""
        while await self.database.write(lambda tx: self._seal(tx, now)):
            pass
        await self._anchor()

    def _seal(self, tx: Transaction, now: datetime) -> bool:
        last = tx.row(sa.select(seal).order_by(seal.c.id.desc()).limit(1))
        seq, head = (last["last_seq"], last["head"]) if last else (0, START)
        waiting = sa.select(entry).where(entry.c.seq.is_(None)).order_by(entry.c.id).limit(BATCH)
        rows = tx.rows(waiting)
        if not rows:
            return False
        first = seq + 1
        chained = []
        for row in rows:
            seq += 1
            row["seq"] = seq
            head = entry_hash(head, row)
            chained.append({"key": row["id"], "number": seq, "link": head})
        change = sa.update(entry).where(entry.c.id == sa.bindparam("key"), entry.c.seq.is_(None))
        tx.execute(change.values(seq=sa.bindparam("number"), hash=sa.bindparam("link")), chained)
        signature = self.key.sign(seal_message(first, seq, head, now)).hex()
        tx.insert(
            seal, at=now, first_seq=first, last_seq=seq, head=head, signature=signature,
            key=self.key_id,
        )  # fmt: skip
        tx.touch("sealed")
        return len(rows) == BATCH

    async def _anchor(self) -> None:
        """Append every seal that ``heads.log`` does not hold yet (also after a crash between)."""
        file = self.folder / "heads.log"
        known = last_anchor(file)
        newer = sa.select(seal).where(seal.c.last_seq > known[0]).order_by(seal.c.id)
        rows = await self.database.read(lambda tx: tx.rows(newer))
        if not rows:
            return
        handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        with os.fdopen(handle, "a", encoding="ascii") as out:
            for row in rows:
                out.write(f"{row['last_seq']} {row['head']} {row['signature']}\n")
            out.flush()
            os.fsync(out.fileno())


def last_anchor(file: Path) -> tuple[int, str]:
    """Return sequence number and head of the last whole line of ``heads.log``, or 0 and START."""
    try:
        lines = file.read_text("ascii").splitlines()
    except OSError:
        return 0, START
    for line in reversed(lines):
        parts = line.split()
        if len(parts) == 3 and parts[0].isdigit():
            return int(parts[0]), parts[1]
    return 0, START


def _open_key(folder: Path) -> tuple[Ed25519PrivateKey, str]:
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / "key.pem"
    if file.exists():
        key = serialization.load_pem_private_key(file.read_bytes(), None)
        if not isinstance(key, Ed25519PrivateKey):
            raise StartError(
                f"{file} is not an Ed25519 key.",
                remedy="Restore the key file from a backup; seals made with it need it.",
            )
    else:
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_private(file, pem.decode())
    raw = key.public_key().public_bytes_raw()
    certificate = folder / "certificate.pem"
    if not certificate.exists():
        certificate.write_bytes(_certificate(key))
    return key, hashlib.sha256(raw).hexdigest()[:16]


def _certificate(key: Ed25519PrivateKey) -> bytes:
    """Return the self-signed certificate for auditors: it verifies seals and cannot make any."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Opsbook audit seal")])
    start = datetime.now(UTC) - timedelta(minutes=5)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + KEY_LIFE)
        .sign(key, None)
    )
    return built.public_bytes(serialization.Encoding.PEM)
