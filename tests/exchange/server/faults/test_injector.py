"""When a fault fires."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.errors import FixInput
from magellan.exchange.server.faults.injector import FaultInjector, Fired, Occasion
from magellan.exchange.server.faults.plan import Seam
from magellan.exchange.server.faults.plan_file import read_fault
from magellan.trading.timeframe import SECOND_NS

START_NS = 1_710_158_400 * SECOND_NS  # 2024-03-11 12:00 UTC
AN_ORDER = Occasion(
    now_ns=START_NS,
    method="POST",
    path="/v2/orders",
    key_id="PK1",
    symbol="AAPL",
    side="buy",
    client_order_id="gap-1",
)


def injector(*faults: Mapping[str, Any], seed: int = 0) -> tuple[FaultInjector, list[Fired]]:
    told: list[Fired] = []
    made = FaultInjector(seed=seed, start_ns=START_NS, tell=told.append)
    for fault in faults:
        made.arm(read_fault(fault, source="test"))
    return made, told


def pattern(made: FaultInjector, occasions: int) -> str:
    """Which of so many equal occasions fire: X fires, a dot does not."""
    return "".join("X" if made.first(Seam.ANSWER, AN_ORDER) else "." for _ in range(occasions))


@pytest.mark.parametrize(
    ("terms", "fires"),
    [
        ({}, "XXXXXX"),
        ({"count": 2}, "XX...."),
        ({"when": {"nth": 3}}, "..X..."),
        ({"when": {"nth": [1, 4]}}, "X..X.."),
        ({"when": {"every": 2}}, ".X.X.X"),
        ({"when": {"every": 2}, "count": 1}, ".X...."),
    ],
)
def test_a_fault_fires_on_the_occasions_it_counts(terms: dict[str, Any], fires: str) -> None:
    made, told = injector({"kind": "lost_answer", **terms})
    assert pattern(made, 6) == fires
    assert len(told) == fires.count("X")


@pytest.mark.parametrize(
    ("when", "fires"),
    [
        ({"route": "POST /v2/orders"}, True),
        ({"route": "* /v2/*"}, True),
        ({"route": "GET /v2/orders"}, False),
        ({"symbol": "AAPL"}, True),
        ({"symbol": "A*"}, True),
        ({"symbol": "MSFT"}, False),
        ({"side": "buy"}, True),
        ({"side": "sell"}, False),
        ({"client_order_id": "gap-*"}, True),
        ({"client_order_id": "exit-*"}, False),
        ({"order_id": "*"}, True),
        ({"order_id": "?*"}, False),
        ({"key_id": "PK1"}, True),
        ({"key_id": "PK2"}, False),
        ({"from_at": "2024-03-11T12:00:00Z"}, True),
        ({"from_at": "2024-03-11T12:00:01Z"}, False),
        ({"until_at": "2024-03-11T12:00:00Z"}, False),
        ({"until_at": "2024-03-11T08:00:01-04:00"}, True),
        ({"after_s": 0}, True),
        ({"after_s": 1}, False),
        ({"before_s": 1}, True),
    ],
)
def test_a_fault_fires_only_where_all_its_triggers_hold(when: dict[str, Any], fires: bool) -> None:
    made, _ = injector({"kind": "lost_answer", "when": when})
    assert (made.first(Seam.ANSWER, AN_ORDER) is not None) is fires


def test_occasions_that_do_not_match_are_not_counted() -> None:
    made, _ = injector({"kind": "lost_answer", "when": {"symbol": "MSFT", "nth": 1}})
    assert pattern(made, 5) == "....."
    assert made.armed()[0].matched == 0


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32), probability=st.floats(0.1, 0.9))
def test_chance_is_the_seeds(seed: int, probability: float) -> None:
    fault = {"kind": "lost_answer", "when": {"probability": probability}}
    first, second = (pattern(injector(fault, seed=seed)[0], 60) for _ in range(2))
    assert first == second
    assert pattern(injector(fault, seed=seed + 1)[0], 60) != first or first.count("X") in (0, 60)


def test_adding_a_fault_does_not_change_the_chance_of_another() -> None:
    fault = {"kind": "lost_answer", "when": {"probability": 0.5}}
    alone, _ = injector(fault)
    beside, _ = injector(fault, {"kind": "lost_event", "when": {"probability": 0.5}})
    fires = []
    for _ in range(40):
        beside.first(Seam.EVENT, AN_ORDER)
        fires.append("X" if beside.first(Seam.ANSWER, AN_ORDER) else ".")
    assert "".join(fires) == pattern(alone, 40)


def test_the_first_of_two_faults_that_fires_is_it() -> None:
    made, told = injector({"kind": "lost_answer", "when": {"nth": 2}}, {"kind": "no_answer"})
    assert [made.first(Seam.ANSWER, AN_ORDER).kind for _ in range(3)] == [
        "no_answer",
        "lost_answer",
        "no_answer",
    ]
    assert [each.kind for each in told] == ["no_answer", "lost_answer", "no_answer"]


def test_a_fault_taken_out_of_force_fires_no_more() -> None:
    made, _ = injector({"kind": "lost_answer"})
    made.disarm(1)
    assert pattern(made, 2) == ".."
    with pytest.raises(FixInput, match="no fault has the id 1"):
        made.disarm(1)
