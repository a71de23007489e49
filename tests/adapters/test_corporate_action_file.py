"""The corporate-action table on disk."""

import errno
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from magellan.adapters.corporate_action_file import CorporateActionFile
from magellan.archive.actions import COLUMNS, CorporateActionTable
from magellan.errors import AskOperator, FixInput
from magellan.trading.corporate_action import Split

SPLIT = Split(symbol="NVDA", effective_at=datetime(2024, 6, 10, 4, tzinfo=UTC), new_shares=10, old_shares=1)
TABLE = CorporateActionTable((SPLIT,))
HEADER = ",".join(COLUMNS)


def test_a_table_that_was_never_written_is_empty(tmp_path: Path) -> None:
    assert CorporateActionFile(tmp_path / "none.csv").read() == CorporateActionTable()


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    store = CorporateActionFile(tmp_path / "data" / "corporate_actions.csv")
    store.write(TABLE)
    assert store.read() == TABLE
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["corporate_actions.csv"]


def test_a_table_that_a_spreadsheet_saved_is_read(tmp_path: Path) -> None:
    path = tmp_path / "corporate_actions.csv"
    path.write_bytes(f"\ufeff{HEADER}\r\nsplit,NVDA,2024-06-10,10,1,,,\r\n\r\n".encode())
    assert CorporateActionFile(path).read() == TABLE


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (
            f"{HEADER}\nsplit,NVDA,2024-06-10,ten,1,,,\n".encode(),
            "corporate_actions.csv, line 2, column 'new'",
        ),
        (f"{HEADER}\nsplit,NVDÄ".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_a_mistake_in_the_table_is_named(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "corporate_actions.csv"
    path.write_bytes(content)
    with pytest.raises(FixInput, match=says):
        CorporateActionFile(path).read()


def test_a_full_disk_leaves_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "corporate_actions.csv"
    store = CorporateActionFile(path)
    store.write(TABLE)

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        AskOperator, match=r"corporate_actions\.csv cannot be written: the disk is full"
    ) as told:
        store.write(CorporateActionTable())
    assert told.value.kept == "the table, as it was"
    assert store.read() == TABLE
    assert [each.name for each in tmp_path.iterdir()] == ["corporate_actions.csv"]
    monkeypatch.undo()
    store.write(CorporateActionTable())
    assert store.read() == CorporateActionTable()
