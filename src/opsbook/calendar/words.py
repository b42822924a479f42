"""Schedules in words, English and Korean: ``every Monday 10:00``, ``매월 첫째 주 일요일 02:00``.

A phrase is read by a handful of patterns, one per form, never by guessing at the words in it: what
does not match as a whole is refused with the forms that would. Two clauses may follow any of them
and are taken off first: what happens on a holiday, and the date that every-N-weeks counts from.

"첫째 주 일요일" is taken as the month's first Sunday, which is what duty tables mean by it, also
where that Sunday lies in the calendar's second row. "분기 15일" is refused: which month's?
"""

from __future__ import annotations

import calendar
import re
from dataclasses import replace
from datetime import date
from typing import Any, cast

from opsbook.calendar.errors import ScheduleError
from opsbook.calendar.phrase import (
    DAYS_EN,
    DAYS_KO,
    EVERY_DAY,
    LAST,
    MONTHS_EN,
    ORDINALS_EN,
    WEEKDAYS,
    WEEKEND,
    Form,
    Period,
    Phrase,
    Shift,
)

__all__ = ["Phrase", "ScheduleError", "is_cron", "read", "split_shift"]

TIME = r"(?:(?:오전|오후)\s*)?\d{1,2}(?::\d{2}|시(?:\s*\d{1,2}분)?)"
_TIMES = rf"(?:\s+(?:at\s+)?(?P<times>{TIME}(?:\s*(?:,|and|및|와)\s*{TIME})*))"
_DAY_EN = rf"(?:{'|'.join(f'{day}s?' for day in DAYS_EN)})"
DAYS_IN_ENGLISH = rf"(?P<days>{_DAY_EN}(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+){_DAY_EN})*)"
DAYS_IN_KOREAN = r"(?P<days>[일월화수목금토](?:요일)?(?:\s*[,·]\s*[일월화수목금토](?:요일)?)*)"
_NTH_EN = rf"(?P<nth>{'|'.join(ORDINALS_EN)}|\d{{1,2}}(?:st|nd|rd|th))"
_NTH_KO = (
    r"(?P<nth>첫째|둘째|셋째|넷째|다섯째|마지막|(?:첫|두|세|네|다섯|\d{1,2})\s*번째|\d{1,2}째|첫)"
)
_OF_EN = r"(?: (?:of )?(?:the|every|each) (?P<period>month|quarter|year))?"
_OF_KO = r"(?P<period>매월|매달|(?:매\s*)?분기(?:마다)?|매년)\s*"
_QUARTER_KO = r"(?:매\s*)?분기(?:마다)?\s*"
_MONTH_EN = rf"(?P<month>{'|'.join(MONTHS_EN)})"
_DAY_OF_EN = r"(?:the )?(?P<day>day \d{1,2}|last day)"
_DAY_OF_KO = r"(?P<day>\d{1,2}일|말일|마지막\s*날)"

_FORMS: tuple[tuple[Form, dict[str, Any], str], ...] = (
    ("week", {"days": EVERY_DAY}, rf"(?:every day|daily|매일){_TIMES}"),
    ("week", {"days": WEEKDAYS}, rf"(?:(?:every )?weekdays?|평일){_TIMES}"),
    ("week", {"days": WEEKEND}, rf"(?:(?:every )?weekends?|주말){_TIMES}"),
    ("week", {}, rf"every {DAYS_IN_ENGLISH}{_TIMES}"),
    ("week", {}, rf"매주\s*{DAYS_IN_KOREAN}{_TIMES}"),
    ("week", {}, rf"every (?P<weeks>\d{{1,2}}) weeks? on {DAYS_IN_ENGLISH}{_TIMES}"),
    ("week", {}, rf"(?P<weeks>\d{{1,2}})주\s*마다\s*{DAYS_IN_KOREAN}{_TIMES}"),
    (
        "week",
        {"step": 2},
        rf"(?:(?:bi-?weekly|every other week) on|every other) {DAYS_IN_ENGLISH}{_TIMES}",
    ),
    ("week", {"step": 2}, rf"격주\s*{DAYS_IN_KOREAN}{_TIMES}"),
    ("nth", {}, rf"(?:the |every )?{_NTH_EN} {DAYS_IN_ENGLISH}{_OF_EN}{_TIMES}"),
    ("nth", {}, rf"{_OF_KO}{_NTH_KO}(?:\s*주)?\s*{DAYS_IN_KOREAN}{_TIMES}"),
    ("business", {"period": "day"}, rf"(?:every business day|매\s*영업일){_TIMES}"),
    ("business", {}, rf"(?:the |every )?{_NTH_EN} business day{_OF_EN}{_TIMES}"),
    ("business", {}, rf"{_OF_KO}{_NTH_KO}\s*영업일{_TIMES}"),
    ("day", {}, rf"every (?P<period>month|quarter) on {_DAY_OF_EN}{_TIMES}"),
    ("day", {}, rf"(?:매월|매달)\s*{_DAY_OF_KO}{_TIMES}"),
    ("day", {"period": "quarter", "nth": 1}, rf"{_QUARTER_KO}첫\s*날{_TIMES}"),
    ("day", {"period": "quarter"}, rf"{_QUARTER_KO}첫\s*달\s*(?P<day>\d{{1,2}}일){_TIMES}"),
    ("day", {"period": "quarter"}, rf"{_QUARTER_KO}(?P<day>말일|마지막\s*날){_TIMES}"),
    ("date", {}, rf"every year on {_MONTH_EN} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?{_TIMES}"),
    ("date", {}, rf"every year on the (?P<day>last day) of {_MONTH_EN}{_TIMES}"),
    ("date", {}, rf"매년\s*(?P<month>\d{{1,2}})월\s*{_DAY_OF_KO}{_TIMES}"),
    ("hours", {}, r"every (?P<step>\d{1,2} )?hours?|매시간|매시|(?P<step_ko>\d{1,2})시간\s*마다"),
    ("minutes", {}, r"every (?P<step>\d{1,2} )?minutes?|매분|(?P<step_ko>\d{1,2})분\s*마다"),
)
_COMPILED = tuple((form, fixed, re.compile(text, re.IGNORECASE)) for form, fixed, text in _FORMS)

_SHIFTS: dict[Shift, str] = {
    "next": r"or (?:on )?the next business day|휴일이면\s*다음\s*영업일(?:에)?",
    "before": r"or (?:on )?the business day before|휴일이면\s*(?:직전|이전)\s*영업일(?:에)?",
    "skip": r"except (?:on )?(?:public )?holidays|(?:공?휴일)\s*제외",
}
_ANY_SHIFT = "|".join(f"(?P<{shift}>{text})" for shift, text in _SHIFTS.items())
_SHIFT = re.compile(rf"[\s,]+(?:{_ANY_SHIFT}),?(?=\s|$)", re.IGNORECASE)
_ANCHOR = re.compile(
    r"[\s,]+(?:from (?P<en>\d{4}-\d{2}-\d{2})|(?P<ko>\d{4}-\d{2}-\d{2})\s*부터),?(?=\s|$)",
    re.IGNORECASE,
)

_ACCEPTED = (
    'write "every day 09:00", "every Monday 10:00", "first business day 10:00" or a cron line '
    'such as "0 3 * * *"; see docs/reference/calendar.md'
)
_ACCEPTED_KO = (
    'write "매일 09:00", "매주 월요일 10:00", "매월 첫 영업일 10:00" or a cron line '
    'such as "0 3 * * *"; see docs/reference/calendar.md'
)
_HANGUL = re.compile("[가-힣]")


def is_cron(text: str) -> bool:
    """Whether a text is meant as a cron line: five fields, none of which is a word of a phrase."""
    fields = text.split()
    return len(fields) == 5 and all(re.fullmatch(r"[0-9A-Z*/,#-]+", part) for part in fields)


def split_shift(text: str) -> tuple[str, Shift]:
    """The text without its rule for holidays, and that rule; two rules are an error."""
    found = list(_SHIFT.finditer(text))
    if len(found) > 1:
        raise ScheduleError(f"{text!r} says twice what happens on a holiday; leave one rule")
    if not found:
        return text, ""
    rest = f"{text[: found[0].start()]} {text[found[0].end() :]}"
    return " ".join(rest.split()), cast("Shift", found[0].lastgroup)


def read(text: str) -> Phrase:
    """Understand a phrase, or raise ScheduleError with the forms there are."""
    rest, shift = split_shift(text)
    anchors = [match["en"] or match["ko"] for match in _ANCHOR.finditer(rest)]
    core = " ".join(_ANCHOR.sub(" ", rest).split())
    for form, fixed, pattern in _COMPILED:
        if matched := pattern.fullmatch(core):
            said = {name: value or "" for name, value in matched.groupdict().items()}
            phrase = _phrase(form, fixed, said, text)
            anchor = _anchor(phrase, anchors, text)
            _fitting(phrase, shift, text)
            return replace(phrase, anchor=anchor, shift=shift)
    if any(pattern.fullmatch(f"{core} 00:00") for _, _, pattern in _COMPILED):
        raise ScheduleError(f'{text!r} names no time of day; write for example "{core} 09:00"')
    accepted = _ACCEPTED_KO if _HANGUL.search(text) else _ACCEPTED
    raise ScheduleError(f"{text!r} is not a schedule; {accepted}")


def _phrase(form: Form, fixed: dict[str, Any], said: dict[str, str], text: str) -> Phrase:
    values: dict[str, Any] = {"form": form, **fixed}
    values["times"] = tuple(
        sorted({time_of_day(one, text) for one in re.findall(TIME, said.get("times", ""))})
    )
    if said.get("period"):
        values["period"] = _period(said["period"])
    if said.get("days"):
        values["days"] = days_of(said["days"])
    if said.get("weeks"):
        values["step"] = _weeks(said["weeks"], text)
    if said.get("month"):
        values["month"] = _month(said["month"], text)
    if said.get("day"):
        digits = re.search(r"\d+", said["day"])
        values["nth"] = int(digits[0]) if digits else LAST
    if said.get("nth"):
        values["nth"] = _ordinal(said["nth"], most=5 if form == "nth" else 20, text=text)
    if form in {"hours", "minutes"}:
        values["step"] = _dividing(form, said, text)
    phrase = Phrase(**values)
    if form in {"day", "date"}:
        _existing_day(phrase, text)
    return phrase


def _fitting(phrase: Phrase, shift: Shift, text: str) -> None:
    if shift and phrase.form == "business":
        raise ScheduleError(f"{text!r}: a business day is never a holiday; leave the holidays out")
    if shift in {"next", "before"} and phrase.form in {"hours", "minutes"}:
        raise ScheduleError(
            f"{text!r}: what comes through the day cannot move to another; "
            'write "except holidays", or give it times of day'
        )


def _anchor(phrase: Phrase, said: list[str], text: str) -> date | None:
    if phrase.step == 1 or phrase.form != "week":
        if said:
            raise ScheduleError(
                f"{text!r}: only a schedule of every 2 weeks or more counts from a date; "
                f'leave out "{said[0]}"'
            )
        return None
    if len(said) != 1:
        raise ScheduleError(
            f"{text!r} must say once which week comes first; "
            'write for example "every 2 weeks on Monday 10:00 from 2026-01-05" or '
            '"격주 월요일 10:00, 2026-01-05부터"'
        )
    try:
        anchor = date.fromisoformat(said[0])
    except ValueError:
        raise ScheduleError(f"{said[0]!r} in {text!r} is no date; write 2026-01-05") from None
    if not 1970 <= anchor.year <= 2200:
        raise ScheduleError(f"{said[0]!r} in {text!r} is out of reach; write a date 1970 to 2200")
    return anchor


def _period(said: str) -> Period:
    word = said.lower()
    if word in {"매월", "매달"}:
        return "month"
    if "분기" in word:
        return "quarter"
    return "year" if word == "매년" else cast("Period", word)


def days_of(text: str) -> tuple[int, ...]:
    """The weekdays named in a matched list, Sunday 0."""
    english = [n for n, day in enumerate(DAYS_EN) if day.lower() in text.lower()]
    korean = [n for n, day in enumerate(DAYS_KO) if day in text.replace("요일", "")]
    return tuple(english or korean)


def _weeks(said: str, text: str) -> int:
    if not 2 <= int(said) <= 52:
        raise ScheduleError(
            f'{text!r} must name 2 to 52 weeks; for each week write "every Monday 10:00"'
        )
    return int(said)


def _month(said: str, text: str) -> int:
    if not said.isdecimal():
        return [month.lower() for month in MONTHS_EN].index(said.lower()) + 1
    if not 1 <= int(said) <= 12:
        raise ScheduleError(f"{text!r} names a month that no year has; write 1월 to 12월")
    return int(said)


def _ordinal(said: str, *, most: int, text: str) -> int:
    word = said.lower()
    if word in ORDINALS_EN:
        return ORDINALS_EN[word]
    if word == "마지막":
        return LAST
    digits = re.match(r"\d+", word)
    number = int(digits[0]) if digits else "첫두세네다".find(word[0]) + 1
    number = number or "첫둘셋넷다".find(word[0]) + 1
    if not 1 <= number <= most:
        raise ScheduleError(f"{said!r} in {text!r} is too far; write 1 to {most}, or the last")
    return number


def _dividing(form: Form, said: dict[str, str], text: str) -> int:
    step = int(said.get("step") or said.get("step_ko") or 1)
    whole = 24 if form == "hours" else 60
    if step == 0 or whole % step:
        unit = "a day" if form == "hours" else "an hour"
        fitting = ", ".join(str(n) for n in range(1, whole // 2 + 1) if whole % n == 0)
        raise ScheduleError(f"{text!r} does not divide {unit} evenly; write one of {fitting}")
    return step


def _existing_day(phrase: Phrase, text: str) -> None:
    if phrase.form == "date":
        longest = calendar.monthrange(2024, phrase.month)[1]
        if phrase.nth != LAST and not 1 <= phrase.nth <= longest:
            raise ScheduleError(
                f"{text!r} never comes: {MONTHS_EN[phrase.month - 1]} has {longest} days at most; "
                f"write 1 to {longest}, or the last day"
            )
    elif phrase.nth != LAST and not 1 <= phrase.nth <= 31:
        raise ScheduleError(f"{text!r} names a day that no month has; write 1 to 31")


def time_of_day(text: str, whole: str) -> tuple[int, int]:
    """(hour, minute) of ``09:00``, ``오후 6시 30분``; `whole` is what the error names."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    hour, minute = numbers[0], numbers[1] if len(numbers) > 1 else 0
    if "오" in text and not 1 <= hour <= 12:
        hour = 24
    elif "오후" in text:
        hour = hour % 12 + 12
    elif "오전" in text:
        hour %= 12
    if hour > 23 or minute > 59:
        accepted = "write 00:00 to 23:59"
        if _HANGUL.search(whole):
            accepted = "write 00:00 to 23:59, or 오전/오후 1시 to 12시"
        raise ScheduleError(f"{text!r} in {whole!r} is no time of day; {accepted}")
    return hour, minute
