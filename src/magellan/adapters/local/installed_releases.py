"""Releases as a host has them: unpacked, checked, and not to be written any more.

installed/1f3a90c2...e5/    manifest.json, strategy/, evidence/, requirements.lock, signature.json
                            engine -> ../../engines/77ab01...
engines/77ab01.../          magellan/, once for all releases that run the same engine: compiled kernels are
                            kept by where their source lies, so a new release need not compile them again
edited/                         releases that somebody had edited when they were removed, and their engines

A release is there whole or not at all. Files are read-only; who edits one all the same is found by `drift`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from magellan.adapters.durable_file import UNFINISHED, cannot_write, make_folder_durably, sync_folder
from magellan.errors import AskOperator
from magellan.release.artifact import MANIFEST, SIGNATURE, Artifact, unpacked
from magellan.release.manifest import ENGINE, LOCK, STRATEGY, Manifest
from magellan.release.signature import Signature

_KEPT: Final = "what was installed before"
_CACHE: Final = "__pycache__"
_SETTLED_NS: Final = (
    2_000_000_000  # clocks of file systems are coarse: a file this young may change and look the same
)

_Signature = tuple[int, int, int, int]  # inode, size, mtime and ctime in ns


class InstalledReleases:
    """One host's. trusted_keys: public keys, base64, by whom they belong to."""

    def __init__(self, folder: Path, *, trusted_keys: Mapping[str, str]) -> None:
        self._releases = folder / "installed"
        self._engines = folder / "engines"
        self._edited = folder / "edited"
        self._trusted_keys = trusted_keys
        self._digests: dict[str, tuple[_Signature, str]] = {}  # of files that lie there as they did then

    def is_there(self, release_id: str) -> bool:
        return self.folder(release_id).is_dir()

    def folder(self, release_id: str) -> Path:
        return self._releases / release_id

    def strategy_folder(self, release_id: str) -> Path:
        return self.folder(release_id) / STRATEGY

    def engine_folder(self, release_id: str) -> Path:
        """What belongs on the path of a process that runs the release, as it really lies."""
        return (self.folder(release_id) / ENGINE).resolve()

    def requirements(self, release_id: str) -> bytes:
        """Its list of dependencies. Raises AskOperator when it is not there."""
        path = self.folder(release_id) / LOCK
        try:
            return path.read_bytes()
        except OSError as error:
            raise AskOperator(
                f"{path} cannot be read: {error.strerror}", next_step="deploy the release again"
            ) from error

    def manifest(self, release_id: str) -> Manifest:
        """Raises AskOperator when it is not the release's."""
        path = self.folder(release_id) / MANIFEST
        try:
            manifest = Manifest.parsed(path.read_bytes(), name=str(path))
        except OSError as error:
            raise AskOperator(
                f"{path} cannot be read: {error.strerror}", next_step="deploy the release again"
            ) from error
        if manifest.release_id != release_id:
            raise AskOperator(
                f"{path} is the manifest of {manifest.release_id}", next_step="deploy the release again"
            )
        return manifest

    def drift(self, release_id: str) -> tuple[str, ...]:
        """What differs from the manifest, or from what a trusted person signed; a line each."""
        try:
            manifest = self.manifest(release_id)
            signature = Signature.parsed(
                (self.folder(release_id) / SIGNATURE).read_bytes(), name=f"{release_id}/{SIGNATURE}"
            )
        except AskOperator as error:
            return (error.message,)
        except OSError as error:
            return (f"{SIGNATURE}: {error.strerror}",)
        problem = signature.problem(release_id, self._trusted_keys)
        return (*([problem] if problem else ()), *self._changed(manifest))

    def install(self, release_id: str, content: bytes) -> None:
        """Unpack a release. Raises AskOperator for one that is not whole, not that one, or signed by nobody trusted."""
        artifact = unpacked(content, name=release_id)
        if artifact.release_id != release_id:
            raise AskOperator(
                f"what should be {release_id} is {artifact.release_id}", next_step="fetch it again"
            )
        problem = artifact.signature.problem(release_id, self._trusted_keys)
        if problem:
            raise AskOperator(
                f"{release_id}: {problem}",
                kept=_KEPT,
                next_step="put the builder's public key under [releases.trusted_keys], if you trust it",
            )
        try:
            self._unpack(release_id, artifact)
        except OSError as error:
            raise cannot_write(self.folder(release_id), error, kept=_KEPT) from error

    def remove(self, release_id: str) -> None:
        """Take it away, and its engine where no other release runs it. What was edited is put aside, and not lost."""
        folder = self.folder(release_id)
        if not folder.is_dir():
            return
        engine = self.engine_folder(release_id)
        is_edited = bool(self.drift(release_id))
        try:
            if is_edited:
                self._put_aside(folder)
            else:
                _remove(folder)
            sync_folder(self._releases)
            others = {self.engine_folder(each.name) for each in self._releases.iterdir()}
            if engine not in others and engine.parent == self._engines.resolve():
                if is_edited:
                    self._put_aside(engine)
                else:
                    _remove(engine)
        except OSError as error:
            raise cannot_write(folder, error, kept="the release, or a part of it") from error

    def _put_aside(self, folder: Path) -> None:
        """Out of the way of every release, and where a person finds it."""
        make_folder_durably(self._edited, kept=_KEPT)
        os.rename(folder, self._edited / f"{folder.name}-{time.time_ns()}")
        sync_folder(self._edited)
        sync_folder(folder.parent)

    def _unpack(self, release_id: str, artifact: Artifact) -> None:
        target = self.folder(release_id)
        if target.is_dir():
            return
        make_folder_durably(self._releases, kept=_KEPT)
        unfinished = target.with_name(f"{release_id}.{os.getpid()}{UNFINISHED}")
        _remove(unfinished)
        engine = _engine_of(artifact)
        rest = {
            path: content for path, content in artifact.files.items() if not path.startswith(f"{ENGINE}/")
        }
        rest |= {MANIFEST: artifact.manifest.written(), SIGNATURE: artifact.signature.written()}
        place = self._engine(engine)
        try:
            _write_all(unfinished, rest)
            (unfinished / ENGINE).symlink_to(os.path.relpath(place, target), target_is_directory=True)
            sync_folder(unfinished)
            os.rename(unfinished, target)
            sync_folder(self._releases)
        except BaseException:
            _remove(unfinished)
            raise

    def _engine(self, files: Mapping[str, bytes]) -> Path:
        digest = _digest(files)
        place = self._engines / digest
        if place.is_dir():
            return place
        make_folder_durably(self._engines, kept=_KEPT)
        unfinished = place.with_name(f"{digest}.{os.getpid()}{UNFINISHED}")
        _remove(unfinished)
        try:
            _write_all(unfinished, files)
            os.rename(unfinished, place)
            sync_folder(self._engines)
        except FileExistsError:
            _remove(unfinished)
        except BaseException:
            _remove(unfinished)
            raise
        return place

    def _changed(self, manifest: Manifest) -> Iterator[str]:
        folder = self.folder(manifest.release_id)
        for file in manifest.files:
            try:
                digest = self._sha256(f"{folder}/{file.path}")
            except OSError as error:
                yield f"{file.path}: {error.strerror}"
                continue
            if digest != file.sha256:
                yield f"{file.path} was edited"
        listed = {file.path for file in manifest.files} | {MANIFEST, SIGNATURE}
        for path in sorted(_files_below(folder) - listed):
            yield f"{path} was added"

    def _sha256(self, path: str) -> str:
        """Of a file's content. One that was not touched since this process read it is not read again: a roll-back
        asks four times within a second whether a release of some hundred files is whole.

        Whatever is written to a file changes its ctime, which no user can set.
        """
        signature = _signature(path)
        known = self._digests.get(path)
        if known is not None and known[0] == signature:
            return known[1]
        began_ns = time.time_ns()
        digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()
        if _signature(path) == signature and signature[3] < began_ns - _SETTLED_NS:
            self._digests[path] = (signature, digest)
        return digest


def _signature(path: str) -> _Signature:
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def engine_name(artifact: Artifact) -> str:
    """The name of the folder that its engine has on every host."""
    return _digest(_engine_of(artifact))


def _engine_of(artifact: Artifact) -> dict[str, bytes]:
    return {
        path.removeprefix(f"{ENGINE}/"): content
        for path, content in artifact.files.items()
        if path.startswith(f"{ENGINE}/")
    }


def _digest(files: Mapping[str, bytes]) -> str:
    listing = "".join(
        f"{path} {hashlib.sha256(content).hexdigest()}\n" for path, content in sorted(files.items())
    )
    return hashlib.sha256(listing.encode()).hexdigest()[:32]


def _files_below(folder: Path) -> set[str]:
    """All files of a release by path, its engine's too; a package's caches are no part of it."""
    found = set()
    for top in (folder, folder / ENGINE):
        for path, folders, names in os.walk(top):
            folders[:] = [each for each in folders if each != _CACHE]
            inside = os.path.relpath(path, folder)
            found |= {name if inside == "." else f"{inside}/{name}" for name in names}
    return found


def _write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files below a new folder, on the disk and read-only."""
    folders = {folder}
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        folders.update(each for each in place.parents if each.is_relative_to(folder))
        with open(place, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        place.chmod(0o444)
    for each in sorted(folders, key=lambda path: len(path.parts), reverse=True):
        sync_folder(each)


def _remove(folder: Path) -> None:
    if folder.is_dir():
        shutil.rmtree(folder)
