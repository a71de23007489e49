"""What every executor keeps, wherever it carries work out: threads, processes, a Dask cluster of two workers."""

import math
import os
import pydoc
from collections.abc import Iterator

import pytest

from magellan.adapters.dask_cluster import DaskExecutor, local_cluster
from magellan.adapters.local.batches import BATCH_MAX, batches
from magellan.adapters.local.processes import ProcessExecutor
from magellan.adapters.local.threads import ThreadExecutor
from magellan.errors import FixInput, TryAgain
from magellan.ports.executor import Executor, Work

# Other processes find these by name: `pydoc.locate("math.sqrt")` is the function that items are handed to.
ROOTS: Work[str, float, float] = Work(begin=pydoc.locate, given="math.sqrt", describe=repr)
NOT_BELOW_ZERO = r"math domain error|nonnegative"  # before, and from, Python 3.14
ENDS_ITS_PROCESS: Work[str, int, None] = Work(begin=pydoc.locate, given="os._exit", describe=repr)


@pytest.fixture(scope="module")
def dask_address() -> Iterator[str]:
    """A Dask cluster of two workers on the loopback interface, without its dashboard."""
    with local_cluster(2) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(params=["threads", "processes", "dask"])
def executor(request: pytest.FixtureRequest) -> Executor:
    match request.param:
        case "threads":
            return ThreadExecutor(2)
        case "processes":
            return ProcessExecutor(2)
    return DaskExecutor(request.getfixturevalue("dask_address"))


def test_answers_come_in_the_order_of_the_items_and_each_is_told_once(executor: Executor) -> None:
    items = [float(number) for number in range(150)]
    told: dict[int, float] = {}

    def on_done(number: int, answer: float) -> None:
        assert number not in told
        told[number] = answer

    answers = executor.map(ROOTS, items, on_done=on_done)
    assert answers == [math.sqrt(item) for item in items]
    assert [told[number] for number in range(len(items))] == answers


def test_no_items_are_no_work(executor: Executor) -> None:
    assert executor.map(ROOTS, []) == []


def test_an_error_comes_back_with_its_item_named(executor: Executor) -> None:
    with pytest.raises(ValueError, match=NOT_BELOW_ZERO) as raised:
        executor.map(ROOTS, [4.0, 9.0, -1.0])
    assert raised.value.__notes__ == ["while working on -1.0"]


def test_an_error_on_beginning_comes_back_as_it_is(executor: Executor) -> None:
    broken: Work[str, float, float] = Work(begin=math.sqrt, given=-2.0, describe=repr)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=NOT_BELOW_ZERO):
        executor.map(broken, [1.0])


def test_an_interruption_while_answers_arrive_stops_the_work_and_tells_what_is_there(
    executor: Executor,
) -> None:
    told: dict[int, float] = {}

    def interrupted(number: int, answer: float) -> None:
        told[number] = answer
        if len(told) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        executor.map(ROOTS, [float(number) for number in range(40)], on_done=interrupted)
    assert told
    assert all(answer == math.sqrt(number) for number, answer in told.items())


def test_what_on_done_raises_stops_the_work_and_passes_through(executor: Executor) -> None:
    def full_disk(number: int, answer: float) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        executor.map(ROOTS, [1.0, 2.0, 3.0], on_done=full_disk)


def test_a_process_that_is_killed_is_said_to_be_lost() -> None:
    with pytest.raises(TryAgain, match="out of memory"):
        ProcessExecutor(1).map(ENDS_ITS_PROCESS, [3])


def test_work_can_be_carried_out_again_after_an_error(executor: Executor) -> None:
    with pytest.raises(ValueError, match=NOT_BELOW_ZERO):
        executor.map(ROOTS, [-1.0])
    assert executor.map(ROOTS, [16.0]) == [4.0]


def test_every_item_is_in_one_batch_and_neighbours_stay_together() -> None:
    for items in (0, 1, 7, 64, 1000, 10_000):
        for workers in (1, 2, 16):
            made = batches(items, workers)
            assert [number for batch in made for number in batch] == list(range(items))
            assert all(1 <= len(batch) <= BATCH_MAX for batch in made)


@pytest.mark.parametrize("address", ["", "8786", "http://cluster:8786", "local", "local:0", "local:two"])
def test_what_is_no_cluster_is_refused(address: str) -> None:
    with pytest.raises(FixInput, match="not the address of a cluster"):
        DaskExecutor(address)


def test_a_cluster_that_does_not_answer_can_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("magellan.adapters.dask_cluster.CONNECT_TIMEOUT_S", 0.2)
    with pytest.raises(TryAgain, match="no Dask scheduler answers"):
        DaskExecutor("tcp://127.0.0.1:9").map(ROOTS, [1.0])


def test_places_are_told_in_words() -> None:
    assert ThreadExecutor(1).place == "1 thread on this machine"
    assert ProcessExecutor(2).place == "2 processes on this machine"
    assert DaskExecutor("local:2").place == "a Dask cluster of 2 processes on this machine"
    assert DaskExecutor("tcp://10.0.0.1:8786").place == "the Dask cluster at tcp://10.0.0.1:8786"


def test_processes_are_gone_when_the_work_is_done() -> None:
    import multiprocessing

    before = {child.pid for child in multiprocessing.active_children()}
    ProcessExecutor(2).map(ROOTS, [1.0, 2.0])
    assert {child.pid for child in multiprocessing.active_children()} - before == set()
    assert os.getpid() not in before
