"""Decision: from probabilities to a label, with one dial for stability and limits that block.

A label is left for another when the bars that the other is expected to be right, less those that the label is
expected to be right, are more than the price of a switch. Both are counted ahead, each later bar for a tenth less. The
price has two parts: what every switch costs, and what a switch into the wrong class costs, by how likely that is.

That needs states that last. Where none stand behind the probabilities nobody can count ahead, and what was is counted:
a label is left for the likeliest class once that has led it, bar by bar and in sum since it last was behind, by so many
bars of being right (E. Page's cumulative sum, 1954). So no label stands for long against its own probabilities.

The dial is all of them. At 0 the most probable class is followed at once. Nothing forces a switch: a limit can only
keep the label as it is. Before anything is known, and where confidence is too low, the label is unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from magellan.compiled import kernel, kernel_part
from magellan.regime.config import DecisionConfig
from magellan.trading.bar import Floats

UNKNOWN_LABEL: Final = -1
_AHEAD: Final = 0.9  # what a bar counts for, of the one before it
# Bars of being right, at stability 1. Measured beside other rules in decision 0091.
_SWITCH_COSTS: Final = 25.0 / 6.0
_WRONG_COSTS: Final = 25.0
_EVER: Final = 1 << 40
_MOST_CLASSES: Final = 16

# The decider's memory, by place: the label and the bars it has held; the class that wants to follow and for how many
# bars it has; switches in this session; bars since the last switch; from there on the bars that each class leads by.
_LABEL, _AGE, _CANDIDATE, _CONFIRMED, _TODAY, _SINCE, _LEADS = 0, 1, 2, 3, 4, 5, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """What a position of the dial means."""

    stability: float  # from 0 to 1

    @property
    def price_bars(self) -> float:
        """Bars of being right that a switch has to earn."""
        return _SWITCH_COSTS * self.stability

    @property
    def wrong_bars(self) -> float:
        """Bars of being right that a switch has to earn on top if it is sure to be wrong."""
        return _WRONG_COSTS * self.stability


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


DECISION = np.dtype(  # what `decide_row` is told
    [
        ("price", np.float64),  # bars of being right that a switch has to earn
        ("wrong", np.float64),  # on top, by the probability that it is wrong
        ("alone", np.float64),  # bars to lead by instead, where no states of the filter stand behind
        ("likelier_than", np.float64),
        ("confidence_min", np.float64),
        ("minimum_bars", np.int64),
        ("cooldown_bars", np.int64),
        ("confirmation_bars", np.int64),
        ("switches_max", np.int64),  # per session
        ("noise", np.float64),  # deviations
    ]
)


class Decider:
    """One label that follows probabilities, row by row."""

    def __init__(
        self,
        config: DecisionConfig,
        *,
        price_factor: float = 1.0,
        alone_bars: float = 0.0,
        likelier_than: float = 0.0,
        reversal: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
    ) -> None:
        """price_factor:  of the dial's price.
        alone_bars:    that a class leads the label by before it follows, at stability 1, where no states of the filter
                       stand behind the probabilities.
        likelier_than: what a class' probability must reach before it is switched to, whatever that would earn.
        reversal:      classes on two sides, between which a direct switch may be forbidden.
        """
        self.memory = np.zeros(_LEADS + _MOST_CLASSES)
        self.memory[_LABEL] = UNKNOWN_LABEL
        self.memory[_SINCE] = _EVER
        # Of each class -1 or 1 where a direct switch to the other side is forbidden, else 0.
        self.sides = np.zeros(_MOST_CLASSES, dtype=np.int64)
        if reversal is not None and not config.direct_reversals:
            self.sides[list(reversal[0])] = -1
            self.sides[list(reversal[1])] = 1
        dial = Dial(stability=config.stability)
        self.terms = (
            price_factor * dial.price_bars,
            price_factor * dial.wrong_bars,
            alone_bars * config.stability,
            likelier_than,
            config.confidence_min,
            config.minimum_bars,
            config.cooldown_bars,
            config.confirmation_bars,
            config.switches_per_session_max or _EVER,
            np.inf if config.noise_sigma is None else config.noise_sigma,
        )

    def labels(
        self, probabilities: Floats, right: Floats, begins: Any, size: Floats, *, alone: bool = False
    ) -> Floats:
        """Decide these rows, which follow those decided before.

        probabilities: (n, C); a row with NaN is unknown.
        right:         `expected_right`, (C, C).
        begins:        (n,), whether a row begins a session.
        size:          (n,), of each bar's return in its usual deviations.
        alone:         no states of the filter stand behind the probabilities.
        Returns:       (n, 2): the class, or -1; for how many bars it has held, the first being 1.
        """
        out = np.empty((len(probabilities), 2))
        terms = np.array([self.terms], dtype=DECISION)
        _decide(probabilities, right, begins, size, alone, terms, self.sides, self.memory, out)
        return out


@kernel_part
def restart_row(probabilities: Any, row: int, classes: int, memory: Any) -> None:
    """The classes mean something else from this row on: take the most probable one without calling it a switch."""
    if memory[_LABEL] == UNKNOWN_LABEL:
        return
    best = 0
    for k in range(classes):
        if probabilities[row, k] > probabilities[row, best]:
            best = k
    memory[_LABEL] = best
    memory[_CANDIDATE] = UNKNOWN_LABEL
    memory[_CONFIRMED] = 0


@kernel_part
def decide_row(
    probabilities: Any, right: Any, begins: bool, size: float, alone: bool, row: int, terms: Any, sides: Any,
    memory: Any, out: Any, place: int,
) -> None:  # fmt: skip
    """Decide a row: the class, or -1, into column `place`, and its age into that of the second half of `out`."""
    classes = len(right)
    aged = place + out.shape[1] // 2
    label = int(memory[_LABEL])
    memory[_AGE] += 1
    memory[_SINCE] += 1
    if begins:
        memory[_TODAY] = 0
    best = 0
    known = True
    for k in range(classes):
        if math.isnan(probabilities[row, k]):
            known = False
        elif probabilities[row, k] > probabilities[row, best]:
            best = k
    if not known:
        if label != UNKNOWN_LABEL:
            memory[_LABEL] = UNKNOWN_LABEL
            memory[_AGE] = 0
            _even(classes, memory)
        out[row, place] = UNKNOWN_LABEL
        out[row, aged] = memory[_AGE]
        return
    wanted = False
    if not alone:
        _even(classes, memory)
    if label == UNKNOWN_LABEL:
        label = best
        memory[_AGE] = 1
    elif alone:
        for k in range(classes):
            lead = memory[_LEADS + k] + probabilities[row, k] - probabilities[row, label]
            memory[_LEADS + k] = max(0.0, lead)
        wanted = best != label and memory[_LEADS + best] > terms.alone
    elif best != label:
        gain = 0.0
        for k in range(classes):
            gain += probabilities[row, k] * (right[k, best] - right[k, label])
        likely = probabilities[row, best]
        wanted = gain > terms.price + terms.wrong * (1.0 - likely) and (
            terms.price == 0.0 or likely >= terms.likelier_than
        )
    if wanted:
        memory[_CONFIRMED] = memory[_CONFIRMED] + 1 if memory[_CANDIDATE] == best else 1
        memory[_CANDIDATE] = best
        if (
            memory[_CONFIRMED] >= terms.confirmation_bars
            and memory[_AGE] > terms.minimum_bars
            and memory[_SINCE] > terms.cooldown_bars
            and memory[_TODAY] < terms.switches_max
            and not abs(size) > terms.noise
            and sides[best] * sides[label] != -1
        ):
            label = best
            memory[_AGE] = 1
            memory[_TODAY] += 1
            memory[_SINCE] = 0
            _even(classes, memory)
            wanted = False
    if not wanted:
        memory[_CANDIDATE] = UNKNOWN_LABEL
        memory[_CONFIRMED] = 0
    memory[_LABEL] = label
    out[row, place] = label if probabilities[row, label] >= terms.confidence_min else UNKNOWN_LABEL
    out[row, aged] = memory[_AGE]


@kernel_part
def _even(classes: int, memory: Any) -> None:
    """No class leads the label."""
    for k in range(classes):
        memory[_LEADS + k] = 0.0


@kernel
def _decide(
    probabilities: Any, right: Any, begins: Any, size: Any, alone: bool, terms: Any, sides: Any, memory: Any,
    out: Any,
) -> None:  # fmt: skip
    for row in range(len(probabilities)):
        decide_row(probabilities, right, begins[row], size[row], alone, row, terms[0], sides, memory, out, 0)
