"""What happens to alerts over some twenty seconds: played to a real Alertmanager and to Opsbook.

Each timeline has a route of its own, found by the label ``case``, so that all of them are played at
the same time. A step is a moment in seconds and what is handed in then.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

WAIT, INTERVAL, REPEAT = "1s", "3s", "1h"
ALWAYS = [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]
NEVER = [{"years": ["2020"]}]


@dataclass(frozen=True)
class Fire:
    """Alerts are handed in that fire: each is its further labels."""

    alerts: tuple[dict[str, str], ...]
    annotations: dict[str, str] = field(default_factory=dict)
    for_s: float = 300.0
    began_s: float = 0.0
    """How long ago they began."""


@dataclass(frozen=True)
class End:
    """Alerts are handed in as over."""

    alerts: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class Silence:
    """A silence is set on these labels, for so long."""

    labels: dict[str, str]
    for_s: float = 300.0
    regex: bool = False


@dataclass(frozen=True)
class Unsilence:
    """The case's silences are expired."""


Act = Fire | End | Silence | Unsilence


@dataclass(frozen=True)
class Timeline:
    """One case: how its route differs from the usual, and what happens when."""

    name: str
    steps: tuple[tuple[float, Act], ...]
    route: dict[str, Any] = field(default_factory=dict)
    inhibit: tuple[dict[str, Any], ...] = ()
    send_resolved: bool = True
    outputs: tuple[str, ...] = ("",)
    """What follows the case's name in the paths of its receivers."""


def fire(*names: str, **more: Any) -> Fire:
    """Alerts of these names fire."""
    labels = {key: value for key, value in more.items() if isinstance(value, str)}
    rest = {key: value for key, value in more.items() if not isinstance(value, str)}
    return Fire(tuple({"alertname": name, **labels} for name in names), **rest)


def end(*names: str, **labels: str) -> End:
    """Alerts of these names are over."""
    return End(tuple({"alertname": name, **labels} for name in names))


def again(
    act: Act, *, every: float, until: float, start: float = 0.0
) -> tuple[tuple[float, Act], ...]:
    """Hand in the same again and again, as Prometheus does."""
    count = int((until - start) / every) + 1
    return tuple((start + n * every, act) for n in range(count))


TIMELINES: tuple[Timeline, ...] = (
    Timeline("one_alert", ((0, fire("A")),)),
    Timeline("one_alert_over", ((0, fire("A")), (2, end("A")))),
    Timeline("over_before_told", ((0, fire("A")), (0.4, end("A")))),
    Timeline("two_in_a_group", ((0, fire("A", instance="1")), (0.5, fire("A", instance="2")))),
    Timeline("one_joins_later", ((0, fire("A", instance="1")), (2, fire("A", instance="2")))),
    Timeline(
        "one_of_two_is_over",
        ((0, fire("A", instance="1")), (0, fire("A", instance="2")), (2, end("A", instance="1"))),
    ),
    Timeline(
        "both_over_one_after_the_other",
        (
            (0, fire("A", instance="1")), (0, fire("A", instance="2")),
            (2, end("A", instance="1")), (5, end("A", instance="2")),
        ),
    ),
    Timeline("groups_apart", ((0, fire("A", "B", "C")),)),
    Timeline("all_in_one", ((0, fire("A", "B", "C")),), {"group_by": []}),
    Timeline("each_alone", ((0, fire("A", "B", instance="1")),), {"group_by": ["..."]}),
    Timeline("by_two_labels", ((0, fire("A", "B", zone="z", instance="1")),
                               (0.2, fire("A", zone="y", instance="1"))),
             {"group_by": ["alertname", "zone"]}),
    Timeline("a_missing_label_groups_as_empty", ((0, fire("A")), (0, fire("B", zone="z"))),
             {"group_by": ["zone"]}),
    Timeline("no_wait", ((0, fire("A")),), {"group_wait": "0s"}),
    Timeline("long_wait", ((0, fire("A")), (2.5, fire("A", instance="2"))), {"group_wait": "4s"}),
    Timeline("began_long_ago", ((0, fire("A", began_s=60.0)),), {"group_wait": "8s"}),
    Timeline("long_interval", ((0, fire("A", instance="1")), (2, fire("A", instance="2"))),
             {"group_interval": "7s"}),
    Timeline("told_again", ((0, fire("A")),), {"repeat_interval": "5s", "group_interval": "2s"}),
    Timeline("told_again_only_at_the_interval", ((0, fire("A")),),
             {"repeat_interval": "4s", "group_interval": "6s"}),
    Timeline("handed_in_again_is_no_news", again(fire("A"), every=1.0, until=9.0)),
    Timeline("new_annotations_are_no_news",
             ((0, fire("A", annotations={"summary": "1"})),
              (2, fire("A", annotations={"summary": "2"})))),
    Timeline("fires_again", ((0, fire("A")), (2, end("A")), (6, fire("A")))),
    Timeline("flaps_between_two_looks", ((0, fire("A")), (2, end("A")), (2.6, fire("A")))),
    Timeline("ends_by_itself", ((0, fire("A", for_s=3.0)),)),
    Timeline("kept_alive", again(fire("A", for_s=2.5), every=1.5, until=6.0)),
    Timeline("ends_are_not_told", ((0, fire("A")), (2, end("A"))), send_resolved=False),
    Timeline("one_of_two_ends_untold",
             ((0, fire("A", instance="1")), (0, fire("A", instance="2")),
              (2, end("A", instance="1"))), send_resolved=False),
    Timeline("silenced_before", ((0, Silence({"alertname": "A"})), (0.3, fire("A", "B")))),
    Timeline("silenced_by_pattern", ((0, Silence({"alertname": "A|C"}, regex=True)),
                                     (0.3, fire("A", "B", "C")))),
    Timeline("silenced_after", ((0, fire("A")), (2, Silence({"alertname": "A"})), (5, end("A")))),
    Timeline("a_silence_ends", ((0, Silence({"alertname": "A"}, for_s=2.5)), (0.3, fire("A")))),
    Timeline("a_silence_is_lifted", ((0, Silence({"alertname": "A"})), (0.3, fire("A")),
                                     (2.5, Unsilence()))),
    Timeline("half_a_group_silenced",
             ((0, Silence({"instance": "1"})), (0.3, fire("A", instance="1")),
              (0.3, fire("A", instance="2")))),
    Timeline(
        "inhibited",
        ((0, fire("Down", zone="z")), (0.2, fire("Slow", zone="z"))),
        inhibit=({"source_matchers": ['alertname="Down"'], "target_matchers": ['alertname="Slow"'],
                  "equal": ["zone"]},),
    ),
    Timeline(
        "inhibited_elsewhere_not",
        ((0, fire("Down", zone="z")), (0.2, fire("Slow", zone="y"))),
        inhibit=({"source_matchers": ['alertname="Down"'], "target_matchers": ['alertname="Slow"'],
                  "equal": ["zone"]},),
    ),
    Timeline(
        "what_inhibits_is_over",
        ((0, fire("Down", zone="z")), (0.2, fire("Slow", zone="z")), (2, end("Down", zone="z"))),
        inhibit=({"source_matchers": ['alertname="Down"'], "target_matchers": ['alertname="Slow"'],
                  "equal": ["zone"]},),
    ),
    Timeline(
        "both_sides_of_an_inhibition",
        ((0, fire("A", severity="high")), (0.2, fire("B", severity="high"))),
        inhibit=({"source_matchers": ['severity="high"'], "target_matchers": ['severity=~".+"']},),
    ),
    Timeline("muted_now", ((0, fire("A")),), {"mute_time_intervals": ["always"]}),
    Timeline("muted_at_other_times", ((0, fire("A")),), {"mute_time_intervals": ["never"]}),
    Timeline("active_now", ((0, fire("A")),), {"active_time_intervals": ["always"]}),
    Timeline("active_at_other_times", ((0, fire("A")),), {"active_time_intervals": ["never"]}),
    Timeline(
        "goes_on",
        ((0, fire("A", team="x")),),
        {"routes": [
            {"matchers": ['team="x"'], "receiver": "goes_on-x", "continue": True},
            {"matchers": ['team=~"x|y"'], "receiver": "goes_on-y"},
            {"matchers": ['alertname="A"'], "receiver": "goes_on-z"},
        ]},
        outputs=("", "-x", "-y", "-z"),
    ),
    Timeline(
        "the_first_that_matches",
        ((0, fire("A", team="y")), (0, fire("B", team="q"))),
        {"routes": [
            {"matchers": ['team="x"'], "receiver": "the_first_that_matches-x"},
            {"matchers": ['team!="q"'], "receiver": "the_first_that_matches-y",
             "group_wait": "2s"},
        ]},
        outputs=("", "-x", "-y"),
    ),
    Timeline("in_the_order_of_labels", ((0, Fire((
        {"alertname": "A", "job": "b", "instance": "2"}, {"alertname": "A", "job": "a"},
        {"alertname": "A", "instance": "1"}, {"alertname": "A", "job": "b", "instance": "1"},
        {"alertname": "A", "x": "1", "y": "2"}, {"alertname": "A", "z": "0"},
    ))),)),
)  # fmt: skip


def configuration(url: str) -> dict[str, Any]:
    """An alertmanager.yml for all timelines; their receivers are under `url`."""
    routes, receivers, inhibit = [], [{"name": "nobody"}], []
    for one in TIMELINES:
        case = f'case="{one.name}"'
        routes.append(
            {"matchers": [case], "receiver": one.name, "group_by": ["alertname"],
             "group_wait": WAIT, "group_interval": INTERVAL, "repeat_interval": REPEAT,
             **one.route}
        )  # fmt: skip
        receivers += [
            {"name": f"{one.name}{output}",
             "webhook_configs": [{"url": f"{url}/{one.name}{output}",
                                  "send_resolved": one.send_resolved}]}
            for output in one.outputs
        ]  # fmt: skip
        for rule in one.inhibit:
            both = {key: [case, *rule[key]] for key in ("source_matchers", "target_matchers")}
            inhibit.append({**rule, **both})
    return {
        "route": {"receiver": "nobody", "routes": routes},
        "receivers": receivers,
        "inhibit_rules": inhibit,
        "time_intervals": [
            {"name": "always", "time_intervals": ALWAYS},
            {"name": "never", "time_intervals": NEVER},
        ],
    }


def body(act: Fire | End, case: str, now: datetime, starts: dict[str, datetime]) -> list[Any]:
    """What is handed in for an act; `starts` remembers when each alert began."""
    found = []
    for labels in act.alerts:
        name = repr(sorted(labels.items()))
        whole = {**labels, "case": case}
        if isinstance(act, End):
            began = starts.pop(name, now - timedelta(seconds=1))
            found.append({"labels": whole, "startsAt": _said(began), "endsAt": _said(now)})
            continue
        began = starts.setdefault(name, now - timedelta(seconds=act.began_s))
        ends = now + timedelta(seconds=act.for_s)
        found.append(
            {"labels": whole, "annotations": act.annotations, "startsAt": _said(began),
             "endsAt": _said(ends), "generatorURL": "http://prometheus.example/graph"}
        )  # fmt: skip
    return found


def silence(act: Silence, case: str, now: datetime) -> dict[str, Any]:
    """The silence of an act."""
    labels = {**act.labels, "case": case}
    return {
        "matchers": [
            {"name": name, "value": value, "isEqual": True,
             "isRegex": act.regex and name != "case"}
            for name, value in labels.items()
        ],
        "startsAt": _said(now),
        "endsAt": _said(now + timedelta(seconds=act.for_s)),
        "createdBy": "operator",
        "comment": "maintenance",
    }  # fmt: skip


def _said(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Clock = Callable[[], datetime]
