"""Terms: what the venue and each account at it are held to. Everything a rule can be told stands here."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a fill costs; the names and meanings of the backtester's execution terms (docs/assumptions.md).

    half_spread, slippage: fractions of the price, on market and stop fills.
    impact:                fraction of the price, had we taken the whole bar.
    volume_share_max:      fraction of a bar's volume that one account's fills may take; None: no bound.
    limit_needs_through:   a resting limit fills only when the bar trades beyond it.
    """

    half_spread: float = 0.0
    slippage: float = 0.0
    impact: float = 0.0
    volume_share_max: float | None = None
    limit_needs_through: bool = False
    commission_per_unit_usd: float = 0.0
    commission_rate: float = 0.0
    commission_min_usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueTerms:
    """The venue's rules, for every account.

    latency_ns:         exchange time from a marketable order's arrival to its fill.
    latency_jitter_ns:  up to so much more, seeded.
    change_latency_ns:  from a cancel or replace request to its taking effect, while the order rests at the exchange.
    open_grace:         fraction of a bar's span after its start in which a marketable order still gets the open.
    close_grace_ns:     an order that arrives so shortly before a bar's end gets that bar's close.
    partial_fill_probability: chance that a fill is split in two, seeded; Alpaca's paper engine has 0.1.
    market_collar:      what a market or stop buy reserves beyond the price: (below 50 $, from 50 $ on).
    keeps_easy_to_borrow: assets go on saying easy_to_borrow after its announced end, since alpaca-py 0.44 needs it.
    position_equity_max: a position beyond so many times the equity may only be closed.
    """

    costs: Costs = field(default_factory=Costs)
    latency_ns: int = 5 * MILLISECOND_NS
    latency_jitter_ns: int = 0
    change_latency_ns: int = 5 * MILLISECOND_NS
    open_grace: float = 0.25
    close_grace_ns: int = 1_500 * MILLISECOND_NS
    partial_fill_probability: float = 0.0
    wash_trade_rule: bool = True
    buying_power_rule: bool = True
    held_shares_rule: bool = True
    pays_dividends: bool = True
    market_collar: tuple[Decimal, Decimal] = (Decimal("0.04"), Decimal("0.025"))
    short_collar: Decimal = Decimal("1.03")
    position_equity_max: Decimal = Decimal(6)
    gtc_days: int = 90
    keeps_easy_to_borrow: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTerms:
    """An account as it is opened: a margin account with shorting, as Alpaca's paper accounts are."""

    cash_usd: Decimal = Decimal(100_000)
    multiplier: Literal[1, 2, 4] = 4
    shorting: bool = True
    fractional_trading: bool = True
    options_level: Literal[0, 1, 2, 3] = 3
    account_number: str | None = None  # None: made from the key
    pattern_day_trader: bool = False

    def __post_init__(self) -> None:
        if self.cash_usd < 0:
            raise ValueError(f"an account opened with {self.cash_usd} USD")
