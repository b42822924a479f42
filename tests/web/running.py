"""A site in front of a real engine: runs in every state that somebody may find one in.

The clock is wound, so that times left are the same each time; processes are real. Run as a program
it serves the lot and prints who can look at it:  python -m tests.web.running
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import uvicorn

from opsbook import audit, runs
from opsbook.access import sessions, tokens
from opsbook.alerts import Dispatcher
from opsbook.alerts.heartbeats import Heartbeats
from opsbook.alerts.intake.doors import Doors
from opsbook.base.database import Transaction
from opsbook.book import Book, load
from opsbook.revisions import Revisions
from opsbook.runs.tables import attempt, step, wait
from opsbook.runs.tables import run as run_table
from opsbook.web.site import create, with_doors
from opsbook.web.visit import SESSION
from tests.support.runs import VOCABULARY, Stage, open_folder
from tests.support.visitor import Visitor

HEAD = """
id: shop
title: {ko: 온라인 가게, en: Online shop}
timezone: Asia/Seoul
languages: [ko, en]
people:
  operator: {name: {ko: 담당자, en: Operator}, roles: [responder, owner]}
  deputy: {name: {ko: 대행자, en: Deputy}, roles: [responder]}
  officer: {name: {ko: 보안 담당자, en: Officer}, roles: [security]}
  auditor: {name: {ko: 감사자, en: Auditor}, roles: [security]}
  viewer: {name: {ko: 열람자, en: Viewer}, roles: [viewer]}
roles:
  owner: ["book:read"]
  responder: ["runs:write", "book:read"]
  security: ["runs:read"]
  viewer: ["runs:read"]
"""


def runbook(id: str, ko: str, en: str, body: str, head: str = "") -> str:
    """A runbook's file."""
    return f"---\nid: {id}\ntitle: {{ko: {ko}, en: {en}}}\n{head}---\n{body}"


KEYS = """lock: keys
params:
  api_key: {secret: true, required: true}
  service: {choices: [payments, storefront]}
"""
BOOKS: dict[str, str] = {
    "deploy": runbook("deploy", "모델 롤링 업데이트", "Roll the model out", """
## 1. 지금 값 기록
```bash {#before effect=read save=replicas}
echo 3
```
## 2. 반입 승인
```approval {#allow by=security need=2 within=3h}
새 모델 coder-7b를 3개 복제본에 올립니다. 지금 시작합니까?
```
## 3. 교체
```bash {#switch timeout=2m}
echo switching
```
## 4. 확인
```bash {#verify effect=read}
true
```
## 되돌리기 {.rollback of=switch}
```bash {#back}
echo back
```
## 마무리 {.finally}
```bash {#tell effect=read}
echo told
```
""", "risk: change\nparams:\n  model: {default: coder-7b}\n"),
    "asks": runbook("asks", "인증서 교체", "Change the certificate", """
## 받기
```bash {#fetch}
echo fetched
```
## 교체
```bash {#switch on-fail=ask}
echo "reloading nginx"; echo "nginx: [emerg] cannot load certificate /etc/ssl/shop.pem" >&2; exit 3
```
## 확인
```bash {#verify effect=read}
true
```
## 받은 것 지우기 {.rollback of=fetch}
```bash {#unfetch}
echo removed
```
## 이전 인증서로 {.rollback of=switch}
```bash {#unswitch}
echo old
```
## 알리기 {.finally}
```bash {#tell effect=read}
true
```
"""),
    "each": runbook("each", "서버 순회 재시작", "Restart each server", """
## 서버마다 재시작
```bash {#restart each=hosts on-fail=ask}
echo "restart $item"; test "$item" != web-04 || { echo "web-04: connection refused" >&2; exit 7; }
```
## 확인
```bash {#verify effect=read}
true
```
""", "params:\n  hosts: {type: list}\n"),
    "retry": runbook("retry", "백업 내려받기", "Fetch the backup", """
## 내려받기
```bash {#fetch effect=read retry=3 backoff=10m}
echo "curl: (7) connection refused"; exit 7
```
"""),
    "back": runbook("back", "설정 배포", "Deploy the settings", """
## 올리기
```bash {#upload}
echo uploaded
```
## 바꾸기
```bash {#switch}
echo "switching symlink"; echo "No space left on device" >&2; exit 1
```
## 확인
```bash {#verify effect=read}
true
```
## 올린 것 지우기 {.rollback of=upload}
```bash {#unload}
echo removed
```
## 되돌려 놓기 {.rollback of=switch}
```bash {#unswitch}
echo restored
```
"""),
    "stops": runbook("stops", "색인 다시 만들기", "Rebuild the index", """
## 준비
```bash {#prepare save=count}
echo 41210
```
## 만들기
```bash {#build on-fail=stop}
echo "building $count"; test -e "$OPSBOOK_WORK/mended" || { echo "out of memory" >&2; exit 9; }
```
## 확인
```bash {#verify effect=read}
true
```
"""),
    "outer": runbook("outer", "야간 정비", "Nightly maintenance", """
## 점검 화면
```run {#inner}
hands
```
## 마무리
```bash {#end effect=read}
true
```
"""),
    "hands": runbook("hands", "수동 점검", "Checks by hand", """
- [ ] 관리 화면에서 대기열이 비었는지 보았다 {#looked by=responder need=2 within=2h}
"""),
    "phased": runbook("phased", "분기 점검 준비", "Quarterly review", """
## 안내 {phase=D-1}
```bash {#announce effect=read}
echo announced
```
## 실행 {phase=D+3}
```bash {#perform}
true
```
"""),
    "long": runbook("long", "로그 수집", "Collect the logs", r"""
## 모으기
```bash {#collect effect=read}
for n in $(seq 1 1000); do
  printf '\033[3%dm%04d\033[0m collected ' $((n % 6 + 1)) $n
  printf '\033[1m/var/log/shop/%04d.log\033[0m\n' $n
done
```
## 세기
```bash {#count effect=read save=lines}
echo 1000
```
"""),
    "live": runbook("live", "대량 복사", "Copy everything", """
## 복사
```bash {#copy effect=read timeout=2h}
for n in $(seq 1 20000); do echo "copied part $n"; sleep 0.4; done
```
## 확인
```bash {#verify effect=read}
true
```
"""),
    "noisy": runbook("noisy", "부하 점검 뒤 비우기", "Look at the load and clean up", """
## 살펴보기
```bash {#load effect=read}
date +%s.%N
```
```bash {#space effect=read}
true
```
## 비우기
```bash {#clean}
for n in 1 2 3 4 5 6 7 8; do echo "removed /var/cache/shop/part-$n/of/a/path/that/is/long"; done
test "$mode" = well || { for n in 1 2 3 4 5; do echo "retry $n" >&2; done
  echo "rm: /var/cache/shop: Read-only file system" >&2; exit 5; }
```
""", "params:\n  mode: {default: well}\n"),
    "secret": runbook("secret", "API 키 갱신", "Renew the API key", """
## 새 키 만들기
```bash {#make save=fresh secret}
printf 'new-key-%s' value
```
## 알리기
```bash {#tell effect=read save=owner}
echo "team-payments"
```
## 확인
```bash {#check}
exit 4
```
""", KEYS),
}  # fmt: skip


@dataclass
class Site:
    """The engine, the address of the pages before it, and what was started by name."""

    stage: Stage
    url: str = ""
    runs: dict[str, int] = field(default_factory=dict)

    @property
    def book(self) -> Book:
        """The running book."""
        return self.stage.library.current("shop")

    async def start(self, name: str, by: str = "operator", **params: str) -> int:
        """Start a runbook and let it go as far as it can by itself."""
        who, stage = await self.stage.person(by), self.stage
        made = await stage.write(
            lambda tx: runs.start(
                tx, stage.clock.now(), book=self.book, runbook=name, params=params,
                started_by=who.actor, attended=True, sealer=stage.engine.sealer,
            )
        )  # fmt: skip
        if name != "live":
            await stage.settle()
        self.runs[name] = made
        return made

    async def approve(self, name: str, by: str, note: str = "") -> None:
        """Approve what a run waits for."""
        who = await self.stage.person(by)
        asked = (await self.stage.waits(self.runs[name]))[0]["approval_id"]
        await self.stage.act(runs.vote, asked, who, self.book, "approve", note)

    async def session(self, login: str) -> str:
        """Open a session and return what its cookie holds."""
        who, now = await self.stage.person(login), self.stage.clock.now()
        account = who.account_id or 0
        opened = await self.stage.write(lambda tx: sessions.open(tx, now, account, "a test"))
        return opened[0]

    async def token(self, login: str) -> str:
        """Make a personal token that may do all its person may, for the command line."""
        who, now = await self.stage.person(login), self.stage.clock.now()
        scopes = ["read", "run", "approve"]
        return await self.stage.write(
            lambda tx: tokens.create(tx, now, who.account_id, "a test", scopes, timedelta(days=1))
        )

    async def enter(self, login: str = "operator", language: str = "en") -> Visitor:
        """Let somebody in, without JavaScript."""
        visitor = Visitor(self.url, language)
        visitor.client.cookies.set(SESSION, await self.session(login))
        return visitor

    async def interrupt(self) -> int:
        """A run whose step was under way when its server died and its supervisor with it."""
        made = await self.start("asks")

        def cut(tx: Transaction) -> None:
            mine = (step.c.run_id == made) & (step.c.key == "switch")
            number = tx.scalar(sa.select(step.c.id).where(mine))
            why = "the server stopped while it ran, and how it ended is not known"
            tx.execute(sa.update(step).where(mine).values(state="interrupted", message=why))
            tx.execute(
                sa.update(attempt)
                .where(attempt.c.step_id == number)
                .values(state="interrupted", exit_code=None, message=why)
            )
            tx.execute(sa.update(wait).where(wait.c.step_id == number).values(data={"why": why}))

        await self.stage.write(cut)
        self.runs["interrupted"] = made
        return made


async def every_state(site: Site) -> None:
    """Runs in all the states that are to be looked at."""
    stage = site.stage
    await site.start("deploy")
    await site.approve("deploy", "officer", "변경 계획을 확인했음")
    await site.interrupt()
    await site.start("asks")
    await site.start("each", hosts=",".join(f"web-{n:02}" for n in range(1, 13)))
    await site.start("retry")
    await site.start("back")
    await site.start("stops")
    site.runs["failed"] = site.runs["stops"]
    again = await site.start("stops", "deputy")
    (stage.work / "mended").touch()
    who, book = await stage.person("operator"), site.book
    await stage.act(runs.resume, again, who, book, book, "메모리를 늘렸음")
    site.runs["resumed"] = again
    await site.start("outer")
    await site.start("phased")
    await site.start("long")
    await site.start("secret", api_key="hunter-two-hunter", service="payments")
    site.runs["cancelled"] = await site.start("deploy", "deputy")
    await stage.act(runs.cancel, site.runs["cancelled"], who, book, "잘못 시작함")
    site.runs["deploy"] = 1
    child = await stage.write(
        lambda tx: tx.scalar(sa.select(run_table.c.id).where(run_table.c.parent_id.is_not(None)))
    )
    site.runs["hands"] = int(child or 0)
    deputy = await stage.person("deputy")
    await stage.act(
        runs.attach, child, "looked", deputy, book, "대기열.png", "image/png", b"\x89PNG" * 9000
    )
    await stage.act(runs.confirm, child, "looked", deputy, book, "비어 있었음")


@contextlib.asynccontextmanager
async def serving(folder: Path, port: int = 0) -> AsyncIterator[Site]:
    """Serve the pages of a stage whose book has all of BOOKS."""
    async with Stage(folder) as stage:
        app: Any = stage
        app.revisions = Revisions(
            stage.database, stage.library, stage.hub, stage.clock, stage.loops, [],
            stage.places.data / "clones",
        )  # fmt: skip
        app.sealer = audit.Sealer(stage.database, stage.places.audit)
        app.dispatcher = Dispatcher(stage.database, stage.library, "http://127.0.0.1:0")
        app.doors = Doors(stage.database, stage.library, stage.clock)
        app.hearts = Heartbeats(stage.library, stage.loops, stage.clock)
        app.started_at = stage.clock.now()
        files = {f"runbooks/{name}.md": text for name, text in BOOKS.items()}
        await stage.publish(load({"book.yaml": HEAD, **files}, VOCABULARY))
        served = create(app)
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.setblocking(False)
        config = uvicorn.Config(
            with_doors(app, served),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.005)
        try:
            yield Site(stage, f"http://127.0.0.1:{listener.getsockname()[1]}")
        finally:
            served.state.close_streams()
            server.should_exit = True
            await task


async def look() -> None:
    """Serve everything until somebody presses Ctrl-C."""
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    with open_folder() as folder:
        async with serving(folder) as site:
            await every_state(site)
            await site.start("live")
            print(site.url)  # noqa: T201
            for login in ("operator", "deputy", "officer", "auditor", "viewer"):
                print(login, await site.session(login))  # noqa: T201
            print("token", await site.token("deputy"))  # noqa: T201
            for name, number in site.runs.items():
                print("run", name, number, flush=True)  # noqa: T201
            await stop.wait()


if __name__ == "__main__":
    asyncio.run(look())
