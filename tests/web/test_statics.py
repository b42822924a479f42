"""Files of the pages: named by content, kept for a year, small; those of others are locked."""

import gzip
import json
from pathlib import Path

from opsbook.web import shown, statics
from opsbook.web.statics import Statics
from tests.web.rig import Rig, client

FOLDER = statics.FOLDER


async def test_a_file_is_served_under_its_contents_name_and_kept(calm: Rig) -> None:
    url = Statics().url("app.css")
    async with client(calm) as browser:
        answer = await browser.get(url)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.content == (FOLDER / "app.css").read_bytes()
        plain = await browser.get(url, headers={"Accept-Encoding": "identity"})
        assert plain.content == answer.content
        for gone in ("/static/app.0000000000.css", "/static/../site.py", "/static/app.css"):
            assert (await browser.get(gone)).status_code == 404


def test_another_content_is_another_name(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("one")
    first = Statics(tmp_path).url("a.css")
    (tmp_path / "a.css").write_text("two")
    assert Statics(tmp_path).url("a.css") != first


def test_the_style_is_under_25_kb_and_all_scripts_under_60_kb_compressed() -> None:
    assert (FOLDER / "app.css").stat().st_size < 25_000
    scripts = b"".join(file.read_bytes() for file in FOLDER.rglob("*.js"))
    assert len(gzip.compress(scripts)) < 60_000


def test_what_is_others_is_locked_and_licensed() -> None:
    vendor = FOLDER / "vendor"
    locked = json.loads((vendor / "vendor.lock.json").read_text())
    assert all(set(one) == {"name", "version", "integrity"} for one in locked)
    assert all(one["integrity"].startswith("sha512-") for one in locked)
    for file in vendor.iterdir():
        if file.suffix in {".js", ".svg"}:
            assert file.with_suffix(".LICENSE").exists(), file.name


def test_every_icon_that_pages_name_is_in_the_sprite() -> None:
    sprite = (FOLDER / "vendor" / "lucide.svg").read_text()
    for place in (*shown.PLACES, shown.MORE):
        assert f'id="{place.icon}"' in sprite
