"""No look-ahead: a strategy that knows the future is caught, and one that does not passes (incident 11)."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.archive.generated.small_market import small_market
from magellan.errors import FixInput
from magellan.strategy.contract import (
    Enter,
    Exit,
    Features,
    Moment,
    NoParameters,
    Strategy,
)
from magellan.strategy.lookahead import check_lookahead, prefix_ends
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import (
    CashFraction,
    EquityFraction,
    Notional,
    Reading,
    Target,
    TradePlan,
    Trailing,
    at_price,
    fixed,
    moving,
)
from magellan.trading.bar import Bars
from magellan.trading.session import SessionClock, session_columns
from magellan.trading.timeframe import DAY, HOUR

MINUTES = small_market(3, 1200)  # three sessions
NONE = NoParameters()


def check(kind: type[Strategy], bars: Bars = MINUTES, **options: Any):
    return check_lookahead(kind(), [bars], {bars.symbol: NONE}, **options)


class Entering(Strategy):
    """Enters when its feature is above zero; the feature is what a test is about."""

    def column(self, bars: MarketView) -> np.ndarray:
        raise NotImplementedError

    def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
        return {"edge": self.column(bars)}

    def enter_long(self, f: Features, p: Any) -> np.ndarray:
        return f.edge > 0


class ForwardReturn(Entering):
    """shift(-1): the next bar's return."""

    def column(self, bars: MarketView) -> np.ndarray:
        return np.append(bars.close[1:] / bars.close[:-1] - 1, np.nan)


class WholeDayLow(Entering):
    """The day's low, known from the day's first minute on."""

    def column(self, bars: MarketView) -> np.ndarray:
        low = np.minimum.reduceat(bars.low, np.flatnonzero(bars.session.first))
        return bars.close - low[np.cumsum(bars.session.first) - 1] * 1.001


class WholeDayHigh(Entering):
    """The day's high, likewise."""

    def column(self, bars: MarketView) -> np.ndarray:
        high = np.maximum.reduceat(bars.high, np.flatnonzero(bars.session.first))
        return high[np.cumsum(bars.session.first) - 1] - bars.close * 1.001


class CentredMean(Entering):
    """A mean over bars before and after."""

    def column(self, bars: MarketView) -> np.ndarray:
        padded = np.pad(bars.close, 10, mode="edge")
        return bars.close - np.convolve(padded, np.full(21, 1 / 21), mode="valid")


class FittedOnAll(Entering):
    """Scaled by mean and deviation of all the data."""

    def column(self, bars: MarketView) -> np.ndarray:
        return (bars.close - bars.close.mean()) / bars.close.std()


class LastBarOfTheFilesDay(Entering):
    """Whether the file's day ends here, which only the next bar tells."""

    def column(self, bars: MarketView) -> np.ndarray:
        return bars.session.last.astype(float)


class ReachesThroughAView(Entering):
    """Reads the array that its slice is a part of."""

    def column(self, bars: MarketView) -> np.ndarray:
        whole = bars.close.base if bars.close.base is not None else bars.close
        return np.full(len(bars), whole[-1]) - bars.close


class Remembers(Entering):
    """Computes once, and answers from that ever after."""

    def __init__(self) -> None:
        self.known: dict[str, float] = {}

    def column(self, bars: MarketView) -> np.ndarray:
        best = self.known.setdefault(bars.symbol, float(bars.close.max()))
        return np.full(len(bars), best) - bars.close


@pytest.mark.parametrize(
    "kind",
    [
        ForwardReturn,
        WholeDayLow,
        WholeDayHigh,
        CentredMean,
        FittedOnAll,
        LastBarOfTheFilesDay,
    ],
)
def test_a_feature_that_knows_the_future_is_named_with_its_row_and_both_values_incident_11(kind) -> None:
    report = check(kind)
    assert not report.passed
    first = report.differences[0]
    assert first.what == "feature 'edge'"
    assert 0 <= first.row < first.prefix_rows
    assert first.on_prefix != first.on_whole
    assert str(first) in report.findings
    assert "feature 'edge' at row" in str(first)


@pytest.mark.parametrize("kind", [ForwardReturn, WholeDayLow, CentredMean, FittedOnAll])
def test_daily_bars_are_checked_as_well(kind) -> None:
    report = check(kind, small_market(3, 300, timeframe=DAY))
    assert report.passed is (kind is WholeDayLow)  # a daily bar's day is over when it closes


def test_the_rest_of_the_array_is_out_of_reach() -> None:
    report = check(ReachesThroughAView)
    assert [each.what for each in report.differences][:1] == ["feature 'edge'"]


class Causal(Strategy):
    """Uses the past in every way the contract offers."""

    def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
        close = bars.close
        mean = np.cumsum(close) / np.arange(1, len(close) + 1)
        begins = np.flatnonzero(bars.session.first)[np.cumsum(bars.session.first) - 1]
        five_minutes = bars.higher("5Min", lambda longer: longer.close)
        return {
            "edge": close - mean,
            "since_open": close / bars.open[begins] - 1,
            "five_minutes": five_minutes,
            "late": np.append(np.full(min(50, len(close)), np.nan), close[50:]),
            "up": close > bars.open,
        }

    def enter_long(self, f: Features, p: Any) -> np.ndarray:
        return f.up & (f.edge > 0)

    def enter_short(self, f: Features, p: Any) -> np.ndarray:
        return ~f.up & (f.edge < 0)

    def exit_long(self, f: Features, p: Any) -> np.ndarray:
        return f.since_open < 0

    def plan(self, f: Features, p: Any) -> TradePlan:
        return TradePlan(
            size=EquityFraction(fraction=np.clip(f.since_open + 0.1, 0.01, 0.2)),
            stop=fixed(f.low),
            targets=(Target(price=moving(f.high), fraction=0.5),),
            trailing=Trailing(column=f.high - f.low, multiple=2),
        )


class Rising(Entering):
    def column(self, bars: MarketView) -> np.ndarray:
        return bars.close - bars.open


@pytest.mark.parametrize(
    ("kind", "bars"),
    [
        (Causal, MINUTES),
        (Rising, small_market(5, 700, timeframe=HOUR)),
        (Rising, small_market(5, 9, timeframe=DAY)),
    ],
)
def test_a_causal_strategy_passes(kind, bars: Bars) -> None:
    report = check(kind, bars)
    assert report.findings == ()
    assert report.passed
    assert report.values > len(bars)


@given(seed=st.integers(0, 10_000), n=st.integers(3, 900))
@settings(max_examples=15)
def test_no_market_makes_a_causal_strategy_fail(seed: int, n: int) -> None:
    assert check(Causal, small_market(seed, n), seed=seed).findings == ()


def plan_with(**terms: Any) -> type[Strategy]:
    """A strategy whose only fault is in its plan; each term is computed from the features."""

    class Planned(Rising):
        def plan(self, f: Features, p: Any) -> TradePlan:
            made = {name: make(f) for name, make in terms.items()}
            return TradePlan(**{"size": CashFraction(), **made})

    return Planned


def lead(column: np.ndarray) -> np.ndarray:
    return np.append(column[1:], np.nan)


@pytest.mark.parametrize(
    ("terms", "what"),
    [
        ({"stop": lambda f: fixed(lead(f.low))}, "plan.stop.column"),
        ({"targets": lambda f: (Target(price=moving(lead(f.high))),)}, "plan.targets[0].price.column"),
        ({"trailing": lambda f: Trailing(column=lead(f.high - f.low))}, "plan.trailing.column"),
        ({"trailing": lambda f: Trailing(usd=float(f.close[-1]) / 100)}, "plan.trailing.usd"),
        ({"size": lambda f: Notional(usd=float(f.close.mean()))}, "plan.size.usd"),
        ({"stop": lambda f: at_price(float(f.low.min()))}, "plan.stop.usd"),
    ],
)
def test_a_plan_that_knows_the_future_is_caught(terms, what) -> None:
    found = [each.what for each in check(plan_with(**terms)).differences]
    assert found == [what]


def test_a_price_read_on_the_bar_that_it_fills_is_look_ahead() -> None:
    report = check(plan_with(targets=lambda f: (Target(price=moving(f.high, Reading.SAME)),)))
    assert not report.passed
    assert report.reads_the_future == ("TEST plan.targets[0].price is read on the bar that it fills",)


def test_a_condition_that_knows_the_future_is_caught() -> None:
    class Peeks(Rising):
        def exit_long(self, f: Features, p: Any) -> np.ndarray:
            return np.append(f.close[1:] < f.close[:-1], False)

    assert "exit_long" in [each.what for each in check(Peeks).differences]


def test_a_plan_for_shorts_is_checked_of_its_own() -> None:
    class Shorts(Rising):
        def plan_short(self, f: Features, p: Any) -> TradePlan:
            return TradePlan(size=CashFraction(), stop=fixed(lead(f.high)))

    assert [each.what for each in check(Shorts).differences] == ["plan_short.stop.column"]


class DecidesWithTheFuture(Strategy):
    """Keeps the columns aside, and looks one row ahead when asked."""

    def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
        self.close = bars.close
        return {}

    def decide(self, now: Moment, p: Any) -> Enter | None:
        ahead = min(now.row + 1, len(self.close) - 1)
        return Enter() if self.close[ahead] > now.bar.close else None


class PlansWithTheFuture(DecidesWithTheFuture):
    """Always decides alike, but at prices that it cannot know."""

    def decide(self, now: Moment, p: Any) -> Enter | None:
        return Enter(plan=TradePlan(size=CashFraction(), stop=at_price(float(self.close.min()))))


class LeavesWithTheFuture(DecidesWithTheFuture):
    """Only looks ahead while it holds."""

    def wake(self, f: Features, p: Any) -> np.ndarray:
        return f.close > f.open

    def decide(self, now: Moment, p: Any) -> Exit | None:
        return None if now.holding.is_flat else Exit(fraction=float(now.bar.close / self.close.max()))


@pytest.mark.parametrize("kind", [DecidesWithTheFuture, PlansWithTheFuture, LeavesWithTheFuture])
def test_a_decision_in_python_that_knows_the_future_is_caught(kind) -> None:
    report = check(kind)
    assert report.differences
    assert all(each.what.startswith("decide, ") for each in report.differences)


def test_a_decision_in_python_on_the_past_passes() -> None:
    class Honest(Causal):
        enter_long = enter_short = exit_long = Strategy.enter_long

        def decide(self, now: Moment, p: Any) -> Enter | Exit | None:
            if now.holding.is_flat:
                return Enter() if now["edge"] > 0 else None
            return Exit() if now.bar.close < now.holding.entry_price else None

    assert check(Honest).findings == ()


class ReadsAnother(Strategy):
    """Its feature is another symbol's close, as it stood."""

    def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
        return {"index": bars.other("INDEX", lambda index: index.close)}

    def enter_long(self, f: Features, p: Any) -> np.ndarray:
        return f.close > f.index


class ReadsAnothersFuture(ReadsAnother):
    def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
        return {"index": bars.other("INDEX", lambda index: lead(index.close))}


@pytest.mark.parametrize(("kind", "passes"), [(ReadsAnother, True), (ReadsAnothersFuture, False)])
def test_other_symbols_end_where_the_prefix_ends(kind, passes: bool) -> None:
    index = small_market(9, 1200, symbol="INDEX")
    assert check(kind, reference=[index]).passed is passes


def test_what_code_remembers_between_calls_does_not_help_it() -> None:
    strategy = Remembers()
    strategy.features(MarketView(MINUTES), NONE)
    assert not check_lookahead(strategy, [MINUTES], {"TEST": NONE}).passed


def test_prefixes_end_inside_and_at_the_end_of_sessions() -> None:
    ends = prefix_ends(MINUTES, SessionClock.EXCHANGE, 0, 12, seed=0)
    last = session_columns(MINUTES).last
    assert len(ends) >= 6
    assert any(last[end - 1] for end in ends) and any(not last[end - 1] for end in ends)
    assert all(0 < end < len(MINUTES) for end in ends)


def test_the_same_seed_gives_the_same_prefixes_and_the_same_report() -> None:
    assert check(FittedOnAll, seed=4) == check(FittedOnAll, seed=4)
    assert prefix_ends(MINUTES, SessionClock.EXCHANGE, 0, 12, 1) != prefix_ends(
        MINUTES, SessionClock.EXCHANGE, 0, 12, 2
    )


def test_no_prefix_is_shorter_than_the_warm_up() -> None:
    assert min(prefix_ends(MINUTES, SessionClock.EXCHANGE, 800, 12, 0)) >= 800


def test_nothing_to_compare_is_an_error_and_not_a_pass() -> None:
    with pytest.raises(FixInput, match="no symbol has more than 6 bars"):
        check(Rising, small_market(1, 6), warmup_bars=6)


def test_a_column_of_the_wrong_length_is_named() -> None:
    class Short(Entering):
        def column(self, bars: MarketView) -> np.ndarray:
            return bars.close[1:]

    with pytest.raises(FixInput, match="feature 'edge' is"):
        check(Short)


def test_a_column_that_is_there_only_on_the_whole_is_caught() -> None:
    class Late(Rising):
        def features(self, bars: MarketView, p: Any) -> Mapping[str, np.ndarray]:
            more = {"more": bars.close} if len(bars) == len(MINUTES) else {}
            return {"edge": bars.close, **more}

    assert [each.what for each in check(Late).differences] == ["feature 'more'"]


def test_progress_is_told_up_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    report = check(Rising, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (report.prefixes, report.prefixes)
    assert [done for done, _ in told] == list(range(1, report.prefixes + 1))


def test_the_instant_of_a_difference_is_its_bars_opening() -> None:
    first = check(FittedOnAll).differences[0]
    assert first.at.date() >= date(2024, 1, 1)
    assert MINUTES.bar(first.row).opened_at == first.at
