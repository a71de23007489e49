"""What a broker can do at all, as data: checked against what a strategy needs before its first bar."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.trading.order import OrderClass, OrderType, TimeInForce
from magellan.trading.trade_terms import TradeTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a broker can do at all. Checked against what a strategy needs before its first bar."""

    name: str
    order_types: frozenset[OrderType]
    order_classes: frozenset[OrderClass]
    times_in_force: frozenset[TimeInForce]
    asset_classes: frozenset[str]  # for example us_equity
    fractions: bool
    shorts: bool
    extended_hours: bool
    order_stream: bool  # tells order events by itself; False: they must be asked for
    replace: bool
    requests_per_minute: int | None
    # Orders of these types may be for fractions, where there are any.
    fraction_types: frozenset[OrderType] = frozenset(OrderType)
    # Entries of these types may carry their take-profit and stop-loss along.
    bracket_entry_types: frozenset[OrderType] = frozenset({OrderType.MARKET, OrderType.LIMIT})

    @property
    def carries_protection(self) -> bool:
        """Whether an entry may bring its protection along, asleep until it has filled."""
        return {OrderClass.BRACKET, OrderClass.OTO} <= self.order_classes

    @property
    def holds_both(self) -> bool:
        """Whether a stop and a target may rest for the same units, of which one cancels the other."""
        return OrderClass.OCO in self.order_classes

    def cannot_hold(self, terms: TradeTerms) -> str | None:
        """Why a trade's protection cannot rest here as it is meant; None: it can."""
        if (terms.stop is not None or terms.trail is not None) and terms.targets and not self.holds_both:
            return f"{self.name} cannot hold a stop and a target for the same units"
        return None

    def what_is_held(self) -> tuple[str, ...]:
        """What of a trade's protection rests here, and what does not, in sentences; none where all of it does."""
        if self.carries_protection and self.holds_both and self.replace:
            return ()
        found = [f"{self.name} holds a stop, or a target, for what was bought"]
        if not self.carries_protection:
            found.append(
                "it is sent when the entry has filled, and until it is there nothing protects those units"
            )
        if not self.holds_both:
            found.append(
                "a stop and a target cannot rest for the same units: entries that want both are not made"
            )
        if not self.replace:
            found.append(
                "a stop that moves is cancelled and sent anew: in between nothing protects those units"
            )
        if not self.order_stream:
            found.append("it tells no fills by itself: it is asked, and everything here is later by that")
        return tuple(found)
