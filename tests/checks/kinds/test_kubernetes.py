"""The kind kubernetes, against a stand-in of its API.

Long because all fifteen metrics are asked of one stand-in, and are read side by side.
"""

import base64
import ssl
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from opsbook.book import BookError
from opsbook.checks.kubernetes import cluster as clusters
from opsbook.checks.kubernetes.storage import amount
from opsbook.checks.model import CannotLook, Observation
from opsbook.checks.plan import Planned, target_of
from tests.checks.making import FACTS, Looking, book, certificate, closed_port, server_side
from tests.support.cluster import (
    TOKEN,
    Cluster,
    conditions,
    hang,
    moment,
    rubbish,
    standing_in,
    status,
)

Look = Callable[..., Any]


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with standing_in() as cluster:
        yield cluster


@pytest.fixture
def look(looking: Looking, cluster: Cluster, tmp_path: Path) -> Look:
    """Look at the stand-in; the same `key` again goes on with what the check remembers."""
    file = tmp_path / "kubeconfig"
    file.write_text(cluster.kubeconfig())
    targets = {"cluster": {"title": "Cluster", "read": {"files": {"KUBECONFIG": f"file:{file}"}}}}

    async def look(metric: str, key: str = "it", **fields: Any) -> Observation:
        if key not in looking.planned or fields:
            place = {} if "kubeconfig" in fields else {"on": "cluster"}
            check = {"kind": "kubernetes", "metric": metric, **place, **fields}
            whole = book({key: check}, targets=targets)
            made = whole.checks[key]
            planned = Planned.of("shop", made, FACTS.by_name(), target_of(whole, made))
            looking.planned[key] = planned
        return await looking.look(key)

    return look


def pod(
    cluster: Cluster,
    name: str,
    ready: bool = True,
    *,
    restarts: int = 0,
    why: str = "",
    ended: str = "",
    phase: str = "Running",
    namespace: str = "shop",
    **metadata: Any,
) -> None:
    container = {
        "name": "web", "image": "nginx:1", "ready": ready, "restartCount": restarts,
        "state": {"waiting": {"reason": why}} if why else {"running": {}},
        "lastState": {"terminated": {"reason": ended, "exitCode": 1}} if ended else {},
    }  # fmt: skip
    cluster.put(
        "pods", name, namespace, {"app": "web"}, metadata=metadata,
        spec={"containers": [{"name": "web", "image": "nginx:1"}]},
        status={
            "phase": phase, "conditions": conditions(Ready=ready), "containerStatuses": [container],
        },
    )  # fmt: skip


async def test_pods_that_should_be_ready_are_a_share_and_the_others_say_why(
    cluster: Cluster, look: Look, now: datetime
) -> None:
    pod(cluster, "web-1")
    pod(cluster, "web-2", ready=False, why="CrashLoopBackOff")
    pod(cluster, "web-3")
    pod(cluster, "web-4", ready=False, phase="Pending")
    pod(cluster, "done", ready=False, phase="Succeeded")
    pod(cluster, "going", ready=False, deletionTimestamp=moment(now))
    pod(cluster, "other", namespace="mail")
    seen = await look("pods", bands={"warning": "< 100%", "critical": "< 50%"})
    assert (seen.state, seen.value, seen.unit) == ("warning", 50.0, "%")
    assert seen.message == ("2 of 4 pods ready; not web-2 (CrashLoopBackOff), web-4 (Pending)")
    chosen = await look("pods", "2", namespace="*", selector="app=web")
    assert chosen.value == 60.0
    assert "not shop/web-2 (CrashLoopBackOff)" in chosen.message
    one = await look("pods", "3", name="web-2")
    assert one.value == 0.0
    assert (
        "metadata.name%3Dweb-2" in cluster.asked[-1] or "metadata.name=web-2" in cluster.asked[-1]
    )


async def test_no_pod_at_all_is_critical_and_a_namespace_that_is_not_there_is_named(
    cluster: Cluster, look: Look
) -> None:
    cluster.put("services", "web")
    seen = await look("pods", selector="app=web")
    assert (seen.state, seen.value) == ("critical", None)
    assert seen.message == "there is no pod with app=web in shop"
    gone = await look("pods", "2", namespace="shopp")
    assert (gone.state, gone.message) == ("critical", "there is no namespace shopp")
    counted = await look("restarts", "3", namespace="shopp")
    assert (counted.state, counted.message) == ("nodata", "there is no namespace shopp")
    quiet = await look("restarts", "4")
    assert (quiet.state, quiet.value, quiet.message) == ("ok", 0.0, "there is no pod in shop")


async def test_five_thousand_pods_are_read_page_by_page(cluster: Cluster, look: Look) -> None:
    for n in range(5000):
        pod(cluster, f"web-{n}", ready=n % 50 != 0)
    seen = await look("pods", timeout="30s")
    assert (seen.value, seen.message[:24]) == (98.0, "4,900 of 5,000 pods read")
    assert len(cluster.asked) == 10
    assert "limit=500" in cluster.asked[0]
    assert "continue=" in cluster.asked[1]


async def test_restarts_are_counted_within_the_window(
    cluster: Cluster, look: Look, looking: Looking
) -> None:
    pod(cluster, "web-1", restarts=7)
    pod(cluster, "web-2", restarts=0)
    first = await look("restarts", window="10m", bands={"warning": "> 2"})
    assert (first.value, first.message) == (
        0.0,
        "0 restarts since 09:00:00 UTC, when counting began",
    )
    looking.clock.advance(timedelta(minutes=5))
    pod(cluster, "web-1", restarts=9, ended="OOMKilled")
    pod(cluster, "web-3", restarts=1)
    seen = await look("restarts")
    assert (seen.state, seen.value) == ("warning", 3.0)
    assert seen.message.endswith("; most of web-1/web, last ended by OOMKilled")
    looking.clock.advance(timedelta(minutes=10))
    del cluster.things["pods"]["shop", "web-1"]
    later = await look("restarts")
    assert (later.value, later.message) == (0.0, "0 restarts")


@pytest.mark.parametrize("plural", ["deployments", "statefulsets", "daemonsets"])
async def test_of_workloads_the_one_that_lacks_most_is_the_value(
    cluster: Cluster, look: Look, plural: str
) -> None:
    def put(name: str, there: int, wanted: int, **said: Any) -> None:
        cluster.put(
            plural, name, spec={"replicas": wanted},
            status={
                "availableReplicas": there, "readyReplicas": there,
                "numberAvailable": there, "desiredNumberScheduled": wanted,
                "conditions": conditions(**said), "observedGeneration": 1,
            },
            metadata={"generation": 1},
        )  # fmt: skip

    put("web", 3, 3)
    put("asleep", 0, 0)
    whole = await look(plural)
    what = plural[:-1]
    assert (whole.value, whole.unit) == (100.0, "%")
    assert whole.message == f"web: 3 of 3 available; 0 of 2 {what}s lack pods"
    put("mail", 1, 4, Progressing=(False, "ProgressDeadlineExceeded"))
    seen = await look(plural, bands={"critical": "< 50%"})
    assert (seen.state, seen.value) == ("critical", 25.0)
    assert seen.message == (
        "mail: 1 of 4 available, and its rollout is stuck (ProgressDeadlineExceeded); "
        f"1 of 3 {what}s lack pods"
    )
    gone = await look(plural, "2", name="none")
    assert (gone.state, gone.message) == ("critical", f"there is no {what} none in shop")
    asleep = await look(plural, "3", name="asleep")
    assert (asleep.value, asleep.message) == (100.0, f"1 {what}, scaled to 0")


async def test_a_services_ready_addresses_are_counted_and_none_is_critical(
    cluster: Cluster, look: Look
) -> None:
    def put(name: str, *ready: bool | None) -> None:
        cluster.put(
            "endpointslices", name, labels={"kubernetes.io/service-name": "web"},
            addressType="IPv4",
            endpoints=[
                {"addresses": [f"10.0.{name[-1]}.{n}"],
                 "conditions": {} if one is None else {"ready": one}}
                for n, one in enumerate(ready)
            ],
        )  # fmt: skip

    none = await look("endpoints", name="web")
    assert (none.state, none.message) == ("critical", "there is no service web in shop")
    cluster.put("services", "web")
    empty = await look("endpoints")
    assert (empty.state, empty.value, empty.message) == (
        "critical", 0.0, "no pod is behind the service web",
    )  # fmt: skip
    put("web-1", True, False)
    put("web-2", None)
    seen = await look("endpoints", bands={"warning": "< 3"}, name="web")
    assert (seen.state, seen.value) == ("warning", 2.0)
    assert seen.message == "2 of 3 addresses of web ready"
    put("web-1", False)
    put("web-2", False)
    down = await look("endpoints")
    assert (down.state, down.value) == ("critical", 0.0)


async def test_nodes_of_a_role_are_ready_or_short_of_something(
    cluster: Cluster, look: Look
) -> None:
    def node(name: str, role: str = "", closed: bool = False, **said: Any) -> None:
        labels = {f"node-role.kubernetes.io/{role}": ""} if role else {}
        cluster.put(
            "nodes", name, labels=labels, spec={"unschedulable": closed},
            status={"conditions": conditions(**{"Ready": True, **said})},
        )  # fmt: skip

    node("one", "control-plane")
    node("two", "worker", Ready=("Unknown", "NodeStatusUnknown"))
    node("three", "worker", closed=True)
    node("four", "worker", MemoryPressure=True, DiskPressure=True)
    seen = await look("nodes")
    assert (seen.value, seen.unit) == (75.0, "%")
    assert seen.message == ("3 of 4 nodes ready; not two (NodeStatusUnknown); 1 closed to new pods")
    role = await look("nodes", "2", role="control-plane")
    assert (role.value, role.message) == (100.0, "1 of 1 node ready")
    none = await look("nodes", "3", role="gpu")
    assert (none.state, none.message) == ("critical", "there is no node of the role gpu")
    short = await look("pressure", "4", role="worker", bands={"warning": ">= 1"})
    assert (short.state, short.value) == ("warning", 1.0)
    assert short.message == "1 of 3 nodes short of something: four (MemoryPressure, DiskPressure)"


async def test_claims_have_a_volume_after_a_while_and_a_lost_one_is_critical(
    cluster: Cluster, look: Look, now: datetime
) -> None:
    def claim(name: str, phase: str, minutes: int) -> None:
        made = moment(now - timedelta(minutes=minutes))
        cluster.put(
            "persistentvolumeclaims", name,
            metadata={"creationTimestamp": made}, status={"phase": phase},
        )  # fmt: skip

    claim("a", "Bound", 60)
    claim("new", "Pending", 2)
    fine = await look("volumes")
    assert (fine.state, fine.value) == ("ok", 0.0)
    claim("old", "Pending", 20)
    seen = await look("volumes", longer_than="10m", bands={"warning": "> 0"})
    assert (seen.state, seen.value) == ("warning", 1.0)
    assert seen.message == "1 of 3 claims without a volume: old (Pending)"
    claim("b", "Lost", 60)
    lost = await look("volumes")
    assert (lost.state, lost.value) == ("critical", 2.0)


async def test_the_fullest_volume_is_told_by_the_kubelets(cluster: Cluster, look: Look) -> None:
    def volume(name: str, used: int, capacity: int, **more: Any) -> dict[str, Any]:
        claim = {"name": name, "namespace": "shop"}
        return {
            "name": "data",
            "pvcRef": claim,
            "usedBytes": used,
            "capacityBytes": capacity,
        } | more

    for name in ("one", "two", "three"):
        cluster.put("nodes", name)
    gib = 1024**3
    plain = {"name": "config", "usedBytes": 1, "capacityBytes": 1}
    cluster.summaries["one"] = {
        "node": {},
        "pods": [{"volume": [volume("a", gib, 4 * gib), plain]}],
    }
    none = await look("volume_usage", "0", name="b")
    assert (none.state, none.message) == (
        "nodata", "no claim b in shop is mounted; 2 kubelets did not answer",
    )  # fmt: skip
    cluster.summaries["two"] = {
        "pods": [{"volume": [volume("b", gib, 4 * gib, inodes=100, inodesUsed=90)]}, {}]
    }
    seen = await look("volume_usage", bands={"warning": "> 80%"})
    assert (seen.state, seen.value) == ("warning", 90.0)
    assert seen.message == ("b: 3 GiB of 4 GiB free; the fullest of 2; 1 kubelet did not answer")
    assert (await look("volume_usage", "2", name="a")).value == 25.0
    cluster.summaries.clear()
    silent = await look("volume_usage")
    assert silent.state == "nodata"
    assert "no kubelet says how full its volumes are" in silent.message


async def test_a_quota_is_used_up_by_the_resource_that_is_nearest_to_its_end(
    cluster: Cluster, look: Look
) -> None:
    none = await look("quota")
    assert none.state == "critical"
    cluster.put(
        "resourcequotas", "team",
        status={
            "hard": {"requests.cpu": "4", "requests.memory": "8Gi", "pods": "10", "gpu": "0"},
            "used": {"requests.cpu": "3500m", "requests.memory": "2048Mi", "pods": "5"},
        },
    )  # fmt: skip
    seen = await look("quota", bands={"warning": "> 80%"})
    assert (seen.state, seen.value) == ("warning", 87.5)
    assert seen.message == "team: 3500m of 4 requests.cpu"
    memory = await look("quota", "2", resource="requests.memory")
    assert memory.value == 25.0
    other = await look("quota", "3", resource="limits.cpu")
    assert (other.state, other.message) == ("nodata", "no quota in shop limits limits.cpu")


@pytest.mark.parametrize(
    ("text", "number"),
    [("2", 2), ("500m", 0.5), ("1Gi", 2**30), ("1.5k", 1500), ("1e3", 1000), ("12E", 12e18)],
)
def test_quantities_are_read_as_kubernetes_writes_them(text: str, number: float) -> None:
    assert amount(text) == pytest.approx(number)


def test_a_quantity_that_is_none_is_refused() -> None:
    with pytest.raises(CannotLook, match="'lots' is no quantity"):
        amount("lots")


async def test_jobs_that_failed_lately_are_counted(
    cluster: Cluster, look: Look, now: datetime
) -> None:
    def job(name: str, hours: float, **said: Any) -> None:
        at = now - timedelta(hours=hours)
        cluster.put("jobs", name, status={"conditions": conditions(at, **said)})

    quiet = await look("jobs")
    assert (quiet.state, quiet.value) == ("nodata", None)
    job("fine", 1, Complete=True)
    job("bad", 2, Failed=(True, "BackoffLimitExceeded"))
    job("long-ago", 30, Failed=(True, "DeadlineExceeded"))
    seen = await look("jobs", window="24h", bands={"warning": "> 0"})
    assert (seen.state, seen.value) == ("warning", 1.0)
    assert seen.message == "1 of 3 jobs failed in 24 h: bad (BackoffLimitExceeded)"


async def test_the_cron_job_whose_success_is_the_oldest_is_told(
    cluster: Cluster, look: Look, now: datetime
) -> None:
    def cron(name: str, hours: float | None, suspend: bool = False) -> None:
        success = (
            {} if hours is None else {"lastSuccessfulTime": moment(now - timedelta(hours=hours))}
        )
        made = {"creationTimestamp": moment(now - timedelta(days=9))}
        cluster.put(
            "cronjobs", name, metadata=made, spec={"suspend": suspend, "schedule": "0 3 * * *"},
            status=success,
        )  # fmt: skip

    cron("asleep", 500, suspend=True)
    asleep = await look("cronjobs")
    assert (asleep.state, asleep.message) == ("nodata", "every cron job in shop is suspended")
    cron("backup", 6)
    cron("report", 30)
    seen = await look("cronjobs", bands={"warning": "> 26h"})
    assert (seen.state, seen.value, seen.unit) == ("warning", 30 * 3600.0, "s")
    assert seen.message == "report: last success 2026-03-02 03:00 UTC; the oldest of 2"
    cron("never", None)
    never = await look("cronjobs")
    assert (never.value, never.message[:21]) == (9 * 86400.0, "never never succeeded")


async def test_warnings_are_counted_within_the_window_and_the_last_is_told(
    cluster: Cluster, look: Look, now: datetime
) -> None:
    def event(name: str, minutes: int, reason: str, kind: str = "Warning", **more: Any) -> None:
        at = now - timedelta(minutes=minutes)
        cluster.put(
            "events", name, type=kind, reason=reason, message=f"{reason} happened",
            involvedObject={"kind": "Pod", "name": name.split(".", maxsplit=1)[0]},
            **({"lastTimestamp": moment(at)} | more),
        )  # fmt: skip

    quiet = await look("events", namespace="none")
    assert (quiet.state, quiet.message) == ("nodata", "there is no namespace none")
    event("web-1.a", 5, "BackOff")
    event("web-1.b", 2, "Unhealthy")
    event("web-2.c", 4, "BackOff")
    event("web-2.d", 40, "FailedMount")
    event("web-3.e", 1, "Pulled", kind="Normal")
    newer = {"lastTimestamp": None, "eventTime": None,
             "series": {"count": 4, "lastObservedTime": f"{moment(now)[:-1]}.123456Z"}}  # fmt: skip
    event("web-4.f", 0, "FailedScheduling", **newer)
    seen = await look("events", "2", window="15m", bands={"warning": "> 3"})
    assert (seen.state, seen.value) == ("warning", 4.0)
    assert seen.message == (
        "4 warnings in 15 min: BackOff 2, Unhealthy 1, FailedScheduling 1; "
        "last pod web-4: FailedScheduling happened"
    )
    assert (await look("events", "3", reason="BackOff")).value == 2.0
    assert (await look("events", "4", name="web-1")).value == 2.0


async def test_autoscalers_at_their_maximum_are_counted(cluster: Cluster, look: Look) -> None:
    def scaler(name: str, most: int, now: int, least: int = 1, **said: Any) -> None:
        cluster.put(
            "horizontalpodautoscalers", name, spec={"minReplicas": least, "maxReplicas": most},
            status={
                "currentReplicas": now, "desiredReplicas": now, "conditions": conditions(**said),
            },
        )  # fmt: skip

    scaler("calm", 10, 2)
    scaler("fixed", 3, 3, least=3)
    scaler("full", 5, 5, ScalingLimited=(True, "TooManyReplicas"))
    scaler("blind", 5, 1, ScalingActive=(False, "FailedGetResourceMetric"))
    seen = await look("autoscalers", bands={"warning": ">= 1"})
    assert (seen.state, seen.value) == ("warning", 1.0)
    assert seen.message == (
        "1 of 4 autoscalers at its maximum: full (5, wants more); blind cannot see what to scale by"
    )


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (401, "does not know us (401 no); check the token or certificate: it may have expired"),
        (403, "no; grant it to the account, for reading"),
        (404, "knows no pods; its version is another"),
        (410, "the list changes faster than it can be read"),
        (500, "answers 500 no"),
        (302, "answers 302 no"),
    ],
)
async def test_a_refusal_of_the_api_is_missing_data_with_what_to_do(
    cluster: Cluster, look: Look, code: int, told: str
) -> None:
    cluster.fault = rubbish({"kind": "Status", "message": "no", "code": code}, code)
    seen = await look("pods")
    assert (seen.state, seen.value) == ("nodata", None)
    assert told in seen.message


async def test_a_list_that_has_changed_is_read_again_from_its_beginning(
    cluster: Cluster, look: Look
) -> None:
    for n in range(4):
        pod(cluster, f"web-{n}")
    cluster.most = 3
    gone = [True]

    async def once(request: web.Request) -> web.StreamResponse | None:
        return (
            status(410, "too old", "Expired")
            if "continue" in request.query and gone.pop(0)
            else None
        )

    gone += [False] * 9
    cluster.fault = once
    assert (await look("pods")).message == "4 of 4 pods ready"
    assert len(cluster.asked) == 4


async def test_a_server_that_is_too_busy_is_asked_again_when_it_says_so(
    cluster: Cluster, look: Look
) -> None:
    pod(cluster, "web-1")
    pauses = ["0", "0"]

    async def busy(_: web.Request) -> web.StreamResponse | None:
        if not pauses:
            return None
        return status(429, "too many requests", "TooManyRequests", **{"Retry-After": pauses.pop()})

    cluster.fault = busy
    assert (await look("pods")).value == 100.0
    pauses.append("60")
    began = time.monotonic()
    seen = await look("pods")
    assert (seen.state, time.monotonic() - began < 2) == ("nodata", True)
    assert "is too busy to answer (429); look less often" in seen.message


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>login</html>",
        b"",
        b"[]",
        b'{"items": [{"metadata": {}}]}',
        b'{"items": [{"metadata": {"name": 7}}]}',
        b'{"items": "many"}',
        b'{"items": [{"metadata": {"name": "a"}, "status": {"conditions": [{}]}}]}',
        b'{"items": [\xff\xfe]}',
    ],
    ids=range(8),
)
async def test_rubbish_is_missing_data(cluster: Cluster, look: Look, answer: bytes) -> None:
    cluster.fault = rubbish(answer)
    seen = await look("pods")
    assert (seen.state, seen.value) == ("nodata", None)
    assert "does not answer as Kubernetes does" in seen.message


async def test_a_list_of_nothing_may_be_null(cluster: Cluster, look: Look) -> None:
    cluster.fault = rubbish({"metadata": {}, "items": None})
    seen = await look("pods", namespace="*")
    assert (seen.state, seen.message) == ("critical", "there is no pod in any namespace")


async def test_an_api_that_hangs_or_refuses_is_missing_data(
    cluster: Cluster, look: Look, tmp_path: Path
) -> None:
    cluster.fault = hang
    seen = await look("pods", timeout="100ms")
    assert (seen.state, seen.message) == ("nodata", "no answer within 100ms")
    file = tmp_path / "other"
    with closed_port() as port:
        file.write_text(Cluster(port).kubeconfig())
        refused = await look("pods", "2", kubeconfig=f"file:{file}")
    assert (refused.state, refused.message) == ("nodata", f"127.0.0.1:{port} refuses connections")


async def test_tls_is_verified_and_a_client_certificate_is_shown(
    look: Look, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    server = certificate(tmp_path, "127.0.0.1", starts=now, ends=now + timedelta(days=1))
    ours = certificate(tmp_path, "us", starts=now, ends=now + timedelta(days=1), name="us")
    tls = server_side(server)
    tls.load_verify_locations(ours)

    tls.verify_mode = ssl.CERT_REQUIRED
    file = tmp_path / "other"
    async with standing_in(tls) as cluster:
        pod(cluster, "web-1")
        pem = server.read_text()
        authority = pem[pem.index("-----BEGIN CERTIFICATE") :]
        mine = base64.b64encode(ours.read_bytes()).decode()
        user = {"client-certificate-data": mine, "client-key-data": mine, "token": TOKEN}

        def written(trust: dict[str, Any], **who: Any) -> str:
            text = cluster.kubeconfig(**(who or user))
            return text.replace("    server: ", f"    {_line(trust)}\n    server: ", 1)

        trusted = {"certificate-authority-data": base64.b64encode(authority.encode()).decode()}
        file.write_text(written(trusted))
        seen = await look("pods", "1", kubeconfig=f"file:{file}")
        assert (seen.state, seen.value) == ("ok", 100.0), seen.message
        file.write_text(written({"insecure-skip-tls-verify": "true"}))
        assert (await look("pods", "2", kubeconfig=f"file:{file}")).value == 100.0
        file.write_text(written({"certificate-authority": str(ours)}))
        stranger = await look("pods", "3", kubeconfig=f"file:{file}")
        assert stranger.state == "nodata"
        assert "TLS failed: self-signed certificate" in stranger.message
        file.write_text(written(trusted, token=TOKEN))
        nobody = await look("pods", "4", kubeconfig=f"file:{file}")
        assert nobody.state == "nodata"
        file.write_text(written({**trusted, "tls-server-name": "elsewhere"}))
        other = await look("pods", "5", kubeconfig=f"file:{file}")
        assert "TLS failed" in other.message


def _line(fields: dict[str, Any]) -> str:
    return "\n    ".join(f"{key}: {value}" for key, value in fields.items())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "the kubeconfig cannot be read"),
        ("a: [", "the kubeconfig cannot be read"),
        ("clusters: 7", "the kubeconfig cannot be read"),
        ("clusters: []\ncontexts: []", "No current context set"),
        ("clusters: []\ncontexts: []\ncurrent-context: it", "Context 'it' not found"),
        (
            {"exec": {"apiVersion": "v1", "command": "/bin/evil"}},
            "a program, which a check does not",
        ),
        ({"token": "x", "client-certificate": "us.pem"}, "write its whole path"),
        ({"tokenFile": "/no/such/token"}, "the token /no/such/token cannot be read"),
        ({"client-certificate-data": "AAAA", "client-key-data": "AAAA"}, "certificates or keys"),
    ],
)
async def test_a_kubeconfig_that_cannot_be_used_is_missing_data(
    look: Look, tmp_path: Path, text: Any, told: str
) -> None:
    file = tmp_path / "other"
    whole = text if isinstance(text, str) else Cluster(1, "https").kubeconfig(**text)
    file.write_text(whole)
    seen = await look("pods", kubeconfig=f"file:{file}")
    assert (seen.state, seen.value) == ("nodata", None)
    assert told in seen.message


async def test_a_token_that_is_replaced_counts_from_the_next_look_on_and_is_never_told(
    cluster: Cluster, look: Look, tmp_path: Path
) -> None:
    token, file = tmp_path / "token", tmp_path / "other"
    token.write_text("sesame-shut-18")
    file.write_text(cluster.kubeconfig(tokenFile=str(token)))
    pod(cluster, "web-1")

    async def echoing(request: web.Request) -> web.StreamResponse | None:
        told = request.headers["Authorization"]
        return status(401, f"bad {told}") if TOKEN not in told else None

    cluster.fault = echoing
    seen = await look("pods", kubeconfig=f"file:{file}")
    assert "does not know us (401 bad Bearer ••••)" in seen.message
    token.write_text(TOKEN)
    assert (await look("pods")).value == 100.0


async def test_without_a_place_it_is_the_cluster_around_the_server(
    looking: Looking, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = await looking.look("1", kind="kubernetes", metric="pods")
    assert (seen.state, seen.message[:34]) == ("nodata", "this server runs in no cluster; wr")
    now = datetime.now(UTC)
    pem = certificate(tmp_path, "127.0.0.1", starts=now, ends=now + timedelta(days=1))
    (tmp_path / "ca.crt").write_bytes(pem.read_bytes())
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "namespace").write_text("shop")
    async with standing_in(server_side(pem)) as around:
        pod(around, "web-1")
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(around.port))
        monkeypatch.setattr(clusters.of_account, "__defaults__", (tmp_path,))
        seen = await looking.look("2", kind="kubernetes", metric="pods")
        assert (seen.state, seen.message) == ("ok", "1 of 1 pod ready")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"metric": "endpoints"}, "endpoints are those of one service"),
        ({"metric": "pods", "role": "worker"}, "role means nothing for pods. it is for nodes"),
        ({"metric": "events", "selector": "a=b"}, "events are not chosen by a selector"),
        ({"metric": "pods", "namespace": "Shop!"}, "namespace"),
        ({"metric": "pods", "on": "plain"}, "plain does not say where its KUBECONFIG is"),
        ({"metric": "pods", "on": "orders"}, "cannot ask orders, which is of kind postgresql"),
        ({"metric": "pods", "on": "plain", "kubeconfig": "env:K"}, "write on: or kubeconfig:,"),
        ({"metric": "pods", "bands": {"critical": "< 5s"}}, "cannot be compared"),
    ],
)
def test_a_book_says_which_cluster_and_what_of_it(fields: dict[str, Any], told: str) -> None:
    targets = {
        "plain": {"title": "Plain"},
        "orders": {"title": "Orders", "kind": "postgresql", "url": "postgresql://db/orders"},
    }
    with pytest.raises(BookError) as caught:
        book({"it": {"kind": "kubernetes", **fields}}, targets=targets)
    said = [str(problem) for problem in caught.value.problems]
    assert len(said) == 1, said
    assert told in said[0]
