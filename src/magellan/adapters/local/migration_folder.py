"""Migrations as folders in the tree that they change.

.magellan/.gitignore                               git shall not see any of it
.magellan/migrations/20260120T143100Z/changes.zip  what is done: manifest.json, before/<path>, after/<path>
.magellan/migrations/20260120T143100Z/kept/        replaced files, until the migration is taken back
.magellan/journals/                                how far it came
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from magellan.adapters.durable_file import cannot_write, make_folder_durably, sync_folder, write_durably
from magellan.errors import AskOperator, FixInput
from magellan.migration.apply_plan import HOME, Commits, Recorded
from magellan.migration.change_set import ChangeSet, Relinked, Written, WrittenFor
from magellan.migration.mapping import FileMove

_CHANGES = "changes.zip"
_NOTHING = "the tree; nothing was changed"


class MigrationFolder:
    """Keeps `ports.migrations.Migrations`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / HOME / "migrations"

    @property
    def journals(self) -> Path:
        """Where the plans' journals lie."""
        return self._root / HOME / "journals"

    def store(self, recorded: Recorded) -> None:
        """See the port."""
        self._make_home()
        folder = self._folder / recorded.id
        try:
            make_folder_durably(folder, kept=_NOTHING)
            make_folder_durably(self.journals, kept=_NOTHING)
            ignore = self._root / HOME / ".gitignore"
            if not ignore.exists():
                write_durably(ignore, b"*\n", kept=_NOTHING)
            write_durably(folder / _CHANGES, _packed(recorded), kept=_NOTHING)
        except AskOperator:
            self.forget(recorded.id)
            raise

    def forget(self, migration_id: str) -> None:
        """See the port."""
        folder = self._folder / migration_id
        with suppress(OSError):
            (folder / _CHANGES).unlink(missing_ok=True)
            folder.rmdir()

    def read(self, migration_id: str) -> Recorded:
        """See the port."""
        path = self._folder / migration_id / _CHANGES
        try:
            with zipfile.ZipFile(path) as packed:
                manifest = json.loads(packed.read("manifest.json"))
                return _unpacked(manifest, packed)
        except FileNotFoundError:
            known = ", ".join(self.ids()[-3:])
            raise FixInput(
                f"there is no migration {migration_id} in {self._folder}",
                next_step=f"the newest are {known}" if known else "none was ever applied there",
            ) from None
        except (OSError, zipfile.BadZipFile, ValueError, KeyError) as error:
            raise AskOperator(
                f"the record of the migration, {path}, cannot be read: {error}",
                kept="the tree, as it stands",
                next_step="restore it from a backup; replaced files lie beside it in kept/",
            ) from error

    def _make_home(self) -> None:
        """Our own folder in the tree, whose time of change stays as it is."""
        if (self._root / HOME).is_dir():
            return
        try:
            times = os.stat(self._root)
            os.mkdir(self._root / HOME)
            os.utime(self._root, ns=(times.st_atime_ns, times.st_mtime_ns))
            sync_folder(self._root)
        except OSError as error:
            raise cannot_write(self._root / HOME, error, kept=_NOTHING) from error

    def ids(self) -> tuple[str, ...]:
        """See the port."""
        return tuple(sorted(path.parent.name for path in self._folder.glob(f"*/{_CHANGES}")))


def _packed(recorded: Recorded) -> bytes:
    changes = recorded.changes
    manifest = {
        "version": 1,
        "id": recorded.id,
        "name": recorded.name,
        "source_roots": recorded.source_roots,
        "commits": str(recorded.commits),
        "moves": [[each.source, each.target] for each in changes.moves],
        "written": [
            {"path": each.path, "mode": each.mode, "why": str(each.why), "is_new": each.before is None}
            for each in changes.written
        ],
        "links": [[each.path, each.before, each.after] for each in changes.links],
        "folders": changes.folders,
        "emptied": changes.emptied,
        "removed": changes.removed,
        "tracked": sorted(recorded.tracked),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as packed:
        _add(packed, "manifest.json", json.dumps(manifest, indent=1).encode())
        for number, each in enumerate(changes.written):
            name = _member(each.path, number)
            _add(packed, f"after/{name}", each.after)
            if each.before is not None:
                _add(packed, f"before/{name}", each.before)
    return buffer.getvalue()


def _member(path: str, number: int) -> str:
    """What a file is called in the archive: its path, or, where that is no text, what no path can be."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return f"/{number}"
    return path


def _add(packed: zipfile.ZipFile, name: str, content: bytes) -> None:
    packed.writestr(zipfile.ZipInfo(name), content)  # without a time: the same changes are the same bytes


def _unpacked(manifest: dict[str, Any], packed: zipfile.ZipFile) -> Recorded:
    written = tuple(
        Written(
            path=each["path"],
            before=None if each["is_new"] else packed.read(f"before/{_member(each['path'], number)}"),
            after=packed.read(f"after/{_member(each['path'], number)}"),
            mode=each["mode"],
            why=WrittenFor(each["why"]),
        )
        for number, each in enumerate(manifest["written"])
    )
    changes = ChangeSet(
        moves=tuple(FileMove(source=source, target=target) for source, target in manifest["moves"]),
        written=written,
        links=tuple(Relinked(path=path, before=was, after=now) for path, was, now in manifest["links"]),
        folders=tuple(manifest["folders"]),
        emptied=tuple(manifest["emptied"]),
        removed=tuple(manifest["removed"]),
    )
    return Recorded(
        id=manifest["id"],
        name=manifest["name"],
        source_roots=tuple(manifest["source_roots"]),
        changes=changes,
        commits=Commits(manifest["commits"]),
        tracked=frozenset(manifest["tracked"]),
    )
