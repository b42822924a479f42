"""Validating a book of 1,000 runbooks, 5,000 checks and 5,000 rules: time and memory.

Each run is a process of its own, which reads the folder and loads the book as `opsbook validate`
does (its start is not counted), and tells how much memory it ever held. Beside it, in another
process, the least that any reader of such a book does: PyYAML's own C loader over the YAML files
and markdown-it over the pages, with nothing validated and no place kept. Both are done in turn.
Printed are medians (of CPU time, the system's share included) and their ratio; the aims are 2 s and
200 MB.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import _big_book as big_book

RUNS = 5
MIB = 1024


def bare(folder: Path) -> None:
    import yaml
    from markdown_it import MarkdownIt

    texts = {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.*"))}
    parser = MarkdownIt("commonmark").enable("table")
    begun = time.process_time()
    kept: list[object] = []
    for path, text in texts.items():
        if path.suffix == ".yaml":
            kept.append(yaml.load(text, Loader=yaml.CSafeLoader))
        else:
            kept.append(parser.parse(text))
    tell(begun)


def ours(folder: Path) -> None:
    from opsbook.app import vocabulary
    from opsbook.book import load, read_folder

    known = vocabulary()
    begun = time.process_time()
    load(read_folder(folder), known)
    tell(begun)


def tell(begun: float) -> None:
    took = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    sys.stdout.write(json.dumps({"s": took, "mb": peak}))


def run(what: str, folder: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--only", what, str(folder)], check=True, capture_output=True
    )
    told: dict[str, float] = json.loads(done.stdout)
    return told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.only:
        {"bare": bare, "ours": ours}[asked.only[0]](Path(asked.only[1]))
        return
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        big_book.write(folder)
        pairs = [(run("bare", folder), run("ours", folder)) for _ in range(RUNS)]
    least, most = (
        {key: statistics.median(one[key] for one in column) for key in ("s", "mb")}
        for column in zip(*pairs, strict=True)
    )
    sys.stdout.write(
        f"PyYAML and markdown-it alone   {least['s']:6.2f} s   {least['mb']:5.0f} MB\n"
        f"read and validated             {most['s']:6.2f} s   {most['mb']:5.0f} MB\n"
        f"ratio                          {most['s'] / least['s']:6.2f}\n"
    )


if __name__ == "__main__":
    main()
