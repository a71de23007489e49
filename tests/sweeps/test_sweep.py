"""A sweep: the same bytes wherever it is carried out, nothing finished lost, nothing left out in silence."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from magellan.adapters.dask_cluster import DaskExecutor
from magellan.adapters.local.processes import ProcessExecutor
from magellan.adapters.local.threads import ThreadExecutor
from magellan.backtest.sweep_result import metric_named
from magellan.errors import AskOperator, FixInput, Interrupted, TryAgain
from magellan.ports.executor import Answer, Executor, Given, Item, Work
from magellan.usecases.backtest import Changes, backtest, changed
from magellan.usecases.parameter_trials import Documents, TrialJob, begin_trials
from magellan.usecases.sweep import SweepAnswer, parsed_space, sweep

GRID = ["period=3,5,8", "upper=45:65:10"]


class HereAndNow:
    """An executor without any worker; it is interrupted after so many items, if so wished."""

    place = "here"

    def __init__(self, interrupted_after: int | None = None) -> None:
        self.begun = 0
        self._interrupted_after = interrupted_after

    def map(
        self,
        work: Work[Given, Item, Answer],
        items: Sequence[Item],
        *,
        on_done: Callable[[int, Answer], None] | None = None,
    ) -> list[Answer]:
        function = work.begin(work.given)
        answers = []
        for number, item in enumerate(items):
            if self.begun == self._interrupted_after:
                raise KeyboardInterrupt
            self.begun += 1
            answers.append(function(item))
            if on_done is not None:
                on_done(number, answers[-1])
        return answers


def swept(lab: Any, executor: Executor | None = None, *, name: str = "band", **options: Any) -> SweepAnswer:
    loaded = lab.load(name)
    space = parsed_space(
        loaded,
        grid=options.pop("grid", GRID),
        random=options.pop("random", None),
        ranges=options.pop("ranges", []),
        seed=options.pop("seed", 0),
    )
    return sweep(
        loaded,
        space,
        executor=executor or HereAndNow(),
        store=lab.sweeps,
        metric=metric_named(options.pop("metric", "sharpe")),
        **lab.given,
        **options,
    )


def result_bytes(answer: SweepAnswer) -> bytes:
    return (Path(answer.kept_at) / "result.json").read_bytes()


# Wherever it is carried out -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["band", "asks"])
def test_threads_processes_and_a_dask_cluster_of_two_workers_give_the_same_bytes(
    lab: Any, name: str, dask_address: str
) -> None:
    here = swept(lab, name=name)
    expected = result_bytes(here)
    for executor in (ThreadExecutor(2), ProcessExecutor(2), DaskExecutor(dask_address)):
        answer = swept(lab, executor, name=name)
        assert result_bytes(answer) == expected, executor.place
        assert answer.result.summaries.tobytes() == here.result.summaries.tobytes()


def test_one_manifest_gives_the_same_bytes_again_and_another_one_another_id(lab: Any) -> None:
    first = swept(lab)
    assert result_bytes(swept(lab)) == result_bytes(first)
    other = swept(lab, grid=["period=3,5,8", "upper=45:65:5"])
    assert other.result.manifest.sweep_id != first.result.manifest.sweep_id
    assert json.loads((Path(first.kept_at) / "manifest.json").read_text())["space"] == {
        "kind": "grid",
        "parameters": {"period": [3, 5, 8], "upper": [45, 55, 65]},
    }


def test_a_random_sweep_is_fixed_by_its_seed(lab: Any) -> None:
    random = {"grid": [], "random": 6, "ranges": ["period=3:20", "upper=50:70"]}
    first, again = swept(lab, **random, seed=1), swept(lab, **random, seed=1)
    assert result_bytes(first) == result_bytes(again)
    assert swept(lab, **random, seed=2).result.sets.settings != first.result.sets.settings


def test_every_set_measures_what_a_backtest_of_that_set_measures(lab: Any) -> None:
    answer = swept(lab)
    for number, row in enumerate(answer.result.summaries):
        values = dict(zip(answer.result.sets.names, answer.result.sets.settings[number], strict=True))
        run = backtest(changed(lab.load("band"), Changes(settings=values)), **lab.given)
        assert row["equity_end_usd"] == pytest.approx(run.equity_end_usd, rel=1e-12)
        assert row["trades"] == len(run.trades)


def test_a_parameter_that_is_varied_is_varied_for_every_symbol(lab: Any) -> None:
    documents = Documents.of(lab.load("band").config, ("upper",))
    own = documents.with_setting(lab.load("band").strategy.Parameters, (70.0,))
    assert {symbol: parameters.upper for symbol, parameters in own.items()} == {
        "HARBOR": 70.0,
        "ANCHOR": 70.0,
    }
    kept = Documents.of(lab.load("band").config, ("period",))
    own = kept.with_setting(lab.load("band").strategy.Parameters, (9,))
    assert {symbol: parameters.upper for symbol, parameters in own.items()} == {
        "HARBOR": 55.0,
        "ANCHOR": 60.0,
    }


def test_a_worker_of_other_versions_refuses_the_work(lab: Any) -> None:
    from dataclasses import replace

    jobs: list[TrialJob] = []

    class Keeps(HereAndNow):
        def map(self, work: Any, items: Any, *, on_done: Any = None) -> Any:
            jobs.append(work.given)
            return super().map(work, items, on_done=on_done)

    swept(lab, Keeps())
    with pytest.raises(FixInput, match=r"other versions than this machine: numba .*, not 0\.1"):
        begin_trials(replace(jobs[0], versions={**jobs[0].versions, "numba": "0.1"}))


# Nothing is left out in silence ------------------------------------------------------------------------------


def test_sets_that_the_model_refuses_are_not_tried_and_counted(lab: Any) -> None:
    answer = swept(lab, grid=["upper=40,50", "lower=45"])
    assert len(answer.result.sets) == 1
    assert [(each.reason, each.sets) for each in answer.result.sets.rejected] == [("lower is above upper", 1)]


PICKY = """
from magellan.strategy.contract import Parameters, Strategy
class Own(Parameters):
    period: int = 2
class Picky(Strategy):
    Parameters = Own
    def features(self, bars, p):
        return {"late": bars.close * (1 / (p.period - 3))}
    def enter_long(self, f, p):
        return f.late > f.close
"""


def test_a_set_that_fails_is_named_with_its_reason_and_the_others_go_on(lab: Any) -> None:
    lab.add("picky", PICKY)
    answer = swept(lab, name="picky", grid=["period=2:6"])
    (failed,) = answer.result.failed.items()
    assert answer.result.sets.settings[failed[0]] == (3,)
    assert "strategy.py, line 8, while trying period=3: ZeroDivisionError" in failed[1]
    assert answer.judgement.trials == 4


def test_a_sweep_in_which_every_set_fails_is_refused_with_the_first_reason(lab: Any) -> None:
    lab.add("picky", PICKY.replace("p.period - 3", "p.period - p.period"))
    with pytest.raises(FixInput, match=r"not one of 5 parameter sets could be carried through: .*line 8"):
        swept(lab, name="picky", grid=["period=2:6"])


def test_a_set_that_would_hold_through_an_unexplained_jump_fails_and_others_do_not(
    lab: Any, bars_of: Any
) -> None:
    """Incident 10: a split that no table explains is not a loss of half the money."""
    from dataclasses import replace

    whole = bars_of("SPLITS", 9, 300)
    prices = {name: getattr(whole, name).copy() for name in ("open", "high", "low", "close")}
    for column in prices.values():
        column[150:] /= 4.0
    lab.put(replace(whole, **prices))
    lab.add("band", lab.load("band").folder.strategy_file.read_text(), symbols=["SPLITS"])
    answer = swept(lab, grid=["upper=30,99", "lower=1"])
    assert len(answer.result.failed) == 1
    assert "no corporate action on record explains it" in answer.result.failed[0]
    assert answer.judgement.without_trades == 1


def test_a_changed_strategy_file_is_noticed_before_anything_is_tried(lab: Any) -> None:
    loaded = lab.load("band")
    file = loaded.folder.strategy_file
    file.write_text(file.read_text() + "\n")
    space = parsed_space(loaded, grid=GRID, random=None, ranges=[], seed=0)
    with pytest.raises(FixInput, match="has changed since this command began"):
        sweep(
            loaded,
            space,
            executor=HereAndNow(),
            store=lab.sweeps,
            metric=metric_named("sharpe"),
            **lab.given,
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grid": [], "ranges": ["period=3:5"]}, "nothing is drawn"),
        ({"random": 5}, "give one of them"),
        ({"grid": []}, "no parameter to vary"),
    ],
)
def test_a_space_is_a_grid_or_a_sample(lab: Any, options: dict, message: str) -> None:
    with pytest.raises(FixInput, match=message):
        swept(lab, **options)


# Nothing finished is lost -------------------------------------------------------------------------------------


def test_an_interrupted_sweep_goes_on_from_where_it_was_and_ends_with_the_same_bytes(lab: Any) -> None:
    whole = swept(lab)
    expected = result_bytes(whole)
    with pytest.raises(Interrupted) as stopped:
        swept(lab, HereAndNow(interrupted_after=4))
    assert stopped.value.message == "interrupted after 4 of 9 parameter sets"
    assert whole.kept_at in stopped.value.kept
    assert "--resume" in stopped.value.next_step
    rest = HereAndNow()
    answer = swept(lab, rest, resume=True)
    assert (rest.begun, answer.resumed) == (5, 4)
    assert result_bytes(answer) == expected


def test_a_finished_sweep_that_is_resumed_computes_nothing(lab: Any) -> None:
    expected = result_bytes(swept(lab))
    nothing = HereAndNow()
    answer = swept(lab, nothing, resume=True)
    assert nothing.begun == 0
    assert result_bytes(answer) == expected


def test_without_resume_a_sweep_begins_anew(lab: Any) -> None:
    with pytest.raises(Interrupted):
        swept(lab, HereAndNow(interrupted_after=4))
    anew = HereAndNow()
    assert swept(lab, anew).resumed == 0
    assert anew.begun == 9


def test_a_line_that_was_cut_short_is_computed_again(lab: Any) -> None:
    answer = swept(lab)
    expected = result_bytes(answer)
    journal = Path(answer.kept_at) / "finished.jsonl"
    journal.write_bytes(journal.read_bytes()[:-7])
    rest = HereAndNow()
    assert result_bytes(swept(lab, rest, resume=True)) == expected
    assert rest.begun == 1


def test_a_damaged_line_is_named_and_nothing_is_guessed(lab: Any) -> None:
    answer = swept(lab)
    journal = Path(answer.kept_at) / "finished.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], b"[1, nonsense\n", *lines[2:]]))
    with pytest.raises(AskOperator, match=r"finished\.jsonl, line 2 is damaged"):
        swept(lab, resume=True)


def test_two_processes_do_not_write_into_one_sweep(lab: Any) -> None:
    answer = swept(lab)
    manifest = answer.result.manifest
    with (
        lab.sweeps.open(manifest.sweep_id, manifest.text(), resume=True),
        pytest.raises(TryAgain, match="another process is at this very sweep"),
    ):
        swept(lab, resume=True)


def test_other_data_is_another_sweep_so_that_nothing_old_is_mixed_in(lab: Any, bars_of: Any) -> None:
    with pytest.raises(Interrupted):
        swept(lab, HereAndNow(interrupted_after=4))
    lab.put(bars_of("HARBOR", 1, 310))
    answer = swept(lab, resume=True)
    assert answer.resumed == 0


def test_failed_sets_stay_failed_when_a_sweep_is_resumed(lab: Any) -> None:
    lab.add("picky", PICKY)
    first = swept(lab, name="picky", grid=["period=2:6"])
    again = swept(lab, HereAndNow(), name="picky", grid=["period=2:6"], resume=True)
    assert again.result.failed == first.result.failed
    assert result_bytes(again) == result_bytes(first)
