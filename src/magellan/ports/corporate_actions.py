"""The workspace's corporate-action table, as something that is kept somewhere."""

from __future__ import annotations

from typing import Protocol

from magellan.archive.actions import CorporateActionTable


class CorporateActionStore(Protocol):
    """Kept by `adapters/corporate_action_file.py`."""

    def read(self) -> CorporateActionTable:
        """The table; empty when none was ever written. Raises FixInput naming line and column of a mistake."""
        ...

    def write(self, table: CorporateActionTable) -> None:
        """Replace the table, all of it or nothing. Raises AskOperator when that is impossible."""
        ...
