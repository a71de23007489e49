"""The whole flow over one mess, by the commands that the guide names, with what each said and how long it took."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

Command = Callable[[Sequence[str]], tuple[int, Any]]
"""Runs `magellan` with these words and `--json`: its exit code, and the document that it wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restructured:
    """What came of scan, plan, apply, verify and roll-back."""

    files: int
    python_files: int
    broken: int  # Python files that cannot be parsed
    imports_before: dict[str, int]  # by what they resolve to
    imports_after: dict[str, int]
    can_be_imported: tuple[int, int]  # before the migration, of how many that were tried
    moves: int
    undecided: int
    collisions: int
    files_rewritten: int
    worse: tuple[str, ...]  # what verify found
    same_after_rollback: bool  # by hash: content, rights, times, links, folders
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What came of merging the smaller tree into the larger, and of taking that back."""

    files: dict[str, int]  # by how the two stand to each other
    definitions: dict[str, dict[str, int]]
    waiting: int
    lost: int
    same_after_rollback: bool
    seconds: dict[str, float]


def restructured(root: Path, command: Command, *, options: Sequence[str] = ()) -> Restructured:
    """Scan, plan, apply, verify, roll back. options: of scan and verify."""
    told = _Told(command)
    mapping = str(root.parent / "migration_mapping.json")
    before = tree_hash(root)
    scan = told("scan", root, *options)
    plan = told("plan", root, "--mapping", mapping)
    told("dry run", "apply", root, "--mapping", mapping, "--no-git", "--no-diff")
    applied = told("apply", root, "--mapping", mapping, "--no-git", "--yes")
    verified = told("verify", root, *options, codes=(0, 1))
    after = told("scan after", "scan", root, "--no-imports")
    told("rollback", root, "--yes")
    return Restructured(
        files=scan["files"],
        python_files=scan["python_files"],
        broken=len(scan["broken"]),
        imports_before=scan["imports"],
        imports_after=after["imports"],
        can_be_imported=(scan["imported"] or 0, scan["tried"] or 0),
        moves=plan["moves"],
        undecided=len(plan["undecided"]),
        collisions=len(plan["collisions"]),
        files_rewritten=applied["files_rewritten"],
        worse=tuple(
            f"{each['name']}: {each['summary']}" for each in verified["checks"] if each["answer"] == "worse"
        ),
        same_after_rollback=tree_hash(root) == before,
        seconds=told.seconds,
    )


def merged(source: Path, target: Path, command: Command) -> Merged:
    """Merge, and take it back."""
    told = _Told(command)
    before = tree_hash(source), tree_hash(target)
    found = told("merge", source, target, "--no-git", "--yes")
    told("rollback", target, "--yes")
    return Merged(
        files=found["files"],
        definitions=found["definitions"],
        waiting=len(found["conflicts"]),
        lost=found["lost"],
        same_after_rollback=(tree_hash(source), tree_hash(target)) == before,
        seconds=told.seconds,
    )


class _Told:
    """Runs commands, and notes how long each took."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, *words: str | Path, codes: tuple[int, ...] = (0,)) -> Any:
        """The document. name: also the verb, unless the first word is one."""
        given = [str(each) for each in words]
        if isinstance(words[0], Path):
            given = [name, *given]
        begun = perf_counter()
        code, document = self._command(["migrate", *given])
        self.seconds[name] = round(perf_counter() - begun, 2)
        assert code in codes, f"magellan migrate {' '.join(given)} ended with {code}: {document}"
        return document


def tree_hash(root: Path) -> str:
    """Of every path with its kind, rights, time, content or link; without what Magellan keeps."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if ".magellan" in path.parts:
            continue
        status = path.lstat()
        digest.update(f"{path.relative_to(root)}\0{status.st_mode}\0{status.st_mtime_ns}\0".encode())
        if path.is_symlink():
            digest.update(os.readlink(path).encode())
        elif path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def as_a_process(python: str) -> Command:
    """Each command in a process of its own, as a person starts it."""
    import json

    def command(words: Sequence[str]) -> tuple[int, Any]:
        done = subprocess.run(
            [python, "-m", "magellan", *words, "--json"], capture_output=True, text=True, check=False
        )
        return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr

    return command
