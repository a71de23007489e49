"""Assumptions: what a run supposed about orders, fills, costs and data, in sentences, from its effective config."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.backtest.report.words import money, number, percent
from magellan.workspace.config import ExecutionTerms, StrategyConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """One thing the run supposed, and the heading in docs/assumptions.md that says where it misleads."""

    text: str
    heading: str
    flatters: bool = False  # results with it are better than money would have seen


def assumptions_of(config: StrategyConfig) -> tuple[Assumption, ...]:
    """Everything that the config made the run suppose."""
    return (
        *_data(config),
        *_fills(config.execution),
        *_costs(config),
        *_account(config),
        *_limits(config),
        Assumption(
            text="Buy and hold spreads the starting money evenly over the symbols at each one's first close, in any "
            "fraction of a share, and pays no costs.",
            heading="Buy and hold",
        ),
    )


def _data(config: StrategyConfig) -> tuple[Assumption, ...]:
    terms = config.data
    hours = {
        "regular": "the regular session",
        "all": "all hours, premarket and after-hours included",
        "by-clock": "09:30 to 16:00 on every day, also after the close of half days",
    }[terms.hours]
    prices = (
        "adjusted for the splits in the corporate-action table"
        if terms.adjust == "split"
        else "as they were traded, not adjusted for splits"
    )
    found = [
        Assumption(
            text=f"Bars of {terms.timeframe} from {hours}; prices {prices}.",
            heading="Bars",
        )
    ]
    if terms.clock == "utc":
        found.append(
            Assumption(
                text="Dates and times of day are read from UTC, not from the exchange's clock.",
                heading="Bars",
                flatters=True,
            )
        )
    found.append(
        Assumption(
            text=f"A move beyond a factor of {number(terms.jump_factor)} from one bar to the next needs a split, a "
            "dividend or a person's confirmation on record. "
            + (
                "The run would have been refused had a position met one that has none."
                if config.execution.unexplained_jumps == "refuse"
                else "Positions are held through those that have none."
            ),
            heading="Unexplained jumps",
            flatters=config.execution.unexplained_jumps == "hold",
        )
    )
    return tuple(found)


def _fills(terms: ExecutionTerms) -> tuple[Assumption, ...]:
    return (
        Assumption(
            text="Market orders fill at the next bar's open."
            if terms.fill == "next-open"
            else "Market orders fill at the close of the bar on which they were decided, which nobody can do exactly.",
            heading="Market orders",
            flatters=terms.fill == "close",
        ),
        Assumption(
            text="A stop that a bar opens beyond fills at that open."
            if terms.stop_fill == "gap-aware"
            else "A stop fills at its level even when the bar opens beyond it.",
            heading="Stops",
            flatters=terms.stop_fill == "at-level",
        ),
        Assumption(
            text="When one bar reaches both a stop and a target, the stop comes first.",
            heading="Stop and target in one bar",
        ),
        Assumption(
            text=("A limit order fills when the bar touches its price" if terms.limit_needs == "touch" else
                  "A limit order fills only when the bar trades beyond its price")
            + (", at the open where that is better." if terms.limit_fill == "gap-aware" else ", never better."),
            heading="Limits",
            flatters=terms.limit_needs == "touch",
        ),
        Assumption(
            text="Fills take whatever they want, however little was traded."
            if terms.volume_share_max is None
            else f"Fills take at most {percent(terms.volume_share_max, 2)} of a bar's volume; the rest waits.",
            heading="Volume",
            flatters=terms.volume_share_max is None,
        ),
        Assumption(
            text="Units are computed from the close on which the entry was decided."
            if terms.size_at == "decision"
            else "Units are computed from the price of the fill itself.",
            heading="Sizes",
        ),
    )  # fmt: skip


def _costs(config: StrategyConfig) -> tuple[Assumption, ...]:
    terms = config.execution
    slipped = [
        f"{number(bps, 4).rstrip('0').rstrip('.')} basis points of {what}"
        for bps, what in ((terms.slippage_bps, "slippage"), (terms.half_spread_bps, "half spread"))
        if bps
    ]
    found = [
        Assumption(
            text="Market and stop fills pay " + " and ".join(slipped) + " on each side."
            if slipped
            else "Fills pay neither slippage nor spread.",
            heading="Spread and slippage",
            flatters=not slipped,
        )
    ]
    if terms.impact:
        found.append(
            Assumption(
                text=f"Our own size moves the price: taking a bar's whole volume would cost "
                f"{percent(terms.impact, 2)} of it.",
                heading="Impact",
            )
        )
    parts = []
    if terms.commission_bps:
        parts.append(
            f"{number(terms.commission_bps, 4).rstrip('0').rstrip('.')} basis points of the notional"
        )
    if terms.commission_per_unit_usd:
        parts.append(f"{money(terms.commission_per_unit_usd, 4)} per unit")
    if terms.commission_min_usd:
        parts.append(f"at least {money(terms.commission_min_usd, 2)} per fill")
    found.append(
        Assumption(
            text="Commission: " + ", ".join(parts) + "." if parts else "No commission.",
            heading="Commission",
            flatters=not parts,
        )
    )
    own = sorted(
        symbol
        for symbol, instrument in config.instruments.items()
        if any(
            cost is not None
            for cost in (
                instrument.slippage_bps,
                instrument.half_spread_bps,
                instrument.commission_bps,
                instrument.commission_per_unit_usd,
                instrument.commission_min_usd,
            )
        )
    )
    if own:
        found.append(
            Assumption(text=f"Costs of their own: {', '.join(own)} (see the config).", heading="Commission")
        )
    return tuple(found)


def _account(config: StrategyConfig) -> tuple[Assumption, ...]:
    terms = config.account
    if terms.kind == "cash":
        text = "A cash account: nothing is borrowed, nothing is sold short, and cash earns no interest."
    else:
        text = (
            f"A margin account with {number(terms.leverage, 1)} times its equity as buying power, liquidated when "
            f"equity falls below {percent(terms.maintenance_fraction, 0)} of gross exposure; cash earns no interest."
        )
    found = [Assumption(text=text, heading="Account")]
    if terms.kind == "margin":
        borrow = config.execution.borrow_rate
        found.append(
            Assumption(
                text=f"Short positions pay {percent(borrow, 2)} a year."
                if borrow
                else "Borrowing shares for short positions is free.",
                heading="Short positions",
                flatters=not borrow,
            )
        )
    return tuple(found)


def _limits(config: StrategyConfig) -> tuple[Assumption, ...]:
    limits = config.limits
    named = (
        (limits.trades_per_day_max, f"{limits.trades_per_day_max} trades a day"),
        (limits.loss_per_day_fraction_max, f"a loss of {percent(limits.loss_per_day_fraction_max)} a day"),
        (limits.loss_per_day_usd_max, f"a loss of {money(limits.loss_per_day_usd_max)} a day"),
        (limits.open_positions_max, f"{limits.open_positions_max} open positions"),
        (limits.position_usd_max, f"{money(limits.position_usd_max)} in one position"),
    )
    texts = [text for limit, text in named if limit is not None]
    found = [
        Assumption(
            text="No more entries beyond " + ", ".join(texts) + ". Exits are never held back."
            if texts
            else "No limits on entries.",
            heading="Limits on entries",
        )
    ]
    if limits.trades_counted_at == "exit":
        found.append(
            Assumption(
                text="A trade counts towards the day's limit when it ends, and not at all when targets end it.",
                heading="Limits on entries",
                flatters=True,
            )
        )
    return tuple(found)
