"""Artifact: a release as one file. Bytes in, bytes out; the same release is always the same bytes.

A plain tar, uncompressed: compressors differ between versions, and a release is small. Its members, in this order:
`manifest.json`, every file that the manifest lists, `signature.json`.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from magellan.errors import AskOperator
from magellan.release.manifest import Manifest
from magellan.release.signature import Signature

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "signature.json"
_AGAIN: Final = "fetch or build the release again; do not deploy this one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A release with everything in it."""

    manifest: Manifest
    files: Mapping[str, bytes]  # by path, as the manifest lists them
    signature: Signature

    @property
    def release_id(self) -> str:
        return self.manifest.release_id


def packed(artifact: Artifact) -> bytes:
    """The release as one file."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _add(tar, MANIFEST, artifact.manifest.written())
        for file in artifact.manifest.files:
            _add(tar, file.path, artifact.files[file.path])
        _add(tar, SIGNATURE, artifact.signature.written())
    return content.getvalue()


def unpacked(content: bytes, *, name: str) -> Artifact:
    """The release in a file, with every file held against the manifest. Whose signature it bears is not looked at.

    Raises: AskOperator when anything in it is missing, more, changed, or written in another way than `packed` does.
    """
    members = _members(content, name)
    for needed in (MANIFEST, SIGNATURE):
        if needed not in members:
            raise AskOperator(f"{name} has no {needed}", next_step=_AGAIN)
    manifest = Manifest.parsed(members.pop(MANIFEST), name=name)
    signature = Signature.parsed(members.pop(SIGNATURE), name=name)
    for file in manifest.files:
        if file.path not in members:
            raise AskOperator(f"{name} lacks {file.path}, which its manifest lists", next_step=_AGAIN)
        if hashlib.sha256(members[file.path]).hexdigest() != file.sha256:
            raise AskOperator(f"{name}: {file.path} is not what the manifest lists", next_step=_AGAIN)
    more = sorted(members.keys() - {file.path for file in manifest.files})
    if more:
        raise AskOperator(f"{name} holds {more[0]}, which its manifest does not list", next_step=_AGAIN)
    artifact = Artifact(manifest=manifest, files=members, signature=signature)
    if packed(artifact) != content:
        # Two members of one name, modes, links, bytes after the end: nothing that was approved.
        raise AskOperator(f"{name} is not packed as Magellan packs a release", next_step=_AGAIN)
    return artifact


def _add(tar: tarfile.TarFile, path: str, content: bytes) -> None:
    member = tarfile.TarInfo(path)  # of nobody, from 1970, mode 644
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _members(content: bytes, name: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            for member in tar:
                file = tar.extractfile(member) if member.isreg() else None
                if file is None:
                    raise AskOperator(f"{name}: {member.name} is no plain file", next_step=_AGAIN)
                found[member.name] = file.read()
    except (tarfile.TarError, EOFError, UnicodeError, ValueError) as error:
        raise AskOperator(f"{name} is no release, or half of one: {error}", next_step=_AGAIN) from None
    return found
