"""The book and the people of the page tests: a shop, one person on duty, one who may only look.

`operator` may do everything, `responder` answers incidents and runs things, `approver` holds the
role that approvals ask for and started nothing, `viewer` only reads and is refused everything else,
`stranger` has an account and is nobody in the book.
"""

BOOK = """
id: shop
title: {ko: 온라인 가게, en: Online shop}
timezone: Asia/Seoul
owner: operations
self_approval: record
"""

SERVICES = """
services:
  storefront:
    title: {ko: 매장, en: Storefront}
    description: {ko: 손님이 보는 화면과 주문, en: What customers see and order through}
    owner: operations
  payments:
    title: {ko: 결제, en: Payments}
    description: {ko: 카드 승인과 취소, en: Card approvals and refunds}
    owner: operations
"""

PEOPLE = """
people:
  operator: {name: {ko: 담당자, en: Operator}, roles: [admin, release_manager], contacts: ["json://127.0.0.1:9/"]}
  responder: {name: {ko: 대기자, en: Responder}, roles: [responder]}
  approver: {name: {ko: 승인자, en: Approver}, roles: [responder, release_manager]}
  viewer: {name: {ko: 열람자, en: Viewer}, roles: [viewer]}
roles:
  admin: ["*:admin"]
  responder: ["incidents:write", "runs:write", "checks:write", "book:read", "audit:read"]
  release_manager: ["runs:write"]
  viewer: ["*:read"]
teams:
  operations: {title: {ko: 운영팀, en: Operations}, members: [operator, responder, approver]}
escalation:
  standard:
    title: {ko: 기본 호출 순서, en: Standard}
    levels: [{after: 0m, page: [operations]}, {after: 15m, page: [responder]}]
    repeat: 30m
severities:
  P1: {title: {ko: 서비스 중단, en: Service down}, acknowledge_within: 10m, escalation: standard}
  P2: {title: {ko: 심각한 저하, en: Badly degraded}, acknowledge_within: 20m, escalation: standard}
  P3: {title: {ko: 부분 저하, en: Partly degraded}, acknowledge_within: 4h}
"""

CHECKS = """
checks:
  checkout:
    kind: http
    title: {ko: 결제 API 응답, en: Payment API answers}
    service: payments
    url: http://127.0.0.1:9/pay
    every: 30s
    bands: {warning: "> 250ms", critical: "> 1s"}
    ref: "§3.2 L120-134"
  front:
    kind: http
    title: {ko: 첫 화면, en: Front page}
    service: storefront
    url: http://127.0.0.1:9/
    every: 30s
    bands: {warning: "> 500ms", critical: "> 2s"}
  search:
    kind: tcp
    title: {ko: 상품 검색, en: Product search}
    service: storefront
    host: 127.0.0.1
    port: 9
    every: 30s
    bands: {warning: "> 300ms"}
  disk:
    kind: host
    title: {ko: 디스크 사용률, en: Disk in use}
    metric: disk
    path: /
    every: 1m
    bands: {warning: "> 80%", critical: "> 92%"}
  certificate:
    kind: tls
    title: {ko: 인증서 남은 기간, en: Certificate days left}
    service: storefront
    host: 127.0.0.1
    every: 1h
    bands: {warning: "< 30d", critical: "< 7d"}
  errors:
    kind: log
    title: {ko: 주문 오류 수, en: Order errors}
    service: storefront
    path: /var/log/shop/order.log
    pattern: ERROR
    every: 1m
    bands: {warning: "> 5", critical: "> 50"}
  backup:
    kind: file
    title: {ko: 마지막 백업 이후, en: Since the last backup}
    path: /var/backups/shop.dump
    measure: age
    every: 5m
    bands: {warning: "> 26h", critical: "> 50h"}
rules:
  checkout-slow:
    check: checkout
    when: critical
    for: 3m
    severity: P1
    title: {ko: 결제 API 응답 지연, en: Payment API is slow}
    summary: {ko: 결제가 1초 안에 끝나지 않습니다., en: Payments take longer than a second.}
    runbook: restart-payments
    params: {service: payments}
    ref: "§5.1 L210"
  disk-full:
    check: disk
    when: warning
    for: 10m
    severity: P3
    title: {ko: 디스크 부족, en: Disk is filling up}
    summary: {ko: 디스크가 80%를 넘었습니다., en: The disk is over 80 %.}
  front-down:
    check: front
    when: critical
    for: 2m
    severity: P1
    title: {ko: 첫 화면 장애, en: Front page is down}
    summary: {ko: 첫 화면이 열리지 않습니다., en: The front page does not open.}
routines:
  morning:
    title: {ko: 아침 점검, en: Morning check}
    schedule: "every day 09:00"
    runbook: morning
  weekly:
    title: {ko: 주간 정비, en: Weekly maintenance}
    schedule: "every Sunday 02:00"
    runbook: morning
"""

RESTART = """---
id: restart-payments
title: {ko: 결제 서비스 다시 시작, en: Restart payments}
description:
  ko: 원인을 살피고 허락을 받아 다시 시작한다.
  en: Look at the cause and restart once allowed.
risk: change
params:
  service:
    description: {ko: 다시 시작할 서비스, en: What to restart}
    choices: [payments, storefront]
  wait_seconds: {type: integer, range: [0, 120], default: 5}
---
# 결제 서비스 다시 시작

진단은 스스로 시작하고, 바꾸는 일은 승인을 기다립니다. <b>주의</b>

## 1. 진단
```bash {#processes effect=read timeout=20s}
ps -e -o pid=,pcpu=,comm= | sort -k2nr | head -5
```
```bash {#logs effect=read timeout=20s}
tail -n 20 /var/log/shop/payments.log
```
## 2. 승인
```approval {#allow by=release_manager within=4h}
다시 시작하면 진행 중인 결제 약 40건이 끊깁니다. 지금 다시 시작합니까?
```
## 3. 다시 시작
```bash {#restart timeout=2m}
systemctl restart "$service"
```
## 4. 확인
```check {#holds for=2m within=10m}
checkout
```
- [ ] 원인을 장애 기록에 적었다 {#cause by=responder}

## 되돌리기 {.rollback of=restart}
```bash {#undo timeout=1m}
systemctl start payments-standby
```
"""

WIPE = """---
id: wipe-cache
title: {ko: 캐시 비우기, en: Empty the cache}
risk: dangerous
---
# 캐시 비우기
## 비우기
```bash {#wipe}
rm -rf /var/cache/shop
```
"""

MORNING = """---
id: morning
title: {ko: 아침 점검, en: Morning check}
risk: routine
---
# 아침 점검
## 살펴보기
```bash {#load effect=read}
cat /proc/loadavg
```
- [ ] 대시보드를 보았다 {#dashboard by=responder}
"""

FILES = {
    "book.yaml": BOOK,
    "services.yaml": SERVICES,
    "people.yaml": PEOPLE,
    "checks.yaml": CHECKS,
    "runbooks/restart-payments.md": RESTART,
    "runbooks/morning.md": MORNING,
    "runbooks/wipe-cache.md": WIPE,
}
CAST = ("operator", "responder", "approver", "viewer", "stranger")
PASSWORD = "an honest shop opens at nine"
