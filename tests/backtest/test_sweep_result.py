"""What a sweep says of its sets: ranked by a stated rule, and the best never without what speaks against it."""

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.backtest.missing import Missing
from magellan.backtest.parameter_space import (
    Axis,
    Choice,
    Grid,
    ParameterSets,
    ParameterSpace,
    Rejected,
    Sample,
    Setting,
    Span,
)
from magellan.backtest.result import BacktestResult
from magellan.backtest.returns import bar_returns
from magellan.backtest.statistics import deflated_sharpe, expected_sharpe_max, moments_of
from magellan.backtest.sweep import summary_t
from magellan.backtest.sweep_page import has_page, sweep_page
from magellan.backtest.sweep_result import (
    METRICS,
    PLATEAU_SHARE,
    SweepResult,
    judged,
    metric_named,
    ranked,
    result_document,
    sweep_manifest,
    table,
)
from magellan.backtest.sweep_table import table_bytes
from magellan.errors import FixInput

PER_YEAR = 252.0
RunOf = Callable[..., BacktestResult]


def summary(sharpe: float | None = 1.0, **others: float) -> np.ndarray:
    """One row: by default 20 trades, 12 of them won, and that Sharpe ratio a year."""
    row = np.zeros(1, dtype=summary_t)
    fields = {
        "equity_end_usd": 11_000.0,
        "return_fraction": 0.1,
        "trades": 20,
        "wins": 12,
        "profit_usd": 3000.0,
        "loss_usd": -2000.0,
        "drawdown_fraction_max": 0.05,
        "return_mean": 0.0 if sharpe is None else sharpe * 0.01 / math.sqrt(PER_YEAR),
        "return_std": 0.0 if sharpe is None else 0.01,
        "bars_in_market": 100,
    } | others
    for name, value in fields.items():
        row[name] = value
    return row


def result_of(
    run_of: RunOf,
    settings: Sequence[Setting],
    rows: Sequence[np.ndarray],
    *,
    space: ParameterSpace | None = None,
    names: tuple[str, ...] = ("period", "upper"),
    failed: dict[int, str] | None = None,
    metric: str = "sharpe",
    trades_min: int = 1,
    rejected: tuple[Rejected, ...] = (),
) -> SweepResult:
    sets = ParameterSets(names=names, settings=tuple(settings), rejected=rejected, repeated=0)
    summaries = np.concatenate(rows)
    measured = np.ones(len(rows), dtype=bool)
    measured[list(failed or {})] = False
    columns = list(zip(*settings, strict=True))
    space = space or Grid(
        axes=tuple(
            Axis(name=name, values=tuple(dict.fromkeys(column)))
            for name, column in zip(names, columns, strict=True)
        )
    )
    return SweepResult(
        manifest=sweep_manifest(run_of({"AAA": [10.0, 11.0]}).manifest, {"kind": "grid"}, sets),
        space=space,
        sets=sets,
        summaries=summaries,
        failed=failed or {},
        cash_start_usd=10_000.0,
        periods_per_year=PER_YEAR,
        ranking=ranked(
            summaries,
            measured,
            metric_named(metric),
            trades_min=trades_min,
            periods_per_year=PER_YEAR,
        ),
    )


def line_of(run_of: RunOf, sharpes: Sequence[float | None], **others: Any) -> SweepResult:
    """A sweep over one parameter, with these Sharpe ratios."""
    settings = [(number,) for number in range(len(sharpes))]
    return result_of(run_of, settings, [summary(one) for one in sharpes], names=("period",), **others)


# Ranking ------------------------------------------------------------------------------------------------------


def test_the_best_set_comes_first_and_equal_ones_keep_their_order(run_of: RunOf) -> None:
    assert line_of(run_of, [0.5, 2.0, 1.0, 2.0]).ranking.order == (1, 3, 2, 0)


def test_sets_that_failed_or_have_too_few_trades_or_no_metric_are_not_ranked(run_of: RunOf) -> None:
    rows = [summary(1.0), summary(9.0), summary(9.0, trades=4), summary(None), summary(0.5)]
    result = result_of(
        run_of, [(at,) for at in range(5)], rows, names=("period",), failed={1: "broke"}, trades_min=5
    )
    assert result.ranking.order == (0, 4)


@pytest.mark.parametrize(
    ("metric", "good", "bad"),
    [
        ("return_fraction", {"return_fraction": 0.2}, {"return_fraction": -0.2}),
        ("profit_factor", {"profit_usd": 9000.0}, {"profit_usd": 10.0}),
        ("win_rate", {"wins": 19}, {"wins": 1}),
        ("expectancy_usd", {"profit_usd": 9000.0}, {"profit_usd": 10.0}),
        ("return_over_drawdown", {"return_fraction": 0.2}, {"return_fraction": 0.05}),
        ("drawdown_fraction_max", {"drawdown_fraction_max": 0.01}, {"drawdown_fraction_max": 0.5}),
    ],
)
def test_sets_can_be_ranked_by_each_metric(run_of: RunOf, metric: str, good: dict, bad: dict) -> None:
    rows = [summary(**bad), summary(), summary(**good)]
    assert line_of(run_of, [1.0, 1.0, 1.0]).ranking.order == (0, 1, 2)
    result = result_of(run_of, [(1,), (2,), (3,)], rows, names=("period",), metric=metric)
    assert result.ranking.order == (2, 1, 0)


def test_what_cannot_be_divided_is_missing_and_not_infinite(run_of: RunOf) -> None:
    rows = [summary(loss_usd=0.0, wins=20, drawdown_fraction_max=0.0), summary(None, trades=0, wins=0)]
    result = result_of(run_of, [(1,), (2,)], rows, names=("period",))
    assert np.isnan(result.column("profit_factor")).tolist() == [True, False]
    assert np.isnan(result.column("return_over_drawdown")).tolist() == [True, False]
    assert np.isnan(result.column("win_rate")).tolist() == [False, True]
    assert np.isnan(result.column("sharpe")).tolist() == [False, True]
    assert np.isnan(result.column("drawdown_fraction_max")).tolist() == [False, True]


def test_an_unknown_metric_is_answered_with_all_there_are() -> None:
    with pytest.raises(FixInput) as raised:
        metric_named("sharp")
    assert all(name in raised.value.next_step for name in METRICS)


# Honesty ------------------------------------------------------------------------------------------------------


def best_run_of(run_of: RunOf, order: Any) -> BacktestResult:
    """A run of 60 closes that is in the market all the time."""
    chance = np.random.Generator(np.random.PCG64(3))
    closes = (100.0 * np.cumprod(1 + chance.normal(0.002, 0.01, 60))).round(2).tolist()
    return run_of({"AAA": closes}, [order(symbol="AAA", row=0, units=50.0, exits=())])


def test_the_deflated_sharpe_ratio_allows_for_every_set_that_was_tried(run_of: RunOf, order: Any) -> None:
    run = best_run_of(run_of, order)
    result = line_of(run_of, [0.5, 1.0, None, 3.0, -0.5])
    judgement = judged(result, run)
    returns = bar_returns(run.equity.equity_usd)
    assert not isinstance(returns, Missing)
    moments = moments_of(returns)
    assert not isinstance(moments, Missing)
    variance = float(np.var(np.array([0.5, 1.0, 3.0, -0.5]) / math.sqrt(PER_YEAR), ddof=1))
    assert judgement.trials == 5  # a set without trades was a try, too
    assert judgement.deflated_sharpe == pytest.approx(
        deflated_sharpe(moments, trials=5, sharpe_variance=variance)
    )
    assert judgement.sharpe_expected_of_luck == pytest.approx(
        expected_sharpe_max(5, variance) * math.sqrt(PER_YEAR)
    )
    assert judgement.probabilistic_sharpe is not None
    assert judgement.deflated_sharpe < judgement.probabilistic_sharpe


def test_more_trials_make_the_same_best_set_less_believable(run_of: RunOf, order: Any) -> None:
    run = best_run_of(run_of, order)
    few = judged(line_of(run_of, [3.0, 1.0, -1.0]), run)
    many = judged(line_of(run_of, [3.0, 1.0, -1.0] * 30), run)
    assert few.deflated_sharpe is not None and many.deflated_sharpe is not None
    assert many.deflated_sharpe < few.deflated_sharpe


def test_losing_sets_are_counted_among_those_that_traded(run_of: RunOf, order: Any) -> None:
    rows = [
        summary(),
        summary(return_fraction=-0.1),
        summary(return_fraction=-0.2),
        summary(None, trades=0, return_fraction=0.0),
    ]
    result = result_of(run_of, [(at,) for at in range(4)], rows, names=("period",))
    judgement = judged(result, best_run_of(run_of, order))
    assert judgement.losing_fraction == pytest.approx(2 / 3)
    assert judgement.without_trades == 1


def test_a_sweep_without_a_best_set_says_why_and_shows_no_number(run_of: RunOf) -> None:
    judgement = judged(line_of(run_of, [1.0, 2.0], trades_min=30), None)
    assert (judgement.deflated_sharpe, judgement.sharpe_of_best, judgement.neighbourhood) == (None,) * 3
    assert judgement.missing["deflated_sharpe"] == "no set has 30 trades; the most is 20"
    assert judgement.missing["neighbourhood"] == "no set has 30 trades; the most is 20"
    silent = judged(line_of(run_of, [None, None]), None)
    assert silent.missing["deflated_sharpe"] == "no set with 1 or more trades has a sharpe"


def test_one_set_alone_has_no_spread_to_deflate_by(run_of: RunOf, order: Any) -> None:
    judgement = judged(line_of(run_of, [2.0]), best_run_of(run_of, order))
    assert judgement.deflated_sharpe is None
    assert "fewer than two sets" in judgement.missing["deflated_sharpe"]
    assert judgement.probabilistic_sharpe is not None


def test_a_best_set_among_equals_is_a_plateau_and_one_above_all_is_a_spike(run_of: RunOf, order: Any) -> None:
    run = best_run_of(run_of, order)
    for sharpes, shape in [([1.8, 2.0, 1.9], "plateau"), ([0.1, 2.0, 0.2], "spike")]:
        beside = judged(line_of(run_of, sharpes), run).neighbourhood
        assert beside is not None
        assert beside.shape == shape
        assert sorted(beside.neighbours) == [0, 2]
        assert beside.share_kept == pytest.approx(np.median([sharpes[0], sharpes[2]]) / 2.0)
        assert (beside.share_kept >= PLATEAU_SHARE) == (shape == "plateau")


def test_neighbours_in_a_grid_are_one_step_away_in_one_parameter(run_of: RunOf, order: Any) -> None:
    settings = [(period, upper) for period in (21, 7, 14) for upper in (60.0, 50.0, 55.0)]
    rows = [summary(3.0 if setting == (14, 55.0) else 1.0) for setting in settings]
    beside = judged(result_of(run_of, settings, rows), best_run_of(run_of, order)).neighbourhood
    assert beside is not None
    assert {settings[number] for number in beside.neighbours} == {
        (7, 55.0),
        (21, 55.0),
        (14, 50.0),
        (14, 60.0),
    }


def test_a_refused_neighbour_is_stepped_over_and_a_failed_one_does_not_count(
    run_of: RunOf, order: Any
) -> None:
    settings = [(1,), (2,), (5,), (6,)]
    rows = [summary(1.0), summary(1.0), summary(3.0), summary(1.0)]
    result = result_of(run_of, settings, rows, names=("period",), failed={3: "broke"})
    beside = judged(result, best_run_of(run_of, order)).neighbourhood
    assert beside is not None
    assert beside.neighbours == (1,)


def test_neighbours_in_a_sample_are_the_nearest_by_each_parameters_spread(run_of: RunOf, order: Any) -> None:
    settings = [(10, 0.10), (11, 0.11), (12, 0.50), (90, 0.10), (50, 0.90), (10, 0.12)]
    rows = [summary(3.0), *(summary(1.0) for _ in settings[1:])]
    space = Sample(
        ranges=(
            Span(name="period", low=1, high=100, whole=True),
            Choice(name="upper", values=(0.1, 0.9)),
        ),
        wanted=6,
        seed=0,
    )
    beside = judged(result_of(run_of, settings, rows, space=space), best_run_of(run_of, order)).neighbourhood
    assert beside is not None
    assert beside.neighbours == (1, 5, 2, 3)


def test_where_low_is_good_a_plateau_is_low_all_around(run_of: RunOf, order: Any) -> None:
    rows = [summary(drawdown_fraction_max=depth) for depth in (0.11, 0.10, 0.40)]
    result = result_of(run_of, [(1,), (2,), (3,)], rows, names=("period",), metric="drawdown_fraction_max")
    beside = judged(result, best_run_of(run_of, order)).neighbourhood
    assert beside is not None
    assert beside.share_kept == pytest.approx(0.10 / 0.255)
    assert beside.worst == 0.40


# Tables, documents, the page ----------------------------------------------------------------------------------


def small(run_of: RunOf) -> SweepResult:
    settings = [(period, upper) for period in (7, 14) for upper in (50.0, 60.0)]
    rows = [summary(1.0), summary(None, trades=0), summary(2.0), summary(0.5)]
    rejected = (Rejected(reason="lower is above upper", sets=3, example="period=7, upper=40"),)
    return result_of(run_of, settings, rows, failed={3: "a price jumps"}, rejected=rejected)


def test_the_table_has_every_set_and_leaves_empty_what_is_missing(run_of: RunOf) -> None:
    rows = list(csv.DictReader(io.StringIO(table_bytes(small(run_of), ".csv").decode())))
    assert [row["set"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["period"] for row in rows] == ["7", "7", "14", "14"]
    assert [row["sharpe"] for row in rows][1] == ""
    assert float(rows[2]["sharpe"]) == pytest.approx(2.0)
    assert rows[3]["failed"] == "a price jumps"
    assert rows[3]["trades"] == ""


def test_the_three_kinds_of_table_hold_the_same_numbers(run_of: RunOf) -> None:
    result = small(run_of)
    columns = table(result)
    as_json = json.loads(table_bytes(result, ".json"))
    as_parquet = pyarrow.parquet.read_table(io.BytesIO(table_bytes(result, ".parquet"))).to_pydict()
    assert as_parquet == columns
    assert {name: [row[name] for row in as_json] for name in columns} == columns


def test_a_parameter_that_is_called_like_a_measure_keeps_its_column(run_of: RunOf) -> None:
    result = result_of(run_of, [(3,), (4,)], [summary(), summary()], names=("trades",))
    columns = table(result)
    assert columns["parameter_trades"] == [3, 4]
    assert columns["trades"] == [20, 20]


def test_values_of_several_kinds_become_text_in_parquet(run_of: RunOf) -> None:
    result = result_of(run_of, [(None,), ("a",), (3,)], [summary()] * 3, names=("cap",))
    read = pyarrow.parquet.read_table(io.BytesIO(table_bytes(result, ".parquet"))).to_pydict()
    assert read["cap"] == ["null", "a", "3"]


def test_the_document_holds_the_whole_result_and_its_manifest(run_of: RunOf, order: Any) -> None:
    result = small(run_of)
    document = json.loads(json.dumps(result_document(result, judged(result, best_run_of(run_of, order)))))
    assert document["sweep_id"] == result.manifest.sweep_id
    assert document["best"] == 3
    assert document["order"] == [3, 1]
    assert document["failed"] == {"4": "a price jumps"}
    assert document["rejected"] == [
        {"reason": "lower is above upper", "sets": 3, "example": "period=7, upper=40"}
    ]
    assert document["judgement"]["neighbourhood"]["sets"] == [1]


@given(
    first=st.lists(st.integers(1, 99), min_size=1, max_size=5, unique=True),
    second=st.lists(st.integers(1, 99), min_size=1, max_size=5, unique=True),
)
def test_other_sets_have_another_manifest(run_of: RunOf, first: list[int], second: list[int]) -> None:
    one, other = (line_manifest(run_of, values) for values in (first, second))
    assert (one == other) == (first == second)


def line_manifest(run_of: RunOf, values: list[int]) -> str:
    sets = ParameterSets(
        names=("period",), settings=tuple((value,) for value in values), rejected=(), repeated=0
    )
    return sweep_manifest(run_of({"AAA": [10.0, 11.0]}).manifest, {"kind": "grid"}, sets).sweep_id


def test_the_page_is_small_fetches_nothing_and_marks_the_best_set(run_of: RunOf, order: Any) -> None:
    result = small(run_of)
    assert has_page(result)
    page = sweep_page(result, judged(result, best_run_of(run_of, order)))
    assert len(page) < 60_000
    assert "<script" not in page and "http" not in page.replace("http-equiv", "")
    # Once in each of the three maps: Sharpe ratio, return, drawdown.
    assert page.count('best"') == 3
    assert "period=7, upper=60.0: no sharpe: 0 trades" in page
    assert "a price jumps" in page
    assert sweep_page(result, judged(result, best_run_of(run_of, order))) == page


def test_only_a_grid_over_two_parameters_has_a_page(run_of: RunOf) -> None:
    assert not has_page(line_of(run_of, [1.0, 2.0]))
    one_value = result_of(run_of, [(7, 50.0), (14, 50.0)], [summary(), summary()])
    assert not has_page(one_value)
