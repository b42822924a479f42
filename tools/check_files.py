"""Names every Python file that is too long to keep in the head and does not say why.

A file past 600 lines may have a good reason; it then carries, in its first lines, a line with
"Long because" and the reason. Run by `make lint` over the folders given as arguments.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

LONGEST = 600
TOP = 20
REASON = re.compile(r"\blong because\b.{10,}", re.IGNORECASE)


def findings(folders: Iterable[Path]) -> Iterator[str]:
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            lines = path.read_text(encoding="utf-8").splitlines()
            if len(lines) > LONGEST and not any(REASON.search(line) for line in lines[:TOP]):
                yield (
                    f"{path}:{LONGEST + 1}: {len(lines)} lines, more than {LONGEST}: split it by "
                    f'idea, or say "Long because …" in its first {TOP} lines'
                )


def main(arguments: list[str]) -> int:
    found = list(findings(Path(argument) for argument in arguments))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
