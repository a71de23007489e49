"""A date in a dozen lines: what was decided, and why it did not become an order."""

from dataclasses import replace

from ledger.samples import DECISION, OPEN_AT, PLANNED, entry, request
from magellan.ledger.daily_summary import summary_of
from magellan.ledger.entries import LedgerEntry, OrderDenied, Payload
from magellan.trading.purpose import OrderPurpose
from magellan.trading.session import exchange_date

KEPT_OUT = replace(DECISION, reasoning="trades per day used up")
DENIED = OrderDenied(
    strategy="bear_trap", purpose=OrderPurpose.ENTRY, request=request("mg1-denied"), rule="order_usd_max", reason="x"
)  # fmt: skip


def recorded(*payloads: Payload) -> list[LedgerEntry]:
    return [
        LedgerEntry(
            number=number, at=new.at, account="PA1", session=new.session, payload=new.payload,
            previous_hash="0" * 64, hash="1" * 64,
        )
        for number, new in enumerate(map(entry, payloads), 1)
    ]  # fmt: skip


def test_entries_that_a_limit_of_the_day_kept_out_are_counted_with_their_reason() -> None:
    other = replace(KEPT_OUT, symbol="GME")
    entries = recorded(PLANNED, KEPT_OUT, KEPT_OUT, other, DENIED, KEPT_OUT, replace(KEPT_OUT, action="exit"))
    summary = summary_of("PA1", exchange_date(OPEN_AT), entries)
    # The first was entered in spite of its words (a position that turns), the fourth was denied, and counted there.
    assert summary.not_entered == {"trades per day used up": 2}
    assert summary.denied == {"order_usd_max": 1}
    assert summary.decisions == {"enter_long": 4, "exit": 1}
