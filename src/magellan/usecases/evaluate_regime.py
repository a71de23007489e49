"""Evaluate regimes: how good labels are where the truth is known, and what they did where it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from magellan.regime.axes import CLASSES, Axis
from magellan.regime.config import RegimeConfig
from magellan.regime.quality.dial import DialPrice, dial_prices
from magellan.regime.quality.money_test import MoneyTest, money_test
from magellan.regime.quality.prefix_law import PrefixLaw, prefix_law
from magellan.regime.quality.scenario import SCENARIOS
from magellan.regime.quality.scenario_report import ScenarioReport, scenario_report
from magellan.regime.regime_model import RegimeModel
from magellan.usecases.analyse_regime import run_model
from magellan.usecases.regime_bars import RegimeBars

Progress = Callable[[str, float, float], None]
_SESSIONS_PER_YEAR = 252.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolEvaluation:
    """One symbol's bars: what can be said without knowing the truth."""

    symbol: str
    timeframe: str
    source: str
    bars: int
    unexplained_jumps: (
        int  # of the price, that no corporate action says the reason of: they count as gains and losses
    )
    prefix_law: PrefixLaw
    money: MoneyTest | None  # None where too few bars are known
    no_regimes_here: bool | None  # None: too few bars for a first fit, so nobody has looked
    evidence_for_regimes: float | None
    log_score_gain: (
        float | None
    )  # per 1,000 bars, over one state of constant volatility; both know only the past
    dial: tuple[DialPrice, ...]


def evaluate_scenarios(
    config: RegimeConfig,
    *,
    names: Sequence[str] = SCENARIOS,
    seeds: Sequence[int] = range(10),
    states_given: bool = True,
    frozen: bool = False,
    progress: Progress = lambda phase, done, total: None,
) -> tuple[ScenarioReport, ...]:
    """Labelled scenarios beside the oracle, and null data.

    states_given: tell the number of states, as is done for other models; of null data it is always asked.
    frozen:       fit once, as other models were measured, and not on the calendar.
    """
    return tuple(
        scenario_report(
            name, tuple(seeds), config, states_given=states_given, frozen=frozen, progress=progress
        )
        for name in names
    )


def evaluate_symbol(
    data: RegimeBars,
    config: RegimeConfig,
    *,
    prefixes: int = 3,
    progress: Progress = lambda phase, done, total: None,
) -> SymbolEvaluation:
    """The prefix law, and the money test of the gate that is shut in high volatility."""
    law = prefix_law(data.bars, config, prefixes=prefixes, progress=progress)
    progress("money test", 0, 1)
    model = run_model(data, config)
    returns = np.log(data.bars.close / np.append(data.bars.open[0], data.bars.close[:-1]))
    labels = model.labels(Axis.VOLATILITY)
    high = CLASSES[Axis.VOLATILITY].index("high")
    per_year = _SESSIONS_PER_YEAR * len(data.bars) / max(int(data.session.first.sum()), 1)
    money = money_test(returns, labels != high, model.states >= 0, bars_per_year=per_year)
    progress("money test", 1, 1)
    newest = model.models[-1] if model.models else None
    return SymbolEvaluation(
        symbol=data.bars.symbol,
        timeframe=str(data.bars.timeframe),
        source=data.source,
        bars=len(data.bars),
        unexplained_jumps=len(data.jumps),
        prefix_law=law,
        money=money,
        no_regimes_here=None if newest is None else newest.states == 1,
        evidence_for_regimes=_finite(newest.evidence_for_regimes) if newest is not None else None,
        log_score_gain=_log_score_gain(model),
        dial=dial_prices(newest) if newest is not None else (),
    )


def _log_score_gain(model: RegimeModel) -> float | None:
    """Per 1,000 bars, over a Gaussian with the variance of all bars before."""
    said = model.log_evidence
    known = np.isfinite(said)
    if not known.any():
        return None
    returns = model.observed.returns
    before = np.append(0.0, np.cumsum(returns**2)[:-1]) / np.maximum(np.arange(len(returns)), 1)
    plain = -0.5 * np.log(2.0 * np.pi * np.maximum(before, 1e-18)) - 0.5 * returns**2 / np.maximum(
        before, 1e-18
    )
    return 1000.0 * float((said[known] - plain[known]).mean())


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
