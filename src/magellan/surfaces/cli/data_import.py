"""`magellan data import`."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder

if TYPE_CHECKING:
    from magellan.usecases.import_bars import FileOutcome, ImportResult

_FEW_FILES = 5  # whose assumptions are told one by one


class Adjustment(StrEnum):
    """What the vendor had done to the prices."""

    RAW = "raw"
    SPLIT = "split"
    ALL = "all"


class Hours(StrEnum):
    """Which hours the vendor delivered."""

    REGULAR = "regular"
    ALL = "all"


class Label(StrEnum):
    """Which end of its span a bar is labelled with."""

    START = "start"
    END = "end"


def data_import(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Files, and folders to search for Parquet and CSV files."),
    ],
    vendor: Annotated[str | None, typer.Option(metavar="NAME", help="Who delivered the bars.")] = None,
    feed: Annotated[
        str | None, typer.Option(metavar="NAME", help="Which of the vendor's feeds: sip, iex, ...")
    ] = None,
    adjustment: Annotated[
        Adjustment | None, typer.Option(help="What the vendor had done to the prices; default: raw.")
    ] = None,
    hours: Annotated[
        Hours | None, typer.Option(help="Which hours the vendor delivered; default: all.")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(metavar="SYMBOL", help="Where neither name nor a column says it.")
    ] = None,
    timeframe: Annotated[
        str | None, typer.Option(metavar="1Min|1Hour|1Day", help="Where the name does not say it.")
    ] = None,
    timezone: Annotated[
        str | None,
        typer.Option(metavar="ZONE", help="Of times without one, for example UTC or America/New_York."),
    ] = None,
    label: Annotated[
        Label | None, typer.Option(help="Which end of its span a bar is labelled with; default: start.")
    ] = None,
    calendar: Annotated[
        str | None, typer.Option(metavar="CODE", help="Of the exchange: XNYS, CMES, 24/7, ...")
    ] = None,
    point_value: Annotated[
        float,
        typer.Option(min=0, metavar="AMOUNT", help="What one unit earns when the price moves by 1."),
    ] = 1.0,
    allow_negative_prices: Annotated[
        bool, typer.Option("--allow-negative-prices", help="The instrument can trade at or below zero.")
    ] = False,
    ignore: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Pass over this column; can be repeated.")
    ] = None,
    strict_range: Annotated[
        bool, typer.Option("--strict-range", help="Refuse files that hold less than their name asks for.")
    ] = False,
    accept_range: Annotated[
        bool, typer.Option("--accept-range", help="Take what such files hold for all that was asked for.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import Parquet and CSV files of bars into the archive.

    Each file is merged whole or refused with its reason; the others go on.
    What a file does not say is taken from its name, a known layout, the
    options, or a stated assumption, and held against the bars themselves.
    Doing it twice is doing it once; after an interruption, the same command
    goes on where it was. Ends with 1 when any file was refused.
    """
    from datetime import UTC, datetime

    from magellan.archive import dataset, declared
    from magellan.surfaces.cli.output import emit, progress_bars
    from magellan.trading import session
    from magellan.trading.timeframe import Timeframe
    from magellan.usecases.import_bars import import_bars
    from magellan.wiring.market import (
        FOREIGN_ENDINGS,
        bar_archive,
        calendar_of,
        import_journal,
        read_foreign_bars,
    )
    from magellan.workspace.workspace import Workspace

    if strict_range and accept_range:
        raise typer.BadParameter("--strict-range and --accept-range contradict each other")
    if point_value == 0:
        raise typer.BadParameter("a point value is above 0", param_hint="--point-value")
    policy = declared.RangePolicy.RECORD
    if strict_range or accept_range:
        policy = declared.RangePolicy.REFUSE if strict_range else declared.RangePolicy.ACCEPT
    opened = Workspace.at(workspace_folder(workspace))
    with progress_bars() as bars:
        result = import_bars(
            paths,
            declared.Declared(
                vendor=vendor,
                feed=feed,
                adjustment=dataset.Adjustment(adjustment.value) if adjustment else None,
                hours=session.Hours(hours.value) if hours else None,
                symbol=symbol.upper() if symbol else None,
                timeframe=Timeframe.parse(timeframe) if timeframe else None,
                timezone=timezone,
                label=declared.Label(label.value) if label else None,
                calendar=calendar,
                point_value=point_value,
                negative_prices=allow_negative_prices,
                ignored_columns=frozenset(ignore or ()),
                range_policy=policy,
            ),
            archive=bar_archive(opened),
            journal=import_journal(opened),
            read_foreign=read_foreign_bars,
            endings=FOREIGN_ENDINGS,
            calendar_named=calendar_of,
            now=datetime.now(UTC),
            dry_run=dry_run,
            report=bars.report,
        )
    emit(_document(result), as_json=as_json, human=lambda: _show(result))
    if result.refused:
        raise typer.Exit(1)


def _document(result: ImportResult) -> dict[str, object]:
    return {
        "files": result.files,
        "counts": {status.value: count for status, count in result.counts.items()},
        "resumed": result.resumed,
        "dry_run": result.dry_run,
    }


def _show(result: ImportResult) -> None:
    from magellan.surfaces.cli.output import print_table, say

    print_table(
        ("file", "", "set", "new bars", "there before", "first bar", "last bar"),
        [row for outcome in result.files for row in _rows(outcome)],
        numbers=("new bars", "there before"),
    )
    warned = [
        (each.file.name, warning) for each in result.files for of in each.sets for warning in of.warnings
    ]
    for name, warning in warned:
        say(f"look at {name}: {warning}")
    for outcome in result.refused:
        say(f"refused: {outcome.reason}")
        if outcome.next_step:
            say(f"  next: {outcome.next_step}")
    _say_assumptions(result)
    counts = ", ".join(f"{count} {status}" for status, count in result.counts.items())
    resumed = f" ({result.resumed} of them by the import that was interrupted)" if result.resumed else ""
    say(f"{counts}{resumed}" + ("; nothing was written (--dry-run)" if result.dry_run else ""))


def _rows(outcome: FileOutcome) -> list[tuple[object, ...]]:
    if not outcome.sets:
        return [(outcome.file.name, outcome.status.value, None, None, None, None, None)]
    return [
        (
            outcome.file.name,
            outcome.status.value,
            each.set,
            f"{each.rows_added:,}",
            f"{each.rows_already_there:,}",
            f"{each.first_at:%Y-%m-%d %H:%M}Z",
            f"{each.last_at:%Y-%m-%d %H:%M}Z",
        )
        for each in outcome.sets
    ]


def _say_assumptions(result: ImportResult) -> None:
    """Of a few files all; of many those that several share. `data list SYMBOL` tells each set's later."""
    from magellan.surfaces.cli.output import say

    told = [
        (each.file.name, sentence) for each in result.files for of in each.sets for sentence in of.assumptions
    ]
    shared = Counter(sentence for _, sentence in told)
    files = sum(bool(each.sets) for each in result.files)
    for sentence, count in shared.items():
        if files > 1 and count > 1:
            say(f"assumed of {count} of {files} files: {sentence}")
    rare = [(name, sentence) for name, sentence in told if files == 1 or shared[sentence] == 1]
    if files > _FEW_FILES and rare:
        say(f"assumed of single files: {len(rare)} more sentences; `magellan data list SYMBOL` tells them")
    else:
        for name, sentence in rare:
            say(f"assumed of {name}: {sentence}")
