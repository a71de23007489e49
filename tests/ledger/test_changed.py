"""Records that change are new records, and what cannot be copied safely is refused."""

from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from magellan.ledger.changed import changed
from magellan.ledger.entries import AnswerIs
from magellan.ledger.order_record import OrderRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Refuses to be negative."""

    units: int
    name: str

    def __post_init__(self) -> None:
        if self.units < 0:
            raise ValueError("negative")


def test_a_changed_record_is_what_replacing_its_fields_makes_and_leaves_the_old_one_alone() -> None:
    before = OrderRecord(client_order_id="mg1-a", symbol="AMC", ours=True, filled_quantity=Decimal(3))
    changes = {"answer": AnswerIs.ACCEPTED, "filled_quantity": Decimal(5)}
    after = changed(before, **changes)
    assert after == replace(before, **changes)  # type: ignore[arg-type]  # of several types
    assert (before.answer, before.filled_quantity) == (None, Decimal(3))


def test_a_field_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError, match="unit"):
        changed(OrderRecord(client_order_id="mg1-a", symbol="AMC", ours=True), unit=3)


def test_what_is_checked_when_it_is_made_is_not_copied_past_its_check() -> None:
    with pytest.raises(AssertionError, match="checks its fields"):
        changed(Checked(units=1, name="a"), units=-1)
