"""Threads: for work that lets go of the interpreter, as compiled replays do. Nothing is copied."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from typing import Final

from magellan.adapters.local.batches import batches
from magellan.ports.executor import Answer, Given, Item, Work, noted

TOLD_EVERY_S: Final = 0.02


class ThreadExecutor:
    """Keeps `ports.executor.Executor` with threads of this process."""

    def __init__(self, workers: int) -> None:
        assert workers >= 1, f"{workers} threads carry out nothing"
        self._workers = workers

    @property
    def place(self) -> str:
        """See the port."""
        return f"{self._workers} thread{'s' if self._workers > 1 else ''} on this machine"

    def map(
        self,
        work: Work[Given, Item, Answer],
        items: Sequence[Item],
        *,
        on_done: Callable[[int, Answer], None] | None = None,
    ) -> list[Answer]:
        """See the port."""
        found: dict[int, Answer] = {}
        arrived: SimpleQueue[list[tuple[int, Answer]] | BaseException | None] = SimpleQueue()
        stop = threading.Event()
        waiting = iter(batches(len(items), self._workers))
        taking = threading.Lock()

        def work_on() -> None:
            answered: list[tuple[int, Answer]] = []
            told_at = time.monotonic()
            try:
                function = work.begin(work.given)
                for number in _taken(waiting, taking):
                    if stop.is_set():
                        break
                    try:
                        answered.append((number, function(items[number])))
                    except BaseException as error:
                        noted(error, work.describe(items[number]))
                        raise
                    # Waking the caller for every answer would cost as much as a short item itself.
                    if time.monotonic() - told_at > TOLD_EVERY_S:
                        arrived.put(answered)
                        answered, told_at = [], time.monotonic()
            # Carried to the caller's thread, which raises it.
            except BaseException as error:  # noqa: BLE001
                arrived.put(answered)
                arrived.put(error)
            else:
                arrived.put(answered)
            arrived.put(None)

        threads = [
            threading.Thread(target=work_on, daemon=True) for _ in range(min(self._workers, len(items)))
        ]
        for thread in threads:
            thread.start()
        working = len(threads)
        failed: BaseException | None = None

        untold: deque[tuple[int, Answer]] = deque()

        def take_some() -> None:
            nonlocal working, failed
            some = arrived.get()
            if some is None:
                working -= 1
            elif isinstance(some, BaseException):
                failed = failed or some
                stop.set()
            else:
                untold.extend(some)

        def tell() -> None:
            while untold:
                number, answer = untold.popleft()
                found[number] = answer
                if on_done is not None:
                    on_done(number, answer)

        try:
            while working:
                take_some()
                tell()
        except KeyboardInterrupt:
            # A compiled replay cannot be stopped in the middle: each thread finishes the item that it is at.
            stop.set()
            while working:
                take_some()
            tell()
            raise
        finally:
            stop.set()
        if failed is not None:
            raise failed
        return [found[number] for number in range(len(items))]


def _taken(waiting: Iterator[range], taking: threading.Lock) -> Iterator[int]:
    while True:
        with taking:
            batch = next(waiting, None)
        if batch is None:
            return
        yield from batch
