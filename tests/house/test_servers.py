"""The servers that tests are given are real ones, and each test finds its database empty."""

import socket
import urllib.request

import psycopg
import pytest


@pytest.mark.parametrize("nth", ["first", "second"])
def test_every_test_gets_an_empty_postgresql_database(postgres_url, nth):
    with psycopg.connect(postgres_url) as connection:
        tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
        assert connection.execute(tables).fetchone() == (0,)
        connection.execute("CREATE TABLE left_behind (by text)")


def test_nginx_serves_what_a_test_puts_under_its_root(nginx):
    (nginx.root / "page.txt").write_text("fine")
    with urllib.request.urlopen(f"{nginx.url}/page.txt") as answer:
        assert answer.read() == b"fine"


def test_redis_answers_on_its_port(redis_port):
    with socket.create_connection(("127.0.0.1", redis_port), timeout=5) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(64) == b"+PONG\r\n"


def test_chromium_is_where_the_fixture_says(chromium):
    assert chromium.is_file()
