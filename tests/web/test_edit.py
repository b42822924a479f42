"""Editing a book at the front door, without JavaScript: from the form to the folder, and back."""

import subprocess
from html import unescape
from pathlib import Path

import pytest

from opsbook.access import accounts
from opsbook.base.database import Transaction
from opsbook.book import load
from opsbook.revisions import FolderAddress, Revisions, deciding, drafts
from opsbook.web import lines
from tests.support.visitor import Visitor
from tests.web import cast
from tests.web import rig as sites
from tests.web.conftest import Enter
from tests.web.rig import Rig
from tests.web.test_pages import title

GUARDED = cast.BOOK.replace("self_approval: record", "self_approval: forbid")
PEOPLE = cast.PEOPLE.replace(
    "  viewer: {name", "  second: {name: {ko: 둘째, en: Second}, roles: [admin]}\n  viewer: {name"
)
ROTA = """
rotations:
  weekly:
    layers:
      - people: [operator, responder]   # by seniority
        shift: 1w
        starts: 2026-01-05 09:00
"""
PEOPLE = PEOPLE.replace(
    "teams:\n", "teams:\n  turns: {members: [operator, responder], rotation: weekly}\n"
)
FILES = cast.FILES | {"book.yaml": GUARDED, "people.yaml": PEOPLE, "rota.yaml": ROTA}


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=operator", "-c", "user.email=operator@example.org"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


async def follow(rig: Rig, folder: Path, files: dict[str, str]) -> None:
    """Let the site run the book of a git checkout, as `opsbook up` does."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "the book")
    book, now = load(files, sites.vocabulary()), rig.clock.now()

    def publish(tx: Transaction) -> None:
        rig.library.publish(tx, now, book, "opsbook", "folder")
        rig.ids["second"] = accounts.create(tx, now, "second")

    await rig.database.write(publish)
    rig.library.remember(book)
    rig.revisions = Revisions(
        rig.database, rig.library, rig.hub, rig.clock, rig.loops, [FolderAddress(folder)],
        rig.places.data / "clones",
    )  # fmt: skip
    await rig.revisions.start(now, leading=True)


async def tick(rig: Rig) -> None:
    """Do what follows from a decided approval."""
    await deciding.tick(rig.revisions, rig.clock.now())


async def look(rig: Rig) -> None:
    """Look at the folder, as the loop does."""
    one = rig.revisions.sources[0]
    await rig.revisions.follow(one, rig.clock.now(), at_once=True)


@pytest.fixture
async def site(calm: Rig, tmp_path: Path) -> Rig:
    """The shop with a second administrator, nobody's own approval, and its book in git."""
    await follow(calm, tmp_path / "book", FILES)
    return calm


def folder(rig: Rig) -> Path:
    """Where the book is."""
    address = rig.revisions.sources[0].address
    assert isinstance(address, FolderAddress)
    return address.path


def hidden(page: str, name: str, after: str = "<main") -> str:
    """What a hidden field of a page holds: the first of that name after some text."""
    found = page.split(after, 1)[1].split(f'name="{name}" value="', 1)[1]
    return unescape(found.split('"')[0])


def typed(page: str, name: str = "text") -> str:
    """What stands in a text area."""
    found = page.split(f'name="{name}" class="mono"', 1)[1].split(">\n", 1)[1]
    return unescape(found.split("</textarea>")[0])


async def threshold(visitor: Visitor, value: str = "> 90%") -> str:
    """Change the disk's warning by the form; return the draft's page."""
    page = await visitor.see("/book/shop/checks/disk")
    assert "/book/shop/edit?path=checks.yaml&amp;line=" in page
    return await visitor.send(
        "/book/shop/edit/checks/disk", "/edit/checks/disk", **{"checks.disk.bands.warning": value}
    )


async def draft_of(visitor: Visitor) -> str:
    page = await visitor.see("/book/shop/edit")
    return "/book/shop/drafts/" + page.split('href="/book/shop/drafts/')[1].split('"')[0]


async def test_a_threshold_is_changed_in_just_its_place_and_committed(
    site: Rig, enter: Enter
) -> None:
    operator = await enter(site)
    page = await threshold(operator)
    assert "disk" in page
    assert "<del>-    bands: {warning: &#34;&gt; 80%&#34;" in page
    assert (folder(site) / "checks.yaml").read_text() == cast.CHECKS
    draft = await draft_of(operator)
    done = await operator.send(draft, "/publish", reason="the disk is larger now")
    assert title(done) == "This draft is published."
    expected = cast.CHECKS.replace('"> 80%"', '"> 90%"')
    assert (folder(site) / "checks.yaml").read_text() == expected
    assert git(folder(site), "log", "-1", "--format=%s %an") == "the disk is larger now 담당자"
    assert git(folder(site), "show", "--stat", "--format=", "--name-only") == "checks.yaml"
    assert str(site.library.current("shop").checks["disk"].bands.warning) == "> 90%"


async def test_a_reason_has_to_be_given(site: Rig, enter: Enter) -> None:
    operator = await enter(site)
    await threshold(operator)
    page = await operator.see(await draft_of(operator))
    token = hidden(page, "form_token")
    answer = await operator.client.post(
        f"{await draft_of(operator)}/publish", data={"form_token": token, "reason": " "}
    )
    assert answer.status_code == 422
    assert "The reason is empty." in answer.text
    assert (folder(site) / "checks.yaml").read_text() == cast.CHECKS


async def test_a_rule_over_the_check_is_changed_with_it(site: Rig, enter: Enter) -> None:
    operator = await enter(site)
    page = await operator.send(
        "/book/shop/edit/checks/disk", "/edit/checks/disk",
        **{"rules.disk-full.for": "20m", "rules.disk-full.severity": "P2"},
    )  # fmt: skip
    assert "<ins>+    for: 20m</ins>" in page
    assert "<ins>+    severity: P2</ins>" in page
    assert '<span class="tag">soon</span>' in page


async def test_a_rotation_gets_another_order_and_an_exception(site: Rig, enter: Enter) -> None:
    operator = await enter(site)
    await operator.send(
        "/book/shop/edit/rotations/weekly", "/edit/rotations/weekly",
        **{
            "rotations.weekly.layers.0.people.0": "responder",
            "rotations.weekly.layers.0.people.1": "operator",
            "override.from": "2026-12-24 09:00", "override.to": "2026-12-26",
            "override.person": "second", "override.reason": "holiday: away",
        },
    )  # fmt: skip
    await operator.send(await draft_of(operator), "/publish", reason="the holidays")
    assert (folder(site) / "rota.yaml").read_text() == ROTA.replace(
        "[operator, responder]", "[responder, operator]"
    ) + (
        "    overrides: [{from: 2026-12-24 09:00, to: 2026-12-26, person: second, "
        'reason: "holiday: away"}]\n'
    )


async def test_the_order_of_a_team_without_one_is_written_beside_its_members(
    site: Rig, enter: Enter
) -> None:
    operator = await enter(site)
    page = await operator.send(
        "/book/shop/edit/teams/operations", "/edit/teams/operations",
        **{"teams.operations.on_duty.0": "approver"},
    )  # fmt: skip
    assert "on_duty: [approver]}" in page


async def test_a_broken_edit_says_where_and_is_not_published(site: Rig, enter: Enter) -> None:
    operator = await enter(site)
    page = await operator.send(
        "/book/shop/edit?path=checks.yaml", "/edit/text",
        text=cast.CHECKS.replace("every: 1h", "every: often").replace("ref:", "reef:"),
    )  # fmt: skip
    assert title(page).endswith("mended first.")
    assert "checks.yaml:" in page
    assert "way=text" in page
    assert "/publish" not in page
    draft = await draft_of(operator)
    token = hidden(page, "form_token")
    forced = await operator.client.post(
        f"{draft}/publish", data={"form_token": token, "reason": "now"}
    )
    assert forced.status_code == 422
    assert (folder(site) / "checks.yaml").read_text() == cast.CHECKS


async def test_a_text_that_nobody_changed_comes_back_byte_for_byte(site: Rig, enter: Enter) -> None:
    odd = "\n\n# 한글 <b>&amp;\nfiles: 'x'\n\n\n"
    operator = await enter(site)
    await operator.send("/book/shop/edit?new=1", "/edit/text", path="files/note.txt", text=odd)
    number = (await draft_of(operator)).rsplit("/", 1)[1]
    page = await operator.see(f"/book/shop/edit?path=files/note.txt&draft={number}")
    assert typed(page) == odd
    again = await operator.client.post(
        "/book/shop/edit/text",
        data={"form_token": hidden(page, "form_token"),
              "draft": number, "path": "files/note.txt", "text": odd,
              "seen": hidden(page, "seen")},
    )  # fmt: skip
    assert again.status_code == 422
    assert "Nothing is different" in again.text


async def test_a_loosening_waits_until_a_second_person_has_approved(
    site: Rig, enter: Enter
) -> None:
    operator, second = await enter(site), await enter(site, "second")
    loose = GUARDED.replace("self_approval: forbid", "self_approval: record")
    page = await operator.send("/book/shop/edit?path=book.yaml", "/edit/text", text=loose)
    assert title(page) == "Publishing this needs an approval."
    assert "▲ needs approval" in page
    assert "Waits for Second (book:admin), without a deadline." in page
    draft = await draft_of(operator)
    held = await operator.send(draft, "/publish", reason="we are few")
    assert title(held) == "It waits for an approval."
    assert "Waits for Second (book:admin), without a deadline." in held
    assert "May not approve: Operator" in held
    assert (folder(site) / "book.yaml").read_text() == GUARDED
    own = await operator.see("/book/shop/held")
    assert "/approve" not in own
    assert "1 thing waits for you." in await second.see("/")
    assert "/held#held-1" in await second.see("/")
    assert "지침서의 새 개정판이 승인을 기다립니다" in await second.see("/inbox")  # their language
    opened = await second.send("/inbox", "/open")
    assert title(opened) == "1 revision waits for an approval."
    await second.send("/book/shop/held", "/approve", note="agreed")
    await tick(site)
    assert (folder(site) / "book.yaml").read_text() == loose
    assert title(await operator.see(draft)) == "This draft is published."
    assert title(await second.see("/book/shop/held")) == "No revision waits for an approval."


async def test_what_is_rejected_does_not_run_and_goes_back_to_its_author(
    site: Rig, enter: Enter
) -> None:
    operator, second = await enter(site), await enter(site, "second")
    loose = GUARDED.replace("self_approval: forbid", "self_approval: record")
    await operator.send("/book/shop/edit?path=book.yaml", "/edit/text", text=loose)
    draft = await draft_of(operator)
    await operator.send(draft, "/publish", reason="we are few")
    await second.send("/book/shop/held", "/reject", note="no")
    await tick(site)
    page = await operator.see(draft)
    assert "The approval was refused." in page
    again = await operator.client.post(
        f"{draft}/publish",
        data={"form_token": hidden(page, "form_token"),
              "reason": "still", "seen": hidden(page, "seen", '/publish"')},
    )  # fmt: skip
    assert again.status_code == 409
    assert "Exactly this was rejected before." in again.text
    assert (folder(site) / "book.yaml").read_text() == GUARDED


async def test_a_loosening_in_the_folder_waits_on_the_same_page(site: Rig, enter: Enter) -> None:
    second = await enter(site, "second")
    loose = GUARDED.replace("self_approval: forbid", "self_approval: record")
    (folder(site) / "book.yaml").write_text(loose)
    await look(site)
    page = await second.see("/book/shop/held")
    assert title(page) == "1 revision waits for an approval."
    assert "+self_approval: record" in page
    await second.send("/book/shop/held", "/approve")
    await tick(site)
    assert site.library.current("shop").self_approval == "record"


async def test_a_broken_folder_is_a_calm_band_while_the_good_revision_goes_on(
    site: Rig, enter: Enter
) -> None:
    operator = await enter(site)
    revision = site.library.current("shop").revision
    (folder(site) / "checks.yaml").write_text(cast.CHECKS.replace("every: 1h", "every: often"))
    await look(site)
    told = f"The source of Online shop does not load: 1 problem; revision {revision[:12]} runs on."
    for path in ("/", "/book/shop/edit", "/book/shop/held"):
        page = await operator.see(path)
        assert told in page
        assert "checks.yaml:" in page
    await threshold(operator)
    draft = await draft_of(operator)
    page = await operator.see(draft)
    fields = {"form_token": hidden(page, "form_token"), "reason": "now",
              "seen": hidden(page, "seen", '/publish"')}  # fmt: skip
    refused = await operator.client.post(f"{draft}/publish", data=fields)
    assert refused.status_code == 409
    assert "Settle that first, then publish again; the draft is kept." in refused.text


async def test_two_people_who_edit_one_file_lose_nothing(site: Rig, enter: Enter) -> None:
    operator, second = await enter(site), await enter(site, "second")
    await threshold(operator)
    await second.send(
        "/book/shop/edit/checks/certificate", "/edit/checks/certificate",
        **{"checks.certificate.every": "2h"},
    )  # fmt: skip
    drafts_now = await site.database.read(lambda tx: drafts.of_book(tx, "shop"))
    by = {row["account_id"]: f"/book/shop/drafts/{row['id']}" for row in drafts_now}
    mine, theirs = by[site.ids["operator"]], by[site.ids["second"]]
    await operator.send(mine, "/publish", reason="larger disk")
    page = await second.see(theirs)
    assert title(page) == "Somebody else has changed the same."
    assert "published by Operator in revision" in page
    assert "+    bands: {warning: &#34;&gt; 90%&#34;" in page
    assert "Both changes are in this text" in page
    await second.send(theirs, "/renew", **{"text.0": typed(page, "text.0")})
    await second.send(theirs, "/publish", reason="look less often")
    text = (folder(site) / "checks.yaml").read_text()
    assert text == cast.CHECKS.replace('"> 80%"', '"> 90%"').replace("every: 1h", "every: 2h")


async def test_the_second_save_of_one_draft_shows_the_first_and_keeps_its_own_text(
    site: Rig, enter: Enter
) -> None:
    operator = await enter(site)
    await threshold(operator)
    number = (await draft_of(operator)).rsplit("/", 1)[1]
    address = f"/book/shop/edit?path=checks.yaml&draft={number}"
    stale = await operator.see(address)
    present = cast.CHECKS.replace('"> 80%"', '"> 91%"')
    await operator.send(address, "/edit/text", text=present)
    yours = cast.CHECKS.replace('"> 80%"', '"> 70%"')
    fields = {
        "form_token": hidden(stale, "form_token"),
        "seen": hidden(stale, "seen"),
        "draft": number, "path": "checks.yaml", "text": yours,
    }  # fmt: skip
    answer = await operator.client.post("/book/shop/edit/text", data=fields)
    assert answer.status_code == 409
    assert "Your text is below" in answer.text
    assert typed(answer.text) == yours
    assert "&gt; 91%" in answer.text
    fields["seen"] = hidden(answer.text, "seen")
    kept = await operator.client.post("/book/shop/edit/text", data=fields)
    assert kept.status_code == 200
    assert "&gt; 70%" in kept.text


@pytest.mark.parametrize("login", ["viewer", "responder"])
async def test_who_may_not_write_sees_no_button_and_is_refused(
    site: Rig, enter: Enter, login: str
) -> None:
    operator, other = await enter(site), await enter(site, login)
    await threshold(operator)
    draft = await draft_of(operator)
    for path in ("/book/shop", "/book/shop/checks/disk", "/book/shop/held"):
        assert "/edit" not in (await other.see(path)).split("<main")[1]
    for path in ("/book/shop/edit", "/book/shop/edit?path=book.yaml", draft):
        assert (await other.client.get(path)).status_code == 403
    token = hidden(await other.see("/"), "form_token", "<body")
    for path in ("edit/text", "edit/checks/disk", f"drafts/{draft.rsplit('/', 1)[1]}/publish",
                 f"drafts/{draft.rsplit('/', 1)[1]}/discard"):  # fmt: skip
        answer = await other.client.post(f"/book/shop/{path}", data={"form_token": token})
        assert answer.status_code == 403, path


async def test_somebody_elses_draft_is_seen_and_left_alone(site: Rig, enter: Enter) -> None:
    operator, second = await enter(site), await enter(site, "second")
    await threshold(operator)
    draft = await draft_of(operator)
    page = await second.see(draft)
    assert "Operator" in page
    assert "/publish" not in page
    token = hidden(page, "form_token", "<body")
    answer = await second.client.post(f"{draft}/discard", data={"form_token": token})
    assert answer.status_code == 403
    await operator.send(draft, "/discard")
    assert title(await operator.see(draft)) == "This draft was discarded."


async def test_a_form_without_its_token_changes_nothing(site: Rig, enter: Enter) -> None:
    operator = await enter(site)
    answer = await operator.client.post(
        "/book/shop/edit/text", data={"path": "book.yaml", "text": "id: other", "seen": ""}
    )
    assert answer.status_code == 403
    assert await site.database.read(lambda tx: drafts.of_book(tx, "shop")) == []


async def test_a_file_that_a_browser_would_change_is_not_offered_as_text(
    site: Rig, enter: Enter
) -> None:
    (folder(site) / "files").mkdir(exist_ok=True)
    (folder(site) / "files" / "mixed.txt").write_bytes(b"one\r\ntwo\n")
    (folder(site) / "files" / "latin.txt").write_bytes(b"caf\xe9\n")
    await look(site)
    operator = await enter(site)
    for name in ("mixed", "latin"):
        page = await operator.see(f"/book/shop/edit?path=files/{name}.txt")
        assert "This file cannot be edited here." in page
        assert "<textarea" not in page


async def test_what_touches_the_same_lines_is_merged_by_a_person(site: Rig, enter: Enter) -> None:
    operator, second = await enter(site), await enter(site, "second")
    await threshold(operator, "> 90%")
    mine = await draft_of(operator)
    await threshold(second, "> 70%")
    theirs = next(
        f"/book/shop/drafts/{row['id']}"
        for row in await site.database.read(lambda tx: drafts.of_book(tx, "shop"))
        if row["account_id"] == site.ids["second"]
    )
    await operator.send(mine, "/publish", reason="larger disk")
    page = await second.see(theirs)
    assert "Both touch the same lines" in page
    assert "&gt; 90%" in page
    own = typed(page, "text.0")
    assert own == cast.CHECKS.replace('"> 80%"', '"> 70%"')
    stale = {
        "form_token": hidden(page, "form_token", "/renew"), "files": "1", "path.0": "checks.yaml",
        "theirs.0": "0" * 64, "mine.0": hidden(page, "mine.0"), "text.0": own,
    }  # fmt: skip
    refused = await second.client.post(f"{theirs}/renew", data=stale)
    assert refused.status_code == 409
    assert typed(refused.text, "text.0") == own
    await second.send(theirs, "/renew", **{"text.0": own.replace("> 70%", "> 75%")})
    await second.send(theirs, "/publish", reason="we agreed")
    assert '"> 75%"' in (folder(site) / "checks.yaml").read_text()


async def test_a_file_of_another_editor_keeps_its_line_ends(site: Rig, enter: Enter) -> None:
    (folder(site) / "files").mkdir(exist_ok=True)
    (folder(site) / "files" / "dos.txt").write_bytes(b"one\r\ntwo\r\n")
    git(folder(site), "add", "-A")
    git(folder(site), "commit", "-q", "-m", "a file")
    await look(site)
    operator = await enter(site)
    await operator.send("/book/shop/edit?path=files/dos.txt", "/edit/text", text="one\r\n2\r\n")
    await operator.send(await draft_of(operator), "/publish", reason="a digit")
    assert (folder(site) / "files" / "dos.txt").read_bytes() == b"one\r\n2\r\n"


@pytest.mark.parametrize(
    ("mine", "theirs", "both"),
    [
        ("a\nB\nc\nd\ne\n", "a\nb\nc\nD\ne\n", "a\nB\nc\nD\ne\n"),
        ("a\nB\nc\nd\ne\n", "a\nb\nC\nd\ne\n", None),
        ("a\nX\nc\nd\ne\n", "a\nX\nc\nd\ne\n", "a\nX\nc\nd\ne\n"),
        ("0\na\nb\nc\nd\ne\n", "a\nb\nc\nd\n", "0\na\nb\nc\nd\n"),
        ("a\nb\nc\nd\ne\nf\n", "a\nb\nc\nd\ne\ng\n", None),
        (None, "a\n", None),
    ],
)
def test_two_edits_of_different_lines_are_put_together(
    mine: str | None, theirs: str | None, both: str | None
) -> None:
    assert lines.merged("a\nb\nc\nd\ne\n", mine, theirs) == both


@pytest.mark.parametrize(
    ("section", "element", "form"),
    [
        ("checks", "disk", "checks/disk"),
        ("rules", "disk-full", "checks/disk"),
        ("rotations", "weekly", "rotations/weekly"),
        ("teams", "operations", "teams/operations"),
        ("teams", "turns", "rotations/weekly"),
    ],
)
async def test_the_link_of_an_element_opens_its_form(
    site: Rig, enter: Enter, section: str, element: str, form: str
) -> None:
    operator = await enter(site)
    page = await operator.see(f"/book/shop/{section}/{element}")
    link = unescape(page.split('href="/book/shop/edit?', 1)[1].split('"')[0])
    assert f'action="/book/shop/edit/{form}"' in await operator.see(f"/book/shop/edit?{link}")


async def test_a_team_of_one_may_approve_its_own_edit_where_the_book_records_that(
    calm: Rig, tmp_path: Path, enter: Enter
) -> None:
    await follow(calm, tmp_path / "book", FILES | {"book.yaml": cast.BOOK})
    operator = await enter(calm)
    looser = PEOPLE.replace('viewer: ["*:read"]', 'viewer: ["*:read", "runs:write"]')
    await operator.send("/book/shop/edit?path=people.yaml", "/edit/text", text=looser)
    page = await operator.send(await draft_of(operator), "/publish", reason="we are few")
    assert "Waits for Operator, Second" in page
    assert "May not approve" not in page
    assert "You wrote this yourself." in await operator.see("/book/shop/held")
    await operator.send("/book/shop/held", "/approve")
    await tick(calm)
    assert (folder(calm) / "people.yaml").read_text() == looser
