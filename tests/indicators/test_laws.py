"""What holds for every indicator: no look-ahead, one result in both forms, missing stays missing.

Incident 36: placeholder indicators (RSI 50, ADX 25) were sent on as if they had been measured.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan import indicators
from magellan.errors import FixInput

Columns = dict[str, np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """One indicator in one variant."""

    name: str
    reads: tuple[str, ...]  # columns, in the order of its arguments
    batch: Callable[..., Any]
    streaming: Callable[[], Any]

    def over(self, columns: Columns, rows: slice = slice(None)) -> np.ndarray:
        """Over columns; shape (outputs, n)."""
        answer = self.batch(*(columns[name][rows] for name in self.reads))
        return np.array(answer if isinstance(answer, tuple) else [answer])

    def one_by_one(self, columns: Columns) -> np.ndarray:
        """One bar at a time; shape (outputs, n)."""
        running = self.streaming()
        rows: Sequence[Any] = [
            running.update(*values)
            for values in zip(*(columns[name].tolist() for name in self.reads), strict=True)
        ]
        answers = [row if isinstance(row, tuple) else (row,) for row in rows]
        return np.array(answers, dtype=float).reshape(len(rows), -1).T


def _smoothed(name: str, reads: tuple[str, ...], batch: Any, streaming: Any, kinds: tuple[str, ...]) -> Any:
    return [
        Indicator(
            name=f"{name}({n}, {kind})",
            reads=reads,
            batch=lambda *columns, n=n, kind=kind: batch(*columns, n, kind),
            streaming=partial(streaming, n, kind),
        )
        for n in (1, 3)
        for kind in kinds
    ]


def _counted(name: str, reads: tuple[str, ...], batch: Any, streaming: Any, *, least: int = 1) -> Any:
    return [
        Indicator(
            name=f"{name}({n})",
            reads=reads,
            batch=lambda *columns, n=n: batch(*columns, n),
            streaming=partial(streaming, n),
        )
        for n in (least, 4)
    ]


def _plain(name: str, reads: tuple[str, ...], batch: Any, streaming: Any) -> Any:
    return [Indicator(name=name, reads=reads, batch=batch, streaming=streaming)]


_BAR = ("high", "low", "close")
_SEEDED = ("span", "wilder", "wilder-sma-seed")

# Begin anew behind a missing value.
WINDOWED: list[Indicator] = [
    *_smoothed("rsi", ("close",), indicators.rsi, indicators.StreamingRsi, _SEEDED),
    *_smoothed("smooth", ("close",), indicators.smooth, indicators.StreamingSmooth, ("simple", *_SEEDED)),
    *_smoothed("atr", _BAR, indicators.atr, indicators.StreamingAtr, ("simple", *_SEEDED)),
    *_plain("true_range", _BAR, indicators.true_range, indicators.StreamingTrueRange),
    *_counted("sma", ("close",), indicators.sma, indicators.StreamingSma),
    *_counted("ema", ("close",), indicators.ema, indicators.StreamingEma),
    *_counted("relative_volume", ("volume",), indicators.relative_volume, indicators.StreamingRelativeVolume),
    *_counted("rolling_max", ("close",), indicators.rolling_max, indicators.StreamingMax),
    *_counted("rolling_min", ("close",), indicators.rolling_min, indicators.StreamingMin),
    *_counted(
        "rolling_std ddof 0",
        ("close",),
        partial(indicators.rolling_std, ddof=0),
        partial(indicators.StreamingStd, ddof=0),
    ),
    *_counted(
        "rolling_std ddof 1",
        ("close",),
        partial(indicators.rolling_std, ddof=1),
        partial(indicators.StreamingStd, ddof=1),
        least=2,
    ),
    *_counted("zscore", ("close",), indicators.zscore, indicators.StreamingZscore, least=2),
    *_counted("bollinger", ("close",), indicators.bollinger, indicators.StreamingBollinger),
    *_counted("donchian", ("high", "low"), indicators.donchian, indicators.StreamingDonchian),
    *_counted("adx", _BAR, indicators.adx, indicators.StreamingAdx),
    *_plain(
        "macd",
        ("close",),
        lambda close: indicators.macd(close, 2, 5, 3),
        lambda: indicators.StreamingMacd(2, 5, 3),
    ),
]

# Begin anew with every session.
BY_SESSION: list[Indicator] = [
    *_plain("session_open", ("open", "day"), indicators.session_open, indicators.StreamingSessionOpen),
    *_plain("session_high", ("high", "day"), indicators.session_high, indicators.StreamingSessionHigh),
    *_plain("session_low", ("low", "day"), indicators.session_low, indicators.StreamingSessionLow),
    *_plain(
        "previous_session_close",
        ("close", "day"),
        indicators.previous_session_close,
        indicators.StreamingPreviousSessionClose,
    ),
    *_plain(
        "session_vwap", (*_BAR, "volume", "day"), indicators.session_vwap, indicators.StreamingSessionVwap
    ),
]

# Look back a stated number of bars, whatever lies between.
LOOKING_BACK: list[Indicator] = [
    *_counted("prior", ("close",), indicators.prior, indicators.StreamingPrior),
    *_counted("roc", ("close",), indicators.roc, indicators.StreamingRoc),
]

EVERY = WINDOWED + BY_SESSION + LOOKING_BACK

MANY = settings(max_examples=80)

prices = st.one_of(
    st.integers(1, 400).map(lambda cents: cents / 4),  # ties, and no movement at all
    st.floats(1e-6, 1e7),
)
gaps = st.sampled_from([np.nan, np.inf, -np.inf])


@st.composite
def columns(draw: st.DrawFn, *, with_gaps: bool = True, least: int = 0) -> dict[str, np.ndarray]:
    """Bars as columns: prices around one level or anywhere, some of them missing."""
    n = draw(st.integers(least, 24))
    value = st.one_of(prices, prices, prices, gaps) if with_gaps else prices
    column = st.lists(value, min_size=n, max_size=n)
    low, high = draw(column), draw(column)
    volume = st.lists(
        st.one_of(st.just(0.0), st.floats(0, 1e12), *([gaps] if with_gaps else [])), min_size=n, max_size=n
    )
    return {
        "open": np.array(draw(column), dtype=float),
        "high": np.fmax(low, high),
        "low": np.fmin(low, high),
        "close": np.array(draw(column), dtype=float),
        "volume": np.array(draw(volume), dtype=float),
        "day": np.cumsum(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), dtype=np.int32),
    }


def same(ours: np.ndarray, theirs: np.ndarray) -> bool:
    """Equal to the last bit, NaN equal to NaN."""
    return np.array_equal(np.isnan(ours), np.isnan(theirs)) and np.array_equal(
        ours[~np.isnan(ours)].view(np.int64), theirs[~np.isnan(theirs)].view(np.int64)
    )


@MANY
@given(bars=columns(least=1))
def test_one_bar_at_a_time_gives_what_the_whole_column_gives(bars: Any) -> None:
    for indicator in EVERY:
        assert same(indicator.one_by_one(bars), indicator.over(bars)), indicator.name


@MANY
@given(bars=columns(), data=st.data())
def test_a_prefix_of_history_gives_a_prefix_of_the_answers(bars: Any, data: Any) -> None:
    cut = data.draw(st.integers(0, len(bars["close"])))
    for indicator in EVERY:
        assert same(indicator.over(bars, slice(cut)), indicator.over(bars)[:, :cut]), indicator.name


@MANY
@given(bars=columns())
def test_an_answer_is_a_number_or_missing_and_never_infinite(bars: Any) -> None:
    for indicator in EVERY:
        assert not np.isinf(indicator.over(bars)).any(), indicator.name


@MANY
@given(before=columns(), after=columns())
def test_behind_a_missing_value_an_indicator_begins_anew(before: Any, after: Any) -> None:
    missing = {
        name: np.array([0 if name == "day" else np.nan], column.dtype) for name, column in before.items()
    }
    joined = {name: np.concatenate((before[name], missing[name], after[name])) for name in before}
    cut = len(before["close"]) + 1
    for indicator in WINDOWED:
        assert np.isnan(indicator.over(joined)[:, cut - 1]).all(), indicator.name
        assert same(indicator.over(joined)[:, cut:], indicator.over(after)), indicator.name


@MANY
@given(bars=columns(), data=st.data())
def test_a_value_of_n_bars_ago_is_missing_where_that_bar_is(bars: Any, data: Any) -> None:
    n = data.draw(st.integers(1, 5))
    known = np.isfinite(bars["close"])
    earlier = np.concatenate((np.zeros(n, dtype=bool), known))[: len(known)]
    assert np.array_equal(~np.isnan(indicators.prior(bars["close"], n)), earlier)
    assert np.array_equal(~np.isnan(indicators.roc(bars["close"], n)), earlier & known)


@MANY
@given(bars=columns(least=2))
def test_a_missing_value_spoils_its_own_session_only(bars: Any) -> None:
    single = {**bars, "day": np.arange(len(bars["close"]), dtype=np.int32)}  # one bar a session
    for indicator in BY_SESSION:
        if indicator.name == "previous_session_close":
            readable = np.concatenate(([False], np.isfinite(single["close"])[:-1]))
        else:
            readable = np.all([np.isfinite(single[name]) for name in indicator.reads], axis=0)
        if indicator.name == "session_vwap":
            readable &= single["volume"] > 0.0
        assert np.array_equal(~np.isnan(indicator.over(single)[0]), readable), indicator.name


@pytest.mark.parametrize("indicator", EVERY, ids=lambda each: each.name)
def test_no_bars_give_no_answers(indicator: Any) -> None:
    nothing = {name: np.zeros(0) for name in ("open", "high", "low", "close", "volume")}
    assert indicator.over({**nothing, "day": np.zeros(0, dtype=np.int32)}).shape[1] == 0


@pytest.mark.parametrize("indicator", EVERY, ids=lambda each: each.name)
def test_columns_are_read_and_never_written_to(indicator: Any) -> None:
    rng = np.random.default_rng(7)
    bars = {name: rng.uniform(9, 11, 30) for name in ("open", "high", "low", "close", "volume")}
    bars["day"] = np.arange(30, dtype=np.int32) // 10
    before = {name: column.copy() for name, column in bars.items()}
    indicator.over(bars)
    assert all(np.array_equal(before[name], bars[name]) for name in bars)
    every_other = {name: np.repeat(column, 2)[::2] for name, column in bars.items()}
    for column in bars.values():
        column.flags.writeable = False
    assert same(indicator.over(bars), indicator.over(every_other))


UNFIT = {
    "a table": np.zeros((3, 2)),
    "a single number": np.float64(3.0),
    "words": np.array(["1", "2"]),
    "truth values": np.array([True, False]),
    "objects": np.array([1.0, None], dtype=object),
}


@pytest.mark.parametrize("unfit", UNFIT.values(), ids=UNFIT)
def test_anything_but_one_column_of_numbers_is_refused(unfit: Any) -> None:
    with pytest.raises(FixInput, match=r"close is .* not one column of numbers"):
        indicators.rsi(unfit, 14, "wilder")


def test_columns_of_different_lengths_are_refused() -> None:
    with pytest.raises(FixInput, match="low has 2 rows, the other columns 3"):
        indicators.true_range(np.ones(3), np.ones(2), np.ones(3))
    with pytest.raises(FixInput, match="day has 2 rows, the other columns 3"):
        indicators.session_high(np.ones(3), np.zeros(2, dtype=np.int32))


def test_a_session_date_is_a_whole_number() -> None:
    with pytest.raises(FixInput, match="day is float64"):
        indicators.session_high(np.ones(3), np.zeros(3))  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [0, -1, 2.0, True, None], ids=repr)
def test_a_period_that_is_no_number_of_bars_is_refused(n: Any) -> None:
    with pytest.raises(FixInput, match="n is"):
        indicators.sma(np.ones(3), n)


def test_a_spread_of_one_value_is_refused_where_it_would_divide_by_zero() -> None:
    with pytest.raises(FixInput, match="n is at least 2, not 1"):
        indicators.rolling_std(np.ones(3), 1, ddof=1)
    with pytest.raises(FixInput, match="ddof is 0 or 1"):
        indicators.rolling_std(np.ones(3), 2, ddof=2)  # type: ignore[arg-type]


@pytest.mark.parametrize("make", [indicators.rsi, indicators.smooth], ids=["rsi", "smooth"])
def test_a_smoothing_that_does_not_exist_is_refused_with_those_that_do(make: Any) -> None:
    with pytest.raises(FixInput, match="'span', 'wilder' or 'wilder-sma-seed', not 'cutler'"):
        make(np.ones(3), 2, "cutler")


def test_a_name_is_found_where_the_package_says_it_is() -> None:
    assert sorted(indicators.__all__) == sorted(indicators._MODULE_OF)
    for name in indicators.__all__:
        assert getattr(indicators, name) is not None, name
    with pytest.raises(AttributeError, match="has no 'rsl'"):
        _ = indicators.rsl  # type: ignore[attr-defined]


def test_a_strategy_imports_only_the_indicators_it_uses() -> None:
    code = "import sys\nfrom magellan.indicators import rsi\nprint(*sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {name for name in done.stdout.split() if name.startswith("magellan.indicators.")}
    assert ours == {"magellan.indicators.columns", "magellan.indicators.relative_strength"}
