"""`magellan exchange`."""

from __future__ import annotations

import sys
import time
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder
from magellan.surfaces.cli.run_options import FromOption, ToOption, read_date, symbols_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from magellan.exchange.server.accounts import KnownAccount
    from magellan.exchange.server.faults.plan import FaultPlan
    from magellan.exchange.server.options import ServerOptions
    from magellan.workspace.config import StrategyConfig
    from magellan.workspace.workspace import Workspace

_CLOCKS = ("shifted", "paced", "fast", "stepped", "frozen")
_ENTITLEMENTS = ("basic", "plus")


def read_clock(text: str) -> str:
    """A clock mode's name. Raises BadParameter."""
    if text not in _CLOCKS:
        raise typer.BadParameter(f"'{text}' is no clock; choose one of {', '.join(_CLOCKS)}")
    return text


def read_entitlement(text: str) -> str:
    """An entitlement's name. Raises BadParameter."""
    if text not in _ENTITLEMENTS:
        raise typer.BadParameter(f"'{text}' is no subscription; choose {' or '.join(_ENTITLEMENTS)}")
    return text


def read_feed(text: str) -> str:
    """A feed's name. Raises BadParameter."""
    if text not in ("sip", "iex"):
        raise typer.BadParameter(f"'{text}' is no feed; choose sip or iex")
    return text


def exchange(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where to listen; 0: a free port.")
    ] = 8931,
    symbols: Annotated[
        str | None,
        typer.Option("--symbols", metavar="A,B", help="What trades here; with --generated any names."),
    ] = None,
    generated: Annotated[
        bool, typer.Option("--generated", help="Generated bars; nothing here is history.")
    ] = False,
    archive: Annotated[bool, typer.Option("--archive", help="The workspace's archived bars.")] = False,
    session: Annotated[
        date | None,
        typer.Option("--session", parser=read_date, metavar="DATE", help="Serve this one session."),
    ] = None,
    from_: FromOption = None,
    to: ToOption = None,
    timeframe: Annotated[
        str | None,
        typer.Option("--timeframe", help="Of the archived bars; default: 1Min, or the strategy's."),
    ] = None,
    clock: Annotated[
        str | None,
        typer.Option(
            "--clock",
            parser=read_clock,
            metavar="MODE",
            help="shifted: it is now, and the market is open; paced: --speed times as fast; fast: without waiting, "
            "once somebody listens; stepped: by request; frozen: not at all. Default: shifted.",
        ),
    ] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", help="Of a paced clock; 60: an hour in a minute; default: 1.")
    ] = None,
    step: Annotated[bool, typer.Option("--step", help="The same as --clock stepped.")] = False,
    accounts: Annotated[
        Path | None,
        typer.Option(
            "--accounts", metavar="FILE", help="Let in only these key pairs; default: any opens an account."
        ),
    ] = None,
    faults: Annotated[
        Path | None,
        typer.Option("--faults", metavar="FILE", help="A plan of what goes wrong; docs/reference/faults.md."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of ids, chance and generated bars.")] = 0,
    api_as_of: Annotated[
        date | None,
        typer.Option("--api-as-of", parser=read_date, metavar="DATE", help="Speak the protocol of that day."),
    ] = None,
    feed: Annotated[
        str | None,
        typer.Option(
            "--feed", parser=read_feed, metavar="FEED", help="What requests that name none get: sip or iex."
        ),
    ] = None,
    entitlement: Annotated[
        str,
        typer.Option(
            "--entitlement",
            parser=read_entitlement,
            metavar="PLAN",
            help="basic: IEX, and SIP fifteen minutes late; plus: everything.",
        ),
    ] = "plus",
    rate_limit: Annotated[
        int | None,
        typer.Option(
            "--rate-limit", min=1, metavar="N", help="Requests a minute and key; Alpaca's basic plan: 200."
        ),
    ] = None,
    terms_of: Annotated[
        str | None,
        typer.Option(
            "--terms-of",
            metavar="STRATEGY",
            help="Trade this strategy's symbols, on its config's cash, slippage and commission, as its backtest does.",
        ),
    ] = None,
    latency_ms: Annotated[
        float,
        typer.Option(
            "--latency-ms",
            min=0,
            max=3_600_000,
            help="From an order's arrival to its fill, in exchange time.",
        ),
    ] = 0.5,
    one_stream_per_key: Annotated[
        bool,
        typer.Option(
            "--one-stream-per-key", help="Refuse a second stream with the same key, as Alpaca does."
        ),
    ] = False,
    text_frames: Annotated[
        bool, typer.Option("--text-frames", help="Trade updates in text frames, as live accounts get them.")
    ] = False,
    deflate: Annotated[
        bool, typer.Option("--deflate", help="Compress streams for clients that offer it.")
    ] = False,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    expose_to_network: Annotated[
        bool,
        typer.Option(
            "--expose-to-network", help="Allow a --host that other machines reach; there is no encryption."
        ),
    ] = False,
    log: Annotated[
        Path | None, typer.Option("--log", metavar="FILE", help="Write the event log there, as JSON lines.")
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve a paper exchange that speaks Alpaca's protocol: REST, both streams, faults, any clock.

    Without further options the market is open now, the last sessions of minute bars are there, bars keep closing, and
    any key pair opens a margin account with 100,000 $. Point a client at the addresses that are printed; Ctrl-C ends
    it. The guide is docs/guides/exchange.md.
    """
    from magellan.errors import FixInput
    from magellan.exchange.data_api.entitlement import ALGO_TRADER_PLUS, BASIC
    from magellan.exchange.server.clock import ClockMode
    from magellan.exchange.server.options import LOOPBACK, ServerOptions
    from magellan.exchange.server.serve import serve
    from magellan.exchange.server.served_market import MarketAsked
    from magellan.exchange.server.websocket import StreamTerms
    from magellan.exchange.venue.terms import AccountTerms, Costs, VenueTerms
    from magellan.trading.bar import instant
    from magellan.trading.session import exchange_date
    from magellan.wiring.market import archived_market, generated_market, strategy_costs

    if host not in LOOPBACK and not expose_to_network:
        raise FixInput(
            f"{host} can be reached from other machines, and whoever reaches it can trade, move time and break things",
            next_step="leave --host out, or add --expose-to-network",
        )
    if generated and archive:
        raise typer.BadParameter("choose one of --generated and --archive")
    if step and clock not in (None, ClockMode.STEPPED):
        raise typer.BadParameter(f"--step is --clock stepped, and not --clock {clock}")
    mode = ClockMode.STEPPED if step else ClockMode(clock or ClockMode.SHIFTED)
    if speed is not None and mode is not ClockMode.PACED:
        raise typer.BadParameter(f"--speed is for --clock paced; a {mode} clock has none")
    strategy = _strategy_config(terms_of, workspace) if terms_of is not None else None
    now_ns = time.time_ns()
    asked = MarketAsked(
        symbols=symbols_of(symbols) or (strategy.symbols if strategy else ()),
        dates=_dates(session, from_, to),
        timeframe=timeframe or (strategy.data.timeframe if strategy else "1Min"),
        is_now=mode is ClockMode.SHIFTED,
        seed=seed,
        now_ns=now_ns,
    )
    from_archive = archive or (strategy is not None and not generated)
    if timeframe is not None and not from_archive:
        raise typer.BadParameter("--timeframe is for --archive; generated bars are of a minute")
    served = archived_market(_opened(workspace), asked) if from_archive else generated_market(asked)
    options = ServerOptions(
        host=host,
        port=port,
        seed=seed,
        mode=mode,
        speed=1.0 if speed is None else speed,
        start_ns=served.start_ns,
        end_ns=served.end_ns,
        accounts=_known_accounts(accounts),
        opening=AccountTerms(cash_usd=Decimal(str(strategy.account.cash_usd)))
        if strategy
        else AccountTerms(),
        plan=_plan(faults),
        requests_per_minute=rate_limit,
        streams=StreamTerms(deflate=deflate, one_per_key=one_stream_per_key, trades_as_text=text_frames),
        log_file=log,
        venue=VenueTerms(
            costs=strategy_costs(strategy) if strategy else Costs(), latency_ns=int(latency_ms * 1_000_000)
        ),
        api_as_of=api_as_of or exchange_date(instant(now_ns)),
        entitlement=BASIC if entitlement == "basic" else ALGO_TRADER_PLUS,
        feed=feed,
    )
    serve(served.market, options, lambda port: _tell(served.market.symbols, options, port, as_json=as_json))


def _dates(session: date | None, first_on: date | None, last_on: date | None) -> tuple[date, date] | None:
    """The dates to serve; None where none was named."""
    if session is not None:
        if first_on is not None or last_on is not None:
            raise typer.BadParameter("choose --session, or --from and --to")
        return session, session
    if first_on is None and last_on is None:
        return None
    if first_on is None or last_on is None:
        raise typer.BadParameter("--from and --to go together")
    return first_on, last_on


def _known_accounts(path: Path | None) -> tuple[KnownAccount, ...] | None:
    if path is None:
        return None
    from magellan.exchange.server.accounts_file import read_accounts_file

    return read_accounts_file(path)


def _plan(path: Path | None) -> FaultPlan | None:
    if path is None:
        return None
    from magellan.exchange.server.faults.plan_file import read_plan_file

    return read_plan_file(path)


def _opened(workspace: Path | None) -> Workspace:
    from magellan.workspace.workspace import Workspace

    return Workspace.at(workspace_folder(workspace))


def _strategy_config(named: str, workspace: Path | None) -> StrategyConfig:
    from magellan.workspace.config_file import read_config

    return read_config(_opened(workspace).strategy(named).config_file)


def _tell(symbols: Sequence[str], options: ServerOptions, port: int, *, as_json: bool) -> None:
    """Say where the exchange is, once it answers."""
    from magellan.exchange.server.clock import ClockMode
    from magellan.surfaces.cli.output import print_json, say

    host = "127.0.0.1" if options.host in ("0.0.0.0", "::") else options.host
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    http, ws = f"http://{where}", f"ws://{where}"
    feed = options.feed or ("sip" if options.entitlement.recent_sip else "iex")
    if as_json:
        addresses = {
            "trading": http,
            "data": http,
            "trade_stream": f"{ws}/stream",
            "data_stream": f"{ws}/v2/{feed}",
            "page": f"{http}/",
            "control": f"{http}/_magellan/",
        }
        print_json(
            {"addresses": addresses, "clock": options.mode, "symbols": list(symbols), "seed": options.seed}
        )
        sys.stdout.flush()
        return
    shown = ", ".join(symbols[:12]) + (", ..." if len(symbols) > 12 else "")
    paced = f", {options.speed:g} times as fast" if options.mode is ClockMode.PACED else ""
    pairs = f"any; each opens an account with {options.opening.cash_usd.normalize():,f} $"
    if options.accounts is not None:
        pairs = "those of the accounts file"
    say(f"magellan exchange trades {shown}")
    say(f"  clock        {options.mode}{paced}")
    say(f"  key pairs    {pairs}")
    say(f"  rate limit   {options.requests_per_minute or 'off'} (Alpaca: 200 a minute and key)")
    say(f"  faults       {len(options.plan.faults) if options.plan else 'none'}")
    say(f"  page         {http}/")
    say(f"  control      {http}/_magellan/")
    for client, lines in _clients(http, ws, feed).items():
        say(f"\n{client}")
        for line in lines:
            say(f"  {line}")
    say("\nCtrl-C ends it.")
    sys.stdout.flush()


def _clients(http: str, ws: str, feed: str) -> dict[str, tuple[str, ...]]:
    """What to put into each client; docs/guides/exchange.md shows each at work."""
    return {
        "alpaca-py": (
            f'TradingClient(key, secret, paper=True, url_override="{http}")',
            f'StockHistoricalDataClient(key, secret, url_override="{http}")',
            f'TradingStream(key, secret, paper=True, url_override="{ws}/stream")',
            f'StockDataStream(key, secret, url_override="{ws}/v2/{feed}")',
        ),
        "alpaca-trade-api and the Go SDK (environment)": (
            f"APCA_API_BASE_URL={http} APCA_API_DATA_URL={http} APCA_API_STREAM_URL={ws}",
        ),
        "alpaca-mcp-server (environment, and a launcher for the trading address; see the guide)": (
            f"DATA_API_URL={http}",
        ),
        "JavaScript SDK 4 (its client has no option for addresses, but one for how it fetches)": (
            f"fetchApi = (url, init) => {{ const {{ pathname, search }} = new URL(url); "
            f'return fetch("{http}" + pathname + search, init) }}',
            "alpaca = new Alpaca({ keyId, secret, paper: true, fetchApi })",
            f'alpaca.trading.stream({{ url: "{ws}/stream" }})',
            f'alpaca.marketData.stockStream({{ url: "{ws}/v2/{feed}", feed: "{feed}" }})',
        ),
    }
