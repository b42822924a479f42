"""The book: the folder of Markdown and YAML that Opsbook runs, loaded, validated, immutable.

What belongs here: the model of every section, reading it with source positions, every problem of a
book with its place and remedy, runbooks as steps, the revision (content hash) and its files.
What does not: the kinds of checks and steps (upper packages pass them in as a `Vocabulary`), where
revisions are stored, and anything that runs. No clock, no network, no database; the disk only in
`files.read_folder`.
"""

from opsbook.book.files import Files, Revision, dump, parse, read_folder, revision_of
from opsbook.book.loader import load
from opsbook.book.model import Book, Vocabulary
from opsbook.book.params import Param, ParameterProblem
from opsbook.book.problems import BookError, Problem
from opsbook.book.runbook import Runbook, Step, check_params
from opsbook.book.texts import Text

__all__ = [
    "Book",
    "BookError",
    "Files",
    "Param",
    "ParameterProblem",
    "Problem",
    "Revision",
    "Runbook",
    "Step",
    "Text",
    "Vocabulary",
    "check_params",
    "dump",
    "load",
    "parse",
    "read_folder",
    "revision_of",
]
