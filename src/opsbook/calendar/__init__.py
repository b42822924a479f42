"""Recurrences and time zones: when something comes next, as pure functions of ``now``.

What belongs here is arithmetic of the calendar: schedules as people write them, the hour that a
change to summer time skips or repeats. What does not: a clock (``now`` is always an argument), a
loop that waits, and what happens when the time comes; those are the routines package's.
"""

from opsbook.calendar.schedule import Schedule
from opsbook.calendar.words import ScheduleError

__all__ = ["Schedule", "ScheduleError"]
