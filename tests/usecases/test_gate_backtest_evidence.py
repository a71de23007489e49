"""Backtest evidence: whether the run was the one that was asked for, held against the bars themselves (incident 9)."""

from dataclasses import replace

import numpy as np
import pytest

from magellan.backtest.market import Market
from magellan.gate.evidence import Evidence, Measured, Unmeasured
from magellan.trading.bar import Bars
from magellan.trading.timeframe import HOUR, HOUR_NS
from magellan.usecases.gate_evidence.backtest import backtest_evidence
from magellan.usecases.gate_evidence.examination import Examination, files_sha256
from magellan.usecases.gate_evidence.judged_run import (
    JudgedRun,
    judged_run,
    with_doubled_costs,
    without_symbol,
)
from magellan.usecases.load_strategy import load_strategy
from magellan.usecases.prepare_run import prepare_data
from magellan.workspace.config import StrategyConfig

from .conftest import NOW, Desk


@pytest.fixture
def run(desk: Desk) -> JudgedRun:
    loaded = load_strategy(desk.folder)
    sources = desk.sources
    data = prepare_data(
        loaded.config, archive=sources.archive, actions=sources.actions, calendar_of=sources.calendar_of
    )
    return judged_run(loaded, data, sources.actions, from_on=None, to_on=None)


def evidence(desk: Desk, run: JudgedRun) -> Evidence:
    of = Examination(folder=desk.folder, at=NOW, files_sha256=files_sha256(desk.folder))
    return backtest_evidence(of, run, desk.archive)


def value(evidence: Evidence, name: str) -> float:
    measured = evidence.measured[name]
    assert isinstance(measured, Measured), measured
    return measured.value


def on_market(run: JudgedRun, change) -> JudgedRun:
    """The same run, pretending that it was run on other bars."""
    bars = [change(one) if at == 0 else one for at, one in enumerate(run.result.market)]
    return replace(run, result=replace(run.result, market=Market.of(bars)))


def test_a_sound_run_is_the_one_that_was_asked_for(desk: Desk, run: JudgedRun) -> None:
    found = evidence(desk, run)
    for name in ("bars_off_timeframe", "bars_unaccounted", "sessions_missing", "entries_in_warmup"):
        assert value(found, name) == 0, name
    assert value(found, "sessions") == 2011
    assert value(found, "trades") == int((~run.result.trades.is_open).sum())


def test_bars_that_the_run_left_out_are_counted_incident_9(desk: Desk, run: JudgedRun) -> None:
    found = evidence(desk, on_market(run, lambda bars: bars.rows(slice(0, 1900))))
    assert value(found, "bars_unaccounted") == 111
    assert found.measured["bars_unaccounted"].detail == "ALPHA: 111"


def test_bars_that_lie_closer_than_the_timeframe_are_counted_incident_9(desk: Desk, run: JudgedRun) -> None:
    def squeezed(bars: Bars) -> Bars:
        """Every second bar half a day early, on the date of the bar before it."""
        at = bars.opened_at_ns.copy()
        at[1::2] = at[0::2][: len(at[1::2])] + 12 * HOUR_NS
        return replace(bars, opened_at_ns=at)

    assert value(evidence(desk, on_market(run, squeezed)), "bars_off_timeframe") == 1005


def test_another_timeframe_than_the_configs_counts_every_bar_incident_9(desk: Desk, run: JudgedRun) -> None:
    bars = [
        replace(one, timeframe=HOUR, opened_at_ns=one.opened_at_ns[0] + np.arange(len(one)) * HOUR_NS)
        for one in run.result.market
    ]
    wrong = replace(run, result=replace(run.result, market=Market.of(bars)))
    assert value(evidence(desk, wrong), "bars_off_timeframe") == 6033


def test_entries_before_warm_up_is_over_are_counted(desk: Desk, run: JudgedRun) -> None:
    # As if the replay had not kept to the warm-up: the config asks for more than it was run with.
    config = run.loaded.config
    longer = config.model_copy(update={"data": config.data.model_copy(update={"warmup_bars": 500})})
    found = evidence(desk, replace(run, loaded=replace(run.loaded, config=longer)))
    opened = [run.result.market.bars[0].bar(500).opened_at > trade.entered_at for trade in run.result.trades]
    assert value(found, "entries_in_warmup") == sum(opened) > 0


def test_costs_are_measured_on_what_was_traded_and_missing_where_nothing_was(
    desk: Desk, run: JudgedRun
) -> None:
    assert value(evidence(desk, run), "cost_bps") == pytest.approx(3.0, abs=0.01)
    idle = replace(run, result=replace(run.result, fills=run.result.fills[:0]))
    assert evidence(desk, idle).measured["cost_bps"] == Unmeasured("nothing was traded")


def test_doubling_costs_doubles_every_cost_and_nothing_else() -> None:
    config = StrategyConfig.model_validate(
        {
            "strategy": {"name": "gap", "version": "1.0.0", "kind": "trend"},
            "symbols": ["AMC", "MNQ"],
            "execution": {"slippage_bps": 2.0, "commission_min_usd": 1.0, "volume_share_max": 0.1},
            "instruments": {"MNQ": {"commission_per_unit_usd": 0.5, "point_value": 2.0}},
        }
    )
    doubled = with_doubled_costs(config)
    assert (doubled.execution.slippage_bps, doubled.execution.commission_min_usd) == (4.0, 2.0)
    assert doubled.instruments["MNQ"].commission_per_unit_usd == 1.0
    assert doubled.execution.volume_share_max == 0.1
    assert doubled.instruments["MNQ"].point_value == 2.0
    assert doubled.instruments["MNQ"].slippage_bps is None
    assert config.execution.slippage_bps == 2.0


def test_a_symbol_that_is_left_out_is_not_traded_and_may_still_be_read(run: JudgedRun) -> None:
    loaded, data = without_symbol(run, "BRAVO")
    assert loaded.config.symbols == data.market.symbols == ("ALPHA", "DELTA")
    assert list(loaded.parameters) == ["ALPHA", "DELTA"]
    assert [bars.symbol for bars in data.reference] == ["BRAVO"]
    result = run.again(loaded, data)
    assert {trade.symbol for trade in result.trades} == {"ALPHA", "DELTA"}
