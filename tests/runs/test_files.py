"""The files of a book reach its steps as the run's own revision has them."""

from pathlib import Path

import pytest

from opsbook.book import BookError, load
from tests.support.runs import BOOK, VOCABULARY, Stage, runbook

GREET = '```bash {#greet}\n"$OPSBOOK_FILES/bin/greet" "$(cat "$OPSBOOK_FILES/name.txt")"\n```\n'
SCRIPT = '#!/bin/sh\necho "hello $1"\n'


def with_files(body: str, **files: str) -> dict[str, str]:
    named = {
        f"files/{name.replace('__', '/').replace('_', '.')}": text for name, text in files.items()
    }
    return {"book.yaml": BOOK.format(file="/nowhere"), "runbooks/fix.md": runbook(body), **named}


async def test_a_step_runs_a_script_of_the_book_and_reads_its_files(stage: Stage) -> None:
    files = with_files(GREET, bin__greet=SCRIPT, name_txt="shop")
    await stage.publish(load(files, VOCABULARY))
    run = await stage.run()
    assert await stage.text(run, "greet") == "hello shop\n"


async def test_a_run_keeps_the_files_of_its_own_revision(stage: Stage) -> None:
    waiting = "```approval {#ask by=security}\nGo on?\n```\n" + GREET
    files = with_files(waiting, bin__greet=SCRIPT, name_txt="before")
    await stage.publish(load(files, VOCABULARY))
    run = await stage.run()
    await stage.publish(load({**files, "files/name.txt": "after"}, VOCABULARY))
    await stage.answer(run, "officer", "approve")
    assert await stage.text(run, "greet") == "hello before\n"


async def test_a_step_cannot_change_the_files_that_the_next_one_reads(stage: Stage) -> None:
    body = (
        '```bash {#spoil}\n! echo bad > "$OPSBOOK_FILES/bin/greet"\n'
        '! rm -f "$OPSBOOK_FILES/name.txt"\ncd "$OPSBOOK_FILES" && ! touch new\n```\n' + GREET
    )
    files = with_files(body, bin__greet=SCRIPT, name_txt="shop")
    book = await stage.publish(load(files, VOCABULARY))
    run = await stage.run()
    if stage.places.user is not None:  # root may write anywhere; its steps run as somebody else
        assert await stage.text(run, "greet") == "hello shop\n"
    assert (stage.places.files / book.revision / "bin" / "greet").read_text() == SCRIPT


async def test_what_a_crash_left_half_written_is_not_taken_for_the_files(
    stage: Stage, stage_folder: Path
) -> None:
    files = with_files(GREET, bin__greet=SCRIPT, name_txt="shop")
    book = await stage.publish(load(files, VOCABULARY))
    (stage_folder / "files" / f".{book.revision[:12]}-left").mkdir()
    assert await stage.text(await stage.run(), "greet") == "hello shop\n"


def test_a_file_that_a_step_names_must_be_in_the_book() -> None:
    body = '```bash {#greet}\ntrue\ncat "${OPSBOOK_FILES}/nmae.txt"\n```\n'
    with pytest.raises(BookError) as refused:
        load(with_files(body, name_txt="shop"), VOCABULARY)
    assert str(refused.value) == (
        "runbooks/fix.md:8:1: step greet: there is no file 'files/nmae.txt' in the book. "
        "did you mean 'files/name.txt'?"
    )
