"""Kept code: machine code on disk, which a change of any source that it is made from throws away.

Kernels call one another across files and share record layouts, so a change in one file must throw away the code of
all. Therefore the folder carries a digest of every source file that takes part, of the compiler's version and of the
processor.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from magellan.compiled.image import Image, can_load
from magellan.compiled.machine_code import Code
from magellan.compiled.object_file import ObjectFile, can_link

_PACKAGE = Path(__file__).parent.parent
_WITH_KERNELS: Final = ("backtest", "compiled", "indicators", "regime", "strategy")
# Bear no mark, but hold constants, layouts and arithmetic that kernels are compiled with.
_COMPILED_IN: Final = frozenset({"records.py", "fill_model.py"})
_MARKS: Final = (b"@kernel", b"kernel_part(", b"in_kernels(")
_KEPT_FOLDERS: Final = 4
_WAITS_S: Final = 60.0
_LOOKS_EVERY_S: Final = 0.02
_DIGEST_BYTES: Final = 16


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


@cache
def processor() -> str:
    """What this computer can do, as far as code depends on it: code of another one is not run."""
    described = Path("/proc/cpuinfo")
    if not described.exists():
        from llvmlite import binding as llvm

        return (
            f"{llvm.get_default_triple()} {llvm.get_host_cpu_name()} {llvm.get_host_cpu_features().flatten()}"
        )
    of_first, _, _ = described.read_text().partition("\n\n")
    # Its clock changes from one second to the next.
    told = [
        line for line in of_first.splitlines() if not line.startswith(("cpu MHz", "bogomips", "BogoMIPS"))
    ]
    return f"{platform.machine()} {told}"


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
        written = path.read_bytes()
    except OSError:  # not there yet, or not to be read by us: it is compiled
        return None
    # Half a file would be run as machine code.
    if written[:_DIGEST_BYTES] != _digest(written[_DIGEST_BYTES:]):
        return None
    head, _, content = written[_DIGEST_BYTES:].partition(b"\n")
    told = json.loads(head)
    if "entry" in told:
        addresses = tuple([(at, target) for at, target in told["addresses"]])
        outside = tuple([(at, name) for at, name in told["outside"]])
        image = Image(content=content, entry=told["entry"], addresses=addresses, outside=outside)
        return Code(returns=tuple(told["returns"]), form=image) if can_load(image) else None
    form = ObjectFile(content=content, symbol=told["symbol"], needs=tuple(told["needs"]))
    return Code(returns=tuple(told["returns"]), form=form) if can_link(form) else None


def holds(name: str) -> bool:
    """Whether there is code of that kernel, for arguments of some kinds."""
    return any(_folder().glob(f"{name}-*.kernel"))


@contextmanager
def alone(name: str, kinds: tuple[Any, ...]) -> Iterator[None]:
    """Let one process at a time make a kernel: the others wait, and find it kept.

    They wait for a minute at most: whoever makes it may have been stopped in the middle.
    """
    path = _file(name, kinds).with_suffix(".lock")
    with ExitStack() as held:
        with suppress(OSError):  # where nothing can be kept, each makes its own
            if not path.parent.exists():
                _make_room(path.parent)
            lock = held.enter_context(path.open("wb"))
            until_s = time.monotonic() + _WAITS_S
            while time.monotonic() < until_s:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(_LOOKS_EVERY_S)
        yield


def keep(name: str, kinds: tuple[Any, ...], code: Code) -> None:
    """Write the code for the processes to come, with `alone`. Where that is not possible each compiles for itself."""
    path = _file(name, kinds)
    form = code.form
    told: dict[str, Any] = {"returns": code.returns}
    if isinstance(form, Image):
        told |= {"entry": form.entry, "addresses": form.addresses, "outside": form.outside}
    else:
        told |= {"symbol": form.symbol, "needs": form.needs}
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    try:
        written = json.dumps(told).encode() + b"\n" + form.content
        unfinished.write_bytes(_digest(written) + written)
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


def _digest(written: bytes) -> bytes:
    return hashlib.blake2b(written, digest_size=_DIGEST_BYTES).digest()
