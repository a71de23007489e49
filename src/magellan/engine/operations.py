"""Operations: what a person may ask of a running session, in any state, and what must hold before it begins."""

from __future__ import annotations

from collections.abc import Mapping

from magellan.engine.commands import Severity
from magellan.engine.desk import Desk
from magellan.engine.entries import Entries
from magellan.engine.events import Operator, OperatorAsks
from magellan.engine.protection import Protection
from magellan.engine.reconciliation import Reconciler
from magellan.engine.setup import AtTheEnd
from magellan.ledger.entries import BreakerReset, Halted, Resumed, SessionEnded
from magellan.trading.account import TradableAsset
from magellan.trading.timeframe import SECOND_NS


class Operations:
    """Halt, resume, flatten, stop."""

    def __init__(self, desk: Desk, protection: Protection, reconciler: Reconciler, entries: Entries) -> None:
        self._desk = desk
        self._protection = protection
        self._reconciler = reconciler
        self._entries = entries
        self.sent_again: dict[
            str, int
        ] = {}  # when (ns) an order that was refused unread is sent again, by name

    def unfit(self, assets: Mapping[str, TradableAsset] | None) -> list[str]:
        """Why this account cannot trade these symbols, as far as the broker tells."""
        if assets is None:
            return []
        symbols = self._desk.setup.symbols
        unknown = [symbol for symbol in symbols if symbol not in assets]
        known = [assets[symbol] for symbol in symbols if symbol in assets]
        found = [f"the broker knows no {', no '.join(unknown)}"] if unknown else []
        return found + [
            f"{asset.symbol} cannot be traded at this broker" for asset in known if asset.tradable is False
        ]

    def asked(self, event: Operator) -> None:
        """Do what a person asks."""
        desk = self._desk
        match event.asks:
            case OperatorAsks.HALT:
                self._halt(event, flattens=False)
            case OperatorAsks.FLATTEN:
                self._halt(event, flattens=True)
            case OperatorAsks.RESUME if desk.safety.switch.wants_flat:
                # The first resume only stops the flattening: what is left is held, and nothing is entered.
                desk.note(Resumed(person=event.person, reason=event.reason))
                desk.note(Halted(source=event.source, person=event.person, reason=event.reason))
                desk.alert(
                    Severity.CRITICAL,
                    f"{event.person} stopped the flattening, and the session stays halted: {event.reason}",
                )
            case OperatorAsks.RESUME:
                desk.note(Resumed(person=event.person, reason=event.reason))
                for breaker in desk.safety.tripped:
                    desk.note(BreakerReset(breaker=breaker, person=event.person, reason=event.reason))
                self._reconciler.accept()
                desk.alert(Severity.WARNING, f"{event.person} resumed trading: {event.reason}")
            case OperatorAsks.STOP:
                desk.ending = event.reason
                desk.ending_flat = desk.setup.at_the_end is AtTheEnd.FLATTEN
            case OperatorAsks.STOP_FLAT:
                desk.ending = event.reason
                desk.ending_flat = True
        desk.touched |= set(desk.state.active)

    def leased(self, lapsed: str, *, begins: bool = False) -> None:
        """The host's lease holds, or has lapsed. Nobody reaches us then: what is held is left as ever, nothing is
        entered, and what was sent to enter is withdrawn.

        begins: with the session, which has not been there for long enough to see a renewal.
        """
        desk, was = self._desk, self._desk.lease_lapsed
        desk.lease_lapsed = lapsed
        if was == lapsed:
            return
        if lapsed and begins:
            desk.alert(Severity.WARNING, f"nothing is entered until the host's lease is renewed: {lapsed}")
        elif lapsed:
            for symbol in list(desk.state.active):
                self._entries.drop_waiting(symbol)
            desk.alert(Severity.CRITICAL, f"the host's lease has lapsed, and nothing is entered: {lapsed}")
        else:
            desk.alert(Severity.WARNING, "the host's lease is renewed: entries are allowed again")
        desk.touched |= set(desk.state.active)

    def go_on(self) -> None:
        """Carry on with what takes more than one event: flattening, and ending."""
        desk, state = self._desk, self._desk.state
        if desk.safety.switch.wants_flat or desk.ending_flat:
            self._leave_everything("flattened")
        if desk.safety.switch.wants_flat and state.book.is_flat:
            self._ask_whether_flat()
        for symbol in list(desk.flatten_unexplained):
            plan = state.open_plan(symbol)
            if plan is None:
                desk.flatten_unexplained.discard(symbol)
            elif plan.marks is not None:
                self._protection.leave(plan, "unexplained")
        if desk.ending is None:
            return
        for symbol in state.active:
            self._entries.drop_waiting(symbol)
            desk.touched.add(symbol)
        if self._may_end():
            self._end()
        else:
            desk.due("end", desk.now_ns + SECOND_NS)

    def _halt(self, event: Operator, *, flattens: bool) -> None:
        desk = self._desk
        desk.note(Halted(source=event.source, person=event.person, reason=event.reason, flattens=flattens))
        for symbol in list(desk.state.active):
            self._entries.drop_waiting(symbol)
        words = "leaves everything" if flattens else "enters nothing"
        desk.alert(
            Severity.CRITICAL,
            f"halted by {event.person or event.source}: the session {words}: {event.reason}",
        )

    def _ask_whether_flat(self) -> None:
        """Flat is what the broker shows: it is asked now, and again after a pause while it shows something."""
        desk = self._desk
        pause_s = desk.setup.timings.refused_pause_s
        if desk.told_at is None or (desk.now - desk.told_at).total_seconds() >= pause_s:
            desk.ask()
        else:
            desk.due("ask", desk.ns(desk.told_at) + int(pause_s * SECOND_NS))

    def _leave_everything(self, reason: str) -> None:
        state = self._desk.state
        for symbol in list(state.active):
            plan = state.open_plan(symbol)
            if plan is not None and plan.marks is not None:
                self._protection.leave(plan, reason)

    def _may_end(self) -> bool:
        """Whether nothing is under way that only this session can finish."""
        desk, state = self._desk, self._desk.state
        for symbol in state.active:
            for plan in state.under_way(symbol):
                if desk.ending_flat and (plan.is_open or not state.is_over(plan)):
                    return False
                for order in state.live(plan):
                    if order.change is not None or not state.is_known(order):
                        return False
                if plan.is_open and plan.marks is not None and plan.marks.leaving is not None:
                    return False
        return not (desk.ending_flat and state.book.open_trades)

    def _end(self) -> None:
        desk = self._desk
        assert desk.ending is not None, "it ends for a reason"
        desk.note(SessionEnded(reason=desk.ending, flat=desk.state.book.is_flat))
        desk.stop(desk.ending, in_order=True)
