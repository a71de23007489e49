"""Reading many files, in this process or in others: what a worker is told, and what it does with each file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from magellan.migration.scan.scanned_file import ScannedFile, read_file


@dataclass(frozen=True, slots=True, kw_only=True)
class FileToRead:
    """A file, by path, and its size in bytes as it was listed."""

    path: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingTask:
    """How a worker comes to a tree's files, and what it is to find out; sent to other processes."""

    content_of: Callable[[str], bytes]
    structure_only: bool


def reader_of(task: ReadingTask) -> Callable[[FileToRead], ScannedFile]:
    """What reads each file."""

    def read(file: FileToRead) -> ScannedFile:
        return read_file(file.path, file.size, task.content_of, structure_only=task.structure_only)

    return read
