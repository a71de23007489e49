"""Jobs: what waits, runs, ends, and is cancelled."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from magellan.errors import FixInput
from magellan.surfaces.http.jobs import KEPT_MAX, WAITING_MAX, WORKERS, Job, Jobs, JobState, Report
from magellan.surfaces.http.problem import Refused

NOW = datetime(2026, 1, 20, 15, tzinfo=UTC)


@pytest.fixture
def jobs() -> Iterator[Jobs]:
    made = Jobs(lambda: NOW)
    yield made
    made.close()


class Gate:
    """Work that goes on when a test says so, and reports before and after."""

    def __init__(self) -> None:
        self.begun, self.may_go_on = threading.Event(), threading.Event()

    def __call__(self, report: Report) -> str:
        report("first", 1, 2)
        self.begun.set()
        assert self.may_go_on.wait(timeout=60)
        report("second", 2, 2)
        return "result"


def started(jobs: Jobs, work: Any) -> Job:
    return jobs.start("backtest", "moods", "tests", work)


def settled(jobs: Jobs, job: Job) -> Job:
    """The job, once nothing runs any more."""
    jobs._pool.shutdown(wait=True)
    return jobs.job(job.job_id)


def test_a_job_tells_how_far_it_is_and_what_came_of_it(jobs: Jobs) -> None:
    gate = Gate()
    job = started(jobs, gate)
    assert gate.begun.wait(timeout=60)
    now = jobs.job(job.job_id)
    assert (now.state, now.phase, now.done, now.total) == (JobState.RUNNING, "first", 1, 2)
    gate.may_go_on.set()
    after = settled(jobs, job)
    assert (after.state, after.result, after.ended_at) == (JobState.DONE, "result", NOW)


def test_a_job_that_is_cancelled_ends_at_its_next_report(jobs: Jobs) -> None:
    gate = Gate()
    job = started(jobs, gate)
    assert gate.begun.wait(timeout=60)
    jobs.cancel(job.job_id)
    gate.may_go_on.set()
    after = settled(jobs, job)
    assert (after.state, after.phase, after.result) == (JobState.CANCELLED, "first", None)


def test_a_job_that_waits_and_is_cancelled_never_begins(jobs: Jobs) -> None:
    gates = [Gate() for _ in range(WORKERS)]
    for gate in gates:
        started(jobs, gate)
        assert gate.begun.wait(timeout=60)
    waiting = Gate()
    job = started(jobs, waiting)
    assert jobs.cancel(job.job_id).state is JobState.CANCELLED
    for gate in gates:
        gate.may_go_on.set()
    assert settled(jobs, job).state is JobState.CANCELLED
    assert not waiting.begun.is_set()


def test_more_jobs_than_may_wait_are_refused(jobs: Jobs) -> None:
    gates = [Gate() for _ in range(WORKERS + WAITING_MAX)]
    for gate in gates[:WORKERS]:
        started(jobs, gate)
        assert gate.begun.wait(timeout=60)
    for gate in gates[WORKERS:]:
        started(jobs, gate)
    with pytest.raises(Refused) as refused:
        started(jobs, Gate())
    assert (refused.value.status, refused.value.code) == (429, "too-many-jobs")
    for gate in gates:
        gate.may_go_on.set()


def test_a_job_that_fails_says_why_and_what_to_do(jobs: Jobs) -> None:
    def wrong(report: Report) -> None:
        raise FixInput("no bars", next_step="import some")

    after = settled(jobs, started(jobs, wrong))
    assert (after.state, after.error, after.fix) == (JobState.FAILED, "no bars", "import some")


def test_the_newest_jobs_are_kept(jobs: Jobs) -> None:
    def quick(report: Report) -> None:
        report("all", 1, 1)

    first = started(jobs, quick)
    for _ in range(KEPT_MAX + 20):
        job = started(jobs, quick)
        while jobs.job(job.job_id).state in (JobState.WAITING, JobState.RUNNING):
            threading.Event().wait(0.001)
    assert len(jobs.jobs()) <= KEPT_MAX + 1
    with pytest.raises(Refused, match="there is no job"):
        jobs.job(first.job_id)
