"""Rule score: components of bars and options, weighed into probabilities of each axis' classes.

A component that knows nothing at a bar is left out there, and the others' weights count in full. How much of the weight
had something to say is the coverage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from magellan.compiled import kernel_part
from magellan.regime.axes import CLASSES, Axis
from magellan.regime.components.component import (
    BarComponent,
    ChainComponent,
    ChainMarket,
    Output,
)
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
from magellan.regime.option_chain import ChainColumns
from magellan.regime.rows import Rows
from magellan.trading.bar import Floats

AXES: Final = tuple(Axis)
COMPONENTS: Final[tuple[type[Any], ...]] = (
    AtrPercentile, Squeeze, Slope, EmaAlignment, TimeframeVote, VwapBands, AdxStrength, CentralPivotRange, Pivots,
    SupportResistance, VolumeProfile, Correlation, Straddle, GreeksSentiment, OpenInterest, IvPercentile, IvSkew,
    IvSurface,
)  # fmt: skip
SLOT: Final = {  # the first column of each component's scores
    kind.name: sum(len(before.axes) for before in COMPONENTS[:at]) for at, kind in enumerate(COMPONENTS)
}
PART: Final = {kind.name: at for at, kind in enumerate(COMPONENTS)}  # the column of its breaks
_SLOTS: Final = sum(len(kind.axes) for kind in COMPONENTS)
OFF: Final = "off in the config"


RULES: Final = np.dtype(  # what the compiled step is told about components of bars
    [(kind.name, kind.record) for kind in COMPONENTS if issubclass(kind, BarComponent)], align=True
)


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
    """All components of one symbol, and their columns. What is off in the config keeps its place and counts nothing."""

    def __init__(self, config: Components, rows: Rows) -> None:
        self._parts: tuple[BarComponent | ChainComponent, ...] = tuple(
            kind(getattr(config, kind.name)) for kind in COMPONENTS
        )
        self._off = frozenset(
            part.name
            for part in self._parts
            if not getattr(config, part.name).enabled or not part.weight > 0.0
        )
        self._missing: dict[str, str] = dict.fromkeys(self._off, OFF)
        self._reads_chains = True  # until it is known that there is none
        self._scores = rows.column("scores", _SLOTS)
        self._breaks = rows.column("breaks", len(self._parts))
        self._work = {
            part.name: rows.column(f"work of {part.name}", max(part.work_columns, 1)) for part in self._parts
        }
        self._shares = {axis: rows.column(f"rule {axis}", len(CLASSES[axis])) for axis in AXES}
        self._coverage = rows.column("coverage", len(AXES))

    @property
    def coverage(self) -> Floats:
        """Shape (rows, axes): share of the weight that had something to say."""
        return self._coverage.values

    def shares(self, axis: Axis) -> Floats:
        """Shape (rows, classes): probabilities; NaN where no component knows anything."""
        return self._shares[axis].values

    def terms(self, *, is_daily: bool, others: int) -> tuple[Any, ...]:
        """The values of RULES in such a market. Remembers why which component has nothing to read."""
        found = []
        for part in self._parts:
            if isinstance(part, BarComponent):
                missing = part.nothing_to_read(is_daily=is_daily, others=others)
                if missing is not None:
                    self._missing.setdefault(part.name, missing)
                found.append(part.terms(on=part.name not in self._missing))
        return tuple(found)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What the compiled step reads and writes of components, by name."""
        weights = [0.0 if part.name in self._off else part.weight for part in self._parts for _ in part.axes]
        slot_axes = [AXES.index(axis) for part in self._parts for axis in part.axes]
        bars = [part for part in self._parts if isinstance(part, BarComponent)]
        return {
            **{part.name: self._work[part.name].room for part in bars},
            **{name: array for part in bars for name, array in part.lists().items()},
            **{f"rule_{axis}": self._shares[axis].room for axis in AXES},
            "scores": self._scores.room,
            "breaks": self._breaks.room,
            "coverage": self._coverage.room,
            "slot_axes": np.array(slot_axes, dtype=np.int64),
            "slot_weights": np.array(weights, dtype=np.float64),
        }

    def read_chain(self, close: Floats, offset: int, chain: ChainColumns | None, start: int) -> None:
        """Write what components of options say from row `start` on; the compiled step weighs it.

        close: of all kept rows.
        chain: of the rows from `start` on; None where there is none.
        """
        if chain is None and not self._reads_chains:
            return
        self._reads_chains = chain is not None
        for at, part in enumerate(self._parts):
            if isinstance(part, BarComponent) or part.name in self._off:
                continue
            why = part.absent(chain)
            if why is None:
                assert chain is not None, "a component of options has something to read without a chain"
                self._missing.pop(part.name, None)
                part.extend(ChainMarket(close=close, offset=offset, chain=chain), start, self._output(at))
            else:
                self._missing[part.name] = why

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
                        breaking=float(np.nan_to_num(out.breaking[row])) if axis is Axis.STRUCTURE else 0.0,
                        weight=part.weight,
                        missing="" if known else self._missing.get(part.name, "too few bars yet"),
                    )
                )
        return tuple(found)

    def _output(self, at: int) -> Output:
        part = self._parts[at]
        first = SLOT[part.name]
        return Output(
            work=self._work[part.name].values,
            score=self._scores.values[:, first : first + len(part.axes)],
            breaking=self._breaks.values[:, at],
        )


@kernel_part
def weigh_row(
    scores: Any, breaks: Any, slot_axis: Any, weights: Any, row: int, volatility: Any, trend: Any, structure: Any,
    coverage: Any,
) -> None:  # fmt: skip
    """The mean of what components say at a row, by weight. As `axes.class_probabilities`, of one row.

    Breaks do not average: one component that sees a whole break makes it as likely as not, another one more so.
    """
    unbroken = 1.0
    for part in range(breaks.shape[1]):
        if breaks[row, part] > 0.0:  # which is not so where nothing was written
            unbroken *= 1.0 - 0.5 * breaks[row, part]
    for k in range(3):
        volatility[row, k] = 0.0
        structure[row, k] = 0.0
    for k in range(5):
        trend[row, k] = 0.0
    for axis in range(3):
        known = 0.0
        total = 0.0
        for slot in range(len(slot_axis)):
            if slot_axis[slot] != axis:
                continue
            weight = weights[slot]
            total += weight
            score = scores[row, slot]
            if math.isnan(score):
                continue
            known += weight
            score = min(1.0, max(-1.0, score))
            if axis == 0:
                volatility[row, 0] += weight * max(0.0, -score)
                volatility[row, 1] += weight * (1.0 - abs(score))
                volatility[row, 2] += weight * max(0.0, score)
            elif axis == 1:
                place = 2.0 * (score + 1.0)
                lower = min(int(place), 3)
                trend[row, lower] += weight * (lower + 1.0 - place)
                trend[row, lower + 1] += weight * (place - lower)
            else:
                structure[row, 0] += weight * unbroken * (1.0 + score) / 2.0
                structure[row, 1] += weight * unbroken * (1.0 - score) / 2.0
                structure[row, 2] += weight * (1.0 - unbroken)
        coverage[row, axis] = known / total if total > 0.0 else 0.0
        share = 1.0 / known if known > 0.0 else math.nan
        if axis == 1:
            for k in range(5):
                trend[row, k] *= share
        else:
            for k in range(3):
                if axis == 0:
                    volatility[row, k] *= share
                else:
                    structure[row, k] *= share
