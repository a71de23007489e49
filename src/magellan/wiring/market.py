"""Wiring: bars, calendars, vendors, and the markets that the paper exchange serves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from magellan.adapters.corporate_action_file import CorporateActionFile
from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.adapters.parquet.foreign_file import ENDINGS, read_foreign
from magellan.errors import FixInput

if TYPE_CHECKING:
    from magellan.archive.actions import CorporateActionTable
    from magellan.exchange.server.served_market import MarketAsked, ServedMarket
    from magellan.exchange.venue.terms import Costs
    from magellan.ledger.entries import SessionBegan
    from magellan.ports.bars import BarArchive
    from magellan.ports.corporate_actions import CorporateActionStore
    from magellan.ports.import_journal import ImportJournal
    from magellan.ports.live_bars import LiveBars
    from magellan.ports.secrets import SecretProvider
    from magellan.ports.vendor import BarVendor
    from magellan.ports.workbook_files import WorkbookFiles
    from magellan.settings.keys import KeyPair
    from magellan.trading.session import ExchangeCalendar
    from magellan.trading.timeframe import Timeframe
    from magellan.usecases.regime_bars import RegimeBars
    from magellan.workspace.broker_account import LiveData
    from magellan.workspace.config import StrategyConfig
    from magellan.workspace.workspace import Workspace

calendar_of = load_calendar
read_foreign_bars = read_foreign
FOREIGN_ENDINGS = ENDINGS  # of files that are worth a try
GENERATED_SYMBOLS = ("AAPL", "MSFT", "SPY")  # of a paper exchange that is not told any
_BAR_DELAY_S = {"polygon": 5.0, "yahoo": 15.0}  # until a minute's bar is usually there
_VENDOR_VARIABLES = ("POLYGON_API_KEY", "MASSIVE_API_KEY", "POLYGON_API_URL", "YAHOO_URL")
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


def workbook_files() -> WorkbookFiles:
    """Regime workbooks as files of this machine."""
    from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles

    return ExcelWorkbookFiles()


def corporate_actions(workspace: Workspace) -> CorporateActionTable:
    """The workspace's table of corporate actions; empty where the file does not exist.

    Raises FixInput naming the row and column of a mistake.
    """
    return corporate_action_store(workspace).read()


def corporate_action_store(workspace: Workspace) -> CorporateActionStore:
    """Where the workspace keeps that table."""
    return CorporateActionFile(workspace.corporate_actions_file)


def regime_bars(
    workspace: Workspace,
    symbol: str,
    timeframe: Timeframe,
    *,
    from_on: date | None = None,
    to_on: date | None = None,
) -> RegimeBars:
    """A symbol's archived bars as the regime model sees them. from_on, to_on: exchange dates, both included.

    Raises: SetNotFound, and FixInput where there is no bar between the dates.
    """
    from magellan.usecases.regime_bars import archived_bars

    return archived_bars(
        symbol,
        timeframe,
        archive=bar_archive(workspace),
        actions=corporate_actions(workspace),
        calendar_of=calendar_of,
        from_on=from_on,
        to_on=to_on,
    )


def import_journal(workspace: Workspace) -> ImportJournal:
    """The journal of the imports into the workspace's archive."""
    from magellan.adapters.import_journal import JsonLinesImportJournal

    return JsonLinesImportJournal(workspace.state_folder / "imports")


def generated_market(asked: MarketAsked) -> ServedMarket:
    """A generated market for the paper exchange. Raises FixInput for symbols or dates that cannot be generated."""
    from magellan.exchange.server.served_market import generated_now, generated_sessions, newest_dates

    symbols = asked.symbols or GENERATED_SYMBOLS
    if asked.is_now and asked.dates is None:
        return generated_now(symbols, seed=asked.seed, now_ns=asked.now_ns)
    if asked.is_now:
        raise FixInput(
            "a generated market that is open now has no dates of its own",
            next_step="leave the dates out, or choose another clock: --clock stepped, paced or fast",
        )
    calendar = load_calendar()
    dates = asked.dates or newest_dates(calendar, asked.now_ns, sessions=1)
    return generated_sessions(symbols, calendar, *dates, seed=asked.seed)


def archived_market(workspace: Workspace, asked: MarketAsked) -> ServedMarket:
    """The workspace's archived bars as a market for the paper exchange.

    Raises: FixInput for symbols that the archive does not hold, symbols of two calendars, and dates without bars.
    """
    from magellan.archive.dataset import find_set
    from magellan.exchange.server.served_market import archived_now, archived_sessions, held_dates
    from magellan.trading.timeframe import Timeframe

    archive, timeframe = bar_archive(workspace), Timeframe.parse(asked.timeframe)
    records = archive.sets()
    held = dict.fromkeys(record.id.symbol for record in records if record.id.timeframe == timeframe)
    symbols = asked.symbols or tuple(held)
    if not symbols:
        raise FixInput(
            f"the archive holds no bars of {timeframe}",
            next_step="import some with `magellan data import`, or serve generated ones: --generated",
        )
    chosen = [find_set(records, symbol, timeframe) for symbol in symbols]
    calendars = sorted({record.calendar for record in chosen})
    if len(calendars) > 1:
        raise FixInput(
            f"these symbols trade by {len(calendars)} calendars: {', '.join(calendars)}",
            next_step="serve those of one calendar with --symbols",
        )
    calendar = load_calendar(calendars[0])
    bars = {record.id.symbol: archive.read(record.id) for record in chosen}
    dates = held_dates(bars, calendar, asked.dates, sessions=3 if asked.is_now else 1)
    actions = corporate_actions(workspace).actions
    if asked.is_now:
        return archived_now(bars, calendar, actions, *dates, seed=asked.seed, now_ns=asked.now_ns)
    return archived_sessions(bars, calendar, actions, *dates, seed=asked.seed)


def strategy_costs(config: StrategyConfig) -> Costs:
    """What fills cost under a strategy's execution terms, so that they equal those of its backtest.

    Raises: FixInput for terms that an exchange cannot fill on.
    """
    from magellan.exchange.venue.terms import Costs

    terms = config.execution
    if "at-level" in (terms.stop_fill, terms.limit_fill):
        raise FixInput(
            "this config fills stops or limits at their level even when a bar opens beyond it: no exchange does",
            next_step='set execution.stop_fill and execution.limit_fill to "gap-aware"',
        )
    own = {
        "slippage_bps",
        "half_spread_bps",
        "commission_bps",
        "commission_per_unit_usd",
        "commission_min_usd",
    }
    for symbol, instrument in config.instruments.items():
        given = sorted(own & instrument.model_dump(exclude_none=True).keys())
        if given:
            raise FixInput(
                f"instruments.{symbol} has its own {', '.join(given)}, and an exchange has one set of terms",
                next_step="serve that symbol by itself, from a config that says so under `execution`",
            )
    return Costs(
        half_spread=terms.half_spread_bps / 10_000,
        slippage=terms.slippage_bps / 10_000,
        impact=terms.impact,
        volume_share_max=terms.volume_share_max,
        limit_needs_through=terms.limit_needs == "through",
        commission_per_unit_usd=terms.commission_per_unit_usd,
        commission_rate=terms.commission_bps / 10_000,
        commission_min_usd=terms.commission_min_usd,
    )


def vendor_environment(providers: Sequence[SecretProvider]) -> dict[str, str]:
    """What the vendors of bars read of the environment, from whoever knows it first."""
    found = {}
    for name in _VENDOR_VARIABLES:
        for provider in (each for each in providers if each.source == "environment"):
            value = provider.secret(name)
            if value is not None:
                found[name] = value.get_secret_value()
                break
    return found


def live_bars(
    data: LiveData,
    keys: KeyPair | None,
    environment: Mapping[str, str],
    *,
    address: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> LiveBars:
    """The bars that sessions decide on, from the vendor that their account names.

    environment: what `vendor_environment` found. address: of an exchange on this machine.
    Raises: FixInput for keys that are missing, or an extra that is not installed.
    """
    if data.source != "alpaca":
        from magellan.adapters.polled_bars import PolledBars

        vendor = bar_vendor(data.source, environment, lambda sentence: None)
        return PolledBars(vendor, delay_s=_BAR_DELAY_S[data.source], clock=clock)
    from magellan.adapters.alpaca.live_bars import AlpacaLiveBars

    if keys is None:
        raise FixInput(
            "there are no keys, and nobody tells bars without one",
            next_step="put ALPACA_API_KEY and ALPACA_API_SECRET into the environment or the workspace's .env",
        )
    return AlpacaLiveBars(keys.key_id, keys.secret, feed=data.feed_read, data_url=address, clock=clock)


def session_calendar(workspace: Workspace, began: SessionBegan) -> ExchangeCalendar:
    """The calendar that a session trades by; the New York exchanges' where its strategy is there no more.

    A release has its own config, installed here, and its folder in the workspace may be another stage's or none.
    """
    from magellan.workspace.config_file import read_config

    try:
        if (
            began.release_id is not None
            and (config := _released_config(workspace, began.release_id)).is_file()
        ):
            return load_calendar(read_config(config).data.calendar)
        folder = workspace.strategy(f"{began.stage}/{began.strategy}" if began.stage else began.strategy)
        return load_calendar(read_config(folder.config_file).data.calendar)
    except FixInput:
        return load_calendar()


def _released_config(workspace: Workspace, release_id: str) -> Path:
    from magellan.wiring.hosts import installed_releases
    from magellan.workspace.workspace import StrategyFolder

    folder = installed_releases(workspace).strategy_folder(release_id)
    return StrategyFolder(path=folder, stage=None).config_file
