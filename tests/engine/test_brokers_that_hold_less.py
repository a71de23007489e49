"""A broker that cannot hold what a plan wants: said before the first bar, refused at the entry, never half done."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from engine.scripted import EVERYTHING
from engine.test_session import CONFIG, PLAN, after_bar, world
from magellan.adapters.robinhood.access import CAPABILITIES as ROBINHOOD
from magellan.errors import FixInput
from magellan.strategy import trade_plan as tp
from magellan.trading.order import OrderClass, OrderSide, OrderType
from magellan.usecases.start_session import must_be_able
from magellan.workspace.config import InstrumentTerms

STOP_ALONE = replace(PLAN, targets=())
TARGET_ALONE = replace(
    PLAN, stop=None, targets=(tp.Target(price=tp.entry_price().plus(usd=3), fraction=1.0),)
)


def test_a_stop_alone_is_sent_when_the_entry_has_filled() -> None:
    told = world(plan=STOP_ALONE, capabilities=ROBINHOOD)
    told.run(after_bar(1, 10))
    assert told.core.holdings.positions == {"A": Decimal(100)}
    (stop,) = told.core.orders.open()
    assert (stop.type, stop.side, stop.quantity) == (OrderType.STOP, OrderSide.SELL, 100)
    assert stop.order_class is OrderClass.SIMPLE


def test_a_target_alone_rests_too() -> None:
    told = world(plan=TARGET_ALONE, capabilities=ROBINHOOD)
    told.run(after_bar(1, 10))
    (target,) = told.core.orders.open()
    assert (target.type, target.quantity) == (OrderType.LIMIT, 100)


def test_a_stop_and_a_target_that_cannot_rest_together_are_not_entered_and_the_reason_is_kept() -> None:
    told = world(capabilities=ROBINHOOD)
    told.run(after_bar(3))
    assert told.core.holdings.positions == {} and not told.sent
    reasons = [entry.payload.reasoning for entry in told.ledger if entry.kind == "decision"]  # type: ignore[union-attr]
    assert any("robinhood cannot hold a stop and a target for the same units" in each for each in reasons)


def test_what_cannot_rest_is_said_in_sentences_and_a_broker_that_holds_all_says_nothing() -> None:
    assert EVERYTHING.what_is_held() == ()
    told = " ".join(ROBINHOOD.what_is_held())
    for part in (
        "when the entry has filled",
        "entries that want both are not made",
        "cancelled and sent anew",
        "is asked",
    ):
        assert part in told


def test_fractions_that_no_stop_could_protect_are_refused_before_anything_is_opened() -> None:
    class Loaded:
        strategy = None
        folder = type("Folder", (), {"label": "prod/scripted"})
        config = CONFIG.model_copy(update={"instruments": {"A": InstrumentTerms(quantity_step=0.01)}})

    loaded: Any = Loaded()
    must_be_able(loaded, EVERYTHING)
    with pytest.raises(
        FixInput, match="no stops for fractions of a unit, so that nothing could protect them"
    ):
        must_be_able(loaded, ROBINHOOD)
