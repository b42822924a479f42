"""Fetches the few files of others that the web pages use, and checks them against a lock.

    python tools/vendor_assets.py            check or refresh the files from the locked versions
    python tools/vendor_assets.py --lock     take the newest versions and write the lock anew

Needs npm, and only here: what it fetches is committed, so that who runs or builds Opsbook needs
no node. `vendor.lock.json` names each package, its version and npm's integrity hash and nothing
else; where a package comes from is npm's own setting. Of Lucide only the icons in `ICONS` are
taken, as symbols of one file that pages refer to by name.
"""

import argparse
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).parent.parent / "src/opsbook/web/static/vendor"
LOCK = VENDOR / "vendor.lock.json"

# Package, file inside it, name here. A licence is kept beside each.
FILES = [
    ("idiomorph", "dist/idiomorph.min.js", "idiomorph.js"),
    ("idiomorph", "LICENSE", "idiomorph.LICENSE"),
    ("lucide-static", "LICENSE", "lucide.LICENSE"),
    ("uplot", "dist/uPlot.iife.min.js", "uplot.js"),
    ("uplot", "dist/uPlot.min.css", "uplot.css"),
    ("uplot", "LICENSE", "uplot.LICENSE"),
]
PACKAGES = sorted({package for package, _, _ in FILES})
# What each icon is called in a template, and what Lucide calls it.
ICONS = {
    "today": "sun",
    "inbox": "inbox",
    "incidents": "siren",
    "alerts": "bell",
    "runs": "play",
    "checks": "activity",
    "book": "book-open",
    "audit": "scroll-text",
    "search": "search",
    "more": "ellipsis",
    "user": "user",
    "theme": "sun-moon",
    "leave": "log-out",
    "go": "chevron-right",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--lock", action="store_true", help="move to the newest versions")
    renew = parser.parse_args().lock
    locked = {} if renew else {one["name"]: one for one in json.loads(LOCK.read_text())}
    entries = []
    with tempfile.TemporaryDirectory() as folder:
        for package in PACKAGES:
            wanted = locked.get(package)
            name = f"{package}@{wanted['version']}" if wanted else package
            version, integrity, archive = fetch(name, Path(folder))
            if wanted and integrity != wanted["integrity"]:
                print(f"{name}: {integrity}, but the lock says {wanted['integrity']}. "
                      "Do not use it; find out why it changed.", file=sys.stderr)  # fmt: skip
                return 1
            take(package, archive)
            entries.append({"name": package, "version": version, "integrity": integrity})
    LOCK.write_text(json.dumps(entries, indent=2) + "\n")
    for entry in entries:
        print(entry["name"], entry["version"])
    return 0


def fetch(name: str, folder: Path) -> tuple[str, str, Path]:
    """Return (version, integrity of what really came, archive)."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is needed to fetch the files; install node and npm.")
    packed = subprocess.run(
        [npm, "pack", "--json", "--silent", name],
        cwd=folder, check=True, capture_output=True, text=True,
    )  # fmt: skip
    told = json.loads(packed.stdout)
    about = told[0] if isinstance(told, list) else next(iter(told.values()))
    archive = folder / about["filename"]
    digest = hashlib.sha512(archive.read_bytes()).digest()
    return about["version"], "sha512-" + base64.b64encode(digest).decode(), archive


def take(package: str, archive: Path) -> None:
    with tarfile.open(archive) as tar:
        for owner, inside, here in FILES:
            if owner == package:
                (VENDOR / here).write_bytes(read(tar, inside))
        if package == "lucide-static":
            (VENDOR / "lucide.svg").write_text(sprite(tar))


def read(tar: tarfile.TarFile, inside: str) -> bytes:
    member = tar.extractfile(f"package/{inside}")
    assert member is not None, inside
    return member.read()


def sprite(tar: tarfile.TarFile) -> str:
    """Return one SVG file with a symbol for each icon; stroke and fill are inherited by `use`."""
    symbols = []
    for name, source in ICONS.items():
        text = read(tar, f"icons/{source}.svg").decode()
        inner = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
        shapes = re.sub(r"\s*\n\s*", "", inner.strip()).replace(" />", "/>")
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{shapes}</symbol>')
    body = "\n".join(symbols)
    note = "<!-- Icons of Lucide (ISC); see lucide.LICENSE. -->"
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{note}\n{body}\n</svg>\n'


if __name__ == "__main__":
    sys.exit(main())
