"""A strategy walked forward: chosen on one window as a sweep would, judged on the next, the same bytes everywhere."""

from pathlib import Path
from typing import Any

import pytest

from magellan.adapters.local.processes import ProcessExecutor
from magellan.adapters.local.threads import ThreadExecutor
from magellan.backtest.sweep_result import metric_named
from magellan.backtest.walk_forward import StoodAside, Trained
from magellan.errors import FixInput, Interrupted
from magellan.ports.executor import Executor
from magellan.usecases.backtest import Changes, backtest, changed
from magellan.usecases.sweep import parsed_space, sweep
from magellan.usecases.walk_forward import WalkForwardAnswer, WalkTerms, walk_forward


def walked(
    lab: Any, executor: Executor | None = None, *, name: str = "band", resume: bool = False, **terms: Any
) -> WalkForwardAnswer:
    loaded = lab.load(name)
    grid = terms.pop("grid", ["period=3,5,8", "upper=50:65:5"])
    return walk_forward(
        loaded,
        parsed_space(loaded, grid=grid, random=None, ranges=[], seed=0),
        WalkTerms(
            **{
                "train_sessions": 100,
                "test_sessions": 40,
                "anchored": False,
                "metric": metric_named("sharpe"),
                "trades_min": 4,
            }
            | terms
        ),
        executor=executor or ThreadExecutor(1),
        store=lab.sweeps,
        resume=resume,
        **lab.given,
    )


def result_bytes(answer: WalkForwardAnswer) -> bytes:
    return (Path(answer.kept_at) / "result.json").read_bytes()


@pytest.mark.parametrize("anchored", [False, True])
def test_a_window_chooses_what_a_sweep_over_its_dates_ranks_first(lab: Any, anchored: bool) -> None:
    answer = walked(lab, anchored=anchored)
    loaded = lab.load("band")
    assert len(answer.walk.windows) == 5
    for window in answer.walk.windows:
        assert isinstance(window.chosen, Trained)
        train = window.window.train
        alone = sweep(
            loaded,
            parsed_space(loaded, grid=["period=3,5,8", "upper=50:65:5"], random=None, ranges=[], seed=0),
            executor=ThreadExecutor(1),
            store=lab.sweeps,
            metric=metric_named("sharpe"),
            trades_min=4,
            from_on=train.first_on,
            to_on=train.last_on,
            **lab.given,
        )
        best = alone.result.ranking.best
        assert best is not None
        assert window.chosen.setting == alone.result.sets.settings[best]
        values = dict(zip(alone.result.sets.names, window.chosen.setting, strict=True))
        run = backtest(
            changed(loaded, Changes(settings=values)),
            from_on=train.first_on,
            to_on=train.last_on,
            **lab.given,
        )
        assert window.chosen.return_fraction == pytest.approx(run.return_fraction)
        assert window.chosen.trades == len(run.trades)


def test_windows_in_which_no_set_traded_enough_are_stood_aside_and_say_so(lab: Any) -> None:
    answer = walked(lab, trades_min=1000)
    walk = answer.walk
    assert walk.stood_aside == len(walk.windows) == 5
    chosen = walk.windows[0].chosen
    assert isinstance(chosen, StoodAside)
    assert chosen.reason.startswith("no set has 1000 trades; the most is ")
    assert walk.return_fraction == 0.0
    assert walk.efficiency is None


def test_the_same_walk_has_the_same_bytes_on_threads_and_on_processes(lab: Any) -> None:
    expected = result_bytes(walked(lab))
    assert result_bytes(walked(lab, ThreadExecutor(2))) == expected
    assert result_bytes(walked(lab, ProcessExecutor(2))) == expected
    assert result_bytes(walked(lab, name="asks")) != expected


def test_other_windows_are_another_walk(lab: Any) -> None:
    ids = {
        walked(lab, **terms).manifest.sweep_id
        for terms in ({}, {"train_sessions": 90}, {"anchored": True}, {"trades_min": 5})
    }
    assert len(ids) == 4


def test_an_interrupted_walk_goes_on_from_where_it_was(lab: Any) -> None:
    class Stops(ThreadExecutor):
        def map(self, work: Any, items: Any, *, on_done: Any = None) -> Any:
            super().map(work, items[:17], on_done=on_done)
            raise KeyboardInterrupt

    expected = result_bytes(walked(lab))
    with pytest.raises(Interrupted, match="interrupted after 17 of 60 training runs"):
        walked(lab, Stops(1))
    answer = walked(lab, resume=True)
    assert answer.resumed == 17
    assert result_bytes(answer) == expected


def test_minutes_are_walked_by_sessions(lab: Any) -> None:
    band = lab.load("band").folder.strategy_file.read_text()
    lab.add("band", band, symbols=["COCKLE"], data={"timeframe": "1Min"})
    answer = walked(lab, train_sessions=2, test_sessions=1)
    assert [each.window.test.sessions for each in answer.walk.windows] == [1, 1]
    assert len(answer.walk.equity.equity_usd) == 2 * 390


def test_too_short_a_history_is_refused_with_what_it_would_take(lab: Any) -> None:
    with pytest.raises(FixInput, match="sessions are too few: one window needs 290 to train on and 40"):
        walked(lab, train_sessions=290)
