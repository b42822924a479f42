"""Fills a database with what pages show: a calm shop, an empty one, or one in trouble at night.

Rows are written by the packages' own calls where those can be had without running anything, and
inserted otherwise. Times are fixed distances from `now`, so that a page looks the same each time.
"""

from datetime import datetime, timedelta
from typing import Any

from opsbook import audit
from opsbook.access import accounts, approvals, passwords
from opsbook.access.tables import account
from opsbook.alerts.tables import alert
from opsbook.base.database import Transaction
from opsbook.book import Book
from opsbook.checks import Observation
from opsbook.checks import store as checks
from opsbook.incidents.tables import incident, incident_alert
from opsbook.notify import outbox
from opsbook.notify.tables import page
from opsbook.routines import store as routines
from opsbook.runs.tables import attempt, output, run, step, wait
from tests.web.cast import CAST, PASSWORD

M = timedelta(minutes=1)
S = timedelta(seconds=1)
_HASHES: dict[str, str] = {}


def people(tx: Transaction, now: datetime) -> dict[str, int]:
    """Give the whole cast accounts with the same password (hashed once: it is slow on purpose)."""
    hashed = _HASHES.setdefault(PASSWORD, "") or passwords.hash(PASSWORD)
    _HASHES[PASSWORD] = hashed
    made = {name: accounts.create(tx, now - 90 * M, name) for name in CAST}
    tx.execute(account.update().values(password_hash=hashed))
    return made


Seen = list[tuple[str, float | None, str]]


def looks(
    tx: Transaction, book: Book, check: str, now: datetime, values: Seen, unit: str,
    every: timedelta = M,
) -> None:  # fmt: skip
    """Let a check have looked once for each value, the last one just now."""
    start = now - every * (len(values) - 1) - 7 * S
    checks.keep(
        tx,
        [
            Observation(book.id, check, start + every * place, state, value, unit, 12.0, message)  # type: ignore[arg-type]
            for place, (state, value, message) in enumerate(values)
        ],
    )


def calm(tx: Transaction, book: Book, now: datetime, without: tuple[str, ...] = ()) -> None:
    """Every check (but some) is fine; the morning routine ran and is signed."""
    wave = [0, 3, 6, 4, 1, -2, -4, -1, 2, 5]
    series: dict[str, tuple[float, float, str]] = {
        "checkout": (120, 8, "ms"), "front": (210, 12, "ms"), "search": (41, 3, "ms"),
        "disk": (61, 0.1, "%"), "certificate": (74, 0, "d"), "errors": (1, 0.2, ""),
        "backup": (34000, 60, "s"),
    }  # fmt: skip
    for check, (base, step_, unit) in series.items():
        if check in without:
            continue
        values = [("ok", round(base + step_ * wave[n % 10], 1), "") for n in range(60)]
        looks(tx, book, check, now, values, unit)
    for routine in book.routines:
        schedule = book.schedule(routine)
        text = f"{book.routines[routine].schedule} {schedule.zone.key}"
        routines.plan(tx, book.id, routine, text, schedule.next_after(now))
    made = morning(tx, book, now)
    routines.started(tx, book.id, "morning", made)


def morning(tx: Transaction, book: Book, now: datetime) -> int:
    """Insert a finished morning run."""
    began = now - 300 * M
    made = _run(
        tx, book, "morning", "succeeded", began, began + 4 * M, trigger="routine:shop/morning"
    )
    first = _step(tx, made, 0, "load", "살펴보기", "bash", "read", "succeeded", began, began + S)
    _attempt(tx, made, first, "succeeded", began, began + S, "0.42 0.38 0.35 1/512 30211\n")
    _step(
        tx,
        made,
        1,
        "dashboard",
        "대시보드를 보았다",
        "manual",
        "read",
        "succeeded",
        began,
        began + 4 * M,
    )
    return made


def trouble(tx: Transaction, book: Book, now: datetime, ids: dict[str, int]) -> dict[str, int]:
    """Payments are slow: an unanswered incident whose runbook waits for an approval, and more."""
    calm(tx, book, now, without=("checkout", "disk", "search"))
    slow: Seen = [("ok", 130.0 + n, "") for n in range(40)]
    slow += [("warning", 420.0 + 30 * n, "slow answer") for n in range(6)]
    slow += [("critical", 1900.0 + 90 * n, "1 of 2 backends did not answer") for n in range(13)]
    looks(tx, book, "checkout", now, slow, "ms")
    looks(tx, book, "disk", now, [("warning", 81.0 + n * 0.05, "") for n in range(60)], "%")
    gone: Seen = [("nodata", None, "no answer in 10 s")] * 8
    looks(tx, book, "search", now, [("ok", 40.0, "")] * 50 + gone, "ms")
    opened = now - 12 * M
    made = _alert(tx, book, "checkout-slow", "checkout", "P1", opened, 2980.0, "ms")
    one = _incident(tx, book, "checkout-slow", "P1", "open", opened, made)
    _page(tx, book, opened, one, "operator")
    started = _waiting_run(tx, book, now, opened, one, ids)
    disk = _alert(tx, book, "disk-full", "disk", "P3", now - 95 * M, 83.9, "%")
    taken = _incident(
        tx, book, "disk-full", "P3", "acknowledged", now - 95 * M, disk,
        acknowledged_at=now - 80 * M, acknowledged_by=ids["responder"],
    )  # fmt: skip
    audit.record(tx, now - 80 * M, f"account:{ids['responder']}", "incident.acknowledged",
                 f"incident:{taken}", text="로그 정리를 먼저 봅니다.")  # fmt: skip
    past = _alert(
        tx, book, "front-down", "front", "P1", now - 1500 * M, None, "", over=now - 1488 * M
    )
    _incident(
        tx, book, "front-down", "P1", "resolved", now - 1500 * M, past,
        resolved_at=now - 1488 * M, resolved_by="opsbook",
    )  # fmt: skip
    failed = _failed_run(tx, book, now, ids)
    asked = _interrupted_run(tx, book, now, ids)
    return {"incident": one, "run": started, "failed": failed, "interrupted": asked, "taken": taken}


def _waiting_run(
    tx: Transaction, book: Book, now: datetime, opened: datetime, one: int, ids: dict[str, int]
) -> int:
    thread = f"incident:{one}"
    made = _run(
        tx, book, "restart-payments", "waiting", opened + 2 * S, None, trigger=thread,
        thread=thread, params={"service": "payments", "wait_seconds": "5"},
    )  # fmt: skip
    tx.execute(incident.update().where(incident.c.id == one).values(run_id=made))
    begun = opened + 3 * S
    first = _step(
        tx, made, 0, "processes", "1. 진단", "bash", "read", "succeeded", begun, begun + S
    )
    _attempt(tx, made, first, "succeeded", begun, begun + S,
             " 2211 97.4 payments\n  871  3.1 postgres\n  902  0.8 nginx\n")  # fmt: skip
    second = _step(
        tx, made, 1, "logs", "1. 진단", "bash", "read", "succeeded", begun + S, begun + 3 * S
    )
    log = "".join(f"14:0{n % 10}:11 WARN pool exhausted, waiting={n}\n" for n in range(20))
    _attempt(tx, made, second, "succeeded", begun + S, begun + 3 * S, log)
    third = _step(
        tx, made, 2, "allow", "2. 승인", "approval", "read", "waiting", begun + 3 * S, None
    )
    asked = approvals.request(
        tx, begun + 3 * S, book=book, subject=f"run:{made}", thread=thread,
        question="다시 시작하면 진행 중인 결제 약 40건이 끊깁니다. 지금 다시 시작합니까?",
        role="release_manager", need=1, bound_to="f" * 64, excluded=[],
        expires_at=now + 228 * M,
    )  # fmt: skip
    tx.insert(wait, run_id=made, step_id=third, kind="approval", role="release_manager",
              approval_id=asked, since=begun, due_at=now + 228 * M, data={})  # fmt: skip
    _step(tx, made, 3, "restart", "3. 다시 시작", "bash", "change", "pending")
    _step(tx, made, 4, "holds", "4. 확인", "check", "read", "pending")
    _step(tx, made, 5, "cause", "원인을 장애 기록에 적었다", "manual", "read", "pending")
    _step(tx, made, 6, "undo", "되돌리기", "bash", "change", "pending", phase="rollback")
    audit.record(tx, begun, "opsbook", "run.started", f"run:{made}", thread=thread,
                 data={"runbook": "restart-payments", "book": book.id})  # fmt: skip
    for key, title in (("processes", "1. 진단"), ("logs", "1. 진단")):
        audit.record(tx, begun + S, "opsbook", "step.succeeded", f"run:{made}", thread=thread,
                     data={"step": key, "title": title})  # fmt: skip
    return made


def _failed_run(tx: Transaction, book: Book, now: datetime, ids: dict[str, int]) -> int:
    began = now - 200 * M
    made = _run(
        tx, book, "restart-payments", "failed", began, began + 2 * M,
        started_by=f"account:{ids['operator']}", attended=True,
        reason="The step “3. 다시 시작” failed: exit code 5.",
        params={"service": "storefront", "wait_seconds": "5"},
    )  # fmt: skip
    bad = _step(
        tx, made, 0, "restart", "3. 다시 시작", "bash", "change", "failed", began, began + M,
        message="exit code 5",
    )  # fmt: skip
    _attempt(tx, made, bad, "failed", began, began + M,
             "Failed to restart storefront.service: Unit not found.\n", 5)  # fmt: skip
    _step(
        tx, made, 1, "undo", "되돌리기", "bash", "change", "succeeded", began + M, began + 2 * M,
        phase="rollback",
    )  # fmt: skip
    return made


def _interrupted_run(tx: Transaction, book: Book, now: datetime, ids: dict[str, int]) -> int:
    began = now - 40 * M
    made = _run(
        tx, book, "wipe-cache", "waiting", began, None, attended=True,
        started_by=f"account:{ids['responder']}",
    )  # fmt: skip
    cut = _step(tx, made, 0, "wipe", "비우기", "bash", "change", "interrupted", began, None,
                message="the server stopped while it ran")  # fmt: skip
    _attempt(tx, made, cut, "interrupted", began, None, "removing /var/cache/shop/a\n")
    tx.insert(wait, run_id=made, step_id=cut, kind="decision", role=None, since=began + M, data={})
    return made


def _run(
    tx: Transaction, book: Book, runbook: str, state: str, began: datetime, ended: datetime | None,
    **more: Any,
) -> int:  # fmt: skip
    values = {
        "book": book.id, "revision": book.revision, "runbook": runbook,
        "title": book.runbooks[runbook].title.in_language("ko"), "params": {}, "saved": {},
        "state": state, "started_by": "opsbook", "trigger": "", "thread": "", "attended": False,
        "created_at": began, "started_at": began, "finished_at": ended, **more,
    }  # fmt: skip
    made = tx.insert(run, **values)
    if not values["thread"]:
        tx.execute(run.update().where(run.c.id == made).values(thread=f"run:{made}"))
    return made


def _step(
    tx: Transaction, run_id: int, position: int, key: str, title: str, kind: str, effect: str,
    state: str, began: datetime | None = None, ended: datetime | None = None, **more: Any,
) -> int:  # fmt: skip
    return tx.insert(
        step, run_id=run_id, position=position, key=key, title=title, kind=kind, effect=effect,
        state=state, started_at=began, finished_at=ended, **more,
    )  # fmt: skip


def _attempt(
    tx: Transaction, run_id: int, step_id: int, state: str, began: datetime,
    ended: datetime | None, text: str, code: int = 0,
) -> int:  # fmt: skip
    made = tx.insert(
        attempt, run_id=run_id, step_id=step_id, number=1, epoch=1, state=state,
        intended_at=began, ended_at=ended, exit_code=code, bytes_seen=len(text.encode()),
    )  # fmt: skip
    tx.insert(output, attempt_id=made, start=0, text=text)
    return made


def _alert(
    tx: Transaction, book: Book, rule: str, check: str, severity: str, fired: datetime,
    value: float | None, unit: str, over: datetime | None = None,
) -> int:  # fmt: skip
    known = {column.name for column in alert.c}
    values: dict[str, Any] = {
        "book": book.id, "rule": rule, "check_id": check, "fingerprint": f"{rule}/{fired}",
        "state": "resolved" if over else "firing", "severity": severity,
        "summary": dict(book.rules[rule].summary.by_language), "labels": {},
        "check_state": "critical", "value": value, "unit": unit, "message": "",
        "pending_since": fired - 3 * M, "fired_at": fired, "resolved_at": over, "seen_at": fired,
        "revision": book.revision, "reason": "",
    }  # fmt: skip
    made = tx.insert(alert, **{name: one for name, one in values.items() if name in known})
    audit.record(tx, fired, "opsbook", "alert.fired", f"alert:{made}",
                 data={"rule": rule, "check_id": check, "check_state": "critical", "value": value,
                       "unit": unit})  # fmt: skip
    return made


def _incident(
    tx: Transaction, book: Book, rule: str, severity: str, state: str, opened: datetime,
    alert_id: int, **more: Any,
) -> int:  # fmt: skip
    found = book.severities[severity]
    unanswered = state == "open"
    made = tx.insert(
        incident, book=book.id, revision=book.revision, rule=rule, fingerprint=f"{rule}/{opened}",
        title=dict(book.rules[rule].title.by_language),  # type: ignore[union-attr]
        severity=severity, state=state, opened_at=opened,
        acknowledge_by=opened + found.acknowledge_within if found.acknowledge_within else None,
        escalation=found.escalation, level=1, escalate_at=opened + 15 * M if unanswered else None,
        **more,
    )  # fmt: skip
    tx.insert(incident_alert, incident_id=made, alert_id=alert_id)
    audit.record(tx, opened, "opsbook", "incident.opened", f"incident:{made}",
                 data={"rule": rule, "severity": severity, "book": book.id})  # fmt: skip
    return made


def _page(tx: Transaction, book: Book, at: datetime, incident_id: int, person: str) -> None:
    thread = f"incident:{incident_id}"
    audit.record(
        tx, at, "opsbook", "incident.paged", thread, data={"level": 1, "persons": [person]}
    )
    outbox.page(
        tx, at, book=book, person_id=person, cause=f"{thread} level 1",
        key=f"{thread}/0/0/{person}", thread=thread,
        title={"ko": "P1 결제 API 응답 지연", "en": "P1 Payment API is slow"},
        body={
            "ko": "결제가 1초 안에 끝나지 않습니다. · 2.98 s",
            "en": "Payments take longer than a second. · 2.98 s",
        },
        path=f"/incidents/{incident_id}", urgent=True,
    )  # fmt: skip
    outside = page.c.channel != "inbox"
    tx.execute(
        page.update().where(outside).values(state="retry", attempts=3, error="connection refused")
    )
