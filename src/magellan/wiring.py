"""Wiring: the only place that picks adapters for a workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from magellan.adapters.corporate_action_file import CorporateActionFile
from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.import_journal import JsonLinesImportJournal
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.adapters.parquet.foreign_file import ENDINGS, read_foreign
from magellan.archive.actions import CorporateActionTable
from magellan.errors import FixInput
from magellan.ports.bars import BarArchive
from magellan.ports.corporate_actions import CorporateActionStore
from magellan.ports.import_journal import ImportJournal
from magellan.ports.vendor import BarVendor
from magellan.workspace.workspace import Workspace

calendar_of = load_calendar
read_foreign_bars = read_foreign
FOREIGN_ENDINGS = ENDINGS  # of files that are worth a try
BAR_VENDORS = ("alpaca", "polygon", "yahoo")


def bar_archive(workspace: Workspace) -> BarArchive:
    """The workspace's archive of bars."""
    return ParquetBarArchive(workspace.data_folder)


def bar_vendor(name: str, environment: Mapping[str, str], notice: Callable[[str], None]) -> BarVendor:
    """The vendor of that name, with the keys that the environment holds.

    notice: told before each wait, in one sentence.
    Raises: FixInput for an unknown name, a missing key, or an extra that is not installed.
    """
    from magellan.adapters.vendor_request import Patience

    patience = Patience(notice=notice)
    match name:
        case "alpaca":
            from magellan.adapters.alpaca.bars import AlpacaBars

            return AlpacaBars.from_environment(environment, patience=patience)
        case "polygon":
            from magellan.adapters.polygon.bars import PolygonBars

            return PolygonBars.from_environment(environment, patience=patience)
        case "yahoo":
            from magellan.adapters.yahoo.bars import YahooBars

            return YahooBars.from_environment(environment, patience=patience)
    raise FixInput(f"'{name}' is no vendor of bars", next_step=f"choose one of {', '.join(BAR_VENDORS)}")


def corporate_actions(workspace: Workspace) -> CorporateActionTable:
    """The workspace's table of corporate actions; empty where the file does not exist.

    Raises FixInput naming the row and column of a mistake.
    """
    return corporate_action_store(workspace).read()


def corporate_action_store(workspace: Workspace) -> CorporateActionStore:
    """Where the workspace keeps that table."""
    return CorporateActionFile(workspace.corporate_actions_file)


def import_journal(workspace: Workspace) -> ImportJournal:
    """The journal of the imports into the workspace's archive."""
    return JsonLinesImportJournal(workspace.state_folder / "imports")
