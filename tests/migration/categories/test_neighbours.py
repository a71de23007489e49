"""Files that say the same are found, in the order of how much of it they say."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.migration.categories.neighbours import alike

WORDS = [f"word:{letter}" for letter in "abcdefghij"]
FILES = st.lists(st.frozensets(st.sampled_from(WORDS), max_size=6), min_size=2, max_size=14)


@settings(max_examples=60)
@given(said=FILES)
def test_each_file_is_tied_to_those_that_say_most_of_what_it_says(said: list[frozenset[str]]) -> None:
    rows, columns, strengths = alike(said)

    for file in range(len(said)):
        likeness = [0.0 if other == file else cosine(said, file, other) for other in range(len(said))]
        found = dict(zip(columns[rows == file].tolist(), strengths[rows == file].tolist(), strict=True))
        most = sorted((each for each in likeness if each > 1e-12), reverse=True)[:8]
        assert np.allclose([likeness[other] for other in found], most)
        assert math.isclose(sum(found.values()), 1.0 if most else 0.0)


def test_what_more_than_a_thousand_files_say_ties_nobody() -> None:
    said = [frozenset({"word:order"}) for _ in range(1_001)] + [frozenset({"word:other"})] * 1_200
    said[0] |= {"word:rare"}
    said[2_200] |= {"word:rare"}

    rows, columns, strengths = alike(said)

    assert (rows.tolist(), columns.tolist()) == ([0, 2_200], [2_200, 0])
    assert np.allclose(strengths, 1.0)


def cosine(said: list[frozenset[str]], one: int, other: int) -> float:
    """As in any textbook, with weights of words by how few files say them."""
    held_by = Counter(word for each in said for word in each)
    weight = {
        word: math.log(len(said) / held) ** 2 for word, held in held_by.items() if 2 <= held <= len(said) / 2
    }
    lengths = [math.sqrt(sum(weight.get(word, 0.0) for word in said[each])) for each in (one, other)]
    shared = sum(weight.get(word, 0.0) for word in said[one] & said[other])
    return shared / (lengths[0] * lengths[1]) if shared else 0.0
