"""The file that an errand is started from: `python -I …/errands/__main__.py http`.

As with the supervisor's helper, the folder gets a package name of its own, so that nothing of
`opsbook` is loaded.
"""

import sys

NAME = "opsbook_errands"
ERRANDS = ("http", "postgresql", "promql", "sqlite")

if __name__ == "__main__":
    package = type(sys)(NAME)
    package.__path__ = [__file__.rpartition("/")[0]]
    sys.modules[NAME] = package
    word = sys.argv[1]
    if word not in ERRANDS:
        raise SystemExit(f"there is no errand {word!r}: this is a bug")
    leaving = __import__(f"{NAME}.leaving", fromlist=["main"])
    leaving.main(__import__(f"{NAME}.{word}", fromlist=["go"]))
