"""Eras: which fields and rules Alpaca's API had on a day. Data; `--api-as-of` chooses the day.

Sources: Alpaca's change log for the dates of 2026; docs/guides/exchange.md lists them for readers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Something the API has from a day on, or until the day before another."""

    name: str
    starts_on: date | None = None
    ends_on: date | None = None  # the first day without it
    what: str

    def holds(self, on: date) -> bool:
        return (self.starts_on is None or on >= self.starts_on) and (
            self.ends_on is None or on < self.ends_on
        )


FEATURES = (
    Feature(
        name="pattern_day_trading",
        ends_on=date(2026, 7, 6),
        what="account: pattern_day_trader, daytrade_count, daytrading_buying_power; configurations: pdt_check, "
        "dtbp_check; the fourth day trade below 25,000 $ is denied",
    ),
    Feature(name="easy_to_borrow", ends_on=date(2026, 9, 22), what="assets: easy_to_borrow"),
    Feature(name="borrow_status", starts_on=date(2026, 6, 5), what="assets: borrow_status"),
    Feature(name="accepted_event", starts_on=date(2026, 7, 30), what="trade updates: accepted"),
    Feature(name="order_groups", starts_on=date(2026, 10, 8), what="orders: group_id, group_role"),
    Feature(name="extended_gtc", starts_on=date(2026, 1, 1), what="orders: extended hours with gtc"),
)


class Era:
    """The API of one day. `easy_to_borrow` is kept for clients that cannot do without it (alpaca-py 0.44)."""

    def __init__(self, as_of: date, *, keeps_easy_to_borrow: bool = True) -> None:
        self.as_of = as_of
        held = {feature.name for feature in FEATURES if feature.holds(as_of)}
        if keeps_easy_to_borrow:
            held.add("easy_to_borrow")
        self.pattern_day_trading = "pattern_day_trading" in held
        self.easy_to_borrow = "easy_to_borrow" in held
        self.borrow_status = "borrow_status" in held
        self.accepted_event = "accepted_event" in held
        self.order_groups = "order_groups" in held
        self.extended_gtc = "extended_gtc" in held
