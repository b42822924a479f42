"""Whether a runbook can start with what it is given: all of it filled, with what it accepts."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from opsbook.book import params, walk
from opsbook.book.positions import Path
from opsbook.book.problems import Problem, suggestion
from opsbook.book.refs import Start
from opsbook.book.runbook import Runbook
from opsbook.book.sections.alerts import LABEL
from opsbook.book.validate.whole import Whole


def starts(whole: Whole) -> Iterator[Problem]:
    """Everything that says ``{runbook: …, params: …}``, and routines, which say it flat."""
    for path, start in walk.parts(whole.sections, Start):
        if start.runbook in whole.runbooks:
            yield from filled(whole, path, whole.runbooks[start.runbook], start.params, None)
    for id, routine in whole.sections.routines.items():
        if routine.runbook in whole.runbooks:
            runbook = whole.runbooks[routine.runbook]
            yield from filled(whole, ("routines", id), runbook, routine.params, None)


def filled(
    whole: Whole,
    path: Path,
    runbook: Runbook,
    given: Mapping[str, str],
    labels: Collection[str] | None,
) -> Iterator[Problem]:
    """Whether `given` starts the runbook; `labels` are the alert's, None where there is none."""
    for name, value in given.items():
        here = (*path, "params", name)
        param = runbook.params.get(name)
        if param is None:
            remedy = suggestion(name, runbook.params, what="its parameters")
            yield whole.at_key(here, f"{runbook.id} has no parameter {name!r}", remedy)
        elif value.startswith(LABEL):
            label = value.removeprefix(LABEL)
            if labels is None:
                yield whole.problem(
                    here, "there is no alert here to take labels from", "write the value itself"
                )
            elif label not in labels:
                remedy = suggestion(label, labels, what="its labels")
                yield whole.problem(here, f"the alert has no label {label!r}", remedy)
        elif fault := params.fault_of(param, value):
            yield whole.problem(here, fault, params.accepted(param))
    for name, param in runbook.params.items():
        if name not in given and param.must_be_given and param.label not in (labels or ()):
            told = f"{runbook.id} cannot start: its parameter {name!r} is not filled"
            yield whole.problem((*path, "runbook"), told, f"add {name}: under params:")
