"""Manifest: all that a release is, as one document. The digest of its bytes is the release's name.

So two releases with the same name hold the same bytes, and a name that was approved cannot come to mean something else.
Nothing in it depends on when or where it was built.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import PurePosixPath
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from magellan.errors import AskOperator

FORMAT: Final = 1
SHOWN: Final = 12  # characters of a release id that people see; commands take any part of it that is unique

STRATEGY: Final = "strategy"  # folders and files of a release
ENGINE: Final = "engine"
LOCK: Final = "requirements.lock"
VERDICT: Final = "evidence/verdict.json"


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if (
        not parts
        or path != "/".join(parts)
        or parts[0] == "/"
        or ".." in parts
        or "\\" in path
        or "\0" in path
    ):
        raise ValueError(f"{path!r} is no path inside a release")
    return path


Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
InsidePath = Annotated[str, AfterValidator(_inside)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ReleaseFile(_Part):
    """One file of a release."""

    path: InsidePath  # in it, with forward slashes
    sha256: Sha256
    size: int = Field(ge=0)  # bytes


class GateStamp(_Part):
    """What the gates said of exactly these files."""

    answer: Literal["open", "shut"]
    judged_at: AwareDatetime
    not_open: tuple[str, ...]  # criteria that kept it shut


class Commit(_Part):
    """Where version control had the strategy's folder."""

    id: str
    is_clean: bool  # nothing in the folder differed from it


class Manifest(_Part):
    """All that a release is."""

    format: Literal[1] = FORMAT
    strategy: str
    version: str  # as the config gives it
    kind: str
    code_sha256: Sha256
    config_sha256: Sha256  # of what the config means; the running process reports the same
    engine_version: str
    gate: GateStamp
    data_ids: tuple[str, ...]  # archived sets that the verdict rests on
    author: str
    commit: Commit | None  # None: the folder is under no version control
    files: tuple[ReleaseFile, ...]  # by path

    @cached_property
    def release_id(self) -> str:
        """SHA-256 of the manifest as it is written."""
        return hashlib.sha256(self.written()).hexdigest()

    def written(self) -> bytes:
        """The one way in which this manifest is written."""
        document = self.model_dump(mode="json")
        return json.dumps(document, sort_keys=True, ensure_ascii=False, indent=1).encode() + b"\n"

    @classmethod
    def parsed(cls, content: bytes, *, name: str) -> Self:
        """The manifest that was written so. Raises AskOperator for anything else, with the place in it."""
        try:
            manifest = cls.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"]) or "manifest.json"
            raise AskOperator(
                f"{name}: {where}: {first['msg']}", next_step="fetch or build the release again"
            ) from None
        if manifest.written() != content:
            raise AskOperator(
                f"{name}: the manifest is not written as Magellan writes it",
                next_step="fetch or build the release again",
            )
        return manifest


def listed(files: dict[str, bytes]) -> tuple[ReleaseFile, ...]:
    """Files as a manifest lists them."""
    return tuple(
        ReleaseFile(path=path, sha256=hashlib.sha256(files[path]).hexdigest(), size=len(files[path]))
        for path in sorted(files)
    )


def shown(release_id: str) -> str:
    """A release id, short."""
    return release_id[:SHOWN]
