"""A book with a little of everything that a plan speaks of, and plans between edits of it."""

from datetime import UTC, datetime

from opsbook.book import load
from opsbook.revisions.plan import Plan, Running, compare
from tests.book.kinds import VOCABULARY

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)  # a Sunday, noon in Seoul

BOOK = """\
id: shop
title: The shop
timezone: Asia/Seoul
owner: operations
self_approval: forbid

people:
  first-person: {name: First, roles: [admin]}
  second-person: {name: Second, roles: [responder, admin]}
  third-person: {name: Third}
roles:
  admin: ["*:admin"]
  responder: ["incidents:write", "runs:write"]
teams:
  operations: {members: [first-person, second-person], rotation: weekly}
rotations:
  weekly:
    layers:
      - {people: [first-person, second-person], shift: 7d, starts: "2026-11-16 09:00"}
escalation:
  standard:
    levels:
      - {after: 0m, page: [operations]}
      - {after: 15m, page: [second-person]}
severities:
  P1: {title: Down, acknowledge_within: 10m, resolve_within: 4h, escalation: standard}
  P2: {title: Badly degraded, acknowledge_within: 30m}

checks:
  disk: {kind: host, title: Disk, metric: disk, bands: {warning: "> 85%", critical: "> 95%"}}
  web: {kind: http, title: Web, url: "http://127.0.0.1/", every: 30s}
rules:
  disk-full: {check: disk, when: critical, for: 5m, severity: P1, summary: Full, runbook: clean}
  web-down: {check: web, when: critical, severity: P2, summary: Down}
routines:
  morning-check: {title: Morning, schedule: every day 08:00, runbook: clean}
windows:
  night: {title: Night, schedule: every Sunday 02:00, length: 2h}
freezes:
  sale: {title: Sale, from: 2026-11-27, to: 2026-11-30}
change_kinds:
  deploy:
    title: Deploy
    approvals: [{by: admin, need: 2}]
    notice: 2d
    windows: [night]
backups:
  database: {title: Database, of: The database, schedule: every day 03:00, keep: 30d}
secrets:
  api-key: {title: Key, where: the vault, max_age: 90d}
hours:
  work: {open: "weekdays 09:00-18:00"}
routing:
  to: [operations]
  routes:
    - match: {severity: P2}
      to: [operations]
extensions:
  block: [{pattern: "evil-*", reason: It is.}]
"""

MORE = """\
services:
  shop: {title: The shop, depends_on: [payments]}
  payments: {title: Payments, external: true}
channels:
  users: {title: Users, to: "ntfy://ntfy.example.org/users"}
time_intervals:
  closing: {ranges: [{months: [december], days_of_month: ["-3:-1"], times: ["18:00-24:00"]}]}
intakes:
  prometheus: {title: Prometheus, kind: alertmanager, severities: {critical: P1}, severity: P2}
receivers:
  shop-users: {to: [users], as: notify}
heartbeats:
  watch: {title: Watch, url: {secret: "env:WATCH"}, every: 1m}
inhibitions:
  host-down: {while: {rule: web-down}, mutes: {severity: P2}}
lifecycle:
  found: {title: Found}
  closed: {title: Closed, requires: [cause]}
incident_kinds:
  full: {title: Full disk, symptoms: [Nothing can be written], runbooks: [clean]}
communication:
  first-word: {title: First word, to: [users], text: We look at it.}
scaling:
  web: {title: Web, check: web, most: 4, approval: admin}
limits:
  disk: {title: Disk, check: disk, warn: "> 80%", approval: admin}
forecasts:
  disk: {title: Disk, check: disk, limit: "> 95%"}
quotas:
  small: {title: Small, limits: {cpu: 2}, approvals: [{by: admin}], expires_after: 30d}
load_tests:
  shop: {title: Shop, service: shop, rate: 50/s}
slos:
  shop: {title: Shop, service: shop, measure: availability, target: ">= 99.9%"}
accounts:
  grant: {title: Grant, approvals: [{by: admin}], expires_after: 90d}
certificates:
  web: {title: Web, host: shop.example.org}
model_updates:
  ranker: {title: Ranker, phases: [{at: D-7, title: Ask, approvals: [{by: admin}]}]}
data_quality:
  orders: {title: No order without a price, source: shop, table: orders, rule: not_null, column: x}
courses:
  first: {title: First week, topics: [The book]}
world:
  web: {kind: http, port: 8080}
reports:
  weekly: {title: Weekly, schedule: every Monday 09:00, contents: [alerts, runs]}
dashboards:
  wall: {title: Wall, panels: [{check: disk}, {check: web}]}
glossary:
  revision: A book at one moment.
"""

RUNBOOK = """\
---
id: clean
title: Clean up
risk: change
---
# Clean up

## Look
```bash {#look effect=read}
df -h /
```
## Ask
```approval {#allow by=admin within=4h}
May it be removed?
```
## Remove
```bash {#remove timeout=5m}
echo remove
```
```bash {#verify effect=read}
df -h /
```
"""

FILES = {
    "book.yaml": BOOK,
    "more.yaml": MORE,
    "runbooks/clean.md": RUNBOOK,
    "files/tidy.sh": "echo tidy\n",
}


def book(*edits: tuple[str, str]):
    """The book with texts replaced; each must be there, in one of its files."""
    files = dict(FILES)
    for old, new in edits:
        holding = [name for name in files if old in files[name]]
        assert holding, f"{old!r} is nowhere"
        files[holding[0]] = files[holding[0]].replace(old, new, 1)
    return load(files, VOCABULARY)


def plan(*edits: tuple[str, str], now: datetime = NOW, running: Running | None = None) -> Plan:
    """What these edits change in the book."""
    return compare(book(), book(*edits), now, running)


def told(*edits: tuple[str, str], **more) -> list[str]:
    return [str(change) for change in plan(*edits, **more).changes]


def loosened(*edits: tuple[str, str], **more) -> list[str]:
    return [str(change) for change in plan(*edits, **more).loosens]
