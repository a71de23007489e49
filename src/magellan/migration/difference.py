"""A migration as a unified diff, as git writes one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from magellan.migration.change_set import ChangeSet


def unified_diff(changes: ChangeSet) -> Iterator[str]:
    """Lines of the diff, without line ends; moves without other changes as renames."""
    sources = {move.target: move.source for move in changes.moves}
    written = {each.path: each for each in changes.written}
    for path in sorted({*sources, *written}):
        source = sources.get(path, path)
        each = written.get(path)
        yield f"diff --git a/{source} b/{path}"
        if each is not None and each.before is None:
            yield f"new file mode 100{each.mode:o}"
        if source != path:
            yield f"rename from {source}"
            yield f"rename to {path}"
        if each is None:
            continue
        before = [] if each.before is None else _lines(each.before)
        name = "/dev/null" if each.before is None else f"a/{source}"
        for line in difflib.unified_diff(before, _lines(each.after), name, f"b/{path}", lineterm="", n=2):
            yield line.rstrip("\n")
    for link in changes.links:
        yield f"link {link.path}: {link.before} -> {link.after}"


def _lines(content: bytes) -> list[str]:
    return content.decode(errors="replace").splitlines(keepends=True)
