"""What a plan says of each concern, in sentences that somebody tired can read.

Long because every sentence of the plan stands beside its neighbours, which it must not contradict.
"""

import dataclasses
from datetime import UTC, datetime, timedelta

from opsbook.book import load
from opsbook.revisions.plan import OpenIncident, RunInFlight, Running, compare, remaining
from tests.book.kinds import VOCABULARY
from tests.revisions.planned import FILES, MORE, NOW, RUNBOOK, book, loosened, plan, told

HOUR_LATER = ("every day 08:00", "every day 09:00")
QUESTION = "```approval {#allow by=admin within=4h}\nMay it be removed?\n```\n"


# ---- schedules ----------------------------------------------------------------------------------


def test_a_routine_that_moves_is_told_by_both_schedules_and_their_next_times():
    (change,) = plan(HOUR_LATER).changes
    assert str(change) == (
        "morning-check: every day 09:00 instead of every day 08:00; "
        "next on Mon 2026-11-23 09:00 instead of 08:00 (Asia/Seoul)."
    )
    assert change.soon
    assert change.where == "book.yaml:36"


def test_a_routine_on_fewer_days_is_not_told_as_one_that_only_moves_by_an_hour():
    old, new = ("every day 08:00", "weekdays 09:00"), ("every day 08:00", "every Monday 10:00")
    (change,) = compare(book(old), book(new), NOW).changes
    assert str(change) == (
        "morning-check: every Monday 10:00 instead of weekdays 09:00; "
        "next on Mon 2026-11-23 10:00 instead of 09:00 (Asia/Seoul)."
    )


def test_a_schedule_that_keeps_its_next_time_says_so():
    (sentence,) = told(("every day 03:00", "every Monday 03:00"))
    assert sentence == (
        "database: schedule is “every Monday 03:00” instead of “every day 03:00”; next as before "
        "on Mon 2026-11-23 03:00 (Asia/Seoul)."
    )


def test_the_same_schedule_in_other_words_moves_nothing_but_is_still_in_the_plan():
    sentences = told(("every day 08:00", "매일 08:00"))
    assert len(sentences) == 1
    assert "next as before on Mon 2026-11-23 08:00" in sentences[0]


def test_another_time_zone_moves_every_schedule_of_the_book():
    sentences = told(("timezone: Asia/Seoul", "timezone: Europe/Berlin"))
    assert "The book's time zone is Europe/Berlin instead of Asia/Seoul." in sentences
    for id in ("morning-check", "database", "night", "weekly"):
        assert [one for one in sentences if one.startswith(f"{id}: every ")], id
    assert (
        "morning-check: every day 08:00 (Europe/Berlin) instead of every day 08:00 (Asia/Seoul); "
        "next on Sun 2026-11-22 08:00 instead of Mon 2026-11-23 08:00."
    ) in sentences


def test_a_holiday_moves_a_schedule_that_nobody_edited():
    edits = ("every day 08:00", '"weekdays 08:00, except holidays"')
    holiday = ("holidays: {}\n", "holidays: {also: {2026-11-23: A day off}}\n")
    added = ("id: shop\n", "id: shop\nholidays: {}\n")
    old, new = book(edits, added), book(edits, added, holiday)
    sentences = [str(one) for one in compare(old, new, NOW).changes]
    assert any(
        one.startswith("morning-check: next on Tue 2026-11-24 08:00 instead of Mon 2026-11-23")
        for one in sentences
    )


def test_a_new_routine_says_when_it_starts_what_first():
    new = "routines:\n  hourly: {title: Hourly, schedule: every hour, runbook: clean}\n"
    (sentence,) = told(("routines:\n", new))
    assert sentence == ("hourly is new: next on Sun 2026-11-22 13:00 (Asia/Seoul), starts clean.")


# ---- checks and rules ---------------------------------------------------------------------------


def test_a_band_says_whether_it_warns_sooner_or_later():
    assert told(('"> 85%"', '"> 90%"'), ('"> 95%"', '"> 92%"')) == [
        "disk warns later: at > 90% instead of > 85%.",
        "disk is critical sooner: at > 92% instead of > 95%.",
    ]


def test_a_band_that_turns_round_is_neither_sooner_nor_later():
    assert told(('"> 85%"', '"< 85%"')) == ["disk warns at < 85% instead of > 85%."]


def test_a_check_that_looks_elsewhere_or_less_often_says_so():
    assert told(("every: 30s", "every: 5m"), ("http://127.0.0.1/", "http://127.0.0.2/")) == [
        "web looks every 5m instead of every 30s.",
        "web looks at something else: url is http://127.0.0.2/ instead of http://127.0.0.1/.",
    ]


def test_a_removed_rule_says_how_many_firing_alerts_are_closed():
    rule = "  web-down: {check: web, when: critical, severity: P2, summary: Down}\n"
    known = told((rule, ""), ("{rule: web-down}", "{rule: disk-full}"),
                 running=Running(alerts={"web-down": 2}))  # fmt: skip
    assert known[1] == (
        "web-down is gone: nothing alerts on web by it; its firing alerts are closed (2)."
    )


def test_a_rule_of_another_severity_says_whom_it_no_longer_pages():
    assert told(("for: 5m, severity: P1", "for: 10m, severity: P2")) == [
        "disk-full fires after 10m instead of 5m.",
        "disk-full is P2 instead of P1.",
        "disk-full pages nobody any more (it did by standard).",
    ]


# ---- clocks -------------------------------------------------------------------------------------


def test_open_incidents_keep_their_deadline_and_the_plan_says_what_it_would_have_been():
    opened = NOW - timedelta(minutes=5)
    running = Running(
        incidents=(OpenIncident(12, "P1", "a" * 64, opened, opened + timedelta(minutes=10)),)
    )
    assert told(("acknowledge_within: 10m", "acknowledge_within: 5m"), running=running) == [
        "P1: to be acknowledged within 5m instead of 10m.",
        "Incident 12 (P1) stays on revision aaaaaaaaaaaa and keeps its deadline Sun 2026-11-22 "
        "12:05; by the new times it would be Sun 2026-11-22 12:00.",
    ]


def test_an_escalation_level_says_whom_it_pages_and_when():
    assert told(("after: 15m", "after: 20m")) == [
        "standard: level 2 pages second-person after 20m instead of second-person after 15m."
    ]


def test_the_order_of_severities_is_their_weight_and_so_part_of_the_plan():
    line = "  P2: {title: Badly degraded, acknowledge_within: 30m}\n"
    (sentence,) = told((line, ""), ("severities:\n", f"severities:\n{line}"))
    assert sentence == "The severities are now, worst first: P2, P1 (before: P1, P2)."


# ---- duty ---------------------------------------------------------------------------------------


def test_who_is_on_duty_is_told_by_the_stretches_that_differ():
    swapped = ("people: [first-person, second-person], shift",
               "people: [second-person, first-person], shift")  # fmt: skip
    assert told(swapped)[:3] == [
        "operations: second-person is on duty now instead of first-person, until Mon 2026-11-23 "
        "09:00.",
        "operations: first-person is on duty instead of second-person from Mon 2026-11-23 09:00 "
        "to Mon 2026-11-30 09:00.",
        "operations: second-person is on duty instead of first-person from Mon 2026-11-30 09:00 "
        "on.",
    ]


def test_an_override_is_a_stretch_to_the_minute():
    layers = "    layers:\n      - {people: [first"
    override = (
        "    overrides:\n"
        '      - {from: "2026-11-24 18:10", to: "2026-11-25 06:50", person: third-person}\n'
    )
    first = told((layers, override + layers))[0]
    assert first == (
        "operations: third-person is on duty instead of second-person from Tue 2026-11-24 18:10 "
        "to Wed 2026-11-25 06:50."
    )


def test_somebody_who_is_on_duty_and_leaves_is_told_with_what_is_theirs():
    edits = (
        ("  first-person: {name: First, roles: [admin]}\n", ""),
        ("members: [first-person, second-person]", "members: [second-person]"),
        ("{people: [first-person, second-person]", "{people: [second-person]"),
        ("{by: admin, need: 2}", "{by: admin, need: 1}"),
    )
    running = Running(
        incidents=(OpenIncident(7, "P1", "a" * 64, NOW, None, "first-person"),),
        pages={"first-person": 2},
    )
    assert (
        "first-person is no longer in the book, is on duty now for operations, has incidents (7) "
        "and 2 pages that are not delivered yet."
    ) in told(*edits, running=running)


# ---- quiet --------------------------------------------------------------------------------------


def test_a_book_that_becomes_a_draft_stops_everything():
    (change,) = plan(("self_approval", "status: draft\nself_approval")).changes
    assert str(change).startswith("Everything stops: the book is a draft.")
    assert change.soon


def test_hours_in_which_a_route_keeps_quiet_are_told():
    muted = ("match: {severity: P2}", "match: {severity: P2}\n      mute: work")
    assert told(muted) == ["Alerts with severity=P2 are muted in the hours work."]


ROUTES = """  routes:
    - match: {severity: P2}
      to: [operations]
"""


def routed(more):
    """What is told when the routes are others."""
    return told((ROUTES, more))


def test_who_is_told_is_said_with_what_a_route_inherits():
    assert told(("routing:\n  to: [operations]", "routing:\n  to: [first-person]")) == [
        "Alerts with * are told to first-person instead of operations."
    ]
    assert routed(ROUTES.replace("to: [operations]", "as: notify")) == [
        "Alerts with severity=P2 open no incident any more: they only tell.",
        "routing.routes.1.to is no longer set (it was operations).",
    ]
    assert routed(f"  as: notify\n{ROUTES}") == [
        "Alerts with * open no incident any more: they only tell."
    ]


def test_grouping_is_told_with_the_times_that_come_with_it():
    assert routed(f"  group_by: [rule]\n{ROUTES}") == [
        "Alerts with * are told together: rule instead of each alone.",
        "A group of alerts with * waits 30s for more instead of 0s.",
        "What is new in a group of alerts with * is told after 5m instead of 0s.",
    ]
    assert routed(ROUTES + "      repeat_interval: 1d\n      continue: true\n") == [
        "Alerts with severity=P2 are looked at by the routes behind as well.",
        "Alerts with severity=P2 that go on are told again every 1d instead of 4h.",
    ]


def test_a_route_in_the_middle_is_not_a_change_of_those_behind():
    first = "    - {match: {severity: P1}, to: [first-person]}\n"
    assert routed(ROUTES.replace("routes:\n", f"routes:\n{first}")) == [
        "Alerts with severity=P1 have a route of their own: they open an incident (told: "
        "first-person)."
    ]
    both = ROUTES.replace("routes:\n", f"routes:\n{first}")
    other = ROUTES.replace("to: [operations]", "to: [second-person]") + first
    found = plan((ROUTES, other)).changes
    assert [str(one) for one in found] == [
        "Alerts with severity=P1 have a route of their own: they open an incident (told: "
        "first-person).",
        "Alerts with severity=P2 are told to second-person instead of operations.",
    ] or [str(one) for one in found] == [
        "Alerts with severity=P2 are told to second-person instead of operations.",
        "Alerts with severity=P1 have a route of their own: they open an incident (told: "
        "first-person).",
    ]
    swapped = compare(book((ROUTES, both)), book((ROUTES, ROUTES + first)), NOW)
    assert [str(one) for one in swapped.changes] == [
        "The routes for alerts with * are tried in another order."
    ]


def test_what_a_moved_route_says_otherwise_is_told_key_by_key():
    first = "    - {match: {severity: P1}, to: [first-person]}\n"
    marked = ROUTES + "      ref: page 3\n"
    assert routed(marked.replace("routes:\n", f"routes:\n{first}")) == [
        "Alerts with severity=P1 have a route of their own: they open an incident (told: "
        "first-person).",
        "routing.routes.2.ref is page 3; it was not set before.",
    ]


def test_incidents_that_a_route_opens_or_loses_are_told_when_it_comes_and_when_it_goes():
    quiet = "    - {match: {severity: P1}, to: [first-person], as: notify}\n"
    comes = ROUTES.replace("routes:\n", f"routes:\n{quiet}")
    own = "Alerts with severity=P1 have a route of their own: they are told to first-person."
    lost = "Alerts with severity=P1 open no incident any more: they only tell."
    gone = (
        "Alerts with severity=P1 have no route of their own any more; they were told to "
        "first-person."
    )
    found = "Alerts with severity=P1 open an incident and page."
    assert routed(comes) == [own, lost]
    went = compare(book((ROUTES, comes)), book(), NOW).changes
    assert [str(one) for one in went] == [gone, found]
    loud = "    - {matchers: ['severity=~\"P1|P3\"'], as: incident}\n"
    only = "  as: notify\n"
    with_loud = only + ROUTES.replace("routes:\n", f"routes:\n{loud}")
    said = [
        str(one)
        for one in compare(book((ROUTES, with_loud)), book((ROUTES, only + ROUTES)), NOW).changes
    ]
    assert said == [
        'Alerts with severity=~"P1|P3" have no route of their own any more; they opened an '
        "incident (told: operations).",
        'Alerts with severity=~"P1|P3" open no incident any more: they only tell.',
    ]


def test_routes_that_come_into_a_book_without_any_say_what_is_no_incident_any_more():
    none = (f"routing:\n  to: [operations]\n{ROUTES}", "")
    only = (ROUTES, ROUTES.replace("to: [operations]", "as: notify"))
    said = [str(one) for one in compare(book(none), book(only), NOW).changes]
    assert said[1:] == ["Alerts with severity=P2 open no incident any more: they only tell."]
    assert [str(one) for one in compare(book(none), book(), NOW).changes] == said[:1]


def test_without_routes_each_alert_is_an_incident():
    assert told((f"routing:\n  to: [operations]\n{ROUTES}", "")) == [
        "No route says who is told of alerts any more: each is an incident of its own, told at "
        "once."
    ]


def test_receivers_intakes_times_and_heartbeats_are_told():
    def now(before, after):
        assert before in MORE
        more = {"more.yaml": MORE.replace(before, after, 1)}
        found = compare(book(), load({**FILES, **more}, VOCABULARY), NOW).changes
        assert all(one.soon for one in found)
        return [str(one) for one in found]

    assert now("{to: [users], as: notify}", "{to: [operations], as: incident}") == [
        "shop-users tells operations instead of users.",
        "shop-users opens an incident and pages.",
    ]
    assert now("  shop-users: {to: [users], as: notify}", "  none: {}") == [
        "none is a new receiver: it tells nobody.",
        "shop-users is gone: nothing is told by it (it told users).",
    ]
    assert now("{critical: P1}, severity: P2", "{critical: P2}, severity: P1, default: true") == [
        "prometheus is what answers under /api/v2.",
        "What comes in by prometheus as critical is P2 instead of P1.",
        "What comes in by prometheus without a word for it is P1 instead of P2.",
    ]
    assert now("kind: alertmanager,", 'kind: webhook, token: "env:T", resolve_after: 1h,') == [
        "prometheus is spoken to by webhook instead of alertmanager.",
        "prometheus asks for another secret: what stands in env:T.",
        "What comes in by prometheus and is not repeated is over after 1h instead of 5m.",
    ]
    assert now('"18:00-24:00"', '"20:00-24:00"') == [
        "closing holds at december -3:-1 20:00-24:00 instead of december -3:-1 18:00-24:00."
    ]
    assert now("every: 1m", "every: 5m") == [
        "watch is told every 5m instead of every 1m that Opsbook lives."
    ]


# ---- runbooks and runs in flight ----------------------------------------------------------------


def test_a_run_in_flight_keeps_its_revision_and_the_plan_says_which_steps_differ():
    old = book()
    left = remaining(old.runbooks["clean"], ("allow", "remove", "verify"))
    running = Running(runs=(RunInFlight(214, "clean", old.revision, "allow", left),))
    assert told(("echo remove", "echo more"), running=running) == [
        "clean: the step remove does something else than before.",
        f"Run 214 (clean, at allow) stays on revision {old.revision[:12]} and is not affected; 1 "
        "of its remaining steps differ: remove.",
    ]
    assert told(("# Clean up\n", "# Clean up well\n"), running=running)[1].endswith(
        "is not affected; its remaining steps are the same."
    )


def test_steps_in_another_order_are_told():
    verify = "```bash {#verify effect=read}\ndf -h /\n```\n"
    remove = "```bash {#remove timeout=5m}\necho remove\n```\n"
    (sentence, *_) = told((remove + verify, verify + remove))
    assert sentence == "clean: the steps come in another order: look, allow, verify, remove."


def test_what_is_only_text_around_the_steps_is_told_as_that():
    assert told(("# Clean up\n", "# Clean up\n\nMind the step.\n")) == [
        "The text of the runbook clean differs; no step does."
    ]


# ---- what loosens -------------------------------------------------------------------------------


def test_what_lets_more_people_do_more_loosens():
    assert loosened(
        ("self_approval: forbid", "self_approval: record"),
        ('"runs:write"]', '"runs:write", "access:admin"]'),
        ("name: Third", "name: Third, roles: [admin]"),
    ) == [
        "People may approve their own work from now on; it is recorded.",
        "The role responder may do more: access:admin (held by second-person).",
        "third-person (account third-person) is given the role admin.",
    ]


def test_a_role_that_goes_to_another_account_loosens():
    (sentence,) = loosened(("name: First,", "name: First, account: somebody-else,"))
    assert sentence == "first-person (account somebody-else) is given the role admin."


def test_what_asks_less_of_people_in_a_runbook_loosens():
    assert loosened((QUESTION, "")) == ["The runbook clean no longer asks for the approval allow."]
    assert loosened(("by=admin within=4h", "within=8h")) == [
        "Others may answer allow of clean: whoever has runs:write instead of admin.",
        "allow of clean may be answered for longer: 8h, not 4h.",
    ]
    assert loosened(("risk: change", "risk: routine")) == [
        "The runbook clean counts as less risky: routine instead of change."
    ]
    assert loosened(("#remove timeout", "#remove effect=read interrupted=retry timeout")) == [
        "The step remove of clean counts as reading only: it may start by itself.",
        "The step remove of clean is repeated after an interruption; nobody is asked.",
    ]


def test_a_question_that_is_asked_only_under_a_condition_loosens():
    takes = ("risk: change\n", "risk: change\nparams: {often: {default: sure}}\n")
    old = book(takes)
    new = book(takes, ("by=admin within", "by=admin when=often within"))
    assert [str(one) for one in compare(old, new, NOW).loosens] == [
        "The question allow of clean is asked only under a condition: often."
    ]


def test_a_step_that_is_renamed_to_start_by_itself_loosens_all_the_same():
    assert loosened(("#remove timeout=5m", "#sweep effect=read timeout=5m")) == [
        "The step sweep of clean counts as reading only: it may start by itself."
    ]


def test_a_step_that_changes_something_before_the_question_loosens():
    step = "```bash {#early}\necho early\n```\n"
    assert loosened((QUESTION, step + QUESTION)) == [
        "In the runbook clean early comes before the question allow."
    ]


def test_a_question_that_fewer_people_answer_or_that_a_no_does_not_end_loosens():
    two = ("by=admin within=4h", "by=admin need=2 within=4h")
    assert [str(one) for one in compare(book(two), book(), NOW).loosens] == [
        "Fewer people must answer allow of clean: 1, not 2."
    ]
    assert loosened(("by=admin within", 'by="admin, responder" within')) == [
        "Others may answer allow of clean: admin, responder instead of admin."
    ]
    assert loosened(("by=admin within=4h", "by=admin")) == [
        "allow of clean may be answered at any time, no longer within 4h."
    ]
    hand = (QUESTION, QUESTION + "- [ ] Count what is left. {#count by=admin within=1h}\n")
    for choice in ("continue", "ask"):
        after = book(hand, ("{#count by=admin", f"{{#count by=admin on-fail={choice}"))
        assert [str(one) for one in compare(book(hand), after, NOW).loosens] == [
            "The runbook clean may go on past the question count."
        ]


def test_a_question_that_is_moved_behind_the_change_it_guards_loosens():
    moved = (QUESTION, ""), ("```bash {#verify", QUESTION + "```bash {#verify")
    assert loosened(*moved) == ["In the runbook clean remove comes before the question allow."]


REMOVE = "```bash {#remove timeout=5m}\necho remove\n```\n"
VERIFY = "```bash {#verify effect=read}\ndf -h /\n```\n"
HAND = "- [ ] Count what is left. {#count by=admin}\n"


def test_a_guarded_step_that_is_moved_among_those_that_run_in_any_case_loosens():
    said = ["In the runbook clean remove does not wait for the question allow."]
    tidy, undo = "## Tidy {.finally}\n", "## Back {.rollback of=look}\n"
    after_it = "## Back {.rollback of=verify}\n"
    for heading in (tidy, undo, after_it):
        assert loosened((REMOVE, ""), (VERIFY, VERIFY + heading + REMOVE)) == said
    other = REMOVE.replace("echo remove", "echo remove #").replace("#remove", "#sweep")
    for effect in ("", " effect=read"):
        step = other.replace(" timeout", f"{effect} timeout")
        for heading in (tidy, undo):
            assert loosened((REMOVE, ""), (VERIFY, VERIFY + heading + step)) == [
                "In the runbook clean sweep does not wait for the question allow."
            ]


def more_kinds(step, more=None):
    """The book with a step of a kind that this package's tests have no use for, before Ask."""
    kinds = dataclasses.replace(VOCABULARY, step_kinds=frozenset({"http", "run"}))
    text = RUNBOOK.replace(QUESTION, step + QUESTION)
    return load({**FILES, "runbooks/clean.md": text, **(more or {})}, kinds)


def test_a_step_with_another_text_or_name_before_the_question_loosens_whatever_it_says_it_does():
    sweep = "```bash {#sweep effect=read}\necho remove #\n```\n"
    said = ["In the runbook clean sweep comes before the question allow."]
    assert loosened((QUESTION, sweep + QUESTION)) == said
    assert loosened((REMOVE, ""), (QUESTION, sweep + QUESTION)) == said
    http = "```http {#sweep}\nGET http://127.0.0.1/remove\n```\n"
    assert sentences(book(), more_kinds(http)) == said
    assert loosened((QUESTION, VERIFY.replace("verify", "again") + QUESTION)) == []  # as `look` is
    moved = VERIFY.replace("df -h /", "df -h /srv")
    old, new = book((VERIFY, moved)), book((VERIFY, ""), (QUESTION, moved + QUESTION))
    assert sentences(old, new) == ["In the runbook clean verify comes before the question allow."]
    assert loosened(("#look effect=read}\ndf -h /", "#look effect=read}\necho remove #")) == [
        "In the runbook clean look comes before the question allow and does something else than "
        "before."
    ]


def test_another_runbook_that_is_run_before_the_question_loosens():
    there = "---\nid: sweep\ntitle: Sweep\nrisk: change\n---\n```bash\necho remove #\n```\n"
    step = "```run {#call effect=read}\nsweep\n```\n"
    new = more_kinds(step, {"runbooks/sweep.md": there})
    assert sentences(book(), new) == ["In the runbook clean call comes before the question allow."]


def test_a_manual_step_that_somebody_named_or_several_people_do_is_missed_when_it_goes():
    for given, by in (("by=admin", "admin"), ("need=2", "whoever has runs:write")):
        hand = (QUESTION, QUESTION + HAND.replace("by=admin", given))
        assert sentences(book(hand), book()) == [
            f"The runbook clean no longer waits until count is done by {by}."
        ]
    item = (QUESTION, QUESTION + HAND.replace(" by=admin", ""))
    assert sentences(book(item), book()) == []


def test_a_runbook_that_goes_with_its_manual_step_for_two_loosens():
    two = RUNBOOK.replace(QUESTION, HAND.replace("by=admin", "need=2"))
    old = load({**FILES, "runbooks/other.md": two.replace("id: clean", "id: other")}, VOCABULARY)
    assert sentences(old, book()) == ["The runbook other is gone."]


def test_a_question_in_other_words_loosens():
    said = ["The question allow of clean asks something else than before."]
    assert loosened(("May it be removed?", "Is it time for lunch?")) == said
    hand = (QUESTION, QUESTION + HAND)
    other = (QUESTION, QUESTION + HAND.replace("Count", "Forget"))
    assert sentences(book(hand), book(other)) == [
        "The question count of clean asks something else than before."
    ]
    assert loosened(("May it be removed?", "May it\nbe removed?")) == []


def test_a_question_that_moves_to_where_another_step_is_undone_loosens():
    back = "## Back {.rollback of=remove}\n" + QUESTION.replace("#allow", "#undo")
    old = book((VERIFY, VERIFY + back))
    new = book((VERIFY, VERIFY + back.replace("of=remove", "of=verify")))
    assert sentences(old, new) == ["The runbook clean may go on past the question undo."]


def test_what_is_edited_behind_the_question_or_around_it_asks_nobody():
    read = "```bash {#again effect=read}\ndf -h /srv\n```\n"
    undo = "## Back {.rollback of=remove}\n```bash\necho back\n```\n"
    for edits in (
        [(VERIFY, VERIFY + read)], [(QUESTION, QUESTION + read)], [("echo remove", "echo gone")],
        [("title: Clean up", "title: Tidy up")], [("## Ask", "## May it be?")], [(REMOVE, "")],
        [("## Look", "## See")], [("#look effect", "#seen effect")], [(VERIFY, VERIFY + undo)],
        [("```bash {#look effect=read}\ndf -h /\n```\n", "")],
        [(QUESTION, "Mind the step.\n\n" + QUESTION)],
        [(QUESTION, "- [ ] Look once more.\n" + QUESTION)],
        [(QUESTION, ""), ("## Look\n", "## Look\n" + QUESTION)],
        [(QUESTION, QUESTION.replace("#allow", "#agreed"))],
    ):  # fmt: skip
        assert loosened(*edits) == [], edits
        assert told(*edits) != [], edits


def test_an_item_put_into_a_list_makes_no_other_questions_of_those_below_it():
    items = "- [ ] Count. {by=admin}\n- [ ] Weigh. {by=admin}\n"
    old = book((QUESTION, QUESTION + items))
    new = book((QUESTION, QUESTION + "- [ ] Look. {by=admin}\n" + items))
    assert sentences(old, new) == []
    assert sentences(new, old) == [
        "The runbook clean no longer waits until ask-1 is done by admin."
    ]


def test_an_approval_whose_id_is_a_key_of_another_step_does_not_go_unseen():
    first = QUESTION.replace("#allow by=admin", '#ask by="admin, responder"')
    both = first + QUESTION.replace("#allow", "#ask.by")
    old = book((QUESTION, both))
    new = book((QUESTION, first.replace('"admin, responder"', "admin")))
    assert sentences(old, new) == ["The runbook clean no longer asks for the approval ask.by."]


TARGETS = """targets:
  cluster:
    title: Cluster
    programs: [/opt/bin]
    read: {environment: {KUBECONFIG: "env:READ_ONLY"}}
    change: {environment: {KUBECONFIG: "env:CHANGING"}}
"""


def with_targets(*edits: tuple[str, str]):
    text = TARGETS
    for before, after in edits:
        assert before in text
        text = text.replace(before, after)
    return book(("hours:\n  work:", f"{text}hours:\n  work:"))


def sentences(old, new):
    return [str(one) for one in compare(old, new, NOW).loosens]


def test_what_steps_are_let_in_with_loosens_when_it_is_another():
    old = with_targets()
    wider = with_targets(("env:READ_ONLY", "env:CHANGING"))
    assert sentences(old, wider) == [
        "Steps that only read on cluster are let in with something else: KUBECONFIG=env:CHANGING."
    ]
    more = with_targets(('env:CHANGING"}', 'env:CHANGING", KEY: "env:KEY"}'))
    assert sentences(old, more) == [
        "Steps that change something on cluster are let in with something else: KEY=env:KEY."
    ]
    assert sentences(more, old) == []
    (less,) = compare(more, old, NOW).changes
    assert str(less) == (
        "Steps that change something on cluster are let in with less: not KEY=env:KEY."
    )


def test_a_credential_that_is_used_elsewhere_or_for_the_first_time_loosens():
    old = with_targets()
    assert sentences(old, with_targets(("/opt/bin", "/tmp/bin"))) == [
        "The credentials for cluster are used in another place: its programs differs."
    ]
    assert sentences(book(), old) == [
        "Steps are let in at cluster, which is new, with: "
        "KUBECONFIG=env:CHANGING, KUBECONFIG=env:READ_ONLY."
    ]
    assert sentences(old, book()) == []


def test_what_lets_a_change_happen_sooner_or_longer_loosens():
    assert loosened(
        ("need: 2", "need: 1"),
        ("notice: 2d", "notice: 1d"),
        ("    windows: [night]\n", ""),
        ("length: 2h", "length: 3h"),
        ("to: 2026-11-30", "to: 2026-11-29"),
    ) == [
        "deploy needs another yes: 1 × admin instead of 2 × admin.",
        "A change of the kind deploy is asked for 1d ahead instead of 2d.",
        "A change of the kind deploy may happen at any time, not only in: night.",
        "The window night stays open longer: 3h instead of 2h.",
        "The freeze sale now lasts from Fri 2026-11-27 00:00 to Mon 2026-11-30 00:00.",
    ]


def test_a_freeze_that_is_over_can_go_without_anybodys_yes():
    freeze = ("freezes:\n  sale: {title: Sale, from: 2026-11-27, to: 2026-11-30}\n", "")
    assert loosened(freeze) != []
    assert loosened(freeze, now=datetime(2026, 12, 5, tzinfo=UTC)) == []


def test_what_the_registers_allow_for_longer_loosens():
    assert loosened(
        ("max_age: 90d", "max_age: 180d"),
        ("approvals: [{by: admin}], expires_after: 30d", "expires_after: 60d"),
        ('[{pattern: "evil-*", reason: It is.}]', "[]"),
        ("most: 4, approval: admin", "most: 4"),
        ("title: Ask, approvals: [{by: admin}]", "title: Ask"),
    ) == [
        "web needs nobody's yes any more (it needed 1 × admin).",
        "small needs nobody's yes any more (it needed 1 × admin).",
        "ranker needs nobody's yes any more (it needed 1 × admin).",
        "The secret api-key may become 180d old instead of 90d.",
        "small holds for 60d instead of 30d.",
        "evil-* is no longer blocked from being installed.",
    ]


def test_everything_that_loosens_is_told_and_tightens_the_other_way_round():
    edits = (
        ("self_approval: forbid", "self_approval: record"),
        ("name: Third", "name: Third, roles: [admin]"),
        ("by=admin within=4h", "by=admin within=8h"),
        ("need: 2", "need: 1"),
        ("notice: 2d", "notice: 1d"),
        ("length: 2h", "length: 3h"),
        ("max_age: 90d", "max_age: 180d"),
        ("risk: change", "risk: routine"),
        ("approval: admin}\nlimits", "approval: responder}\nlimits"),
    )
    there = plan(*edits)
    back = compare(book(*edits), book(), NOW)
    assert len(there.loosens) == len(edits)
    # Another role in place of one is told as loosening in both directions: neither is the weaker.
    assert [one.id for one in back.loosens] == ["web"]
    assert len(back.changes) == len(there.changes)


def test_loosening_stands_first_and_then_what_is_felt_within_a_day():
    found = plan(HOUR_LATER, ("keep: 30d", "keep: 14d"), ("need: 2", "need: 1")).changes
    assert [(one.loosens, one.soon) for one in found] == [
        (True, False), (False, True), (False, False),
    ]  # fmt: skip


def test_the_first_revision_of_a_book_loosens_nothing():
    first = compare(None, book(), NOW)
    assert first.loosens == ()
    assert str(first.changes[0]) == "The book shop is new; nothing of that name ran before."
    assert "checks: disk is new." in map(str, first.changes)
