"""Activation: which modules can be imported at all, and the few causes behind the many that cannot.

A module that fails since another one does is put under that one's cause, so that what breaks fifty is named once.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportToTry:
    """A module, and how it is to be imported."""

    path: str  # of its file, in the tree
    name: str  # dotted; "" for a file that no import can name
    search: tuple[str, ...]  # folders of the tree that modules are looked for in; "" is the tree's own
    search_last: tuple[
        str, ...
    ] = ()  # those that are looked in after the standard library and what is installed


class Isolation(StrEnum):
    """How strongly a tried import was kept from the rest of the machine."""

    NAMESPACES = "namespaces"
    GUARD = "guard"

    @property
    def means(self) -> str:
        """In words, for a report."""
        return _MEANS[self]


_MEANS: Final = {
    Isolation.NAMESPACES: (
        "each import in a process of its own, with its own user, process, network and mount namespace: no network, "
        "nothing writable but a copy of the tree that is thrown away, limits on time, memory and file size"
    ),
    Isolation.GUARD: (
        "each import in a process of its own with limits on time, memory and file size; network, processes and "
        "writes outside a copy of the tree are refused by Python's audit hooks, which compiled code can get around"
    ),
}


class Touch(StrEnum):
    """What an import tried to do besides defining names."""

    NETWORK = "network"
    PROCESS = "process"
    WRITE = "write"


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedImport:
    """What came of importing one module."""

    path: str
    error: str  # name of the exception's class; "" where it was imported
    message: str = ""
    missing: str = ""  # the module that was not found, where that was the error
    place: str = ""  # "shop/a.py:7", the last line of the tree that was carried out
    took_s: float = 0.0
    touched: tuple[tuple[Touch, str], ...] = ()

    @property
    def succeeded(self) -> bool:
        """Whether it was imported."""
        return not self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why modules cannot be imported."""

    what: str  # "no module core", "syntax error in shop/a.py, line 7"
    breaks: tuple[str, ...]  # paths, sorted
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """What came of importing every module."""

    isolation: Isolation
    tried: tuple[TriedImport, ...]  # sorted by path
    not_tried: tuple[str, ...] = ()  # paths for which there was no time left

    @classmethod
    def of(
        cls, isolation: Isolation, asked: Sequence[ImportToTry], tried: Sequence[TriedImport]
    ) -> Activation:
        """What came of those that were to be tried."""
        done = {each.path for each in tried}
        return cls(
            isolation=isolation,
            tried=tuple(sorted(tried, key=lambda each: each.path)),
            not_tried=tuple(sorted(each.path for each in asked if each.path not in done)),
        )

    @property
    def imported(self) -> int:
        """How many modules were imported."""
        return sum(each.succeeded for each in self.tried)

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why the others were not."""
        return causes(self.tried)


TIME_LIMIT: Final = "TimeLimit"
DIED: Final = "Died"


def causes(tried: Iterable[TriedImport]) -> tuple[Cause, ...]:
    """The causes of all failures, the one that breaks most first."""
    broken: dict[tuple[str, str], list[str]] = defaultdict(list)
    for each in tried:
        if not each.succeeded:
            broken[_cause(each)].append(each.path)
    found = [
        Cause(what=what, next_step=step, breaks=tuple(sorted(paths)))
        for (what, step), paths in broken.items()
    ]
    return tuple(sorted(found, key=lambda cause: (-len(cause.breaks), cause.what)))


def _cause(tried: TriedImport) -> tuple[str, str]:
    at = f" at {tried.place}" if tried.place else ""
    if tried.error == "PackageNotFoundError":  # of importlib.metadata: the code may lie there all the same
        return (
            f"{tried.missing or tried.message} is not installed, and its version is asked for{at}",
            "install it, this project too, and name that interpreter with --python",
        )
    if tried.missing:
        top = tried.missing.partition(".")[0]
        return (
            f"no module {top}",
            "install it, or put it into the tree; where it is optional, import it where it is used",
        )
    if any(touch is Touch.NETWORK for touch, _ in tried.touched):
        where = next(what for touch, what in tried.touched if touch is Touch.NETWORK)
        return f"speaks to the network when imported: {where}{at}", "move the call into a function"
    if tried.error in ("SyntaxError", "IndentationError", "TabError"):
        return f"syntax error{at}: {tried.message}", "mend the line"
    if tried.error == "ImportError" and (
        named := re.search(
            r"cannot import name '(\w+)' from (?:partially initialized module )?'([\w.]+)'", tried.message
        )
    ):
        if "circular import" in tried.message:
            return f"{named[2]} is imported in a circle", "move what both need into a third module"
        return f"{named[2]} has no {named[1]}", "name what it has, or define it there"
    if tried.error == "FileNotFoundError":
        return f"no file {_quoted(tried.message)}", "open files in functions, or ship the file"
    if tried.error == "SystemExit":
        return f"ends the process when imported{at}", 'put it under `if __name__ == "__main__":`'
    if tried.error == TIME_LIMIT:
        return f"takes longer than the time limit{at}", 'put the work under `if __name__ == "__main__":`'
    if tried.error == DIED:
        return (
            f"kills its process: {tried.message}",
            "look at what compiled code it loads, and at the memory limit",
        )
    if "environment variable" in tried.message:
        return (
            f"{tried.error}{at}: {tried.message}",
            "imports are tried with an empty environment: nothing to mend",
        )
    return f"{tried.error}{at}: {tried.message}", "look at that line"


def _quoted(message: str) -> str:
    found = re.search(r"'([^']+)'", message)
    return found[1] if found else message


def touched(tried: Sequence[TriedImport], touch: Touch) -> tuple[tuple[str, str], ...]:
    """(path, what) of every import that tried that."""
    return tuple((each.path, what) for each in tried for kind, what in each.touched if kind is touch)
