"""Following a git remote: a bare clone of one branch, read without ever checking it out.

The clone is ours alone (one server holds the data folder), so what a killed git left behind in it
(locks) is removed before the first use, and a clone that is broken is made again. Files are read
from the commit's tree: no hook, filter or link of the repository is ever followed on disk.
"""

from __future__ import annotations

import contextlib
import posixpath
import re
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from opsbook.book import BookError, Problem, revision_of
from opsbook.book.files import MAX_BOOK, MAX_FILE, MAX_FILES
from opsbook.revisions import git
from opsbook.revisions.address import RemoteAddress
from opsbook.revisions.errors import AccessDenied, Empty, PushRefused, Unreachable
from opsbook.revisions.git import GitFailed
from opsbook.revisions.reading import Look, Writer

FOLLOWED: Final = "refs/opsbook/followed"
DENIED: Final = re.compile(
    r"authentication failed|permission denied|could not read (username|password)|access denied"
    r"|403|401|host key verification failed",
    re.IGNORECASE,
)
NO_BRANCH: Final = re.compile(r"couldn't find remote ref|could not find remote ref", re.IGNORECASE)
TRAILER: Final = re.compile(r"(?im)^co-authored-by:\s*(.*?)\s*<([^<>]+)>\s*$")
MOST_COMMITS: Final = 500
LINKS: Final = 5


class Remote:
    """One followed branch. Its calls block, the network's among them: use a thread."""

    def __init__(self, address: RemoteAddress, clones: Path, timeout: float = git.NETWORK) -> None:
        self.address = address
        self.repo = clones / address.folder
        self.timeout = timeout
        self.branch = address.branch
        self._ready = False

    def fetch(self) -> str:
        """Fetch the branch and return its newest commit.

        Raises:
            Unreachable: or one of its kinds, with what git said.
        """
        self._prepare()
        try:
            if not self.branch:
                self.branch = self._default()
            git.run(
                self.repo, "fetch", "--quiet", "--no-tags", "--no-recurse-submodules",
                "--no-write-fetch-head", self.address.url,
                f"+refs/heads/{self.branch}:{FOLLOWED}", timeout=self.timeout,
            )  # fmt: skip
            return self.tip()
        except GitFailed as failure:
            raise self._explained(failure) from failure

    def tip(self) -> str:
        """Return the commit that was fetched last."""
        return git.text(self.repo, "rev-parse", "--verify", "--quiet", f"{FOLLOWED}^{{commit}}")

    def look(self, commit: str, since: str | None) -> Look:
        """Return what a fetched commit holds, and who wrote what is new since another one.

        Raises:
            BookError: its tree cannot be taken for a book.
            Unreachable: the clone cannot be read.
        """
        try:
            files = self.files(commit)
            rewritten = since is not None and not self.builds_on(commit, since)
            writers = self.writers(commit, None if rewritten else since)
        except GitFailed as failure:
            self._ready = False  # prepared anew, and made again if it is broken
            raise self._explained(failure) from failure
        revision = revision_of(files)
        return Look(files, revision, f"git:{commit}", commit, writers, rewritten)

    def builds_on(self, commit: str, before: str) -> bool:
        """Tell whether ``before`` is part of the history of ``commit``."""
        try:
            git.run(self.repo, "merge-base", "--is-ancestor", before, commit)
        except GitFailed:
            return False
        return True

    def writers(self, commit: str, since: str | None) -> tuple[Writer, ...]:
        """Return everybody who wrote, committed or is named in the commits since another one."""
        span = (f"{since}..{commit}",) if since else ("-1", commit)
        form = "%an%x00%ae%x00%cn%x00%ce%x00%B%x01"
        log = git.text(self.repo, "log", f"--max-count={MOST_COMMITS}", f"--format={form}", *span)
        found: dict[Writer, None] = {}
        for entry in log.split("\x01"):
            parts = entry.strip("\n").split("\0")
            if len(parts) != 5:
                continue
            found[Writer(parts[0], parts[1])] = None
            if parts[3] != git.email("opsbook"):
                found[Writer(parts[2], parts[3])] = None
            for name, email in TRAILER.findall(parts[4]):
                found[Writer(name, email)] = None
        return tuple(found)

    def files(self, commit: str) -> dict[str, str]:
        """Return the book's files as a commit has them.

        Raises:
            BookError: naming every file that cannot be taken.
        """
        tree = f"{commit}:{self.address.subfolder}" if self.address.subfolder else commit
        try:
            listing = git.run(self.repo, "ls-tree", "-r", "-z", "-l", "--full-tree", tree)
        except GitFailed as failure:
            if "not a valid object name" not in failure.said.lower():
                raise
            raise BookError(
                [Problem(self.address.key, 1, 1,
                         f"the branch {self.branch} has no folder {self.address.subfolder!r}",
                         "name the book's folder from the top of the repository")]
            ) from failure  # fmt: skip
        entries, problems = _listed(listing, self.address.key)
        contents = self._contents(entries)
        files = {name: contents[sha] for name, (mode, sha) in entries.items() if mode != LINK}
        for name, (mode, _) in entries.items():
            if mode != LINK:
                continue
            target = _followed(name, entries, contents)
            if target is None:
                told = "the file is a symbolic link out of the book"
                problems.append(Problem(name, 1, 1, told, "copy the file into the book"))
            else:
                files[name] = contents[entries[target][1]]
        if problems:
            raise BookError(problems)
        return files

    def commit(
        self, base: str, changes: Mapping[str, str | None], who: Mapping[str, str], message: str
    ) -> str:
        """Make a commit on top of ``base`` that writes (or with ``None`` removes) files.

        Raises:
            GitFailed: the clone cannot be written.
        """
        prefix = f"{self.address.subfolder}/" if self.address.subfolder else ""
        with tempfile.TemporaryDirectory(dir=self.repo) as folder:
            more = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            git.run(self.repo, "read-tree", base, more=more)
            modes = self._modes(base)
            lines = []
            for name, text in changes.items():
                path = f"{prefix}{name}"
                if text is None:
                    lines.append(f"0 {'0' * 40}\t{path}")
                    continue
                raw = text.encode("utf-8", "surrogateescape")
                sha = git.run(self.repo, "hash-object", "-w", "--stdin", given=raw).decode().strip()
                lines.append(f"{modes.get(path, '100644')} {sha}\t{path}")
            given = "".join(f"{line}\0" for line in lines).encode("utf-8", "surrogateescape")
            git.run(self.repo, "update-index", "-z", "--index-info", given=given, more=more)
            tree = git.run(self.repo, "write-tree", more=more).decode().strip()
            made = git.run(
                self.repo, "commit-tree", tree, "-p", base, "-F", "-",
                given=message.encode(), more=who,
            )  # fmt: skip
        return made.decode().strip()

    def push(self, commit: str) -> None:
        """Push a commit that builds on the branch; never by force.

        Raises:
            PushRefused: the branch has moved, or the remote does not allow it.
            Unreachable: nobody knows whether it arrived.
        """
        try:
            git.run(
                self.repo, "push", "--quiet", "--no-verify", self.address.url,
                f"{commit}:refs/heads/{self.branch}", timeout=self.timeout,
            )  # fmt: skip
        except GitFailed as failure:
            if failure.status_code is not None and "rejected" in failure.said:
                raise PushRefused(
                    f"{self.address.key} did not take the edit: {_last_line(failure.said)}",
                    remedy="Nothing was published. Look at what the remote asks of a push.",
                ) from failure
            raise self._explained(failure) from failure

    def _prepare(self) -> None:
        """Make the clone, or make it again where it is broken."""
        if self._ready:
            return
        try:
            for lock in self.repo.rglob("*.lock"):
                lock.unlink(missing_ok=True)
            git.run(self.repo, "rev-parse", "--git-dir")
            git.run(self.repo, "for-each-ref", "--count=1")
        except (GitFailed, OSError):
            shutil.rmtree(self.repo, ignore_errors=True)
            try:
                self.repo.mkdir(parents=True)
                git.run(self.repo, "init", "--quiet", "--bare", "--template=")
            except (GitFailed, OSError) as failure:
                raise Unreachable(
                    f"{self.address.key} cannot be cloned: {failure}",
                    remedy="Install git, and give this server room in its data folder.",
                ) from failure
        self._ready = True

    def _default(self) -> str:
        said = git.text(
            self.repo, "ls-remote", "--symref", self.address.url, "HEAD", timeout=self.timeout
        )
        found = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", said, re.MULTILINE)
        if found is None or len(said.splitlines()) < 2:
            raise Empty(
                f"{self.address.key} has no commits yet, or no default branch.",
                remedy="Push the book there, or name its branch behind # in the address.",
            )
        return found[1]

    def _explained(self, failure: GitFailed) -> Unreachable:
        where, said = self.address.key, _last_line(failure.said)
        if NO_BRANCH.search(failure.said):
            return Empty(
                f"{where} has no branch {self.branch!r}.",
                remedy="Push it, or name another behind # in the address.",
            )
        if DENIED.search(failure.said):
            return AccessDenied(
                f"{where} does not let this server in: {said}",
                remedy="Give the user that runs Opsbook a key or token that may read there.",
            )
        return Unreachable(
            f"{where} cannot be reached: {said}",
            remedy="It is tried again by itself; look at the remote and the network.",
        )

    def _modes(self, commit: str) -> dict[str, str]:
        listing = git.run(self.repo, "ls-tree", "-r", "-z", "--full-tree", commit)
        found = (entry.split(b"\t", 1) for entry in listing.split(b"\0") if entry)
        return {
            name.decode("utf-8", "surrogateescape"): about.split()[0].decode()
            for about, name in found
        }

    def _contents(self, entries: Mapping[str, tuple[str, str]]) -> dict[str, str]:
        """Return the text of each blob, all with one program."""
        wanted = list(dict.fromkeys(sha for _, sha in entries.values()))
        if not wanted:
            return {}
        out = git.run(
            self.repo, "cat-file", "--batch", given="".join(f"{sha}\n" for sha in wanted).encode()
        )
        found: dict[str, str] = {}
        at = 0
        for sha in wanted:
            end = out.index(b"\n", at)
            size = int(out[at:end].split()[2])
            body = out[end + 1 : end + 1 + size]
            found[sha] = body.decode("utf-8", "surrogateescape")
            at = end + 1 + size + 1
        return found


LINK: Final = "120000"
MODULE: Final = "160000"


def _listed(listing: bytes, key: str) -> tuple[dict[str, tuple[str, str]], list[Problem]]:
    """Return mode and blob of each file that belongs to a book, and what cannot be taken."""
    entries: dict[str, tuple[str, str]] = {}
    problems: list[Problem] = []
    total = 0
    for line in listing.split(b"\0"):
        if not line:
            continue
        about, _, raw = line.partition(b"\t")
        mode, _kind, sha, size = about.decode().split()
        name = raw.decode("utf-8", "surrogateescape")
        if any(part.startswith(".") for part in name.split("/")) or name.endswith("~"):
            continue
        fault = _fault(name, mode, size)
        if fault is not None:
            shown = name.encode("utf-8", "replace").decode()
            problems.append(Problem(shown, 1, 1, f"the file {fault[0]}", fault[1]))
            continue
        entries[name] = (mode, sha)
        total += int(size)
    if len(entries) > MAX_FILES:
        told = f"the book has more than {MAX_FILES:,} files"
        raise BookError([Problem(key, 1, 1, told, "name the book's folder behind # and :")])
    if total > MAX_BOOK:
        told = f"the book is larger than {MAX_BOOK // 2**20} MiB"
        raise BookError([Problem(key, 1, 1, told, "keep large files out of the book")])
    return entries, problems


def _fault(name: str, mode: str, size: str) -> tuple[str, str] | None:
    if mode == MODULE:
        return "is a submodule", "copy its files into the book"
    if int(size) > MAX_FILE:
        return f"is larger than {MAX_FILE // 2**20} MiB", "keep large files out of the book"
    with contextlib.suppress(UnicodeEncodeError):
        name.encode()
        return None
    return "has a name that is not UTF-8", "rename it"


def _followed(
    name: str, entries: Mapping[str, tuple[str, str]], contents: Mapping[str, str]
) -> str | None:
    """Return the file of the book that a link leads to, or ``None``."""
    for _ in range(LINKS):
        mode, sha = entries[name]
        if mode != LINK:
            return name
        target = contents[sha]
        if target.startswith("/"):
            return None
        name = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
        if name not in entries:
            return None
    return None


def _last_line(said: str) -> str:
    lines: Iterable[str] = (line.strip() for line in said.splitlines())
    told = [line for line in lines if line and not line.startswith(("hint:", "warning:"))]
    found = next((line for line in told if "rejected" in line), None) or next(
        (line for line in told if line.startswith(("fatal:", "error:"))), None
    )
    return found or (told[-1] if told else "git said nothing")
