"""Categories against the folders of well-organised projects: `python -m benchmarks.categories --projects FOLDER`.

FOLDER holds a checkout of each project of truth.toml, under its name there. Each is flattened (`flatten.py`), judged
with the rules as they are shipped, and compared. What each project was for is shown apart: no rule was written, and no
number fitted, with a look at those that are held out.

With `--ask N` a person, whom the truth plays, is asked about N files of each project first, as `magellan migrate plan
--ask` does it. The figures are then of the files that he was not asked about, and of all.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Final

from benchmarks.categories.flatten import Flat, flatten
from magellan.migration.categories.judge import HIGH, SURE, Judged, Said, judge
from magellan.migration.categories.questions import questions
from magellan.migration.categories.rules import CategoryRules, read_rules
from magellan.migration.module_names import ModuleNames
from magellan.migration.scan.import_graph import ImportGraph
from magellan.migration.scan.scanned_file import read_file, resolved

TRUTH: Final = Path(__file__).with_name("truth.toml")
SAYS_IT: Final[Mapping[str, str]] = {
    **dict.fromkeys(("util", "utils", "utility", "helper", "helpers"), "utilities"),
    **dict.fromkeys(("constant", "constants", "const", "exception", "exceptions", "errors", "enum", "enums"), "core"),
}  # fmt: skip
"""Names of files that say their category themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How a project came out."""

    name: str
    part: str  # what the project was for, see truth.toml
    files: int  # without those that a person was asked about
    asked: int
    right_with_asked: float  # share of all files
    right: float  # share, where a name that says its category counts as well
    right_by_folder: float  # share, by the folder alone
    sure: float  # share of files that would be moved
    right_of_sure: float | None
    high: float  # share of files with high confidence
    high_files: int
    right_high_files: int
    right_of_high: float | None
    took_s: float


def main() -> None:
    """Measure, and show a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--projects", type=Path, required=True, help="folder with a checkout of each project")
    parser.add_argument("--only", nargs="*", help="only these")
    parser.add_argument(
        "--ask", type=int, default=0, metavar="N", help="how many files a person is asked about"
    )
    parser.add_argument("--json", type=Path, help="also write the figures here")
    arguments = parser.parse_args()
    truth = tomllib.loads(TRUTH.read_text(encoding="utf-8"))
    rules = read_rules(None)
    scores = []
    for name, spec in truth.items():
        if (arguments.only and name not in arguments.only) or not (arguments.projects / name).is_dir():
            continue
        scores.append(measured(name, arguments.projects / name, spec, rules, ask=arguments.ask))
        print(row(scores[-1]), flush=True)
    for part in dict.fromkeys(score.part for score in scores):
        some = [score for score in scores if score.part == part]
        print(row(mean(f"{part}, mean", some)))
    if arguments.json is not None:
        told = [{field: getattr(score, field) for field in Score.__slots__} for score in scores]
        arguments.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def measured(
    name: str, folder: Path, spec: Mapping[str, object], rules: CategoryRules, *, ask: int = 0
) -> Score:
    """One project's figures."""
    folders = spec["folders"]
    assert isinstance(folders, dict), "truth.toml gives every project its folders"
    begun = perf_counter()
    flat = flatten(dict(sources(folder, folders)))
    project = FlatProject.of(flat)
    wanted = {file.path: known for file in flat if (known := _wanted(file, folders)) is not None}
    answers = project.answers(ask, wanted, rules) if ask else {}
    judged = project.judged(rules.model_copy(update={"answers": answers}))
    took_s = perf_counter() - begun
    rows = []
    for each in judged:
        if each.path not in wanted:
            continue
        by_folder = each.category in wanted[each.path]
        stem = re.sub(r"_\d+$", "", each.path.removesuffix(".py"))
        rows.append((each, by_folder, by_folder or each.category == SAYS_IT.get(stem, "")))
    asked = len([each for each, _, _ in rows if each.path in answers])
    right_with_asked = share([right for _, _, right in rows]) or 0.0
    rows = [row for row in rows if row[0].path not in answers]
    sure = [right for each, _, right in rows if each.confidence >= SURE]
    high = [right for each, _, right in rows if each.confidence >= HIGH]
    return Score(
        name=name,
        part=str(spec["part"]),
        files=len(rows),
        asked=asked,
        right_with_asked=right_with_asked,
        right=share([right for _, _, right in rows]) or 0.0,
        right_by_folder=share([right for _, right, _ in rows]) or 0.0,
        sure=len(sure) / len(rows),
        right_of_sure=share(sure),
        high=len(high) / len(rows),
        high_files=len(high),
        right_high_files=sum(high),
        right_of_high=share(high),
        took_s=took_s,
    )


def sources(folder: Path, folders: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Python files of the project, below the top folders that are judged."""
    tops = {
        "/".join(each.split("/")[: 2 if each.startswith(("packages/", "src/")) else 1]) for each in folders
    }
    for top in sorted(tops):
        for path in sorted((folder / top).rglob("*.py")):
            if path.is_file() and not path.is_symlink():
                yield path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8", errors="replace")


def _wanted(file: Flat, folders: Mapping[str, str]) -> frozenset[str] | None:
    """The categories of which each is right; None: the file is not judged."""
    known = max((f for f in folders if file.was == f or file.was.startswith(f"{f}/")), key=len, default=None)
    if known is None:
        return None
    if "/tests/" in file.was:
        return frozenset({"tests"})  # of that part; the longest folder that the table names is above it
    return frozenset(one.strip() for one in folders[known].split("|"))


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatProject:
    """The flattened project, as `magellan migrate scan` sees it."""

    said: tuple[Said, ...]
    imports: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, flat: list[Flat]) -> FlatProject:
        """Those files."""
        texts = {file.path: file.text.encode() for file in flat}
        names = ModuleNames(texts, ("",))
        files = [resolved(read_file(path, 0, texts.__getitem__), names, lambda name: True) for path in texts]
        said = tuple(Said(path=file.path, features=file.features) for file in files)
        return cls(said=said, imports=ImportGraph.of(files).imports)

    def judged(self, rules: CategoryRules) -> tuple[Judged, ...]:
        """Where each file belongs by those rules."""
        return judge(self.said, self.imports, rules)

    def answers(
        self, count: int, wanted: Mapping[str, frozenset[str]], rules: CategoryRules
    ) -> dict[str, str]:
        """What the truth says of the files that are asked about: what was taken for right, if it is."""
        judged = {each.path: each for each in self.judged(rules)}
        candidates = [file for file in self.said if file.path in wanted and judged[file.path].confidence < 1]
        told = {}
        for each in questions(candidates, self.imports, judged, (), count):
            right = sorted(wanted[each.path])
            likely = [one for one in (each.perhaps, each.instead) if one in right]
            told[each.path] = (likely or right)[0] or ""
        return told


def share(right: list[bool]) -> float | None:
    """The share that is right; None of none."""
    return sum(right) / len(right) if right else None


def mean(name: str, scores: list[Score]) -> Score:
    """The mean over projects, each counting once; of shares of nothing, those are left out."""

    def shares(field: str) -> list[float]:
        return [getattr(score, field) for score in scores if getattr(score, field) is not None]

    def of(field: str) -> float:
        return sum(shares(field)) / len(scores)

    def of_some(field: str) -> float | None:
        return sum(shares(field)) / len(shares(field)) if shares(field) else None

    return Score(
        name=name,
        part=scores[0].part,
        files=sum(score.files for score in scores),
        asked=sum(score.asked for score in scores),
        right_with_asked=of("right_with_asked"),
        right=of("right"),
        right_by_folder=of("right_by_folder"),
        sure=of("sure"),
        right_of_sure=of_some("right_of_sure"),
        high=of("high"),
        high_files=sum(score.high_files for score in scores),
        right_high_files=sum(score.right_high_files for score in scores),
        right_of_high=of_some("right_of_high"),
        took_s=sum(score.took_s for score in scores),
    )


def row(score: Score) -> str:
    """One line of the table."""

    def percent(value: float | None) -> str:
        return "   -" if value is None else f"{value:4.0%}"

    return (
        f"{score.name:16} {score.files:5} files  right {percent(score.right)}"
        f" (by folder {percent(score.right_by_folder)}, with {score.asked} answers {percent(score.right_with_asked)})"
        f"  sure {percent(score.sure)}, right {percent(score.right_of_sure)}"
        f"  high {percent(score.high)}, right {percent(score.right_of_high)}"
        f" ({score.right_high_files} of {score.high_files})  {score.took_s:5.1f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
