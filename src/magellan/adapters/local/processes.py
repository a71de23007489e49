"""Processes: for work that holds on to the interpreter, as decisions in plain Python do."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from magellan.adapters.local.batches import batches
from magellan.adapters.local.ctrl_c import unreachable_by_ctrl_c
from magellan.errors import TryAgain
from magellan.ports.executor import Answer, Given, Item, Work, answers


class ProcessExecutor:
    """Keeps `ports.executor.Executor` with processes of this machine, started afresh (spawn) on every system."""

    def __init__(self, workers: int) -> None:
        assert workers >= 1, f"{workers} processes carry out nothing"
        self._workers = workers

    @property
    def place(self) -> str:
        """See the port."""
        return f"{self._workers} process{'es' if self._workers > 1 else ''} on this machine"

    def map(
        self,
        work: Work[Given, Item, Answer],
        items: Sequence[Item],
        *,
        on_done: Callable[[int, Answer], None] | None = None,
    ) -> list[Answer]:
        """See the port."""
        found: dict[int, Answer] = {}
        before = set(multiprocessing.active_children())
        pool = ProcessPoolExecutor(
            max_workers=max(1, min(self._workers, len(items))),
            # A fork would copy locks that another thread of ours holds.
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_remember,
            initargs=(work,),
        )
        told: set[Future[list[Any]]] = set()

        def tell(batch: range, future: Future[list[Any]]) -> None:
            told.add(future)
            for number, answer in zip(batch, future.result(), strict=True):
                found[number] = answer
                if on_done is not None:
                    on_done(number, answer)

        pending: dict[Future[list[Any]], range] = {}
        try:
            with unreachable_by_ctrl_c():
                for batch in batches(len(items), self._workers):
                    pending[pool.submit(_carry_out, [items[number] for number in batch])] = batch
            for future in as_completed(pending):
                tell(pending[future], future)
        except BrokenProcessPool as error:
            raise TryAgain(
                "a process that worked for us has ended before its work was done: killed, or out of memory",
                next_step="run it again with fewer --workers, so that more memory is left for each",
            ) from error
        except BaseException as stopped:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - before:
                child.terminate()
            if isinstance(stopped, KeyboardInterrupt):
                for future, batch in pending.items():
                    if (
                        future not in told
                        and future.done()
                        and not future.cancelled()
                        and not future.exception()
                    ):
                        tell(batch, future)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return [found[number] for number in range(len(items))]


_work: Work[Any, Any, Any] | None = None
_function: Callable[[Any], Any] | None = None


def _remember(work: Work[Any, Any, Any]) -> None:
    """In a new process: keep the work until its first item comes. An error here would lose its words."""
    global _work
    _work = work


def _carry_out(items: list[Any]) -> list[Any]:
    global _function
    assert _work is not None, "a process is told its work before its items"
    if _function is None:
        _function = _work.begin(_work.given)
    return answers(_work, _function, items)
