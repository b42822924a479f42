"""A folder that changes while its book runs."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import model_validator

from opsbook.base.errors import StartError
from opsbook.book import BookError, Vocabulary
from opsbook.book.fields import Part
from tests.revisions.making import BOOK, CHECKS, LOOSER, MINUTE, SECOND, House, write


async def test_a_saved_change_runs_after_two_looks_that_agree(both: House, folder: Path) -> None:
    before = both.app.library.current("shop").revision
    write(folder, {"book.yaml": BOOK.replace("title: Shop", "title: Store")})
    await both.app.wind(3 * SECOND)
    after = both.app.library.current("shop")
    assert str(after.title) == "Store"
    assert after.revision != before
    first, second = reversed(await both.history())
    assert (first["parent"], second["parent"]) == (None, before)
    assert second["origin"] == "folder:book"
    told = (await both.entries("book.published"))[-1]["data"]
    assert told["parent"] == before
    assert any("title" in sentence for sentence in told["changes"])


async def test_a_file_that_is_still_being_written_is_not_read(house: House, folder: Path) -> None:
    before = house.app.library.current("shop").revision
    whole = BOOK.replace("title: Shop", "title: Store")
    for end in range(20, len(whole), 60):
        (folder / "book.yaml").write_text(whole[:end])
        await house.app.wind(SECOND)
        assert house.app.library.current("shop").revision == before
        assert house.app.library.trouble("shop") is None
    (folder / "book.yaml").write_text(whole)
    await house.app.wind(3 * SECOND)
    assert str(house.app.library.current("shop").title) == "Store"


async def test_a_broken_edit_leaves_the_good_one_running_and_is_told_once(
    both: House, folder: Path
) -> None:
    before = both.app.library.current("shop").revision
    write(folder, {"checks.yaml": CHECKS.replace("kind: file", "kind: fiel").replace("10m", "x")})
    await both.app.wind(5 * SECOND)
    assert both.app.library.current("shop").revision == before
    trouble = both.app.library.trouble("shop")
    assert trouble is not None
    assert trouble.kind == "broken"
    places = [(one.file, one.line > 1, one.column > 1) for one in trouble.problems]
    assert len(places) >= 1
    assert set(places) == {("checks.yaml", True, True)}
    assert len(await both.entries("book.source_trouble")) == 1
    since = trouble.since
    write(folder, {"checks.yaml": CHECKS.replace("kind: file", "kind: fille")})
    await both.app.wind(5 * SECOND)
    trouble = both.app.library.trouble("shop")
    assert trouble is not None
    assert trouble.since == since
    assert len(await both.entries("book.source_trouble")) == 1
    write(folder, {"checks.yaml": CHECKS})
    await both.app.wind(5 * SECOND)
    assert both.app.library.trouble("shop") is None
    assert len(await both.entries("book.source_well")) == 1
    assert both.app.library.current("shop").revision == before
    assert len(await both.history()) == 1


async def test_touching_files_without_changing_them_does_nothing(
    house: House, folder: Path
) -> None:
    write(folder, {"book.yaml": BOOK})
    (folder / ".book.yaml.swp").write_text("x")
    await house.app.wind(5 * SECOND)
    assert len(await house.history()) == 1
    assert len(await house.entries("book.published")) == 1


async def test_a_folder_that_is_gone_and_comes_back_harms_nothing(
    house: House, folder: Path
) -> None:
    folder.rename(folder.with_name("away"))
    await house.app.wind(5 * SECOND)
    assert house.app.library.trouble("shop") is not None
    assert str(house.app.library.current("shop").title) == "Shop"
    folder.with_name("away").rename(folder)
    await house.app.wind(5 * SECOND)
    assert house.app.library.trouble("shop") is None


async def test_the_id_may_not_change_while_the_book_runs(house: House, folder: Path) -> None:
    write(folder, {"book.yaml": BOOK.replace("id: shop", "id: store")})
    await house.app.wind(5 * SECOND)
    trouble = house.app.library.trouble("shop")
    assert trouble is not None
    assert trouble.kind == "other-book"
    assert trouble.problems[0].file == "book.yaml"
    assert [one.id for one in house.app.library.books()] == ["shop"]


async def test_of_two_sources_with_one_book_the_second_is_refused_with_both_named(
    tmp_path: Path, folder: Path
) -> None:
    other = write(tmp_path / "other", {"book.yaml": BOOK.replace("id: shop", "id: store")})
    house = House(tmp_path / "data", (folder, other))
    await house.up()
    write(other, {"book.yaml": BOOK})
    await house.app.wind(5 * SECOND)
    trouble = house.app.library.trouble("store")
    assert trouble is not None
    assert str(folder) in trouble.message
    assert str(other) in trouble.message
    assert house.app.library.trouble("shop") is None
    write(folder, {"checks.yaml": CHECKS.replace("Queue", "Line")})
    await house.app.wind(5 * SECOND)
    assert "Line" in house.running("checks.yaml")
    await house.down()


async def test_a_broken_folder_that_never_ran_starts_nothing(tmp_path: Path) -> None:
    broken = write(tmp_path / "book", {"book.yaml": "id: shop\n"})
    house = House(tmp_path / "data", (broken,))
    with pytest.raises(BookError):
        await house.up()
    assert not (tmp_path / "data").exists()


async def test_a_broken_folder_that_ran_before_goes_on_from_the_database(
    house: House, folder: Path
) -> None:
    await house.down()
    write(folder, {"book.yaml": BOOK + "nonsense: 1\n"})
    await house.up()
    assert house.running() == BOOK
    trouble = house.app.library.trouble("shop")
    assert trouble is not None
    assert "nonsense" in str(trouble.problems[0])
    write(folder, {"book.yaml": BOOK.replace("title: Shop", "title: Store")})
    await house.app.wind(5 * SECOND)
    assert house.app.library.trouble("shop") is None
    assert "Store" in house.running()


async def test_a_folder_changed_while_nobody_ran_it_is_published_at_the_start(
    both: House, folder: Path
) -> None:
    await both.down()
    write(folder, {"book.yaml": BOOK.replace("title: Shop", "title: Store")})
    await both.up()
    await both.leads()
    assert "Store" in both.running()
    assert len(await both.history()) == 2
    await both.again()
    assert len(await both.history()) == 2


async def test_a_loosened_folder_at_the_start_runs_as_it_was_until_approved(
    both: House, folder: Path
) -> None:
    await both.down()
    write(folder, {"book.yaml": LOOSER})
    await both.up()
    await both.leads()
    assert both.running() == BOOK
    assert both.app.library.held("shop") is not None
    await both.vote(1, "deputy")
    assert both.running() == LOOSER
    assert both.app.library.held("shop") is None
    await both.again()
    assert both.running() == LOOSER
    assert len(await both.approvals()) == 1


async def test_two_folders_with_one_book_at_the_start_are_refused(
    tmp_path: Path, folder: Path
) -> None:
    other = write(tmp_path / "other", {"book.yaml": BOOK})
    with pytest.raises(StartError, match="both hold the book 'shop'"):
        await House(tmp_path / "data", (folder, other)).up()


async def test_a_fault_while_reading_is_not_taken_for_having_read(
    house: House, folder: Path
) -> None:
    """A check kind with a fault of its own, and the next server brings it mended."""

    class Faulty(Part):
        @model_validator(mode="before")
        @classmethod
        def fall(cls, data: Any) -> Any:
            raise KeyError("a fault in Opsbook")

    library = house.app.library
    good = library.vocabulary
    library.vocabulary = Vocabulary({**good.check_kinds, "file": Faulty}, good.step_kinds)
    write(folder, {"checks.yaml": CHECKS.replace("10m", "20m")})
    await house.app.wind(5 * MINUTE)
    assert "10m" in house.running("checks.yaml")
    library.vocabulary = good
    await house.app.wind(5 * MINUTE)
    assert "20m" in house.running("checks.yaml")
