"""Unguessable names: tokens for people and programs, and how they are kept.

A token is shown once and stored as a SHA-256 hash. A slow hash is for passwords that people think
up; 256 random bits cannot be guessed, and a fast hash keeps sign-in checks cheap.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets


def token(prefix: str = "") -> str:
    """Return a fresh token of 256 random bits, URL-safe, behind ``prefix``."""
    return prefix + secrets.token_urlsafe(32)


def digest(value: str) -> str:
    """Return what is stored in a token's place: 64 hexadecimal digits."""
    return hashlib.sha256(value.encode()).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare without telling, by the time it takes, how much of it was right."""
    return hmac.compare_digest(left.encode(), right.encode())
