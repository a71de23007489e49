"""What the simulated account holds: cash and positions, exact. Only fills and splits change them."""

from __future__ import annotations

from decimal import Decimal

from magellan.adapters.simulated.sim_order import ZERO


class Holdings:
    """cash in USD; positions and their costs by symbol, signed, without those that are flat."""

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.positions: dict[str, Decimal] = {}
        self._costs: dict[str, Decimal] = {}

    def trade(self, symbol: str, signed: Decimal, price: Decimal, fee: Decimal) -> None:
        """Book a fill: units bought, or sold where negative."""
        self.cash -= signed * price + fee
        held, cost = self.positions.get(symbol, ZERO), self._costs.get(symbol, ZERO)
        after = held + signed
        if held * signed >= 0:
            cost += signed * price
        elif after * held > 0:
            cost = cost * after / held
        else:
            cost = after * price
        if after == 0:
            self.positions.pop(symbol, None)
            self._costs.pop(symbol, None)
        else:
            self.positions[symbol], self._costs[symbol] = after, cost

    def split(self, symbol: str, new_shares: int, old_shares: int) -> None:
        """Change the share basis; what the position has cost stays."""
        if symbol in self.positions:
            self.positions[symbol] = self.positions[symbol] * new_shares / old_shares

    def average_entry_price(self, symbol: str) -> Decimal:
        """Of a symbol that is held."""
        return self._costs[symbol] / self.positions[symbol]
