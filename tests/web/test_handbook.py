"""The book's pages as somebody reads them: everything is there, leads somewhere, and is told."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from opsbook import people
from opsbook.access import accounts
from opsbook.base.database import Transaction
from opsbook.book import Book, load, read_folder
from opsbook.book.library import Trouble
from opsbook.book.model import Sections
from opsbook.book.types import bare
from opsbook.web import book as pages
from opsbook.web.handbook import idle, index, live, names, past, shelf
from opsbook.web.i18n import Speech
from tests.support.visitor import Visitor
from tests.web import cast
from tests.web.conftest import Enter
from tests.web.rig import Rig, vocabulary

BOOKS = Path(__file__).parents[2] / "books"
SHIPPED = ("starter", "bare-server", "compose", "kubernetes")
IDLE = "Read and checked; nothing acts on it yet."


def shop(**changed: str) -> Book:
    """The shop, with other contents in some files (``checks="…"`` is checks.yaml)."""
    files = cast.FILES | {f"{name}.yaml": text for name, text in changed.items()}
    return load(files, vocabulary())


async def publish(rig: Rig, book: Book, author: str = "opsbook") -> None:
    now = rig.clock.now()
    await rig.database.write(
        lambda tx: rig.library.publish(tx, now, book, author, f"folder:{book.id}")
    )
    rig.library.remember(book)


async def shipped(rig: Rig, name: str) -> tuple[Book, str]:
    """Publish a shipped book, and return it with the account of somebody who may do everything."""
    book = load(read_folder(BOOKS / name), vocabulary())
    await publish(rig, book)
    admins = {role for role, given in book.roles.items() if "*:admin" in map(str, given)}
    login = next(one.login for one in book.people.values() if admins & set(one.roles))

    def make(tx: Transaction) -> None:
        rig.ids[login] = rig.ids.get(login) or accounts.create(tx, rig.clock.now(), login)

    await rig.database.write(make)
    return book, login


def text(page: str) -> str:
    bare_ = re.sub(r"<[^>]+>", " ", page.split("<main")[1].split("</main>", maxsplit=1)[0])
    return " ".join(unescape(bare_).split())


@pytest.mark.parametrize("name", SHIPPED)
async def test_every_link_within_a_shipped_book_leads_somewhere(
    calm: Rig, enter: Enter, name: str
) -> None:
    book, login = await shipped(calm, name)
    visitor = await enter(calm, login, "ko" if name in {"starter", "compose"} else "en")
    start = f"/book/{book.id}"
    seen: set[str] = set()
    ahead = [start]
    while ahead and len(seen) < 600:
        path = ahead.pop()
        if path in seen:
            continue
        seen.add(path)
        page = await visitor.see(path)
        assert "%(" not in text(page), path
        found = (unescape(one).split("#")[0] for one in re.findall(r'href="([^"]+)"', page))
        ahead += [one for one in found if one.startswith(f"{start}/") and "/files/" not in one]
    wanted = {
        f"{start}/{section}/{id}"
        for section in shelf.ALL
        for id in shelf.section(book, section).held
    }
    assert wanted - seen == set()


async def test_a_section_nothing_acts_on_says_so_and_no_other(calm: Rig, enter: Enter) -> None:
    book, login = await shipped(calm, "kubernetes")
    visitor = await enter(calm, login)
    for section in shelf.ALL:
        said = IDLE in text(await visitor.see(f"/book/{book.id}/{section}"))
        assert said == (section in shelf.IDLE and shelf.section(book, section).count > 0), section
    assert IDLE in text(await visitor.see(f"/book/{book.id}/quotas/standard"))


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "Opsbook does not hold anybody to these quotas yet."),
        ("ko", "Opsbook은 아직 이 할당량을 적용하지 않습니다."),
    ],
)
async def test_what_one_might_rely_on_is_said_not_to_happen_yet(
    calm: Rig, enter: Enter, language: str, said: str
) -> None:
    book, login = await shipped(calm, "kubernetes")
    visitor = await enter(calm, login, language)
    for path in ("quotas", "quotas/standard"):
        page = await visitor.see(f"/book/{book.id}/{path}")
        assert said in page.split('class="banner notice"')[1].split("</div>")[0], path


def test_consequences_are_told_of_sections_that_are_idle_and_of_no_other() -> None:
    assert set(idle.CONSEQUENCES) <= shelf.IDLE
    assert idle.consequence(Speech("en"), "checks") == ""


async def test_a_section_the_book_lacks_says_what_could_be_there(calm: Rig, enter: Enter) -> None:
    visitor = await enter(calm)
    contents = await visitor.see("/book/shop")
    assert 'href="/book/shop/windows"' in contents.split("Not in this book")[1]
    page = text(await visitor.see("/book/shop/windows"))
    assert "This book has none" in page
    assert "windows: at the start of a line" in page
    assert "schedule required When it opens." in page


async def test_an_element_says_who_uses_it(calm: Rig, enter: Enter) -> None:
    page = await (await enter(calm)).see("/book/shop/checks/checkout")
    users = page.split('id="used"')[1].split("</section>")[0]
    assert 'href="/book/shop/rules/checkout-slow"' in users
    assert 'href="/book/shop/runbooks/restart-payments"' in users
    team = await (await enter(calm)).see("/book/shop/teams/operations")
    users = team.split('id="used"')[1].split("</section>")[0]
    assert 'href="/book/shop"' in users  # the book's own owner
    assert 'href="/book/shop/escalation/standard"' in users


async def test_an_element_tells_its_changes_from_revision_to_revision(
    calm: Rig, enter: Enter
) -> None:
    author = f"account:{calm.ids['responder']}"
    second = cast.CHECKS.replace('warning: "> 250ms"', 'warning: "> 300ms"')
    third = second.replace('    ref: "§3.2 L120-134"\n', "")
    await publish(calm, shop(checks=second), author)
    await publish(calm, shop(checks=third), author)
    visitor = await enter(calm)
    told = text(await visitor.see("/book/shop/checks/checkout")).split("History")[1]
    assert told.index("ref §3.2 L120-134 → now left out") < told.index("bands.warning > 250ms")
    assert "bands.warning > 250ms → now > 300ms" in told
    assert "Responder folder:shop" in told
    assert "as first loaded" in told
    other = text(await visitor.see("/book/shop/checks/disk")).split("History")[1]
    assert "changed" not in other
    assert "as first loaded" in other


async def test_what_was_added_later_is_said_to_be(calm: Rig, enter: Enter) -> None:
    new = cast.CHECKS.replace(
        "routines:\n",
        "  late: {check: disk, when: nodata, severity: P3, summary: Late}\nroutines:\n",
    )
    await publish(calm, shop(checks=new))
    told = text(await (await enter(calm)).see("/book/shop/rules/late")).split("History")[1]
    assert "added" in told
    assert "as first loaded" not in told


async def test_a_runbook_shows_the_lines_that_changed(calm: Rig, enter: Enter) -> None:
    changed = cast.RESTART.replace("for=2m within=10m", "for=3m within=10m")
    files = cast.FILES | {"runbooks/restart-payments.md": changed}
    await publish(calm, load(files, vocabulary()))
    page = await (await enter(calm)).see("/book/shop/runbooks/restart-payments")
    assert "<del>-```check {#holds for=2m within=10m}</del>" in page
    assert "<ins>+```check {#holds for=3m within=10m}</ins>" in page
    assert '<span class="tag change">undoes restart</span>' in page


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("checks:\n  # first\n  a:\n    kind: x\n\n  b:\n    kind: y\n", {"kind": "x"}),
        ("checks: {a: {kind: x}, b: {kind: y}}\n", {"kind": "x"}),
        ("rules: {}\nchecks:\n    'a': {kind: x}\n    b: {kind: y}\n", {"kind": "x"}),
        ("checks:\n  a:\n    text: |\n      # kept\n\n      and this\n  b: {}\n",
         {"text": "# kept\n\nand this\n"}),
        ("x: &one {kind: x}\nchecks:\n  a: *one\n", {"kind": "x"}),
        ("checks:\n  ab: {kind: z}\n  a: {kind: x}\nrules:\n  a: {kind: r}\n", {"kind": "x"}),
        ("\ufeffchecks:\r\n  a:\r\n    kind: x\r\n", {"kind": "x"}),
    ],
)  # fmt: skip
def test_an_element_is_found_however_its_file_is_written(written: str, read: Any) -> None:
    files = {"files/checks.yaml": "checks: {a: {kind: wrong}}", "some.yaml": written}
    assert past.element(files, "checks", "a") == read


async def test_a_draft_and_a_source_in_trouble_are_said_on_the_first_page(
    calm: Rig, enter: Enter
) -> None:
    files = cast.FILES | {"book.yaml": cast.BOOK + "status: draft\n"}
    await publish(calm, load(files, vocabulary()))
    trouble = Trouble(
        "folder", "gone", "It cannot be read.", "Bring it back.", (), datetime.now(UTC)
    )
    calm.library.note("shop", trouble)
    page = text(await (await enter(calm)).see("/book/shop"))
    assert "Draft: it is shown and does nothing" in page
    assert "What it comes from is not what runs. It cannot be read. Bring it back." in page


def test_editing_is_offered_to_who_may_once_there_is_a_page_for_it() -> None:
    router = APIRouter()
    router.add_api_route("/book/{book_id}/edit", lambda book_id: book_id, name="edit_book")
    for with_page, may, path in (
        (True, True, "/book/shop/edit?path=checks.yaml&line=3"),
        (True, False, ""),
        (False, True, ""),
    ):
        app = FastAPI()
        if with_page:
            app.include_router(router)
        app.include_router(pages.router)
        visit = SimpleNamespace(
            may=lambda permission, book, may=may: may and permission == "book:write",
            request=SimpleNamespace(app=app),
        )
        assert pages.edit_path(visit, shop(), "checks.yaml:3") == path  # type: ignore[arg-type]


async def test_an_assumed_value_says_why(calm: Rig, enter: Enter) -> None:
    every = "every: {value: 1m, assumed: true, reason: nobody <i>said</i> how often}"
    checks = cast.CHECKS.replace(
        "    metric: disk\n    path: /\n    every: 1m",
        f"    metric: disk\n    path: /\n    {every}",
    )
    await publish(calm, shop(checks=checks))
    page = await (await enter(calm)).see("/book/shop/checks/disk")
    assert "1 min" in page
    assert "nobody &lt;i&gt;said&lt;/i&gt; how often" in page


async def test_what_a_visitor_may_not_read_is_left_out(trouble: Rig, enter: Enter) -> None:
    people = cast.PEOPLE.replace('viewer: ["*:read"]', 'viewer: ["book:read"]')
    await publish(trouble, shop(people=people))
    viewer, operator = await enter(trouble, "viewer"), await enter(trouble)
    for path, word in (
        ("/book/shop/checks/checkout", "1 of 2 backends"),
        ("/book/shop/rules/checkout-slow", "firing"),
        ("/book/shop/severities/P1", "Open incidents"),
        ("/book/shop/runbooks/restart-payments", "run 2"),
        ("/book/shop", "Not fine now"),
    ):
        assert word in text(await operator.see(path)), path
        assert word not in text(await viewer.see(path)), path


async def test_a_contact_does_not_show_its_address(calm: Rig, enter: Enter) -> None:
    page = await (await enter(calm)).see("/book/shop/people/operator")
    assert "json://…" in page
    assert "json://127.0.0.1" not in page


async def test_nor_does_what_became_of_it(calm: Rig, enter: Enter) -> None:
    old = '"json://127.0.0.1:9/"'
    people = cast.PEOPLE.replace(old, '"json://me:a-password@127.0.0.1:9/", "tgram://a-token/1"')
    await publish(calm, shop(people=people))
    page = await (await enter(calm)).see("/book/shop/people/operator")
    assert "now json://…, tgram://…" in text(page)
    assert "a-password" not in page
    assert "a-token" not in page


ROTATION = """
teams:
  operations: {title: Operations, members: [operator, responder, approver], rotation: weekly}
rotations:
  weekly:
    layers:
      - {people: [operator, responder, approver], shift: 1w, starts: 2026-01-05 09:00}
      - {people: [approver], starts: 2026-01-05 00:00, only: "every day 22:00-06:00"}
    overrides: [{from: 2026-01-07 09:00, to: 2026-01-07 18:00, person: approver}]
escalation:
"""


def test_turns_are_those_of_weeks_nights_and_exceptions() -> None:
    head, tail = cast.PEOPLE.split("teams:\n")[0], cast.PEOPLE.split("escalation:\n")[1]
    book = shop(people=head + ROTATION.lstrip() + tail)
    now = datetime(2026, 1, 7, 1, tzinfo=UTC)  # ten in the morning in Seoul
    found = live.turns(people.Duty(book), "weekly", now, 5)
    seoul = timedelta(hours=9)
    assert [(f"{at + seoul:%d %H:%M}", who) for at, who in found] == [
        ("07 10:00", "approver"),
        ("07 18:00", "operator"),
        ("07 22:00", "approver"),
        ("08 06:00", "operator"),
        ("08 22:00", "approver"),
    ]


def test_every_section_has_its_place_and_every_key_its_name() -> None:
    assert shelf.OTHERS == ()
    assert set(shelf.ALL) == set(names.SECTIONS) - {"glossary", "history", "links"}
    unnamed = {
        key
        for section in shelf.ALL
        if section not in {"runbooks", "roles"}
        for model in _models(Sections.model_fields[section].annotation)
        for key in _keys(model, set())
    } - set(names.KEYS)
    assert unnamed <= {"id", "spec"}


def _keys(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[str]:
    if model in seen or model is BaseModel:
        return set()
    seen.add(model)
    found = {field.alias or name for name, field in model.model_fields.items()}
    for field in model.model_fields.values():
        for inner in _models(field.annotation):
            found |= _keys(inner, seen)
    return found


def _models(annotation: Any) -> list[type[BaseModel]]:
    kind = bare(annotation)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    return [model for one in get_args(kind) for model in _models(one)]


def _found(book: Book, wanted: str) -> list[tuple[str, str]]:
    return [(hit.entry.section, hit.entry.id) for hit in index.find(book, wanted)]


def test_what_is_called_so_comes_before_what_only_speaks_of_it() -> None:
    book = shop()
    found = _found(book, "payments")
    assert found[0] == ("services", "payments")
    assert found.index(("runbooks", "restart-payments")) < found.index(("rules", "checkout-slow"))
    assert _found(book, "morning")[:2] == [("runbooks", "morning"), ("routines", "morning")]


def test_korean_is_found_within_words_and_however_it_is_encoded() -> None:
    book = shop()
    assert ("services", "payments") in _found(book, "결제")
    assert ("rules", "checkout-slow") in _found(book, "끝나지 않습")
    assert _found(book, unicodedata.normalize("NFD", "디스크")) == _found(book, "디스크")
    assert ("checks", "disk") in _found(book, "디스크")


def test_a_text_is_shown_where_the_word_stands_in_it() -> None:
    book = shop()
    hit = next(one for one in index.find(book, "dashboard") if one.entry.section == "runbooks")
    before, here, after = index.snippet(hit.entry, "DASHBOARD")
    assert (here, after) == ("dashboard", " by=responder}")
    assert before.endswith("{#")


async def test_search_finds_steps_files_people_and_escapes_what_it_shows(
    calm: Rig, enter: Enter
) -> None:
    visitor = await enter(calm)
    page = await visitor.see("/search?q=systemctl")
    assert 'href="/book/shop/runbooks/restart-payments"' in page
    assert "<mark>systemctl</mark>" in page
    assert 'href="/book/shop/files/checks.yaml"' in await visitor.see("/search?q=checks.yaml")
    assert 'href="/book/shop/people/approver"' in await visitor.see("/search?q=승인자")
    assert "&lt;b&gt;<mark>주의</mark>&lt;/b&gt;" in await visitor.see("/search?q=주의")
    assert "Nothing found" in await visitor.see("/search?q=nowhere-at-all")


async def test_search_looks_only_into_what_one_may_read(calm: Rig, enter: Enter) -> None:
    people = cast.PEOPLE.replace('viewer: ["*:read"]', 'viewer: ["incidents:read"]')
    await publish(calm, shop(people=people))
    viewer: Visitor = await enter(calm, "viewer")
    assert "Nothing found" in await viewer.see("/search?q=systemctl")
