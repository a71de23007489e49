"""Happenings: faults of the market and of accounts, carried out at their instants, and quotes that are wrong."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase

from magellan.errors import FixInput
from magellan.exchange.market.quote import Quote
from magellan.exchange.server.disturbed_market import DisturbedMarket
from magellan.exchange.server.faults.injector import ArmedFault, FaultInjector, Occasion
from magellan.exchange.server.faults.plan import (
    AccountRestricted,
    AtInstant,
    ExternalClose,
    ExternalOrder,
    HaltedSymbol,
    Seam,
    SplitOvernight,
    WrongQuote,
)
from magellan.exchange.server.interventions import Interventions
from magellan.exchange.server.key_ring import KeyRing
from magellan.exchange.server.timeline import Timeline
from magellan.trading.bar import nanoseconds
from magellan.trading.timeframe import SECOND_NS


class Happenings:
    """Puts faults with an instant on the timeline's agenda, and distorts quotes.

    refused: told of a fault that the venue does not let an account have: the instant, the account, the reason.
    after:   called when something was carried out, to pass on what it caused.
    """

    def __init__(
        self,
        *,
        timeline: Timeline,
        market: DisturbedMarket,
        interventions: Interventions,
        keys: KeyRing,
        faults: FaultInjector,
        refused: Callable[[ArmedFault, int, str, str], None],
        after: Callable[[], None],
    ) -> None:
        self._timeline = timeline
        self._market = market
        self._interventions = interventions
        self._keys = keys
        self._faults = faults
        self._refused = refused
        self._after = after
        self._start_ns = timeline.reached_ns
        self._first_shown: dict[tuple[int, str], Quote | None] = {}

    def schedule(self, armed: ArmedFault) -> None:
        """Put a fault with an instant on the agenda. Raises FixInput for a symbol that does not trade here."""
        terms = armed.terms
        assert isinstance(terms, AtInstant), "this seam has these kinds only"
        symbol = getattr(terms, "symbol", None)
        if symbol is not None and self._market.asset(symbol) is None:
            self._faults.disarm(armed.id)
            raise FixInput(
                f"the fault '{armed.name}' names {symbol}, which does not trade here",
                next_step=f"choose one of {', '.join(self._market.symbols[:20])}",
            )
        at_ns = (
            nanoseconds(terms.at)
            if terms.at is not None
            else self._start_ns + int((terms.at_s or 0) * SECOND_NS)
        )
        self._timeline.later(at_ns, lambda: self._carry_out(armed, at_ns))

    def distort_quotes(self) -> None:
        """From now on ask the faults before a quote is shown."""
        self._market.distortion = self._shown_quote

    def _carry_out(self, armed: ArmedFault, at_ns: int) -> None:
        if armed not in self._faults.armed():
            return  # somebody took it out of force
        now_ns = max(at_ns, self._timeline.reached_ns)
        self._faults.count(armed, Occasion(now_ns=now_ns, symbol=getattr(armed.terms, "symbol", "")))
        match armed.terms:
            case HaltedSymbol(symbol=symbol, reason=reason, duration_s=duration_s):
                self._interventions.halt(symbol, reason, now_ns)
                until_ns = now_ns + int(duration_s * SECOND_NS)
                self._timeline.later(until_ns, lambda: self._interventions.resume(symbol, until_ns))
            case SplitOvernight(symbol=symbol, new_shares=new, old_shares=old):
                self._interventions.split(self._accounts("*"), symbol, new, old)
            case ExternalOrder(key_id=key_id, symbol=symbol, side=side, qty=qty):
                for account_id in self._accounts(key_id):
                    try:
                        self._interventions.order(account_id, symbol, side, qty)
                    except FixInput as error:
                        self._refused(armed, now_ns, account_id, error.message)
            case ExternalClose(key_id=key_id, symbol=symbol):
                for account_id in self._accounts(key_id):
                    self._interventions.close(account_id, symbol)
            case AccountRestricted(key_id=key_id, restriction=restriction):
                for account_id in self._accounts(key_id):
                    self._interventions.restrict(account_id, restriction)
        self._timeline.collect()
        self._after()

    def _accounts(self, key_id: str) -> list[str]:
        meant = [account for key, account in self._keys.accounts().items() if fnmatchcase(key, key_id)]
        return list(dict.fromkeys(meant))  # an account with two pairs is meant once

    def _shown_quote(self, symbol: str, now_ns: int, right: Quote | None) -> Quote | None:
        """What is shown in place of the right quote. Quotes are asked for all the time, so only windows are counted."""
        for armed in self._faults.at(Seam.QUOTES):
            terms = armed.terms
            assert isinstance(terms, WrongQuote), "this seam has one kind"
            if not self._faults.applies(armed, Occasion(now_ns=now_ns, symbol=symbol)):
                continue
            if armed.fired == 0:
                self._faults.count(armed, Occasion(now_ns=now_ns, symbol=symbol))
            return self._wrong(armed, terms, symbol, right)
        return right

    def _wrong(self, armed: ArmedFault, terms: WrongQuote, symbol: str, right: Quote | None) -> Quote | None:
        if right is None or terms.how == "missing":
            return None
        if terms.how == "stale":
            return self._first_shown.setdefault((armed.id, symbol), right)
        bid, ask = (right.ask, right.bid) if terms.how == "crossed" else (0.0, 0.0)
        sizes = (right.bid_size, right.ask_size) if terms.how == "crossed" else (0.0, 0.0)
        return Quote(bid=bid, ask=ask, bid_size=sizes[0], ask_size=sizes[1], at_ns=right.at_ns)
