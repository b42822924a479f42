"""What the calendar refuses; every message names the text and what would be accepted."""


class ScheduleError(ValueError):
    """A text that is no schedule, offset, hours, window or freeze; or one that never comes."""
