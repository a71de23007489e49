"""Magellan trades as the reference does, in each of the forms in which a strategy can decide."""
# ruff: noqa: D103  (a test's name is its sentence)

from dataclasses import replace

import numpy as np
import pytest
from benchmarks import magellan_workloads, outcome, reference, workloads
from benchmarks.workloads import CrashBars, Job, make_crash_columns

FORMS = ("declared", "woken", "plain")


def crash_market(seed: int, *, gap_size: float) -> CrashBars:
    """Six symbols, twelve sessions; every bar opens at some distance from the close before it."""
    columns = make_crash_columns(seed=seed, symbols=6, sessions=12)
    gap = np.exp(np.random.RandomState(seed).standard_normal(columns["open"].shape) * gap_size)
    bars = CrashBars(start_ns=columns.pop("ts"), **columns)
    open_ = np.round(bars.open * gap, 2)
    return replace(bars, open=open_, high=np.maximum(bars.high, open_), low=np.minimum(bars.low, open_))


@pytest.mark.parametrize("form", FORMS)
def test_the_trend_workload_gives_the_reference_trades(form, monkeypatch, tmp_path):
    monkeypatch.setattr(magellan_workloads, "FORM", form)
    monkeypatch.setattr(workloads, "DATA", tmp_path)
    job = Job.parse("w1:5000")
    measured = magellan_workloads.hysteresis(job, workloads.trend_bars(5_000))().outcome()
    assert measured.trade_count > 10
    assert outcome.differences(measured, reference.outcome_of(job)) == ()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("seed", "gap_size"), [(1, 0.0), (2, 0.01), (3, 0.03), (4, 0.01)])
def test_the_crash_workload_gives_the_reference_trades_also_through_gaps(form, seed, gap_size, monkeypatch):
    monkeypatch.setattr(magellan_workloads, "FORM", form)
    bars = crash_market(seed, gap_size=gap_size)
    measured = magellan_workloads.crash_and_reclaim(Job.parse("w2:12"), bars)().outcome()
    assert measured.trade_count > 0
    assert outcome.differences(measured, reference.crash_and_reclaim(bars)) == ()


def test_a_sweep_gives_each_parameter_set_its_reference_result(monkeypatch, tmp_path):
    monkeypatch.setattr(workloads, "DATA", tmp_path)
    monkeypatch.setattr(magellan_workloads, "FORM", "declared")
    job = Job.parse("w3:1000:400")
    measured = magellan_workloads.sweep(job, workloads.trend_bars(400))().outcome()
    assert measured.trade_count > 1_000
    assert outcome.differences(measured, reference.outcome_of(job)) == ()
