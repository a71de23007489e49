"""How a config says how much a position may be."""

import pytest
from pydantic import ValidationError

from magellan.strategy.contract import Parameters
from magellan.strategy.sizing import EquityShare, SizeChoice
from magellan.strategy.trade_plan import CashFraction, EquityFraction, Notional, Units


class Sized(Parameters):
    size: SizeChoice = EquityShare(fraction=0.1)


WORDS = {
    '{"kind": "equity", "fraction": 0.25}': EquityFraction(fraction=0.25),
    '{"kind": "cash", "fraction": 1.0}': CashFraction(fraction=1.0),
    '{"kind": "amount", "usd": 5000}': Notional(usd=5000.0),
    '{"kind": "units", "units": 3}': Units(units=3.0),
}


@pytest.mark.parametrize("words", WORDS)
def test_a_config_chooses_a_size_by_its_kind(words: str) -> None:
    size = Sized.model_validate_json(f'{{"size": {words}}}').size.size
    expected = WORDS[words]
    if isinstance(expected, EquityFraction):  # holds columns too, so it is compared by identity
        assert isinstance(size, EquityFraction) and size.fraction == expected.fraction
    else:
        assert size == expected


def test_a_size_that_is_not_named_is_the_strategys_own() -> None:
    assert Sized.model_validate_json("{}").size == EquityShare(fraction=0.1)


WRONG = {
    "no such kind": '{"kind": "all", "fraction": 1.0}',
    "more than everything": '{"kind": "cash", "fraction": 1.5}',
    "nothing": '{"kind": "equity", "fraction": 0}',
    "a key of another kind": '{"kind": "cash", "fraction": 1.0, "usd": 5}',
    "words for a number": '{"kind": "amount", "usd": "5000"}',
}


@pytest.mark.parametrize("words", WRONG.values(), ids=WRONG)
def test_a_size_that_makes_no_sense_is_refused(words: str) -> None:
    with pytest.raises(ValidationError):
        Sized.model_validate_json(f'{{"size": {words}}}')


def test_equal_choices_are_one_choice_so_that_a_sweep_computes_them_once() -> None:
    assert hash(Sized(size=EquityShare(fraction=0.2))) == hash(Sized(size=EquityShare(fraction=0.2)))
