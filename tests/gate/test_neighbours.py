"""Parameter neighbours: every number a tenth down and a tenth up."""

from datetime import time
from typing import Annotated

from pydantic import Field

from magellan.gate.neighbours import neighbours
from magellan.strategy.contract import NoParameters, Parameters


class Rules(Parameters):
    period: Annotated[int, Field(ge=14)] = 14
    fast: int = 3
    stop_atr: float = 0.5
    shift: float = -2.0
    offset: float = 0.0
    both_sides: bool = True
    leave_at: time = time(15, 55)


def test_every_number_moves_by_a_tenth_and_whole_numbers_by_at_least_one() -> None:
    found = {str(each): each.parameters["AMC"] for each in neighbours({"AMC": Rules()})}
    names = "period x 1.1, fast x 0.9, fast x 1.1, stop_atr x 0.9, stop_atr x 1.1, shift x 0.9, shift x 1.1"
    assert ", ".join(found) == names
    assert found["period x 1.1"].period == 15
    assert (found["fast x 0.9"].fast, found["fast x 1.1"].fast) == (2, 4)
    assert found["stop_atr x 0.9"].stop_atr == 0.45
    assert found["shift x 1.1"].shift == -2.2


def test_one_parameter_moves_at_a_time_for_every_symbol_from_its_own_value() -> None:
    own = {"AMC": Rules(period=20), "GME": Rules(period=40)}
    up = next(each for each in neighbours(own) if str(each) == "period x 1.1")
    assert {symbol: each.period for symbol, each in up.parameters.items()} == {"AMC": 22, "GME": 44}
    assert all(each.fast == 3 and each.stop_atr == 0.5 for each in up.parameters.values())


def test_what_the_model_refuses_for_one_symbol_is_no_neighbour() -> None:
    own = {"AMC": Rules(period=20), "GME": Rules(period=14)}
    assert "period x 0.9" not in [str(each) for each in neighbours(own)]


def test_a_strategy_without_numbers_has_no_neighbours() -> None:
    assert list(neighbours({"AMC": NoParameters()})) == []
