"""Operate a session from outside: halt it, resume it, flatten it, whether one runs, hangs, or was never started."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from magellan.engine.safety import Safety
from magellan.errors import AskOperator, FixInput, TryAgain
from magellan.ledger.book import Book
from magellan.ledger.entries import (
    AlertRaised,
    BreakerReset,
    Halted,
    LedgerEntry,
    NewEntry,
    Payload,
    Resumed,
)
from magellan.ports.broker import Broker
from magellan.ports.ledger import AccountHeld, Holder, Ledger, LedgerWriter
from magellan.ports.operator import OperatorDesk, OperatorRequest
from magellan.risk.breakers import BreakerLimits
from magellan.trading.account import BrokerPosition
from magellan.trading.order import BrokerOrder
from magellan.usecases.flatten_account import Flattened, Flattening, entries_of
from magellan.usecases.named_account import NamedAccount

ACKNOWLEDGED_WITHIN_S: Final = 5.0
LOOKS_EVERY_S: Final = 0.05


class Acted(StrEnum):
    """Who acted on a request."""

    SESSION = "session"  # the one that runs
    LEDGER = "ledger"  # no session runs: it is recorded, and holds for the next one
    NOBODY = "nobody"  # a session runs and has not answered; the request stays for it
    BROKER = "broker"  # past the session, or without one


@dataclass(frozen=True, slots=True, kw_only=True)
class Operated:
    """What became of a request."""

    acted: Acted
    account: str
    request: OperatorRequest
    holder: Holder | None  # who runs, as it was when the request was made
    reset: tuple[str, ...] = ()  # breakers that were tripped, and are reset by a resume
    still_halted: bool = False  # after a resume: it only stopped the flattening
    flattened: Flattened | None = None
    recorded_in: str = ""  # where the flatten was recorded
    ledger_trouble: str = ""  # why the ledger was gone past; a halt or a flatten does not wait for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What requests are made with."""

    ledger: Ledger
    desk: OperatorDesk
    now: Callable[[], datetime]
    monotonic_s: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTheSession:
    """What a flatten needs to do without a session.

    open_broker: of the account; closed when it is over.
    beside:      keeps records durably while the ledger is held by another process, or does not take them.
    beside_name: where that is, for a person.
    """

    open_broker: Callable[[], Broker]
    beside: Callable[[Sequence[NewEntry]], None]
    beside_name: str
    within_s: float
    hung_after_s: float = ACKNOWLEDGED_WITHIN_S  # a session that has not acted by then is gone past
    tell: Callable[[str], None] = lambda text: None


async def halt(account: NamedAccount, request: OperatorRequest, around: Around) -> Operated:
    """No entry from here on. A ledger that does not answer is gone past: the request waits for the next session.

    Raises: AskOperator where not even the request can be kept.
    """
    try:
        return await _asked(account, request, around, _halted)
    except (AskOperator, TryAgain) as error:
        around.desk.leave(request)
        acted = await _acknowledged(request, around, within_s=ACKNOWLEDGED_WITHIN_S)
        return Operated(
            acted=Acted.SESSION if acted else Acted.NOBODY,
            account=account.ledger,
            request=request,
            holder=None,
            ledger_trouble=error.message,
        )


async def resume(account: NamedAccount, request: OperatorRequest, around: Around) -> Operated:
    """Entries are allowed again, and tripped breakers reset. Raises FixInput without a person and a reason."""
    must_name(request.person, request.reason, "a resume")
    return await _asked(account, request, around, _resumed)


async def flatten(
    account: NamedAccount, request: OperatorRequest, around: Around, past: PastTheSession
) -> Operated:
    """Leave everything: by the session that runs, and past it when there is none or it does not act.

    Raises: FixInput for an account without a broker, and for keys that are refused.
    """
    if account.terms is None:
        raise FixInput(
            f"{account.ledger} is no account at a broker: there is nothing to leave",
            next_step="name an account of magellan.toml",
        )
    trouble = ""
    with ExitStack() as held:
        holder: Holder | None = None
        try:
            holder = around.ledger.holder(account.ledger)
            if holder is None:
                writer = held.enter_context(around.ledger.writer(account.ledger))
                recorded = tuple(around.ledger.entries(account.ledger))
        except AccountHeld:
            holder = around.ledger.holder(account.ledger)  # a session began at this very moment
        except (AskOperator, TryAgain) as error:
            trouble = error.message  # leaving does not wait for a server, nor for a disk that is full
        else:
            if holder is None:
                return await _flatten_and_record(account, request, around, past, writer, recorded)
    if await _asks_the_session(request, around, past):
        return await _watch_it_flatten(account, request, around, past, holder)
    past.tell(
        f"{trouble}; going past it"
        if trouble
        else f"{holder or 'the session'} has not acted in {past.hung_after_s:g} s; going past it"
    )

    def record(payloads: Sequence[Payload]) -> None:
        _keep_beside(entries_of(payloads, session=request.request_id, now=around.now), past)

    record((_halted_by(request, flattens=True),))
    flattened = await _flattened(account, request, around, past, record, None)
    return Operated(
        acted=Acted.BROKER,
        account=account.ledger,
        request=request,
        holder=holder,
        flattened=flattened,
        recorded_in=past.beside_name,
        ledger_trouble=trouble,
    )


async def _asks_the_session(request: OperatorRequest, around: Around, past: PastTheSession) -> bool:
    """Whether a session has acted on the request within its time."""
    try:
        around.desk.leave(request)
    except AskOperator as error:
        past.tell(f"the request cannot be left for a session: {error.message}")
        return False
    # The request stays where it is: should a session that hangs come back, it does the same, and stays halted.
    return await _acknowledged(request, around, within_s=past.hung_after_s)


def _keep_beside(entries: tuple[NewEntry, ...], past: PastTheSession) -> None:
    """Where not even that can be written, leaving goes on: the broker's answers tell it to the next session."""
    try:
        past.beside(entries)
    except AskOperator as error:
        past.tell(f"not recorded: {error.message}")


def must_name(person: str, reason: str, what: str) -> None:
    """Raises FixInput unless both are there."""
    if not person.strip() or not reason.strip():
        raise FixInput(
            f"{what} names the person and the reason, and one of them is blank",
            kept="nothing was changed",
            next_step='give both, for example --by jane --reason "fills checked against the broker"',
        )


_Record = Callable[[OperatorRequest, tuple[LedgerEntry, ...]], tuple[tuple[Payload, ...], Operated]]


async def _asked(
    account: NamedAccount, request: OperatorRequest, around: Around, payloads_of: _Record
) -> Operated:
    """By the session that runs; where none does, in the ledger."""
    holder = around.ledger.holder(account.ledger)
    if holder is None:
        try:
            with around.ledger.writer(account.ledger) as writer:
                recorded = tuple(around.ledger.entries(account.ledger))
                payloads, operated = payloads_of(request, recorded)
                writer.append(entries_of(payloads, session=request.request_id, now=around.now))
                return replace(operated, account=account.ledger)
        except AccountHeld:
            holder = around.ledger.holder(account.ledger)  # a session began at this very moment
    recorded = tuple(around.ledger.entries(account.ledger))
    _, operated = payloads_of(request, recorded)  # what the session, which stands there too, will make of it
    around.desk.leave(request)
    acted = await _acknowledged(request, around, within_s=ACKNOWLEDGED_WITHIN_S)
    return replace(
        operated,
        acted=Acted.SESSION if acted else Acted.NOBODY,
        account=account.ledger,
        holder=holder,
    )


def _halted(
    request: OperatorRequest, recorded: tuple[LedgerEntry, ...]
) -> tuple[tuple[Payload, ...], Operated]:
    return (_halted_by(request, flattens=False),), _by_the_ledger(request)


def _resumed(
    request: OperatorRequest, recorded: tuple[LedgerEntry, ...]
) -> tuple[tuple[Payload, ...], Operated]:
    safety = Safety(BreakerLimits())
    for entry in recorded:
        safety.fold(entry)
    resumed = Resumed(person=request.person, reason=request.reason)
    if safety.switch.wants_flat:
        # As in a session: the first resume only stops the flattening.
        return (resumed, _halted_by(request, flattens=False)), replace(
            _by_the_ledger(request), still_halted=True
        )
    resets = tuple(
        BreakerReset(breaker=breaker, person=request.person, reason=request.reason)
        for breaker in safety.tripped
    )
    return (resumed, *resets), replace(_by_the_ledger(request), reset=safety.tripped)


def _by_the_ledger(request: OperatorRequest) -> Operated:
    return Operated(acted=Acted.LEDGER, account="", request=request, holder=None)


def _halted_by(request: OperatorRequest, *, flattens: bool) -> Halted:
    return Halted(source=request.source, person=request.person, reason=request.reason, flattens=flattens)


async def _acknowledged(request: OperatorRequest, around: Around, *, within_s: float) -> bool:
    until_s = around.monotonic_s() + within_s
    while not around.desk.is_acknowledged(request):
        if around.monotonic_s() >= until_s:
            return False
        await around.sleep(LOOKS_EVERY_S)
    return True


async def _flatten_and_record(
    account: NamedAccount,
    request: OperatorRequest,
    around: Around,
    past: PastTheSession,
    writer: LedgerWriter,
    recorded: tuple[LedgerEntry, ...],
) -> Operated:
    """With the ledger in our hands, since no session runs. One that takes no more records holds nothing back."""
    troubles: list[str] = []

    def record(payloads: Sequence[Payload]) -> None:
        entries = entries_of(payloads, session=request.request_id, now=around.now)
        if not troubles:
            try:
                writer.append(entries)
                return
            except (AskOperator, TryAgain) as error:
                troubles.append(error.message)
                past.tell(f"{error.message}; going past it")
        _keep_beside(entries, past)

    record((_halted_by(request, flattens=True),))
    flattened = await _flattened(account, request, around, past, record, recorded)
    return Operated(
        acted=Acted.BROKER,
        account=account.ledger,
        request=request,
        holder=None,
        flattened=flattened,
        recorded_in=past.beside_name if troubles else "the ledger",
        ledger_trouble=troubles[0] if troubles else "",
    )


async def _flattened(
    account: NamedAccount,
    request: OperatorRequest,
    around: Around,
    past: PastTheSession,
    record: Callable[[Sequence[Payload]], None],
    recorded: tuple[LedgerEntry, ...] | None,
) -> Flattened:
    """recorded: the ledger's entries; None where another process holds it."""
    assert account.terms is not None, "it was looked at before"
    book = Book.of(account.ledger, recorded or ())
    units = None if recorded is None else {symbol: book.quantity(symbol) for symbol in book.positions}
    last = "" if book.last_session is None else book.last_session.session
    asked_at = around.now()
    broker = past.open_broker()
    try:
        flattened = await Flattening(
            broker=broker,
            account=account.ledger,
            number=account.terms.number,
            strategy="" if book.last_session is None else book.last_session.began.strategy,
            asked_at=asked_at,
            record=record,
            known_executions=frozenset(book.executions),
            known_orders=frozenset(book.orders),
            # Where another process holds the ledger, nobody knows what it has written meanwhile.
            units=units,
            # By the session's clock: a local exchange may live on another day than we do.
            executions_since=max((each.at for each in recorded or () if each.session == last), default=None),
            tell=past.tell,
            monotonic_s=around.monotonic_s,
            sleep=around.sleep,
        ).carry_out(past.within_s)
    finally:
        await broker.close()
    record((AlertRaised(severity="critical", text=outcome_of(flattened, acted=Acted.BROKER)),))
    return flattened


async def _watch_it_flatten(
    account: NamedAccount,
    request: OperatorRequest,
    around: Around,
    past: PastTheSession,
    holder: Holder | None,
) -> Operated:
    """The session acts: look at the broker until it is flat. Two that sell at once would sell twice."""
    began_s, pause_s, flat, trouble = around.monotonic_s(), LOOKS_EVERY_S, False, ""
    positions: tuple[BrokerPosition, ...] | None = None
    orders: tuple[BrokerOrder, ...] | None = None
    broker = past.open_broker()
    try:
        while not flat and around.monotonic_s() - began_s < past.within_s:
            try:
                orders = await broker.open_orders()
                positions = await broker.positions()
                flat, trouble = not positions and not orders, ""
            except TryAgain as error:
                trouble = error.message
            if not flat:
                await around.sleep(pause_s)
                pause_s = min(2 * pause_s, 2.0)
    finally:
        await broker.close()
    return Operated(
        acted=Acted.SESSION,
        account=account.ledger,
        request=request,
        holder=holder,
        flattened=Flattened(
            flat=flat,
            positions=positions,
            open_orders=orders,
            cancelled=0,
            sent=(),
            trouble=trouble,
            took_s=around.monotonic_s() - began_s,
        ),
        recorded_in="the ledger, by the session",
    )


def outcome_of(flattened: Flattened, *, acted: Acted) -> str:
    """What a flatten came to, in a sentence. Of one by the session, what it cancelled and sent is in the ledger."""
    did = f"{flattened.cancelled} orders cancelled, {len(flattened.sent)} sent in {flattened.took_s:.1f} s"
    if acted is Acted.SESSION:
        did = f"looked at for {flattened.took_s:.1f} s"
    if flattened.flat:
        return f"flat: the broker shows neither a position nor an open order; {did}"
    if flattened.positions is None or flattened.open_orders is None:
        return f"NOT known to be flat: the broker has not told; {did}; {flattened.trouble}"
    left = [f"{each.quantity:f} {each.symbol}" for each in flattened.positions]
    left += [
        f"order {each.client_order_id or each.broker_order_id} ({each.status})"
        for each in flattened.open_orders
    ]
    why = f"; {flattened.trouble}" if flattened.trouble else ""
    return f"NOT flat: {', '.join(left)}; {did}{why}"
