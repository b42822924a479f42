"""What Redis says of itself (``INFO``), as the numbers that are worth watching. Pure.

The fields: https://redis.io/docs/latest/commands/info/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from opsbook.base.quantities import format_quantity
from opsbook.checks.growth import Growth, share
from opsbook.checks.model import CannotLook, Reading

Info = Mapping[str, str]
LEAST_LOOKUPS: Final = 100
"""How many keys must have been asked for since the last look for the share found to say much."""


def parsed(text: str) -> dict[str, str]:
    """The fields of an answer; a server that forbids some leaves them out."""
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value for name, colon, value in pairs if colon}


def number(info: Info, name: str) -> float:
    """A field as a number.

    Raises:
        CannotLook: it is not there, or is none.
    """
    try:
        return float(info[name])
    except (KeyError, ValueError):
        raise CannotLook(f"the server does not tell its {name}") from None


def memory(info: Info) -> Reading:
    """Memory in use in percent of maxmemory.

    Raises:
        CannotLook: there is no maxmemory, and so no share of it.
    """
    used, most = number(info, "used_memory"), number(info, "maxmemory")
    if not most:
        told = f"maxmemory is not set, so {format_quantity(used, 'bytes')} are no share of anything"
        raise CannotLook(f"{told}; set maxmemory on the server")
    free = format_quantity(max(0.0, most - used), "bytes")
    told = f"{free} of {format_quantity(most, 'bytes')} free"
    return Reading(
        100 * used / most, "%", f"{told}, {info.get('maxmemory_policy', '')}".rstrip(", ")
    )


def clients(info: Info) -> Reading:
    """Connected clients in percent of maxclients, our own connection among them."""
    used, most = number(info, "connected_clients"), number(info, "maxclients")
    blocked = number(info, "blocked_clients")
    told = f"{used:.0f} of {most:.0f} clients, {blocked:.0f} of them blocked"
    return Reading(100 * used / most, "%", told)


def grown(
    info: Info, name: str, words: str, memory: dict[str, Any], now: datetime, window: timedelta
) -> Reading:
    """How much a counter of the server grew within the window."""
    total = number(info, name)
    growth = Growth.of(memory, now)
    growth.note({name: total}, now)
    lately = growth.within(window, now).get(name, 0.0)
    told = f"{lately:.0f} {words}{growth.since(window, now)}; {total:.0f} since the server's start"
    return Reading(lately, "", told)


def hit_rate(info: Info, memory: dict[str, Any]) -> Reading:
    """Keys that were there, in percent of those asked for."""
    hits, misses = number(info, "keyspace_hits"), number(info, "keyspace_misses")
    found, lately = share(memory, hits, misses, LEAST_LOOKUPS)
    when = "since the look before" if lately else "since the server's start"
    if not hits + misses:
        return Reading(100.0, "%", "no key has been asked for yet")
    return Reading(found, "%", f"{format_quantity(found, '%')} of keys asked for were there {when}")


def replication(
    info: Info, unit: str, role: Literal["primary", "replica"] | None, replicas: int
) -> Reading:
    """How far the furthest replica is behind; a link that is down is critical by itself."""
    is_replica = info.get("role") == "slave"
    if role == "replica" and not is_replica:
        told = "it is no replica: it was promoted, or never was one"
        return Reading(message=told, state="critical")
    if role == "primary" and is_replica:
        primary = f"{info.get('master_host', '?')}:{info.get('master_port', '?')}"
        return Reading(message=f"it is no primary: it copies {primary}", state="critical")
    return _replica(info, unit) if is_replica else _primary(info, unit, replicas)


def _replica(info: Info, unit: str) -> Reading:
    primary = f"{info.get('master_host', '?')}:{info.get('master_port', '?')}"
    if info.get("master_link_status") != "up":
        if info.get("master_sync_in_progress") == "1":
            told = f"it is copying everything from {primary}"
        else:
            since = float(info.get("master_link_down_since_seconds", "-1"))
            ago = f" since {format_quantity(since, 's')}" if since >= 0 else ""
            told = f"the link to {primary} is down{ago}"
        return Reading(message=told, state="critical")
    if unit == "bytes":
        behind = number(info, "slave_read_repl_offset") - number(info, "slave_repl_offset")
        return Reading(max(0.0, behind), unit, f"received from {primary} and not yet applied")
    return Reading(number(info, "master_last_io_seconds_ago"), unit, f"last heard of {primary}")


def _primary(info: Info, unit: str, replicas: int) -> Reading:
    told = [
        dict(part.partition("=")[::2] for part in value.split(","))
        for name, value in info.items()
        if name.startswith("slave") and name[5:].isdigit()
    ]
    online = [one for one in told if one.get("state") == "online"]
    if len(online) < replicas:
        if not told:
            return Reading(
                message="no replica is connected, and it is none itself", state="critical"
            )
        there = ", ".join(f"{_name(one)} ({one.get('state', '?')})" for one in told)
        words = f"{len(online)} of {replicas} replicas are online: {there}"
        return Reading(message=words, state="critical")
    if not online:
        return Reading(0.0, unit, "no replica is connected, and none is expected")
    end = number(info, "master_repl_offset")
    found = [(float(one.get("lag", 0)), end - float(one.get("offset", 0)), one) for one in online]
    late, behind, last = max(found, key=lambda one: one[0] if unit == "s" else one[1])
    words = (
        f"{_name(last)}: {format_quantity(behind, 'bytes')} behind, last heard of {late:.0f} s ago"
    )
    words += f"; the furthest of {len(online)}" if len(online) > 1 else ""
    return Reading(late if unit == "s" else behind, unit, words)


def _name(one: Mapping[str, str]) -> str:
    return f"{one.get('ip', '?')}:{one.get('port', '?')}"
