"""Examination: the strategy's files as they are while evidence is gathered about them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from magellan.gate.evidence import Evidence, Kind, Measure
from magellan.workspace.workspace import StrategyFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """A strategy's folder as it was when the gathering of evidence began."""

    folder: StrategyFolder
    at: datetime  # aware, UTC
    files_sha256: str

    def evidence(self, kind: Kind, source: str, measured: Mapping[str, Measure], error: str = "") -> Evidence:
        """Evidence about the folder as it is now; of other files than it began with, it is none."""
        changed = files_sha256(self.folder) != self.files_sha256
        return Evidence(
            kind=kind,
            about=self.files_sha256,
            source=source,
            gathered_at=self.at,
            measured={} if changed or error else measured,
            error="the strategy's files changed while they were examined" if changed else error,
        )


def files_sha256(folder: StrategyFolder) -> str:
    """Digest of everything in the folder that a verdict rests on: code, config and tests, with their names."""
    digest = hashlib.sha256()
    for path in judged_files(folder):
        content = path.read_bytes()
        name = path.relative_to(folder.path).as_posix()
        digest.update(f"{len(name)} {name} {len(content)} ".encode() + content)
    return digest.hexdigest()


def judged_files(folder: StrategyFolder) -> tuple[Path, ...]:
    """strategy.py, other Python files beside it, config.json, and all Python files of the tests; sorted."""
    found = {*folder.path.glob("*.py"), *folder.tests_folder.rglob("*.py"), folder.config_file}
    return tuple(sorted(path for path in found if path.is_file()))
