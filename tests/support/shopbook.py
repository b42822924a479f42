"""The book that the command line's and the interface's tests run: small, quick, with every wait."""

from pathlib import Path

BOOK = """\
id: shop
title: {{ko: 가게, en: Shop}}
timezone: Asia/Seoul
self_approval: record
people:
  lead: {{name: Lead, roles: [lead]}}
  viewer: {{name: Viewer, roles: [viewer]}}
roles:
  lead: ["*:admin"]
  viewer: ["*:read"]
teams:
  everybody: {{members: [lead]}}
escalation:
  call: {{levels: [{{page: [everybody]}}]}}
severities:
  P1: {{title: Down, acknowledge_within: 15m, escalation: call}}
checks:
  queue:
    kind: file
    title: {{ko: 대기열, en: Queue}}
    path: {queue}
    measure: size
    every: 1s
    timeout: 1s
    bands: {{warning: "> 1kB", critical: "> 2kB"}}
rules:
  queue-long:
    check: queue
    when: critical
    severity: P1
    summary: {{ko: 대기열이 깁니다, en: The queue is long}}
    runbook: look
routines:
  yearly: {{title: Yearly, schedule: "0 3 1 1 *", runbook: look}}
"""

LOOK = """\
---
id: look
title: {ko: 보기, en: Look}
risk: routine
---
```bash {#look effect=read timeout=20s}
echo "looking"
```
"""

GREET = """\
---
id: greet
title: {ko: 인사, en: Greet}
risk: routine
params:
  name: {pattern: "[a-z]+", default: world}
  times: {type: integer, range: [1, 3], default: 1}
---
```bash {#hello effect=read timeout=20s}
for i in $(seq "$times"); do echo "hello $name"; done
```
"""

DEPLOY = """\
---
id: deploy
title: {ko: 배포, en: Deploy}
risk: change
---
```bash {#before effect=read timeout=20s}
echo "before"
```
```approval {#allow by=lead within=1h}
Deploy now?
```
```bash {#apply timeout=20s}
echo "applied"
```
- [ ] Tell the team {#tell by=lead}
"""

FAIL = """\
---
id: fail
title: {ko: 실패, en: Fail}
risk: routine
---
```bash {#broken effect=read timeout=20s}
echo "about to fail"; exit 3
```
"""

SLOW = """\
---
id: slow
title: {ko: 느림, en: Slow}
risk: routine
---
```bash {#wait effect=read timeout=60s}
echo "waiting"; sleep 50
```
"""


def write_shop(folder: Path) -> Path:
    """Write the book and the file it looks at; return the book's folder."""
    book = folder / "shop"
    (book / "runbooks").mkdir(parents=True)
    queue = folder / "queue"
    queue.write_text("short")
    (book / "book.yaml").write_text(BOOK.format(queue=queue))
    for text in (LOOK, GREET, DEPLOY, FAIL, SLOW):
        name = text.split("id: ")[1].split("\n")[0]
        (book / "runbooks" / f"{name}.md").write_text(text)
    return book
