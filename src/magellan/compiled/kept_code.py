"""Kept code: machine code on disk, which a change of any source that it is made from throws away.

Kernels call one another across files and share record layouts, so a change in one file must throw away the code of
all. Therefore the folder carries a digest of every source file that takes part, of the compiler's version and of the
processor.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from magellan.compiled.machine_code import Code, can_link, processor

_PACKAGE = Path(__file__).parent.parent
_WITH_KERNELS: Final = ("backtest", "compiled", "indicators", "regime", "strategy")
# Bear no mark, but hold constants, layouts and arithmetic that kernels are compiled with.
_COMPILED_IN: Final = frozenset({"records.py", "fill_model.py"})
_MARKS: Final = (b"@kernel", b"@kernel_part", b"in_kernels(")
_KEPT_FOLDERS: Final = 4


def sources_digest() -> str:
    """Digest of all that machine code depends on: sources, Numba and Python by their versions, the processor."""
    made_by = f"{version('numba')} {version('llvmlite')} {platform.python_version()} {processor()}"
    digest = hashlib.blake2b(made_by.encode(), digest_size=12)
    for folder in _WITH_KERNELS:
        for path in sorted((_PACKAGE / folder).rglob("*.py")):
            text = path.read_bytes()
            if folder == "compiled" or any(mark in text for mark in _MARKS) or path.name in _COMPILED_IN:
                digest.update(path.name.encode() + b"\0" + text)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where this version's machine code is kept: below NUMBA_CACHE_DIR when it is set, else in the user's cache."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    base = Path(named) if named else user / "magellan"
    return base / "kernels" / sources_digest()


def read(name: str, kinds: tuple[Any, ...]) -> Code | None:
    """The code of that kernel for arguments of these kinds; None where there is none that can be run."""
    path = _file(name, kinds)
    try:
        head, _, object_file = path.read_bytes().partition(b"\n")
        told = json.loads(head)
    except (OSError, ValueError):  # not there yet, not to be read by us, or spoilt: it is compiled
        return None
    # Half a file would be run as machine code.
    if told["digest"] != _digest(object_file):
        return None
    code = Code(
        symbol=told["symbol"],
        returns=tuple(told["returns"]),
        needs=tuple(told["needs"]),
        object_file=object_file,
    )
    return code if can_link(code) else None


def keep(name: str, kinds: tuple[Any, ...], code: Code) -> None:
    """Write the code for the processes to come. Where that is not possible each of them compiles for itself."""
    path = _file(name, kinds)
    told = {
        "symbol": code.symbol,
        "returns": code.returns,
        "needs": code.needs,
        "digest": _digest(code.object_file),
    }
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    try:
        if not path.parent.exists():
            _make_room(path.parent)
        unfinished.write_bytes(json.dumps(told).encode() + b"\n" + code.object_file)
        unfinished.replace(path)
    except OSError:  # a full disk, a home that nobody may write to: it costs time, and changes no result
        with suppress(OSError):
            unfinished.unlink()


def _make_room(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    older = sorted(folder.parent.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in older[_KEPT_FOLDERS - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
    folder.mkdir(exist_ok=True)


@cache
def _folder() -> Path:
    return cache_folder()


def _file(name: str, kinds: tuple[Any, ...]) -> Path:
    digest = hashlib.blake2b(repr(kinds).encode(), digest_size=8).hexdigest()
    return _folder() / f"{name}-{digest}.kernel"


def _digest(object_file: bytes) -> str:
    return hashlib.blake2b(object_file, digest_size=16).hexdigest()
