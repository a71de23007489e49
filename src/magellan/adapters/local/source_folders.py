"""The strategies' folders of a workspace, replaced as a whole: the old one is renamed aside, never merged into."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from magellan.adapters.durable_file import UNFINISHED, cannot_write, make_folder_durably, sync_folder
from magellan.deploy.source import files_digest

_KEPT: Final = "the strategy's folder as it was"
_NOT_COUNTED: Final = frozenset({"__pycache__", "reports"})


class SourceFolders:
    """Keeps `deploy.source.SourceFolders`.

    kept: where folders go that were replaced; on the same disk.
    """

    def __init__(self, root: Path, *, kept: Path) -> None:
        self._root = root
        self._kept = kept

    def files_sha256(self, stage: str, strategy: str) -> str | None:
        """See the port."""
        folder = self._root / stage / strategy
        if not folder.is_dir():
            return None
        found = {}
        for path, folders, names in os.walk(folder):
            folders[:] = [each for each in folders if _counts(each)]
            for name in names:
                if _counts(name):
                    file = Path(path, name)
                    found[file.relative_to(folder).as_posix()] = file.read_bytes()
        return files_digest(found)

    def put(self, stage: str, strategy: str, files: dict[str, bytes], *, kept_as: str) -> None:
        """See the port."""
        place, kept = self._root / stage / strategy, self._kept / kept_as
        unfinished = place.with_name(f".{strategy}{UNFINISHED}")
        try:
            shutil.rmtree(unfinished, ignore_errors=True)
            make_folder_durably(self._kept, kept=_KEPT)
            _write(unfinished, files)
            if place.exists():
                if kept.exists():
                    shutil.rmtree(kept)
                os.rename(place, kept)
                sync_folder(self._kept)
            os.rename(unfinished, place)
            sync_folder(place.parent)
        except OSError as error:
            raise cannot_write(place, error, kept=_KEPT) from error

    def put_back(self, stage: str, strategy: str, *, kept_as: str) -> None:
        """See the port."""
        place, kept = self._root / stage / strategy, self._kept / kept_as
        try:
            if place.exists():
                aside = kept.with_name(f"{kept_as}-taken-back")
                shutil.rmtree(aside, ignore_errors=True)
                os.rename(place, aside)
            if kept.exists():
                os.rename(kept, place)
            sync_folder(place.parent)
        except OSError as error:
            raise cannot_write(place, error, kept=f"the old folder, in {kept}") from error


def _counts(name: str) -> bool:
    return name not in _NOT_COUNTED and not name.startswith(".")


def _write(folder: Path, files: dict[str, bytes]) -> None:
    folders = {folder}
    for path, content in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        folders |= {each for each in file.parents if each.is_relative_to(folder)}
        with open(file, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
    for each in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        sync_folder(each)
