"""Rule score: components of bars and options, weighed into probabilities of each axis' classes.

A component that knows nothing at a bar is left out there, and the others' weights count in full. How much of the weight
had something to say is the coverage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from magellan.compiled import kernel
from magellan.regime.axes import CLASSES, Axis
from magellan.regime.components.component import Market, Output, RuleComponent
from magellan.regime.components.levels import CentralPivotRange, Pivots, SupportResistance
from magellan.regime.components.options import (
    GreeksSentiment,
    IvPercentile,
    IvSkew,
    IvSurface,
    OpenInterest,
    Straddle,
)
from magellan.regime.components.structure import AdxStrength, Correlation
from magellan.regime.components.trend import EmaAlignment, Slope, TimeframeVote
from magellan.regime.components.volatility import AtrPercentile, Squeeze
from magellan.regime.components.volume import VolumeProfile, VwapBands
from magellan.regime.config import Components
from magellan.regime.rows import Rows
from magellan.trading.bar import Floats

AXES: Final = tuple(Axis)
COMPONENTS: Final[tuple[type[Any], ...]] = (
    AtrPercentile, Squeeze, Slope, EmaAlignment, TimeframeVote, VwapBands, AdxStrength, CentralPivotRange, Pivots,
    SupportResistance, VolumeProfile, Correlation, Straddle, GreeksSentiment, OpenInterest, IvPercentile, IvSkew,
    IvSurface,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one component says about one axis at one bar."""

    component: str
    axis: Axis
    value: float | None  # the number behind the score, in the component's own unit
    score: float | None  # in [-1, 1]; None where it knows nothing
    breaking: float  # share of a break; 0 on other axes than structure
    weight: float
    missing: str  # why there is no score; "" where there is one


class RuleScore:
    """All components of one symbol."""

    def __init__(self, config: Components, rows: Rows) -> None:
        self._off: list[tuple[str, tuple[Axis, ...], float]] = []
        self._parts: list[RuleComponent] = []
        for kind in COMPONENTS:
            terms = getattr(config, kind.name)
            if terms.enabled and terms.weight > 0.0:
                self._parts.append(kind(terms))
            else:
                self._off.append((kind.name, kind.axes, terms.weight))
        slots = sum(len(part.axes) for part in self._parts)
        self._scores = rows.column("scores", max(slots, 1))
        self._breaks = rows.column("breaks", max(len(self._parts), 1))
        self._work = [rows.column(f"work of {part.name}", part.work_columns) for part in self._parts]
        self._shares = {axis: rows.column(f"rule {axis}", len(CLASSES[axis])) for axis in AXES}
        self._coverage = rows.column("coverage", len(AXES))
        self._slot_axis = np.array(
            [AXES.index(axis) for part in self._parts for axis in part.axes], dtype=np.int64
        )
        self._slot_weight = np.array([part.weight for part in self._parts for _ in part.axes])
        self._first_slot = np.cumsum([0, *(len(part.axes) for part in self._parts)]).tolist()
        self._absent: dict[str, str] = {}

    @property
    def coverage(self) -> Floats:
        """Shape (rows, axes): share of the weight that had something to say."""
        return self._coverage.values

    def shares(self, axis: Axis) -> Floats:
        """Shape (rows, classes): probabilities; NaN where no component knows anything."""
        return self._shares[axis].values

    def extend(self, market: Market, start: int) -> None:
        """Take in rows from `start` on."""
        self._breaks.values[start:] = 0.0
        for at, part in enumerate(self._parts):
            why = part.absent(market)
            if why is None:
                self._absent.pop(part.name, None)
                part.extend(market, start, self._output(at))
            else:
                self._absent[part.name] = why
                self._scores.values[start:, self._first_slot[at] : self._first_slot[at + 1]] = np.nan
        volatility, trend, structure = (self._shares[axis].values for axis in AXES)
        _weigh(
            self._scores.values, self._breaks.values, self._slot_axis, self._slot_weight, start,
            volatility, trend, structure, self._coverage.values,
        )  # fmt: skip

    def evidence(self, row: int) -> tuple[Evidence, ...]:
        """What every component says at a row, those that are off included."""
        found = []
        for at, part in enumerate(self._parts):
            out = self._output(at)
            for slot, axis in enumerate(part.axes):
                score = float(out.score[row, slot])
                known = score == score
                found.append(
                    Evidence(
                        component=part.name,
                        axis=axis,
                        value=part.value(out, row) if known else None,
                        score=score if known else None,
                        breaking=float(out.breaking[row]) if axis is Axis.STRUCTURE else 0.0,
                        weight=part.weight,
                        missing="" if known else self._absent.get(part.name, "too few bars yet"),
                    )
                )
        for name, axes, weight in self._off:
            found += [
                Evidence(
                    component=name, axis=axis, value=None, score=None, breaking=0.0, weight=weight,
                    missing="off in the config",
                )
                for axis in axes
            ]  # fmt: skip
        return tuple(found)

    def _output(self, at: int) -> Output:
        return Output(
            work=self._work[at].values,
            score=self._scores.values[:, self._first_slot[at] : self._first_slot[at + 1]],
            breaking=self._breaks.values[:, at],
        )


@kernel
def _weigh(
    scores: Any, breaks: Any, slot_axis: Any, weights: Any, start: int, volatility: Any, trend: Any, structure: Any,
    coverage: Any,
) -> None:  # fmt: skip
    """The mean of what components say, by weight. As `axes.class_probabilities`, of one row.

    Breaks do not average: one component that sees a whole break makes it as likely as not, another one more so.
    """
    for row in range(start, len(scores)):
        volatility[row, :] = 0.0
        trend[row, :] = 0.0
        structure[row, :] = 0.0
        unbroken = 1.0
        for part in range(breaks.shape[1]):
            unbroken *= 1.0 - 0.5 * breaks[row, part]
        for axis in range(3):
            known = 0.0
            total = 0.0
            for slot in range(len(slot_axis)):
                if slot_axis[slot] != axis:
                    continue
                total += weights[slot]
                score = scores[row, slot]
                if np.isnan(score):
                    continue
                known += weights[slot]
                score = min(1.0, max(-1.0, score))
                if axis == 0:
                    volatility[row, 0] += weights[slot] * max(0.0, -score)
                    volatility[row, 1] += weights[slot] * (1.0 - abs(score))
                    volatility[row, 2] += weights[slot] * max(0.0, score)
                elif axis == 1:
                    place = 2.0 * (score + 1.0)
                    lower = min(int(place), 3)
                    trend[row, lower] += weights[slot] * (lower + 1.0 - place)
                    trend[row, lower + 1] += weights[slot] * (place - lower)
                else:
                    structure[row, 0] += weights[slot] * unbroken * (1.0 + score) / 2.0
                    structure[row, 1] += weights[slot] * unbroken * (1.0 - score) / 2.0
                    structure[row, 2] += weights[slot] * (1.0 - unbroken)
            coverage[row, axis] = known / total if total > 0.0 else 0.0
            share = 1.0 / known if known > 0.0 else np.nan
            if axis == 0:
                volatility[row, :] *= share
            elif axis == 1:
                trend[row, :] *= share
            else:
                structure[row, :] *= share
