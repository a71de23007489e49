"""Replay a recorded session: ask the backtester's columns what the session was to decide on each bar, and compare.

The bars are read again, from the archive or the broker's history, and the strategy computes over all of them at once,
as in a backtest. What the ledger holds was decided bar by bar. The two agree, or something is named: a bar that the
session saw with other numbers, a feature that looks ahead, code or a config that has changed since.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from magellan.backtest.decision_columns import DecisionColumns
from magellan.backtest.masks import SymbolDecisions
from magellan.errors import FixInput
from magellan.ledger.book import Book
from magellan.ledger.entries import Decision, LedgerEntry, OrderIntended, SessionBegan
from magellan.ports.ledger import Ledger
from magellan.strategy.contract import Features, decides_in_python
from magellan.strategy.market_view import MarketView
from magellan.trading.bar import Bars, nanoseconds
from magellan.trading.purpose import OrderPurpose
from magellan.trading.session import ExchangeCalendar
from magellan.usecases.load_strategy import LoadedStrategy
from magellan.usecases.start_session import history_from

EXIT_RULE: Final = "exit rule"  # the reason of an exit that the strategy's own condition asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSession:
    """A session as the ledger holds it."""

    account: str
    session: str
    began_at: datetime
    began: SessionBegan
    decisions: tuple[Recorded, ...]  # oldest first


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A decision, and what the session held when it was made."""

    at: datetime
    told: Decision
    held: Decimal  # units, signed
    entering: bool  # an entry was on its way


@dataclass(frozen=True, slots=True, kw_only=True)
class Differs:
    """One thing in which the session and the replay differ."""

    symbol: str
    bar_opened_at: datetime
    what: str  # bar, close, an indicator's name, action or missing
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedSession:
    """A recorded session beside its replay."""

    recorded: RecordedSession
    bars_from: str  # where they were read again
    compared: int  # decisions
    changed: tuple[str, ...]  # what fixes a decision and is not what it was
    unasked: str  # what the replay cannot ask; "" where it asks everything
    differences: tuple[Differs, ...]

    @property
    def identical(self) -> bool:
        return not self.differences


def recorded_session(ledger: Ledger, named: str) -> RecordedSession | None:
    """The session of that id, or of the only one that begins so; None where the ledger has none.

    Raises: FixInput where several begin so; AskOperator for a ledger that is damaged.
    """
    found = {
        (account, entry.session)
        for account in ledger.accounts()
        for entry in ledger.entries(account, kinds=(SessionBegan.kind,))
        if entry.session.startswith(named)
    }
    if not found or not named:
        return None
    if len(found) > 1:
        raise FixInput(
            f"{len(found)} sessions begin with '{named}': {', '.join(sorted(each for _, each in found))}",
            next_step="write more of the id",
        )
    ((account, session),) = found
    return _read(account, session, ledger.entries(account))


def starts_at(recorded: RecordedSession, loaded: LoadedStrategy) -> datetime:
    """The first bar that the session read."""
    return history_from(loaded, recorded.began_at)


def replay_session(
    recorded: RecordedSession,
    loaded: LoadedStrategy,
    bars: Mapping[str, Bars],
    calendar: ExchangeCalendar,
    *,
    bars_from: str,
) -> ReplayedSession:
    """Compare every decision of the session with what the strategy's columns say of that bar.

    bars: closed bars of every symbol that is traded or read, from `starts_at` on, in the hours that take part.
    """
    differences: list[Differs] = []
    for symbol in recorded.began.symbols:
        own = [each for each in recorded.decisions if each.told.symbol == symbol]
        if own:
            differences += _Replay(loaded, bars, symbol, calendar).differences(own)
    return ReplayedSession(
        recorded=recorded,
        bars_from=bars_from,
        compared=len(recorded.decisions),
        changed=_changed(recorded.began, loaded),
        unasked="decide() is plain Python and depends on the position: its features were compared, its answers not"
        if decides_in_python(loaded.strategy)
        else "",
        differences=tuple(sorted(differences, key=lambda each: (each.bar_opened_at, each.symbol))),
    )


def _read(account: str, session: str, entries: Iterator[LedgerEntry]) -> RecordedSession:
    book = Book(account=account)
    began: LedgerEntry | None = None
    names: dict[str, list[str]] = {}  # of entry orders, by symbol
    decisions = []
    for entry in entries:
        book.apply(entry)
        told = entry.payload
        if isinstance(told, OrderIntended) and told.purpose is OrderPurpose.ENTRY:
            names.setdefault(told.request.symbol, []).append(told.client_order_id)
        if entry.session != session:
            continue
        if isinstance(told, SessionBegan):
            began = entry
        elif isinstance(told, Decision):
            decisions.append(
                Recorded(
                    at=entry.at,
                    told=told,
                    held=book.quantity(told.symbol),
                    entering=any(_may_fill(book, name) for name in names.get(told.symbol, ())),
                )
            )
    assert began is not None and isinstance(began.payload, SessionBegan), "it was found by its beginning"
    return RecordedSession(
        account=account,
        session=session,
        began_at=began.at,
        began=began.payload,
        decisions=tuple(decisions),
    )


def _may_fill(book: Book, name: str) -> bool:
    order = book.orders[name]
    return order.is_open or order.is_unresolved


class _Replay:
    """One symbol, computed over all bars at once."""

    def __init__(
        self, loaded: LoadedStrategy, bars: Mapping[str, Bars], symbol: str, calendar: ExchangeCalendar
    ) -> None:
        self._symbol = symbol
        self._bars = bars[symbol]
        self._warmup = loaded.config.data.warmup_bars
        others = {each: bars[each] for each in loaded.config.data.reference_symbols}
        columns = DecisionColumns(
            loaded.strategy, MarketView(self._bars, calendar=calendar, others=others), keep=1
        )
        parameters = loaded.parameters[symbol]
        self._features: Features = columns.features(parameters)
        self._asked: SymbolDecisions = columns.decisions(parameters)
        self._rows = {int(at_ns): row for row, at_ns in enumerate(self._bars.opened_at_ns)}

    def differences(self, recorded: list[Recorded]) -> Iterator[Differs]:
        decided = set()
        for each in recorded:
            at_ns = nanoseconds(each.told.bar_opened_at)
            decided.add(at_ns)
            row = self._rows.get(at_ns)
            if row is None:
                yield self._differs(each, "bar", f"close {each.told.price}", "there is none")
                continue
            yield from self._of_row(each, row)
        first, last = min(decided), max(decided)
        for at_ns, row in self._rows.items():
            if first < at_ns < last and at_ns not in decided:
                yield Differs(
                    symbol=self._symbol,
                    bar_opened_at=self._bars.bar(row).opened_at,
                    what="missing",
                    recorded="no decision",
                    replayed=self._words(row) or "nothing to do",
                )

    def _of_row(self, each: Recorded, row: int) -> Iterator[Differs]:
        told = each.told
        close = Decimal(repr(float(self._bars.close[row])))
        if told.price != close:
            yield self._differs(each, "close", str(told.price), str(close))
        for name, column in self._features.columns.items():
            if name in told.indicators:
                now = float(column[row]) if np.isfinite(column[row]) else None
                if told.indicators[name] != now:
                    yield self._differs(each, name, str(told.indicators[name]), str(now))
        wrong = self._wrong_action(each, row)
        if wrong:
            yield self._differs(each, "action", f"{told.action} {told.reasoning}".strip(), wrong)

    def _wrong_action(self, each: Recorded, row: int) -> str:
        """What the columns say instead; "" where the recorded action follows from them."""
        asked, told = self._asked, each.told
        warm = row >= self._warmup
        wishes = self._words(row) if warm else ""
        match told.action:
            case "enter_long" | "enter_short" if (
                asked.enter_long is not None or asked.enter_short is not None
            ):
                return "" if told.action in wishes.split(", ") else wishes or "nothing"
            case "nothing" if wishes and not each.entering and not each.held:
                return wishes
            case "exit" if told.reasoning == EXIT_RULE and self._has_exits():
                return "" if self._exits(each, row) else "hold"
            case "hold" if self._exits(each, row):
                return "exit"
        return ""

    def _words(self, row: int) -> str:
        masks = {"enter_long": self._asked.enter_long, "enter_short": self._asked.enter_short}
        return ", ".join(name for name, mask in masks.items() if mask is not None and mask[row])

    def _has_exits(self) -> bool:
        return self._asked.exit_long is not None or self._asked.exit_short is not None

    def _exits(self, each: Recorded, row: int) -> bool:
        mask = self._asked.exit_long if each.held > 0 else self._asked.exit_short if each.held < 0 else None
        return mask is not None and bool(mask[row])

    def _differs(self, each: Recorded, what: str, recorded: str, replayed: str) -> Differs:
        return Differs(
            symbol=self._symbol,
            bar_opened_at=each.told.bar_opened_at,
            what=what,
            recorded=recorded,
            replayed=replayed,
        )


def _changed(began: SessionBegan, loaded: LoadedStrategy) -> tuple[str, ...]:
    if began.config_hash == loaded.config_sha256:
        return ()
    return (f"config: it was {began.config_hash[:12]}, and is {loaded.config_sha256[:12]}",)


def taking_part(
    bars: Mapping[str, Bars],
    calendar: ExchangeCalendar,
    *,
    regular: bool,
    first_at: datetime,
    end_at: datetime,
) -> dict[str, Bars]:
    """The bars that a session would have read: in its hours, between its first instant and its end."""
    found = {}
    for symbol, each in bars.items():
        opened = each.opened_at_ns
        kept = each.rows((opened >= nanoseconds(first_at)) & (opened < nanoseconds(end_at)))
        found[symbol] = kept.rows(calendar.regular(kept)) if regular and len(kept) else kept
    return found


def ends_at(recorded: RecordedSession) -> datetime:
    """Just after the newest bar that was decided on; the session's beginning where none was."""
    newest = max((each.told.bar_closed_at for each in recorded.decisions), default=recorded.began_at)
    return newest + timedelta(microseconds=1)
