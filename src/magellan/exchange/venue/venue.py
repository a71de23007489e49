"""The venue: accounts, orders and matching behind one door. Pure: time and requests go in, answers and events come out.

Equal seeds and equal requests at equal instants give equal answers and events, byte for byte.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from magellan.errors import FixInput
from magellan.exchange.error_catalogue import Refusal
from magellan.exchange.market.instant import InstantKind
from magellan.exchange.market.trading_hours import day_of
from magellan.exchange.venue import matching
from magellan.exchange.venue.api.accounts import account_body
from magellan.exchange.venue.api.call import Call
from magellan.exchange.venue.api.routes import answer
from magellan.exchange.venue.book import Book, Task
from magellan.exchange.venue.broker_side import Happened, happen
from magellan.exchange.venue.corporate_events import take_effect
from magellan.exchange.venue.invariants import broken
from magellan.exchange.venue.margin import standing
from magellan.exchange.venue.options import expire_contracts
from magellan.exchange.venue.order import Order, order_body
from magellan.exchange.venue.order_changes import do_cancel, do_replace
from magellan.exchange.venue.order_end import expire
from magellan.exchange.venue.terms import AccountTerms, VenueTerms
from magellan.exchange.venue.venue_market import VenueMarket
from magellan.exchange.venue.wire import Reply, Request, VenueEvent
from magellan.exchange.venue.wire_format import ZERO, text


class Venue:
    """One exchange with its accounts. Instants are nanoseconds UTC and never go back."""

    def __init__(self, market: VenueMarket, terms: VenueTerms, *, seed: int, api_as_of: date) -> None:
        self._book = Book(market, terms, seed=seed, api_as_of=api_as_of)
        self._actions_until_ns = 0

    def open_account(self, key_id: str, terms: AccountTerms, now_ns: int) -> str:
        """Open an account for a key, and return its id. Raises FixInput where the key has one already."""
        self._reach(now_ns)
        return self._book.open_account(key_id, terms, now_ns).id

    def request(self, account_id: str, request: Request, now_ns: int) -> Reply:
        """Answer one call of Trading REST v2. What is due until now happens first.

        Raises FixInput for an account that does not exist; whatever the client gets wrong is in the reply.
        """
        account = self._book.accounts.get(account_id)
        if account is None:
            raise FixInput(f"there is no account {account_id}", next_step="open it with open_account")
        self._reach(now_ns)
        found = answer(Call(self._book, account, request))
        if isinstance(found, Refusal):
            return Reply(status=found.status, body=dict(found.body))
        return found

    def external(self, account_id: str, what: Happened, now_ns: int | None = None) -> None:
        """Let something happen on the broker's side. Raises FixInput where it cannot."""
        matching.tell_arrivals(self._book)
        if now_ns is not None:
            self._reach(now_ns)
        happen(self._book, self._book.accounts[account_id], what)

    def advance(self, to_ns: int) -> None:
        """Match everything up to an instant, that instant included."""
        self._reach(to_ns)

    def next_due_ns(self) -> int | None:
        """When the venue itself has something to do, besides the market's instants; None: nothing."""
        matching.tell_arrivals(self._book)
        return self._book.next_due_ns()

    def take_events(self) -> list[VenueEvent]:
        """Everything that has happened since the last call, in order."""
        matching.tell_arrivals(self._book)
        return self._book.take_events()

    def snapshot(self) -> dict[str, Any]:
        """The whole state as plain data."""
        book = self._book
        matching.tell_arrivals(book)
        return {
            "now_ns": book.now_ns,
            "accounts": {
                account.id: {
                    "key_id": account.key_id,
                    "account": account_body(book, account),
                    "deposits": text(account.deposits_usd),
                    "realised": text(account.realised_usd),
                    "income": text(account.income_usd),
                    "fees": text(account.fees_usd),
                    "cash": text(account.cash_usd),
                    "positions": {
                        symbol: {"qty": text(position.qty), "cost": text(position.cost_usd)}
                        for symbol, position in sorted(account.positions.items())
                    },
                    "orders": [
                        order_body(order, book.era, nested=False) for order in account.orders.values()
                    ],
                    "activities": [activity.body for activity in account.activities],
                }
                for account in book.accounts.values()
            },
        }

    def broken_invariants(self) -> list[str]:
        """What does not hold of the venue's own books, in words; always empty unless the venue has a defect."""
        return broken(self._book)

    # Time

    def _reach(self, to_ns: int) -> None:
        book = self._book
        matching.tell_arrivals(book)
        if book.now_ns == 0:
            book.now_ns = self._actions_until_ns = to_ns
            book.identities.begin(to_ns)
            return
        if to_ns > book.now_ns:
            for instant in book.market.instants(book.now_ns, to_ns):
                self._work_until(instant.at_ns)
                book.now_ns = instant.at_ns
                self._at(instant.kind)
        self._work_until(to_ns)
        book.now_ns = max(book.now_ns, to_ns)

    def _work_until(self, until_ns: int) -> None:
        """Do the venue's own tasks that are due."""
        for due_ns, task, order in self._book.due(until_ns):
            self._do(task, order, due_ns)

    def _do(self, task: Task, order: Order, due_ns: int) -> None:
        book = self._book
        match task:
            case Task.ROUTE:
                matching.route(book, order)
            case Task.TICK:
                matching.tick(book, order, due_ns)
            case Task.CANCEL:
                do_cancel(book, order)
            case Task.REPLACE:
                do_replace(book, order)
            case Task.EXPIRE:
                expire(book, order)

    def _at(self, kind: InstantKind) -> None:
        book = self._book
        match kind:
            case InstantKind.OPEN:
                take_effect(book, self._actions_until_ns)
                self._actions_until_ns = book.now_ns
                matching.at_open(book)
            case InstantKind.RANGE:
                matching.in_range(book)
            case InstantKind.CLOSE:
                matching.at_close(book)
            case InstantKind.BAR_CLOSED:
                self._note_equity()
            case InstantKind.SESSION_CLOSE:
                self._end_session()
            case InstantKind.DAY_CHANGE | InstantKind.SESSION_OPEN:
                pass

    def _note_equity(self) -> None:
        """Note what accounts are worth, where it has changed."""
        book = self._book
        for account in book.accounts.values():
            history = account.equity_history
            if not account.positions and history and history[-1][1] == account.cash_usd:
                continue
            equity = book.equity_usd(account)
            if not history or history[-1][1] != equity:
                history.append((book.now_ns, equity))

    def _end_session(self) -> None:
        """The close of a session: contracts expire, and the balances of the day are struck."""
        book = self._book
        expire_contracts(book)
        for account in book.accounts.values():
            now = standing(book, account)
            account.last_equity_usd = now.equity_usd
            account.last_maintenance_usd = now.maintenance_usd
            account.balance_on = day_of(book.now_ns)
            account.equity_history.append((book.now_ns, now.equity_usd))
            account.opened_today.clear()
            for position in account.positions.values():
                position.qty_at_close = position.qty
                position.today_usd = ZERO
