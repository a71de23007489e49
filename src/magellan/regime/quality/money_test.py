"""Money test: what a gate on the regime would have done to holding, beside what chance would have done.

A gate that is out of the market part of the time changes return and drawdown whatever it knows. So it is compared with
the same gate shifted in time by chance, 500 times: the same exposure in the same spells, at other times. A gain says
nothing without the share of those it beats; and with several markets tried, the best share is not evidence either.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from magellan.trading.bar import Floats, Mask

GATES: Final = 500
_TARGET_BARS: Final = 20  # over which volatility targeting measures
_SIGNIFICANT: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One way to hold the market."""

    name: str
    return_per_year: float  # a mean of log returns, as a fraction
    volatility_per_year: float
    sharpe: float  # at an interest rate of zero
    drawdown: float  # largest, as a fraction of the peak; >= 0
    exposure: float  # mean share of the money that was in the market
    switches: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneyTest:
    """A gate beside holding, volatility targeting and gates of chance."""

    bars: int  # that were judged: those after the first label
    cost_bps: float  # per side, of what is traded
    hold: Held
    gated: Held
    targeted: Held
    gates: int
    sharpe_percentile: float  # share of chance gates with a lower Sharpe ratio
    drawdown_percentile: float  # share of chance gates with a deeper drawdown
    reading: str  # what this does and does not show


def money_test(
    returns: Floats,
    open_gate: Mask,
    known: Mask,
    *,
    bars_per_year: float,
    cost_bps: float = 2.0,
    seed: int = 0,
) -> MoneyTest | None:
    """Judge a gate. None where fewer than 100 bars are known.

    returns:   shape (n,), log returns per bar.
    open_gate: whether the gate was open when each bar closed; it is in force for the next bar.
    known:     bars whose label was known; what came before the first is left out.
    """
    first = int(np.argmax(known)) if known.any() else len(returns)
    later = returns[first + 1 :]
    if len(later) < 100:
        return None
    gate = open_gate[first:-1].astype(np.float64)
    cost = cost_bps / 10_000.0
    rng = np.random.default_rng(seed)
    hold = _held("hold", later, np.ones(len(later)), bars_per_year, cost)
    gated = _held("gated", later, gate, bars_per_year, cost)
    targeted = _held("volatility target", later, _targeted(returns, first), bars_per_year, cost)
    shifts = rng.integers(1, len(later), size=GATES)
    by_chance = [_held("chance", later, np.roll(gate, shift), bars_per_year, cost) for shift in shifts]
    sharpe = _share_below([each.sharpe for each in by_chance], gated.sharpe)
    drawdown = _share_below([-each.drawdown for each in by_chance], -gated.drawdown)
    return MoneyTest(
        bars=len(later),
        cost_bps=cost_bps,
        hold=hold,
        gated=gated,
        targeted=targeted,
        gates=GATES,
        sharpe_percentile=sharpe,
        drawdown_percentile=drawdown,
        reading=_reading(hold, gated, sharpe, drawdown),
    )


def _held(name: str, returns: Floats, share: Floats, bars_per_year: float, cost: float) -> Held:
    traded = np.abs(np.diff(share, prepend=0.0))
    earned = share * returns - traded * cost
    deviation = float(earned.std())
    wealth = np.cumsum(earned)
    peak = np.maximum.accumulate(np.maximum(wealth, 0.0))
    mean = float(earned.mean())
    return Held(
        name=name,
        return_per_year=mean * bars_per_year,
        volatility_per_year=deviation * np.sqrt(bars_per_year),
        sharpe=mean / deviation * float(np.sqrt(bars_per_year)) if deviation > 0.0 else 0.0,
        drawdown=float(1.0 - np.exp((wealth - peak).min())),
        exposure=float(share.mean()),
        switches=int((traded > 1e-9).sum()),
    )


def _targeted(returns: Floats, first: int) -> Floats:
    """Share in the market that aims at the volatility of the bars before, at most all: needs no regime."""
    squares = np.cumsum(np.append(0.0, returns**2))
    rows = np.arange(first, len(returns) - 1)
    begin = np.maximum(rows + 1 - _TARGET_BARS, 0)
    recent = np.sqrt((squares[rows + 1] - squares[begin]) / (rows + 1 - begin))
    usual = np.sqrt(squares[rows + 1] / (rows + 1))
    share: Floats = np.where(recent > 0.0, np.minimum(usual / np.maximum(recent, 1e-12), 1.0), 1.0)
    return share


def _share_below(chance: list[float], ours: float) -> float:
    each = np.array(chance)
    return float(((each < ours).sum() + 0.5 * (each == ours).sum()) / len(each))


def _reading(hold: Held, gated: Held, sharpe: float, drawdown: float) -> str:
    if gated.exposure == 1.0:
        return "the gate was never shut: it did what holding does, and shows nothing"
    if gated.exposure == 0.0:
        return "the gate was never open: there is nothing to judge"
    change = "rose" if gated.sharpe > hold.sharpe else "fell"
    shown = "unlikely to be chance for one market" if sharpe >= _SIGNIFICANT else "not to be told from chance"
    deeper = "less deep" if gated.drawdown < hold.drawdown else "no less deep"
    digits = 2 if f"{hold.sharpe:.2f}" != f"{gated.sharpe:.2f}" else 4  # never "rose from 0.44 to 0.44"
    return (
        f"Sharpe {change} from {hold.sharpe:.{digits}f} to {gated.sharpe:.{digits}f}, better than {sharpe:.0%} of "
        f"gates of the same exposure at other times: {shown}. Drawdown {hold.drawdown:.0%} became "
        f"{gated.drawdown:.0%}, {deeper}, better than {drawdown:.0%} of them."
    )
