"""The command line: one file per command, loaded when it is called; decides nothing.

What belongs here: reading arguments, asking the running server through its API, and showing the
answer to a person or, with ``-o json``, to a script. What does not: any rule about what may be done
(the server's), and any sentence outside ``words.py`` and ``sentences.py``.

This module is imported for every command, ``version`` and ``--help`` included, so it imports click
and constants and nothing else; ``bench/startup.py`` watches over that.
"""

from opsbook.cli.root import main

__all__ = ["main"]
