"""The file that the helper process is started from: `python -I -S .../supervisor/__main__.py`.

It gives the folder it lies in a package name of its own, so that the modules beside it can import
each other while neither `opsbook` nor `opsbook.runs` (the engine, the database, half the tree) is
ever loaded: every page this process has is a page that every keeper's fork must copy.
"""

import sys

NAME = "opsbook_supervisor"

if __name__ == "__main__":
    package = type(sys)(NAME)
    package.__path__ = [__file__.rpartition("/")[0]]
    sys.modules[NAME] = package
    __import__(f"{NAME}.spawner", fromlist=["main"]).main()
