"""Which told order is which of ours. Robinhood takes our key with an order, and never tells it again.

While a session lives, its orders are known by the answers that brought their ids. After a restart the ledger knows
them. An order whose answer was lost is found by what was asked for: symbol, side, kind, units, prices, and not before
it was sent. Only if one told order fits it, and it fits no other one, is it that one; else nobody knows, and it is not
told at all until a person has looked. It is never sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from magellan.adapters.robinhood.order_json import ToldOrder, is_of
from magellan.errors import AskOperator
from magellan.trading.order import OrderRequest

_CLOCKS: Final = timedelta(seconds=60)  # how far two clocks may be apart


@dataclass(frozen=True, slots=True, kw_only=True)
class SentOrder:
    """An order that was, or may have been, sent."""

    request: OrderRequest
    sent_at: datetime  # aware, UTC
    broker_order_id: str | None = None  # None: no answer said which
    is_open: bool = True  # it may still fill, as far as anybody was told


Recorded = Callable[[], Iterable[SentOrder]]  # what the ledger knows of earlier sessions


class OrderNames:
    """The names of an account's orders."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._loaded = False
        self._ids: dict[str, str] = {}  # name by Robinhood's id
        self._numbers: dict[str, str] = {}  # Robinhood's id by name
        self._open: dict[str, SentOrder] = {}  # by name: without an id
        self._under_way: set[str] = set()  # of those: whose answer is still awaited
        self._resting: dict[str, datetime] = {}

    def sending(self, request: OrderRequest, at: datetime) -> None:
        """An order is about to be sent."""
        self._load()
        name = request.client_order_id
        self._open.setdefault(name, SentOrder(request=request, sent_at=at))
        self._under_way.add(name)

    def answered(self, name: str, broker_order_id: str | None, *, refused: bool = False) -> None:
        """An answer came, or it is given up. None and not refused: nobody knows."""
        self._under_way.discard(name)
        if broker_order_id is not None:
            self._bind(name, broker_order_id)
        elif refused:
            self._open.pop(name, None)

    def number(self, name: str) -> str | None:
        """Robinhood's id of an order of ours."""
        self._load()
        return self._numbers.get(name)

    def without_number(self, name: str) -> SentOrder | None:
        """What was asked for under a name, where no answer said which order that is."""
        self._load()
        return self._open.get(name)

    @property
    def lost(self) -> tuple[SentOrder, ...]:
        """Those whose answer is no longer awaited."""
        self._load()
        return tuple(each for name, each in self._open.items() if name not in self._under_way)

    @property
    def resting(self) -> Mapping[str, datetime]:
        """Orders of earlier sessions that may still fill: when they were sent, by Robinhood's id."""
        self._load()
        return self._resting

    def name_of(self, told: ToldOrder) -> str | None:
        """An order's name: ours, or Robinhood's id for somebody else's. None: it may be one whose answer we lack."""
        self._load()
        name = self._ids.get(told.id)
        if name is not None:
            return name
        return None if any(_fits(told, sent) for sent in self._open.values()) else told.id

    def find(self, sent: SentOrder, told: Sequence[ToldOrder]) -> ToldOrder | None:
        """The order among these that was sent; None: none of them.

        Raises: AskOperator where it may be any of several, or where others of ours may be the same one.
        """
        fit = [each for each in told if each.id not in self._ids and _fits(each, sent)]
        if not fit:
            return None
        rivals = [each for each in self._open.values() if any(_fits(order, each) for order in fit)]
        name = sent.request.client_order_id
        if len(fit) > 1 or len(rivals) > 1:
            raise AskOperator(
                f"{len(fit)} orders at Robinhood may be {name}, whose answer was lost, and {len(rivals)} of ours may "
                "be they",
                kept="it is not sent again, and none of them is taken for it",
                next_step="cancel what is too much in Robinhood's application, then start the session again",
            )
        self._bind(name, fit[0].id)
        return fit[0]

    def _bind(self, name: str, number: str) -> None:
        self._ids[number] = name
        self._numbers[name] = number
        self._open.pop(name, None)

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True
        for sent in self._recorded():
            name = sent.request.client_order_id
            if sent.broker_order_id is None:
                self._open[name] = sent
            else:
                self._bind(name, sent.broker_order_id)
                if sent.is_open:
                    self._resting[sent.broker_order_id] = sent.sent_at


def _fits(told: ToldOrder, sent: SentOrder) -> bool:
    return told.created_at >= sent.sent_at - _CLOCKS and is_of(told, sent.request)
