"""Source folders: the strategies' own files in the stages of a workspace, as a promotion changes them."""

from __future__ import annotations

from typing import Protocol


class SourceFolders(Protocol):
    """The strategies' folders of a workspace. Kept by `adapters/local/source_folders.py`."""

    def files_sha256(self, stage: str, strategy: str) -> str | None:
        """What the folder holds, as one digest; None: there is none. Caches and hidden files do not count."""
        ...

    def put(self, stage: str, strategy: str, files: dict[str, bytes], *, kept_as: str) -> None:
        """Let the folder hold exactly these files, by path; the old folder goes to where `kept_as` names it."""
        ...

    def put_back(self, stage: str, strategy: str, *, kept_as: str) -> None:
        """Let the folder be the one that was kept so; where none was, let there be none."""
        ...
