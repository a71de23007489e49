"""Trying whether modules can be imported, without letting them do anything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from magellan.migration.scan.activation import ImportToTry, Isolation, TriedImport


class ImportSandbox(Protocol):
    """Kept by `adapters/local/import_sandbox/`."""

    @property
    def isolation(self) -> Isolation:
        """How strongly imports are kept from the rest of the machine, here."""
        ...

    def try_imports(
        self, modules: Sequence[ImportToTry], *, on_done: Callable[[int, int], None] | None = None
    ) -> tuple[TriedImport, ...]:
        """Import each module in a process of its own, in order. What it raises is an answer.

        on_done: told how many are done, of how many.
        Raises:  FixInput where the interpreter cannot be started.
        """
        ...
