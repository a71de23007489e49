"""Kept runs: whole or not there at all, found by any handle, and never half believed."""

import dataclasses
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from magellan.adapters.run_store import RunFolders
from magellan.backtest.confidence import confidence_of
from magellan.backtest.kept_run import KeptRun, kept_run
from magellan.backtest.metrics import metrics_of
from magellan.errors import AskOperator, FixInput
from magellan.ports.run_store import RunNotFound

HAND_MADE = Path(__file__).parents[1] / "backtest" / "conftest.py"


@pytest.fixture(scope="session")
def random_run():
    """The hand-made runs of the backtest's own tests."""
    spec = importlib.util.spec_from_file_location("hand_made_runs", HAND_MADE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module.random_hand_made_run


@pytest.fixture
def run(random_run):
    def build(seed: int = 1, **terms) -> KeptRun:
        result = random_run(seed, bars=80, **terms)
        return kept_run(result, metrics_of(result), confidence_of(result))

    return build


@pytest.fixture
def store(tmp_path: Path) -> RunFolders:
    return RunFolders(tmp_path / ".magellan" / "runs")


def equal(one: KeptRun, other: KeptRun) -> bool:
    curves = [(one.equity, other.equity)]
    if one.benchmark is not None or other.benchmark is not None:
        curves.append((one.benchmark, other.benchmark))
    plain = [field.name for field in dataclasses.fields(KeptRun) if field.name not in ("equity", "benchmark")]
    return all(getattr(one, name) == getattr(other, name) for name in plain) and all(
        np.array_equal(getattr(left, field.name), getattr(right, field.name))
        for left, right in curves
        for field in dataclasses.fields(left)
    )


def test_a_run_comes_back_as_it_was_kept(store: RunFolders, run) -> None:
    for kept in (run(1), run(2, benchmark=False), run(3, trades=1, blocked={"cannot be borrowed": 2})):
        store.keep(kept, "<p>page</p>")
        assert equal(store.read(kept.run_id), kept)


def test_reasons_come_back_whatever_a_strategy_calls_them(store: RunFolders, run) -> None:
    kept = run(1)
    odd = (("a; b", "c"), ('["x"]',), ("target 1", "stop"), ())
    trades = tuple(dataclasses.replace(kept.trades[at], reasons=each) for at, each in enumerate(odd))
    kept = dataclasses.replace(kept, trades=trades)
    store.keep(kept, "page")
    assert store.read(kept.run_id).trades == trades


def test_a_runs_folder_holds_what_the_guide_names(store: RunFolders, run) -> None:
    folder = store.keep(run(), "page")
    assert {path.name for path in folder.iterdir()} == {
        "manifest.json", "metrics.json", "trades.csv", "equity.parquet", "report.html",
    }  # fmt: skip
    assert (folder / "report.html").read_text() == "page"


def test_keeping_a_run_twice_gives_the_same_bytes_and_one_folder(store: RunFolders, run) -> None:
    folder = store.keep(run(), "page")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert store.keep(run(), "page") == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in store.root.iterdir() if path.is_dir()] == [folder.name]


def test_a_run_is_found_by_id_beginning_path_and_as_the_last(store: RunFolders, run) -> None:
    one, two = run(1), run(2)
    store.keep(one, "page")
    folder = store.keep(two, "page")
    os.utime(store.root / one.run_id / "metrics.json", (1, 1))
    for name in (two.run_id, two.run_id[:6], str(folder), str(folder / "report.html"), "last"):
        assert store.read(name).run_id == two.run_id
    assert [entry.run_id for entry in store.runs()] == [two.run_id, one.run_id]
    entry = store.runs()[0]
    assert (entry.trades, entry.sharpe) == (two.metrics.trades, two.metrics.sharpe)


@pytest.mark.parametrize(
    ("name", "message"), [("nope", "no run 'nope'"), ("", "no run ''"), ("../..", "no run '../..'")]
)
def test_an_unknown_run_is_refused_with_the_newest_ones(
    store: RunFolders, run, name: str, message: str
) -> None:
    kept = run()
    store.keep(kept, "page")
    with pytest.raises(RunNotFound, match=message) as refused:
        store.read(name)
    assert kept.run_id in refused.value.next_step


def test_a_beginning_that_several_runs_share_is_refused(store: RunFolders, run) -> None:
    kept = run()
    for ending in ("a", "b"):
        store.keep(dataclasses.replace(kept, run_id="abc" + ending), "page")
    with pytest.raises(RunNotFound, match="several runs begin with 'ab': abca, abcb"):
        store.read("ab")


def test_an_empty_store_says_how_to_fill_it(store: RunFolders) -> None:
    assert store.runs() == ()
    with pytest.raises(RunNotFound, match="no run is kept"):
        store.read("last")


class Killed(BaseException):
    """The process is gone at this point."""


@pytest.mark.parametrize("step", range(20))
def test_a_kill_at_any_step_loses_no_run(store: RunFolders, run, monkeypatch, step: int) -> None:
    old, other = run(1), run(2)
    store.keep(old, "old page")
    left = step
    real = os.replace, os.fsync

    def counted(which):
        def call(*arguments):
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return real[which](*arguments)

        return call

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", counted(0))
        patched.setattr(os, "fsync", counted(1))
        done = False
        try:
            store.keep(old, "new page")
            done = True
        except Killed:
            pass
    assert equal(store.read(old.run_id), old)
    page = (store.runs()[0].folder / "report.html").read_text()
    assert page in (("new page",) if done else ("old page", "new page"))
    store.keep(other, "page")
    assert {entry.run_id for entry in store.runs()} == {old.run_id, other.run_id}
    assert {path.name for path in store.root.iterdir()} == {old.run_id, other.run_id, ".lock"}
    assert (store.root / old.run_id / "report.html").read_text() in ("old page", "new page")


@pytest.mark.parametrize("name", ["metrics.json", "manifest.json", "trades.csv", "equity.parquet"])
@pytest.mark.parametrize("damage", ["cut", "gone", "other"])
def test_a_damaged_run_is_named_and_not_half_believed(store: RunFolders, run, name: str, damage: str) -> None:
    kept = run()
    path = store.keep(kept, "page") / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-40] if damage == "cut" else b"PAR1 nonsense {}")
    with pytest.raises((AskOperator, RunNotFound, FixInput)) as refused:
        store.read(kept.run_id)
    assert name in str(refused.value) or (name, damage) == ("metrics.json", "gone")


def test_a_run_of_another_form_is_refused(store: RunFolders, run) -> None:
    kept = run()
    path = store.keep(kept, "page") / "metrics.json"
    path.write_text(path.read_text().replace("magellan.run/1", "magellan.run/9"))
    with pytest.raises(FixInput, match=r"has the form 'magellan.run/9'"):
        store.read(kept.run_id)


def test_a_full_disk_leaves_earlier_runs_and_says_so(store: RunFolders, run, monkeypatch) -> None:
    old = run(1)
    store.keep(old, "page")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(AskOperator, match="the disk is full") as refused:
            store.keep(run(2), "page")
    assert refused.value.kept == "every run that was kept before"
    assert [entry.run_id for entry in store.runs()] == [old.run_id]
