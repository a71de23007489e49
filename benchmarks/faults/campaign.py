"""What every campaign is asked for, which of its cells are still to be run, and what it says at its end."""

from __future__ import annotations

import argparse
import random
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from benchmarks.faults.kept import Kept, table


class Named(Protocol):
    """A cell."""

    @property
    def name(self) -> str: ...


CellT = TypeVar("CellT", bound=Named)


def options(about: str | None, *, chosen_by: str, targets: Iterable[str]) -> argparse.ArgumentParser:
    """Every campaign's. chosen_by: the option that names what it is run on, one of targets."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(chosen_by, dest="target", choices=tuple(targets))
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--kept", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--share", default="1/1", metavar="K/N", help="the K-th of N equal parts of the cells"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="of the order, so that a slice has a bit of everything"
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="TEXT",
        help="cells whose name has it, also if they were run",
    )
    return parser


def campaign(
    asked: argparse.Namespace, cells: Iterable[CellT], run: Callable[[list[CellT], Kept], bool]
) -> int:
    """Run those that are still to be run, and say what all of them came to; 1 where one ended unsound.

    run: whether each that it ran was sound.
    """
    # What it has started is ended all the same.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
    kept = Kept(asked.kept)
    sound = asked.target is None or run(_still_to_run(list(cells), asked, kept), kept)
    print(table(kept))
    return 0 if sound else 1


def _still_to_run(cells: list[CellT], asked: argparse.Namespace, kept: Kept) -> list[CellT]:
    random.Random(asked.seed).shuffle(cells)
    part, parts = map(int, asked.share.split("/"))
    mine: Sequence[CellT] = cells[part - 1 :: parts]
    if asked.only:
        return [each for each in mine if any(text in each.name for text in asked.only)]
    done = kept.names(asked.target)
    return [each for each in mine if each.name not in done]
