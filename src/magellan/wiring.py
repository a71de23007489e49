"""Wiring: the only place that picks adapters for a workspace."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.archive.actions import CorporateActionTable, parsed
from magellan.errors import FixInput
from magellan.ports.bars import BarArchive
from magellan.ports.vendor import BarVendor
from magellan.workspace.workspace import Workspace

calendar_of = load_calendar
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
    path = workspace.corporate_actions_file
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return CorporateActionTable()
    except UnicodeDecodeError:
        raise FixInput(f"{path} is not UTF-8 text", next_step="save it as UTF-8") from None
    return parsed(text, name=str(path))
