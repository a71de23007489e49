"""A sweep's measures of a set are those of a whole backtest with that set."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.archive.generated.small_market import small_market
from magellan.backtest.equity_curve import equity_curve
from magellan.backtest.market import Market
from magellan.backtest.replay import Terms
from magellan.backtest.run import replay_strategy, views_of
from magellan.backtest.sweep import Sweep, sharpe
from magellan.backtest.trades import trades_of
from magellan.strategy.contract import Parameters, Strategy
from magellan.strategy.trade_plan import EquityFraction, Notional, Target, TradePlan, entry_price, fixed
from magellan.trading.bar import instant
from magellan.trading.corporate_action import Split
from magellan.workspace.config import ExecutionTerms, Limits


class Levels(Parameters):
    fast: int = 4


class Crossing(Strategy):
    """In while a fast mean is above a slow one, with a stop and a target."""

    Parameters = Levels

    def features(self, bars, p):
        means = [np.convolve(bars.close, np.ones(n) / n)[: len(bars)] for n in (p.fast, 20)]
        return {"edge": means[0] - means[1], "floor": bars.low * 0.98}

    def enter_long(self, f, p):
        return f.edge > 0

    def exit_long(self, f, p):
        return f.edge < 0

    def plan(self, f, p):
        up = entry_price().plus(fraction=0.01)
        return TradePlan(
            size=EquityFraction(fraction=0.4), stop=fixed(f.floor), targets=(Target(price=up, fraction=0.5),)
        )


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 9_999), st.integers(1, 3), st.integers(2, 9), st.booleans())
def test_the_measures_of_a_set_are_those_of_its_backtest(seed, symbols, fast, with_split):
    market = Market.of([small_market(seed + s, 160, symbol=f"SYM{s}") for s in range(symbols)])
    actions = ()
    if with_split:
        at = instant(int(market.bars[0].opened_at_ns[80]))
        actions = (Split(symbol="SYM0", effective_at=at, new_shares=2, old_shares=1),)
    terms = Terms(execution=ExecutionTerms(commission_bps=3), limits=Limits(trades_per_day_max=9))
    points = np.ones(symbols)
    sweep = Sweep(Crossing(), market, terms, views=views_of(market), actions=actions)
    sweep.summaries([Levels(fast=3)])  # another set before it leaves nothing behind
    (found,) = sweep.summaries([Levels(fast=fast)])

    run, replayed = replay_strategy(
        Crossing(), market, [Levels(fast=fast)] * symbols, terms, views=views_of(market), actions=actions
    )
    equity = equity_curve(market, replayed.fills, run.actions, 100_000.0, points).equity_usd
    pnl = trades_of(replayed, market, points).pnl_usd
    returns = np.diff(equity) / equity[:-1]
    assert found["trades"] == len(pnl)
    assert found["wins"] == (pnl > 0).sum()
    assert found["profit_usd"] == pytest.approx(pnl[pnl > 0].sum(), abs=1e-6)
    assert found["loss_usd"] == pytest.approx(pnl[pnl < 0].sum(), abs=1e-6)
    assert found["equity_end_usd"] == pytest.approx(equity[-1])
    drawdown = (1 - equity / np.maximum.accumulate(np.append(100_000.0, equity))[1:]).max()
    assert found["drawdown_fraction_max"] == pytest.approx(drawdown, abs=1e-12)
    assert found["return_mean"] == pytest.approx(returns.mean(), abs=1e-12)
    assert found["return_std"] == pytest.approx(returns.std(ddof=1), abs=1e-12)


class Chances(Parameters):
    enters: float = 0.2
    leaves: float = 0.2
    usd: float = 5_000.0
    shorts: bool = False


class Drawn(Strategy):
    """In and out at the market by lot: a plain run, of as many trades as a test wants."""

    Parameters = Chances

    def features(self, bars, p):
        lots = np.random.default_rng(len(bars)).random((2, len(bars)))
        return {"into": lots[0], "out": lots[1]}

    def enter_long(self, f, p):
        return f.into < p.enters

    def exit_long(self, f, p):
        return f.out < p.leaves

    def enter_short(self, f, p):
        return f.into > 0.9 if p.shorts else None

    def plan(self, f, p):
        return TradePlan(size=Notional(usd=p.usd))


chances = st.builds(
    Chances,
    enters=st.sampled_from([0.0, 0.05, 0.3, 0.9]),
    leaves=st.sampled_from([0.0, 0.05, 0.3, 0.9]),
    usd=st.sampled_from([5_000.0, 5_000.0, 90_000.0]),
    shorts=st.sampled_from([False, False, False, True]),
)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 9_999), st.lists(chances, min_size=2, max_size=8), st.sampled_from(["next-open", "close"])
)
def test_sets_that_are_carried_out_together_measure_as_each_does_alone(seed, sets, fill):
    market = Market.of([small_market(seed, 400)])
    terms = Terms(execution=ExecutionTerms(commission_bps=3, fill=fill))

    def swept(some):
        return Sweep(Drawn(), market, terms, views=views_of(market)).summaries(some)

    together = swept([sets[0], *sets, *sets])
    alone = np.concatenate([swept([each]) for each in sets])
    assert together[1:].tobytes() == alone.tobytes() * 2


def test_a_set_that_never_trades_has_no_sharpe_ratio():
    market = Market.of([small_market(1, 60)])

    class Never(Crossing):
        def enter_long(self, f, p):
            return f.edge > 1e9

    summaries = Sweep(Never(), market, Terms(), views=views_of(market)).summaries([Levels()])
    assert summaries["trades"][0] == 0
    assert math.isnan(sharpe(summaries, 252.0)[0])
