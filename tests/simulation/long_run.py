"""A long run: seeds shared out among processes, what is done written to a journal, what broke kept by its seed.

The journal is one JSON object a line. A run that finds one goes on after what is in it; one that was killed has lost
the portions that were under way, and nothing else.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context, parent_process
from pathlib import Path
from typing import Any

from magellan.errors import FixInput

SEEDS_AT_ONCE = 5  # a second of one core: little is lost by a kill, and the end is not waited for
WAITS_S = 0.5  # at most, from one look at what is asked of it to the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the runs of one journal have in common."""

    first_seed: int
    run_days: int  # trading days of one run
    minutes: int | str  # of a bar; "usual": `usual_minutes`; "drawn": as the seed draws

    def portions(self, days: int) -> Iterator[range]:
        """Seeds in portions, until there are so many days."""
        end = self.first_seed - (-days // self.run_days)
        for first in range(self.first_seed, end, SEEDS_AT_ONCE):
            yield range(first, min(first + SEEDS_AT_ONCE, end))


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What a portion of seeds came to. broken: seed -> what does not hold."""

    first: int
    end: int
    days: int
    entries: int = 0  # of the ledgers
    kills: int = 0
    faults: int = 0  # of every kind, kills among them
    broken: dict[int, str] = field(default_factory=dict)


def usual_minutes(seed: int) -> int | None:
    """Of a bar: an hour for most, since what goes wrong goes wrong per order, and a day of those is soon over.

    None: as the seed draws.
    """
    return None if seed % 5 == 0 else 60


def run_portion(terms: Terms, seeds: range) -> Done:
    """Simulate some seeds, one after the other."""
    from simulation.campaign import simulate

    days = entries = kills = faults = 0
    broken: dict[int, str] = {}
    for seed in seeds:
        minutes = usual_minutes(seed) if terms.minutes == "usual" else terms.minutes
        days += terms.run_days
        try:
            outcome = simulate(
                seed, days=terms.run_days, minutes=minutes if isinstance(minutes, int) else None
            )
        except Exception as error:  # noqa: BLE001  # whatever it is: the seed has found it
            at = traceback.extract_tb(error.__traceback__)[-1]
            broken[seed] = (
                f"{type(error).__name__}: {str(error)[:300]} ({Path(at.filename).name}:{at.lineno})"
            )
            continue
        world = outcome.world
        entries, kills = entries + len(world.ledger), kills + outcome.kills
        faults += world.struck.total() + world.core.struck.total()
    return Done(
        first=seeds.start,
        end=seeds.stop,
        days=days,
        entries=entries,
        kills=kills,
        faults=faults,
        broken=broken,
    )


class Journal:
    """What has been simulated, in a file of its own; without a path it is remembered as long as the process lives."""

    def __init__(self, path: Path | None, terms: Terms, code: str) -> None:
        """code: which version simulates from here on. Raises FixInput where the file is of another run."""
        self._path = path
        self.done: list[Done] = []
        self._seeds: set[int] = set()  # of all that is done
        if path is None:
            return
        if path.exists():
            self._read(path, terms)
        self._write({"terms": asdict(terms), "code": code})

    def add(self, done: Done) -> None:
        self._count(done)
        self._write({"done": asdict(done)})

    @property
    def broken(self) -> dict[int, str]:
        return {seed: what for done in self.done for seed, what in done.broken.items()}

    def total(self, name: str) -> int:
        """Of a count of `Done`, over all portions."""
        return sum(getattr(done, name) for done in self.done)

    def has(self, seeds: range) -> bool:
        return self._seeds.issuperset(seeds)

    def _count(self, done: Done) -> None:
        self.done.append(done)
        self._seeds.update(range(done.first, done.end))

    def _read(self, path: Path, terms: Terms) -> None:
        whole, _, torn = path.read_text(encoding="utf-8").rpartition("\n")
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                told = json.loads(line)
                if "done" in told:
                    broken = {int(seed): what for seed, what in told["done"]["broken"].items()}
                    self._count(Done(**told["done"] | {"broken": broken}))
                    continue
                of = Terms(**told["terms"])
            except (ValueError, KeyError, TypeError) as error:
                raise FixInput(
                    f"{path}, line {number}: {error}", next_step="name another file, or mend the line"
                ) from error
            if of != terms:
                raise FixInput(f"{path} is the journal of {of}", next_step="name another file for this run")
        if torn:  # written when it was killed: that portion is simulated again
            os.truncate(path, len((whole + "\n" if whole else "").encode()))

    def _write(self, line: dict[str, Any]) -> None:
        if self._path is None:
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())


def long_run(
    journal: Journal, terms: Terms, days: int, *, jobs: int, goes_on: Callable[[], bool]
) -> Iterator[Done]:
    """Simulate what the journal lacks, in so many processes; gives each portion when it is in the journal.

    goes_on: asked before each portion is begun.
    """
    missing = (seeds for seeds in terms.portions(days) if not journal.has(seeds))
    if jobs == 1:
        for seeds in missing:
            if not goes_on():
                return
            journal.add(run_portion(terms, seeds))
            yield journal.done[-1]
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_follow_the_parent) as pool:
        under_way: set[Future[Done]] = set()
        try:
            while True:
                while len(under_way) < 2 * jobs and goes_on() and (seeds := next(missing, None)):
                    under_way.add(pool.submit(run_portion, terms, seeds))
                if not under_way:
                    return
                ready, under_way = wait(under_way, timeout=WAITS_S, return_when=FIRST_COMPLETED)
                for each in ready:
                    journal.add(each.result())
                    yield journal.done[-1]
        finally:
            for each in under_way:
                each.cancel()


def _follow_the_parent() -> None:
    """In a worker: it ends with its parent, even one that was killed, and not by a Ctrl-C that was meant for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    assert parent is not None, "a worker has a parent"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
