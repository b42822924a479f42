"""docs/reference/web.md names every address there is, and its keys and limits are the real ones."""

import re
from pathlib import Path

from fastapi.routing import APIRoute

from opsbook.web import guard, live, shown
from opsbook.web.site import NOUNS

DOCS = (Path(__file__).parents[2] / "docs/reference/web.md").read_text(encoding="utf-8")


def test_every_address_of_the_pages_is_told() -> None:
    routes = (route for noun in NOUNS for route in noun.router.routes)
    paths = {route.path.replace(":path", "") for route in routes if isinstance(route, APIRoute)}
    whole = set(re.findall(r"[` ](/[^\s`?]*)", DOCS))
    ends = tuple(re.findall(r"…(/[a-z]+)", DOCS))
    assert {path for path in paths - whole if not path.endswith(ends)} == set()


def test_the_keys_and_limits_are_the_real_ones() -> None:
    for place in shown.PLACES:
        assert f"`{place.key}`" in DOCS
    assert f"at most\n{live.MOST_EACH}, a server {live.MOST}" in DOCS
    assert f"at most {guard.LARGEST_FORM // 1024} KiB" in DOCS
