"""Images: what we lay out ourselves is the code that LLVM would have linked."""

import math
import platform
import sys
from dataclasses import replace

import numpy as np
import pytest

from magellan.compiled import kernel, kernel_part
from magellan.compiled.image import Image, can_load, image_of
from magellan.compiled.machine_code import Code, Native
from magellan.compiled.numba_compiler import compiled, object_file

on_x86_linux = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="elsewhere LLVM links what it has compiled",
)


@kernel_part
def stepped(value: float, kind: int) -> float:
    """Constants in tables, branches, and a call: what has addresses."""
    if kind == 0:
        return value * 1.25 + 3.5
    if kind == 1:
        return value - 0.1
    if kind == 2:
        return stepped_twice(value)
    return -value


@kernel_part
def stepped_twice(value: float) -> float:
    total = value
    for _ in range(2):
        total = total / 7.0 + 11.0
    return total


@kernel
def walked(values, kinds) -> float:
    total = 0.0
    for row in range(len(values)):
        total = stepped(total + values[row], kinds[row])
    return total


@kernel
def grown(rate: float) -> float:
    return math.exp(rate)


@on_x86_linux
def test_code_that_we_laid_out_answers_as_the_code_that_llvm_links():
    random = np.random.default_rng(7)
    values, kinds = random.standard_normal(500), random.integers(0, 4, 500)
    _, linked_by_llvm = object_file(walked.dispatcher, (values, kinds))
    ours = image_of(linked_by_llvm.content, linked_by_llvm.symbol)
    assert ours is not None and ours.addresses
    answers = [
        Native(Code(returns=("float64",), form=form), (values, kinds))(values, kinds)
        for form in (ours, linked_by_llvm)
    ]
    assert answers[0] == answers[1] == walked(values, kinds)


@on_x86_linux
def test_code_that_calls_the_c_library_finds_it_in_the_process():
    form = compiled(grown.dispatcher, (1.0,)).form
    assert isinstance(form, Image)
    assert {name for _, name in form.outside} == {"exp"}
    assert can_load(form)
    assert grown(1.0) == math.exp(1.0)


@on_x86_linux
def test_code_that_calls_what_nobody_has_is_not_loaded():
    form = compiled(grown.dispatcher, (1.0,)).form
    assert isinstance(form, Image)
    assert not can_load(replace(form, outside=((form.outside[0][0], "no_such_function_anywhere"),)))


@pytest.mark.parametrize(
    "content", [b"", b"MZ\x90\x00", b"\x7fELF\x01\x01" + bytes(100), b"\x7fELF\x02\x01" + bytes(60)]
)
def test_what_is_no_object_file_for_this_kind_of_machine_is_not_laid_out(content):
    assert image_of(content, "walked") is None
