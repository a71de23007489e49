"""Numba compiler: what it makes of parts, and what of Numba it leaves out."""

import math

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError
from numba.core.typing.templates import AbstractTemplate
from numba.extending import overload

from magellan import compiled


def test_parts_run_inside_the_kernel_that_calls_them_and_have_no_machine_code_of_their_own():
    @compiled.kernel_part
    def half(x: float) -> float:
        return x / 2.0

    @compiled.kernel_part
    def halved_until(x: float, least: float) -> tuple[float, int]:
        times = 0
        while x > least and not math.isnan(x):
            x = half(x)
            times += 1
        return x, times

    @njit
    def kernel(x: float) -> float:
        left, times = halved_until(x, 3.0)
        return half(left) + 100.0 * times

    assert kernel(20.0) == 301.25
    assert math.isnan(kernel(math.nan))
    (made,) = kernel.overloads.values()
    engine = made.library.codegen._engine
    assert engine.is_symbol_defined(made.fndesc.llvm_func_name)
    for part in (half, halved_until):
        (own,) = part.dispatcher.overloads.values()
        assert not engine.is_symbol_defined(own.fndesc.llvm_func_name)
        assert own.library.get_pointer_to_function(own.fndesc.llvm_func_name) == 0


def test_a_part_that_numba_cannot_type_is_an_error_when_its_kernel_is_compiled():
    @compiled.kernel_part
    def wrong(x: float) -> float:
        return x + "1"

    @njit
    def kernel(x: float) -> float:
        return wrong(x)

    with pytest.raises(TypingError, match="wrong"):
        kernel(1.0)


def test_numba_searches_for_a_builtin_once_per_types_however_often_it_stands_there(monkeypatch):
    searched = []
    apply = AbstractTemplate.apply

    def counted(template, args, keywords):
        searched.append((template.key, args))
        return apply(template, args, keywords)

    @njit
    def clipped(x, low, high):
        if x < low:
            return low
        return high if high < x else x

    assert clipped(np.float32(5), np.float32(1), np.float32(3)) == 3

    monkeypatch.setattr(AbstractTemplate, "apply", counted)

    @njit
    def least(x, y):
        return x if x < y else y

    assert least(np.float32(5), np.float32(1)) == 1
    assert searched == []


def test_what_numba_is_taught_later_is_found():
    def twice(x):
        """Only compiled."""

    with pytest.raises(TypingError):
        njit(lambda x: twice(twice(x)))(1.5)

    @overload(twice)
    def _twice(x):
        return lambda x: x + x

    assert njit(lambda x: twice(twice(x)))(1.5) == 6.0
