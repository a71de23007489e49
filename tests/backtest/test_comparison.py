"""Runs side by side: what differs, whether chance explains it, and nothing invented where nothing can be said."""

import dataclasses
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.backtest.comparison import compare_runs, paired_comparison, trade_differences
from magellan.backtest.confidence import confidence_of
from magellan.backtest.kept_run import kept_run
from magellan.backtest.metrics import metrics_of
from magellan.backtest.missing import Missing
from magellan.backtest.report.comparison_report import comparison_report, verdict_of
from magellan.backtest.report.page import plotly_script
from magellan.backtest.run_json import SCHEMA, result_to_json, run_to_json
from magellan.errors import FixInput


def kept(result):
    return kept_run(result, metrics_of(result), confidence_of(result))


@pytest.fixture
def kept_random(random_run):
    return lambda seed, **terms: kept(random_run(seed, **terms))


def settings_of(**sections) -> dict:
    plain = {
        "strategy": {"name": "by_hand", "version": "1.0.0", "kind": "trend"},
        "symbols": ["AAA", "BBB"],
        "parameters": {"rsi_period": 14},
    }
    return plain | sections


# Numbers ------------------------------------------------------------------------------------------------------


def test_a_run_equals_itself(kept_random) -> None:
    compared = compare_runs([kept_random(3), kept_random(3)])
    assert {value for row in compared.metrics for value in row.differences} <= {0, None}
    (against,) = compared.against_base
    assert against.paired is not None
    assert (against.paired.sharpe_better_share, against.paired.growth_better_share) == (0.5, 0.5)
    assert (against.trades.same, against.trades.changed, against.trades.only_here) == (20, (), ())
    assert (compared.config, compared.data, compared.identity) == ((), (), ())
    assert verdict_of(against) == "B has the same Sharpe ratio as A."


def test_differences_are_the_other_runs_value_minus_the_bases(kept_random) -> None:
    one, two, three = kept_random(1), kept_random(2), kept_random(3)
    compared = compare_runs([one, two, three])
    row = next(row for row in compared.metrics if row.metric == "sharpe")
    assert row.values == (one.metrics.sharpe, two.metrics.sharpe, three.metrics.sharpe)
    assert row.differences == pytest.approx(
        (two.metrics.sharpe - one.metrics.sharpe, three.metrics.sharpe - one.metrics.sharpe)
    )
    assert [run.name for run in compared.runs] == ["A", "B", "C"]


def test_incident_36_a_missing_metric_has_no_difference(run_of, kept_random) -> None:
    idle = kept(run_of({"AAA": [100.0 + row % 5 for row in range(300)]}))
    compared = compare_runs([idle, kept_random(1)])
    row = next(row for row in compared.metrics if row.metric == "sharpe")
    assert row.values[0] is None and row.differences == (None,)
    (against,) = compared.against_base
    assert against.paired is None and against.paired_missing == "the returns of one of the runs do not vary"


@given(seeds=st.tuples(st.integers(0, 99), st.integers(100, 199)))
@settings(max_examples=10)
def test_comparing_the_other_way_round_says_the_opposite(random_run, seeds) -> None:
    one, two = (kept(random_run(seed, bars=150)) for seed in seeds)
    there, back = paired_comparison(one, two), paired_comparison(two, one)
    if isinstance(there, Missing):
        assert isinstance(back, Missing)
        return
    assert not isinstance(back, Missing)
    assert there.sharpe_difference == pytest.approx(-back.sharpe_difference)
    assert there.sharpe_better_share == pytest.approx(1 - back.sharpe_better_share)
    assert there.growth_better_share == pytest.approx(1 - back.growth_better_share)
    assert there.sharpe_interval.low == pytest.approx(-(back.sharpe_interval.high or 0.0))


def test_a_run_that_is_better_every_day_is_better_in_every_redrawn_history(run_of, order) -> None:
    closes = [100.0 * (1.002 if row % 2 else 0.9995) ** row for row in range(200)]
    long = [order(symbol="AAA", row=0, units=100.0, exits=())]
    base = kept(run_of({"AAA": closes}, long))
    double = kept(run_of({"AAA": [close * 1.001**at for at, close in enumerate(closes)]}, long))
    paired = paired_comparison(base, double)
    assert not isinstance(paired, Missing)
    assert paired.growth_better_share == 1.0 and paired.growth_interval.low > 0


def test_pairing_tells_runs_apart_that_lie_within_each_others_intervals(run_of, order) -> None:
    """The same positions, one run with costs: day by day worse, though both Sharpe ratios are uncertain."""
    closes = [100.0 + (row * 7919 % 101) / 20 + row * 0.02 for row in range(250)]
    orders = [order(symbol="AAA", row=at, units=60.0, exits=((at + 1, 60.0, 1),)) for at in range(0, 240, 2)]
    free, paid = (kept(run_of({"AAA": closes}, orders, commission_rate=rate)) for rate in (0.0, 0.001))
    paired = paired_comparison(free, paid)
    assert not isinstance(paired, Missing)
    assert paired.sharpe_better_share < 0.025
    both = free.confidence.sharpe_daily, paid.confidence.sharpe_daily
    assert both[0] and both[1] and both[1].high > both[0].low


def test_too_few_common_sessions_are_not_resampled(kept_random) -> None:
    paired = paired_comparison(kept_random(1), kept_random(2, first_day=30_000))
    assert isinstance(paired, Missing) and paired.reason.startswith("0 sessions in common")


@pytest.mark.parametrize("count", [0, 1, 27])
def test_it_takes_two_runs_to_compare(kept_random, count: int) -> None:
    with pytest.raises(FixInput, match=f"{count} runs to compare"):
        compare_runs([kept_random(1, bars=30)] * count)


# Where it comes from ------------------------------------------------------------------------------------------


def test_config_differences_name_the_key_and_both_values(random_run) -> None:
    one = kept(random_run(1, config=settings_of()))
    two = kept(
        random_run(1, config=settings_of(parameters={"rsi_period": 21}, limits={"open_positions_max": 2}))
    )
    compared = compare_runs([one, two])
    assert [(row.path, row.values) for row in compared.config] == [
        ("limits.open_positions_max", ("not there", "2")),
        ("parameters.rsi_period", ("14", "21")),
    ]


def test_incident_5_another_feed_or_checksum_shows_as_a_difference_of_data(random_run) -> None:
    result = random_run(1)
    first = result.manifest.data[0]
    other = dataclasses.replace(first, set_id="vendor/iex/raw/all/AAA/1Day", sha256="f" * 64)
    manifest = dataclasses.replace(result.manifest, data=(other, *result.manifest.data[1:]))
    compared = compare_runs([kept(result), kept(dataclasses.replace(result, manifest=manifest))])
    assert [row.path for row in compared.data] == ["AAA, set", "AAA, sha256"]


def test_another_version_or_code_shows_as_a_difference_of_identity(random_run) -> None:
    result = random_run(1)
    manifest = dataclasses.replace(
        result.manifest, code_sha256="0" * 64, versions=dict(result.manifest.versions) | {"numpy": "3"}
    )
    compared = compare_runs([kept(result), kept(dataclasses.replace(result, manifest=manifest))])
    assert [row.path for row in compared.identity] == ["code, sha256", "version of numpy"]


def test_trades_are_matched_by_symbol_side_and_entry(run_of, order) -> None:
    def run(*orders):
        return kept(run_of({"AAA": [100.0 + row for row in range(30)]}, list(orders))).trades

    stays = order(symbol="AAA", row=1, units=5.0, exits=((3, 5.0, 1),))
    held_longer = [order(symbol="AAA", row=5, units=5.0, exits=((end, 5.0, 1),)) for end in (7, 9)]
    gone, new = (order(symbol="AAA", row=at, units=5.0, exits=((at + 1, 5.0, 1),)) for at in (12, 14))
    found = trade_differences(run(stays, held_longer[0], gone), run(stays, held_longer[1], new))
    assert found.same == 1
    assert [(each.base.bars_held, each.other.bars_held) for each in found.changed] == [(2, 4)]
    assert [trade.entered_at.day for trade in found.only_in_base] == [15]
    assert [trade.entered_at.day for trade in found.only_here] == [17]


@given(seed=st.integers(0, 99), other=st.integers(0, 99))
@settings(max_examples=15)
def test_no_trade_is_lost_in_a_comparison(random_run, seed: int, other: int) -> None:
    one, two = (kept(random_run(each, bars=100)).trades for each in (seed, other))
    found = trade_differences(one, two)
    both = found.same + len(found.changed)
    assert both + len(found.only_in_base) == len(one)
    assert both + len(found.only_here) == len(two)


# Pages and documents ------------------------------------------------------------------------------------------


def test_a_comparison_page_fetches_nothing_and_is_the_same_each_time(kept_random) -> None:
    runs = [kept_random(1), kept_random(2, misleading=("x",), generated=True)]
    page = comparison_report(runs, compare_runs(runs))
    assert page == comparison_report(runs, compare_runs(runs))
    own = page.replace(plotly_script(), "")
    assert re.findall(r"https?:|//[a-z]|\bsrc=|@import|url\(", own) == []
    assert "generated data" in own and "misleads" in own
    assert runs[0].run_id in own and runs[1].run_id in own


def test_a_result_as_json_has_the_form_that_the_guide_describes(random_run) -> None:
    from pathlib import Path

    result = random_run(1)
    document = result_to_json(result, metrics_of(result), confidence_of(result))
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["schema"] == SCHEMA
    assert len(document["trades"]) == len(result.trades)
    assert document["sessions"][-1]["equity_usd"] == result.equity_end_usd
    assert document == run_to_json(kept(result))
    guide = (Path(__file__).parents[2] / "docs/guides/reports.md").read_text()
    assert [key for key in document if f"| `{key}` |" not in guide] == []


def test_incident_36_missing_numbers_are_null_in_json(run_of) -> None:
    result = run_of({"AAA": [100.0, 101.0]})
    metrics = result_to_json(result, metrics_of(result), confidence_of(result))["metrics"]
    assert metrics["sharpe"] is None and metrics["missing"]["sharpe"] == "fewer than two returns"
