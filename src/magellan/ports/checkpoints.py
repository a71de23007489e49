"""Checkpoints: signed notes of where the chains ended. Kept by `adapters/local/checkpoint_file.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from magellan.audit.checkpoint import Checkpoint


class Checkpoints(Protocol):
    """The checkpoints that lie beside the audit log. Copies of them belong elsewhere."""

    @property
    def place(self) -> Path:
        """The file that is worth a copy elsewhere."""
        ...

    def add(self, checkpoint: Checkpoint) -> None:
        """Keep it; on the disk when this returns. Raises AskOperator where it cannot be kept."""
        ...

    def all(self) -> tuple[Checkpoint, ...]:
        """In the order in which they were added. Raises AskOperator for a file that holds anything else."""
        ...
