"""A folder of this machine that git keeps the history of; git is run as its command."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from magellan.adapters.local.file_tree import FileTree
from magellan.errors import AskOperator
from magellan.migration.git_steps import GIT_LOCK
from magellan.plan.files.tree import UNFINISHED

_TIMEOUT_S: Final = 300.0
_QUIET: Final = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}


class GitCheckout(FileTree):
    """Keeps `migration.git_steps.Checkout` for a folder at or below the top of a checkout."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._folder = root.resolve()

    def is_under_git(self) -> bool:
        """Whether the folder lies in a checkout, and git is there to ask."""
        if shutil.which("git") is None:
            return False
        return self._run("rev-parse", "--is-inside-work-tree", may_fail=True).strip() == b"true"

    def changed_paths(self) -> tuple[str, ...]:
        """Paths that git tracks and that differ from the last commit, from the folder's own root."""
        told = self._run("status", "--porcelain", "-z", "--untracked-files=no", "--no-renames", "--", ".")
        return tuple(os.fsdecode(each[3:]) for each in told.split(b"\0") if each)

    def tracked_paths(self) -> frozenset[str]:
        """Paths that git tracks below the folder."""
        return frozenset(os.fsdecode(each) for each in self._run("ls-files", "-z").split(b"\0") if each)

    def commit_problem(self) -> str:
        """Why nothing can be committed here; "" where it can."""
        told = self._done("var", "GIT_COMMITTER_IDENT")
        return "" if told.returncode == 0 else _words(told.stderr)

    def closed_folders(self, paths: Iterable[str]) -> tuple[str, ...]:
        """See the protocol."""
        folders = {self._nearest_folder(os.path.dirname(path)) for path in paths}
        return tuple(
            each or "." for each in sorted(folders) if not os.access(self._folder / each, os.W_OK | os.X_OK)
        )

    def _nearest_folder(self, path: str) -> str:
        """The folder itself, or the nearest above it that is there; "": the tree's own."""
        while path and not (self._folder / path).is_dir():
            path = os.path.dirname(path)
        return path

    async def index_digest(self, copy: str = "") -> str:
        """See the protocol."""
        at = {"GIT_INDEX_FILE": self._at(copy)} if copy else {}
        return hashlib.sha256(self._run("ls-files", "--stage", "-z", "--", ":/", environment=at)).hexdigest()

    async def copy_index(self, to: str) -> None:
        """See the protocol."""
        index = self._index()
        if index.exists():
            _copy_whole(index, Path(self._changed(to)))
        else:  # nothing was ever staged here: an empty index says the same
            await self.stage((), copy=to)

    async def stage(self, paths: Sequence[str], *, copy: str) -> None:
        """See the protocol."""
        unfinished = Path(self._changed(copy + UNFINISHED))
        # Of a git that was killed at this copy, which is ours alone.
        Path(f"{unfinished}{GIT_LOCK}").unlink(missing_ok=True)
        if self._index().exists():
            shutil.copy2(self._index(), unfinished)
        else:
            unfinished.unlink(missing_ok=True)
        listed = b"".join(os.fsencode(path) + b"\0" for path in paths)
        self._run(
            "update-index", "--add", "--remove", "--replace", "-z", "--stdin",
            stdin=listed, environment={"GIT_INDEX_FILE": str(unfinished)},
        )  # fmt: skip
        if not unfinished.exists():  # of no paths git makes no index
            self._run("read-tree", "--empty", environment={"GIT_INDEX_FILE": str(unfinished)})
        os.rename(unfinished, self._changed(copy))
        await self.sync(copy)

    async def install_index(self, copy: str) -> None:
        """See the protocol."""
        _copy_whole(Path(self._at(copy)), self._index())

    async def head(self) -> str:
        """See the protocol."""
        return self._text("rev-parse", "--verify", "--quiet", "HEAD", may_fail=True)

    async def branch(self) -> str:
        """See the protocol."""
        return self._text("symbolic-ref", "--quiet", "HEAD", may_fail=True)

    async def trailer(self, commit: str, name: str) -> str:
        """See the protocol."""
        lines = self._text("show", "--no-patch", "--format=%B", commit).splitlines()
        return next((line[len(name) + 2 :] for line in lines if line.startswith(f"{name}: ")), "")

    async def parents(self, commit: str) -> tuple[str, ...]:
        """See the protocol."""
        return tuple(self._text("show", "--no-patch", "--format=%P", commit).split())

    async def commit(self, message: str, *, parent: str) -> None:
        """See the protocol."""
        tree = self._text("write-tree")
        above = ("-p", parent) if parent else ()
        made = self._run("commit-tree", tree, *above, stdin=message.encode()).decode().strip()
        self._run("update-ref", "-m", "magellan migrate", "HEAD", made, parent or "0" * len(made))

    async def point_head(self, commit: str, *, was: str) -> None:
        """See the protocol."""
        if commit:
            self._run("update-ref", "-m", "magellan migrate rollback", "HEAD", commit, was)
        else:
            self._run("update-ref", "-d", "HEAD", was)

    def _index(self) -> Path:
        return self._folder / self._text("rev-parse", "--git-path", "index")

    def _text(self, *arguments: str, may_fail: bool = False) -> str:
        return os.fsdecode(self._run(*arguments, may_fail=may_fail)).strip()

    def _run(
        self,
        *arguments: str,
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
        may_fail: bool = False,
    ) -> bytes:
        done = self._done(*arguments, stdin=stdin, environment=environment)
        if done.returncode and not may_fail:
            raise AskOperator(
                f"git {arguments[0]} in {self._folder} failed: {_words(done.stderr)}",
                next_step="mend what git says, then run the same command again",
            )
        return b"" if done.returncode else done.stdout

    def _done(
        self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        # Nothing of a surrounding git (a hook that runs us) may redirect what is done to this folder.
        ours = {name: value for name, value in os.environ.items() if not name.startswith("GIT_DIR")}
        for name in ("GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX"):
            ours.pop(name, None)
        return subprocess.run(
            ["git", *arguments],
            cwd=self._folder,
            env={**ours, **_QUIET, **(environment or {})},
            input=stdin,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )


def _copy_whole(source: Path, target: Path) -> None:
    """A copy with bits and times, in its place at once and on the disk. One that is there already stays."""
    if _is_copy(source, target):
        return
    unfinished = target.with_name(target.name + UNFINISHED)
    shutil.copy2(source, unfinished)
    descriptor = os.open(unfinished, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(unfinished, target)


def _is_copy(source: Path, target: Path) -> bool:
    try:
        one, other = os.stat(source), os.stat(target)
    except FileNotFoundError:
        return False
    same = (one.st_mode, one.st_mtime_ns, one.st_size) == (other.st_mode, other.st_mtime_ns, other.st_size)
    return same and source.read_bytes() == target.read_bytes()


def _words(told: bytes) -> str:
    return " ".join(told.decode(errors="replace").split()) or "it said nothing"
