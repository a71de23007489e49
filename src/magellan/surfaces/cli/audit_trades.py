"""`magellan audit trades`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magellan.surfaces.cli.audit_options import (
    AccountOption,
    FromOption,
    OutcomeOption,
    StrategyOption,
    SymbolOption,
    ToOption,
    opened_ledger,
    wanted_rows,
)
from magellan.surfaces.cli.options import JsonOption, WorkspaceOption

if TYPE_CHECKING:
    from magellan.ledger.performance import Performance
    from magellan.ledger.trade_record import TradeRecord


def audit_trades(
    first_on: FromOption = None,
    last_on: ToOption = None,
    symbol: SymbolOption = None,
    strategy: StrategyOption = None,
    outcome: OutcomeOption = None,
    account: AccountOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show trades by the date of their entry, and what the closed ones say together.

    Profit is after commission, exact. A trade that is still open counts in
    no measure.
    """
    from magellan.ledger.performance import performance_of
    from magellan.surfaces.cli.output import emit
    from magellan.usecases.ledger_queries import the_account, trades

    wanted = wanted_rows(first_on, last_on, symbol, strategy, outcome)
    with opened_ledger(workspace) as ledger:
        found = trades(ledger, the_account(ledger, account), wanted)
    performance = performance_of(found)
    emit(
        {"trades": found, "performance": performance},
        as_json=as_json,
        human=lambda: _show(found, performance),
    )


def _show(found: tuple[TradeRecord, ...], performance: Performance) -> None:
    from magellan.surfaces.cli.output import print_table, say

    if not found:
        say("no such trades")
        return
    print_table(
        (
            "entered",
            "symbol",
            "action",
            "quantity",
            "at",
            "left at",
            "net USD",
            "R",
            "held",
            "strategy",
            "left because",
        ),
        [
            (
                f"{trade.timestamp:%Y-%m-%d %H:%M:%S}Z",
                trade.symbol,
                trade.action,
                f"{trade.quantity:f}",
                f"{trade.price:.4f}",
                None if trade.exit_price is None else f"{trade.exit_price:.4f}",
                trade.outcome if trade.net_profit_loss is None else f"{trade.net_profit_loss:+,.2f}",
                None if trade.r_multiple is None else f"{trade.r_multiple:+.2f}",
                _held(trade.hold_duration_seconds),
                trade.strategy_name or "not ours",
                trade.exit_reasoning,
            )
            for trade in found
        ],
        numbers=("quantity", "at", "left at", "net USD", "R", "held"),
    )
    say(performance_line(performance))


def performance_line(measured: Performance) -> str:
    """Closed trades in one sentence; what is not known is not mentioned."""
    if not measured.trades:
        return "no trade was closed"
    parts = [
        f"{measured.trades} closed: {measured.wins} won, {measured.losses} lost, {measured.breakevens} even",
        f"net {measured.net_usd:+,.2f} USD after {measured.commission_usd:,.2f} of commission",
    ]
    if measured.win_rate is not None:
        parts.append(f"win rate {measured.win_rate:.1%}")
    if measured.profit_factor is not None:
        parts.append(f"profit factor {measured.profit_factor:.2f}")
    if measured.r_multiple_mean is not None:
        parts.append(f"mean R {measured.r_multiple_mean:+.2f}")
    if measured.slippage_usd is not None:
        parts.append(f"slippage {measured.slippage_usd:,.2f} USD")
    return ", ".join(parts)


def _held(seconds: int | None) -> str | None:
    if seconds is None:
        return None
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
