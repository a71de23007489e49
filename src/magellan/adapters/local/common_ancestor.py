"""The common ancestor of two folders, where git's history holds one."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from magellan.errors import FixInput

_TIME_LIMIT_S: Final = 60
_NOTHING_DONE: Final = "both trees, as they were"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommonAncestor:
    """Reads files of a commit; of none, where `commit` is empty.

    folder: of the target, through whose repository the commit is read.
    prefix: of the target's paths in its repository, "src/shop/"; "" for its root.
    lent:   folders with git objects of another repository, which this one may lack.
    """

    commit: str = ""  # its whole hash
    folder: Path = Path()
    prefix: str = ""
    lent: tuple[Path, ...] = ()

    def __call__(self, path: str) -> bytes | None:
        """The content of a path, relative to both folders; None where the commit does not hold it."""
        if not self.commit:
            return None
        return _bytes(self.folder, "cat-file", "blob", f"{self.commit}:{self.prefix}{path}", lent=self.lent)


def common_ancestor(source: Path, target: Path, given: str = "") -> CommonAncestor:
    """The commit both folders come from.

    Found: where they are checkouts of one history (worktrees, or clones that may lack each other's commits), their
    merge base; where `given` names one, that. Elsewhere there is none. The target's folder is looked into.
    given: a commit, as git names it in the target's repository or the source's.
    Raises FixInput where there is no such commit.
    """
    top_source, top_target = (
        _git(source, "rev-parse", "--show-toplevel"),
        _git(target, "rev-parse", "--show-toplevel"),
    )
    if top_target is None:
        if given:
            raise FixInput(
                f"{target} is in no git repository that can be read, so the commit {given} cannot be looked into",
                kept=_NOTHING_DONE,
                next_step="leave --base out, or name a checkout",
            )
        return CommonAncestor()
    objects = None
    if top_source is not None and top_source != top_target:
        objects = _git(source, "rev-parse", "--path-format=absolute", "--git-path", "objects")
    lent = () if objects is None else (Path(objects),)
    if given:
        commit = _git(target, "rev-parse", "--verify", "--quiet", f"{given}^{{commit}}", lent=lent)
        if commit is None and top_source is not None:  # a branch, or a tag, that only the source has
            commit = _git(source, "rev-parse", "--verify", "--quiet", f"{given}^{{commit}}")
        if commit is None:
            raise FixInput(
                f"there is no commit {given} in the history of {target}",
                kept=_NOTHING_DONE,
                next_step=f"name one that `git -C {target} log` shows, or leave --base out",
            )
    else:
        head = _git(source, "rev-parse", "HEAD") if lent else None
        commit = None if head is None else _git(target, "merge-base", "HEAD", head, lent=lent)
    if not commit:
        return CommonAncestor()
    inside = target.resolve().relative_to(Path(top_target).resolve()).as_posix()
    prefix = "" if inside == "." else f"{inside}/"
    return CommonAncestor(commit=commit, folder=target, prefix=prefix, lent=lent)


def _git(folder: Path, *arguments: str, lent: tuple[Path, ...] = ()) -> str | None:
    answer = _bytes(folder, *arguments, lent=lent)
    return None if answer is None else answer.decode().strip()


def _bytes(folder: Path, *arguments: str, lent: tuple[Path, ...] = ()) -> bytes | None:
    """What git answers; None where it fails, and where there is no git."""
    # Quoted, a path may hold the colon that parts them.
    paths = ":".join('"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"' for path in lent)
    environment = {**os.environ, "GIT_ALTERNATE_OBJECT_DIRECTORIES": paths} if lent else None
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            env=environment,
            capture_output=True,
            check=True,
            timeout=_TIME_LIMIT_S,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
