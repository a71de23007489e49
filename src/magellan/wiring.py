"""Wiring: the only place that picks adapters for a workspace."""

from __future__ import annotations

from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.archive.actions import CorporateActionTable, parsed
from magellan.errors import FixInput
from magellan.ports.bars import BarArchive
from magellan.workspace.workspace import Workspace

calendar_of = load_calendar


def bar_archive(workspace: Workspace) -> BarArchive:
    """The workspace's archive of bars."""
    return ParquetBarArchive(workspace.data_folder)


def corporate_actions(workspace: Workspace) -> CorporateActionTable:
    """The workspace's table of corporate actions; empty where the file does not exist.

    Raises FixInput naming the row and column of a mistake.
    """
    path = workspace.corporate_actions_file
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return CorporateActionTable()
    except UnicodeDecodeError:
        raise FixInput(f"{path} is not UTF-8 text", next_step="save it as UTF-8") from None
    return parsed(text, name=str(path))
