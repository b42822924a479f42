"""The secret values of a run: sealed rows while it is under way, nothing once it has ended.

Secret are the parameters that the runbook calls so, and what a step saves with ``secret``. In the
run's row stands for such a parameter a keyed digest, so that another value is another run for an
approval (which binds the parameters) and for an Idempotency-Key, and two runs can be told to have
had the same; who has no key learns nothing from it. It does not stand under the parameter's name
but under one that no parameter can have, ``sealed:api_key``: what takes the row's parameters for
values, as a repetition of the run or a step's environment does, finds none there, and never a
digest in its place.

A saved secret is not in the row at all. Its step's stdout goes into the file it is saved from and
not into the output; what it says on stderr is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import sqlalchemy as sa

from opsbook.base import secrets
from opsbook.base.database import Transaction
from opsbook.base.errors import Bug
from opsbook.base.sealing import Sealer
from opsbook.base.secrets import HIDDEN
from opsbook.book import Runbook, Step
from opsbook.runs.tables import secret

MARK: Final = "sealed:"


def hidden(step: Step) -> bool:
    """Whether what the step writes to stdout must not be shown: it saves a secret."""
    return step.secret and step.save is not None


def has_any(runbook: Runbook) -> bool:
    """Whether runs of this runbook have secret values at all."""
    return any(hidden(step) for step in runbook.steps) or any(
        param.secret for param in runbook.params.values()
    )


def apart(
    runbook: Runbook, values: Mapping[str, str], sealer: Sealer | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Return a run's parameters as its row keeps them, and the secret ones apart.

    An empty value (of a parameter that may be left out) is no secret.
    """
    kept = {name: one for name, one in values.items() if runbook.params[name].secret and one}
    if not kept:
        return dict(values), {}
    if sealer is None:
        raise Bug(f"{runbook.id} has secret parameters, and nobody here can seal them.")
    public = {name: one for name, one in values.items() if name not in kept}
    digests = {MARK + name: sealer.digest(runbook.id, name, value) for name, value in kept.items()}
    return {**public, **digests}, kept


def given(params: Mapping[str, str]) -> dict[str, str]:
    """Return those of a row's parameters that have their values there: what a repetition is given.

    The secret ones are gone with the run's end, and have to be given again.
    """
    return {name: value for name, value in params.items() if not name.startswith(MARK)}


def shown(params: Mapping[str, str]) -> dict[str, str]:
    """Return a row's parameters for people and programs to look at: secret ones as dots."""
    return {
        name.removeprefix(MARK): HIDDEN if name.startswith(MARK) else value
        for name, value in params.items()
    }


def reveals(text: str, values: Mapping[str, str]) -> str | None:
    """Return the name of a secret value that a text has in it, in any form; None for none.

    What a step saves without ``secret``, or a run is given for a parameter that is not secret,
    stays in the journal for ever and is shown: it is refused where it holds a secret.
    """
    for name, value in values.items():
        if secrets.mask(text, [value]) != text:
            return name
    return None


def unfit(step: Step, text: str, values: Iterable[str]) -> str:
    """Return why a step cannot save this text: some of these secrets is in it; else nothing."""
    if hidden(step) or secrets.mask(text, values) == text:
        return ""
    return "what it saved contains a secret; say `secret`, or save something else"


# ---- rows ----


def keep(tx: Transaction, run_id: int, sealer: Sealer, values: Mapping[str, str]) -> None:
    """Seal a run's secret values into its rows."""
    for name, value in values.items():
        replace(tx, run_id, name, sealer.seal(value))


def replace(tx: Transaction, run_id: int, name: str, token: str) -> None:
    """Keep a value that is sealed already, in place of an earlier one of that name."""
    mine = (secret.c.run_id == run_id) & (secret.c.name == name)
    tx.execute(sa.delete(secret).where(mine))
    tx.insert(secret, run_id=run_id, name=name, sealed=token)


def stored(tx: Transaction, run_id: int) -> dict[str, str]:
    """Return a run's secret values by name, as they are stored: sealed."""
    rows = tx.rows(sa.select(secret.c.name, secret.c.sealed).where(secret.c.run_id == run_id))
    return {row["name"]: row["sealed"] for row in rows}


def read(tx: Transaction, run_id: int, sealer: Sealer) -> dict[str, str]:
    """Return a run's secret values by name, opened.

    Raises:
        OtherKey: they were sealed with another key than this server's.
    """
    return {name: sealer.open(token) for name, token in stored(tx, run_id).items()}


def erase(tx: Transaction, run_id: int) -> None:
    """Forget a run's secret values."""
    tx.execute(sa.delete(secret).where(secret.c.run_id == run_id))
