"""Decision: from probabilities to a label, with one dial for stability and limits that block.

A label is left for another when the bars that the other is expected to be right, less those that the label is
expected to be right, are more than the price of a switch. Both are counted ahead, each later bar for a tenth less; the
dial is the price. At 0 the most probable class is followed at once. Nothing forces a switch: a limit can only keep the
label as it is. Before anything is known, and where confidence is too low, the label is unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from magellan.compiled import kernel
from magellan.regime.config import DecisionConfig
from magellan.trading.bar import Floats

UNKNOWN_LABEL: Final = -1
_AHEAD: Final = 0.9  # what a bar counts for, of the one before it
DEAREST: Final = 8.0  # bars of being right that a switch costs at stability 1
_EVER: Final = 1 << 40

# The decider's memory, by place: the label and the bars it has held; the class that wants to follow and for how many
# bars it has; switches in this session; bars since the last switch.
_LABEL, _AGE, _CANDIDATE, _CONFIRMED, _TODAY, _SINCE, _PLACES = 0, 1, 2, 3, 4, 5, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """What a position of the dial means."""

    stability: float  # from 0 to 1

    @property
    def price_bars(self) -> float:
        """Bars of being right that a switch has to earn."""
        return DEAREST * self.stability


def expected_right(stay: Floats) -> Floats:
    """Bars that a label is expected to be right from now on, by today's class and the label, discounted.

    stay:    (C, C), probability of a move per bar, row: from.
    Returns: (C, C): row: today's class, column: the label.
    """
    return np.asarray(np.linalg.inv(np.eye(len(stay)) - _AHEAD * stay), dtype=np.float64)


def even_stay(classes: int, bars: float) -> Floats:
    """Moves between classes that each last `bars` on average and are left for any other alike."""
    stay = np.full((classes, classes), (1.0 / bars) / max(classes - 1, 1))
    np.fill_diagonal(stay, 1.0 - 1.0 / bars if classes > 1 else 1.0)
    return stay


class Decider:
    """One label that follows probabilities, row by row."""

    def __init__(
        self,
        config: DecisionConfig,
        *,
        price_factor: float = 1.0,
        likelier_than: float = 0.0,
        reversal: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
    ) -> None:
        """price_factor:  of the dial's price.
        likelier_than: what a class' probability must reach before it is switched to, whatever that would earn.
        reversal:      classes on two sides, between which a direct switch may be forbidden.
        """
        self._config = config
        self._price_bars = price_factor * Dial(stability=config.stability).price_bars
        self._likelier_than = likelier_than
        self._memory = np.zeros(_PLACES, dtype=np.int64)
        self._memory[_LABEL] = UNKNOWN_LABEL
        self._memory[_SINCE] = _EVER
        self._sides = np.zeros(16, dtype=np.int64)
        if reversal is not None and not config.direct_reversals:
            self._sides[list(reversal[0])] = -1
            self._sides[list(reversal[1])] = 1

    def extend(
        self,
        probabilities: Floats,
        right: Floats,
        begins: Any,
        size: Floats,
        start: int,
        end: int,
        out: Floats,
        place: int,
    ) -> None:
        """Decide rows start to end.

        probabilities: (rows, C or more); a row with NaN is unknown.
        right:         `expected_right`, (C, C).
        begins:        (rows,), whether a row begins a session.
        size:          (rows,), of each bar's return in its usual deviations.
        out:           (rows, 2 x labels): the class, or -1, is written into column `place`; for how many bars it has
                       held, the first being 1, into that of the second half.
        """
        config = self._config
        _decide(
            probabilities,
            right,
            begins,
            size,
            start,
            end,
            self._price_bars,
            self._likelier_than,
            config.confidence_min,
            config.minimum_bars,
            config.cooldown_bars,
            config.confirmation_bars,
            config.switches_per_session_max or _EVER,
            np.inf if config.noise_sigma is None else config.noise_sigma,
            self._sides,
            self._memory,
            out,
            place,
        )

    def restart(self, probabilities: Floats | None) -> None:
        """The classes mean something else from here on: take the most probable one without calling it a switch."""
        if self._memory[_LABEL] == UNKNOWN_LABEL or probabilities is None:
            return
        self._memory[_LABEL] = int(np.argmax(probabilities))
        self._memory[_CANDIDATE] = UNKNOWN_LABEL
        self._memory[_CONFIRMED] = 0


@kernel
def _decide(
    probabilities: Any,
    right: Any,
    begins: Any,
    size: Any,
    start: int,
    end: int,
    price: float,
    likelier_than: float,
    confidence_min: float,
    minimum_bars: int,
    cooldown_bars: int,
    confirmation_bars: int,
    switches_max: int,
    noise: float,
    sides: Any,
    memory: Any,
    out: Any,
    place: int,
) -> None:
    classes = len(right)
    aged = place + out.shape[1] // 2
    label = memory[_LABEL]
    for row in range(start, end):
        memory[_AGE] += 1
        memory[_SINCE] += 1
        if begins[row]:
            memory[_TODAY] = 0
        best = 0
        known = True
        for k in range(classes):
            if np.isnan(probabilities[row, k]):
                known = False
            elif probabilities[row, k] > probabilities[row, best]:
                best = k
        if not known:
            if label != UNKNOWN_LABEL:
                label = UNKNOWN_LABEL
                memory[_AGE] = 0
            out[row, place] = UNKNOWN_LABEL
            out[row, aged] = memory[_AGE]
            continue
        if label == UNKNOWN_LABEL:
            label = best
            memory[_AGE] = 1
            memory[_CANDIDATE] = UNKNOWN_LABEL
            memory[_CONFIRMED] = 0
        elif best != label:
            gain = 0.0
            for k in range(classes):
                gain += probabilities[row, k] * (right[k, best] - right[k, label])
            wanted = gain > price and (price == 0.0 or probabilities[row, best] >= likelier_than)
            if wanted:
                memory[_CONFIRMED] = memory[_CONFIRMED] + 1 if memory[_CANDIDATE] == best else 1
                memory[_CANDIDATE] = best
            else:
                memory[_CANDIDATE] = UNKNOWN_LABEL
                memory[_CONFIRMED] = 0
            allowed = (
                memory[_CONFIRMED] >= confirmation_bars
                and memory[_AGE] > minimum_bars
                and memory[_SINCE] > cooldown_bars
                and memory[_TODAY] < switches_max
                and not abs(size[row]) > noise
                and sides[best] * sides[label] != -1
            )
            if wanted and allowed:
                label = best
                memory[_AGE] = 1
                memory[_CANDIDATE] = UNKNOWN_LABEL
                memory[_CONFIRMED] = 0
                memory[_TODAY] += 1
                memory[_SINCE] = 0
        else:
            memory[_CANDIDATE] = UNKNOWN_LABEL
            memory[_CONFIRMED] = 0
        out[row, place] = label if probabilities[row, label] >= confidence_min else UNKNOWN_LABEL
        out[row, aged] = memory[_AGE]
    memory[_LABEL] = label
