"""Every message a book's mistakes can give, each produced once: what, which value, a remedy.

The starter is changed in one place, and the whole of what is said about it is compared, so that
one mistake gives one problem and not an avalanche.
"""

import pytest

from tests.book.kinds import changed, problems, starter

RESPONSE = "runbooks/first-response.md"

SECTIONS = [
    ("book.yaml", "timezone: Asia/Seoul ", "timezone: Asia/Soul ",
     "book.yaml:7:11: timezone: 'Asia/Soul' is not a time zone. did you mean 'Asia/Seoul'?"),
    ("book.yaml", "timezone: Asia/Seoul ", "",
     "book.yaml:1:1: 'timezone' is missing. add timezone: with a value."),
    ("book.yaml", "id: starter ", "id: 'a b' ",
     "book.yaml:5:5: id: 'a b' is not a name that can be used here. use letters, digits, - _ and . "
     "(at most 64, starting with a letter or digit)."),
    ("book.yaml", "status: active", "status: activ",
     "book.yaml:10:9: status: 'activ' is not accepted. did you mean 'active'?"),
    ("book.yaml", "owner: operations", "owner: operation",
     "book.yaml:9:8: owner: there is no person or team 'operation'. did you mean 'operations'?"),
    ("book.yaml", "owner: operations", "ownr: operations",
     "book.yaml:9:1: the book has no key 'ownr'. did you mean 'owner'?"),
    ("book.yaml", "observations: 14d", "observations: 14",
     "book.yaml:17:17: retention.observations: 14 is not a duration. write a number and a unit, "
     "such as 500ms, 30s, 15m, 1h30m or 7d."),
    ("book.yaml", "languages: [ko, en]", "languages: ko",
     "book.yaml:8:12: languages: should be a list, not 'ko'. write it as [a, b], or one - item a "
     "line."),
    ("book.yaml", "title: {ko: 시작하는 책, en: Starter book}", "title: {korean: 책}",
     "book.yaml:6:8: title: 'korean' is not a language code."),
    ("book.yaml", "title: {ko: 시작하는 책, en: Starter book}", "title: []",
     "book.yaml:6:8: title: should be a text, or texts by language such as "
     "{ko: 디스크, en: Disk}."),
    ("services.yaml", "owner: operations", "description: x",
     "services.yaml:9:5: the key 'description' is already on line 6. remove one of the two."),
    ("people.yaml", "roles: [admin]", "roles: [admn]",
     "people.yaml:8:13: people.operator.roles[0]: there is no role 'admn'. did you mean 'admin'?"),
    ("people.yaml", "contacts: []", "contacts: [nobody]",
     "people.yaml:9:16: people.operator.contacts[0]: is not a contact. write an Apprise URL such "
     "as "
     "mailto://…, or a reference such as {secret: env:NAME} or {secret: file:/path}."),
    ("people.yaml", '"*:admin"', '"*:owner"',
     "people.yaml:18:11: roles.admin[0]: '*:owner' is not a permission. write area:level with the "
     'level read, write or admin, such as "incidents:write" or "*:admin".'),
    ("people.yaml", "roles:\n  admin",
     "  second: {name: Second, account: operator}\nroles:\n  admin",
     "people.yaml:17:35: people.second.account: operator already signs in as 'operator'. give each "
     "person an account."),
    ("people.yaml", "members: [operator]", "members: []",
     "people.yaml:25:14: teams.operations.members: should not be empty. write at least one."),
    ("people.yaml", "on_duty: [operator]", "on_duty: [operater]",
     "people.yaml:26:15: teams.operations.on_duty[0]: there is no person 'operater'. did you mean "
     "'operator'?"),
    ("people.yaml", "members: [operator]", "members: [second]",
     "people.yaml:25:15: teams.operations.members[0]: there is no person 'second'. "
     "in people: operator."),
    ("people.yaml", "roles:\n  admin", "  second: {name: Second}\nroles:\n  admin",
     None),
    ("people.yaml", "teams:\n", "teams:\n  operator: {members: [operator]}\n",
     "people.yaml:23:3: teams.operator: a person has the same id, so that nobody could tell who is "
     "paged. rename one of the two."),
    ("people.yaml", "page: [operations]", "page: [operation]",
     "people.yaml:33:16: escalation.standard.levels[0].page[0]: there is no person or team "
     "'operation', so that the page ends nowhere. did you mean 'operations'?"),
    ("people.yaml", "page: [operations]", "page: []",
     "people.yaml:33:15: escalation.standard.levels[0].page: should not be empty. write at least "
     "one."),
    ("people.yaml", "page: [operations]\n", "page: [operations]\n      - page: [operator]\n",
     "people.yaml:34:9: escalation.standard.levels[1].after: comes no later than the level before. "
     "let after grow from level to level."),
    ("people.yaml", "repeat: 30m", "repeat: 0",
     "people.yaml:37:13: escalation.standard.repeat: would page without a pause. write a time such "
     "as 30m."),
    ("incidents.yaml", "acknowledge_within: 10m", "acknowledge_within: ten minutes",
     "incidents.yaml:8:25: severities.P1.acknowledge_within: 'ten minutes' is not a duration. "
     "write "
     "a number and a unit, such as 500ms, 30s, 15m, 1h30m or 7d."),
    ("incidents.yaml", "escalation: standard", "escalation: standrd",
     "incidents.yaml:9:17: severities.P1.escalation: there is no policy 'standrd'. did you mean "
     "'standard'?"),
    ("routines.yaml", "every day 09:00\n", "every fortnight\n",
     "routines.yaml:8:15: routines.morning.schedule: 'every fortnight' is not a schedule. write "
     '"every day 09:00", "weekdays 09:00", "every Monday 10:00", "first Sunday 02:00", '
     '"every month on day 1 03:00", "every 15 minutes", the same in Korean ("매일 09:00", '
     '"매월 첫째 주 일요일 02:00"), or a cron line such as "0 3 * * *".'),
    ("routines.yaml", "runbook: morning-check", "runbook: mornin-check",
     "routines.yaml:9:14: routines.morning.runbook: there is no runbook 'mornin-check'. did you "
     "mean 'morning-check'?"),
    ("routines.yaml", "runbook: morning-check", "runbook: first-response",
     "routines.yaml:9:14: routines.morning.runbook: first-response cannot start: its parameter "
     "'check' is not filled. add check: under params:."),
    ("routines.yaml", "runbook: morning-check",
     'runbook: first-response\n    params: {check: "label:check"}',
     "routines.yaml:10:21: routines.morning.params.check: a routine has no alert to take labels "
     "from. write the value itself."),
    ("routines.yaml", "owner: operations", "timezone: Seoul",
     "routines.yaml:10:15: routines.morning.timezone: 'Seoul' is not a time zone. did you mean "
     "'Asia/Seoul'?"),
    ("routines.yaml", "routines:\n", "rutines:\n",
     "routines.yaml:5:1: the book has no key 'rutines'. did you mean 'routines'?"),
    ("routines.yaml", "routines:\n", "checks: {disk: {}}\nroutines:\n",
     "routines.yaml:5:10: checks.disk is already in checks.yaml:6. remove or rename one of the "
     "two."),
    ("routines.yaml", "routines:\n", "title: Again\nroutines:\n",
     "routines.yaml:5:1: title is already in book.yaml:6. remove or rename one of the two."),
    ("services.yaml", "services:\n", "routines: 3\nservices:\n",
     "services.yaml:3:1: routines is already in routines.yaml:5. remove or rename one of the two."),
]  # fmt: skip

CHECKS = [
    ("kind: host", "kind: hst",
     "checks.yaml:7:11: checks.disk: there is no kind 'hst'. did you mean 'host'?"),
    ("every: 1m", "evry: 1m",
     "checks.yaml:10:5: checks.disk: a check of kind host has no key 'evry'. did you mean "
     "'every'?"),
    ("    path: / ", "    pth: / ",
     "checks.yaml:12:5: checks.disk: a check of kind host has no key 'pth'. did you mean 'path'?"),
    ("metric: disk", "metric: dsk",
     "checks.yaml:11:13: checks.disk.metric: 'dsk' is not accepted. did you mean 'disk'?"),
    ("every: 1m", "every: 5s",
     "checks.yaml:7:5: checks.disk.timeout: its timeout is longer than its interval, so that looks "
     "would pile up. lower timeout: or raise every:."),
    ("every: 1m", "every: 0s",
     "checks.yaml:10:12: checks.disk.every: would never pause. write a time such as 1m."),
    ('warning: "> 85%"', 'warning: "> 85d"',
     "checks.yaml:13:22: checks.disk.bands.warning: '> 85d' cannot be compared with a value in %. "
     "use the value's own unit."),
    ('warning: "> 85%"', 'warning: "85%"',
     "checks.yaml:13:22: checks.disk.bands.warning: '85%' is not a band. write a comparison and a "
     'quantity, in quotes, such as "> 80%", ">= 10" or "< 14d".'),
    ('warning: "> 85%"', 'warning: "> 85 parrots"',
     "checks.yaml:13:22: checks.disk.bands.warning: '85 parrots' is not a quantity. write a number "
     "with a unit, such as 10, 80%, 250ms, 15m, 14d, 4Gi or 20GB."),
    ('host: "{opsbook.host}"', 'host: "{opsbook.hst}"',
     "checks.yaml:37:11: checks.opsbook-port.host: {opsbook.hst} is nothing that Opsbook knows. "
     "did "
     "you mean 'host'?"),
    ('port: "{opsbook.port}"', "port: 70000",
     "checks.yaml:38:11: checks.opsbook-port.port: 70000 is not a port number. ports go from 1 to "
     "65535."),
    ('port: "{opsbook.port}"', "port: http",
     "checks.yaml:38:11: checks.opsbook-port.port: 'http' is not a port number. write 443."),
    ("status: 200", "status: OK",
     "checks.yaml:48:13: checks.opsbook-web.status: should be a whole number, not 'OK'."),
    ('file: "{opsbook.data}/audit/certificate.pem"', "port: 443",
     "checks.yaml:55:5: checks.audit-certificate: needs a host or a file, one of the two."),
    ('pattern: \'"level": *"(error|critical)"\'', "pattern: (",
     "checks.yaml:68:14: checks.opsbook-log.pattern: '(' is not a regular expression: missing ), "
     "unterminated subpattern at position 0."),
    ("service: machine", "service: machin",
     "checks.yaml:9:14: checks.disk.service: there is no service 'machin'. did you mean "
     "'machine'?"),
    ('bands: {warning: "> 85%", critical: "> 95%"}', "bands: high",
     "checks.yaml:13:12: checks.disk.bands: should be a map, not 'high'. write key: value below "
     "it, "
     "indented."),
    ("title: {ko: 디스크 사용률, en: Disk in use}", "title:",
     "checks.yaml:8:11: checks.disk.title: should be a text, or texts by language such as "
     "{ko: 디스크, en: Disk}."),
    ("title: {ko: 디스크 사용률, en: Disk in use}", 'title: ""',
     "checks.yaml:8:12: checks.disk.title: should not be empty."),
]  # fmt: skip

RULES = [
    ("check: disk\n", "check: dsk\n",
     "alerts.yaml:7:12: rules.disk-full.check: there is no check 'dsk'. did you mean 'disk'?"),
    ("when: critical", "when: bad",
     "alerts.yaml:8:11: rules.disk-full.when: 'bad' is no condition. write warning, critical, "
     'nodata, or a band such as "> 90%".'),
    ("when: critical", 'when: "> 1s"',
     "alerts.yaml:8:11: rules.disk-full.when: '> 1s' cannot be compared with a value in %. use the "
     "value's own unit."),
    ("severity: P2", "severity: P9",
     "alerts.yaml:11:15: rules.disk-full.severity: there is no severity 'P9'. in severities: P1, "
     "P2, P3, P4."),
    ("severity: P2", "severity: P2\n    escalation: standrd",
     "alerts.yaml:12:17: rules.disk-full.escalation: there is no policy 'standrd'. did you mean "
     "'standard'?"),
    ("severity: P2", "severity: P2\n    labels: {check: x}",
     "alerts.yaml:12:14: rules.disk-full.labels.check: every alert already has the label 'check'. "
     "choose another name."),
    ("severity: P2", "severity: P2\n    labels: {my-zone: x}",
     "alerts.yaml:12:14: rules.disk-full.labels.my-zone: 'my-zone' is no label's name. use "
     "letters, "
     "digits and _, not starting with a digit."),
    ("runbook: first-response", "runbook: first-respons",
     "alerts.yaml:13:14: rules.disk-full.runbook: there is no runbook 'first-respons'. did you "
     "mean "
     "'first-response'?"),
    ("    runbook: first-response\n", "",
     "alerts.yaml:13:5: rules.disk-full.params: there are parameters and no runbook to take them. "
     "name a runbook:, or remove params:."),
    ("check: label:check    #", "check: label:chek    #",
     "alerts.yaml:15:14: rules.disk-full.params.check: the alert has no label 'chek'. did you mean "
     "'check'?"),
    ("check: label:check    #", "chek: label:check    #",
     "alerts.yaml:15:7: rules.disk-full.params.chek: first-response has no parameter 'chek'. did "
     "you mean 'check'?"),
    ("keep_days: 7 ", "keep_days: 700 ",
     "alerts.yaml:16:18: rules.disk-full.params.keep_days: '700' is outside its range. accepted: "
     "an "
     "integer from 1 up to 365."),
    ("keep_days: 7 ", "keep_days: [7] ",
     "alerts.yaml:16:18: rules.disk-full.params.keep_days: should be one value: a text or a "
     "number."),
    ("    summary: {ko: 디스크가 거의 찼습니다., en: The disk is almost full.}\n", "",
     "alerts.yaml:6:3: rules.disk-full: 'summary' is missing. add summary: with a value."),
]  # fmt: skip

RUNBOOK = [
    ("default: 14\n---", "default: 14\n",
     f"{RESPONSE}:1:1: the front matter is not closed. write --- on a line below it."),
    ("risk: change", "risk: chnge",
     f"{RESPONSE}:7:7: risk: 'chnge' is not accepted. did you mean 'change'?"),
    ("risk: change", "rsk: change",
     f"{RESPONSE}:7:1: the front matter has no key 'rsk'. did you mean 'risk'?"),
    ("type: integer", "type: int",
     f"{RESPONSE}:16:11: params.keep_days.type: 'int' is not accepted. did you mean 'integer'?"),
    ("type: integer", "type: text",
     f"{RESPONSE}:15:5: params.keep_days: has a range but no type that can be compared. add type: "
     "integer, number or duration."),
    ("range: [1, 365]", "range: [1, many]",
     f"{RESPONSE}:15:5: params.keep_days: 'many' in its range is not an integer."),
    ("default: 14", "default: 1400",
     f"{RESPONSE}:15:5: params.keep_days: the default '1400' is outside its range."),
    ("  keep_days:\n", "  PATH:\n",
     f"{RESPONSE}:14:3: params.PATH: 'PATH' is a name the shell or Opsbook uses itself. choose "
     "another name."),
    ("  keep_days:\n", "  keep-days:\n",
     f"{RESPONSE}:14:3: params.keep-days: 'keep-days' is no name for a variable: letters, digits "
     "and _ only, not starting with a digit. choose another name."),
    ("effect=read", "efect=read",
     f"{RESPONSE}:32:1: step resources: the attribute 'efect' is not known. did you mean "
     "'effect'?"),
    ("effect=read", "effect=raed",
     f"{RESPONSE}:32:1: step resources: effect: 'raed' is not accepted. did you mean 'read'?"),
    ("timeout=30s", "timeout=30",
     f"{RESPONSE}:32:1: step resources: timeout: '30' is not a duration. write a number and a "
     f"unit, "
     "such as 500ms, 30s, 15m, 1h30m or 7d."),
    ("effect=read", "effect=read optional=maybe",
     f"{RESPONSE}:32:1: step resources: optional: 'maybe' is neither true nor false. write it "
     "alone, or =true."),
    ("effect=read", "effect=read save=HOME",
     f"{RESPONSE}:32:1: step resources: save: 'HOME' is a name the shell or Opsbook uses itself. "
     "choose another name."),
    ("effect=read", "effect=read save=check",
     f"{RESPONSE}:32:1: step resources: save=check would hide the parameter of that name. choose "
     "another name."),
    ("{#reports effect=read", "{#reports save=a}\ntrue\n```\n```bash {#more save=a",
     f"{RESPONSE}:60:1: step more: a is already saved by step reports. choose another name."),
    ("{#resources effect=read", "{#resources = effect=read",
     f"{RESPONSE}:32:20: these attributes cannot be read: '=' is no attribute. write "
     '{#id key=value other="two words"}.'),
    ("{#resources effect=read timeout=30s}", "{#resources effect=read",
     f"{RESPONSE}:32:9: these attributes cannot be read: the brace is not closed. write "
     '{#id key=value other="two words"}.'),
    ("{#resources effect=read timeout=30s}", '{"name": }',
     f"{RESPONSE}:32:9: these attributes cannot be read: the braces hold no JSON: Expecting value: "
     'line 1 column 10 (char 9). write {#id key=value other="two words"}.'),
    ("{#resources", "{#re/sources",
     f"{RESPONSE}:32:1: 're/sources' cannot be a step's id. use letters, digits, - _ and ."),
    ("{#processes", "{#resources",
     f"{RESPONSE}:43:1: the step id 'resources' is used twice. give one of the two another id."),
    ("```bash {#processes", "```bsh {#processes",
     f"{RESPONSE}:43:1: the fence language 'bsh' is no kind of step. did you mean 'bash'?"),
    ("```bash {#processes", "``` {effect=read}\n```\n```bash {#processes",
     f"{RESPONSE}:43:1: the fence language '' is no kind of step. write the kind after the "
     "backticks: approval, bash, check, manual, python, sh."),
    ('echo "kept: $report"\n```', 'echo "kept: $report"\n',
     f"{RESPONSE}:80:1: this code fence is not closed. write ``` alone on a line after it (a fence "
     "that holds another opens with one more)."),
    ("```check {#holds for=1m timeout=30m}", "```check {#holds for=1h timeout=30m}",
     f"{RESPONSE}:95:1: step holds: its timeout is shorter than the time its check must hold. "
     f"raise "
     "timeout=."),
    ("$check\n```", "$chek\n```",
     f"{RESPONSE}:95:1: step holds: there is no parameter 'chek'. did you mean 'check'?"),
    ("$check\n```", "dsk\n```",
     f"{RESPONSE}:95:1: step holds: there is no check 'dsk'. did you mean 'disk'?"),
    ("$check\n```", "disk memory\n```",
     f"{RESPONSE}:95:1: step holds: it names 2 checks. write one check's id, or $param, in each "
     "check step."),
    ("$check\n```", "```",
     f"{RESPONSE}:95:1: step holds: it names no check. write one check's id, or $param, in each "
     "check step."),
    ("## 3. 복구 · Repair", "```bash {#nothing}\n```\n",
     f"{RESPONSE}:75:1: step nothing: it is empty. write what is to be done, or remove it."),
    ("by=admin within", "by=admn within",
     f"{RESPONSE}:70:1: step allow: there is no role 'admn'. did you mean 'admin'?"),
    ("by=admin within", "by=responder within",
     f"{RESPONSE}:70:1: step allow: nobody has the role 'responder', so that the run would wait "
     f"for "
     "ever. give the role to somebody in people:."),
    ("## 5. 마무리 · Afterwards", "## Undo {.rollback of=repar}",
     f"{RESPONSE}:101:1: step cause: there is no step 'repar' to roll back. did you mean "
     f"'repair'?"),
    ("## 5. 마무리 · Afterwards", "## Undo {.rollback}",
     f"{RESPONSE}:99:1: a rollback must say of what. write {{.rollback of=step}}."),
    ("{#cause by=admin}", "{#cause .rollback}",
     f"{RESPONSE}:101:1: step cause: a rollback must say of what. write {{.rollback of=step}}."),
]  # fmt: skip

ALL = [
    *SECTIONS,
    *[("checks.yaml", *case) for case in CHECKS],
    *[("alerts.yaml", *case) for case in RULES],
    *[(RESPONSE, *case) for case in RUNBOOK],
]


@pytest.mark.parametrize(("file", "old", "new", "message"), ALL)
def test_one_mistake_gives_one_message_with_its_place_and_a_remedy(file, old, new, message):
    assert problems(changed(file, old, new)) == ([message] if message else [])


EXTRA = [
    ("runbooks/extra.md", "# Only prose\n",
     "runbooks/extra.md:1:1: the runbook has no step. write a fenced block such as ```bash, or a "
     "task - [ ] to be done by a person."),
    ("runbooks/extra.md", "- [ ] look\n",
     "runbooks/extra.md:1:1: the runbook has no title. write title: in the front matter, or a # "
     "heading."),
    ("runbooks/twice.md", "---\nid: first-response\n---\n# Twice\n- [ ] look\n",
     "runbooks/twice.md:2:5: the runbook 'first-response' is already in "
     "runbooks/first-response.md:1. give one of the two another id."),
    ("runbooks/extra.md", "---\n- a\n---\n# List\n- [ ] look\n",
     "runbooks/extra.md:2:1: the front matter holds no keys. write key: value."),
    ("runbooks/extra.md", "---\nowner: nobody\n---\n# Owned\n- [ ] look\n",
     "runbooks/extra.md:2:8: runbooks.extra.owner: there is no person or team 'nobody'. people and "
     "teams: operations, operator."),
    ("runbooks/not good.md", "# Named\n- [ ] look\n",
     "runbooks/not good.md:1:1: the file's name 'not good' cannot be the runbook's id. write id: "
     "in the front matter."),
    ("runbooks/extra.md", "---\nid: [a\n---\n- [ ] look\n",
     "runbooks/extra.md:3:1: this is no YAML: while parsing a flow sequence, did not find expected "
     "',' or ']'. check the quotes, brackets and indentation here."),
    ("extra.yaml", "- a\n",
     "extra.yaml:1:1: this file holds no sections. write section: at the start of a line."),
]  # fmt: skip


@pytest.mark.parametrize(("file", "text", "message"), EXTRA)
def test_a_file_that_should_not_be_there_as_it_is_says_so(file, text, message):
    assert problems({**starter(), file: text}) == [message]


def test_all_mistakes_of_a_book_are_told_at_once_in_the_order_of_the_files():
    files = changed("checks.yaml", "every: 1m", "every: 1x")
    files["alerts.yaml"] = files["alerts.yaml"].replace("severity: P2", "severity: P7", 1)
    files["book.yaml"] = files["book.yaml"].replace("status: active", "status: on", 1)
    files["runbooks/first-response.md"] = files["runbooks/first-response.md"].replace(
        "by=admin within", "by=boss within"
    )
    told = [line.split(" ")[0] for line in problems(files)]
    assert told == [
        "alerts.yaml:11:15:",
        "book.yaml:10:9:",
        "checks.yaml:10:12:",
        "runbooks/first-response.md:70:1:",
    ]


def test_a_file_that_cannot_be_read_is_not_blamed_for_what_it_may_hold():
    files = changed("services.yaml", "services:\n", "services:\n\tx: 1\n")
    assert problems(files) == [
        "services.yaml:4:1: a tab is used for indentation. indent with spaces."
    ]


def test_a_runbook_that_cannot_be_read_is_still_there_for_what_names_it():
    files = changed(RESPONSE, "risk: change", "risk: [")
    assert len(problems(files)) == 1


def test_a_faulty_element_is_not_reported_again_by_what_names_it():
    files = changed("checks.yaml", "every: 1m", "every: never")
    assert len(problems(files)) == 1


def test_an_empty_folder_lacks_what_every_book_has():
    assert problems({}) == [
        "book.yaml:1:1: 'id' is missing. add id: with a value.",
        "book.yaml:1:1: 'timezone' is missing. add timezone: with a value.",
        "book.yaml:1:1: 'title' is missing. add title: with a value.",
    ]
