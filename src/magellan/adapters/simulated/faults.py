"""Faults of a simulated broker: how often what goes wrong. Chance comes from a seeded generator that is handed in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerFaults:
    """Rates between 0 and 1, each per order or change."""

    refused: float = 0.0  # a submit is refused for no reason that we could know
    rate_limited: float = 0.0  # a submit is refused unread
    rejected_later: float = 0.0  # an order is accepted, and rejected before it works
    partial: float = 0.0  # a fill comes in two parts, the second one bar later
    cancel_ignored: float = 0.0  # a cancel stays pending until it is asked for again
    replace_refused: float = 0.0
    cancelled_alone: float = 0.0  # the broker cancels a resting order by itself, at a bar's open


NO_FAULTS = BrokerFaults()
