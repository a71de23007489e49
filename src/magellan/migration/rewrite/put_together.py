"""Names that are put together while a program runs: `"shop." + name`, f"shop.{name}", "shop.%s"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from magellan.migration.rewrite.reference import Reference, ReferenceKind
from magellan.migration.rewrite.renames import Renames
from magellan.migration.source import Source

_ENDS: Final = re.compile(rb"\.[\"'{%]")
_DOTTED_STRING: Final = re.compile(rb"[\"'](?P<name>[A-Za-z_]\w*(?:\.\w+)*)\Z")
_LONGEST_NAME: Final = 200  # bytes


class PutTogether:
    """Finds strings that begin a name in a package which modules leave: what follows is known to no one."""

    def __init__(self, renames: Renames) -> None:
        self._left = {
            package.encode()
            for old, new in renames.modules.items()
            if (package := old.rpartition(".")[0])
            and renames.new_name(package) == package
            and new.rpartition(".")[0] != package
        }

    def references(self, utf8: bytes) -> Iterator[Reference]:
        """Every such string in Python code. None is changed: which modules it meant is not said."""
        if not self._left:
            return
        source = None
        for end in _ENDS.finditer(utf8):
            found = _DOTTED_STRING.search(utf8, max(0, end.start() - _LONGEST_NAME), end.start())
            if found is None or found["name"] not in self._left:
                continue
            source = source or Source(utf8)
            yield Reference(
                kind=ReferenceKind.STRING,
                line=source.line_of(found.start()),
                old=f"{found['name'].decode()}.",
                new="",
                certain=False,
                note="modules leave that package: those that are named so while it runs are not known",
            )
