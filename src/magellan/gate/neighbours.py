"""Neighbours: parameter sets a little beside the strategy's own. An edge they do not share was fitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from magellan.strategy.contract import Parameters

STEP: Final = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """The strategy's parameters with one of them moved, for every symbol alike."""

    name: str  # of the parameter
    factor: float  # 0.9 or 1.1
    parameters: Mapping[str, Parameters]  # per symbol

    def __str__(self) -> str:
        return f"{self.name} x {self.factor:g}"


def neighbours(parameters: Mapping[str, Parameters]) -> Iterator[Neighbour]:
    """Every numeric parameter moved by a tenth, down and up, one at a time.

    Whole numbers move by at least one. What the strategy's own model refuses is no neighbour, and zero has
    none: a tenth of it is zero.
    """
    first = next(iter(parameters.values()))
    for name in type(first).model_fields:
        for factor in (1 - STEP, 1 + STEP):
            moved = {}
            for symbol, own in parameters.items():
                value = _moved(getattr(own, name), factor)
                if value is None:
                    break
                try:
                    moved[symbol] = type(own).model_validate({**dict(own), name: value})
                except ValidationError:
                    break
            else:
                yield Neighbour(name=name, factor=factor, parameters=moved)


def _moved(value: object, factor: float) -> int | float | None:
    """The value moved; None for what is no number, and for zero."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value == 0:
        return None
    if isinstance(value, float):
        return value * factor
    step = max(1, round(abs(value) * STEP))
    return value + (step if (factor > 1) == (value > 0) else -step)
