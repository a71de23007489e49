"""Rehearse: let a strategy decide once on generated bars, before it is trusted with an account.

What it needs compiled is compiled then, and code that cannot decide at all is found before anybody hands it money.
"""

from __future__ import annotations

from typing import Final

from magellan.archive.generated.small_market import small_market
from magellan.engine.deciding import Decider, Raised
from magellan.errors import FixInput
from magellan.trading.session import ExchangeCalendar
from magellan.trading.timeframe import Timeframe
from magellan.usecases.load_strategy import LoadedStrategy

_SEED: Final = 1
_BARS: Final = 600


def rehearse(loaded: LoadedStrategy, calendar: ExchangeCalendar) -> None:
    """Compute every symbol's features, conditions and plan. Raises FixInput with what the strategy's code raised."""
    config = loaded.config
    timeframe = Timeframe.parse(config.data.timeframe)
    wanted = (*config.symbols, *config.data.reference_symbols)
    markets = {
        symbol: small_market(_SEED + number, _BARS, symbol=symbol, timeframe=timeframe)
        for number, symbol in enumerate(dict.fromkeys(wanted))
    }
    others = {symbol: markets[symbol] for symbol in config.data.reference_symbols}
    decider = Decider(loaded.strategy, loaded.parameters, calendar)
    for symbol in config.symbols:
        outlook = decider.outlook(markets[symbol], others, warmed_up=True)
        answers = [outlook]
        if not isinstance(outlook, Raised):
            plan = decider.plan(outlook, +1)
            answers += [plan] if isinstance(plan, Raised) else []
        for answer in answers:
            if isinstance(answer, Raised):
                raise FixInput(
                    f"{loaded.folder.label} cannot decide: {answer.where}: {answer.error}",
                    kept="nothing was traded",
                    next_step="correct strategy.py, and build a new release",
                )
