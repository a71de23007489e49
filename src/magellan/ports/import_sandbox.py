"""Trying whether modules can be imported, without letting them do anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from magellan.migration.scan.activation import ImportToTry, Isolation, TriedImport


class ImportSandbox(Protocol):
    """Kept by `adapters/local/import_sandbox/`."""

    @property
    def isolation(self) -> Isolation:
        """How strongly imports are kept from the rest of the machine, here."""
        ...

    def try_imports(
        self,
        modules: Sequence[ImportToTry],
        imports: Mapping[str, frozenset[str]] = {},
        *,
        within_s: float | None = None,
    ) -> Iterator[TriedImport]:
        """Import each module in a process of its own, several at a time; answers come as they are had, in any order.

        What a module raises is an answer. Whoever stops listening stops the work, and nothing of it is left behind.

        imports:  which files of the tree each file imports; whoever imports one that used up its time comes last.
        within_s: seconds on the clock for all of them; those that were not done by then get no answer.
        Raises:   FixInput where the interpreter cannot be started.
        """
        ...
