"""The common ancestor of two folders, where git's history holds one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

_TIME_LIMIT_S: Final = 60


def common_ancestor(source: Path, target: Path, given: str = "") -> Callable[[str], bytes | None]:
    """How to read a path, relative to both folders, in their common ancestor.

    Found: where both folders are worktrees of one repository at different commits, their merge base; where they lie in
    one checkout, the commit that `given` names, in which the target's folder is looked into. Elsewhere there is none.
    given: a commit, as git names it.
    """
    top_source, top_target = (
        _git(source, "rev-parse", "--show-toplevel"),
        _git(target, "rev-parse", "--show-toplevel"),
    )
    if top_target is None:
        return _none
    commit = given
    if not commit and top_source is not None and top_source != top_target:
        head = _git(source, "rev-parse", "HEAD")
        commit = (_git(target, "merge-base", "HEAD", head) if head else None) or ""
    if not commit:
        return _none
    inside = target.resolve().relative_to(Path(top_target).resolve()).as_posix()
    prefix = "" if inside == "." else f"{inside}/"

    def content_of(path: str) -> bytes | None:
        return _bytes(target, "cat-file", "blob", f"{commit}:{prefix}{path}")

    return content_of


def _none(path: str) -> bytes | None:
    return None


def _git(folder: Path, *arguments: str) -> str | None:
    answer = _bytes(folder, *arguments)
    return None if answer is None else answer.decode().strip()


def _bytes(folder: Path, *arguments: str) -> bytes | None:
    """What git answers; None where it fails, and where there is no git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, check=True, timeout=_TIME_LIMIT_S
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
