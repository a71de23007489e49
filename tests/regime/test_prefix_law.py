"""Nothing that was said about a bar changes when later bars come, in whatever portions they come."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.regime.axes import Axis
from magellan.regime.bars_needed import bars_needed
from magellan.regime.config import RegimeConfig
from magellan.regime.generated_chain import generated_chain
from magellan.regime.quality.prefix_law import prefix_law
from magellan.regime.quality.scenario import Scenario
from magellan.regime.regime_model import RegimeModel
from magellan.trading.bar import Bars
from magellan.trading.session import session_columns

BARS = 700
Made = Callable[..., Scenario]


def said(model: RegimeModel) -> dict[str, np.ndarray]:
    columns = {"states": model.states, "alarm": model.alarm, "beliefs": model.state_probabilities}
    for axis in Axis:
        columns |= {f"{axis} labels": model.labels(axis), f"{axis}": model.probabilities(axis)}
        columns |= {f"{axis} ages": model.ages(axis), f"{axis} confidence": model.confidence(axis)}
    return columns


def assert_same(part: dict[str, np.ndarray], whole: dict[str, np.ndarray], rows: slice) -> None:
    for name, column in part.items():
        np.testing.assert_array_equal(column, whole[name][rows], err_msg=name)


@settings(max_examples=8)
@given(length=st.integers(1, BARS))
def test_labels_on_a_prefix_are_labels_on_the_whole(made: Made, quick: RegimeConfig, length: int) -> None:
    bars = made("eq3", 1, BARS).bars
    session = session_columns(bars)
    whole, part = RegimeModel("EQ3", quick), RegimeModel("EQ3", quick)
    whole.extend(bars, session)
    cut = bars.rows(slice(0, length))
    part.extend(cut, session_columns(cut))
    assert len(whole.models) > 3
    assert_same(said(part), said(whole), slice(0, length))


@settings(max_examples=6)
@given(cuts=st.lists(st.integers(1, BARS - 1), max_size=5))
def test_bars_in_portions_say_what_they_say_at_once(made: Made, quick: RegimeConfig, cuts: list[int]) -> None:
    bars = made("intra4", 2, BARS).bars
    others = np.random.default_rng(1).standard_normal((BARS, 2))
    whole, parts = RegimeModel("INTRA4", quick), RegimeModel("INTRA4", quick)
    whole.extend(bars, session_columns(bars), others=others)
    for rows in portions(cuts):
        portion = bars.rows(rows)
        parts.extend(portion, session_columns(portion), others=others[rows])
    assert_same(said(parts), said(whole), slice(None))
    assert parts.reading() == whole.reading()


def test_option_chains_in_portions_say_what_they_say_at_once(made: Made, quick: RegimeConfig) -> None:
    bars = made("eq3", 2, BARS).bars
    chain = generated_chain(bars)
    whole, parts = RegimeModel("EQ3", quick), RegimeModel("EQ3", quick)
    whole.extend(bars, session_columns(bars), chain=chain)
    for rows in portions([1, 33, 250]):
        portion = bars.rows(rows)
        parts.extend(portion, session_columns(portion), chain=chain.rows(rows))
    for axis in Axis:
        # Of many rows at once NumPy may round a logarithm otherwise than of one.
        np.testing.assert_allclose(
            parts.probabilities(axis), whole.probabilities(axis), rtol=1e-12, atol=1e-12
        )
        np.testing.assert_array_equal(parts.labels(axis), whole.labels(axis))


def portions(cuts: list[int]) -> list[slice]:
    edges = [0, *sorted(set(cuts)), BARS]
    return [slice(start, end) for start, end in itertools.pairwise(edges)]


def test_one_bar_at_a_time_says_what_all_at_once_say(made: Made, quick: RegimeConfig) -> None:
    bars = made("vol2", 3, 420).bars
    whole, each = RegimeModel("VOL2", quick), RegimeModel("VOL2", quick)
    whole.extend(bars, session_columns(bars))
    for row in range(len(bars)):
        one = bars.rows(slice(row, row + 1))
        each.extend(one, session_columns(one))
    assert_same(said(each), said(whole), slice(None))


@pytest.mark.parametrize("window", [500, 3_000, 20_000])
def test_a_model_that_forgets_old_bars_goes_on_as_one_that_keeps_them(
    made: Made, quick: RegimeConfig, window: int
) -> None:
    bars = made("intra4", 4, 9000).bars
    # Fits that reach over fewer bars than are kept, over more, and over all.
    config = quick.model_copy(update={"filter": quick.filter.model_copy(update={"fit_window_bars": window})})
    keep = bars_needed(config)
    whole, short = RegimeModel("INTRA4", config), RegimeModel("INTRA4", config, keep_bars=keep)
    for start in range(0, len(bars), 900):
        portion = bars.rows(slice(start, start + 900))
        for model in (whole, short):
            model.extend(portion, session_columns(portion))
    assert short.offset > 0
    assert_same(said(short), said(whole), slice(short.offset, None))


class Peeking(RegimeModel):
    """Labels bars by how many are still to come."""

    def labels(self, axis: Axis, rows: slice = slice(None)) -> np.ndarray:
        labels = super().labels(axis, rows)
        return np.arange(len(labels))[::-1] % 5 if axis is Axis.TREND else labels


def test_a_model_that_looks_ahead_would_be_caught(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    bars = made("eq3", 1, 300).bars
    assert prefix_law(bars, RegimeConfig(), prefixes=2).holds
    monkeypatch.setattr("magellan.regime.quality.prefix_law.RegimeModel", Peeking)
    law = prefix_law(bars, RegimeConfig(), prefixes=2)
    assert not law.holds
    assert any("label of trend" in each for each in law.broken)


def test_the_law_holds_on_every_archived_symbol(
    reference_data: Path, archived_daily: Callable[[Path], list[Bars]], quick: RegimeConfig
) -> None:
    sets = archived_daily(reference_data)
    assert sets
    for bars in sets:
        law = prefix_law(bars, quick, prefixes=2)
        assert law.holds, (bars.symbol, law.broken)
