"""Jobs: work that takes longer than an answer may. Started, watched, cancelled, and read when it is done."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

from magellan.errors import MagellanError
from magellan.surfaces.cli.failure import failure_of
from magellan.surfaces.http.problem import Refused, not_found

Report = Callable[[str, float, float | None], None]
"""Told how far the work is: phase, done, total."""

WORKERS: Final = 2
WAITING_MAX: Final = 8
KEPT_MAX: Final = 100


class JobState(StrEnum):
    """Where a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


_ENDED: Final = (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job, as it stands."""

    job_id: str
    kind: str  # backtest, regime analysis, regime evaluation
    subject: str  # of what
    asked_by: str
    asked_at: datetime
    state: JobState
    phase: str  # of the work; "" before it begins
    done: float
    total: float | None  # in the unit of `done`; None while it is not known
    ended_at: datetime | None
    result: Any  # of a job that is done
    error: str  # of one that failed
    fix: str


class _Cancelled(Exception):
    """Raised inside the work, where it reports, once somebody has cancelled it."""


@dataclass(slots=True, kw_only=True)
class _Work:
    kind: str
    subject: str
    asked_by: str
    asked_at: datetime
    state: JobState = JobState.WAITING
    phase: str = ""
    done: float = 0.0
    total: float | None = None
    ended_at: datetime | None = None
    result: Any = None
    error: str = ""
    fix: str = ""
    is_cancelled: bool = False


class Jobs:
    """The jobs of this process. The newest are kept until it ends."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="job")
        self._works: OrderedDict[str, _Work] = OrderedDict()
        self._lock = threading.Lock()

    def start(self, kind: str, subject: str, asked_by: str, work: Callable[[Report], Any]) -> Job:
        """Begin, or wait for others to end. Raises Refused where too many wait."""
        with self._lock:
            waiting = sum(1 for each in self._works.values() if each.state is JobState.WAITING)
            if waiting >= WAITING_MAX:
                raise Refused(
                    HTTPStatus.TOO_MANY_REQUESTS, "too-many-jobs", f"{waiting} jobs wait already",
                    fix="wait for one to end, or cancel one", retry_after_s=10,
                )  # fmt: skip
            job_id = secrets.token_hex(8)
            self._works[job_id] = _Work(kind=kind, subject=subject, asked_by=asked_by, asked_at=self._now())
            for old in [key for key, each in self._works.items() if each.state in _ENDED][
                : -KEPT_MAX or None
            ]:
                del self._works[old]
        self._pool.submit(self._run, job_id, work)
        return self.job(job_id)

    def job(self, job_id: str) -> Job:
        """How it stands. Raises Refused where there is none."""
        return _shown(job_id, self._work(job_id))

    def jobs(self) -> tuple[Job, ...]:
        """All that are kept, newest first."""
        with self._lock:
            return tuple(_shown(job_id, each) for job_id, each in reversed(self._works.items()))

    def cancel(self, job_id: str) -> Job:
        """Let it end at its next report; one that waits does not begin. Raises Refused where there is none."""
        work = self._work(job_id)
        with self._lock:
            work.is_cancelled = True
            if work.state is JobState.WAITING:
                work.state, work.ended_at = JobState.CANCELLED, self._now()
        return _shown(job_id, work)

    def close(self) -> None:
        """Cancel everything, and wait for what runs to notice."""
        with self._lock:
            for work in self._works.values():
                work.is_cancelled = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _work(self, job_id: str) -> _Work:
        with self._lock:
            work = self._works.get(job_id)
        if work is None:
            raise not_found(
                f"there is no job {job_id}", fix="jobs are kept until the server is started again"
            )
        return work

    def _run(self, job_id: str, do: Callable[[Report], Any]) -> None:
        work = self._work(job_id)

        def report(phase: str, done: float, total: float | None = None) -> None:
            if work.is_cancelled:
                raise _Cancelled
            work.phase, work.done, work.total = phase, done, total

        with self._lock:
            if work.is_cancelled:
                work.state, work.ended_at = JobState.CANCELLED, work.ended_at or self._now()
                return
            work.state = JobState.RUNNING
        state = JobState.FAILED
        try:
            work.result = do(report)
            state = JobState.DONE
        except _Cancelled:
            state = JobState.CANCELLED
        except MagellanError as error:
            work.error, work.fix = error.message, error.next_step
        # The outermost loop of a job: without this, nobody would learn why it never ends.
        except Exception as error:  # noqa: BLE001
            failure = failure_of(error, command="serve")
            work.error, work.fix = "a defect of Magellan", failure.next_step
        with self._lock:
            work.state, work.ended_at = state, self._now()


def _shown(job_id: str, work: _Work) -> Job:
    return Job(
        job_id=job_id,
        kind=work.kind,
        subject=work.subject,
        asked_by=work.asked_by,
        asked_at=work.asked_at,
        state=work.state,
        phase=work.phase,
        done=work.done,
        total=work.total,
        ended_at=work.ended_at,
        result=work.result,
        error=work.error,
        fix=work.fix,
    )
