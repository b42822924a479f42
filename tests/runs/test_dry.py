"""The dry run: exactly what would happen, asked of nobody, with all that is wrong at once."""

import subprocess
from datetime import UTC, date, datetime, timedelta

import pytest

from opsbook.access import links
from opsbook.base.database import Transaction
from opsbook.book import Book, Vocabulary, load
from opsbook.checks import KINDS
from opsbook.runs import STEP_KINDS, dry
from tests.support.runs import BOOK, START, Stage, runbook

WORDS = Vocabulary(
    {name: kind.model for name, kind in KINDS.items()},
    frozenset({*STEP_KINDS, "bash", "sh", "check", "approval", "manual", "notify", "run"}),
)
EVERY_KIND = frozenset(WORDS.step_kinds)
SEOUL_EVENING = datetime(2026, 3, 3, 23, 0, tzinfo=UTC)
DEPLOY = """
## 1. Before
```bash {#record effect=read save=previous timeout=30s}
cat version
```
## 2. Allow
```approval {#may by=security within=4h}
May it change?
```
## 3. Change
```bash {#switch retry=5 backoff=10s on-fail=ask on-cancel=stop interrupted=retry expect=ok}
./switch "$service" "$previous"
```
```bash {#second when="service == api"}
./second
```
```check {#holds for=5m}
small
```
- [ ] Told the team {#tell by=responder}

## Back to the first {.rollback of=switch}
```bash {#undo-a}
./back "$previous"
```
```bash {#undo-b}
./clean
```
## Back to the second {.rollback of=second}
```bash {#undo-second}
./back-second
```
## In the end {.finally}
```bash {#tidy effect=read}
./tidy
```
"""
HEAD = (
    "lock: deploy\ntimeout: 30m\nparams:\n  service: {choices: [api, web]}\n  key: {secret: true}"
)


def book(*pages: str, more: str = "", status: str = "active") -> Book:
    files = {f"runbooks/r{n}.md": text for n, text in enumerate(pages)}
    about = BOOK.format(file="/nowhere") + f"status: {status}\n" + more
    return load({"book.yaml": about, **files}, WORDS)


def plan(made: Book, id: str = "fix", *, now: datetime = START, **more) -> dry.Plan:
    around = more.pop("around", dry.Around(kinds=EVERY_KIND))
    day, attended = more.pop("day", None), more.pop("attended", True)
    return dry.plan(
        made, made.runbooks[id], more, now, around=around, day=day, attended=attended
    )  # fmt: skip


def step(made: dry.Plan, key: str) -> dry.PlannedStep:
    return next(one for one in (*made.steps, *made.undo, *made.always) if one.key == key)


def told(faults) -> list[str]:
    return [one.note.english for one in faults]


DEPLOYMENT = book(runbook(DEPLOY, HEAD))


def test_every_step_stands_in_order_with_its_body_to_the_letter() -> None:
    made = plan(DEPLOYMENT, service="web", key="s3cret-value")
    assert [one.key for one in made.steps] == [
        "record", "may", "switch", "second", "holds", "tell"
    ]  # fmt: skip
    assert step(made, "switch").body == './switch "$service" "$previous"\n'
    assert [one.number for one in (*made.steps, *made.undo, *made.always)] == list(range(1, 11))
    assert made.faults == ()


def test_a_step_shows_the_variables_it_names_with_what_is_known_of_them() -> None:
    made = plan(DEPLOYMENT, service="web", key="s3cret-value")
    uses = {one.name: one.value for one in step(made, "switch").uses}
    assert uses["service"].shown == "web"
    assert uses["previous"].shown is None
    assert uses["previous"].by == "record"
    assert set(step(made, "switch").finds) == {"service", "key", "previous"}
    assert "previous" not in step(made, "record").finds


def test_a_secret_is_never_in_the_plan() -> None:
    body = '```bash {#use when=key}\n./use "$key"\n```'
    made = plan(book(runbook(body, HEAD)), service="web", key="s3cret-value")
    assert step(made, "use").runs is True
    assert step(made, "use").uses[0].value.shown == "••••"
    assert "s3cret-value" not in str(dry.to_dict(made))
    assert dry.to_dict(made)["params"]["key"]["value"] == "••••"


def test_a_condition_on_a_parameter_is_decided_and_one_on_a_saved_value_is_not() -> None:
    assert step(plan(DEPLOYMENT, service="api", key="k"), "second").runs is True
    left_out = step(plan(DEPLOYMENT, service="web", key="k"), "second")
    assert left_out.runs is False
    assert left_out.condition is not None
    assert left_out.condition.english == "is left out: not service == api"
    body = (
        '```bash {#look save=found optional}\ntrue\n```\n```bash {#act when="found > 3"}\ntrue\n```'
    )
    later = step(plan(book(runbook(body))), "act")
    assert later.runs is None
    assert later.condition is not None
    assert later.condition.english == "only when found > 3, which shows after the step look"


def test_a_condition_that_compares_no_quantity_is_a_fault_now_and_not_at_night() -> None:
    head = "params: {n: {type: integer, required: false}}"
    made = plan(book(runbook('```bash {#a when="n > 3"}\ntrue\n```', head)))
    assert step(made, "a").runs is None
    assert [one.step for one in made.sure] == ["a"]
    assert "n > 3" in told(made.sure)[0]


def test_what_undoes_stands_newest_first_and_each_section_in_its_own_order() -> None:
    made = plan(DEPLOYMENT, service="api", key="k")
    assert [one.key for one in made.undo] == ["undo-second", "undo-a", "undo-b"]
    assert step(made, "undo-a").rollback_of == "switch"
    assert [one.key for one in made.always] == ["tidy"]


def test_what_happens_if_it_goes_wrong_is_said_in_words() -> None:
    made = plan(DEPLOYMENT, service="api", key="k")
    assert [one.english for one in step(made, "switch").otherwise] == [
        "takes at most 10m",
        "is tried again up to 5 times after a failure, after 10s, 20s, 40s, 1m20s, …",
        "if it fails, a person decides",
        "if nobody knows how it ended, it is started again",
        "if the run is cancelled here, things are left as they are",
    ]
    assert [one.english for one in step(made, "switch").notes] == ["its output must have ok"]
    assert [one.english for one in step(made, "holds").notes] == [
        "The file is small must hold for 5m"
    ]
    assert [one.english for one in step(made, "undo-a").otherwise][1] == (
        "if it fails, nothing further is undone"
    )


def test_the_plan_counts_what_the_start_button_promises() -> None:
    made = plan(DEPLOYMENT, service="web", key="k")
    assert (made.changing, len(made.approvals), len(made.manual)) == (1, 1, 1)
    assert plan(DEPLOYMENT, service="api", key="k").changing == 2
    assert made.deadline == START + timedelta(minutes=30)


# ---- people -------------------------------------------------------------------------------------


def test_an_approval_says_who_could_and_who_may_not_and_why() -> None:
    more = "teams: {ops: {members: [operator]}}\n"
    body = '```approval {#ask by="security, responder"}\nMay it?\n```'
    around = dry.Around(starter="operator", authors=("viewer",), kinds=EVERY_KIND)
    asked = step(plan(book(runbook(body), more=more), around=around), "ask").ask
    assert asked is not None
    assert asked.may == ("officer",)
    assert [(one.person, one.why) for one in asked.excluded] == [("operator", "started")]


def test_an_approval_that_only_the_starter_could_give_fails_for_sure() -> None:
    around = dry.Around(starter="officer", kinds=EVERY_KIND)
    body = "```approval {#ask by=security}\nMay it?\n```"
    made = plan(book(runbook(body)), around=around)
    assert [(one.step, one.sure) for one in made.faults] == [("ask", True)]
    assert told(made.faults) == [
        "Nobody could approve it: of those with the role security, officer cannot."
    ]


def test_a_book_that_records_self_approval_lets_the_starter_answer() -> None:
    around = dry.Around(starter="officer", kinds=EVERY_KIND)
    body = "```approval {#ask by=security}\nMay it?\n```"
    made = plan(book(runbook(body), more="self_approval: record\n"), around=around)
    assert made.faults == ()
    assert step(made, "ask").ask.may == ("officer",)


def test_two_people_are_not_to_be_had_where_one_of_two_starts_it() -> None:
    body = '```approval {#ask by="security, responder" need=2}\nMay it?\n```'
    made = plan(book(runbook(body)), around=dry.Around(starter="operator", kinds=EVERY_KIND))
    assert told(made.sure) == ["2 people have to approve it, and only 1 could: officer."]
    stands_in = {
        name: dry.Account(name, stands_in=name == "root")
        for name in ("operator", "officer", "root")
    }
    around = dry.Around(starter="operator", kinds=EVERY_KIND, accounts=stands_in)
    made = plan(book(runbook(body)), around=around)
    assert [one.sure for one in made.faults] == [False]


def test_somebody_without_an_account_is_a_warning_since_one_can_still_be_made() -> None:
    body = "```approval {#ask by=security}\nMay it?\n```"
    around = dry.Around(starter="operator", accounts={"operator": dry.Account("operator")},
                        kinds=EVERY_KIND)  # fmt: skip
    made = plan(book(runbook(body)), around=around)
    assert [one.sure for one in made.faults] == [False]
    assert step(made, "ask").ask.excluded == (dry.Excluded("officer", "no account"),)


def test_whoever_starts_a_run_may_do_its_manual_steps() -> None:
    around = dry.Around(starter="operator", kinds=EVERY_KIND)
    made = plan(DEPLOYMENT, service="web", key="k", around=around)
    assert step(made, "tell").ask.may == ("operator", "officer")


# ---- what is wrong ------------------------------------------------------------------------------


def test_everything_that_is_wrong_is_told_at_once() -> None:
    body = (
        "```check {#look}\n$which\n```\n"
        "```approval {#ask by=security}\nMay it?\n```\n"
        "```notify {#tell to=operator}\nDone.\n```"
    )
    head = "params:\n  which: {}\n  count: {type: integer, range: [1, 9]}\n  needed: {}"
    around = dry.Around(
        starter="officer", refused="officer has no runs:write.",
        kinds=frozenset({"check", "approval"}),
    )  # fmt: skip
    made = plan(
        book(runbook(body, head), status="draft"), which="nothing", count="12", around=around
    )
    assert {(one.param, one.step) for one in made.sure} == {
        ("count", ""), ("needed", ""), ("", ""), ("", "look"), ("", "ask"), ("", "tell"),
    }  # fmt: skip
    assert told(made.sure)[0].startswith("parameter count: '12' is outside its range.")
    assert "The book has no check nothing." in told(made.sure)
    assert "The book shop is a draft: nothing in it can be started." in told(made.sure)
    assert "You may not start it: officer has no runs:write." in told(made.sure)
    assert "This Opsbook does not run steps of the kind notify." in told(made.sure)


def test_a_step_that_is_left_out_lacks_nothing() -> None:
    body = '```approval {#ask by=security when="service == api"}\nMay it?\n```'
    head = "params: {service: {}}"
    around = dry.Around(starter="officer", kinds=EVERY_KIND)
    assert plan(book(runbook(body, head)), service="web", around=around).faults == ()
    assert len(plan(book(runbook(body, head)), service="api", around=around).faults) == 1


def test_a_target_is_named_with_its_credential_and_whether_its_secret_is_set() -> None:
    targets = """
targets:
  cluster:
    title: The cluster
    read: {environment: {TOKEN: "env:READ_TOKEN"}}
    change: {environment: {TOKEN: "env:CHANGE_TOKEN"}}
"""
    body = (
        "```bash {#look effect=read on=cluster}\nkubectl get pods\n```\n"
        "```bash {#act on=cluster}\nkubectl apply\n```"
    )
    made = book(runbook(body), more=targets)
    assert set(dry.needed_secrets(made, made.runbooks["fix"])) == {
        "env:READ_TOKEN", "env:CHANGE_TOKEN"
    }  # fmt: skip
    around = dry.Around(
        kinds=EVERY_KIND, secrets={"env:READ_TOKEN": True, "env:CHANGE_TOKEN": False}
    )
    found = plan(made, around=around)
    assert (step(found, "look").target, step(found, "look").credential) == ("cluster", "read")
    assert step(found, "act").secrets == {"env:CHANGE_TOKEN": False}
    assert told(found.sure) == ["The secret env:CHANGE_TOKEN is not set on this server."]


# ---- repetition, days, runs within runs ---------------------------------------------------------


def test_a_list_that_is_given_shows_its_items_and_a_saved_one_who_saves_it() -> None:
    body = (
        "```bash {#names effect=read save=names}\nls\n```\n"
        "```bash {#a each=shops at-once=2}\n./a\n```\n"
        "```bash {#b each=names}\n./b\n```"
    )
    made = plan(book(runbook(body, "params: {shops: {type: list}}")), shops="seoul,busan")
    assert step(made, "a").items == ("seoul", "busan")
    assert [one.english for one in step(made, "a").notes] == [
        "once for each of shops: 2 times", "up to 2 at the same time"
    ]  # fmt: skip
    assert step(made, "b").items is None
    assert step(made, "b").notes[0].english == (
        "once for each of names, which the step names saves"
    )


def test_a_list_that_is_longer_than_a_run_has_room_for_is_a_fault_before_it_starts() -> None:
    body = "```bash {#a each=shops}\n./a\n```"
    made = plan(
        book(runbook(body, "params: {shops: {type: list}}")), shops=",".join(map(str, range(1001)))
    )
    assert told(made.sure) == ["shops has 1001 items, and a step is repeated over 1000 at most."]


def test_phases_become_moments_of_the_runs_day_in_the_books_zone() -> None:
    body = (
        "## Before {phase=D-7}\n```bash {#a}\ntrue\n```\n"
        '## Then {phase="D-Day 22:00"}\n```bash {#b}\ntrue\n```'
    )
    made = plan(book(runbook(body, "timeout: 2h")), day=date(2026, 3, 31))
    assert step(made, "a").due == datetime(2026, 3, 23, 15, 0, tzinfo=UTC)
    assert step(made, "b").due == datetime(2026, 3, 31, 13, 0, tzinfo=UTC)
    assert made.deadline == datetime(2026, 3, 31, 15, 0, tzinfo=UTC)
    assert made.faults == ()


def test_the_runs_day_is_today_where_the_book_is() -> None:
    assert plan(DEPLOYMENT, now=SEOUL_EVENING, service="web", key="k").day == date(2026, 3, 4)


def test_a_runbook_within_shows_its_own_steps_with_what_it_is_given() -> None:
    outer = runbook(
        "```bash {#look effect=read save=found}\nls\n```\n"
        "```run {#inner}\ninner\nservice: $service\nwhat: $found\nhow: fast\n```",
        "params: {service: {}}",
    )
    inner = runbook(
        '```bash {#change}\n./change "$service" "$what" "$how"\n```\n'
        '```bash {#only when="service == api"}\ntrue\n```',
        "params: {service: {choices: [api, web]}, what: {}, how: {}}", id="inner",
    )  # fmt: skip
    made = plan(book(outer, inner), service="web")
    sub = step(made, "inner").sub
    assert sub is not None
    values = {one.name: (one.value.shown, one.value.by) for one in sub.steps[0].uses}
    assert values == {"service": ("web", ""), "what": (None, "look"), "how": ("fast", "")}
    assert [one.runs for one in sub.steps] == [True, False]
    assert made.changing == 1
    wrong = plan(book(outer, inner), service="mail")
    assert [one.step for one in wrong.sure] == ["inner"]
    assert "'mail' is not one of its choices" in told(wrong.sure)[0]


def test_runbooks_that_run_one_another_end_somewhere() -> None:
    def calls(id: str, *others: str) -> str:
        steps = "\n".join(f"```run {{#{id}-{n}}}\n{one}\n```" for n, one in enumerate(others))
        return runbook(steps, id=id)

    deep = book(
        *(calls(f"r{n}", *([f"r{n + 1}"] * 9)) for n in range(8)),
        runbook("```bash\ntrue\n```", id="r8"),
    )
    made = plan(deep, "r0")
    assert made.cut

    def count(one: dry.Plan) -> int:
        return sum(1 + (count(each.sub) if each.sub else 0) for each in one.steps)

    assert count(made) <= 2_000


def test_a_run_that_starts_by_itself_asks_before_its_first_change_and_once() -> None:
    body = "```bash {#a}\ntrue\n```\n```bash {#b}\ntrue\n```"
    made = plan(book(runbook(body)), attended=False)
    assert "nobody started the run by hand" in step(made, "a").notes[0].english
    assert step(made, "b").notes == ()
    assert step(plan(book(runbook(body))), "a").notes == ()


# ---- nothing of the world ------------------------------------------------------------------------


def test_a_plan_starts_no_process_and_opens_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object, **__: object) -> None:
        raise AssertionError("a dry run touched the world")

    for where, name in ((subprocess, "Popen"), (subprocess, "run")):
        monkeypatch.setattr(where, name, never)
    monkeypatch.setattr("socket.socket.connect", never)
    monkeypatch.setattr("builtins.open", never)
    monkeypatch.setattr("os.open", never)
    assert plan(DEPLOYMENT, service="web", key="k").faults == ()


async def test_whoever_wrote_what_runs_is_known_by_the_same_rule_as_at_the_approval(
    stage: Stage,
) -> None:
    author, starter = await stage.person("officer"), await stage.person("operator")
    shop = book(runbook("```approval {#ask by=security}\nMay it?\n```"))
    await stage.write(
        lambda tx: stage.library.publish(tx, stage.clock.now(), shop, author.actor, "test")
    )
    around = await stage.database.read(
        lambda tx: dry.around(tx, stage.clock.now(), shop, shop.runbooks["fix"], starter)
    )
    assert around.authors == ("officer",)
    made = dry.plan(shop, shop.runbooks["fix"], {}, START, around=around)
    asked = step(made, "ask").ask
    assert asked is not None
    assert asked.excluded == (dry.Excluded("officer", "authored"),)
    assert [one.sure for one in made.faults] == [True]


async def test_what_the_server_knows_is_looked_up_without_writing(stage: Stage) -> None:
    shop = await stage.load("```bash\nsleep 30\n```", "lock: deploy")
    first = await stage.begin(by="operator")
    who = await stage.person("officer")
    around = await stage.database.read(
        lambda tx: dry.around(tx, stage.clock.now(), shop, shop.runbooks["fix"], who)
    )
    assert around.starter == "officer"
    assert [one["id"] for one in around.open_runs] == [first]
    assert around.accounts is not None
    assert set(around.accounts) == {"operator", "officer"}
    assert around.refused == ""
    stranger = await stage.person("stranger")
    refused = await stage.database.read(
        lambda tx: dry.around(tx, stage.clock.now(), shop, shop.runbooks["fix"], stranger)
    )
    assert "stranger" in refused.refused


async def test_a_plan_names_who_counts_as_one_person_with_whoever_starts(stage: Stage) -> None:
    ask = "```approval {#ask by=security}\nMay it?\n```\n"
    shop = await stage.load(ask)
    starter, officer = await stage.person("operator"), await stage.person("officer")

    def invite(tx: Transaction) -> None:
        now = stage.clock.now()
        life = timedelta(days=1)
        raw = links.make(tx, now, officer.account_id or 0, life, made_by=starter.account_id)
        assert links.use(tx, now, raw)

    await stage.write(invite)
    around = await stage.database.read(
        lambda tx: dry.around(tx, stage.clock.now(), shop, shop.runbooks["fix"], starter)
    )
    assert around.linked == ("officer",)
    plan = dry.plan(shop, shop.runbooks["fix"], {}, stage.clock.now(), around=around)
    assert [(one.person, one.why) for one in plan.steps[0].ask.excluded] == [("officer", "linked")]
