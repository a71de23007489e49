"""A plain run, in which an order fills at once or never, takes a shorter way through the replay to the same end."""

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from magellan.archive.generated.small_market import small_market
from magellan.backtest import replay
from magellan.backtest.market import Market
from magellan.backtest.masks import SymbolDecisions
from magellan.backtest.replay import Replayed, Run, Terms
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import CashFraction, EquityFraction, Notional, TradePlan, Units
from magellan.workspace.config import AccountTerms, ExecutionTerms, InstrumentTerms, Limits

BARS = 400

plans = st.builds(
    TradePlan,
    size=st.sampled_from(
        [
            CashFraction(fraction=1.0),
            EquityFraction(fraction=0.3),
            Notional(usd=5_000.0),
            Units(units=7.0),
            Units(units=0.01),
        ]
    ),
    cooldown_bars=st.sampled_from([0, 0, 1, 5]),
)
terms = st.builds(
    Terms,
    execution=st.builds(
        ExecutionTerms,
        fill=st.sampled_from(["next-open", "close"]),
        size_at=st.sampled_from(["decision", "fill"]),
        slippage_bps=st.sampled_from([0.0, 12.0]),
        commission_bps=st.sampled_from([0.0, 3.0]),
        impact=st.sampled_from([0.0, 0.1]),
    ),
    account=st.builds(AccountTerms, cash_usd=st.sampled_from([90.0, 10_000.0])),
    limits=st.builds(
        Limits,
        trades_per_day_max=st.sampled_from([None, 3]),
        loss_per_day_fraction_max=st.sampled_from([None, 0.01]),
        trades_counted_at=st.sampled_from(["entry", "exit"]),
    ),
    instruments=st.sampled_from(
        [{}, {"TEST": InstrumentTerms(quantity_step=0.0)}, {"TEST": InstrumentTerms(tick_size=0.05)}]
    ),
    warmup_bars=st.sampled_from([0, 70]),
)


def replayed(market: Market, decided: SymbolDecisions, under: Terms) -> Replayed:
    # Little room, so that runs of many trades outgrow it on the way.
    roomy, replay._FIRST_ROOM = replay._FIRST_ROOM, 0
    try:
        return Run(market, [decided], under, views=[MarketView(market.bars[0])]).carry_on()
    finally:
        replay._FIRST_ROOM = roomy


@given(
    seed=st.integers(0, 9_999),
    entries=st.sampled_from([0.01, 0.1, 0.6]),
    exits=st.sampled_from([0.0, 0.02, 0.1, 0.6]),
    plan=plans,
    under=terms,
)
def test_a_plain_run_ends_as_it_does_on_the_long_way(seed, entries, exits, plan, under):
    market = Market.of([small_market(seed, BARS)])
    chance = np.random.default_rng(seed).random((2, BARS))
    decided = SymbolDecisions(
        enter_long=chance[0] < entries, exit_long=chance[1] < exits, plan_long=plan, plan_short=plan
    )
    # Where jumps could come, every step of a bar is looked at; here none does.
    short = replayed(market, decided, under)
    long = replayed(market, replace(decided, breaks=np.zeros(BARS, dtype=bool)), under)
    assert short.fills.tobytes() == long.fills.tobytes()
    assert short.decisions.tobytes() == long.decisions.tobytes()
    assert short.positions.tobytes() == long.positions.tobytes()
    assert short.blocked.tolist() == long.blocked.tolist()
    assert (short.cash_usd, short.trades) == (long.cash_usd, long.trades)
