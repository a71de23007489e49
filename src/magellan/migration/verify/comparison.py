"""The structure of a tree, before and after a migration, compared point by point."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from magellan.migration.imports import Origin
from magellan.migration.rewrite.renames import Renames
from magellan.migration.scan.entry_points import OWN_MAIN
from magellan.migration.scan.structure import Structure
from magellan.migration.shims import Shim

IMPORT_BUDGET_S: Final = 5.0
"""What importing a package's modules may take on average."""
_SLOWER: Final = 2.0  # times; a machine with more to do takes longer for the tree before as well


class Answer(StrEnum):
    """What a check found."""

    SAME = "same"
    CHANGED = "changed"  # for better or worse; a person looks
    WORSE = "worse"
    NOT_KNOWN = "not known"  # it was not looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One point of the comparison."""

    name: str
    answer: Answer
    summary: str
    details: tuple[str, ...] = ()  # what is worse or changed, a line each; or why it is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRun:
    """What a project's tests said; unknown where they did not run."""

    outcomes: Mapping[str, str]  # id: "passed", "failure", "error", "skipped"
    problem: str = ""  # why there are none


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """All points."""

    checks: tuple[Check, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is worse. What is not known is not claimed either way."""
        return all(check.answer is not Answer.WORSE for check in self.checks)


def compare(
    before: Structure, after: Structure, renames: Renames, shims: Sequence[Shim]
) -> tuple[Check, ...]:
    """Everything that two structures can tell. Shims are old names, and are counted as nothing else."""
    own = _without(after, {shim.path for shim in shims})
    return (
        _imports(before, own, renames),
        _missing_ones(before, own, renames),
        _modules(before, own, renames),
        _names(before, own, renames),
        _old_names(renames, shims),
        _entry_points(before, after, renames, shims),
        _circles(before, after, renames),
        _time(before, own, renames),
    )


def compare_tests(before: SuiteRun, after: SuiteRun, new_id: Mapping[str, str]) -> Check:
    """Tests: the same ones are there, and say the same. new_id: ids that tests have afterwards, by those before."""
    name = "tests"
    if before.problem or after.problem:
        why = f"before: {before.problem}" if before.problem else f"after: {after.problem}"
        return Check(name=name, answer=Answer.NOT_KNOWN, summary="did not run", details=(why,))
    if not before.outcomes and not after.outcomes:
        return Check(name=name, answer=Answer.NOT_KNOWN, summary="none were found, before or after")
    expected = {new_id.get(test, test): outcome for test, outcome in before.outcomes.items()}
    worse = [f"{test} is gone" for test in sorted(expected.keys() - after.outcomes.keys())]
    worse += [
        f"{test}: {outcome}, now {after.outcomes[test]}"
        for test, outcome in sorted(expected.items())
        if after.outcomes.get(test, outcome) != outcome
    ]
    new = len(after.outcomes.keys() - expected.keys())
    passed = sum(outcome == "passed" for outcome in after.outcomes.values())
    was = sum(outcome == "passed" for outcome in before.outcomes.values())
    summary = f"{len(before.outcomes)} before, {was} passed; {len(after.outcomes)} after, {passed} passed"
    return _check(name, worse, summary + (f"; {new} are new" if new else ""))


def _check(name: str, worse: Iterable[str], summary: str) -> Check:
    details = tuple(worse)
    return Check(name=name, answer=Answer.WORSE if details else Answer.SAME, summary=summary, details=details)


def _without(structure: Structure, paths: Collection[str]) -> Structure:
    """The same, had nobody looked at those files."""
    tried = structure.activation
    if tried is not None:
        tried = replace(tried, tried=tuple(each for each in tried.tried if each.path not in paths))
    files = tuple(file for file in structure.files if file.path not in paths)
    return replace(structure, files=files, activation=tried)


def _imports(before: Structure, after: Structure, renames: Renames) -> Check:
    # By its last word, since what was nothing may be said otherwise afterwards; as often as it was said before.
    allowed = Counter((renames.new_path(path), _last(name)) for path, name, _ in _missing(before))
    worse = []
    for path, name, line in _missing(after):
        if allowed[path, _last(name)]:
            allowed[path, _last(name)] -= 1
        else:
            worse.append(f"{path}:{line}: {name} does not resolve")
    counts = [sum(scan.origins.values()) - scan.origins[Origin.MISSING] for scan in (before, after)]
    missing = after.origins[Origin.MISSING]
    return _check("imports", worse, f"{counts[0]} resolved before, {counts[1]} after; {missing} do not")


def _missing_ones(before: Structure, after: Structure, renames: Renames) -> Check:
    """Imports that led to nothing. Beside other files, one may find a module that only has the name it asks for."""
    missing = {(renames.new_path(path), _last(name)) for path, name, _ in _missing(before)}
    led_there = {
        (renames.new_path(file.path), renames.new_path(target.path))
        for file in before.files
        for target in file.imports
        if target.path is not None
    }
    found = tuple(
        f"{file.path}:{target.line}: {target.name} was nothing, and is {target.path} now"
        for file in after.files
        for target in file.imports
        if target.path is not None
        and (file.path, _last(target.name)) in missing
        and (file.path, target.path) not in led_there
    )
    answer = Answer.CHANGED if found else Answer.SAME
    summary = f"{len(missing)} names led to nothing; {len(found) or 'none'} of them leads to a file now"
    return Check(name="imports of nothing", answer=answer, summary=summary, details=found)


def _last(dotted: str) -> str:
    return dotted.rpartition(".")[2]


def _missing(scan: Structure) -> Iterator[tuple[str, str, int]]:
    for file in scan.files:
        for target in file.imports:
            if target.origin is Origin.MISSING:
                yield file.path, target.name, target.line


def _modules(before: Structure, after: Structure, renames: Renames) -> Check:
    name = "modules that can be imported"
    if before.activation is None or after.activation is None:
        return Check(name=name, answer=Answer.NOT_KNOWN, summary="not tried")
    now = {each.path: each for each in after.activation.tried}
    worse = []
    for each in before.activation.tried:
        path = renames.new_path(each.path)
        if each.succeeded and (path not in now or not now[path].succeeded):
            why = f"{now[path].error}: {now[path].message}" if path in now else "it is gone"
            worse.append(f"{path}: {why}")
    return _check(name, worse, f"{before.activation.imported} before, {after.activation.imported} after")


def _names(before: Structure, after: Structure, renames: Renames) -> Check:
    defined = {file.path: set(file.defines) for file in after.python}
    worse = []
    count = 0
    for file in before.python:
        path = renames.new_path(file.path)
        count += len(file.defines)
        lost = sorted(set(file.defines) - defined.get(path, set()))
        worse += [f"{path} no longer defines {name}" for name in lost]
    return _check("public names", worse, f"{count} before")


def _old_names(renames: Renames, shims: Sequence[Shim]) -> Check:
    moved = sorted(name for name in renames.modules if renames.before.file_of(name) is not None)
    kept = {shim.old for shim in shims}
    gone = [name for name in moved if name not in kept and not renames.after.knows(name)]
    summary = f"{len(moved) - len(gone)} of {len(moved)} old module names still work"
    return Check(name="old names", answer=Answer.SAME, summary=summary)


def _entry_points(before: Structure, after: Structure, renames: Renames, shims: Sequence[Shim]) -> Check:
    def of(scan: Structure) -> set[tuple[str, str]]:
        # The line of a unit or script in which it is named may have moved; its file counts.
        return {(each.path, each.by.partition(",")[0]) for each in scan.entry_points}

    expected = {(renames.new_path(path), by) for path, by in of(before)}
    moved_by = {(path, renames.new_path(by.partition(":")[0])) for path, by in expected}
    stands_for = {
        shim.path: renames.new_path(shim.path) for shim in shims
    }  # the old path starts the new file
    found = {(stands_for.get(path, path), by.partition(":")[0]) for path, by in of(after)}
    worse = [f"{path}, started by {by}, is not found any more" for path, by in sorted(moved_by - found)]
    if after.activation is not None and before.activation is not None:
        failed = {each.path for each in after.activation.tried if not each.succeeded}
        worked = {renames.new_path(each.path) for each in before.activation.tried if each.succeeded}
        worse += [
            f"{path}, started by {by}, cannot be imported any more"
            for path, by in sorted(moved_by & found)
            if path in failed & worked
        ]
    # Every shim can be started; those that somebody starts by their old path stand for the file that moved.
    started = {(path, by) for path, by in of(after) if path not in stands_for or by != OWN_MAIN}
    return _check("entry points", worse, f"{len(of(before))} before, {len(started)} after")


def _circles(before: Structure, after: Structure, renames: Renames) -> Check:
    known = [{renames.new_path(path) for path in circle} for circle in before.circles]
    new = [circle for circle in after.circles if not any(set(circle) <= each for each in known)]
    # Package files that a migration makes are empty, and close no circle by themselves.
    worse = [" imports ".join([*circle[:4], *(["..."] if len(circle) > 4 else [])]) for circle in new]
    return _check("circles of imports", worse, f"{len(before.circles)} before, {len(after.circles)} after")


def _time(before: Structure, after: Structure, renames: Renames) -> Check:
    """Packages beyond the budget that take longer than the same modules did in this run's look at the old tree."""
    name = "import time"
    if before.activation is None or after.activation is None:
        return Check(name=name, answer=Answer.NOT_KNOWN, summary="not tried")
    was = {renames.new_path(each.path): each.took_s for each in before.activation.tried if each.succeeded}
    worse, slow_before = [], 0
    for package, seconds in sorted(_seconds(after).items()):
        took_s = _average(list(seconds.values()))
        if took_s <= IMPORT_BUDGET_S:
            continue
        both = seconds.keys() & was.keys()
        then_s = _average([was[path] for path in both])
        if both and _average([seconds[path] for path in both]) <= _SLOWER * then_s:
            slow_before += 1
            continue
        told = f", {then_s:.2f} s before" if both else ""
        worse.append(f"{package}: {took_s:.2f} s on average, of {IMPORT_BUDGET_S:.0f} s{told}")
    averages = [_average(_all_seconds(scan)) for scan in (before, after)]
    summary = f"{averages[0]:.2f} s a module before, {averages[1]:.2f} s after"
    if slow_before:
        summary += f"; packages beyond {IMPORT_BUDGET_S:.0f} s that were as slow before: {slow_before}"
    return _check(name, worse, summary)


def _seconds(scan: Structure) -> Mapping[str, Mapping[str, float]]:
    """By package, of each module that was imported, by path."""
    packages: dict[str, dict[str, float]] = defaultdict(dict)
    for each in scan.activation.tried if scan.activation is not None else ():
        if each.succeeded:
            packages[each.path.rpartition("/")[0] or "."][each.path] = each.took_s
    return packages


def _all_seconds(scan: Structure) -> list[float]:
    return [each.took_s for each in scan.activation.tried if each.succeeded] if scan.activation else []


def _average(seconds: Sequence[float]) -> float:
    return sum(seconds) / len(seconds) if seconds else 0.0
