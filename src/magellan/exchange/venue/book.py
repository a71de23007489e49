"""The book: accounts, orders, money, and the log of what happened. Every change of any of them is made here."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

from magellan.errors import FixInput
from magellan.exchange.market.asset import Asset
from magellan.exchange.market.live_bar import LiveBar
from magellan.exchange.market.quote import Quote
from magellan.exchange.market.trading_hours import Session, TradingHours, day_of
from magellan.exchange.venue.account import Account, Activity, DayTrade, Position, Settings
from magellan.exchange.venue.booked_price import commission_usd, marked
from magellan.exchange.venue.era import Era
from magellan.exchange.venue.identity import Identities
from magellan.exchange.venue.order import Order, order_body
from magellan.exchange.venue.order_states import Happening, State, after
from magellan.exchange.venue.terms import MILLISECOND_NS, AccountTerms, VenueTerms
from magellan.exchange.venue.venue_market import VenueMarket
from magellan.exchange.venue.wire import EventKind, VenueEvent
from magellan.exchange.venue.wire_format import HUNDREDTH_CENT, ZERO, instant_text, text

_DIGITS_ONLY = str.maketrans("", "", "-:T")
_STAMPS = {
    State.FILLED: "filled_ns",
    State.EXPIRED: "expired_ns",
    State.CANCELED: "canceled_ns",
    State.REPLACED: "replaced_ns",
    State.REJECTED: "failed_ns",
}


class Task(StrEnum):
    """What the venue has to do at an instant of its own, besides the market's."""

    ROUTE = "route"  # an order that came while the exchange was shut is taken up
    TICK = "tick"  # a marketable order meets the price
    CANCEL = "cancel"  # a cancel reaches the exchange
    REPLACE = "replace"  # a replacement reaches the exchange
    EXPIRE = "expire"


class Book:
    """State of the venue. Time never goes back; `now_ns` is the instant that is being worked on."""

    def __init__(self, market: VenueMarket, terms: VenueTerms, *, seed: int, api_as_of: date) -> None:
        self.market = market
        self.terms = terms
        self.hours = TradingHours(market.calendar)
        self._ticks: dict[str, float] = {}  # of symbols whose price was asked for
        self.era = Era(api_as_of, keeps_easy_to_borrow=terms.keeps_easy_to_borrow)
        self.identities = Identities(seed)
        self.chance = random.Random(f"fills {seed}")
        self.now_ns = 0
        self._bars: dict[str, LiveBar] = {}  # the newest that was looked at
        self._prices: dict[str, float | None] = {}  # now, as are the quotes
        self._quotes: dict[str, Quote | None] = {}
        self._seen_at_ns = -1
        self._session: Session | None = None
        self.accounts: dict[str, Account] = {}
        self.orders: dict[str, Order] = {}
        self.working: dict[str, dict[str, Order]] = {}  # by symbol, then id: orders that have not ended
        self.holders: dict[str, dict[str, Account]] = {}  # by symbol: accounts with a position
        self.places = {asset.symbol: place for place, asset in enumerate(market.assets())}
        self.arrived: deque[Order] = deque()  # new orders of which nothing has been told yet
        self.stuck: set[str] = set()  # orders whose cancel never lands
        self.refusing_cancel: set[str] = set()  # orders whose cancel the exchange will refuse
        self.refusing_replace: set[str] = set()
        self._due: list[tuple[int, int, Task, str]] = []
        self._due_count = 0
        self._order_count = 0
        self._activity_count = 0
        self._events: list[VenueEvent] = []
        self._taken: dict[
            tuple[str, str], tuple[int, Decimal]
        ] = {}  # of a bar's volume, by (account, symbol)

    # Time

    def at(self, due_ns: int, task: Task, order: Order) -> None:
        """Have something done with an order at an instant, after what was asked for earlier at the same one."""
        self._due_count += 1
        heapq.heappush(self._due, (due_ns, self._due_count, task, order.id))

    def next_due_ns(self) -> int | None:
        """When the next task is due; tasks of orders that have ended are forgotten."""
        while self._due and self.orders[self._due[0][3]].ended:
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def due(self, until_ns: int) -> Iterator[tuple[int, Task, Order]]:
        """Take what is due at or before an instant, in order; more may be added while it is worked through."""
        while (due_ns := self.next_due_ns()) is not None and due_ns <= until_ns:
            _, _, task, order_id = heapq.heappop(self._due)
            self.now_ns = max(self.now_ns, due_ns)
            yield due_ns, task, self.orders[order_id]

    # Accounts

    def open_account(self, key_id: str, terms: AccountTerms, now_ns: int) -> Account:
        account_id = self.identities.named("account", key_id)
        if account_id in self.accounts:
            raise FixInput(
                f"the key {key_id!r} has an account already", next_step="open each key's account once"
            )
        digits = int(account_id.replace("-", "")[:12], 16) % 10**9
        account = Account(
            id=account_id,
            key_id=key_id,
            number=terms.account_number or f"PA{digits:09d}",
            opened_ns=now_ns,
            terms=terms,
            cash_usd=terms.cash_usd,
            deposits_usd=terms.cash_usd,
            settings=Settings(
                fractional_trading=terms.fractional_trading,
                max_margin_multiplier=str(terms.multiplier),
                max_options_trading_level=terms.options_level,
                no_shorting=not terms.shorting,
            ),
            last_equity_usd=terms.cash_usd,
            balance_on=day_of(now_ns),
        )
        self.accounts[account_id] = account
        return account

    # What the market shows now; asked once per instant, as one request looks at it from many sides.

    def _forget_the_past(self) -> None:
        if self._seen_at_ns != self.now_ns:
            self._prices.clear()
            self._quotes.clear()
            self._seen_at_ns = self.now_ns

    def bar(self, symbol: str) -> LiveBar | None:
        """The bar that trades now."""
        known = self._bars.get(symbol)
        if known is not None and known.start_ns <= self.now_ns < known.end_ns:
            return known
        found = self.market.bar(symbol, self.now_ns)
        if found is not None:
            self._bars[symbol] = found
        return found

    def path_price(self, symbol: str) -> float | None:
        """The market's price now, as bars have it."""
        self._forget_the_past()
        if symbol not in self._prices:
            bar = self.bar(symbol)
            if bar is not None:
                self._prices[symbol] = bar.price(self.now_ns, self._tick(symbol))
            else:
                self._prices[symbol] = self.market.price(symbol, self.now_ns)
        return self._prices[symbol]

    def _tick(self, symbol: str) -> float:
        if symbol not in self._ticks:
            asset = self.market.asset(symbol)
            assert asset is not None, "what trades has terms"
            self._ticks[symbol] = float(asset.tick)
        return self._ticks[symbol]

    def price(self, symbol: str) -> Decimal | None:
        """The market's price now."""
        found = self.path_price(symbol)
        return None if found is None else marked(found)

    def quote(self, symbol: str) -> Quote | None:
        """Best bid and offer now."""
        self._forget_the_past()
        if symbol not in self._quotes:
            self._quotes[symbol] = self.market.quote(symbol, self.now_ns)
        return self._quotes[symbol]

    def session(self) -> Session | None:
        """The regular session that now lies in; None between sessions."""
        known = self._session
        if known is not None and known.opens_at_ns <= self.now_ns < known.closes_at_ns:
            return known
        self._session = self.hours.session_at(self.now_ns)
        return self._session

    def position_price(self, position: Position) -> Decimal:
        """What a position is marked at: the market's price, or what was paid where the market has none."""
        found = self.price(position.asset.symbol)
        return position.average_price if found is None else found

    def equity_usd(self, account: Account) -> Decimal:
        """Cash plus every position at its price now."""
        total = account.cash_usd
        for position in account.positions.values():
            total += position.value_usd(self.position_price(position))
        return total

    # Events

    def emit(self, account_id: str, kind: EventKind, body: dict[str, Any]) -> None:
        self._events.append(
            VenueEvent(
                account_id=account_id,
                event_id=self.identities.event_id(self.now_ns),
                at_ns=self.now_ns,
                kind=kind,
                body=body,
            )
        )

    def take_events(self) -> list[VenueEvent]:
        taken, self._events = self._events, []
        return taken

    def tell(self, order: Order, event: str, **more: str) -> None:
        """Send a trade update about an order as it stands."""
        self.emit(
            order.account_id,
            EventKind.TRADE_UPDATE,
            {
                "event": event,
                "execution_id": self.identities.next_uuid(),
                "order": order_body(order, self.era, nested=False),
                "timestamp": instant_text(self.now_ns),
                **more,
            },
        )

    def note(self, account: Account, kind: str, body: dict[str, Any], order_id: str | None = None) -> None:
        """Add a line to the account's history."""
        self._activity_count += 1
        # "2024-03-11T13:30:00" as 20240311133000: quicker than strftime, which every fill would wait for.
        at_second = instant_text(self.now_ns)[:19].translate(_DIGITS_ONLY)
        millisecond = self.now_ns // MILLISECOND_NS % 1000
        activity_id = (
            f"{at_second}{millisecond:03d}::{self.identities.named('activity', f'{self._activity_count}')}"
        )
        line = {"id": activity_id, "account_id": account.id, "activity_type": kind, **body}
        account.activities.append(
            Activity(id=activity_id, at_ns=self.now_ns, kind=kind, order_id=order_id, body=line)
        )
        self.emit(account.id, EventKind.ACTIVITY, line)

    def note_other(
        self,
        account: Account,
        kind: str,
        *,
        net_usd: Decimal,
        symbol: str = "",
        qty: Decimal | None = None,
        per_share: Decimal | None = None,
        price: Decimal | None = None,
        description: str = "",
    ) -> None:
        """Add a line that is no trade: a dividend, a split, an exercise."""
        body: dict[str, Any] = {
            "date": day_of(self.now_ns).isoformat(),
            "created_at": instant_text(self.now_ns),
            "net_amount": text(net_usd.quantize(HUNDREDTH_CENT)),
            "description": description,
            "status": "executed",
            "currency": "USD",
        }
        if symbol:
            body["symbol"] = symbol
        if qty is not None:
            body["qty"] = text(qty)
        if per_share is not None:
            body["per_share_amount"] = text(per_share)
        if price is not None:
            body["price"] = text(price)
        self.note(account, kind, body)

    # Orders

    def next_number(self) -> int:
        self._order_count += 1
        return self._order_count

    def add(self, order: Order) -> None:
        """Take up an order that has passed every check."""
        account = self.accounts[order.account_id]
        assert order.id not in self.orders, "order ids are unique"
        assert order.client_order_id not in account.by_client_id, "client order ids are unique"
        self.orders[order.id] = order
        account.orders[order.id] = order
        account.by_client_id[order.client_order_id] = order
        account.live[order.id] = order
        account.reserved_usd += order.reserved_usd
        self.working.setdefault(order.symbol, {})[order.id] = order

    def move(self, order: Order, happening: Happening, *, silent: bool = False, **more: str) -> None:
        """Take an order along the state table, and tell of it."""
        order.state = after(order.state, happening, filled=order.filled_qty > 0)
        order.updated_ns = self.now_ns
        stamp = _STAMPS.get(order.state)
        if stamp is not None and getattr(order, stamp) is None:
            setattr(order, stamp, self.now_ns)
        if order.ended:
            self.reserve(order, ZERO)
            self.accounts[order.account_id].live.pop(order.id, None)
            there = self.working.get(order.symbol)
            if there is not None and there.pop(order.id, None) is not None and not there:
                del self.working[order.symbol]
        if not silent:
            self.tell(order, happening.value, **more)

    def reserve(self, order: Order, usd: Decimal) -> None:
        """Let an order that has been taken up claim so much of the account's buying power, instead of what it did."""
        self.accounts[order.account_id].reserved_usd += usd - order.reserved_usd
        order.reserved_usd = usd

    def volume_taken(self, order: Order, bar_start_ns: int) -> Decimal:
        """Units of that bar that the account's fills have taken."""
        start_ns, units = self._taken.get((order.account_id, order.symbol), (0, ZERO))
        return units if start_ns == bar_start_ns else ZERO

    def fill(self, order: Order, qty: Decimal, price: Decimal, bar_start_ns: int = 0) -> None:
        """Book a fill: shares and cash change hands, the order moves, and a trade update and an activity tell of it."""
        account = self.accounts[order.account_id]
        assert order.asset is not None, "what fills has an asset"
        assert qty > 0, "a fill moves units"
        if order.notional is None:
            assert qty <= order.left, "an order never fills beyond its quantity"
        self._taken[(account.id, order.symbol)] = (bar_start_ns, self.volume_taken(order, bar_start_ns) + qty)
        signed = qty * order.sign
        order.filled_qty += qty
        order.filled_usd += qty * price
        whole = order.notional is not None or order.left == 0
        if order.reserved_usd and order.qty:
            self.reserve(order, order.cost_usd * order.left / order.qty)
        self.change_position(account, order.asset, signed, price)
        fee = commission_usd(self.terms.costs, qty, price, order.point_value)
        if fee:
            account.cash_usd -= fee
            account.fees_usd += fee
        position_qty = text(account.held(order.symbol))
        happening = Happening.FILL if whole else Happening.PARTIAL_FILL
        self.move(
            order,
            happening,
            price=text(price),
            qty=text(qty),
            position_qty=position_qty,
        )
        self.note(
            account,
            "FILL",
            {
                "transaction_time": instant_text(self.now_ns),
                "type": happening.value,
                "price": text(price),
                "qty": text(qty),
                "side": order.side,
                "symbol": order.symbol,
                "leaves_qty": text(ZERO if whole else order.left),
                "order_id": order.id,
                "cum_qty": text(order.filled_qty),
                "order_status": order.state.value,
            },
            order.id,
        )
        if fee:
            self.note_other(account, "FEE", net_usd=-fee, symbol=order.symbol, description="commission")

    def change_position(self, account: Account, asset: Asset, signed: Decimal, price: Decimal) -> None:
        """Move units and their money; notes a day trade where the day's own units are given back."""
        position = account.positions.get(asset.symbol)
        if position is None:
            position = Position(asset=asset, qty=ZERO, cost_usd=ZERO, opened_ns=self.now_ns)
            account.positions[asset.symbol] = position
            self.holders.setdefault(asset.symbol, {})[account.id] = account
        if position.qty * signed >= 0:
            account.opened_today.add(asset.symbol)
        elif asset.symbol in account.opened_today:
            # Opened and closed on one day; parts of one closing count together.
            account.opened_today.discard(asset.symbol)
            account.day_trades.append(DayTrade(on=day_of(self.now_ns), symbol=asset.symbol))
        account.realised_usd += position.take(signed, price)
        account.cash_usd -= signed * position.point_value * price
        self.drop_if_flat(account, position)

    def drop_if_flat(self, account: Account, position: Position) -> None:
        if position.qty == 0:
            assert position.cost_usd == 0, "what is sold whole leaves no cost behind"
            symbol = position.asset.symbol
            del account.positions[symbol]
            holders = self.holders[symbol]
            del holders[account.id]
            if not holders:
                del self.holders[symbol]
