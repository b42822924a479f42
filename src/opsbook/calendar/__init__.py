"""Recurrences, working days and time zones: when something comes, as pure functions of ``now``.

What belongs here is arithmetic of the calendar: schedules as people write them, business days and
holidays, dates relative to a D-Day, opening hours, windows and freezes, and the hour that a change
to summer time skips or repeats. What does not: a clock (``now`` is always an argument), a loop that
waits, and what happens when the time comes; those belong to the packages that act.
"""

from opsbook.calendar.days import Days
from opsbook.calendar.errors import ScheduleError
from opsbook.calendar.hours import Hours
from opsbook.calendar.local import Span, happens, overlaps
from opsbook.calendar.offset import Offset
from opsbook.calendar.schedule import Schedule
from opsbook.calendar.window import Freeze, Window

__all__ = [
    "Days",
    "Freeze",
    "Hours",
    "Offset",
    "Schedule",
    "ScheduleError",
    "Span",
    "Window",
    "happens",
    "overlaps",
]
