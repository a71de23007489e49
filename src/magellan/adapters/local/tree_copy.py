"""A source tree written into an empty folder, so that something can be run in it without touching the original."""

from __future__ import annotations

import os
from pathlib import Path

from magellan.migration.source_tree import SourceTree
from magellan.plan.files.tree import Kind


def write_copy(tree: SourceTree, folder: Path) -> None:
    """Every file, folder and link of the tree, with permission bits. What cannot be read is left out."""
    for path, entry in tree.entries.items():
        target = folder / path
        if entry.kind is Kind.FOLDER:
            target.mkdir(parents=True, exist_ok=True)
        elif entry.kind is Kind.LINK:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(entry.points_at)
        elif entry.kind is Kind.FILE:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.write_bytes(tree.read(path))
            except OSError:
                continue  # nobody could have imported it either
            os.chmod(target, entry.mode | 0o400)
