"""The whole way through a running server: in at a sender's door, and there for all to see."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.alerts.intake.gate import firing, notification
from tests.support.front_door import Up, start
from tests.support.shopbook import write_shop

INTAKES = """
intakes:
  am: {kind: alertmanager, title: Prometheus}
  webhook: {kind: webhook, title: Next door}
  grafana: {kind: grafana, title: Grafana, labels: {team: web}}
  watcher:
    kind: pagerduty
    title: Watcher
    token: env:ROUTING_KEY
    severities: {warning: P1, critical: P0}
"""
SEVERITIES = "\nseverities:\n  P0: {title: Down}\n"
ROUTING_KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    os.environ["ROUTING_KEY"] = ROUTING_KEY
    folder = tmp_path_factory.mktemp("shop")
    folder.chmod(0o755)
    book = write_shop(folder)
    (book / "intakes.yaml").write_text(INTAKES)
    file = next(one for one in book.glob("*.yaml") if "\nseverities:\n" in one.read_text())
    file.write_text(file.read_text().replace("\nseverities:\n", SEVERITIES))
    server = start(book, data=folder / "data")
    try:
        yield server
    finally:
        server.stop()


def post(up: Up, door: str, about: Any) -> None:
    body = json.dumps(about).encode()
    request = urllib.request.Request(
        f"{up.url}/in/shop/{door}", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status in {200, 202}


def seen(up: Up) -> dict[str, dict[str, Any]]:
    """The alerts that Alertmanager's interface shows, by name."""
    with urllib.request.urlopen(f"{up.url}/in/shop/am/api/v2/alerts", timeout=30) as answer:
        return {one["labels"]["alertname"]: one for one in json.load(answer)}


def until(told: Callable[[], bool]) -> None:
    for _ in range(200):
        if told():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def test_an_alert_is_seen_while_it_fires_and_not_when_it_is_over(up: Up) -> None:
    began = (datetime.now(UTC) - timedelta(minutes=2)).isoformat()
    post(up, "webhook", notification(firing("Way", startsAt=began)))
    post(up, "grafana", notification(firing("Board", startsAt=began), version="1"))
    until(lambda: {"Way", "Board"} <= set(seen(up)))
    shown = seen(up)
    assert shown["Way"]["annotations"] == {"summary": "The load is high."}
    assert shown["Board"]["labels"]["team"] == "web"
    over = datetime.now(UTC).isoformat()
    post(up, "webhook", notification(firing("Way", status="resolved", startsAt=began, endsAt=over)))
    until(lambda: "Way" not in seen(up))
    assert "Board" in seen(up)


def test_whoever_sets_a_silence_is_told_how_many_alerts_it_keeps_quiet_now(up: Up) -> None:
    for host in ("a", "b"):
        labels = {"alertname": "Loud", "host": host}
        post(up, "webhook", notification(firing("Loud", labels=labels)))
    until(lambda: "Loud" in seen(up))
    words = ("silence", "add", "alertname=Loud", "--for", "1h", "--comment", "we know")
    told = up.call(*words, "-o", "json").json
    assert (told["quiet"], told["matchers"]) == (2, ['alertname="Loud"'])
    assert "No alert that fires now" not in up.call(*words).out


def test_from_a_browser_a_door_without_a_token_is_shut(up: Up) -> None:
    request = urllib.request.Request(
        f"{up.url}/in/shop/webhook", b"{}",
        {"Content-Type": "text/plain", "Origin": "https://evil.example.org"},
    )  # fmt: skip
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 401


def test_an_alert_with_a_name_gets_worse_and_is_ended_by_the_name_alone(up: Up) -> None:
    def event(action: str, **payload: str) -> None:
        about = {"routing_key": ROUTING_KEY, "event_action": action, "dedup_key": "db/disk"}
        more = {"payload": {"summary": "The disk fills.", "source": "db-1", **payload}}
        post(up, "watcher/v2/enqueue", about | (more if payload else {}))

    def severities() -> list[str]:
        mine = [one for one in seen(up).values() if one["labels"].get("dedup_key") == "db/disk"]
        return [one["labels"]["severity"] for one in mine]

    event("trigger", severity="warning")
    until(lambda: severities() == ["P1"])
    event("trigger", severity="warning")
    event("trigger", severity="critical")
    until(lambda: severities() == ["P0"])
    event("resolve")
    until(lambda: severities() == [])
