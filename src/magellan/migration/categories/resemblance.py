"""How much of what one file says another says too: the cosine of their words, rare ones counting more."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_KNOWN_BY_ALL: Final = 0.5  # share of the files; what more of them say tells nothing


class Resemblance:
    """The files of a project as vectors of what they say.

    said:   features of each file, see `categories.features`.
    counts: how much a feature counts, by its place; those of no place that is named are left out.
    """

    def __init__(self, said: Sequence[frozenset[str]], counts: Mapping[str, float]) -> None:
        self._count = count = len(said)
        held_by = Counter(feature for each in said for feature in each)
        weight_of = {
            feature: counts.get(feature.partition(":")[0], 0.0) * math.log(count / held)
            for feature, held in held_by.items()
            if 2 <= held <= _KNOWN_BY_ALL * count
        }
        self.vectors: list[dict[str, float]] = []  # each of length 1, or nothing
        holders: dict[str, tuple[list[int], list[float]]] = {feature: ([], []) for feature in weight_of}
        for number, each in enumerate(said):
            known = {feature: weight_of[feature] for feature in each if feature in weight_of}
            length = math.sqrt(sum(weight * weight for weight in known.values())) or 1.0
            self.vectors.append({feature: weight / length for feature, weight in known.items()})
            for feature, weight in known.items():
                holders[feature][0].append(number)
                holders[feature][1].append(weight / length)
        self._held = {
            feature: (np.array(numbers, dtype=np.intp), np.array(weights))
            for feature, (numbers, weights) in holders.items()
        }

    def held_by(self, feature: str) -> int:
        """How many files say it; of features that tell something."""
        return len(self._held[feature][0])

    def of(self, number: int, features: Sequence[str] | None = None) -> NDArray[np.float64]:
        """The likeness of that file to each file, from 0 to 1, by those of its features, or all; to itself 1."""
        vector = self.vectors[number]
        leading = list(vector) if features is None else features
        if leading:
            others = np.concatenate([self._held[feature][0] for feature in leading])
            shares = np.concatenate([self._held[feature][1] * vector[feature] for feature in leading])
            found = np.bincount(others, weights=shares, minlength=self._count).astype(np.float64, copy=False)
        else:
            found = np.zeros(self._count)
        found[number] = 1.0
        return found
