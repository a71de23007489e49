"""Kernel: a function that runs as machine code, from the disk where it is there, else compiled on its first call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np

from magellan.compiled import kept_code
from magellan.compiled.machine_code import Native

Function = TypeVar("Function", bound=Callable[..., Any])
Kinds = tuple[Any, ...]  # per argument: a scalar's name, or an array's layout

_SCALARS = {
    bool: "bool", np.bool_: "bool",
    int: "int64", np.int64: "int64", np.int32: "int32", np.int16: "int16",
    float: "float64", np.float64: "float64",
}  # fmt: skip
_one_at_a_time = threading.RLock()


def kernel(function: Function) -> Function:
    """Compile a function of numbers and arrays. It makes no arrays and no objects, and raises nothing.

    Calls release the interpreter lock. Each set of argument types is compiled for itself: whether an array is
    contiguous, and whether it may be written to, is part of its type.
    """
    return cast(Function, Kernel(function))


def kernel_part(function: Function) -> Function:
    """A function that only kernels call: it cannot be called from Python, and is compiled into its callers."""
    return cast(Function, Part(function))


def over_arrays(of: Callable[..., None], *arguments: Any) -> Callable[..., None]:
    """A kernel with its last arguments, the arrays, handed over for good: a function of the numbers before them.

    Handing an array over takes microseconds, and a kernel that is called with every bar gets the same ones each time.
    arguments: all of them, in their order; the numbers of Python that stand first are examples of their types.
    Raises:    AssertionError for a kernel that returns something.
    """
    return cast(Kernel, of).over(arguments)


def is_kept(kernel_: Callable[..., Any]) -> bool:
    """Whether machine code of a kernel lies on the disk, so that nobody waits until it is compiled."""
    assert isinstance(kernel_, Kernel), f"{kernel_} is no kernel"
    return kept_code.holds(kernel_.name)


def in_kernels(make: Callable[[], Any]) -> Any:
    """A name for what `make` returns, an intrinsic of Numba's, made when a kernel that says it is compiled."""
    return _Word(make)


class Part:
    """A function as Numba knows it: kernels that name it are compiled with it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    @cached_property
    def dispatcher(self) -> Any:
        from magellan.compiled.numba_compiler import part

        return part(self.function)

    @property
    def _numba_type_(self) -> Any:
        """Numba asks a value that it does not know for its type by this name."""
        return self.dispatcher._numba_type_


class Kernel(Part):
    """A part that can be called from Python."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self.__doc__ = function.__doc__
        self.name = f"{function.__module__}.{function.__qualname__}"
        self._native: dict[Kinds, Native] = {}
        self._of_numbers: dict[
            tuple[type, ...], Native
        ] = {}  # the same, of calls without arrays: types say all

    def __call__(self, *arguments: Any) -> Any:
        return self._of(arguments)(*arguments)

    def over(self, arguments: tuple[Any, ...]) -> Callable[..., None]:
        """As `over_arrays`."""
        arrays = next(at for at, each in enumerate(arguments) if isinstance(each, np.ndarray))
        return self._of(arguments).over(arguments[arrays:])

    def _of(self, arguments: tuple[Any, ...]) -> Native:
        if self._of_numbers:
            known = self._of_numbers.get(tuple(map(type, arguments)))
            if known is not None:
                return known
        kinds = tuple([_kind(each) for each in arguments])
        native = self._native.get(kinds)
        if native is None:
            with _one_at_a_time:
                native = self._native.get(kinds) or self._made(kinds, arguments)
                self._native[kinds] = native
                types = tuple(map(type, arguments))
                if _SCALARS.keys() >= set(types):
                    self._of_numbers[types] = native
        return native

    def _made(self, kinds: Kinds, arguments: tuple[Any, ...]) -> Native:
        code = kept_code.read(self.name, kinds)
        if code is None:
            with kept_code.alone(self.name, kinds):
                code = kept_code.read(self.name, kinds)  # somebody else may have made it meanwhile
                if code is None:
                    from magellan.compiled.numba_compiler import compiled

                    code = compiled(self.dispatcher, arguments)
                    kept_code.keep(self.name, kinds, code)
        return Native(code, arguments)


class _Word:
    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def _numba_type_(self) -> Any:
        from magellan.compiled.numba_compiler import type_of

        return type_of(self._make())


def _kind(argument: Any) -> Any:
    """What of an argument its machine code depends on."""
    name = _SCALARS.get(type(argument))
    if name is not None:
        return name
    if isinstance(argument, np.ndarray):
        flags = argument.flags
        return _layout(argument.dtype), argument.ndim, flags.c_contiguous, flags.writeable
    if isinstance(argument, tuple):
        return type(argument).__qualname__, *[_kind(each) for each in argument]
    raise TypeError(f"a kernel takes numbers, arrays and tuples of them, not {type(argument).__name__}")


# A record's layout takes microseconds to write out, and its arrays share one dtype: kept by identity, with the dtype.
_layouts: dict[int, tuple[np.dtype[Any], str]] = {}


def _layout(dtype: np.dtype[Any]) -> str:
    known = _layouts.get(id(dtype))
    if known is None:
        written = str(dtype.descr) if dtype.fields else dtype.str
        known = _layouts[id(dtype)] = (dtype, written)
    return known[1]
