"""Machine code: call it with what Python has, and read what it answers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from magellan.compiled.image import Image, loaded
from magellan.compiled.object_file import ObjectFile, linked

# How numbers are handed over, by their name in `Code.returns` and the C type that Numba's functions take them as.
_NUMBERS: Final[dict[str, tuple[Any, Callable[[Any], Any]]]] = {
    "bool": (ctypes.c_uint8, bool),
    "int64": (ctypes.c_int64, int),
    "float64": (ctypes.c_double, float),
}
_C_TYPES: Final[dict[type, Any]] = {
    bool: ctypes.c_uint8, np.bool_: ctypes.c_uint8,
    int: ctypes.c_int64, np.int64: ctypes.c_int64, np.int32: ctypes.c_int32, np.int16: ctypes.c_int16,
    float: ctypes.c_double, np.float64: ctypes.c_double,
}  # fmt: skip
_AS_PYTHON: Final[dict[Any, Callable[[Any], Any]]] = {
    np.bool_: bool, np.int64: int, np.int32: int, np.int16: int,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One function for this very processor."""

    returns: tuple[str, ...]  # names of _NUMBERS; one: a number, none: None, several: a tuple
    form: Image | ObjectFile


class Native:
    """Loaded code as a Python function of arguments of the same types as those it was made for.

    Numba hands a result over through a pointer, an array as seven words or more, and a tuple as what is in it.
    """

    __slots__ = ("_answer_type", "_code", "_read")

    def __init__(self, code: Code, arguments: tuple[Any, ...]) -> None:
        address = loaded(code.form) if isinstance(code.form, Image) else linked(code.form)
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *_c_types(arguments))
        self._code = prototype(address)
        self._answer_type, self._read = _answer(code.returns)

    def __call__(self, *given: Any) -> Any:
        answer, failure = self._answer_type(), ctypes.c_void_p()
        status = self._code(ctypes.addressof(answer), ctypes.addressof(failure), *_words(given))
        assert status == 0, "a kernel raised an exception, which kernels do not"
        return self._read(answer)

    def over(self, arrays: tuple[Any, ...]) -> Callable[..., None]:
        """A function of the numbers that stand before these last arguments; of code that returns nothing."""
        assert self._answer_type is ctypes.c_void_p, (
            "a kernel that returns something gets its arrays every time"
        )
        return _Over(self._code, arrays)


class _Over:
    """Code with the words of its last arguments."""

    __slots__ = ("_answer", "_arrays", "_code", "_failure", "_places", "_words")

    def __init__(self, code: Any, arrays: tuple[Any, ...]) -> None:
        self._code = code
        self._arrays = arrays  # kept, for their addresses are
        self._words = tuple(_words(arrays))
        self._answer, self._failure = ctypes.c_void_p(), ctypes.c_void_p()
        self._places = ctypes.addressof(self._answer), ctypes.addressof(self._failure)

    def __call__(self, *numbers: Any) -> None:
        status = self._code(*self._places, *numbers, *self._words)
        assert status == 0, "a kernel raised an exception, which kernels do not"


def _c_types(arguments: tuple[Any, ...]) -> list[Any]:
    types: list[Any] = []
    for each in arguments:
        if isinstance(each, np.ndarray):
            types += [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2 + [ctypes.c_void_p]
            types += [ctypes.c_int64] * (2 * each.ndim)
        elif isinstance(each, tuple):
            types += _c_types(each)
        else:
            types.append(_C_TYPES[type(each)])
    return types


def _words(arguments: tuple[Any, ...]) -> list[Any]:
    """The arguments as Numba's functions take them.

    An array: its owner twice (which only code that makes arrays asks for), number and size of its items, address,
    shape, strides.
    """
    words: list[Any] = []
    for each in arguments:
        if isinstance(each, np.ndarray):
            words += (None, None, each.size, each.itemsize, each.ctypes.data, *each.shape, *each.strides)
        elif isinstance(each, tuple):
            words += _words(each)
        else:
            words.append(_AS_PYTHON.get(type(each), _as_it_is)(each))
    return words


def _answer(returns: tuple[str, ...]) -> tuple[Any, Callable[[Any], Any]]:
    """The memory that a result is written to, and how it becomes a Python value."""
    if not returns:
        return ctypes.c_void_p, lambda answer: None
    if len(returns) == 1:
        number, as_python = _NUMBERS[returns[0]]
        return number, lambda answer: as_python(answer.value)
    fields = [(f"_{at}", _NUMBERS[name][0]) for at, name in enumerate(returns)]
    record = type("Answer", (ctypes.Structure,), {"_fields_": fields})
    return record, lambda answer: tuple(
        [_NUMBERS[name][1](getattr(answer, f"_{at}")) for at, name in enumerate(returns)]
    )


def _as_it_is(value: Any) -> Any:
    return value
