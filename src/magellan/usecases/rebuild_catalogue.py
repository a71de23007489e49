"""Rebuild the catalogue: for one that was lost or damaged."""

from __future__ import annotations

from magellan.archive.dataset import Rebuilt
from magellan.ports.bars import BarArchive


def rebuild_catalogue(archive: BarArchive) -> Rebuilt:
    """Make the catalogue again from the archived files. Raises TryAgain or AskOperator when it cannot be written."""
    return archive.rebuild()
