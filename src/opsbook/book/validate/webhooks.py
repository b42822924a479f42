"""Webhooks: what leads to the server's own machine says so, and no header is taken twice."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from opsbook.book.positions import Path
from opsbook.book.problems import Problem
from opsbook.book.sections.webhooks import OWN_HEADERS, OWN_PREFIX, is_loopback
from opsbook.book.validate.whole import Whole


def webhooks(whole: Whole) -> Iterator[Problem]:
    """One address and one set of headers each, both of them usable."""
    for id, hook in whole.sections.webhooks.items():
        path: Path = ("webhooks", id)
        host = urlsplit(hook.url.url or "").hostname
        if host and is_loopback(host) and not hook.loopback:
            told = f"{host} is the machine that Opsbook runs on"
            remedy = "add loopback: true if that is meant"
            yield whole.problem((*path, "url"), told, remedy)
        for name in hook.headers:
            if name.lower() in OWN_HEADERS or name.lower().startswith(OWN_PREFIX):
                told = f"Opsbook sets the header {name} itself"
                yield whole.at_key((*path, "headers", name), told, "take it out")
