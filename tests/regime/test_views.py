"""Views name every combination of the axes exactly once, or are refused."""

from __future__ import annotations

from itertools import product

import pytest

from magellan.errors import FixInput
from magellan.regime.axes import CLASSES, Axis
from magellan.regime.config import RegimeConfig, ViewRow, ViewTable
from magellan.regime.views import BUILT_IN, checked, view_of

COMBINATIONS = list(product(*(range(len(CLASSES[axis])) for axis in Axis)))


@pytest.mark.parametrize(("name", "regimes"), [("18", 18), ("12", 12), ("8", 8)])
def test_a_built_in_view_has_as_many_names_as_it_says_and_each_occurs(name: str, regimes: int) -> None:
    view = checked(BUILT_IN[name])
    assert len(view.names) == regimes
    assert {view.name_of(*at) for at in COMBINATIONS} == set(view.names)


def own(*rows: ViewRow) -> RegimeConfig:
    return RegimeConfig(view="mine", views=(ViewTable(name="mine", rows=rows),))


CALM = ViewRow(name="calm", volatility=("low", "medium"))
WILD = ViewRow(name="wild", volatility=("high",))


def test_a_users_own_view_names_markets() -> None:
    view = view_of(own(CALM, WILD))
    assert [view.name_of(volatility, 2, 1) for volatility in range(3)] == ["calm", "calm", "wild"]


def test_an_axis_that_a_view_does_not_ask_about_may_be_unknown() -> None:
    view = view_of(own(CALM, WILD))
    assert view.name_of(0, -1, -1) == "calm"
    assert view.name_of(-1, 0, 0) == "unknown"


def test_a_hole_is_told_with_the_markets_that_fall_into_it() -> None:
    with pytest.raises(FixInput, match=r"15 combinations have no name: high/strong_down/trending"):
        view_of(own(CALM))


def test_an_overlap_is_told_with_both_names() -> None:
    with pytest.raises(FixInput, match=r"have two: low/strong_up/trending is calm and rally"):
        view_of(own(CALM, WILD, ViewRow(name="rally", volatility=("low",), trend=("strong_up",))))


def test_a_class_that_an_axis_does_not_have_is_told_with_those_it_has() -> None:
    with pytest.raises(FixInput, match="volatility has no class 'extreme'") as told:
        view_of(own(CALM, ViewRow(name="wild", volatility=("extreme",))))
    assert "low, medium, high" in told.value.next_step


def test_an_unknown_view_and_one_that_hides_a_built_in_are_refused() -> None:
    with pytest.raises(FixInput, match="no view called '35'"):
        view_of(RegimeConfig(view="35"))
    with pytest.raises(FixInput, match="built in"):
        view_of(RegimeConfig(views=(ViewTable(name="18", rows=(CALM, WILD)),)))
