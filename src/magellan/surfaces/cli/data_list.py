"""`magellan data list`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder

if TYPE_CHECKING:
    from magellan.archive.dataset import SetRecord
    from magellan.usecases.list_bars import Catalogue


def data_list(
    sets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SYMBOL|SET]...", help="Only these, with their sources and assumptions."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the catalogue of archived bars: one row per set.

    A set is named vendor/feed/adjustment/hours/symbol/timeframe; bars that
    differ in any of these never mix.
    """
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.list_bars import list_bars
    from magellan.wiring.market import bar_archive, import_journal
    from magellan.workspace.workspace import Workspace

    opened = Workspace.at(workspace_folder(workspace))
    catalogue = list_bars(bar_archive(opened), import_journal(opened), sets or ())
    emit(_document(catalogue), as_json=as_json, human=lambda: _show(catalogue, in_full=bool(sets)))


def _document(catalogue: Catalogue) -> dict[str, object]:
    return {
        "sets": [
            {
                "set": record.id.slug,
                "symbol": record.id.symbol,
                "timeframe": str(record.id.timeframe),
                "vendor": record.id.vendor,
                "feed": record.id.feed,
                "adjustment": record.id.adjustment,
                "hours": record.id.hours,
                "calendar": record.calendar,
                "requested": record.requested,
                "first_at": record.first_at,
                "last_at": record.last_at,
                "rows": record.rows,
                "sha256": record.sha256,
                "fetched_at": record.fetched_at,
                "negative_prices": record.negative_prices,
                "point_value": record.point_value,
                "generated": record.generated,
                "schema_version": record.schema_version,
                "sources": record.sources,
            }
            for record in catalogue.sets
        ],
        "unfinished_imports": catalogue.unfinished_imports,
    }


def _show(catalogue: Catalogue, *, in_full: bool) -> None:
    from magellan.surfaces.cli.output import note, print_table, say

    if not catalogue.sets:
        say("the archive is empty; `magellan data import` and `magellan data fetch` fill it")
    else:
        print_table(
            ("set", "bars", "first bar", "last bar", "fetched", ""),
            [
                (
                    record.id.slug,
                    f"{record.rows:,}",
                    f"{record.first_at:%Y-%m-%d}",
                    f"{record.last_at:%Y-%m-%d}",
                    f"{record.fetched_at:%Y-%m-%d}",
                    "generated" if record.generated else "",
                )
                for record in catalogue.sets
            ],
            numbers=("bars",),
        )
    if in_full:
        for record in catalogue.sets:
            _show_in_full(record)
    for each in catalogue.unfinished_imports:
        note(
            f"an import of {each.files} files, begun {each.begun_at:%Y-%m-%d %H:%M}Z, stopped after {each.done}:"
            " run the same `magellan data import` again"
        )


def _show_in_full(record: SetRecord) -> None:
    from magellan.surfaces.cli.output import say

    say(f"{record.id.slug}: sessions of {record.calendar}, asked for {', '.join(map(str, record.requested))}")
    say(f"  sha256 {record.sha256}")
    for source in record.sources:
        asked = f", asked for {source.requested}" if source.requested else ""
        say(f"  from {source.name}: {source.rows:,} rows{asked}, {source.fetched_at:%Y-%m-%d %H:%M}Z")
        for sentence in source.assumptions:
            say(f"    assumed: {sentence}")
