"""Whether a band can be compared with what a check measures."""

from __future__ import annotations

import math
from collections.abc import Iterator

from opsbook.base.quantities import Band
from opsbook.book.positions import Path
from opsbook.book.problems import Problem
from opsbook.book.sections.checks import Check
from opsbook.book.validate.whole import Whole


def fits(check: Check, band: Band) -> bool:
    """Whether the check's values can be compared with the band, as far as is known beforehand."""
    return check.value_unit is None or band.fits(check.value_unit)


def misfit(check: Check, band: Band) -> tuple[str, str]:
    """What is wrong with a band that does not fit, and what to do."""
    unit = check.value_unit or "plain numbers"
    return f"{str(band)!r} cannot be compared with a value in {unit}", "use the value's own unit"


def order(whole: Whole, path: Path, check: Check) -> Iterator[Problem]:
    """No band of a check lies wholly in one that outweighs it, as inverted limits do.

    `Bands.state` asks critical first, then warning: what lies in a worse band is that, and a check
    with a warning beyond its critical limit would be critical at once, at the limit meant to warn.
    """
    bands = check.bands
    unit = check.value_unit or next(
        (one.limit.unit for one in (bands.critical, bands.warning, bands.normal) if one), ""
    )
    for name, worse in (("warning", "critical"), ("normal", "critical"), ("normal", "warning")):
        inner, outer = getattr(bands, name), getattr(bands, worse)
        if inner is None or outer is None or not _within(inner, outer, unit):
            continue
        told = f"{str(inner)!r} never counts: {worse}, {str(outer)!r}, takes all of it"
        remedy = f"swap the two, or let {worse}: begin beyond it"
        yield whole.problem((*path, "bands", name), told, remedy)
        return


def _within(inner: Band, outer: Band, unit: str) -> bool:
    """Whether every value in one band is in the other."""
    if "!=" in {inner.op, outer.op} or not (inner.fits(unit) and outer.fits(unit)):
        return inner == outer
    (low, low_open), (high, high_open) = _ends(inner, unit)
    (least, least_open), (most, most_open) = _ends(outer, unit)
    above = low > least or (low == least and (low_open or not least_open))
    below = high < most or (high == most and (high_open or not most_open))
    return above and below


def _ends(band: Band, unit: str) -> tuple[tuple[float, bool], tuple[float, bool]]:
    """The ends of a band, and of each whether it is itself outside of it."""
    limit = band.limit.in_unit(unit)
    if band.upto is not None:
        return (limit, False), (band.upto.in_unit(unit), False)
    if band.op == "==":
        return (limit, False), (limit, False)
    if band.op in {">", ">="}:
        return (limit, band.op == ">"), (math.inf, True)
    return (-math.inf, True), (limit, band.op == "<")


Followed = tuple[Path, str | None, Band | None]
"""A band, the check whose values it is about, and where it stands."""


def capacity(whole: Whole) -> Iterator[Problem]:
    """Bands of what follows a check's values are in a unit that these can be compared with."""
    sections = whole.sections
    for path, check_id, band in (*_scaling(whole), *_targets(whole), *_gates(whole)):
        check = sections.checks.get(check_id or "")
        if check is not None and band is not None and not fits(check, band):
            yield whole.problem(path, *misfit(check, band))
    for id, scaling in sections.scaling.items():
        if scaling.least > scaling.most:
            told = f"at least {scaling.least} is more than at most {scaling.most}"
            yield whole.problem(("scaling", id, "least"), told, "lower least: or raise most:")
    for id, slo in sections.slos.items():
        if slo.measure in SHARES and not slo.target.fits("%"):
            told = f"{str(slo.target)!r} is no share of all"
            yield whole.problem(("slos", id, "target"), told, 'write a percentage: ">= 99.9%"')


SHARES = frozenset({"availability", "errors"})
"""What is measured as a share of all looks, whatever the check's own unit is."""


def _scaling(whole: Whole) -> Iterator[Followed]:
    for id, one in whole.sections.scaling.items():
        yield ("scaling", id, "up", "when"), one.check, one.up.when if one.up else None
        yield ("scaling", id, "down", "when"), one.check, one.down.when if one.down else None


def _targets(whole: Whole) -> Iterator[Followed]:
    for id, limit in whole.sections.limits.items():
        yield ("limits", id, "warn"), limit.check, limit.warn
    for id, forecast in whole.sections.forecasts.items():
        yield ("forecasts", id, "limit"), forecast.check, forecast.limit
    for id, slo in whole.sections.slos.items():
        if slo.measure not in SHARES:
            yield ("slos", id, "target"), slo.check, slo.target
            yield ("slos", id, "minimum"), slo.check, slo.minimum


def _gates(whole: Whole) -> Iterator[Followed]:
    for id, update in whole.sections.model_updates.items():
        for n, phase in enumerate(update.phases):
            for m, gate in enumerate(phase.gates):
                path: Path = ("model_updates", id, "phases", n, "gates", m, "band")
                yield path, gate.check, gate.band
