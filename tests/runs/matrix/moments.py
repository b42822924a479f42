"""Where death comes: at one write of the journal, named by what it writes down.

A number would do as well, were it not for output and for items that are carried out side by side:
which write is the thirtieth then depends on the machine. So a write is named by the audit entries
it makes, or by the tables it changes where it makes none, and counted under that name.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
import sqlalchemy as sa

from opsbook.audit.tables import entry
from opsbook.base.database import Database, Transaction

When = Literal["before", "after", "unheard", "during"]
Victim = Literal["server", "keeper", "spawner", "postgresql"]
LOST = "the connection was closed before the answer to COMMIT"
# What is written besides, and is no step of any run.
NOT_THE_JOURNAL = {"audit_seal", "lease", "observation", "check_state"}


@dataclass(frozen=True)
class Moment:
    """The `nth` write called `name`, and who dies there. Pickled into the server's process.

    `before` its commit; `after` it, and before whoever asked for it hears; `unheard`: it is on the
    disk, and PostgreSQL dies before it says so. `during`: once the `step` that it starts runs.
    """

    name: str
    nth: int
    when: When
    victims: frozenset[Victim]
    step: str = ""

    def __str__(self) -> str:
        killed = "+".join(sorted(self.victims))
        return f"{killed} {self.when} {self.name}#{self.nth}"


@dataclass(frozen=True)
class Write:
    """One write of a run without any death. `kind` is its name without steps."""

    name: str
    nth: int
    kind: str
    started: tuple[str, ...]


class Watch:
    """Stands in a server's way to its database. `strike` kills, and comes back if it was not us."""

    def __init__(self, moment: Moment | None, strike: Callable[[Moment], None]) -> None:
        self.moment = moment
        self.seen: list[Write] = []
        self.struck = False
        self._strike = strike
        self._counted: Counter[str] = Counter()
        self._changed: set[str] = set()
        self._fatal = False

    def arm(self, database: Database) -> None:
        """From now on every write is named."""
        self.database = database
        database.write = self.write  # type: ignore[method-assign, assignment]
        sa.event.listen(database.engine, "after_cursor_execute", self._executed)
        sa.event.listen(database.engine, "commit", self._committing)

    async def write(self, work: Callable[[Transaction], Any]) -> Any:
        """As the database's own, and death in it."""
        done = _Heard(self)
        self.database._jobs.put((lambda tx: self._carry_out(work, tx, done), done))
        return await asyncio.shield(asyncio.wrap_future(done))

    def _carry_out(
        self, work: Callable[[Transaction], Any], tx: Transaction, done: "_Heard"
    ) -> Any:
        last = tx.scalar(sa.select(sa.func.max(entry.c.id))) or 0
        self._changed.clear()
        result = work(tx)
        changed = set(self._changed)
        if changed and not any(one.split()[1] in NOT_THE_JOURNAL for one in changed):
            new = tx.rows(sa.select(entry).where(entry.c.id > last).order_by(entry.c.id))
            done.mine = self._is_it(new, changed)
        if done.mine and self.moment and self.moment.when == "before":
            self.now()
        if done.mine and self.moment and self.moment.when == "unheard":
            self._fatal = True
        return result

    def _is_it(self, new: list[dict[str, Any]], changed: set[str]) -> bool:
        """Name a write, and tell whether it is the one."""
        told = [(one["action"], one["data"].get("step", "")) for one in new]
        kinds = {action for action, _ in told} or changed
        name = ", ".join(f"{action} {step}".strip() for action, step in told) or _joined(changed)
        self._counted[name] += 1
        nth = self._counted[name]
        started = tuple(
            one["data"]["step"] for one in new
            if one["action"] == "step.started" and "attempt" in one["data"]
        )  # fmt: skip
        self.seen.append(Write(name, nth, _joined(kinds), started))
        moment = self.moment
        return moment is not None and (moment.name, moment.nth) == (name, nth) and not self.struck

    def now(self) -> None:
        """It has come."""
        assert self.moment is not None
        if not self.struck:
            self.struck = True
            self._strike(self.moment)

    def _executed(self, _c: Any, cursor: Any, _s: str, _p: Any, context: Any, _m: bool) -> None:
        if context.isinsert or context.isupdate or context.isdelete:
            if cursor.rowcount == 0:
                return
            verb = "insert" if context.isinsert else "update" if context.isupdate else "delete"
            table = context.compiled.statement.table.name if context.compiled else "?"
            self._changed.add(f"{verb} {table}")

    def _committing(self, connection: sa.Connection) -> None:
        """PostgreSQL takes the commit down, and dies with the answer on its lips."""
        if self._fatal and self.moment and self.moment.when == "unheard" and not self.struck:
            assert connection.connection.dbapi_connection is not None
            connection.connection.dbapi_connection.commit()
            self.now()
            raise sa.exc.OperationalError("COMMIT", {}, psycopg.OperationalError(LOST))


class _Heard(Future[Any]):
    """What somebody waits for who writes; where death comes after the commit they never hear."""

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self.watch = watch
        self.mine = False

    def set_result(self, result: Any) -> None:
        moment = self.watch.moment
        if self.mine and moment is not None and moment.when in {"after", "during"}:
            if moment.when == "after":
                self.watch.now()
            else:
                self.watch.struck = True
                self.watch._strike(moment)
        super().set_result(result)


def _joined(parts: set[str]) -> str:
    return ", ".join(sorted(parts))


def die() -> None:
    """As a machine's out-of-memory killer would have it."""
    os.kill(os.getpid(), signal.SIGKILL)
