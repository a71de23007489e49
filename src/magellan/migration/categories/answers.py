"""What a person's answers about some files teach about the rest of their project.

An answer asks for a correction of what the rules and the neighbours made of that file. Other files are corrected
with it by how much they say the same and import the same files of the project: ordinary Gaussian process regression
(Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, equation 2.25), with that likeness as the
covariance. Where no answered file is near, nothing changes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.migration.categories.confidence import probabilities
from magellan.migration.categories.resemblance import Resemblance

NEAR: Final = 0.1
"""Likeness from which on an answer about one file says something about another."""
_COUNTS: Final = {
    "name": 0.6, "base": 1.0, "def": 0.6, "doc": 0.3, "word": 1.0, "import": 1.0, "form": 0.5, "tree": 1.0
}  # fmt: skip
_WAS_TOO_SURE: Final = 0.4  # what rules and neighbours came to counts so much beside an answer, as log odds
_DOUBT: Final = 0.01  # probability that an answered file is of another category after all
_NOISE: Final = 0.1  # variance of an answer, where that of a file's own correction is 1
_LEAST: Final = 1e-4  # no category is ruled out before a person spoke


def resemblance(
    paths: Sequence[str], said: Sequence[frozenset[str]], imports: Mapping[str, frozenset[str]]
) -> Resemblance:
    """Files by what they say, and by which files of the project they import."""
    told = [
        features | {f"tree:{target}" for target in imports.get(path, ())}
        for path, features in zip(paths, said, strict=True)
    ]
    return Resemblance(told, _COUNTS)


def taught(
    before: NDArray[np.float64], answers: Mapping[int, int], likeness: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The probabilities of categories after the answers, shape (files, categories); each row sums to 1.

    before:   the same before them.
    answers:  by the number of an answered file that of its category.
    likeness: of every file to each of those files, in their order, shape (files, answers); see `resemblance`.
    """
    files = np.array(list(answers), dtype=np.intp)
    odds = np.log(np.maximum(before, _LEAST))
    categories = before.shape[1]
    wanted = np.full((len(files), categories), math.log(_DOUBT / max(1, categories - 1)))
    wanted[np.arange(len(files)), list(answers.values())] = math.log(1 - _DOUBT)
    had = np.log(probabilities(_WAS_TOO_SURE * odds[files]))
    weights = np.linalg.solve(likeness[files] + _NOISE * np.eye(len(files)), wanted - had)
    return probabilities(odds + likeness @ weights / _WAS_TOO_SURE)
