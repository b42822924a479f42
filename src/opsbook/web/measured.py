"""What a rule measured, in the visitor's language: the parts of `alerts.measuring.Explained`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from opsbook.alerts.measuring import Explained
from opsbook.base.quantities import Band, Quantity
from opsbook.web import words
from opsbook.web.i18n import Speech


def told(speech: Speech, found: Explained) -> list[str]:
    """Return one sentence each: what was measured, and which limit it met, or why nobody knows."""
    return [
        speech.say(
            part.template, **{name: _value(speech, one) for name, one in part.values.items()}
        )
        for part in found.parts
    ]


def _value(speech: Speech, value: Any) -> str:
    match value:
        case timedelta():
            return words.length(speech, value)
        case Quantity():
            return words.value(speech, value.value, value.unit)
        case Band():
            return words.band(speech, value)
        case str() if value in words.CHECK:
            return speech.say(words.CHECK[value].word)
    return str(value)
