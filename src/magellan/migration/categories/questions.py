"""Which files to ask a person about: those whose answers decide most of what is unsure."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from magellan.errors import FixInput
from magellan.migration.categories.answers import NEAR, resemblance
from magellan.migration.categories.judge import Judged, Said
from magellan.migration.categories.proposal import tools_look_for
from magellan.migration.categories.rules import CategoryRules
from magellan.migration.module_names import is_init
from magellan.migration.scan.scan import Scan

FILE_NAME: Final = "migration_answers.toml"
_CANDIDATES: Final = 500  # of a large tree every so manieth file is looked at, and not each
_LEAST_UNSURE: Final = 0.15  # what is sure counts so much: an answer may show that it is wrong
_SHOWN: Final = 3
_HEADER: Final = re.compile(r"^\[answers\][ \t]*(#.*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Where does this file belong?"""

    path: str
    perhaps: str | None
    instead: str | None
    speaks_for: tuple[
        str, ...
    ]  # files that nobody answered for and that are nearest to it, the nearest first


def questions_about(scan: Scan, rules: CategoryRules, count: int) -> tuple[Question, ...]:
    """Questions about the files that the rules judge by what they say, and that they let move."""
    judged = {each.path: each for each in scan.judged}
    asked = [
        Said(path=file.path, features=file.features)
        for file in scan.python
        if file.path in rules.answers
        or (
            judged[file.path].confidence < 1
            and not is_init(file.path)
            and not tools_look_for(file.path)
            and not rules.leaves(file.path)
        )
    ]
    return questions(asked, scan.graph.imports, judged, rules.answers, count)


def questions(
    files: Sequence[Said],
    imports: Mapping[str, frozenset[str]],
    judged: Mapping[str, Judged],
    answered: Collection[str],
    count: int,
) -> tuple[Question, ...]:
    """That many questions, fewer where there are not so many files; the most telling one first.

    files:    Python files that the rules judge by what they say.
    imports:  for each Python file the files of the tree that it imports.
    judged:   by path what is known without further answers.
    answered: paths that somebody was asked about already.
    """
    if not files:
        return ()
    paths = [file.path for file in files]
    told = resemblance(paths, [file.features for file in files], imports)
    unsure = np.array([_LEAST_UNSURE + 1 - judged[path].confidence for path in paths])
    reached = np.zeros(len(paths))
    for number, path in enumerate(paths):
        if path in answered:
            reached = np.maximum(reached, told.of(number))
    open_files = [number for number, path in enumerate(paths) if path not in answered and path.isprintable()]
    likeness = {number: told.of(number) for number in open_files[:: 1 + len(open_files) // _CANDIDATES]}
    chosen = _most_telling(likeness, reached, unsure, count)
    speaks_for: dict[int, list[tuple[float, str]]] = {number: [] for number in chosen}
    for other in sorted(set(open_files) - set(chosen)):
        near = {number: float(likeness[number][other]) for number in chosen}
        nearest = max(near, key=near.__getitem__, default=None)
        if nearest is not None and near[nearest] >= max(NEAR, reached[other]):
            speaks_for[nearest].append((-near[nearest], paths[other]))
    return tuple(
        Question(
            path=paths[number],
            perhaps=judged[paths[number]].category,
            instead=judged[paths[number]].instead,
            speaks_for=tuple(path for _, path in sorted(speaks_for[number])),
        )
        for number in chosen
    )


def _most_telling(
    likeness: Mapping[int, NDArray[np.float64]],
    reached: NDArray[np.float64],
    unsure: NDArray[np.float64],
    count: int,
) -> list[int]:
    """One after the other the file that brings most of what is unsure nearer to an answer.

    likeness: of each file that may be asked about to all files.
    reached:  likeness of all files to the nearest one that was asked about already.
    unsure:   how little is known of each.
    """
    chosen: list[int] = []
    while len(chosen) < min(count, len(likeness)):
        gains = {
            number: float(np.maximum(near - reached, 0.0) @ unsure)
            for number, near in likeness.items()
            if number not in chosen
        }
        chosen.append(max(gains, key=lambda number: (gains[number], -number)))
        reached = np.maximum(reached, likeness[chosen[-1]])
    return chosen


def with_questions(text: str | None, asked: Sequence[Question], *, name: str) -> str:
    """The text of a file of rules with the questions in its `[answers]`, each with an empty answer.

    text: of the file; None where there is none yet.
    name: of the file, for messages.
    Raises: FixInput where the answers are not written as a table of their own.
    """
    lines = "".join(f'{_about(each)}\n{json.dumps(each.path, ensure_ascii=False)} = ""\n' for each in asked)
    if text is None:
        text = _NEW_FILE
    elif "answers" not in tomllib.loads(text):
        text = f"{text.rstrip()}\n\n[answers]\n"
    header = _HEADER.search(text)
    if header is None:
        raise FixInput(
            f"{name} has its answers elsewhere than below a line `[answers]`",
            next_step='write them below such a line, as `"path" = "category"`',
        )
    return f"{text[: header.end()]}\n{lines}{text[header.end() :].removeprefix(chr(10))}"


_NEW_FILE: Final = """\
# Where does each of these files belong? Write the name of a category between the quotation marks, and leave empty
# what you do not know. The categories are those of `magellan migrate scan --print-rules`; to have others, copy them
# into this file and edit them.

version = 1

[answers]
"""


def _about(question: Question) -> str:
    told = (
        f"# perhaps {question.perhaps}, or {question.instead}" if question.perhaps else "# nothing is known"
    )
    if not question.speaks_for:
        return told
    shown = ", ".join(path for path in question.speaks_for[:_SHOWN] if path.isprintable())
    more = len(question.speaks_for) - _SHOWN
    return f"{told}; also for {shown}{f' and {more} more' if more > 0 else ''}"
