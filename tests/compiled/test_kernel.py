"""Kernels: called from Python with numbers and arrays, as any function."""

import threading
from typing import Any, NamedTuple

import numpy as np
import pytest

from magellan.compiled import kernel, kernel_part, machine_code, over_arrays


@kernel_part
def larger(x: float, y: float) -> float:
    return x if x > y else y


@kernel
def summary(values, scale: float, offset: int, signed: bool):
    """Sum and largest of the values, how many there are, and whether any is below zero."""
    total = 0.0
    top = -np.inf
    below = False
    for value in values:
        total += scale * value + offset
        top = larger(top, value)
        below |= value < 0.0
    return total, top, len(values), below and signed


@kernel
def fill(out, value: float) -> None:
    out[:] = value


@kernel
def first_of(records) -> float:
    return records[0].price


class Weights(NamedTuple):
    weights: Any  # (n,)
    scale: float


@kernel
def weighed(each: Weights) -> float:
    return each.scale * (each.weights[0] + each.weights[1])


@kernel
def corner(table) -> float:
    return table[0, 0] + 10.0 * table[1, 2]


def test_a_kernel_takes_numbers_and_arrays_and_returns_numbers_of_python():
    answer = summary(np.array([1.0, -2.0, 4.0]), 2.0, 1, True)
    assert answer == (9.0, 4.0, 3, True)
    assert [type(each) for each in answer] == [float, float, int, bool]
    assert summary(np.array([1.0]), np.float64(2.0), np.int64(1), np.bool_(True)) == (3.0, 1.0, 1, False)


def test_a_kernel_that_returns_nothing_writes_into_its_arrays():
    out = np.zeros(3)
    assert fill(out, 7.0) is None
    assert out.tolist() == [7.0, 7.0, 7.0]


def test_a_kernel_reads_views_with_gaps_tables_and_records():
    every_other = np.arange(6.0)[::2]
    assert summary(every_other, 1.0, 0, False) == (6.0, 4.0, 3, False)
    table = np.arange(12.0).reshape(3, 4)
    assert corner(table) == 60.0
    assert corner(table[:, ::-1]) == 3.0 + 10.0 * 5.0
    records = np.zeros(2, dtype=[("row", "i8"), ("price", "f8")])
    records["price"] = 1.5, 2.5
    assert first_of(records) == 1.5
    assert first_of(records[1:]) == 2.5


def test_a_kernel_reads_tuples_of_arrays_and_numbers_by_their_names():
    assert weighed(Weights(weights=np.array([1.0, 3.0]), scale=2.0)) == 8.0


@kernel
def add_up(first: int, last: int, factor: float, values, out) -> None:
    for at in range(first, last):
        out[0] += factor * values[at]


def test_a_kernel_over_the_same_arrays_is_told_numbers_alone():
    out = np.zeros(1)
    told = over_arrays(add_up, 0, 0, 0.0, np.arange(10.0), out)  # nobody else keeps the values
    told(2, 5, 1.0)
    told(0, 2, 10.0)
    assert out[0] == 9.0 + 10.0


def test_a_kernel_that_answers_is_not_held_over_its_arrays():
    with pytest.raises(AssertionError, match="returns something"):
        over_arrays(corner, np.zeros((2, 3)))


@kernel
def weighed_rows(each: Weights, table, first: int) -> float:
    total = 0.0
    for row in range(first, table.shape[0]):
        for column in range(table.shape[1]):
            total += each.scale * each.weights[column] * table[row, column]
    return total


def test_a_kernel_reads_where_an_arrays_items_lie_anew_at_every_call():
    scale, first = 2.0, np.int64(1)
    for rows in (3, 5):
        table = np.arange(8.0 * rows).reshape(2 * rows, 4)[::2, 1:][:, ::-1]
        weights = np.array([1.0, 10.0, 100.0, 7.0])[:3]
        expected = scale * float((table[int(first) :] * weights).sum())
        assert weighed_rows(Weights(weights=weights, scale=scale), table, first) == expected


def test_a_kernel_is_not_called_where_arrays_do_not_lie_as_it_reads_them(monkeypatch):
    machine_code._must_be_laid_out_as_known.cache_clear()
    monkeypatch.setattr(machine_code, "DATA_AT", machine_code.DATA_AT + 8)
    with pytest.raises(ImportError, match="lays its arrays out in another way"):
        corner(np.zeros((5, 5), dtype=np.int64))
    monkeypatch.undo()
    assert corner(np.ones((5, 5), dtype=np.int64)) == 11.0


def test_an_empty_array_is_an_array():
    assert summary(np.zeros(0), 1.0, 0, True) == (0.0, -np.inf, 0, False)


def test_a_kernel_that_would_write_into_a_protected_array_is_refused():
    protected = np.zeros(3)
    protected.flags.writeable = False
    with pytest.raises(Exception, match="readonly"):
        fill(protected, 1.0)
    assert protected.tolist() == [0.0, 0.0, 0.0]


def test_an_argument_of_another_type_is_refused():
    with pytest.raises(TypeError, match="str"):
        fill(np.zeros(3), "7")


def test_a_kernel_that_makes_an_array_is_refused_when_it_is_compiled():
    @kernel
    def made(n: int) -> float:
        return np.zeros(n)[0]

    with pytest.raises(Exception, match="zeros"):
        made(3)


def test_threads_that_call_a_kernel_for_the_first_time_at_once_get_the_same_answer():
    @kernel
    def tripled(x: float) -> float:
        return 3.0 * x

    found: list[float] = []
    threads = [threading.Thread(target=lambda: found.append(tripled(1.5))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [4.5] * 4
