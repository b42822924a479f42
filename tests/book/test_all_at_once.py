"""One mistake hides no other: what an element names is looked up although it cannot be read."""

import pytest

from opsbook.app import vocabulary
from opsbook.book import BookError, load
from tests.book import error_pages


def told(text: str) -> list[str]:
    """Everything that is wrong with the base book with more in it, in short."""
    with pytest.raises(BookError) as refused:
        load({**error_pages.base(), "more.yaml": text}, vocabulary())
    return [one.message for one in refused.value.problems]


def test_a_route_with_a_wrong_time_still_says_which_receivers_and_hours_are_not_there():
    found = told("""
routing:
  to: [operations]
  group_wait: 5 s
  routes:
    - receiver: pager
      mute: nights
      routes: [{to: [nobody], active: [days, evenings]}]
""")
    assert found[0].startswith("routing.group_wait: '5 s' is not a duration")
    assert found[1:] == [
        "routing.routes[0].receiver: there is no receiver 'pager'",
        "routing.routes[0].mute: there is no set of hours or time interval 'nights'",
        "routing.routes[0].routes[0].to[0]: there is no person, team, channel or webhook 'nobody'",
        "routing.routes[0].routes[0].active[0]: there is no set of hours or time interval 'days'",
        "routing.routes[0].routes[0].active[1]: there is no set of hours or time interval "
        "'evenings'",
    ]


def test_a_check_with_a_wrong_time_still_says_what_it_names_and_its_kind_does_too():
    found = told("""
checks:
  a: {kind: tcp, title: A, host: a.example, port: 1, every: 5 min, service: shop, depends_on: [b]}
  c: {kind: sql, title: C, query: 5, on: nowhere, owner: nobody}
""")
    assert "checks.a.service: there is no service 'shop'" in found
    assert "checks.a.depends_on[0]: there is no check 'b'" in found
    assert "checks.c.on: there is no target 'nowhere'" in found
    assert "checks.c.owner: there is no person or team 'nobody'" in found
    assert any("every: '5 min'" in one for one in found)


@pytest.mark.parametrize("severity", ["5", "[P9]", "{P9: P9}", "a b", "true", ""])
def test_what_could_be_no_name_is_told_once(severity: str):
    text = f"rules:\n  a: {{check: disk, when: critical, severity: {severity}, summary: x}}\n"
    (one,) = told(text)
    assert one.startswith("rules.a.severity: ")
    assert "there is no severity" not in one


def test_what_a_broken_element_names_rightly_is_no_mistake():
    text = "rules:\n  a: {check: disk, when: critical, for: 5 min, severity: P1, summary: x}\n"
    (one,) = told(text)
    assert one.startswith("rules.a.for: ")


@pytest.mark.parametrize(
    ("bands", "wrong"),
    [
        ('warning: "> 95%", critical: "> 85%"', "warning"),
        ('warning: "> 85%", critical: "> 85%"', "warning"),
        ('warning: "> 85%", critical: ">= 85%"', "warning"),
        ('warning: "< 5%", critical: "< 10%"', "warning"),
        ('warning: "20%..30%", critical: "10%..30%"', "warning"),
        ('normal: "> 90%", critical: "> 85%"', "normal"),
        ('normal: "< 50%", warning: "< 60%"', "normal"),
        ('warning: ">= 85%", critical: "> 85%"', None),
        ('warning: "> 85%", critical: "> 95%"', None),
        ('warning: "< 10%", critical: "< 5%"', None),
        ('warning: "> 80%", critical: "< 5%"', None),
        ('normal: "30%..70%", warning: "> 70%", critical: "> 90%"', None),
        ('warning: "!= 5%", critical: "> 90%"', None),
    ],
)
def test_a_band_that_a_worse_one_leaves_nothing_is_a_mistake(bands: str, wrong: str | None):
    text = f"checks:\n  a: {{kind: host, title: A, metric: disk, bands: {{{bands}}}}}\n"
    if wrong is None:
        load({**error_pages.base(), "more.yaml": text}, vocabulary())
        return
    (one,) = told(text)
    assert one.startswith(f"checks.a.bands.{wrong}: ")
    assert "never counts" in one


def test_bands_of_one_kind_of_unit_are_compared():
    text = 'bands: {warning: "> 2s", critical: "> 500ms"}'
    start = "checks:\n  a: {kind: tcp, title: A, host: a.example, port: 1, "
    (one,) = told(f"{start}{text}}}\n")
    assert "never counts" in one
