"""Shims: files at old places, through which an old name reaches the very module that moved.

A star import would copy names: state that is set from outside, patches and pickles would meet the copy. So the old
name's module hands every question, assignment and deletion to the new one. It warns once for each place in the code
that uses it, and tells when it will be gone. It needs nothing but Python's own library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from magellan.migration.module_names import is_init
from magellan.migration.source_tree import SourceTree

_MARK: Final = b"# magellan shim: "
_LARGEST: Final = 16_384  # bytes; a shim has about two thousand
_TEMPLATE: Final = '''\
"""Moved: {old} is {new} now. The old name works until {expires_on}.

Written by `magellan migrate apply`; `magellan migrate shims remove` takes it away.
"""

{mark}{facts}
import importlib as _importlib
import sys as _sys
import types as _types
import warnings as _warnings

if __name__ == "__main__":
    import runpy as _runpy

    _runpy.run_module("{new}", run_name="__main__", alter_sys=True)
    _sys.exit()

_moved = _importlib.import_module("{new}")
_OWN = frozenset({{{own}}})
_told = set()


def _tell():
    frame = _sys._getframe(2)
    while frame is not None and "importlib" in frame.f_code.co_filename:
        frame = frame.f_back
    place = None if frame is None else (frame.f_code.co_filename, frame.f_lineno)
    if place is None or place in _told:
        return
    _told.add(place)
    _warnings.warn_explicit(
        "{old} is {new} now; the old name works until {expires_on}",
        DeprecationWarning,
        *place,
        module=frame.f_globals.get("__name__"),
        registry=frame.f_globals.setdefault("__warningregistry__", {{}}),
    )


class _Moved(_types.ModuleType):
    """Whatever is asked of the old name, set or deleted there, is asked, set or deleted at the new one."""

    def __getattribute__(self, name):
        if name in _OWN:
            return super().__getattribute__(name)
        if not name.startswith("__"):
            _tell()
        return getattr(_moved, name)

    def __setattr__(self, name, value):
        # Importing a submodule by its old name sets it here; the new package has its own.
        if not type(value).__name__ == "_Moved":
            setattr(_moved, name, value)

    def __delattr__(self, name):
        delattr(_moved, name)

    def __dir__(self):
        return dir(_moved)


_tell()
_sys.modules[__name__].__class__ = _Moved
'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Shim:
    """A file that keeps an old name working."""

    path: str  # where it lies, and where the module lay
    old: str  # dotted
    new: str  # dotted
    expires_on: date  # the last day on which it is meant to be there

    def source(self) -> bytes:
        """The file's content."""
        head, tail = (
            _TEMPLATE.format(
                old=self.old,
                new=self.new,
                expires_on=self.expires_on.isoformat(),
                mark=_MARK.decode(),
                own=", ".join(f'"{name}"' for name in self._own()),
                facts="{}",
            )
            .encode()
            .split(_MARK + b"{}")
        )
        facts = {"old": self.old, "new": self.new, "expires_on": self.expires_on.isoformat()}
        return head + _MARK + json.dumps({**facts, "rest": _digest(head, tail)}).encode() + tail

    def _own(self) -> tuple[str, ...]:
        """What the old name answers by itself."""
        # pytest imports every module for its doctests, and refuses one that says it lies elsewhere. It does not look
        # at packages, whose data, looked for beside `__file__`, moved with them.
        place = () if is_init(self.path) else ("__file__",)
        return ("__class__", *place, "__loader__", "__path__", "__spec__")


def shims_in(tree: SourceTree) -> Iterator[Shim]:
    """Every shim of the tree, by its mark, whichever version wrote it; one that somebody has changed is none."""
    for path in tree.python_files:
        content = tree.read(path) if tree.entries[path].size < _LARGEST else b""
        head, mark, below = content.partition(_MARK)
        if not mark:
            continue
        line, end, tail = below.partition(b"\n")
        try:
            facts = json.loads(line)
            shim = Shim(
                path=path,
                old=facts["old"],
                new=facts["new"],
                expires_on=date.fromisoformat(facts["expires_on"]),
            )
        except (ValueError, KeyError, TypeError):
            continue
        if facts.get("rest") == _digest(head, end + tail):
            yield shim


def _digest(head: bytes, tail: bytes) -> str:
    """Of what stands above and below the line with the facts."""
    return hashlib.sha256(head + tail).hexdigest()[:16]


def wants_shim(path: str) -> bool:
    """Whether an old path is one that somebody may import: no test, which would be collected twice, and no stub."""
    name = path.rpartition("/")[2]
    if not name.endswith(".py") or name in ("conftest.py", "setup.py"):
        return False
    return is_init(path) or not (name.startswith("test_") or name.endswith("_test.py"))
