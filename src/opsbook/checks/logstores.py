"""How many lines a log store has for a window: asked of Loki, Elasticsearch, OpenSearch over HTTP.

The store counts, and one number comes back. A store that cannot be asked (refused, too slow, a
wrong password, some of its shards away) is missing data and says nothing of the service whose lines
it keeps.

Sources: Grafana Loki's HTTP API (``GET /loki/api/v1/query``, an instant query), Elasticsearch's
count API (``GET /INDEX/_count`` with a query; OpenSearch answers the same).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from opsbook.checks import asking
from opsbook.checks.connect import place
from opsbook.checks.kind import Context
from opsbook.checks.model import CannotLook

MOST_BODY: Final = 1024 * 1024


async def loki(
    context: Context, url: str, query: str, window: timedelta, headers: Mapping[str, str], *,
    verify: bool,
) -> float:  # fmt: skip
    """Count the lines that a LogQL query selects; none where it selects none.

    The window ends now by our clock, which is the one that alerts are judged by.
    """
    seconds = max(1, round(window.total_seconds()))
    asked = f"sum(count_over_time({query}[{seconds}s]))"
    moment = str(round(context.now.timestamp() * 1_000_000_000))
    whole = _below(url, "loki/api/v1/query").update_query({"query": asked, "time": moment})
    found = await _json(context, "GET", whole, headers, verify=verify)
    data = found.get("data")
    if found.get("status") != "success" or not isinstance(data, dict):
        raise CannotLook(f"Loki answers: {found.get('error') or found.get('status') or 'nothing'}")
    if data.get("resultType") != "vector":
        raise CannotLook(f"Loki answers with {data.get('resultType')!r} and not with a number")
    return sum(_number(one.get("value", (0, ""))[1]) for one in data.get("result") or ())


async def elasticsearch(
    context: Context, url: str, index: str, query: str, time_field: str, window: timedelta,
    headers: Mapping[str, str], *, verify: bool,
) -> float:  # fmt: skip
    """Count the documents of an index that a query string finds within the window."""
    body = {
        "query": {
            "bool": {
                "must": [{"query_string": {"query": query}}],
                "filter": [{"range": {time_field: _between(context.now, window)}}],
            }
        }
    }
    whole = _below(url, f"{quote(index, safe='*,')}/_count")
    found = await _json(context, "POST", whole, headers, verify=verify, body=body)
    shards = found.get("_shards")
    told = shards if isinstance(shards, dict) else {}
    if failed := told.get("failed"):  # a smaller number than the true one would be a green light
        raise CannotLook(f"{failed} of {told.get('total')} shards did not answer")
    return _number(found.get("count"))


def _between(now: datetime, window: timedelta) -> dict[str, Any]:
    until = round(now.timestamp() * 1000)
    begin = until - round(window.total_seconds() * 1000)
    return {"gt": begin, "lte": until, "format": "epoch_millis"}


async def _json(
    context: Context, method: str, url: URL, headers: Mapping[str, str], *, verify: bool,
    body: object = None,
) -> dict[str, Any]:  # fmt: skip
    """Ask, and return the object that comes back; raises CannotLook for anything else."""
    where = place(url.host or "", url.port or "")
    sent = {**headers, "Accept": "application/json"}
    data: bytes | None = None
    if body is not None:
        sent["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    try:
        async with context.http.request(
            method, url, headers=sent, data=data, ssl=verify, allow_redirects=False
        ) as response:
            raw = await asking.body(response, MOST_BODY)
    except (aiohttp.ClientError, OSError) as error:
        if isinstance(error, TimeoutError):
            raise
        raise asking.unreachable(error, where) from None
    if response.status in {401, 403}:
        raise CannotLook(f"{where} does not let us in ({response.status}): look at the headers")
    try:
        found = json.loads(raw)
    except ValueError:
        found = None
    if response.status != 200:
        raise CannotLook(f"{where} answers {response.status}: {_why(found, raw)}")
    if not isinstance(found, dict):
        raise CannotLook(f"{where} does not answer with an object of JSON")
    return found


def _why(found: Any, raw: bytes) -> str:
    """What a store says that it dislikes: Loki in plain text, Elasticsearch in an object."""
    if isinstance(found, dict):
        error = found.get("error", found)
        if isinstance(error, dict):
            causes = error.get("root_cause") or [error]
            first = causes[0] if isinstance(causes, list) and causes else error
            return str(first.get("reason", error)) if isinstance(first, dict) else str(error)
        return str(error)
    return raw[:400].decode(errors="replace") or "nothing"


def _number(given: Any) -> float:
    try:
        return float(given)
    except (TypeError, ValueError):
        raise CannotLook(f"no number came back, but {str(given)[:60]!r}") from None


def _below(url: str, path: str) -> URL:
    base = URL(url)
    return base.with_path(f"{base.path.rstrip('/')}/{path}", encoded=True).with_query(base.query)
