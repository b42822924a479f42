"""A schedule understood, and the one way the page writes it, in English and in Korean.

What describe() writes, `opsbook.calendar.words` reads back as an equal phrase.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

DAYS_EN = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
DAYS_KO = ("일", "월", "화", "수", "목", "금", "토")
MONTHS_EN = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip
ORDINALS_EN = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
EVERY_DAY, WEEKDAYS, WEEKEND = (0, 1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 5), (0, 6)
LAST = -1

Form = Literal["week", "nth", "day", "date", "business", "hours", "minutes"]
Period = Literal["day", "month", "quarter", "year"]
Shift = Literal["", "next", "before", "skip"]

_ORDINALS_KO = {1: "첫째", 2: "둘째", 3: "셋째", 4: "넷째", 5: "다섯째", LAST: "마지막"}
_PERIODS_KO = {"day": "매", "month": "매월", "quarter": "분기", "year": "매년"}
_SHIFTS = {
    "": ("", ""),
    "next": (", or the next business day", ", 휴일이면 다음 영업일"),
    "before": (", or the business day before", ", 휴일이면 직전 영업일"),
    "skip": (", except holidays", ", 휴일 제외"),
}


@dataclass(frozen=True, slots=True)
class Phrase:
    """A schedule understood: its form and the numbers that form needs.

    - ``week``: the weekdays `days` (Sunday 0) of every `step`-th week, a week beginning on Monday;
      where `step` is above 1, `anchor` lies in the first of those weeks and nothing comes before.
    - ``nth``: the `nth` of each of the weekdays `days` in the month, quarter or year.
    - ``day``: the day `nth` of the month, or of the quarter's first month.
    - ``date``: the day `nth` of `month`, each year.
    - ``business``: each business day, or the `nth` of the month, quarter or year.
    - ``hours``, ``minutes``: every `step` of them by the clock.

    In `nth`, -1 is the last. `times` are (hour, minute) of the day. `shift` says what happens on a
    day that is none of business (``next``, ``before``) or a holiday (``skip``).
    """

    form: Form
    times: tuple[tuple[int, int], ...] = ()
    days: tuple[int, ...] = ()
    nth: int = 0
    step: int = 1
    period: Period = "month"
    month: int = 0
    anchor: date | None = None
    shift: Shift = ""

    def cron(self) -> str | None:
        """The cron line of what ticks through the hours; None for what has times of day."""
        if self.form == "minutes":
            return f"*/{self.step} * * * *"
        if self.form == "hours":
            return "0 * * * *" if self.step == 1 else f"0 */{self.step} * * *"
        return None

    def describe(self, language: str) -> str:
        """The phrase in the one way the page writes it, in Korean or else in English."""
        korean = language.split("-", maxsplit=1)[0] == "ko"
        times = ", ".join(f"{hour:02}:{minute:02}" for hour, minute in self.times)
        told = f"{self._korean() if korean else self._english()} {times}".strip()
        if self.anchor:
            told += f", {self.anchor}부터" if korean else f" from {self.anchor}"
        return told + told_shift(self.shift, language)

    def _korean(self) -> str:
        of = _PERIODS_KO[self.period]
        match self.form:
            case "week" if self.step > 1:
                every = "격주" if self.step == 2 else f"{self.step}주마다"
                return f"{every} {days_in_korean(self.days)}"
            case "week":
                named = {EVERY_DAY: "매일", WEEKDAYS: "평일", WEEKEND: "주말"}
                return named.get(self.days, f"매주 {days_in_korean(self.days)}")
            case "nth":
                return f"{of} {_ORDINALS_KO[self.nth]} 주 {days_in_korean(self.days)}"
            case "day" if self.period == "quarter":
                named_day = {1: "첫날", LAST: "마지막 날"}
                return f"분기 {named_day.get(self.nth, f'첫 달 {self.nth}일')}"
            case "day":
                return "매월 말일" if self.nth == LAST else f"매월 {self.nth}일"
            case "date":
                return f"매년 {self.month}월 " + ("말일" if self.nth == LAST else f"{self.nth}일")
            case "business":
                ordinal = {0: "", 1: "첫 ", LAST: "마지막 "}.get(self.nth, f"{self.nth}번째 ")
                return f"{of} {ordinal}영업일"
            case "hours":
                return "매시간" if self.step == 1 else f"{self.step}시간마다"
            case "minutes":
                return f"{self.step}분마다"

    def _english(self) -> str:
        ordinal = next((w for w, n in ORDINALS_EN.items() if n == self.nth), f"{self.nth}th")
        match self.form:
            case "week" if self.step > 1:
                return f"every {self.step} weeks on {days_in_english(self.days)}"
            case "week":
                named = {EVERY_DAY: "every day", WEEKDAYS: "weekdays", WEEKEND: "weekends"}
                return named.get(self.days, f"every {days_in_english(self.days)}")
            case "nth":
                return f"{ordinal} {days_in_english(self.days)} of the {self.period}"
            case "day":
                of = "the last day" if self.nth == LAST else f"day {self.nth}"
                return f"every {self.period} on {of}"
            case "date" if self.nth == LAST:
                return f"every year on the last day of {MONTHS_EN[self.month - 1]}"
            case "date":
                return f"every year on {MONTHS_EN[self.month - 1]} {self.nth}"
            case "business" if self.period == "day":
                return "every business day"
            case "business":
                return f"{ordinal} business day of the {self.period}"
            case "hours":
                return "every hour" if self.step == 1 else f"every {self.step} hours"
            case "minutes":
                return "every minute" if self.step == 1 else f"every {self.step} minutes"


def told_shift(shift: Shift, language: str) -> str:
    """The rule for holidays as it is written after a schedule."""
    return _SHIFTS[shift][language.split("-", maxsplit=1)[0] == "ko"]


def days_in_korean(days: tuple[int, ...]) -> str:
    """``월·금요일``."""
    return "·".join(DAYS_KO[day] for day in days) + "요일"


def days_in_english(days: tuple[int, ...]) -> str:
    """``Monday, Friday``."""
    return ", ".join(DAYS_EN[day] for day in days)
