"""Bringing what strangers send into bounds: names, sizes, signs that nobody sees, times.

An alert is refused only where nothing sensible could be made of it, since a refused one is one that
nobody hears of. The rules, which docs/reference/intakes.md states for senders:

- A label without a value is no label. A name becomes one by Prometheus' rule: other signs become
  ``_``. `strict` refuses it instead, as Alertmanager's own interface does.
- A value that is too long is cut, in a label with a digest of the whole behind it: what made two
  alerts different still does. More than `MOST` labels are refused, since none can be left out.
- Control characters but for tab and line break become U+FFFD, and so do those that turn the
  direction of writing, with which a text can be made to look like another.
- A start that lies ahead of our clock is set back to now. Up to `AHEAD` it is taken for a clock
  that goes fast, and the end is set back as well; further ahead it is no time at all, and neither
  is an end after it.

Whatever was changed that the sender would want to know is said in the annotation `NOTE`. In it are
only words that stay the same when the same alert is sent again.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from opsbook.alerts.intake.posted import Posted
from opsbook.base.errors import Invalid

MOST: Final = 64
"""Labels of an alert, and annotations of it."""
LONGEST_NAME: Final = 256
LONGEST_LABEL: Final = 1024
LONGEST_ANNOTATION: Final = 10 * 1024
LONGEST_LINK: Final = 2000
"""Bytes of UTF-8."""
AHEAD: Final = timedelta(hours=1)
UNWORTHY: Final = timedelta(seconds=5)
"""By how much any two clocks differ; not worth a note."""
FURTHEST: Final = timedelta(days=3650)
FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)
NOTE: Final = "opsbook_note"

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
_ESCAPED: Final = re.compile(rb"\\(?:u(?!00(?:26|3[ceCE]))|[bfr])")
_UNSEEN_BYTES: Final = re.compile(b"\xc2[\x80-\x9f]|\xe2\x80[\xa8-\xae]|\xe2\x81[\xa6-\xa9]")
_LINK: Final = re.compile(r"https?://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)


class Unfit(Invalid):
    """Of this no alert can be made."""

    status = 400

    @property
    def told(self) -> str:
        """What is wrong and what to do, as it stands behind an alert's place in its batch."""
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


def batch(alerts: Iterable[Posted], now: datetime, *, strict: bool = False) -> tuple[
    list[Posted], list[str]
]:  # fmt: skip
    """Return the alerts in bounds, the latest of each, and why the others are none."""
    good: list[Posted] = []
    bad: list[str] = []
    for n, one in enumerate(alerts):
        try:
            good.append(cleaned(one, now, strict=strict))
        except Unfit as error:
            bad.append(f"alerts[{n}]: {error.told}")
    return latest(good), bad


def latest(alerts: list[Posted]) -> list[Posted]:
    """Return the last of each alert that is there more than once, in the order of these."""
    if len(alerts) < 2:
        return alerts
    found = {_identity(one): n for n, one in enumerate(alerts)}
    return alerts if len(found) == len(alerts) else [alerts[n] for n in sorted(found.values())]


def _identity(one: Posted) -> object:
    return one.key or frozenset(one.labels.items())


def cleaned(one: Posted, now: datetime, *, strict: bool = False) -> Posted:
    """Return an alert in bounds.

    Raises:
        Unfit: it has no labels, too many, or ones without a usable name; strictly also where a
            name would have to be changed, or it ends before it starts.
    """
    notes: list[str] = []
    labels = one.labels if _in_bounds(one.labels) else _labels(one.labels, notes, strict=strict)
    annotations = one.annotations
    if annotations and not _plain(annotations):
        annotations = _annotations(annotations, notes)
    starts, ends = one.startsAt, one.endsAt
    if starts is not None or ends is not None:
        starts, ends = _times(starts, ends, now, notes, strict=strict)
    link = one.generatorURL
    if link and (len(link) > LONGEST_LINK or not _LINK.fullmatch(link)):
        notes.append("its link was left out: it is no address of the web")
        link = ""
    if notes:
        annotations = {**annotations, NOTE: "; ".join(notes)}
    return Posted(labels, annotations, starts, ends, link, one.key and _key(one.key))


# ---- labels and annotations ----------------------------------------------------------------------


def _in_bounds(labels: Mapping[str, str]) -> bool:
    """Whether nothing has to be done, found out at a glance: nearly all labels are like that."""
    if not 0 < len(labels) <= MOST:
        return False
    for name, value in labels.items():
        # 256 characters are at most 1024 bytes.
        if not (0 < len(value) <= 256 and value.isprintable() and is_name(name)):
            return False
    return True


def _plain(annotations: Mapping[str, str]) -> bool:
    if len(annotations) > MOST:
        return False
    for name, value in annotations.items():
        if len(value) > LONGEST_ANNOTATION // 4 or _UNSEEN.search(value) or not is_name(name):
            return False
    return True


@functools.lru_cache(maxsize=4096)
def is_name(name: str) -> bool:
    """Whether a label can be called this, by Prometheus' rule."""
    return len(name) <= LONGEST_NAME and _NAME.fullmatch(name) is not None


def name_of(given: str) -> str:
    """Return the nearest name by Prometheus' rule; an empty text where none is left.

    A name that is too long keeps a digest of the whole, as a value does.
    """
    name = re.sub(r"[^A-Za-z0-9_]", "_", given)
    if name[:1].isdigit():
        name = f"_{name}"
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 17]}_{_digest(given)}"


def _labels(given: Mapping[str, str], notes: list[str], *, strict: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _named(given, strict=strict):
        if not value:
            continue
        clean = text(value)
        if len(clean.encode()) > LONGEST_LABEL:
            clean = f"{_cut(clean, LONGEST_LABEL - 20)}…{_digest(value)}"
            notes.append(f"the label {name} was cut: it was longer than {LONGEST_LABEL} bytes")
        found[name] = clean
    if not found:
        raise Unfit("it has no labels", remedy="give it at least one, such as alertname")
    if len(found) > MOST:
        raise Unfit(f"it has {len(found)} labels", remedy=f"send at most {MOST}")
    return found


def _annotations(given: Mapping[str, str], notes: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _named(given, strict=False):
        if len(found) == MOST:
            notes.append(f"annotations beyond {MOST} were left out")
            break
        clean = text(value)
        if len(clean.encode()) > LONGEST_ANNOTATION:
            clean = f"{_cut(clean, LONGEST_ANNOTATION - 3)}…"
            notes.append(
                f"the annotation {name} was cut: it was longer than {LONGEST_ANNOTATION} bytes"
            )
        found[name] = clean
    return found


def _key(given: str) -> str:
    key = text(given)
    return key if len(key) <= LONGEST_NAME else f"{key[: LONGEST_NAME - 17]}…{_digest(given)}"


def _named(given: Mapping[str, str], *, strict: bool) -> list[tuple[str, str]]:
    """Return pairs under usable names; where two become the same, the one that was so already."""
    made: dict[str, str] = {}
    for name, value in sorted(given.items(), key=lambda pair: not is_name(pair[0])):
        if strict and not is_name(name):
            raise Unfit(
                f"{shown(name)} is no name for a label",
                remedy="use letters, digits and _, not starting with a digit",
            )
        usable = name if is_name(name) else name_of(name)
        if not usable:
            raise Unfit("one of its labels has no name", remedy="give it one, or leave it out")
        made.setdefault(usable, value)
    return list(made.items())


def may_hide(body: bytes) -> bool:
    """Whether JSON may have in it what `text` replaces; seldom, and told without reading it.

    JSON writes control characters with a backslash, but for U+007F; the others are no ASCII. What
    Go writes so in every link (``&``, ``<``, ``>``) is none of them.
    """
    return (
        _ESCAPED.search(body) is not None
        or b"\x7f" in body
        or (not body.isascii() and _UNSEEN_BYTES.search(body) is not None)
    )


def text(value: str) -> str:
    """Return a text with nothing in it that cannot be seen, but for tabs and line breaks."""
    if not _UNSEEN.search(value):
        return value
    return _UNSEEN.sub("\ufffd", value.replace("\r\n", "\n"))


def shown(value: str) -> str:
    """Return a stranger's word as it may stand in a message of ours: short, on one line."""
    return repr(value if len(value) <= 60 else f"{value[:59]}…")


def _cut(value: str, size: int) -> str:
    return value.encode()[:size].decode(errors="ignore")


def _digest(value: str) -> str:
    whole = value.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(whole, digest_size=8).hexdigest()


# ---- times ---------------------------------------------------------------------------------------


def moment(value: datetime | None) -> datetime | None:
    """Return a time in UTC; none for the first day of all, by which Go says that it has none.

    A time without a zone is one in UTC.
    """
    if value is None or value.year <= 1:
        return None
    if value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    try:
        return value.astimezone(UTC)
    except OverflowError:
        return None


def since_1970(seconds: float) -> datetime | None:
    """Return a time from seconds since 1970; none for a number that is none."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _times(
    starts: datetime | None, ends: datetime | None, now: datetime, notes: list[str], *, strict: bool
) -> tuple[datetime | None, datetime | None]:
    starts, ends = moment(starts), moment(ends)
    if starts is not None and ends is not None and ends < starts:
        if strict:
            raise Unfit(
                f"it ends ({_told(ends)}) before it starts ({_told(starts)})",
                remedy="correct startsAt or endsAt, or leave them out",
            )
        notes.append(f"startsAt {_told(starts)} was after its end, which is taken as its start")
        starts = ends
    if starts is not None and starts > now:
        ahead = starts - now
        if ahead > UNWORTHY:
            notes.append(f"startsAt {_told(starts)} was ahead of this server's clock")
        if ends is not None and ahead <= AHEAD:
            ends -= ahead
        elif ends is not None and ends > now:
            ends = None
        starts = now
    elif starts is not None and starts < FIRST:
        notes.append(f"startsAt {_told(starts)} was left out: it is before {FIRST.year}")
        starts = None
    if ends is not None and ends > now + FURTHEST:
        ends = now + FURTHEST
    elif ends is not None and ends < FIRST:
        ends = FIRST
    return starts, ends


def _told(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def ended(status: str, ends: datetime | None, now: datetime) -> datetime | None:
    """Return the end of an alert whose sender says in a word whether it is over.

    The word counts: an end that is still to come is none for what is over, and one that has passed
    is none for what goes on.
    """
    ends = moment(ends)
    if status == "resolved":
        return ends if ends is not None and ends <= now else now
    return ends if ends is not None and ends > now else None
