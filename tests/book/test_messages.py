"""How what is wrong with a book is told: all at once, each thing once, at its place.

Each message itself is on a page of docs/reference/errors, and `test_error_pages` asks for it there.
"""

import pytest

from tests.book.kinds import changed, problems

RESPONSE = "runbooks/first-response.md"

PLACES = [
    ("book.yaml", "timezone: Asia/Seoul ", "timezone: Asia/Soul ", "7:11: timezone"),
    ("book.yaml", "owner: operations", "ownr: operations", "9:1: the book"),
    ("services.yaml", "owner: operations", "description: x", "9:5: the key"),
    ("people.yaml", "members: [operator]", "members: [second]",
     "25:15: teams.operations.members[0]"),
    ("people.yaml", "page: [operations]", "page: [operation]",
     "33:16: escalation.standard.levels[0].page[0]"),
    ("checks.yaml", "every: 1m", "evry: 1m", "10:5: checks.disk"),
    ("checks.yaml", 'warning: "> 85%"', 'warning: "85%"', "13:22: checks.disk.bands.warning"),
    ("checks.yaml", 'file: "{opsbook.data}/audit/certificate.pem"', "port: 443",
     "55:5: checks.audit-certificate"),
    ("alerts.yaml", "check: label:check    #", "chek: label:check    #",
     "15:7: rules.disk-full.params.chek"),
    ("alerts.yaml", "    summary: {ko: 디스크가 거의 찼습니다., en: The disk is almost full.}\n",
     "", "6:3: rules.disk-full"),
    (RESPONSE, "range: [1, 365]", "range: [1, many]", "17:12: params.keep_days.range"),
    (RESPONSE, "effect=read", "efect=read", "32:21: step resources"),
    (RESPONSE, "{#resources effect=read", "{#resources = effect=read", "32:21: these attributes"),
    (RESPONSE, "{#cause by=admin}", "{#cause .rollback}", "101:82: step cause"),
]  # fmt: skip
"""In files as people write them: with comments, Korean and long lines before the place."""


@pytest.mark.parametrize(("file", "old", "new", "begins"), PLACES)
def test_one_mistake_gives_one_message_at_its_place(file, old, new, begins):
    told = problems(changed(file, old, new))
    assert len(told) == 1
    assert told[0].startswith(f"{file}:{begins}")


def test_two_people_without_an_account_do_not_share_one():
    added = "  second: {name: Second}\nroles:\n  admin"
    assert problems(changed("people.yaml", "roles:\n  admin", added)) == []


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
        "runbooks/first-response.md:70:21:",
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


def test_a_schedule_that_the_books_own_holidays_leave_nothing_of_is_found_on_load():
    files = {
        "book.yaml": "id: shop\ntitle: Shop\ntimezone: Asia/Seoul\nholidays: {country: KR}\n"
        "reports:\n  year:\n    title: The year\n    contents: [runs]\n"
        "    schedule: every year on January 1 10:00 except holidays\n"
    }
    assert problems(files) == [
        "book.yaml:9:15: reports.year.schedule: 'every year on January 1 10:00 except holidays' "
        'never comes: each of its days is a holiday. leave out "except holidays", or write "or the '
        'next business day".'
    ]
    files["book.yaml"] = files["book.yaml"].replace("{country: KR}", "{}")
    assert problems(files) == []


def test_after_a_hundred_wrong_names_nobody_guesses_what_was_meant():
    names = "".join(f"  s{n}: {{title: S, depends_on: [gone-{n}]}}\n" for n in range(105))
    files = {"book.yaml": f"id: shop\ntitle: Shop\ntimezone: UTC\nservices:\n{names}"}
    told = problems(files)
    assert len(told) == 105
    assert sum("write one that is in services" in one for one in told) == 5
