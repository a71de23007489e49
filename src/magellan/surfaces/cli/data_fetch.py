"""`magellan data fetch`."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder
from magellan.surfaces.cli.run_options import read_date

if TYPE_CHECKING:
    from magellan.usecases.fetch_bars import Fetched


class Vendor(StrEnum):
    """Who can be asked."""

    ALPACA = "alpaca"
    POLYGON = "polygon"
    YAHOO = "yahoo"


class Adjust(StrEnum):
    """What the vendor is to do to its prices."""

    RAW = "raw"
    SPLIT = "split"
    ALL = "all"


class DeliveredHours(StrEnum):
    """Which hours the vendor is to deliver."""

    REGULAR = "regular"
    ALL = "all"


def data_fetch(
    symbols: Annotated[list[str], typer.Argument(metavar="SYMBOL...", help="As the vendor writes them.")],
    vendor: Annotated[Vendor, typer.Option("--vendor", help="Whom to ask.")],
    from_: Annotated[
        date,
        typer.Option("--from", parser=read_date, metavar="DATE", help="First exchange date."),
    ],
    to: Annotated[
        date | None,
        typer.Option(
            "--to",
            parser=read_date,
            metavar="DATE",
            help="Last exchange date, included; default: yesterday.",
        ),
    ] = None,
    timeframe: Annotated[
        str, typer.Option("--timeframe", metavar="1Min|1Hour|1Day", help="Length of a bar.")
    ] = "1Day",
    feed: Annotated[
        str | None,
        typer.Option("--feed", metavar="sip|iex", help="Alpaca's feed; default: sip, all US exchanges."),
    ] = None,
    adjust: Annotated[
        Adjust | None,
        typer.Option("--adjust", help="Prices as traded, or adjusted; default: raw, and split for Yahoo."),
    ] = None,
    hours: Annotated[
        DeliveredHours | None,
        typer.Option("--hours", help="Yahoo only: with or without the hours around the session."),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Download bars from Alpaca, Polygon or Yahoo into the archive.

    Only what the archive does not hold yet is asked for, and every part is
    stored as it arrives: run the same command again after an interruption.
    A vendor that returns less than was asked is an error.

    Keys come from the environment: APCA_API_KEY_ID and APCA_API_SECRET_KEY,
    or POLYGON_API_KEY. Yahoo needs none; its data are for personal use.
    """
    import os
    from datetime import UTC, datetime, timedelta

    from magellan.archive.dataset import Adjustment, DateRange
    from magellan.surfaces.cli.output import emit, note, print_table, progress_bars
    from magellan.trading.session import Hours, exchange_date
    from magellan.trading.timeframe import Timeframe
    from magellan.usecases.fetch_bars import fetch_bars
    from magellan.wiring.market import bar_archive, bar_vendor, calendar_of
    from magellan.workspace.workspace import Workspace

    now = datetime.now(UTC)
    dates = DateRange(first_on=from_, last_on=to or exchange_date(now) - timedelta(days=1))
    archive = bar_archive(Workspace.at(workspace_folder(workspace)))
    source = bar_vendor(vendor.value, os.environ, note)
    # Before the first request: one symbol or option that cannot be should not cost the others their time.
    set_ids = [
        source.set_id(
            symbol,
            Timeframe.parse(timeframe),
            feed=feed,
            adjustment=Adjustment(adjust.value) if adjust else None,
            hours=Hours(hours.value) if hours else None,
        )
        for symbol in dict.fromkeys(each.upper() for each in symbols)
    ]
    calendar = calendar_of()
    done: list[Fetched] = []
    with progress_bars() as bars:
        for set_id in set_ids:
            done.append(fetch_bars(source, archive, calendar, set_id, dates, now=now, report=bars.report))

    def show() -> None:
        print_table(
            ("set", "asked for", "requests", "new bars", "bars in all"),
            [
                (
                    each.record.id.slug,
                    each.asked,
                    each.requests,
                    f"{each.rows_added:,}",
                    f"{each.record.rows:,}",
                )
                for each in done
            ],
            numbers=("requests", "new bars", "bars in all"),
        )
        for each in done:
            for sentence in each.notes:
                note(sentence)

    emit([_document(each) for each in done], as_json=as_json, human=show)


def _document(fetched: Fetched) -> dict[str, object]:
    return {
        "set": fetched.record.id.slug,
        "asked": fetched.asked,
        "requests": fetched.requests,
        "rows_added": fetched.rows_added,
        "rows": fetched.record.rows,
        "first_at": fetched.record.first_at,
        "last_at": fetched.record.last_at,
        "sha256": fetched.record.sha256,
        "notes": fetched.notes,
    }
