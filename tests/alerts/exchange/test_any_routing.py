"""Whatever a book's routing is, it comes back from an alertmanager.yml as it was."""

import subprocess
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opsbook.alerts.exchange import alertmanager_out
from opsbook.alerts.pipeline import routing
from tests.alerts.exchange.test_alertmanager import URL, again, nodes
from tests.alerts.exchange.tools import made
from tests.support.servers import needs

VALUES = st.sampled_from(["a", "b|c", 'x"y', "\\d+", "a, b", "{}", "", "한글", "a\nb", "'", " "])
NAMES = st.sampled_from(["team", "env", "severity", "service"])
WAITS = st.sampled_from(["1s", "30s", "1m30s", "5m", "4h", "2d", "500ms"])
TIMES = st.sampled_from(["duty", "quarter", "nights"])
WHO = st.lists(st.sampled_from(["lead", "dev", "ops", "chat", "bot"]), unique=True, max_size=3)


def quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


MATCHERS = st.builds(
    lambda name, op, value: f"{name}{op}{quoted(value)}",
    NAMES,
    st.sampled_from(["!=", "=~", "!~"]),
    VALUES,
)


def optional(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


GROUPS = st.one_of(st.just(["..."]), st.lists(NAMES, unique=True, max_size=3))
WAITING = {
    "group_by": GROUPS,
    "group_wait": st.one_of(WAITS, st.just("0s")),
    "group_interval": WAITS,
    "repeat_interval": WAITS,
}
AS = st.sampled_from(["incident", "notify"])
TOLD = st.one_of(
    optional(to=WHO, **{"as": AS}),
    st.fixed_dictionaries({"receiver": st.sampled_from(["one", "quiet", "page"])}),
)
LEAVES = st.builds(
    lambda told, rest: {**told, **rest},
    TOLD,
    optional(
        match=st.dictionaries(NAMES, VALUES, max_size=2),
        matchers=st.lists(MATCHERS, max_size=2),
        active=st.lists(TIMES, unique=True, max_size=2),
        mute=TIMES,
        **{"continue": st.booleans()},
        **WAITING,
    ),
)


def with_routes(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Routes with some of these inside."""
    return st.builds(
        lambda route, routes: {**route, "routes": routes}, LEAVES, st.lists(inner, max_size=2)
    )


ROUTES = with_routes(with_routes(LEAVES))
ROOT = st.builds(
    lambda told, rest, routes: {**told, **rest, "routes": routes},
    st.one_of(
        st.fixed_dictionaries({"to": st.just(["ops"])}, optional={"as": AS}),
        st.fixed_dictionaries({"receiver": st.sampled_from(["one", "page"])}),
    ),
    optional(**WAITING),
    st.lists(ROUTES, max_size=3),
)
AROUND: dict[str, Any] = {
    "channels": {"chat": {"title": "Chat", "to": {"secret": "env:SLACK"}}},
    "webhooks": {
        "bot": {"title": "Bot", "url": "https://bot.example.org/", "events": ["alerts"]},
    },
    "hours": {"duty": {"open": "weekdays 09:00-18:00"}, "nights": {"open": "daily 22:00-06:00"}},
    "time_intervals": {"quarter": {"ranges": [{"months": ["march"], "days_of_month": [-1]}]}},
    "receivers": {
        "one": {"to": ["chat", "bot"], "only_firing": ["bot"]}, "quiet": {},
        "page": {"to": ["ops"], "as": "incident", "title": "Page"},
    },
}  # fmt: skip


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ROOT)
def test_any_routing_is_the_same_after_the_way_and_back(root: dict[str, Any]) -> None:
    book = made(**AROUND, routing=root)
    back = again(book)
    assert nodes(routing.root(back)) == nodes(routing.root(book))
    assert back.receivers == book.receivers
    text = alertmanager_out.write(back, url=URL).files
    assert alertmanager_out.write(again(back), url=URL).files == text


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(ROOT)
def test_amtool_accepts_whatever_is_exported(tmp_path: Path, root: dict[str, Any]) -> None:
    file = tmp_path / "alertmanager.yml"
    book = made(**AROUND, routing=root)
    file.write_text(alertmanager_out.write(book, url=URL).files[file.name])
    said = subprocess.run(
        [needs("amtool"), "check-config", file], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stdout + file.read_text()
