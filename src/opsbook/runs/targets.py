"""Targets of steps: what they get of one, resolved at the last moment.

A credential is a reference in the book and a value only here, right before the step is started: a
secret that is missing then fails the step before anything of it has run. A step gets the credential
of its own effect and never the other: a step that reads cannot change, whatever its text says, as
far as the target enforces what the credential may do.

Files of a credential are written for one attempt, into a folder of the step's user with a name that
cannot be guessed, in a scratch folder that cannot be listed; they go with it. That holds other
*users* off. All steps run as one user, so a step that looks for the files, or into the environment,
of another one that runs at the same moment finds them; docs/reference/targets.md says so.
"""

from __future__ import annotations

import contextlib
import os
import secrets as random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from opsbook.base import secrets
from opsbook.book import Book, Step, postgres
from opsbook.book.sections.targets import Target
from opsbook.checks import references
from opsbook.runs.rubbish import CREDENTIALS
from opsbook.runs.supervisor import SpawnError

FOLDER: Final = CREDENTIALS


class NotReady(SpawnError):
    """The target of the step cannot be used; nothing of the step has run."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What a step gets of its target. `files` are contents by the variable that has their path."""

    target: Target | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def programs(self) -> tuple[str, ...]:
        """The folders that PATH begins with."""
        return self.target.programs if self.target is not None else ()


def target_of(book: Book, step: Step) -> Target | None:
    """The target a step is done on: the one it names, or for ``promql`` the only one there is.

    Raises:
        NotReady: it names one that is not there.
    """
    if step.on is not None:
        found = book.targets.get(step.on)
        if found is None:
            raise NotReady(f"The book has no target {step.on!r}.")
        return found
    fitting = [one for one in book.targets.values() if one.kind == "prometheus"]
    return fitting[0] if step.kind == "promql" and len(fitting) == 1 else None


def resolve(book: Book, step: Step) -> Reached:
    """What the step gets, secrets and all.

    Raises:
        NotReady: there is no such target, or one of its secrets is missing.
    """
    target = target_of(book, step)
    if target is None:
        return Reached()
    credential = target.credential(step.effect)
    if credential is None:
        return Reached(target, _variables(target, None, None))

    def found(references: Mapping[str, str]) -> dict[str, str]:
        return {name: secrets.resolve(one) for name, one in references.items()}

    try:
        password = secrets.resolve(credential.password) if credential.password else None
        ours = _variables(target, credential.user, password)
        return Reached(
            target,
            {**ours, **found(credential.environment)},
            found(credential.files),
            found(credential.headers),
            credential.user,
            password,
        )
    except secrets.SecretMissing as error:
        raise NotReady(
            f"The credential {step.effect} of the target {target.id!r}: {error.message}",
            remedy=error.remedy,
        ) from None


def _variables(target: Target, user: str | None, password: str | None) -> dict[str, str]:
    """A target's plain variables; for PostgreSQL also those in which psql finds it."""
    found = dict(target.environment)
    if target.kind == "postgresql":
        settings = postgres.address(target.url or "") | ({"user": user} if user else {})
        found |= {postgres.VARIABLES[name]: value for name, value in settings.items()}
        if password is not None:
            found["PGPASSWORD"] = password
    return found


def write_files(
    reached: Reached, scratch: Path, user: tuple[int, int] | None
) -> dict[str, str]:  # fmt: skip
    """Write the files of a credential for one attempt; the variables that have their paths.

    A text of several lines ends with a line break, without which ssh takes no key.
    """
    if not reached.files:
        return {}
    scratch.mkdir(exist_ok=True)
    scratch.chmod(0o711)
    folder = scratch / f"{FOLDER}{random.token_hex(16)}"
    folder.mkdir(mode=0o700)
    paths = {name: folder / name for name in reached.files}
    for name, path in paths.items():
        text = reached.files[name]
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o400)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{text}\n" if "\n" in text else text)
            if user is not None:
                os.fchown(handle, *user)
    if user is not None:
        os.chown(folder, *user)
    return {name: str(path) for name, path in paths.items()}


def discard_files(scratch: Path) -> None:
    """Remove the files of an attempt of which nothing has run. Its folder stays: it is claimed."""
    with contextlib.suppress(OSError):
        for folder in scratch.glob(f"{FOLDER}*"):
            shutil.rmtree(folder, ignore_errors=True)


def secret_references(book: Book) -> Iterator[str]:
    """Every secret that a target of this book refers to, for either effect, or a check."""
    for target in book.targets.values():
        for credential in (target.read, target.change):
            if credential is not None:
                yield from credential.references()
    yield from references.of_book(book)


def known(book: Book) -> set[str]:
    """The values of these secrets as they are now, and the telling parts of them, to be masked.

    A file of several lines is seldom shown whole: what is masked are the values in it (a token in a
    kubeconfig, a line of a key; `secrets.telling`). What cannot be found now is passed over.
    """
    found: set[str] = set()
    for reference in set(secret_references(book)):
        with contextlib.suppress(secrets.SecretMissing):
            found |= set(secrets.telling(secrets.resolve(reference)))
    return {value for value in found if value}
