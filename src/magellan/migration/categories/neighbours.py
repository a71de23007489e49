"""Which files stand close to each other: those that say the same, and those that import each other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.migration.categories.resemblance import Resemblance

Links = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]
"""From which file, to which, how strongly; of one file they sum to at most 1."""

_MOST_ALIKE: Final = 8  # files
_TELLING: Final = 160  # features of a file by which others like it are found
_HELD_BY_MOST: Final = (
    1_000  # files; in a large tree, what more of them say leads to nobody: time stays in proportion
)
_COUNTS: Final = {
    "name": 3.0, "head": 0.0, "def": 1.0, "base": 2.0, "doc": 0.7, "word": 0.7, "import": 1.5, "form": 0.5
}  # fmt: skip


def alike(said: Sequence[frozenset[str]]) -> Links:
    """Each file's most similar ones, by the cosine of what they say, rare words counting more."""
    told = Resemblance(said, _COUNTS)
    rows, columns, strengths = [], [], []
    for number, vector in enumerate(told.vectors):
        leading = [feature for feature in vector if told.held_by(feature) <= _HELD_BY_MOST]
        telling = sorted(leading, key=lambda feature: (-vector[feature], feature))[:_TELLING]
        if not telling:
            continue
        likeness = told.of(number, telling)
        likeness[number] = 0.0
        nearest = _most(likeness, _MOST_ALIKE)
        if not len(nearest):
            continue
        total = likeness[nearest].sum()
        rows.append(np.full(len(nearest), number, dtype=np.intp))
        columns.append(nearest.astype(np.intp))
        strengths.append(likeness[nearest] / total)
    return _joined(rows, columns, strengths)


def _most(values: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Where the largest of them above 0 are, the first of equal ones first."""
    least = np.partition(values, -count)[-count] if len(values) > count else 0.0
    candidates = np.flatnonzero(values >= least) if least > 0 else np.flatnonzero(values > 0)
    return candidates[np.argsort(-values[candidates], kind="stable")][:count]


def importing(paths: Sequence[str], imports: Mapping[str, frozenset[str]]) -> Links:
    """Files that import each other, either way. What everybody imports says little about who does."""
    number_of = {path: number for number, path in enumerate(paths)}
    by = Counter(target for targets in imports.values() for target in targets)
    strength: dict[tuple[int, int], float] = {}
    total: Counter[int] = Counter()
    for path, targets in imports.items():
        for target in sorted(targets):
            if path not in number_of or target not in number_of:
                continue
            one, other = number_of[path], number_of[target]
            weight = 1 / math.log(2 + by[target]) / math.log(2 + len(targets))
            for pair in ((one, other), (other, one)):
                strength[pair] = strength.get(pair, 0.0) + weight
                total[pair[0]] += weight  # type: ignore[assignment]  # weights are fractions
    pairs = sorted(strength)
    # A file with a single loose link is not pulled over by it: what its links lack to 1 they do not pull.
    return (
        np.array([one for one, _ in pairs], dtype=np.intp),
        np.array([other for _, other in pairs], dtype=np.intp),
        np.array([strength[pair] / max(1.0, total[pair[0]]) for pair in pairs], dtype=np.float64),
    )


def pulled(links: Links, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each file the sum of its neighbours' values, each times its link's strength.

    values: shape (files, categories).
    """
    rows, columns, strengths = links
    found = np.zeros_like(values)
    np.add.at(found, rows, values[columns] * strengths[:, None])
    return found


def _joined(
    rows: Sequence[NDArray[np.intp]],
    columns: Sequence[NDArray[np.intp]],
    strengths: Sequence[NDArray[np.float64]],
) -> Links:
    if not rows:
        nothing = np.zeros(0, dtype=np.intp)
        return nothing, nothing, np.zeros(0)
    return np.concatenate(rows), np.concatenate(columns), np.concatenate(strengths)
