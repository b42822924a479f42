"""What a sender's words for severities are in a book, and matchers that speak in these words.

An alert that comes in has the book's word by the time it is routed (`severities` of its intake),
and a rule of the book has none but the book's. So whatever asks for a severity is translated with
it, or an alert that is P1 would pass by the route for what is critical.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from opsbook.alerts.exchange.findings import Finding
from opsbook.alerts.exchange.known import Known
from opsbook.base.errors import Invalid
from opsbook.book.matchers import Matcher, alternatives

LABEL: Final = "severity"
OTHERWISE: Final = ""
"""In what was given: what stands for a rule or an alert that says no severity."""


def words(given: Iterable[str], known: Known | None = None) -> dict[str, str]:
    """Read ``critical=P1`` and ``P3`` (what stands for no word at all) as a map.

    Raises:
        Invalid: a word or an id is empty, said twice, or no severity of the book; all at once.
    """
    found: dict[str, str] = {}
    there = (known or Known()).ids.get("severities", frozenset())
    wrong, remedies = [], []
    for one in given:
        word, said, here = one.partition("=")
        word, here = (word, here) if said else (OTHERWISE, word)
        if not here or (said and not word):
            wrong.append(f"--severity {one!r} says nothing.")
            remedies.append("Write --severity WORD=ID, or --severity ID for what says none.")
        elif found.get(word, here) != here:
            wrong.append(f"--severity says twice what {word!r} is: {found[word]} and {here}.")
            remedies.append("Leave one of them out.")
        elif there and here not in there:
            wrong.append(f"--severity {one}: the book has no severity {here!r}.")
            remedies.append(f"Of the book: {', '.join(sorted(there))}.")
        found[word] = here
    if wrong:
        raise Invalid(" ".join(wrong), remedy=" ".join(dict.fromkeys(remedies)))
    return found


@dataclass(frozen=True, slots=True)
class Words:
    """What is known of words: those that were given, those of the book's intakes, its severities.

    A word is the same in any case of letters, as it is to an intake.
    """

    given: Mapping[str, str]
    known: Known
    _folded: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        both = {**self.known.words, **self.given}
        folded = {word.casefold(): here for word, here in both.items() if word != OTHERWISE}
        object.__setattr__(self, "_folded", folded)

    @property
    def there(self) -> frozenset[str]:
        """The severities of the book, as far as it is there."""
        return self.known.ids.get("severities", frozenset())

    def here(self, word: str) -> str | None:
        """What a word is in the book; None where nobody says so."""
        if (found := self._folded.get(word.casefold())) is not None:
            return found
        return word if word in self.there or word in self._folded.values() else None

    def translated(self, one: Matcher) -> tuple[Matcher, tuple[tuple[str, str], ...]]:
        """Return a matcher in the book's words, and what there is to say: message and remedy."""
        if one.name != LABEL or not one.value or not (self._folded or self.there):
            return one, ()
        named = alternatives(one.value) if one.is_regex else (one.value,)
        if named is None:
            if not self._folded and any(one.matches({LABEL: id}) for id in self.there):
                return one, ()
            told = f"{one} is no list of words, and stays as it is"
            return one, ((told, f"write the severities of the book: {self._listed}"),)
        made = [self.here(word) or word for word in named]
        ids = tuple(dict.fromkeys(made))
        said = tuple(self._unsaid(one, named)) + tuple(self._wider(one, named))
        if ids == named:
            return one, said
        if len(ids) == 1:
            return Matcher(LABEL, "=" if one.is_equal else "!=", ids[0]), said
        value = "|".join(id.replace(".", "\\.") for id in ids)
        return Matcher(LABEL, "=~" if one.is_equal else "!~", value), said

    def _unsaid(self, one: Matcher, named: Iterable[str]) -> Iterator[tuple[str, str]]:
        for word in named:
            if word and self.here(word) is None and (self.there or self.given):
                told = f"{one}: nothing says what {word!r} is in the book, and it stays as it is"
                yield told, f"say it: --severity {word}=…, one of {self._listed}"

    def _wider(self, one: Matcher, named: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Two words that are one severity here cannot be told apart any more."""
        folded = {word.casefold() for word in named if word not in self.there}
        ids = {self._folded[word] for word in folded if word in self._folded}
        more = [w for w, here in self._folded.items() if here in ids and w not in folded]
        if more:
            told = f"{one} means what is {', '.join(sorted(more))} as well, which is the same here"
            yield told, "give them severities of their own, or labels to tell them apart by"

    @property
    def _listed(self) -> str:
        return ", ".join(sorted(self.there or set(self._folded.values())))


def written(given: Mapping[str, str]) -> str:
    """What was given as a book has it at an intake: ``severities: {critical: P1}``."""
    named = ", ".join(f"{word}: {here}" for word, here in given.items() if word != OTHERWISE)
    return f"severities: {{{named}}}"


def lacking(words: Words) -> Iterator[tuple[str, str]]:
    """For each intake of the book that a Prometheus speaks to, the given words it does not know."""
    for id, known in words.known.doors.items():
        folded = {word.casefold() for word in known}
        missing = {
            word: here
            for word, here in words.given.items()
            if word != OTHERWISE and word.casefold() not in folded
        }
        if missing:
            told = f"what comes in by {id} says {', '.join(missing)} still"
            yield told, f"write {written(missing)} under intakes.{id} of the book"


def passed_by(words: Words) -> Iterator[Finding]:
    """Routes and inhibitions of the book that ask for a word that was given another meaning now."""
    given = {word.casefold(): here for word, here in words.given.items() if word != OTHERWISE}
    for one in words.known.asked:
        named = (
            alternatives(one.matcher.value) or () if one.matcher.is_regex else (one.matcher.value,)
        )
        lost = [word for word in named if word not in words.there and word.casefold() in given]
        for word in lost:
            here = given[word.casefold()]
            told = f"{one.path}: {one.matcher} does not mean the rules that are {here} now"
            remedy = f"write {here} there instead of {word}"
            yield Finding(one.file, one.line, one.column, "changed", told, remedy)
