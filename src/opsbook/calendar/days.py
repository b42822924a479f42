"""Working days: weekends, a country's public holidays, and what this team does otherwise.

The public holidays come from the `holidays` package, loaded when a country is first named (a
quarter of a second) and kept by year. They include the days announced so far (elections, one-off
days off) as that package knows them: `also` and `not_` are for what it does not know, or what a
team does differently.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache

from opsbook.calendar.errors import ScheduleError

SATURDAY_SUNDAY = frozenset({5, 6})
_LONGEST_BREAK = 400
"""Days. A break this long between two business days means a mistake in the dates."""

Name = str | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Year:
    """A country's year: its holidays, weekend (Monday 0) and weekend days that are worked."""

    names: Mapping[date, str]
    weekend: frozenset[int]
    worked: frozenset[date]


@dataclass(frozen=True, slots=True)
class Days:
    """Which days are business days.

    `country` is a code such as ``KR`` or ``DE-BE`` (with a part of the country), or empty for no
    public holidays. `also` are more holidays with their names, a text or a text per language.
    `not_` are dates that are no holidays here although the country says so; a weekend stays one.
    A weekend is Saturday and Sunday, or what the country has instead.

    ScheduleError for an unknown country and for a date both in `also` and `not_`.
    """

    country: str = ""
    also: Mapping[date, Name] = field(default_factory=dict, hash=False)
    not_: Collection[date] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "also", dict(self.also))
        object.__setattr__(self, "not_", frozenset(self.not_))
        if both := sorted(day for day in self.also if day in self.not_):
            raise ScheduleError(
                f"{both[0]} is both a holiday and not one; leave it out of one list"
            )
        if self.country:
            _year(self.country, 2026, "")

    def is_holiday(self, day: date) -> bool:
        """A public holiday or one of `also`; a plain weekend is none."""
        if day in self.also:
            return True
        return bool(self.country) and day not in self.not_ and day in self._public(day).names

    def is_business(self, day: date) -> bool:
        """Neither weekend nor holiday."""
        if not self.country:
            return day.weekday() not in SATURDAY_SUNDAY and day not in self.also
        public = self._public(day)
        if day.weekday() in public.weekend and day not in public.worked:
            return False
        return not self.is_holiday(day)

    def next_business(self, day: date) -> date:
        """The first business day strictly after `day`."""
        return self._step(day, 1)

    def previous_business(self, day: date) -> date:
        """The last business day strictly before `day`."""
        return self._step(day, -1)

    def on_or_after(self, day: date) -> date:
        """`day` itself if it is a business day, else the next."""
        return day if self.is_business(day) else self._step(day, 1)

    def on_or_before(self, day: date) -> date:
        """`day` itself if it is a business day, else the one before."""
        return day if self.is_business(day) else self._step(day, -1)

    def move(self, day: date, business_days: int) -> date:
        """So many business days later (or, below zero, earlier), `day` itself not counted."""
        step: Callable[[date], date] = (
            self.next_business if business_days > 0 else self.previous_business
        )
        for _ in range(abs(business_days)):
            day = step(day)
        return day

    def name(self, day: date, language: str) -> str:
        """What the holiday is called, ``""`` for any other day.

        Where the country's holidays have no name in `language`, the English one, else its own.
        """
        if day in self.also:
            said = self.also[day]
            if isinstance(said, str):
                return said
            return said.get(language) or said.get("en") or next(iter(said.values()), "")
        if not self.is_holiday(day):
            return ""
        return _year(self.country, day.year, language.split("-", maxsplit=1)[0]).names[day]

    def _public(self, day: date) -> _Year:
        return _year(self.country, day.year, "")

    def _step(self, day: date, step: int) -> date:
        found = day
        for _ in range(_LONGEST_BREAK):
            found += timedelta(days=step)
            if self.is_business(found):
                return found
        raise ScheduleError(
            f"there is no business day within {_LONGEST_BREAK} days of {day}; "
            "take dates out of the holidays"
        )


@lru_cache(maxsize=2048)
def _year(country: str, year: int, language: str) -> _Year:
    """A year of a country; `language` empty where names do not matter."""
    import holidays  # noqa: PLC0415 - a quarter of a second, and most books name no country

    code, _, part = country.upper().partition("-")
    try:
        known = holidays.country_holidays(code, subdiv=part or None, years=year)
        if spoken := _spoken(known.supported_languages, language):
            known = holidays.country_holidays(
                code, subdiv=part or None, years=year, language=spoken
            )
    except (NotImplementedError, ValueError) as error:
        raise ScheduleError(
            f"no public holidays are known for {country!r} ({error}); "
            "write a country's code, such as KR, JP, US or DE, or one with its part, such as DE-BE"
        ) from None
    worked = getattr(known, "weekend_workdays", None) or ()
    return _Year(dict(known.items()), frozenset(known.weekend), frozenset(worked))


def _spoken(languages: Collection[str], language: str) -> str | None:
    for wanted in (language, "en"):
        for one in sorted(languages):
            if language and one.split("_")[0] == wanted:
                return one
    return None
