"""Halts and holes: runs of missing bars in sessions that are otherwise full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from magellan.archive.quality.finding import Finding, Kind, Severity, counted, few
from magellan.archive.quality.session_grid import SessionGrid
from magellan.trading.bar import Bars, Mask, instant
from magellan.trading.timeframe import MINUTE_NS

LONGEST_SPAN_NS = 5 * MINUTE_NS  # with longer bars, one missing bar proves nothing
SHORTEST_NS = 4 * MINUTE_NS  # a pause of five minutes leaves at least four whole minutes without a trade
LONGEST_HALT_NS = 60 * MINUTE_NS  # longer runs are as likely to be lost data
CHANCE = 0.01  # expected number of such runs in the session, were minutes missing by chance
DENSE = 0.75  # median share of a session's places with a bar; below it, quiet spells look like halts
BUSY = 0.15  # where a larger share of single minutes is missing, nobody can tell a halt from a quiet spell
HOLE_SHARE = 0.02  # of the places in held sessions
_AROUND = 60  # places on each side that say how often a bar is missing here by chance


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Places in a row without a bar."""

    begins_ns: int
    minutes: int
    at_edge: bool  # touches the session's opening or closing


def halt_findings(bars: Bars, grid: SessionGrid) -> Iterator[Finding]:
    """Runs without a bar that chance does not explain: up to an hour a halt, beyond that a hole."""
    runs = tuple(halt_runs(bars, grid))
    edges = tuple(run for run in runs if run.at_edge)
    halts = tuple(run for run in runs if not run.at_edge and run.minutes * MINUTE_NS <= LONGEST_HALT_NS)
    holes = tuple(run for run in runs if not run.at_edge and run.minutes * MINUTE_NS > LONGEST_HALT_NS)
    if halts:
        yield Finding(
            kind=Kind.HALTS,
            severity=Severity.WARN,
            count=len(halts),
            first_at=instant(halts[0].begins_ns),
            measured=f"{counted(len(halts), 'run')}, {sum(run.minutes for run in halts)} minutes in all",
            expected="bars in nearly every minute around them",
            explanation="trading seems to have been halted: minutes in a row without a trade in a busy session",
            examples=_told(halts),
            advice="nothing could be bought or sold then; a stop is filled at the price after the halt",
        )
    lost = sum(run.minutes for run in (*holes, *edges)) * MINUTE_NS // bars.timeframe.span_ns
    share = lost / max(1, int(grid.places[grid.filled > 0].sum()))
    severity = Severity.REFUSE if share > HOLE_SHARE else Severity.WARN
    for kind, of, explanation in (
        (Kind.HOLES, holes, "over an hour is missing in a busy session: a long halt, or lost data"),
        (Kind.CUT_SESSIONS, edges, "a busy session begins late or ends early: a halt, or lost data"),
    ):
        if of:
            yield Finding(
                kind=kind,
                severity=severity,
                count=len(of),
                first_at=instant(of[0].begins_ns),
                measured=f"{counted(len(of), 'run')}, {sum(run.minutes for run in of)} minutes in all",
                expected="bars in nearly every minute around them",
                explanation=explanation,
                examples=_told(of),
                advice="fetch those days again and compare",
            )


def halt_runs(bars: Bars, grid: SessionGrid) -> Iterator[Run]:
    """Every run of places without a bar that chance does not explain, oldest first.

    None where nobody could tell: for long bars, and in symbols that do not trade in most minutes.
    """
    if bars.timeframe.span_ns > LONGEST_SPAN_NS or grid.dense < DENSE:
        return
    span = bars.timeframe.span_ns
    shortest = max(1, SHORTEST_NS // span)
    inside = np.flatnonzero(grid.session_of_bar >= 0)
    firsts = np.searchsorted(grid.session_of_bar[inside], np.arange(len(grid.places) + 1))
    for session in np.flatnonzero((grid.filled > 0) & (grid.filled < grid.places)).tolist():
        places = int(grid.places[session])
        present = np.zeros(places, dtype=bool)
        present[grid.place_of_bar[inside[firsts[session] : firsts[session + 1]]]] = True
        long_runs = [(begin, end) for begin, end in _missing_runs(present) if end - begin >= shortest]
        ordinary = np.ones(places, dtype=bool)
        for begin, end in long_runs:
            ordinary[begin:end] = False
        for begin, end in long_runs:
            if _beyond_chance(present, ordinary, begin, end):
                yield Run(
                    begins_ns=int(grid.first_place_ns[session]) + begin * span,
                    minutes=(end - begin) * span // MINUTE_NS,
                    at_edge=begin == 0 or end == places,
                )


def _missing_runs(present: Mask) -> list[tuple[int, int]]:
    """Half-open ranges of places without a bar."""
    edges = np.flatnonzero(np.diff(np.concatenate(([True], present, [True])).astype(np.int8)))
    pairs: NDArray[np.intp] = edges.reshape(-1, 2)
    return [(int(begin), int(end)) for begin, end in pairs]


def _beyond_chance(present: Mask, ordinary: Mask, begin: int, end: int) -> bool:
    """Whether a run of this length is unlikely, judged by how often single bars are missing around it.

    Only `ordinary` places count, those outside of such runs: on a wild day, one halt follows the other.
    """
    around = slice(max(0, begin - _AROUND), end + _AROUND)
    seen = present[around][ordinary[around]]
    # One more missing than seen: what has not happened in two hours is not impossible.
    missing_share = (int(np.count_nonzero(~seen)) + 1) / (len(seen) + 2)
    return missing_share <= BUSY and len(present) * missing_share ** (end - begin) < CHANCE


def _told(runs: tuple[Run, ...]) -> tuple[str, ...]:
    return few([f"{instant(run.begins_ns):%Y-%m-%dT%H:%MZ} for {run.minutes} min" for run in runs])
