"""The cost of reading YAML, for each line, against PyYAML's own C loader.

The text is the YAML of a book with 5,000 checks and as many rules in 50 files, and once more all
the checks in one file. `yaml.load` gives data without places, `yaml.compose` gives nodes with
places, which is what one would start from otherwise. `read` gives data and, when asked, the places;
the second figure has asked each file for one. All are done in turn with the search for garbage
paused, as a load pauses it, and once without that. Printed are medians of CPU time.
"""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable

import _big_book as big_book
import yaml

from opsbook.book import yamlpos

RUNS = 5


def read(text: str) -> object:
    return yamlpos.read(text, "f.yaml").data


def read_and_ask(text: str) -> object:
    return yamlpos.read(text, "f.yaml").positions.key(("checks", "service-1-1", "every"))


WAYS: dict[str, Callable[[str], object]] = {
    "yaml.load (C)": lambda text: yaml.load(text, Loader=yaml.CSafeLoader),
    "yaml.compose (C)": lambda text: yaml.compose(text, Loader=yaml.CSafeLoader),
    "read": read,
    "read, one place asked for": read_and_ask,
}


def took(way: Callable[[str], object], texts: list[str], *, collecting: bool) -> float:
    gc.collect()
    if not collecting:
        gc.disable()
    begun = time.process_time()
    kept = [way(text) for text in texts]
    done = time.process_time() - begun
    gc.enable()
    del kept
    return done


def table(texts: list[str], *, collecting: bool) -> str:
    lines = sum(text.count("\n") for text in texts)
    columns: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(RUNS):
        for name, way in WAYS.items():
            columns[name].append(took(way, texts, collecting=collecting))
    medians = {name: statistics.median(column) / lines * 1e6 for name, column in columns.items()}
    bare = medians["yaml.load (C)"]
    return "".join(
        f"  {name:<28}{cost:6.2f} µs a line   ratio {cost / bare:.2f}\n"
        for name, cost in medians.items()
    )


def main() -> None:
    many = [text for name, text in big_book.files().items() if name.endswith(".yaml")]
    parts = [text.partition("checks:\n")[2].partition("\nrules:")[0] for text in many]
    one = ["checks:\n" + "\n".join(part for part in parts if part)]
    for told, texts in (("50 files", many), ("one file", one)):
        for collecting in (False, True):
            paused = "on" if collecting else "paused"
            sys.stdout.write(f"{told}, search for garbage {paused}\n")
            sys.stdout.write(table(texts, collecting=collecting))


if __name__ == "__main__":
    main()
