"""Files that are either the old one or the new one, whatever is killed when and however full the disk is."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

from magellan.errors import AskOperator

UNFINISHED = ".unfinished"
"""How the names of files end that are still being written. After a kill they are rubbish."""

AGAIN: Final = "run the same command again"


def write_durably(path: Path, content: bytes, *, kept: str, mode: int = 0o666) -> None:
    """Put `content` at `path`, beside the old file first and then in its place; on disk when this returns.

    kept:   what the error says is safe when it fails.
    mode:   the file's permission bits, less the process's umask.
    Raises: AskOperator when the disk is full, read-only or not ours to write; the old file is then untouched.
    """
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        _make_folder(path.parent)
        try:
            # Anew, since one that a kill left behind has the rights that it had.
            unfinished.unlink(missing_ok=True)
            with open(unfinished, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, path)
        except BaseException:  # Ctrl-C too: half a file helps nobody
            with suppress(OSError):
                unfinished.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error, kept=kept) from error


def make_folder_durably(folder: Path, *, kept: str) -> None:
    """Make the folder, and those above it, where they are missing; on disk when this returns.

    Raises: AskOperator as `write_durably` does.
    """
    try:
        _make_folder(folder)
    except OSError as error:
        raise cannot_write(folder, error, kept=kept) from error


def cannot_write(path: Path, error: OSError, *, kept: str, again: str = AGAIN) -> AskOperator:
    """The refusal for a file that cannot be written, in words.

    again: what to do once there is room.
    """
    causes = {
        errno.ENOSPC: ("the disk is full", f"free some space, then {again}"),
        errno.EDQUOT: ("the disk quota is used up", f"free some space, then {again}"),
        errno.EFBIG: (
            "the file would be larger than is allowed",
            "raise the limit (`ulimit -f`), then run again",
        ),
        errno.EROFS: ("the disk is read-only", "choose a workspace that can be written"),
        errno.EACCES: ("we may not write there", "give this user the right to write there"),
        errno.EPERM: ("we may not write there", "give this user the right to write there"),
    }
    why, next_step = causes.get(
        error.errno or 0, (error.strerror or str(error), "look at the disk, then run again")
    )
    return AskOperator(f"{path} cannot be written: {why}", kept=kept, next_step=next_step)


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(exist_ok=True)
    sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut: on most file systems the folder is written later than the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
