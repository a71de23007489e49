"""One contract, three forms: declared columns, woken Python and plain Python give the same trades."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.archive.generated.small_market import small_market
from magellan.backtest.market import Market
from magellan.backtest.replay import Terms
from magellan.backtest.run import replay_strategy, views_of
from magellan.errors import FixInput
from magellan.strategy.contract import CancelEntry, Enter, Exit, MoveStop, Parameters, Side, Strategy
from magellan.strategy.trade_plan import (
    CashFraction,
    EquityFraction,
    Limit,
    SessionExit,
    Target,
    TradePlan,
    Trailing,
    Units,
    at_price,
    entry_price,
    fixed,
)
from magellan.workspace.config import AccountTerms, ExecutionTerms


class Bands(Parameters):
    fast: int = 5
    slow: int = 20


def mean(values, n):
    return np.convolve(values, np.ones(n) / n)[: len(values)]


class Declared(Strategy):
    """Long while the fast mean is above the slow one."""

    Parameters = Bands

    def features(self, bars, p):
        return {"edge": mean(bars.close, p.fast) - mean(bars.close, p.slow), "low": bars.low * 0.99}

    def enter_long(self, f, p):
        return f.edge > 0

    def exit_long(self, f, p):
        return f.edge < 0

    def plan(self, f, p):
        return TradePlan(
            size=EquityFraction(fraction=0.3),
            stop=fixed(f.low),
            targets=(Target(price=entry_price().plus(fraction=0.01), fraction=0.5),),
        )


class Plain(Declared):
    """The same, decided bar by bar in Python."""

    enter_long = Strategy.enter_long
    exit_long = Strategy.exit_long

    def decide(self, now, p):
        if now.holding.is_flat and not now.entry_pending and now["edge"] > 0:
            return Enter()
        if not now.holding.is_flat and now["edge"] < 0:
            return Exit()
        return None


class Woken(Plain):
    """The same, woken only where the answer can be anything but "nothing"."""

    def wake(self, f, p):
        return f.edge != 0


def replayed(strategy, market, *, terms=None, parameters=None):
    terms = terms or Terms(execution=ExecutionTerms(commission_bps=2, slippage_bps=3))
    parameters = parameters or [type(strategy).Parameters()] * len(market.symbols)
    return replay_strategy(strategy, market, parameters, terms, views=views_of(market))[1]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["close", "next-open"]), st.integers(1, 3))
def test_declared_woken_and_plain_give_the_same_fills(seed, fill, symbols):
    market = Market.of([small_market(seed + s, 150, symbol=f"SYM{s}") for s in range(symbols)])
    terms = Terms(execution=ExecutionTerms(fill=fill, commission_bps=2, slippage_bps=3))
    declared, woken, plain = (replayed(s, market, terms=terms) for s in (Declared(), Woken(), Plain()))
    for other in (woken, plain):
        for field in ("row", "symbol", "units", "price", "amount"):
            np.testing.assert_array_equal(declared.fills[field], other.fills[field], err_msg=field)
    assert plain.wakes == len(market)
    assert woken.wakes <= plain.wakes
    assert declared.wakes == 0


@pytest.mark.parametrize("form", [Plain, Woken])
def test_no_decision_is_asked_for_before_the_warm_up_is_over(form):
    asked = []

    class Asked(form):
        def decide(self, now, p):
            asked.append(now.row)
            return super().decide(now, p)

    market = Market.of([small_market(1, 80, symbol=name) for name in ("ALFA", "BRVO")])
    result = replayed(Asked(), market, terms=Terms(warmup_bars=50))
    assert min(asked) >= 50
    assert result.fills["row"].min() > 50
    declared = replayed(Declared(), market, terms=Terms(warmup_bars=50))
    np.testing.assert_array_equal(declared.fills["row"], result.fills["row"])


class Manager(Strategy):
    """Enters once with its own plan, moves the stop, withdraws an order, leaves half."""

    def __init__(self, script):
        self.script = script

    def decide(self, now, p):
        return self.script.get(now.row)


def test_a_decision_can_bring_its_own_plan_and_manage_the_trade():
    market = Market.of([small_market(3, 60)])
    price = market.close[10]
    entered = Enter(plan=TradePlan(size=Units(units=100), stop=at_price(price * 0.5)))
    script = {10: entered, 14: Exit(fraction=0.5, reason="half is enough"), 15: MoveStop(price=price * 10)}
    result = replayed(Manager(script), market)
    assert result.fills["units"].tolist() == [100.0, -50.0, -50.0]
    assert result.fills["row"].tolist() == [11, 15, 16]  # the stop above the market fills at the next open
    assert result.own_reasons == ("half is enough",)


def test_a_pending_entry_can_be_withdrawn():
    market = Market.of([small_market(3, 60)])
    far = Enter(plan=TradePlan(size=Units(units=1), entry=Limit(price=at_price(0.01))))
    result = replayed(Manager({5: far, 8: CancelEntry(), 9: Enter()}), market)
    assert result.fills["row"].tolist() == [10]


def test_a_short_is_taken_only_by_a_margin_account():
    market = Market.of([small_market(4, 60)])
    script = {5: Enter(side=Side.SHORT, plan=TradePlan(size=Units(units=10)))}
    assert len(replayed(Manager(script), market).fills) == 0
    margin = Terms(account=AccountTerms(kind="margin", leverage=2.0))
    assert replayed(Manager(script), market, terms=margin).fills["units"].tolist() == [-10.0]


@pytest.mark.parametrize(
    ("intent", "message"),
    [
        ("buy", "not an intent"),
        (Exit(fraction=0.0), r"not \(0, 1\]"),
        (MoveStop(price=float("nan")), "moved a stop to nan"),
        (Enter(plan=TradePlan(size=Units(units=1), stop=fixed(np.ones(60)))), "prices are columns"),
    ],
)
def test_an_intent_that_makes_no_sense_is_refused_by_name(intent, message):
    with pytest.raises(FixInput, match=message):
        replayed(Manager({5: intent}), Market.of([small_market(3, 60)]))


@pytest.mark.parametrize(
    ("method", "answer", "message"),
    [
        ("features", {"edge": np.ones(3)}, r"feature 'edge' is \(3,\)"),
        ("features", [1, 2], "not a dict of columns"),
        ("enter_long", np.ones(60), "not one truth value per bar"),
        ("plan", "all of it", "not a TradePlan"),
    ],
)
def test_a_method_that_returns_the_wrong_shape_is_named(method, answer, message):
    broken = type("Broken", (Declared,), {method: lambda self, *_: answer})()
    with pytest.raises(FixInput, match=message):
        replayed(broken, Market.of([small_market(3, 60)]))


def test_plans_of_long_and_short_that_leave_at_different_times_are_refused():
    class TwoMinds(Declared):
        def plan_short(self, f, p):
            return TradePlan(size=Units(units=1), session_exit=SessionExit())

    with pytest.raises(FixInput, match="differ in their session exit"):
        replayed(TwoMinds(), Market.of([small_market(3, 60)]))


def test_a_column_is_computed_once_for_all_parameter_sets_that_agree_on_what_it_reads():
    from magellan.backtest.sweep import Sweep

    calls = []

    class Counting(Declared):
        def features(self, bars, p):
            calls.append(p.fast)
            return super().features(bars, p)

        def plan(self, f, p):
            return TradePlan(size=CashFraction(fraction=1.0), trailing=Trailing(fraction=0.02))

    market = Market.of([small_market(5, 120)])
    sweep = Sweep(Counting(), market, Terms(), views=views_of(market))
    sets = [Bands(fast=fast, slow=slow) for fast in (3, 4) for slow in (10, 20)] * 2
    summaries = sweep.summaries(sets)
    assert len(calls) == 4
    np.testing.assert_array_equal(summaries[:4], summaries[4:])
