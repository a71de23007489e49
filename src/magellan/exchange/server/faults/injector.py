"""The injector: which faults of a plan fire on an occasion. Counts, chance and time windows live here."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from magellan.errors import FixInput
from magellan.exchange.server.faults.plan import FaultTerms, Seam, When
from magellan.trading.bar import nanoseconds
from magellan.trading.timeframe import SECOND_NS

FIRED_KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a fault's triggers are held against; "" where something does not apply."""

    now_ns: int
    method: str = ""
    path: str = ""
    key_id: str = ""
    symbol: str = ""
    side: str = ""
    order_id: str = ""
    client_order_id: str = ""
    event: str = ""
    stream: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """A fault that fired. id: of the fault, as the control API calls it."""

    id: int
    name: str
    kind: str
    at_ns: int
    occasion: Occasion


@dataclass(slots=True, eq=False)
class ArmedFault:
    """A fault in force, with what it has counted so far."""

    id: int
    terms: FaultTerms
    chance: random.Random
    matched: int = 0
    fired: int = 0
    positions: frozenset[int] = field(default_factory=frozenset)

    @property
    def kind(self) -> str:
        return str(self.terms.kind)  # type: ignore[attr-defined]  # every kind has one; the base cannot name it

    @property
    def name(self) -> str:
        return self.terms.name or self.kind

    @property
    def is_spent(self) -> bool:
        return self.terms.count is not None and self.fired >= self.terms.count


class FaultInjector:
    """The faults in force, tried in their order.

    seed:     of the exchange; each fault draws from its own generator, so that adding one changes no other.
    start_ns: exchange time from which `after_s` and `before_s` count.
    tell:     called for each fault that fires.
    """

    def __init__(self, *, seed: int, start_ns: int, tell: Callable[[Fired], None]) -> None:
        self._seed = seed
        self._start_ns = start_ns
        self._tell = tell
        self._by_seam: dict[Seam, list[ArmedFault]] = {seam: [] for seam in Seam}
        self._last_id = 0
        self.fired: list[Fired] = []

    def arm(self, terms: FaultTerms) -> ArmedFault:
        """Put a fault in force, after those that are."""
        self._last_id += 1
        nth = terms.when.nth
        armed = ArmedFault(
            id=self._last_id,
            terms=terms,
            chance=random.Random(f"{self._seed}/{self._last_id}/{terms.name or ''}"),
            positions=frozenset(nth if isinstance(nth, tuple) else () if nth is None else (nth,)),
        )
        self._by_seam[terms.seam].append(armed)
        return armed

    def disarm(self, id_: int) -> ArmedFault:
        """Take a fault out of force. Raises FixInput for an id that none has."""
        for armed in self.armed():
            if armed.id == id_:
                self._by_seam[armed.terms.seam].remove(armed)
                return armed
        known = ", ".join(str(each.id) for each in self.armed()) or "none is in force"
        raise FixInput(f"no fault has the id {id_}; in force: {known}")

    def armed(self) -> tuple[ArmedFault, ...]:
        """Every fault in force, in the order in which they are tried."""
        return tuple(
            sorted((each for row in self._by_seam.values() for each in row), key=lambda each: each.id)
        )

    def at(self, seam: Seam) -> Sequence[ArmedFault]:
        """The faults in force at a seam; where there is none, an occasion need not even be described."""
        return self._by_seam[seam]

    def fires(self, seam: Seam, occasion: Occasion) -> Iterator[ArmedFault]:
        """The faults that fire, counted and told. Lazy: a fault not asked for has not been tried."""
        for armed in tuple(self._by_seam[seam]):
            if self.tried(armed, occasion):
                yield armed

    def first(self, seam: Seam, occasion: Occasion) -> ArmedFault | None:
        """The first fault that fires, or None."""
        return next(self.fires(seam, occasion), None)

    def tried(self, armed: ArmedFault, occasion: Occasion) -> bool:
        """Whether one fault fires on an occasion; when it does, it is counted and told."""
        if not self._is_due(armed, occasion):
            return False
        self.count(armed, occasion)
        return True

    def count(self, armed: ArmedFault, occasion: Occasion) -> None:
        """Note that a fault fired."""
        armed.fired += 1
        fired = Fired(id=armed.id, name=armed.name, kind=armed.kind, at_ns=occasion.now_ns, occasion=occasion)
        self.fired.append(fired)
        del self.fired[:-FIRED_KEPT]
        self._tell(fired)

    def is_in_window(self, when: When, now_ns: int) -> bool:
        """Whether exchange time lies in a trigger's window."""
        since_start_s = (now_ns - self._start_ns) / SECOND_NS
        return not (
            (when.from_at is not None and now_ns < nanoseconds(when.from_at))
            or (when.until_at is not None and now_ns >= nanoseconds(when.until_at))
            or (when.after_s is not None and since_start_s < when.after_s)
            or (when.before_s is not None and since_start_s >= when.before_s)
        )

    def applies(self, armed: ArmedFault, occasion: Occasion) -> bool:
        """Whether a fault's window and patterns hold, without counting."""
        when = armed.terms.when
        return self.is_in_window(when, occasion.now_ns) and _matches(when, occasion)

    def reseed(self, seed: int) -> None:
        """Draw the chance of faults armed from now on from another seed: that of a plan."""
        self._seed = seed

    def _is_due(self, armed: ArmedFault, occasion: Occasion) -> bool:
        when = armed.terms.when
        if armed.is_spent or not self.applies(armed, occasion):
            return False
        armed.matched += 1
        if armed.positions:
            return armed.matched in armed.positions
        if when.every is not None:
            return armed.matched % when.every == 0
        if when.probability is not None:
            return armed.chance.random() < when.probability
        return True


def _matches(when: When, occasion: Occasion) -> bool:
    if when.route is not None:
        method, _, path = when.route.partition(" ")
        if method not in ("*", occasion.method) or not fnmatchcase(occasion.path, path):
            return False
    patterns = (
        (when.symbol, occasion.symbol),
        (when.order_id, occasion.order_id),
        (when.client_order_id, occasion.client_order_id),
        (when.key_id, occasion.key_id),
        (when.event, occasion.event),
    )
    return (
        all(pattern is None or fnmatchcase(value, pattern) for pattern, value in patterns)
        and (when.side is None or when.side == occasion.side)
        and (when.stream is None or when.stream == occasion.stream)
    )
