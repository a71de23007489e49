"""Path score: labels beside the truth: how often right, how late, how many switches into a wrong state."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Final

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
_SHORTEST: Final = 5  # bars of a segment that a delay is asked of


@dataclass(frozen=True, slots=True, kw_only=True)
class PathScore:
    """How a path of labels compares with the truth."""

    accuracy: float  # share of bars that are right
    balanced_accuracy: float  # mean of the states' own shares
    delay_median_bars: float  # from a true switch to the first right label; NaN without switches
    delay_p90_bars: float
    missed: float  # share of segments of five bars or more that were never right
    wrong_switches: float  # per 1,000 bars: into a state that is not the true one
    switches: float  # per 1,000 bars
    true_switches: float  # per 1,000 bars


def path_score(labels: Labels, truth: Labels) -> PathScore:
    """labels, truth: shape (n,), n >= 1, named alike."""
    n = len(truth)
    states = np.unique(truth)
    begins = np.flatnonzero(np.diff(truth)) + 1
    ends = np.append(begins[1:], n)[: len(begins)]
    long = ends - begins >= _SHORTEST
    begins, ends = begins[long], ends[long]
    # The next right bar at or after each; a segment's own, or there is none in it.
    right = np.where(labels == truth, np.arange(n), n)
    found = np.minimum.accumulate(right[::-1])[::-1][begins]
    delays = np.minimum(found, ends) - begins
    missed = int((found >= ends).sum())
    switched = np.flatnonzero(np.diff(labels)) + 1
    return PathScore(
        accuracy=float((labels == truth).mean()),
        balanced_accuracy=float(np.mean([(labels[truth == state] == state).mean() for state in states])),
        delay_median_bars=float(np.median(delays)) if len(delays) else float("nan"),
        delay_p90_bars=float(np.percentile(delays, 90)) if len(delays) else float("nan"),
        missed=missed / len(delays) if len(delays) else 0.0,
        wrong_switches=1000.0 * float((labels[switched] != truth[switched]).sum()) / n,
        switches=1000.0 * len(switched) / n,
        true_switches=1000.0 * len(long) / n,
    )


def names_of_states(labels: Labels, truth: Labels, *, found: int, states: int) -> Labels:
    """For each found state the true one it stands for: the match that is right most often.

    Made on bars that are not scored. With other than the true number of states each takes its most frequent truth.
    """
    counts = np.zeros((found, states), dtype=np.int64)
    np.add.at(counts, (labels, truth), 1)
    if found != states:
        return np.asarray(counts.argmax(axis=1), dtype=np.int64)
    best = max(permutations(range(states)), key=lambda names: sum(counts[k, names[k]] for k in range(states)))
    return np.array(best, dtype=np.int64)
