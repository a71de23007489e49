"""The ledgers that need no server keep the contract."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contracts.ledger_contract import LedgerContract, clock
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.adapters.sql_ledger import SqlLedger
from magellan.adapters.sqlite_ledger import SqliteDatabase
from magellan.ports.ledger import Ledger


class TestMemoryLedger(LedgerContract):
    @pytest.fixture
    def ledger(self) -> Ledger:
        return MemoryLedger(clock)

    @pytest.fixture
    def reopened(self, ledger: Ledger) -> Callable[[], Ledger]:
        return lambda: ledger


class TestSqliteLedger(LedgerContract):
    @pytest.fixture
    def ledger(self, reopened: Callable[[], Ledger]) -> Ledger:
        return reopened()

    @pytest.fixture
    def reopened(self, tmp_path: Path) -> Iterator[Callable[[], Ledger]]:
        opened: list[Ledger] = []

        def open_again() -> Ledger:
            opened.append(SqlLedger(SqliteDatabase(tmp_path / "a folder/ledger.sqlite"), clock))
            return opened[-1]

        yield open_again
        for each in opened:
            each.close()
