"""docs/reference/plan.md shows sentences that plans say, and the JSON that they are."""

import json
import re
from pathlib import Path

from babel.messages import extract

from opsbook.revisions.plan import Change, as_data, compare
from tests.revisions.planned import NOW, book, plan
from tests.web import messages

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "plan.md").read_text()
HAND = ("## Remove\n", "- [ ] Count what is left. {#count by=admin}\n## Remove\n")
LOOSENS = {
    str(one)
    for edits in (
        (("self_approval: forbid", "self_approval: record"),
         ('"runs:write"]', '"runs:write", "access:admin"]'),
         ("name: Third", "name: Third, roles: [admin]"), ("risk: change", "risk: routine"),
         ("within=4h", "within=8h"), ("#remove", "#remove effect=read interrupted=retry"),
         ("need: 2", "need: 1"), ("notice: 2d", "notice: 1d"), ("length: 2h", "length: 3h"),
         ("to: 2026-11-30", "to: 2026-11-29"), ("max_age: 90d", "max_age: 180d"),
         ('[{pattern: "evil-*", reason: It is.}]', "[]")),
        (("```approval {#allow by=admin within=4h}\nMay it be removed?\n```\n", ""),),
        (("```approval {#allow", "```bash {#early}\necho early\n```\n```approval {#allow"),),
        (("May it be removed?", "Is it time for lunch?"),),
        (("{#look effect=read}\ndf -h /", "{#look effect=read}\ndf -h /srv"),),
        (("```bash {#verify", "```bash {#tidy .finally}\necho tidy\n```\n```bash {#verify"),),
    )
    for one in plan(*edits).loosens
} | {str(one) for one in compare(book(HAND), book(), NOW).loosens}  # fmt: skip


def examples(title):
    """The sentences in the table under a heading."""
    part = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| [^|]+ \| `(.+)` \|$", part, re.MULTILINE)


def test_every_sentence_on_the_page_is_one_that_plans_say():
    said = extract.extract_from_dir(messages.PLAN, messages.METHODS, {}, keywords={"N_": None})
    forms = [
        re.compile(re.sub(r"%\\\(\w+\\\)s", "(.+)", re.escape(message)))
        for _, _, message, _, _ in said
    ]
    shown = examples("What is told") + examples("What needs approval")
    assert len(shown) == 32
    for sentence in shown:
        assert any(form.fullmatch(sentence) for form in forms), sentence


def test_what_the_page_says_needs_approval_does():
    assert set(examples("What needs approval")) == LOOSENS


def test_the_json_on_the_page_is_that_of_the_plan_it_shows():
    shown = json.loads(PAGE.split("```json\n")[1].split("```")[0])
    assert {name: shown.pop(name) for name in ("book", "old", "new", "held_since")}
    assert shown == as_data(plan(('"> 85%"', '"> 90%"')))


def test_every_field_of_a_change_is_explained():
    for name in Change.__dataclass_fields__:
        assert f"`{name}`" in PAGE, name
