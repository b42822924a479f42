"""The one form of a book's files: what `opsbook fmt` writes.

What belongs here: how a YAML text and a runbook's page are laid out, and the proof that laying them
out changed nothing that is read. What does not: what a book may say (`opsbook.book`), and what is
told to a person about it (the command line).

A text is never dumped from data. It keeps its words, its order and its comments, and only the
blanks between them are set anew, which is why nothing can get lost on the way. A round trip through
a YAML library was refused: it moves comments, joins wrapped lines, and takes twelve seconds for a
file of 15,000 lines.
"""

from opsbook.book.form.folder import Outcome, find, write
from opsbook.book.form.text import Formed, formed

__all__ = ["Formed", "Outcome", "find", "formed", "write"]
