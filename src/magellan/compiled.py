"""Compiled kernels: one decorator, and a disk cache that cannot serve yesterday's machine code.

Numba looks only at the file in which a function stands to decide whether its cached machine code is still good. Ours
call one another across files and share record layouts, so a change in one file must throw away the code of all.
Therefore the cache folder carries a digest of every source file that takes part.
"""

from __future__ import annotations

import atexit
import gc
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import njit

_PACKAGE = Path(__file__).parent
_WITH_KERNELS = ("backtest", "indicators", "strategy")
_RECORD_LAYOUTS = frozenset(
    {"records.py"}
)  # hold no kernel, but constants and layouts that kernels are compiled with
_MARKS = (b"@kernel", b"@kernel_part", b"@pure_kernel", b"@intrinsic", b"@njit")
_KEPT_FOLDERS = 4

Function = TypeVar("Function", bound=Callable[..., Any])


def sources_digest() -> str:
    """Digest of all source files that machine code is made from, and of Numba's version."""
    digest = hashlib.blake2b(numba.__version__.encode(), digest_size=12)
    for folder in _WITH_KERNELS:
        for path in sorted((_PACKAGE / folder).rglob("*.py")):
            text = path.read_bytes()
            if any(mark in text for mark in _MARKS) or path.name in _RECORD_LAYOUTS:
                digest.update(path.name.encode() + b"\0" + text)
    return digest.hexdigest()


def cache_folder() -> Path:
    """Where this version's machine code is kept: below NUMBA_CACHE_DIR when it is set, else in the user's cache."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    user = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    base = Path(named) if named else user / "magellan"
    return base / "kernels" / sources_digest()


def _prepare() -> None:
    # A process that ends needs no garbage collected; looking through all of a compiler's objects takes 0.2 s.
    atexit.register(gc.freeze)
    folder = cache_folder()
    # Numba reads this when a function is decorated, so it is set before any of ours is.
    numba.config.CACHE_DIR = str(folder)
    if not folder.exists():
        older = sorted(folder.parent.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in older[_KEPT_FOLDERS - 1 :]:
            shutil.rmtree(path, ignore_errors=True)


def kernel(function: Function) -> Function:
    """Compile a function that works on arrays; cached on disk, releases the interpreter lock."""
    compiled: Function = njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


def pure_kernel(function: Function) -> Function:
    """Compile a function of numbers and records that makes no arrays: no reference counts, so cheap to call."""
    compiled: Function = njit(cache=True, nogil=True, error_model="numpy", _nrt=False)(function)
    return compiled


def kernel_part(function: Function) -> Function:
    """A pure kernel that only other kernels call: it cannot be called from Python, and is cached as part of them.

    Half of what compiling a small function costs is the way in from Python.
    """
    compiled: Function = njit(
        nogil=True, error_model="numpy", _nrt=False, no_cpython_wrapper=True, no_cfunc_wrapper=True
    )(function)
    return compiled


_prepare()
