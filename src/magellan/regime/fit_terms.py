"""Fit terms: what the compiled step is told about the fit in force, and what its states mean on each axis."""

from __future__ import annotations

from math import log
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.regime.axes import CLASSES, Axis
from magellan.regime.config import Limits
from magellan.regime.decision import expected_right
from magellan.regime.hidden_markov import WICKS, emissions
from magellan.regime.markov_model import MarkovModel
from magellan.regime.state_meaning import meaning_of
from magellan.regime.wick_density import wick_terms

FIT: Final = np.dtype(
    [
        ("on", np.bool_),  # False before the first fit
        ("number", np.float64),
        ("m", np.int64),
        ("wicks", WICKS),
        ("gain", np.float64),
        ("pull", np.float64),
        ("by_level", np.bool_),  # it has one state, whose level tells volatility
        ("below", np.float64),  # logarithms of the limits of volatility, over the typical one
        ("above", np.float64),
        *((axis.value, np.float64) for axis in Axis),  # weight of the filter; 0 where the fit says nothing
    ],
    align=True,
)


def fit_terms(
    model: MarkovModel | None, number: int, limits: Limits, weight: float
) -> tuple[tuple[Any, ...], dict[str, NDArray[Any]]]:
    """The values of FIT, and the arrays that go with them; of None, those of no filter.

    number: of the fit, from 0.
    weight: of the filter beside the rule score.
    """
    below, above = log(limits.low_volatility_below), log(limits.high_volatility_above)
    if model is None:
        one, alone = np.ones(1), np.ones((1, 1))
        centre, (by_wick,) = wick_terms(None, one)
        nothing = {f"means_{axis}": np.zeros((1, len(CLASSES[axis]))) for axis in Axis}
        return (
            (False, 0.0, 2, by_wick, 0.0, 1.0, False, below, above, 0.0, 0.0, 0.0),
            {
                "mean": one,
                "scale": one,
                "inverse": one,
                "height": one,
                "centre": centre,
                "stay": alone,
                "right": alone,
                **nothing,
            },
        )
    meaning = meaning_of(model, limits)
    single = model.states == 1
    inverse, height = emissions(model.scale, model.m)
    centre, (by_wick,) = wick_terms(model.wicks, model.scale)
    arrays = {
        "mean": model.mean,
        "scale": model.scale,
        "inverse": inverse,
        "height": height,
        "centre": centre,
        "stay": model.stay,
        "right": expected_right(model.stay),
        **{f"means_{axis}": meaning.of(axis) for axis in Axis},
    }
    says = (meaning.says(axis) or (single and axis is Axis.VOLATILITY) for axis in Axis)
    return (
        (
            True, float(number), model.m, by_wick, model.level.gain, model.level.pull, single, below, above,
            *(weight if said else 0.0 for said in says),
        ),
        {name: np.ascontiguousarray(array) for name, array in arrays.items()},
    )  # fmt: skip
