"""Schedules in words, English and Korean: ``every Monday 10:00``, ``매월 첫째 주 일요일 02:00``.

A phrase is read by a handful of patterns, one per form, never by guessing at the words in it: what
does not match as a whole is refused with the forms that would. "첫째 주 일요일" is taken as the
month's first Sunday, which is what duty tables mean by it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

DAYS_EN = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
DAYS_KO = ("일", "월", "화", "수", "목", "금", "토")
ORDINALS_EN = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
ORDINALS_KO = {"첫": 1, "첫째": 1, "둘째": 2, "두": 2, "셋째": 3, "세": 3, "넷째": 4, "네": 4}
WEEKDAYS, WEEKEND = (1, 2, 3, 4, 5), (0, 6)
LAST = -1

Form = Literal["day", "week", "nth", "month", "hours", "minutes"]


class ScheduleError(ValueError):
    """A text that is no schedule; the message names it and what would be accepted."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A schedule understood: its form and the numbers that form needs.

    `days` are weekdays with Sunday 0; `nth` is the week of the month for ``nth`` and the day of the
    month for ``month``, -1 being the last; `step` counts hours or minutes; `times` are (hour,
    minute) of the day.
    """

    form: Form
    times: tuple[tuple[int, int], ...] = ()
    days: tuple[int, ...] = ()
    nth: int = 0
    step: int = 1

    def cron(self) -> tuple[str, ...]:
        """The cron lines that mean the same: one for each minute of the hour that occurs."""
        if self.form == "minutes":
            return (f"*/{self.step} * * * *",)
        if self.form == "hours":
            return ("0 * * * *" if self.step == 1 else f"0 */{self.step} * * *",)
        hours: dict[int, list[int]] = defaultdict(list)
        for hour, minute in self.times:
            hours[minute].append(hour)
        days = f"{'L' if self.nth == LAST else self.nth or '*'}" if self.form == "month" else "*"
        return tuple(
            f"{minute} {','.join(map(str, sorted(at)))} {days} * {self._weekdays()}"
            for minute, at in sorted(hours.items())
        )

    def _weekdays(self) -> str:
        if self.form == "week":
            return ",".join(map(str, self.days))
        if self.form == "nth":
            week = "L" if self.nth == LAST else f"#{self.nth}"
            return ",".join(f"{day}{week}" for day in self.days)
        return "*"

    def describe(self, language: str) -> str:
        """The phrase in the one way the page writes it, in Korean or else in English."""
        korean = language.split("-", maxsplit=1)[0] == "ko"
        times = ", ".join(f"{hour:02}:{minute:02}" for hour, minute in self.times)
        return f"{self._korean() if korean else self._english()} {times}".strip()

    def _korean(self) -> str:
        days = "·".join(DAYS_KO[day] for day in self.days) + "요일"
        ordinal = {1: "첫째", 2: "둘째", 3: "셋째", 4: "넷째", LAST: "마지막"}
        match self.form:
            case "day":
                return "매일"
            case "week":
                return {WEEKDAYS: "평일", WEEKEND: "주말"}.get(self.days, f"매주 {days}")
            case "nth":
                return f"매월 {ordinal[self.nth]} 주 {days}"
            case "month":
                return "매월 말일" if self.nth == LAST else f"매월 {self.nth}일"
            case "hours":
                return "매시간" if self.step == 1 else f"{self.step}시간마다"
            case "minutes":
                return f"{self.step}분마다"

    def _english(self) -> str:
        days = ", ".join(DAYS_EN[day] for day in self.days)
        ordinal = {number: word for word, number in ORDINALS_EN.items()}
        match self.form:
            case "day":
                return "every day"
            case "week":
                return {WEEKDAYS: "weekdays", WEEKEND: "weekends"}.get(self.days, f"every {days}")
            case "nth":
                return f"{ordinal[self.nth]} {days} of the month"
            case "month":
                of = "the last day" if self.nth == LAST else f"day {self.nth}"
                return f"every month on {of}"
            case "hours":
                return "every hour" if self.step == 1 else f"every {self.step} hours"
            case "minutes":
                return "every minute" if self.step == 1 else f"every {self.step} minutes"


def is_cron(text: str) -> bool:
    """Whether a text is meant as a cron line: five fields, none of which is a word of a phrase."""
    fields = text.split()
    return len(fields) == 5 and all(re.fullmatch(r"[0-9A-Z*/,#-]+", part) for part in fields)


_TIME = r"(?:(?:오전|오후)\s*)?\d{1,2}(?::\d{2}|시(?:\s*\d{1,2}분)?)"
_TIMES = rf"(?:\s+(?:at\s+)?(?P<times>{_TIME}(?:\s*(?:,|and|및|와)\s*{_TIME})*))"
_DAY_EN = rf"(?:{'|'.join(f'{day}s?' for day in DAYS_EN)})"
_DAYS_EN = rf"(?P<days>{_DAY_EN}(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+){_DAY_EN})*)"
_DAYS_KO = r"(?P<days>[일월화수목금토](?:요일)?(?:\s*[,·]\s*[일월화수목금토](?:요일)?)*)"
_NTH_EN = rf"(?P<nth>{'|'.join(ORDINALS_EN)})"
_NTH_KO = r"(?P<nth>첫째|둘째|셋째|넷째|마지막|첫\s*번째|두\s*번째|세\s*번째|네\s*번째)(?:\s*주)?"

_FORMS: tuple[tuple[Form, tuple[int, ...], str], ...] = (
    ("day", (), rf"(?:every day|daily|매일){_TIMES}"),
    ("week", WEEKDAYS, rf"(?:(?:every )?weekdays?|평일){_TIMES}"),
    ("week", WEEKEND, rf"(?:(?:every )?weekends?|주말){_TIMES}"),
    ("week", (), rf"(?:every {_DAYS_EN}){_TIMES}"),
    ("week", (), rf"(?:매주\s*{_DAYS_KO}){_TIMES}"),
    (
        "nth",
        (),
        rf"(?:the |every )?{_NTH_EN} {_DAYS_EN}(?: (?:of )?(?:the|every|each) month)?{_TIMES}",
    ),
    ("nth", (), rf"매월\s*{_NTH_KO}\s*{_DAYS_KO}{_TIMES}"),
    ("month", (), rf"every month on (?:the )?(?P<day>day \d{{1,2}}|last day){_TIMES}"),
    ("month", (), rf"매월\s*(?P<day>\d{{1,2}}일|말일|마지막\s*날){_TIMES}"),
    ("hours", (), r"every (?P<step>\d{1,2} )?hours?|매시간|매시|(?P<step_ko>\d{1,2})시간\s*마다"),
    ("minutes", (), r"every (?P<step>\d{1,2} )?minutes?|매분|(?P<step_ko>\d{1,2})분\s*마다"),
)
_COMPILED = tuple((form, days, re.compile(text, re.IGNORECASE)) for form, days, text in _FORMS)

_ACCEPTED = (
    'write "every day 09:00", "weekdays 09:00", "every Monday 10:00", "first Sunday 02:00", '
    '"every month on day 1 03:00", "every 15 minutes", the same in Korean ("매일 09:00", '
    '"매월 첫째 주 일요일 02:00"), or a cron line such as "0 3 * * *"'
)


def read(text: str) -> Phrase:
    """Understand a phrase, or raise ScheduleError with the forms there are."""
    for form, days, pattern in _COMPILED:
        if matched := pattern.fullmatch(text):
            return _phrase(form, days, matched.groupdict(), text)
    if any(pattern.fullmatch(f"{text} 00:00") for _, _, pattern in _COMPILED):
        raise ScheduleError(f'{text!r} names no time of day; write for example "{text} 09:00"')
    raise ScheduleError(f"{text!r} is not a schedule; {_ACCEPTED}")


def _phrase(form: Form, days: tuple[int, ...], said: dict[str, str | None], text: str) -> Phrase:
    times = tuple(sorted({_time(one, text) for one in re.findall(_TIME, said.get("times") or "")}))
    if form in {"hours", "minutes"}:
        step = int(said.get("step") or said.get("step_ko") or 1)
        whole = 24 if form == "hours" else 60
        if step == 0 or whole % step:
            unit = "a day" if form == "hours" else "an hour"
            fitting = ", ".join(str(n) for n in range(1, whole // 2 + 1) if whole % n == 0)
            raise ScheduleError(f"{text!r} does not divide {unit} evenly; write one of {fitting}")
        return Phrase(form, step=step)
    if form == "month":
        digits = re.search(r"\d+", said["day"] or "")
        day = int(digits[0]) if digits else LAST
        if day == 0 or day > 31:
            raise ScheduleError(f"{text!r} names a day that no month has; write 1 to 31")
        return Phrase(form, times, nth=day)
    if form == "nth":
        return Phrase(form, times, _days(said), nth=_ordinal(said["nth"] or ""))
    return Phrase(form, times, days or (_days(said) if said.get("days") else ()))


def _days(said: dict[str, str | None]) -> tuple[int, ...]:
    text = said["days"] or ""
    english = [n for n, day in enumerate(DAYS_EN) if day.lower() in text.lower()]
    korean = [n for n, day in enumerate(DAYS_KO) if day in text.replace("요일", "")]
    return tuple(english or korean)


def _ordinal(text: str) -> int:
    word = re.sub(r"\s*번째$", "", text.strip().lower())
    return LAST if word == "마지막" else {**ORDINALS_EN, **ORDINALS_KO}[word]


def _time(text: str, whole: str) -> tuple[int, int]:
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    hour, minute = numbers[0], numbers[1] if len(numbers) > 1 else 0
    if "오" in text and not 1 <= hour <= 12:
        hour = 24
    elif "오후" in text:
        hour = hour % 12 + 12
    elif "오전" in text:
        hour %= 12
    if hour > 23 or minute > 59:
        raise ScheduleError(
            f"{text!r} in {whole!r} is no time of day; "
            "write 00:00 to 23:59, or 오전/오후 1시 to 12시"
        )
    return hour, minute
