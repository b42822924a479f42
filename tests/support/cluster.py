"""A small stand-in for the API of a Kubernetes cluster: lists with pages, selectors and faults.

It holds objects as the API has them (`Cluster.put`), answers lists and single objects, and can be
told to refuse, to be busy, to hang or to talk rubbish. It has no watch and changes nothing by
itself; `kubectl` is not meant to work with it.
"""

import asyncio
import base64
import contextlib
import json
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import yaml
from aiohttp import web

Thing = dict[str, Any]
Fault = Callable[[web.Request], Awaitable[web.StreamResponse | None]]

TOKEN = "sesame-open-up-17"
GROUPS = {
    "pods": "/api/v1",
    "services": "/api/v1",
    "nodes": "/api/v1",
    "events": "/api/v1",
    "namespaces": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "resourcequotas": "/api/v1",
    "deployments": "/apis/apps/v1",
    "statefulsets": "/apis/apps/v1",
    "daemonsets": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "cronjobs": "/apis/batch/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "endpointslices": "/apis/discovery.k8s.io/v1",
}
WITHOUT_NAMESPACE = {"nodes", "namespaces"}


@dataclass
class Cluster:
    """The stand-in: `things` by plural and then by namespace and name."""

    port: int = 0
    scheme: str = "http"
    things: dict[str, dict[tuple[str, str], Thing]] = field(default_factory=dict)
    summaries: dict[str, Thing] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    fault: Fault | None = None
    most: int = 1_000_000
    """How many it puts on a page, however many are asked for."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def put(
        self, plural: str, name: str, namespace: str = "shop", labels: Any = None, **parts: Any
    ) -> Thing:
        """Put an object in place of the one of the same name, if there is one."""
        space = "" if plural in WITHOUT_NAMESPACE else namespace
        meta = {
            "name": name,
            "uid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{plural}/{space}/{name}")),
            "resourceVersion": "1",
            "labels": labels or {},
            **({"namespace": space} if space else {}),
            **parts.pop("metadata", {}),
        }
        thing = {"metadata": meta, **parts}
        self.things.setdefault(plural, {})[space, name] = thing
        if space:
            self.things.setdefault("namespaces", {}).setdefault(
                ("", space), {"metadata": {"name": space}}
            )
        return thing

    def kubeconfig(self, **user: Any) -> str:
        """A kubeconfig whose namespace is `shop`."""
        named = {"cluster": "it", "user": "us", "namespace": "shop"}
        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "it",
                "clusters": [{"name": "it", "cluster": {"server": self.url}}],
                "contexts": [{"name": "it", "context": named}],
                "users": [{"name": "us", "user": user or {"token": TOKEN}}],
            }
        )

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(str(request.rel_url))
        if self.fault is not None and (told := await self.fault(request)) is not None:
            return told
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return status(401, "Unauthorized", "Unauthorized")
        return self._found(request)

    def _found(self, request: web.Request) -> web.Response:
        parts = request.path.strip("/").split("/")
        if parts[:3] == ["api", "v1", "nodes"] and parts[4:] == ["proxy", "stats", "summary"]:
            summary = self.summaries.get(parts[3])
            return web.json_response(summary) if summary else status(503, "kubelet is away")
        group = "/" + "/".join(parts[:2] if parts[0] == "api" else parts[:3])
        rest = parts[2:] if parts[0] == "api" else parts[3:]
        space = ""
        if rest[:1] == ["namespaces"] and len(rest) > 2:
            space, rest = rest[1], rest[2:]
        plural, name = rest[0], rest[1] if len(rest) > 1 else None
        if GROUPS.get(plural) != group:
            return status(404, "the server could not find the requested resource", "NotFound")
        held = self.things.get(plural, {})
        if name is not None:
            thing = held.get((space, name))
            return (
                web.json_response(thing) if thing else status(404, f'{plural} "{name}" not found')
            )
        found = [
            thing
            for (one, _), thing in sorted(held.items())
            if (not space or one == space) and _is_meant(thing, request)
        ]
        return self._page(found, request)

    def _page(self, found: list[Thing], request: web.Request) -> web.Response:
        limit = min(int(request.query.get("limit", 0)) or self.most, self.most)
        start = int(base64.b64decode(request.query.get("continue", "")) or 0)
        page, more = found[start : start + limit], start + limit < len(found)
        meta: Thing = {"resourceVersion": "1"}
        if more:
            meta["continue"] = base64.b64encode(str(start + limit).encode()).decode()
            meta["remainingItemCount"] = len(found) - start - limit
        return web.json_response({"kind": "List", "metadata": meta, "items": page})


def _is_meant(thing: Thing, request: web.Request) -> bool:
    labels = thing["metadata"].get("labels", {})
    for part in filter(None, request.query.get("labelSelector", "").split(",")):
        key, equals, value = part.partition("=")
        if key not in labels or (equals and labels[key] != value):
            return False
    for part in filter(None, request.query.get("fieldSelector", "").split(",")):
        key, _, value = part.partition("=")
        of = thing["metadata"] if key.startswith("metadata.") else thing
        if of.get(key.removeprefix("metadata.")) != value:
            return False
    return True


def status(code: int, message: str, reason: str = "", **headers: str) -> web.Response:
    """A failure as the API tells it."""
    told = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    }  # fmt: skip
    return web.json_response(told, status=code, headers=headers)


def conditions(at: datetime | None = None, **said: str | bool | tuple[bool, str]) -> list[Thing]:
    """Conditions as an object's status has them: ``Ready=True`` or ``Ready=(False, "Reason")``."""
    listed = []
    for name, value in said.items():
        holds, why = value if isinstance(value, tuple) else (value, "")
        text = holds if isinstance(holds, str) else str(holds)
        one = {"type": name, "status": text, "reason": why}
        listed.append(one | ({"lastTransitionTime": moment(at)} if at else {}))
    return listed


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


@contextlib.asynccontextmanager
async def standing_in(tls: ssl.SSLContext | None = None) -> AsyncIterator[Cluster]:
    """A stand-in on a free port of the loopback."""
    cluster = Cluster(scheme="https" if tls else "http")
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", cluster.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        cluster.port = runner.addresses[0][1]
        yield cluster
    finally:
        await runner.cleanup()


async def hang(_: web.Request) -> web.StreamResponse | None:
    await asyncio.sleep(3600)
    return None


def rubbish(text: bytes | object, code: int = 200) -> Fault:
    """Answer everything with this."""
    raw = text if isinstance(text, bytes) else json.dumps(text).encode()

    async def answer(_: web.Request) -> web.StreamResponse | None:
        return web.Response(body=raw, status=code)

    return answer
