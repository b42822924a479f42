"""What a look at a cluster is told, and how it says what it found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from opsbook.checks.kubernetes.api import Api, NotThere
from opsbook.checks.kubernetes.objects import Namespace
from opsbook.checks.model import CannotLook, Reading

Object = TypeVar("Object", bound=msgspec.Struct)

EVERYWHERE: Final = "*"
MOST_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Asked:
    """The fields of the check, the time, and what the check remembers."""

    now: datetime
    memory: dict[str, Any]
    namespace: str
    selector: str | None
    name: str | None
    role: str | None
    reason: str | None
    resource: str | None
    window: timedelta
    longer_than: timedelta

    @property
    def everywhere(self) -> bool:
        """Whether all namespaces are meant."""
        return self.namespace == EVERYWHERE

    def path(self, group: str, plural: str) -> str:
        """The list's path; `group` is such as ``/apis/apps/v1``."""
        within = "" if self.everywhere else f"/namespaces/{self.namespace}"
        return f"{group}{within}/{plural}"

    @property
    def which(self) -> str:
        """Which of them are meant, in words."""
        said = self.name or (f"with {self.selector}" if self.selector else "")
        where = "in any namespace" if self.everywhere else f"in {self.namespace}"
        return f"{said} {where}".strip()

    def shown(self, namespace: str, name: str) -> str:
        """A name, with its namespace where there are several."""
        return f"{namespace}/{name}" if self.everywhere else name


async def found(
    api: Api, asked: Asked, group: str, plural: str, kind: type[Object]
) -> list[Object]:
    """The objects that are meant, in their namespace."""
    return await api.objects(asked.path(group, plural), kind, chosen(asked))


def chosen(asked: Asked) -> Mapping[str, str]:
    """How the API is told which of a list are meant."""
    told = {"labelSelector": asked.selector} if asked.selector else {}
    return told | ({"fieldSelector": f"metadata.name={asked.name}"} if asked.name else {})


async def nothing(api: Api, asked: Asked, what: str) -> Reading:
    """There is none of what should be there: an answer, and a bad one."""
    missing = await _no_namespace(api, asked)
    return Reading(message=missing or f"there is no {what} {asked.which}", state="critical")


async def none_to_count(api: Api, asked: Asked, what: str) -> Reading:
    """Nothing is wrong with what is not there; but a namespace that is not there is missing data.

    Raises:
        CannotLook: there is no such namespace, or nothing of the name.
    """
    missing = await _no_namespace(api, asked)
    if missing or asked.name:
        raise CannotLook(missing or f"there is no {what} {asked.which}")
    return Reading(0.0, "", f"there is no {what} {asked.which}")


async def _no_namespace(api: Api, asked: Asked) -> str:
    """That the namespace is not there, if that is known: its lists are merely empty."""
    if asked.everywhere:
        return ""
    try:
        await api.one(f"/api/v1/namespaces/{asked.namespace}", Namespace)
    except NotThere:
        return f"there is no namespace {asked.namespace}"
    except CannotLook:  # we may not ask
        return ""
    return ""


def listed(names: Iterable[str]) -> str:
    """The first few names, and how many more."""
    told: Sequence[str] = list(names)
    more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    return ", ".join(told[:MOST_NAMED]) + more


def counted(count: int, one: str, several: str = "") -> str:
    """A number with its word."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"
