"""A book of any size for the benchmarks: services with checks, rules for them, and runbooks.

Every service has a YAML file of its own, as a team of that size would keep it, and every check a
rule that starts a runbook. The texts are plain and of the length that the shipped books have.
"""

from __future__ import annotations

from pathlib import Path

SERVICES = 50

_ABOUT = """\
id: big
title: {ko: 큰 책, en: A big book}
timezone: Asia/Seoul
owner: operators

people:
  operator: {name: Operator, roles: [admin], account: operator}

roles:
  admin: ["*:admin"]

teams:
  operators: {title: Operators, members: [operator], on_duty: [operator]}

escalation:
  main: {title: Everybody, levels: [{after: 0m, page: [operators]}]}

severities:
  P2: {title: Urgent, escalation: main}
"""

_CHECK = """\
  {service}-{n}:
    kind: http
    title: {{ko: 점검 {n}, en: Check {n}}}
    service: {service}
    every: 30s
    timeout: 10s
    url: "https://{service}-{n}.example.org/healthy"
    status: 200
    bands: {{warning: "> 1s", critical: "> 5s"}}
"""

_RULE = """\
  {service}-{n}:
    check: {service}-{n}
    when: critical
    for: 5m
    severity: P2
    owner: operators
    runbook: runbook-{book}
    summary: {{ko: 응답이 느립니다 {n}, en: Slow to answer {n}}}
"""

_RUNBOOK = """\
---
id: runbook-{n}
title: {{ko: 대응 {n}, en: Response {n}}}
risk: change
timeout: 1d
params:
  check:
    description: {{ko: 경보를 울린 점검, en: The check that fired}}
    from: label:check
    pattern: "[A-Za-z0-9][A-Za-z0-9._-]*"
  keep_days:
    type: integer
    range: [1, 365]
    default: 14
---
# 대응 · Response {n}

진단 단계는 읽기만 하므로 스스로 시작합니다. The diagnosis only reads, so it **starts by itself**;
see [the guide](https://example.org/guide/{n}).

## 1. 진단 · Diagnosis

```bash {{#look effect=read timeout=30s}}
set -eu
echo "check: $check"
df -h /
cat /proc/loadavg
```

## 2. 승인 · Approval

```approval {{#allow by=admin within=4h}}
진단 결과를 보았습니까? · Have you seen the diagnosis?
```

## 3. 복구 · Repair

```bash {{#repair timeout=2m}}
set -eu
find /srv/reports -type f -name '*.txt' -mtime "+$keep_days" -print
```

## 4. 마무리 · Afterwards

- [ ] 무엇이 원인이었는지 적었다. · The cause is written down. {{#cause by=admin}}

## 되돌리기 · Back {{.rollback of=repair}}

```bash {{#back timeout=2m}}
echo "back to where it was"
```
"""


def files(runbooks: int = 1000, checks: int = 5000) -> dict[str, str]:
    """The book's files by their path."""
    made = {"book.yaml": _ABOUT}
    services = [f"service-{n}" for n in range(SERVICES)]
    for at, service in enumerate(services):
        mine = range(at, checks, SERVICES)
        text = f"services:\n  {service}: {{title: Service {at}, owner: operators}}\n\nchecks:\n"
        text += "\n".join(_CHECK.format(service=service, n=n) for n in mine)
        text += "\nrules:\n"
        text += "\n".join(_RULE.format(service=service, n=n, book=n % runbooks) for n in mine)
        made[f"{service}.yaml"] = text
    for n in range(runbooks):
        made[f"runbooks/runbook-{n}.md"] = _RUNBOOK.format(n=n)
    return made


def write(folder: Path, runbooks: int = 1000, checks: int = 5000) -> None:
    """Put the book into a folder that is there already."""
    (folder / "runbooks").mkdir()
    for name, text in files(runbooks, checks).items():
        (folder / name).write_text(text, encoding="utf-8")
