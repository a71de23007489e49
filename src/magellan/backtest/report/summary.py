"""Summary: what a run says in a few sentences, and what speaks against believing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from magellan.backtest.confidence import Confidence
from magellan.backtest.metrics import Metrics
from magellan.backtest.report.metric_list import written
from magellan.backtest.report.words import count, day, many, number, percent
from magellan.backtest.result import BacktestResult

TRADES_FOR_A_JUDGEMENT: Final = 30
SHARPE_TOO_GOOD: Final = 4.0
WIN_RATE_TOO_GOOD: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The first thing a reader sees."""

    outcome: Literal["gained", "lost", "nothing"]
    headline: str
    sentences: tuple[str, ...]
    cautions: tuple[str, ...]  # reasons to doubt the numbers; empty when we know of none


def summary_of(metrics: Metrics, sure: Confidence) -> Summary:
    """What the numbers say, without a judgement: that is the gate's."""
    span = f"{day(metrics.first_on)} to {day(metrics.last_on)}, {many(metrics.sessions, 'session')}"
    if metrics.trades == 0:
        return Summary(
            outcome="nothing",
            headline="No trade was made.",
            sentences=(f"{span}, {many(metrics.bars, 'bar')}.", *_beside_holding(metrics)),
            cautions=("A run without trades says nothing about a strategy.",),
        )
    gained = metrics.return_fraction >= 0
    return Summary(
        outcome="gained" if gained else "lost",
        headline=f"{'Gained' if gained else 'Lost'} {written(abs(metrics.return_fraction), 'percent')} "
        f"in {many(metrics.trades, 'trade')}.",
        sentences=(f"{span}.", *_beside_holding(metrics), *_depth(metrics), *_luck(metrics, sure)),
        cautions=_cautions(metrics, sure),
    )


def is_generated(result: BacktestResult) -> bool:
    """Whether any of the run's bars were generated and not traded."""
    return any(used.generated for used in result.manifest.data)


def _beside_holding(metrics: Metrics) -> tuple[str, ...]:
    held = metrics.benchmark_return_fraction
    if held is None:
        return (f"Nothing to compare with: {metrics.missing['benchmark_return_fraction']}.",)
    verb = "gained" if held >= 0 else "lost"
    return (
        f"Buying the same symbols on the first bar and holding them {verb} {written(abs(held), 'percent')}.",
    )


def _depth(metrics: Metrics) -> tuple[str, ...]:
    deepest, longest = metrics.drawdown_deepest, metrics.drawdown_longest
    if deepest is None or longest is None:
        return ("The account never closed below an earlier close.",)
    depth = written(deepest.fraction, "percent")
    text = f"At worst the account stood {depth} below its peak, on {day(deepest.trough_on)}"
    ending = "" if longest.recovered_on else ", and has not ended"
    return (f"{text}; the longest drawdown took {many(longest.sessions, 'session')}{ending}.",)


def _luck(metrics: Metrics, sure: Confidence) -> tuple[str, ...]:
    found = sure.sharpe_daily
    if found is None or metrics.sharpe_daily is None or found.high is None:
        return ()
    text = (
        f"Sharpe ratio per session {number(metrics.sharpe_daily)}; resampled, it lies between "
        f"{number(found.low)} and {number(found.high)} with {percent(sure.level, 0)} confidence"
    )
    if found.low > 0:
        return (text + ", which leaves out zero.",)
    return (text + ", which does not leave out zero.",)


def _cautions(metrics: Metrics, sure: Confidence) -> tuple[str, ...]:
    found = []
    if metrics.trades < TRADES_FOR_A_JUDGEMENT:
        found.append(
            f"{many(metrics.trades, 'trade')}: fewer than {TRADES_FOR_A_JUDGEMENT} rarely tell skill from luck."
        )
    longest = sure.track_record_sessions_min
    if longest is not None and longest > metrics.sessions:
        found.append(
            f"To be {percent(sure.level, 0)} sure of a Sharpe ratio above zero it takes about "
            f"{count(round(longest))} sessions of this quality; the run has {count(metrics.sessions)}."
        )
    if metrics.sharpe is not None and metrics.sharpe > SHARPE_TOO_GOOD:
        found.append(
            f"A Sharpe ratio of {number(metrics.sharpe)} is too good: look for fills that could not happen, or for "
            "a feature that sees the future (`magellan replay --check-lookahead`)."
        )
    if metrics.win_rate is not None and metrics.win_rate > WIN_RATE_TOO_GOOD and metrics.trades > 10:
        found.append(
            f"{percent(metrics.win_rate, 0)} winning trades are too many: look for stops that never fill, or losses "
            "that stay open."
        )
    best = _share_of_best(metrics)
    if best is not None and best > 0.5:
        found.append(f"One symbol brought {percent(best, 0)} of the profit.")
    return tuple(found)


def _share_of_best(metrics: Metrics) -> float | None:
    """The best symbol's share of the profit; None with a single symbol or without profit."""
    if len(metrics.by_symbol) < 3 or metrics.pnl_usd <= 0:
        return None
    return max(row.pnl_usd for row in metrics.by_symbol) / metrics.pnl_usd
