"""The slow and obvious way to say when something comes: look at every day, look at every minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZONES = (
    "Asia/Seoul", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Australia/Lord_Howe",
    "America/St_Johns", "America/Sao_Paulo", "Africa/Casablanca", "UTC",
)  # fmt: skip
CHANGES = (
    (2024, 3, 10), (2024, 11, 3), (2024, 3, 31), (2024, 10, 27), (2011, 12, 30), (2012, 4, 1),
    (2012, 9, 30), (2024, 4, 7), (2024, 10, 6), (2007, 3, 11), (2007, 11, 4), (2018, 2, 18),
    (2018, 11, 4), (2024, 4, 14),
)  # fmt: skip
"""Days about which one of the zones changes its clocks (St John's did so a minute after midnight,
São Paulo at midnight, Samoa by a whole day)."""


def wall(instant, zone):
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def first_reading(local, zone):
    """The first minute at which the wall clock reads `local` or later."""
    minute = local.replace(tzinfo=UTC) - 40 * HOUR
    assert wall(minute, zone) < local
    for step in (HOUR, MINUTE):
        while wall(minute + step, zone) < local:
            minute += step
            if step == HOUR and abs(wall(minute, zone) - local) < 27 * HOUR:
                break
    return minute + MINUTE


def instants():
    """Random minutes of twelve years, half of them near a change of some clock."""
    near = st.builds(
        lambda day, minutes: datetime(*day, tzinfo=UTC) + minutes * MINUTE,
        st.sampled_from(CHANGES),
        st.integers(-2 * 1440, 3 * 1440),
    )
    anywhere = st.integers(0, 12 * 365 * 1440).map(
        lambda minutes: datetime(2019, 1, 1, tzinfo=UTC) + minutes * MINUTE
    )
    return near | anywhere
