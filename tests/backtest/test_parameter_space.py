"""Which sets a sweep tries: written shortly, enumerated in one order, refused only with a count and a reason."""

from datetime import time
from enum import StrEnum
from typing import Literal, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from magellan.backtest.parameter_space import (
    Axis,
    Choice,
    Grid,
    Span,
    parameter_sets,
    parse_grid,
    parse_sample,
    space_fields,
)
from magellan.errors import FixInput
from magellan.strategy.contract import Parameters


class Smoothing(StrEnum):
    SPAN = "span"
    WILDER = "wilder"


class Own(Parameters):
    rsi_period: int = Field(14, ge=2)
    upper: float = 55.0
    lower: float = 45.0
    cap: float | None = None
    side: Literal["long", "short"] = "long"
    smoothing: Smoothing = Smoothing.SPAN
    code: str = "a"
    strict: bool = False
    leave_at: time = time(15, 45)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.lower > self.upper:
            raise ValueError("lower is above upper")
        return self


def values_of(word: str) -> tuple:
    return parse_grid([word], Own).axes[0].values


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("rsi_period=10,14,21", (10, 14, 21)),
        ("rsi_period=10:20:5", (10, 15, 20)),
        ("rsi_period=3:5", (3, 4, 5)),
        ("rsi_period=2, 10:12, 2", (2, 10, 11, 12)),
        ("upper=55:65:2.5", (55, 57.5, 60, 62.5, 65)),
        ("upper=0.1:0.5:0.1", (0.1, 0.2, 0.3, 0.4, 0.5)),
        ("cap=null,10:20:10", (None, 10, 20)),
        ("side=long,short", ("long", "short")),
        ("smoothing=wilder", ("wilder",)),
        ("code=14,a", ("14", "a")),
        ("strict=true,false", (True, False)),
        ("leave_at=15:30,15:45", ("15:30", "15:45")),
    ],
)
def test_values_are_written_as_a_list_or_as_a_range_with_both_ends(word: str, values: tuple) -> None:
    assert values_of(word) == values


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no parameter to vary"),
        (["rsi_period"], "names no values"),
        (["rsi_period="], "names no values"),
        (["rsi_perod=3"], "no parameter 'rsi_perod'"),
        (["rsi_period=3", "rsi_period=5"], "given twice"),
        (["execution.slippage_bps=0,5"], "a key of the config"),
        (["rsi_period=3,,5"], "a value that is empty"),
        (["upper=55:65"], "is not a range"),
        (["upper=55:65:0"], "a step is above zero"),
        (["upper=65:55:1"], "ends before it begins"),
        (["upper=a:b:c"], "'a' is not a number"),
        (["upper=0:inf:1"], "'inf' is not a number"),
        (["upper=0:1e12:0.1"], "the most"),
        (["upper=0:1000:1", "lower=0:1000:0.1"], "the most"),
    ],
)
def test_what_is_no_grid_is_refused_with_what_is_wrong(words: list[str], message: str) -> None:
    with pytest.raises(FixInput, match=message):
        parse_grid(words, Own)


def test_a_misspelt_parameter_is_answered_with_the_nearest() -> None:
    with pytest.raises(FixInput) as raised:
        parse_grid(["rsi_perod=3"], Own)
    assert "did you mean 'rsi_period'?" in raised.value.next_step


def test_a_grid_is_every_combination_and_its_last_parameter_changes_fastest() -> None:
    sets = parameter_sets(parse_grid(["rsi_period=3,5", "upper=50,60"], Own), Own, [{}])
    assert sets.names == ("rsi_period", "upper")
    assert sets.settings == ((3, 50.0), (3, 60.0), (5, 50.0), (5, 60.0))
    assert sets.describe(3) == "rsi_period=5, upper=60.0"


def test_sets_that_the_model_refuses_are_counted_by_reason_with_an_example() -> None:
    sets = parameter_sets(parse_grid(["rsi_period=1,3", "upper=40,50", "lower=45,55"], Own), Own, [{}])
    assert sets.settings == ((3, 50.0, 45.0),)
    assert {each.reason: each.sets for each in sets.rejected} == {
        "rsi_period: Input should be greater than or equal to 2": 4,
        "lower is above upper": 3,
    }
    assert sets.rejected[0].example == "rsi_period=1, upper=40, lower=45"


def test_a_value_of_the_wrong_type_is_refused_by_the_model_and_said() -> None:
    sets = parameter_sets(parse_grid(["rsi_period=2.5,3,word"], Own), Own, [{}])
    assert sets.settings == ((3,),)
    assert sum(each.sets for each in sets.rejected) == 2


def test_a_space_without_any_set_is_refused_with_the_models_reasons() -> None:
    with pytest.raises(
        FixInput, match=r"refuses every parameter set:\n  rsi_period: .*\(2 sets, e.g. rsi_period=0\)"
    ):
        parameter_sets(parse_grid(["rsi_period=0,1"], Own), Own, [{}])


def test_a_set_counts_only_when_the_model_takes_it_with_every_symbols_own_parameters() -> None:
    sets = parameter_sets(parse_grid(["upper=50,60"], Own), Own, [{}, {"lower": 55.0}])
    assert sets.settings == ((60.0,),)


def test_two_spellings_of_one_set_are_tried_once() -> None:
    sets = parameter_sets(parse_grid(["upper=55,55.0,5.5e1,60"], Own), Own, [{}])
    assert sets.settings == ((55.0,), (60.0,))
    assert sets.repeated == 1  # 55.0 and 5.5e1 are one value before the model is asked


def test_a_random_sample_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    def drawn(seed: int) -> tuple:
        space = parse_sample(["rsi_period=5:40", "upper=50:70", "side=long,short"], Own, wanted=20, seed=seed)
        return parameter_sets(space, Own, [{}]).settings

    assert drawn(7) == drawn(7)
    assert drawn(7) != drawn(8)
    assert len(set(drawn(7))) == 20


def test_ranges_are_read_by_the_kind_of_the_parameter() -> None:
    space = parse_sample(
        ["rsi_period=5:40", "upper=50:70", "lower=10:20:5", "side=long,short"], Own, wanted=1, seed=0
    )
    assert space.ranges == (
        Span(name="rsi_period", low=5, high=40, whole=True),
        Span(name="upper", low=50, high=70, whole=False),
        Choice(name="lower", values=(10, 15, 20)),
        Choice(name="side", values=("long", "short")),
    )


@given(
    low=st.integers(-1000, 1000), width=st.integers(0, 1000), seed=st.integers(0, 2**32), whole=st.booleans()
)
def test_a_draw_lies_inside_its_range(low: int, width: int, seed: int, whole: bool) -> None:
    import numpy as np

    span = Span(name="x", low=low, high=low + width, whole=whole)
    value = span.draw(np.random.Generator(np.random.PCG64(seed)))
    assert low <= value <= low + width
    assert isinstance(value, int) or not whole


def test_decimal_draws_can_be_typed_again() -> None:
    space = parse_sample(["upper=55:65"], Own, wanted=50, seed=1)
    assert all(len(str(value)) <= 5 for (value,) in parameter_sets(space, Own, [{}]).settings)


def test_a_sample_of_a_small_space_ends_when_nothing_new_comes_up() -> None:
    sets = parameter_sets(parse_sample(["side=long,short"], Own, wanted=10, seed=0), Own, [{}])
    assert sorted(sets.settings) == [("long",), ("short",)]
    assert sets.repeated > 0


@pytest.mark.parametrize(
    ("words", "wanted", "seed", "message"),
    [
        (["upper=1:2"], 0, 0, "draws 1 to"),
        (["upper=1:2"], 5, -1, "a seed is 0 or more"),
        (["rsi_period=1.5:9"], 5, 0, "is a whole number"),
        (["upper=5:1"], 5, 0, "ends before it begins"),
    ],
)
def test_what_is_no_sample_is_refused(words: list[str], wanted: int, seed: int, message: str) -> None:
    with pytest.raises(FixInput, match=message):
        parse_sample(words, Own, wanted=wanted, seed=seed)


@given(
    axes=st.dictionaries(
        st.sampled_from(["rsi_period", "upper", "lower"]),
        st.lists(st.integers(2, 90), min_size=1, max_size=4, unique=True),
        min_size=1,
    )
)
def test_every_set_of_a_grid_is_tried_or_refused_or_repeated(axes: dict[str, list[int]]) -> None:
    grid = Grid(axes=tuple(Axis(name=name, values=tuple(values)) for name, values in axes.items()))
    try:
        sets = parameter_sets(grid, Own, [{}])
    except FixInput:
        return
    assert len(sets) + sum(each.sets for each in sets.rejected) + sets.repeated == grid.size
    assert len(set(sets.settings)) == len(sets)


def test_a_space_is_written_into_the_manifest_as_plain_values() -> None:
    assert space_fields(parse_grid(["rsi_period=3,5"], Own)) == {
        "kind": "grid",
        "parameters": {"rsi_period": [3, 5]},
    }
    assert space_fields(parse_sample(["upper=1:2", "side=long"], Own, wanted=3, seed=4)) == {
        "kind": "random",
        "parameters": {"upper": {"low": 1, "high": 2, "whole": False}, "side": {"one_of": ["long"]}},
        "wanted": 3,
        "seed": 4,
    }
