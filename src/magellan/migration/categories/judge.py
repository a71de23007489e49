"""Put files into categories, with a confidence and reasons. Whoever is unsure is left to a person.

1. Each word that a file says speaks for some categories, as the rules have it. The sums become probabilities.
2. Files that say the same, and files that import each other, pull each other along, a few rounds.
3. What a person answered about some files corrects them, and those that say the same (`answers.py`).
4. The probability of the best category, how many of the files most like it agree, and how far the file's own words put
   it ahead, become a confidence: the share of files that were right where the signs were the same (`confidence.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.migration.categories.answers import NEAR, resemblance, taught
from magellan.migration.categories.confidence import confidences, probabilities
from magellan.migration.categories.neighbours import Links, alike, importing, pulled
from magellan.migration.categories.rules import PLACES, Category, CategoryRules, Holds

SURE: Final = 0.5
"""Below this confidence a file is listed for a person, and stays where it is."""
HIGH: Final = 0.94
"""From this confidence on nobody needs to look."""
_TEMPERATURE: Final = 1.35  # the rules' weights add up to odds that are too bold by this
_ROUNDS: Final = 10
_LEAST: Final = 5e-4  # no category is ruled out by neighbours alone
_MANY_FILES: Final = 0.04  # of the tree; who is imported by so many is used by all
_MANY: Final = 5
_SPREAD: Final = 0.22  # how much less each word of many means
_WEAK_PLACES: Final = frozenset({"def", "doc", "word"})
_REASONS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What is known of a file to be judged."""

    path: str
    features: frozenset[str]  # see `features`; empty for what is not Python
    is_python: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """Where a file belongs."""

    path: str
    category: str | None  # None: nothing speaks for any
    confidence: float  # from 0 to 1
    instead: str | None = None  # the second best
    package: str | None = None  # sub-package
    reasons: tuple[str, ...] = ()

    @property
    def is_sure(self) -> bool:
        """Whether it can be moved without asking."""
        return self.category is not None and self.confidence >= SURE


def judge(
    files: Sequence[Said], imports: Mapping[str, frozenset[str]], rules: CategoryRules
) -> tuple[Judged, ...]:
    """Where each file belongs, in order.

    imports: for each Python file the files of the tree that it imports.
    """
    by_path = {file.path: claimed for file in files if (claimed := _claimed(file, rules)) is not None}
    open_files = [
        file
        for file in files
        if file.is_python and (file.path not in by_path or rules.answers.get(file.path))
    ]
    by_words = {each.path: each for each in _by_words(open_files, imports, rules)}
    return tuple(
        _answered(file, rules)
        or by_path.get(file.path)
        or by_words.get(file.path)
        or Judged(path=file.path, category=None, confidence=0.0)
        for file in files
    )


def _answered(file: Said, rules: CategoryRules) -> Judged | None:
    category = rules.answers.get(file.path)
    if not category:
        return None
    package = _package(file, rules.category[category])
    return Judged(
        path=file.path, category=category, confidence=1.0, package=package, reasons=("somebody said so",)
    )


def _claimed(file: Said, rules: CategoryRules) -> Judged | None:
    for name, category in rules.category.items():
        if category.kind is Holds.FILE and file.is_python:
            continue
        for pattern in category.files:
            if fnmatchcase(file.path, pattern) and not _only_sounds_like_it(file, pattern, category):
                reason = f"its path is like {pattern}"
                return Judged(path=file.path, category=name, confidence=1.0, reasons=(reason,))
    return None


def _only_sounds_like_it(file: Said, pattern: str, category: Category) -> bool:
    """Whether the file's own name, and no folder, fits; but not what it looks like. `conftest.py` is asked nothing."""
    own_name = pattern.rpartition("/")[2]
    return (
        category.looks is not None
        and file.is_python
        and ("*" in own_name and own_name != "**")
        and f"form:{category.looks}" not in file.features
    )


def _by_words(
    files: Sequence[Said], imports: Mapping[str, frozenset[str]], rules: CategoryRules
) -> list[Judged]:
    if not files:
        return []
    names = [name for name, category in rules.category.items() if category.kind is not Holds.FILE]
    said = _with_use(files, imports)
    spoken = _spoken(said, names, rules)
    graph = importing([file.path for file in files], imports)
    similar = alike([file.features for file in files])
    own = probabilities(spoken / _TEMPERATURE)
    now = own
    for _ in range(_ROUNDS):
        told = np.log(now + _LEAST)
        now = probabilities(
            np.log(own + _LEAST * _LEAST)
            + rules.evidence.graph * pulled(graph, told)
            + rules.evidence.alike * pulled(similar, told)
        )
    answers = {
        number: names.index(answer)
        for number, file in enumerate(files)
        if (answer := rules.answers.get(file.path)) in names
    }
    likeness = _likeness_to(answers, files, imports)
    before, now = now, taught(now, answers, likeness) if answers else now
    order = np.argsort(-now, axis=1, kind="stable")
    best = order[:, 0]
    rows = np.arange(len(files))
    confidence = confidences(now[rows, best], _agreeing(similar, best), _ahead(spoken, best))
    found = []
    for number, file in enumerate(files):
        category = names[best[number]]
        is_known = bool(spoken[number].any()) or now[number, best[number]] > 2 / len(names)
        found.append(
            Judged(
                path=file.path,
                category=category if is_known else None,
                confidence=float(confidence[number]) if is_known else 0.0,
                instead=names[order[number, 1]] if len(names) > 1 else None,
                package=_package(file, rules.category[category]),
                reasons=_reasons(
                    said[number],
                    rules.category[category],
                    rules,
                    own[number, best[number]],
                    before[number, best[number]],
                )
                + _answered_likewise(number, best[number], answers, likeness, files),
            )
        )
    return found


def _likeness_to(
    answers: Mapping[int, int], files: Sequence[Said], imports: Mapping[str, frozenset[str]]
) -> NDArray[np.float64]:
    """Of each file to each that somebody gave an answer for, shape (files, answers)."""
    if not answers:
        return np.zeros((len(files), 0))
    told = resemblance([file.path for file in files], [file.features for file in files], imports)
    return np.stack([told.of(number) for number in answers], axis=1)


def _answered_likewise(
    number: int,
    category: int,
    answers: Mapping[int, int],
    likeness: NDArray[np.float64],
    files: Sequence[Said],
) -> tuple[str, ...]:
    """The answer of that category to whose file this one is nearest, as a reason."""
    near = [
        (likeness[number, column], file)
        for column, (file, answer) in enumerate(answers.items())
        if answer == category and likeness[number, column] >= NEAR
    ]
    return (f"somebody put {files[max(near)[1]].path} here, which says the same",) if near else ()


def _ahead(spoken: NDArray[np.float64], best: NDArray[np.intp]) -> NDArray[np.float64]:
    """By how much each file's words speak more for its category than for the best of all others."""
    rows = np.arange(len(best))
    others = spoken.copy()
    others[rows, best] = -np.inf
    ahead: NDArray[np.float64] = spoken[rows, best] - others.max(axis=1)
    return ahead


def _agreeing(links: Links, best: NDArray[np.intp]) -> NDArray[np.float64]:
    """The share of each file's links that lead to files of its own category; 0 where it has none."""
    rows, columns, strengths = links
    total = np.bincount(rows, weights=strengths, minlength=len(best))
    same = np.bincount(rows, weights=strengths * (best[rows] == best[columns]), minlength=len(best))
    return same / np.where(total > 0, total, 1.0)


def _with_use(files: Sequence[Said], imports: Mapping[str, frozenset[str]]) -> list[frozenset[str]]:
    """The features, and whether nobody or many import the file."""
    by = Counter(target for targets in imports.values() for target in targets)
    many = max(_MANY, _MANY_FILES * len(files))
    return [
        file.features
        | ({"form:unused"} if not by[file.path] else {"form:used"} if by[file.path] >= many else set())
        for file in files
    ]


def _spoken(
    said: Sequence[frozenset[str]], names: Sequence[str], rules: CategoryRules
) -> NDArray[np.float64]:
    """How strongly each file's words speak for each category, shape (files, categories)."""
    speaks: dict[str, list[tuple[int, float]]] = {}
    for number, name in enumerate(names):
        for place in PLACES:
            for word, weight in rules.category[name].weights(place).items():
                spoken = (number, weight * rules.evidence.of(place))
                speaks.setdefault(f"{place}:{word}", []).append(spoken)
    found = np.zeros((len(said), len(names)))
    for row, features in enumerate(said):
        counts = Counter(feature.partition(":")[0] for feature in features)
        # A long file says many words; each of them means less.
        spread = {place: 1 + _SPREAD * max(0.0, counts[place] ** 0.5 - 3) for place in _WEAK_PLACES}
        for feature in sorted(features & speaks.keys()):
            for column, weight in speaks[feature]:
                found[row, column] += weight / spread.get(feature.partition(":")[0], 1.0)
    return found


def _package(file: Said, category: Category) -> str | None:
    """The sub-package whose words the file says most, its name counting most; None where none is said."""
    best, most = None, 0.0
    for package, leading in category.packages.items():
        points = sum(
            3.0 * (f"name:{word}" in file.features)
            + 1.0 * (f"base:{word}" in file.features)
            + 0.7 * (f"def:{word}" in file.features)
            for word in leading
        )
        if points > most:
            best, most = package, points
    return best


def _reasons(
    said: frozenset[str], category: Category, rules: CategoryRules, own: float, pulled_to: float
) -> tuple[str, ...]:
    """What spoke most for the category, the strongest first."""
    strengths: list[tuple[float, str]] = []
    for feature in said:
        place, _, word = feature.partition(":")
        weight = category.weights(place).get(word, 0.0) * rules.evidence.of(place)
        if weight > 0 and place in _WORDS:
            strengths.append((weight, _WORDS[place].format(word)))
    reasons = [reason for _, reason in sorted(strengths, key=lambda each: (-each[0], each[1]))[:_REASONS]]
    if pulled_to > own + 0.1:
        reasons.append("files like it, or tied to it by imports, belong here")
    return tuple(reasons)


_WORDS: Final = {
    "name": "its name says {}",
    "def": "defines {}",
    "base": "extends {}",
    "doc": "its text says {}",
    "word": "speaks of {}",
    "import": "imports {}",
    "form": "its form: {}",
}
