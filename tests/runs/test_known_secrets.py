"""What a book refers to is known to be secret, wherever in it the reference stands."""

import pytest

from opsbook.app import vocabulary
from opsbook.book import load
from opsbook.runs.known import of_book

BOOK = """\
id: shop
title: Shop
timezone: UTC
intakes:
  grafana: {kind: grafana, title: Grafana, token: "env:SHOP_GRAFANA"}
heartbeats:
  outside: {title: Outside, url: {secret: "env:SHOP_HEART"}}
checks:
  web:
    kind: http
    title: Web
    url: https://shop.example
    headers: {Authorization: "env:SHOP_HEADER"}
"""


def test_tokens_addresses_and_headers_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_GRAFANA", "grafana-came-in")
    monkeypatch.setenv("SHOP_HEART", "https://heart.example/ping/abcdef-ghijkl")
    monkeypatch.setenv("SHOP_HEADER", "Bearer of-the-header")
    known = of_book(load({"book.yaml": BOOK}, vocabulary()))
    assert {"grafana-came-in", "Bearer of-the-header"} <= known
    assert "https://heart.example/ping/abcdef-ghijkl" in known
