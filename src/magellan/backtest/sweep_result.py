"""Sweep result: what many parameter sets did, which came out best, and how far that can be believed.

The best of many sets looks better than it is: chance has had as many tries as there are sets. So a result never
shows a best set without the number of trials, the deflated Sharpe ratio, the share of sets that lose money and what
the best set's neighbours did.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.backtest.manifest import canonical_json
from magellan.backtest.missing import Measured, Missing
from magellan.backtest.parameter_space import Grid, ParameterSets, ParameterSpace, Setting
from magellan.backtest.result import BacktestResult, RunManifest
from magellan.backtest.returns import bar_returns
from magellan.backtest.statistics import (
    deflated_sharpe,
    expected_sharpe_max,
    moments_of,
    probabilistic_sharpe,
)
from magellan.backtest.sweep import sharpe
from magellan.errors import FixInput
from magellan.trading.bar import Floats

PLATEAU_SHARE: Final = 0.7  # of the best set's value that the median neighbour keeps on a plateau


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number by which sets are ranked."""

    name: str
    says: str
    read: Callable[
        [NDArray[np.void], float], Floats
    ]  # (summaries, bars per year): shape (sets,), NaN: missing
    higher_is_better: bool = True


def _ratio(above: Floats, below: Floats) -> Floats:
    """NaN where there is nothing to divide by."""
    found = np.full(len(above), np.nan)
    np.divide(above, below, out=found, where=below > 0.0)
    return found


def _traded(summaries: NDArray[np.void], values: Floats) -> Floats:
    return np.where(summaries["trades"] > 0, values, np.nan)


METRICS: Final[Mapping[str, Metric]] = {
    metric.name: metric
    for metric in (
        Metric(name="sharpe", says="Sharpe ratio of bar returns, per year", read=sharpe),
        Metric(
            name="return_fraction",
            says="gain over starting money",
            read=lambda s, _: np.asarray(s["return_fraction"]),
        ),
        Metric(
            name="profit_factor",
            says="sum of gains over sum of losses; missing without a loss",
            read=lambda s, _: _ratio(s["profit_usd"], -s["loss_usd"]),
        ),
        Metric(
            name="win_rate",
            says="share of trades that gained after costs",
            read=lambda s, _: _ratio(s["wins"].astype(np.float64), s["trades"].astype(np.float64)),
        ),
        Metric(
            name="expectancy_usd",
            says="mean profit of a trade",
            read=lambda s, _: _ratio(s["profit_usd"] + s["loss_usd"], s["trades"].astype(np.float64)),
        ),
        Metric(
            name="return_over_drawdown",
            says="gain over the deepest drawdown; missing without a drawdown",
            read=lambda s, _: _ratio(s["return_fraction"], s["drawdown_fraction_max"]),
        ),
        Metric(
            name="drawdown_fraction_max",
            says="deepest drawdown; the smallest is best",
            read=lambda s, _: _traded(s, s["drawdown_fraction_max"]),
            higher_is_better=False,
        ),
    )
}


def metric_named(name: str) -> Metric:
    """The metric of that name. Raises FixInput naming all of them."""
    if name not in METRICS:
        known = "\n  ".join(f"{each.name}: {each.says}" for each in METRICS.values())
        raise FixInput(f"sets cannot be ranked by '{name}'", next_step=f"choose one of\n  {known}")
    return METRICS[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepManifest:
    """Everything that fixes a sweep's result: the same manifest gives the same bytes, wherever it is carried out."""

    run: RunManifest  # of the config without the parameters that are varied
    space: Mapping[str, Any]  # as `space_fields` writes it
    sets: int
    sets_sha256: str  # of the sets in order

    @property
    def sweep_id(self) -> str:
        """First 12 hex digits of the SHA-256 of the manifest's canonical JSON."""
        return hashlib.sha256(self.text().encode()).hexdigest()[:12]

    def text(self) -> str:
        """The manifest as canonical JSON."""
        return canonical_json(
            {"run": self.run, "space": self.space, "sets": self.sets, "sets_sha256": self.sets_sha256}
        )


def sweep_manifest(run: RunManifest, space: Mapping[str, Any], sets: ParameterSets) -> SweepManifest:
    """The manifest of a sweep over those sets."""
    listed = canonical_json([list(sets.names), [list(setting) for setting in sets.settings]])
    return SweepManifest(
        run=run, space=space, sets=len(sets), sets_sha256=hashlib.sha256(listed.encode()).hexdigest()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """Which sets come first, by which rule."""

    metric: Metric
    trades_min: int
    order: tuple[int, ...]  # numbers of the sets that can be ranked, best first; equal ones by number

    @property
    def best(self) -> int | None:
        return self.order[0] if self.order else None


def ranked(
    summaries: NDArray[np.void],
    measured: NDArray[np.bool_],
    metric: Metric,
    *,
    trades_min: int,
    periods_per_year: float,
) -> Ranking:
    """Rank the sets that were measured, traded often enough, and have that metric."""
    values = metric.read(summaries, periods_per_year)
    fit = measured & (summaries["trades"] >= trades_min) & np.isfinite(values)
    rows = np.flatnonzero(fit)
    worse = -values[rows] if metric.higher_is_better else values[rows]
    return Ranking(
        metric=metric, trades_min=trades_min, order=tuple(rows[np.argsort(worse, kind="stable")].tolist())
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SweepResult:
    """A finished sweep. Number i is the set `sets.settings[i]` and the row `summaries[i]`."""

    manifest: SweepManifest
    space: ParameterSpace
    sets: ParameterSets
    summaries: NDArray[np.void]  # sweep.summary_t; rows of sets that failed hold nothing
    failed: Mapping[int, str]  # sets that could not be carried through, with the reason
    cash_start_usd: float
    periods_per_year: float
    ranking: Ranking

    @property
    def measured(self) -> NDArray[np.bool_]:
        found = np.ones(len(self.sets), dtype=bool)
        found[list(self.failed)] = False
        return found

    def column(self, metric: Metric | str) -> Floats:
        """A metric of every set, shape (sets,); NaN where it is missing."""
        read = (METRICS[metric] if isinstance(metric, str) else metric).read
        return np.where(self.measured, read(self.summaries, self.periods_per_year), np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbourhood:
    """What the sets right beside the best one did."""

    neighbours: tuple[int, ...]  # their numbers
    rule: str  # what counts as a neighbour
    median: float  # of the metric
    worst: float
    share_kept: float | None  # median over best (the other way round where low is good)

    @property
    def shape(self) -> str:
        """`plateau`, `spike`, or `unknown` where the share cannot be told."""
        if self.share_kept is None:
            return "unknown"
        return "plateau" if self.share_kept >= PLATEAU_SHARE else "spike"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How far a sweep's best set can be believed. None: could not be computed, and `missing` says why."""

    trials: int  # sets that were measured; each was a try
    ranked: int
    without_trades: int
    losing_fraction: float | None  # share of the sets that traded and ended below the starting money
    sharpe_of_best: float | None  # per year
    sharpe_expected_of_luck: (
        float | None
    )  # what the best of so many sets without any skill would show, per year
    probabilistic_sharpe: (
        float | None
    )  # probability that the best set's true Sharpe ratio is above 0, had it been alone
    deflated_sharpe: float | None  # the same, with the number of trials allowed for
    neighbourhood: Neighbourhood | None
    missing: Mapping[str, str]


def judged(result: SweepResult, best_run: BacktestResult | None) -> Judgement:
    """Judge a sweep.

    best_run: a whole run of the best set; None where there is no best set.
    """
    missing: dict[str, str] = {}

    def value(name: str, measured: Measured) -> float | None:
        if isinstance(measured, Missing):
            missing[name] = measured.reason
            return None
        return measured

    traded = result.measured & (result.summaries["trades"] > 0)
    losing: Measured = Missing("no set traded")
    if traded.any():
        losing = float((result.summaries["return_fraction"][traded] < 0.0).mean())
    best = result.ranking.best
    alone: Measured
    deflated: Measured
    luck: Measured
    own: Measured
    if best is None or best_run is None:
        alone = deflated = luck = own = _no_best(result)
    else:
        alone, deflated, luck, own = _sharpe_of_best(result, best_run)
    beside = _neighbourhood(result)
    if isinstance(beside, Missing):
        missing["neighbourhood"] = beside.reason
    elif beside.share_kept is None:
        missing["neighbourhood.share_kept"] = "the best set's value is not above zero"
    return Judgement(
        trials=int(result.measured.sum()),
        ranked=len(result.ranking.order),
        without_trades=int((result.measured & ~traded).sum()),
        losing_fraction=value("losing_fraction", losing),
        sharpe_of_best=value("sharpe_of_best", own),
        sharpe_expected_of_luck=value("sharpe_expected_of_luck", luck),
        probabilistic_sharpe=value("probabilistic_sharpe", alone),
        deflated_sharpe=value("deflated_sharpe", deflated),
        neighbourhood=None if isinstance(beside, Missing) else beside,
        missing=missing,
    )


def why_no_best(
    summaries: NDArray[np.void], measured: NDArray[np.bool_], metric: Metric, trades_min: int
) -> str:
    """Why no set could be ranked first."""
    if not measured.any():
        return "no set could be carried through"
    most = int(summaries["trades"][measured].max())
    if most < trades_min:
        return f"no set has {trades_min} trades; the most is {most}"
    return f"no set with {trades_min} or more trades has a {metric.name}"


def _no_best(result: SweepResult) -> Missing:
    ranking = result.ranking
    return Missing(why_no_best(result.summaries, result.measured, ranking.metric, ranking.trades_min))


def _sharpe_of_best(
    result: SweepResult, best_run: BacktestResult
) -> tuple[Measured, Measured, Measured, Measured]:
    """Probabilistic and deflated Sharpe ratio of the best set, what luck would have shown, and what it showed.

    All from returns per bar: those are what the spread of the sets' Sharpe ratios is known for.
    """
    returns = bar_returns(best_run.equity.equity_usd)
    moments = returns if isinstance(returns, Missing) else moments_of(returns)
    if isinstance(moments, Missing):
        return moments, moments, moments, moments
    per_bar = result.column("sharpe") / math.sqrt(result.periods_per_year)
    known = per_bar[np.isfinite(per_bar)]
    own = moments.sharpe * math.sqrt(result.periods_per_year)
    alone = probabilistic_sharpe(moments)
    if len(known) < 2:
        few = Missing("fewer than two sets have a Sharpe ratio, so their spread is unknown")
        return alone, few, few, own
    variance = float(known.var(ddof=1))
    trials = int(result.measured.sum())
    luck = expected_sharpe_max(trials, variance) * math.sqrt(result.periods_per_year)
    return alone, deflated_sharpe(moments, trials=trials, sharpe_variance=variance), luck, own


def _neighbourhood(result: SweepResult) -> Neighbourhood | Missing:
    best = result.ranking.best
    if best is None:
        return _no_best(result)
    beside, rule = (
        _grid_neighbours(result.sets.settings, best)
        if isinstance(result.space, Grid)
        else _nearest(result.sets.settings, best)
    )
    metric = result.ranking.metric
    values = result.column(metric)
    known = [number for number in beside if np.isfinite(values[number])]
    if not known:
        return Missing("no set beside the best one could be measured")
    theirs, own = [float(values[number]) for number in known], float(values[best])
    middle = float(median(theirs))
    share = None
    if own > 0.0 and metric.higher_is_better:
        share = middle / own
    elif middle > 0.0 and not metric.higher_is_better:
        share = own / middle
    return Neighbourhood(
        neighbours=tuple(known),
        rule=rule,
        median=middle,
        worst=min(theirs) if metric.higher_is_better else max(theirs),
        share_kept=share,
    )


def _grid_neighbours(settings: Sequence[Setting], best: int) -> tuple[list[int], str]:
    """Sets that differ in one parameter by one step of the grid. A refused set is stepped over."""
    own = settings[best]
    found = []
    for at in range(len(own)):
        rest = own[:at] + own[at + 1 :]
        line = [number for number, setting in enumerate(settings) if setting[:at] + setting[at + 1 :] == rest]
        if all(_is_number(settings[number][at]) for number in line):
            line.sort(key=lambda number, at=at: settings[number][at])  # type: ignore[misc]
        place = line.index(best)
        found += [line[step] for step in (place - 1, place + 1) if 0 <= step < len(line)]
    return found, "one parameter, one step of the grid"


def _nearest(settings: Sequence[Setting], best: int) -> tuple[list[int], str]:
    """The sets nearest to the best, two per parameter; each parameter's distance is a share of its spread."""
    columns = list(zip(*settings, strict=True))
    distance = np.zeros(len(settings))
    for column in columns:
        if all(_is_number(value) for value in column):
            numbers = np.array(column, dtype=np.float64)
            spread = float(np.ptp(numbers)) or 1.0
            distance += ((numbers - numbers[best]) / spread) ** 2
        else:
            distance += np.array([value != column[best] for value in column], dtype=np.float64)
    near = [int(number) for number in np.argsort(distance, kind="stable") if number != best]
    return near[: 2 * len(columns)], "the nearest sets, two per parameter"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


TABLE_METRICS: Final = (
    "sharpe",
    "return_fraction",
    "drawdown_fraction_max",
    "profit_factor",
    "win_rate",
    "expectancy_usd",
    "return_over_drawdown",
)


def table(result: SweepResult) -> dict[str, list[Any]]:
    """Every set in one row: its number, its values, its measures and, where it failed, why. None: missing.

    A parameter that is called like one of the measures has the word `parameter_` before its name.
    """
    rows, measured = result.summaries, result.measured
    measures: dict[str, list[Any]] = {
        name: [int(value) if known else None for value, known in zip(rows[name], measured, strict=True)]
        for name in ("trades", "wins", "bars_in_market")
    }
    measures["equity_end_usd"] = _plain(np.where(measured, rows["equity_end_usd"], np.nan))
    measures |= {name: _plain(result.column(name)) for name in TABLE_METRICS}
    measures["failed"] = [result.failed.get(number) for number in range(len(result.sets))]
    columns: dict[str, list[Any]] = {"set": list(range(1, len(result.sets) + 1))}
    for name, values in zip(result.sets.names, zip(*result.sets.settings, strict=True), strict=True):
        columns[f"parameter_{name}" if name in measures or name == "set" else name] = list(values)
    return columns | measures


def _plain(column: Floats) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in column.tolist()]


def result_document(result: SweepResult, judgement: Judgement) -> dict[str, Any]:
    """The whole result as plain values: equal sweeps have equal documents, wherever they were carried out."""
    ranking = result.ranking
    best = ranking.best
    return {
        "sweep_id": result.manifest.sweep_id,
        "manifest": json.loads(result.manifest.text()),
        "ranked_by": {"metric": ranking.metric.name, "trades_min": ranking.trades_min},
        "best": None if best is None else best + 1,
        "order": [number + 1 for number in ranking.order],
        "judgement": {
            **{
                field.name: getattr(judgement, field.name)
                for field in dataclasses.fields(judgement)
                if field.name != "neighbourhood"
            },
            "neighbourhood": _neighbourhood_fields(judgement.neighbourhood),
        },
        "rejected": [dataclasses.asdict(each) for each in result.sets.rejected],
        "repeated": result.sets.repeated,
        "failed": {str(number + 1): reason for number, reason in sorted(result.failed.items())},
        "sets": table(result),
    }


def _neighbourhood_fields(neighbourhood: Neighbourhood | None) -> dict[str, Any] | None:
    if neighbourhood is None:
        return None
    return {
        "shape": neighbourhood.shape,
        "rule": neighbourhood.rule,
        "sets": [number + 1 for number in neighbourhood.neighbours],
        "median": neighbourhood.median,
        "worst": neighbourhood.worst,
        "share_kept": neighbourhood.share_kept,
    }
