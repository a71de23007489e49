"""The bars that engines are compared on stay the same bytes."""
# ruff: noqa: D103  (a test's name is its sentence)

import hashlib

import numpy as np
import pytest
from benchmarks import workloads
from benchmarks.workloads import Job


def test_the_trend_bars_are_the_published_bytes():
    table = workloads.make_trend_table(1_000)
    digest = hashlib.sha256(table.tobytes()).hexdigest()
    assert digest == "0aa283b40470b6c8deff7f792bd4e18c2171ea42cad3b68479d3c2e64eb468f4"


def test_the_crash_bars_are_the_published_bytes():
    columns = workloads.make_crash_columns(symbols=3, sessions=6)
    digest = hashlib.sha256()
    for name in ("open", "high", "low", "close", "volume", "ts"):
        digest.update(columns[name].tobytes())
    assert digest.hexdigest() == "c017b5143b539aa4c8c461d9cc52e5072fa439e364b59614d5e20549438955b0"


@pytest.mark.parametrize(
    ("count", "sha256"),
    [
        (1_000, "a559b7704a4aa2c0bf27ebfcc88342053889b7c6be5bef952526662bc0a2bfcd"),
        (10_000, "7d4f8110559e8da720aa80f1165355d4ffbb087a9b7f5d40244461e849d5987f"),
    ],
)
def test_the_parameter_sets_are_the_published_bytes(count, sha256):
    assert hashlib.sha256(workloads.sweep_sets(count).tobytes()).hexdigest() == sha256


def test_every_bar_of_both_markets_is_a_possible_bar():
    trend = workloads.make_trend_table(2_000)
    crash = workloads.make_crash_columns(symbols=3, sessions=6)
    for open_, high, low, close, volume in (
        trend[1:],
        [crash[name] for name in ("open", "high", "low", "close", "volume")],
    ):
        assert np.all(low <= np.minimum(open_, close))
        assert np.all(high >= np.maximum(open_, close))
        assert np.all(low > 0.0)
        assert np.all(volume >= 1.0)
        assert np.array_equal(volume, np.floor(volume))


def test_bars_from_the_store_are_the_bars_that_were_made(tmp_path, monkeypatch):
    monkeypatch.setattr(workloads, "DATA", tmp_path / "cache")
    made, stored = workloads.trend_bars(500), workloads.trend_bars(500)
    for name in ("start_ns", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(made, name), getattr(stored, name))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["w1_500.npy"]


@pytest.mark.parametrize("text", ["w1:1000000", "w2:252", "w3:1000:100000"])
def test_a_job_reads_back_as_it_is_written(text):
    assert str(Job.parse(text)) == text


@pytest.mark.parametrize("text", ["", "w1", "w4:1", "w3:1000", "w1:1:2"])
def test_a_job_that_does_not_exist_is_refused(text):
    with pytest.raises(SystemExit, match="no such job"):
        Job.parse(text)
