"""Performance: what closed trades say taken together. Exact where amounts are summed; ratios have 6 places.

The words and formulas are those of docs/glossary.md, which backtests are judged by as well. What cannot be computed is
None, and `missing` says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from magellan.ledger.exact import ZERO, minus, plus, quotient, times
from magellan.ledger.trade_record import TradeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Measures of a number of closed trades, profit after commission."""

    trades: int
    wins: int
    losses: int
    breakevens: int
    net_usd: Decimal
    gross_usd: Decimal  # before commission
    commission_usd: Decimal
    win_rate: Decimal | None  # share of trades with a profit above 0
    profit_factor: Decimal | None  # sum of gains over sum of losses
    payoff_ratio: Decimal | None  # mean gain over mean loss
    expectancy_usd: Decimal | None  # mean profit
    best_usd: Decimal | None
    worst_usd: Decimal | None
    gains_in_a_row_max: int  # in the order of their exits
    losses_in_a_row_max: int
    losses_in_a_row_now: int
    hold_seconds_mean: Decimal | None
    r_multiple_mean: Decimal | None  # of trades that had a stop
    slippage_usd: Decimal | None  # of all; missing where one trade's is
    missing: Mapping[str, str]  # why each measure that is None is missing, by its name


def performance_of(trades: Iterable[TradeRecord]) -> Performance:
    """Measure closed trades. Trades that are still open are left out: nobody knows yet what they bring."""
    closed = sorted(
        (trade for trade in trades if trade.exit_timestamp is not None),
        key=lambda trade: trade.exit_timestamp or trade.timestamp,
    )
    nets = [_known(trade.net_profit_loss) for trade in closed]
    gains, losses = [each for each in nets if each > 0], [each for each in nets if each < 0]
    multiples = [trade.r_multiple for trade in closed if trade.r_multiple is not None]
    slippages = [trade.slippage for trade in closed if trade.slippage is not None]
    gained, lost = _sum(gains), minus(ZERO, _sum(losses))
    missing: dict[str, str] = {}

    def unless(name: str, *reasons: tuple[bool, str], value: Callable[[], Decimal]) -> Decimal | None:
        for holds, reason in reasons:
            if holds:
                missing[name] = reason
                return None
        return value()

    none, no_loss, no_gain = (
        (not closed, "no trade was closed"),
        (not losses, "no trade lost"),
        (not gains, "no trade gained"),
    )
    return Performance(
        trades=len(closed),
        wins=len(gains),
        losses=len(losses),
        breakevens=len(closed) - len(gains) - len(losses),
        net_usd=_sum(nets),
        gross_usd=_sum(_known(trade.profit_loss) for trade in closed),
        commission_usd=_sum(trade.commission for trade in closed),
        win_rate=unless("win_rate", none, value=lambda: _ratio(Decimal(len(gains)), len(closed))),
        profit_factor=unless("profit_factor", none, no_loss, value=lambda: quotient(gained, lost, 6)),
        payoff_ratio=unless(
            "payoff_ratio",
            none,
            no_loss,
            no_gain,
            # (gained / gains) / (lost / losses), divided once
            value=lambda: quotient(times(gained, Decimal(len(losses))), times(lost, Decimal(len(gains))), 6),
        ),
        expectancy_usd=unless("expectancy_usd", none, value=lambda: _ratio(_sum(nets), len(nets))),
        best_usd=unless("best_usd", none, value=lambda: max(nets)),
        worst_usd=unless("worst_usd", none, value=lambda: min(nets)),
        gains_in_a_row_max=_longest_run([net > 0 for net in nets]),
        losses_in_a_row_max=_longest_run([net < 0 for net in nets]),
        losses_in_a_row_now=_run_at_end([net < 0 for net in nets]),
        hold_seconds_mean=unless(
            "hold_seconds_mean",
            none,
            value=lambda: _ratio(
                Decimal(sum(trade.hold_duration_seconds or 0 for trade in closed)), len(closed)
            ),
        ),
        r_multiple_mean=unless(
            "r_multiple_mean",
            none,
            (not multiples, "no trade had a stop to measure its risk by"),
            value=lambda: _ratio(_sum(multiples), len(multiples)),
        ),
        slippage_usd=unless(
            "slippage_usd",
            (len(slippages) < len(closed), "a trade has no decision's price to compare with"),
            value=lambda: _sum(slippages),
        ),
        missing=missing,
    )


def _known(amount: Decimal | None) -> Decimal:
    assert amount is not None, "a closed trade has a profit"
    return amount


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = plus(total, amount)
    return total


def _ratio(amount: Decimal, count: int) -> Decimal:
    return quotient(amount, Decimal(count), 6)


def _longest_run(chosen: Sequence[bool]) -> int:
    longest = run = 0
    for each in chosen:
        run = run + 1 if each else 0
        longest = max(longest, run)
    return longest


def _run_at_end(chosen: Sequence[bool]) -> int:
    run = 0
    for each in reversed(chosen):
        if not each:
            break
        run += 1
    return run
