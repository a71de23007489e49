"""Machine code: call it with what Python has, and read what it answers."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
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
    ctypes.c_uint8: bool, ctypes.c_int64: int, ctypes.c_double: float,
}  # fmt: skip

# Where in an array's Python object its items' address stands, and those of its shape and its strides.
# Source: NumPy's C API, "PyArrayObject", which its macros compile into every program that uses arrays.
DATA_AT: Final = object.__basicsize__
SHAPE_AT: Final = DATA_AT + 16
STRIDES_AT: Final = DATA_AT + 24

# A result that is none, and the exception that no kernel raises, are written nowhere else; any thread may do so.
_nothing, _no_failure = ctypes.c_void_p(), ctypes.c_void_p()
_UNUSED: Final = ctypes.addressof(_nothing), ctypes.addressof(_no_failure)
_RAISED: Final = "a kernel raised an exception, which kernels do not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One function for this very processor."""

    returns: tuple[str, ...]  # names of _NUMBERS; one: a number, none: None, several: a tuple
    form: Image | ObjectFile


class Native:
    """Loaded code as a Python function of arguments of the same types as those it was made for.

    Its door (numba_compiler.py) takes an array by the place of its Python object, and reads there where the items lie.
    """

    __slots__ = ("_answer_type", "_as_given", "_code", "_hands", "_read")

    def __init__(self, code: Code, arguments: tuple[Any, ...]) -> None:
        _must_be_laid_out_as_known()
        address = loaded(code.form) if isinstance(code.form, Image) else linked(code.form)
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *_c_types(arguments))
        self._code = prototype(address)
        self._answer_type, self._read = _answer(code.returns)
        self._hands = tuple([_hand(each) for each in arguments])
        self._as_given = not any(isinstance(each, tuple) for each in arguments)

    def __call__(self, *given: Any) -> Any:
        words = [hand(each) for hand, each in zip(self._hands, given, strict=True)]
        if not self._as_given:
            words = _flat(words)
        if self._answer_type is None:
            status = self._code(*_UNUSED, *words)
            assert status == 0, _RAISED
            return None
        answer, failure = self._answer_type(), ctypes.c_void_p()
        status = self._code(ctypes.addressof(answer), ctypes.addressof(failure), *words)
        assert status == 0, _RAISED
        return self._read(answer)

    def over(self, arrays: tuple[Any, ...]) -> Callable[..., None]:
        """A function of the numbers that stand before these last arguments; of code that returns nothing."""
        assert self._answer_type is None, "a kernel that returns something gets its arrays every time"
        return _Over(self._code, arrays)


class _Over:
    """Code with the words of its last arguments."""

    __slots__ = ("_arrays", "_code", "_words")

    def __init__(self, code: Any, arrays: tuple[Any, ...]) -> None:
        self._code = code
        self._arrays = arrays  # kept, for their places are
        self._words = tuple(_flat([_hand(each)(each) for each in arrays]))

    def __call__(self, *numbers: Any) -> None:
        status = self._code(*_UNUSED, *numbers, *self._words)
        assert status == 0, _RAISED


@cache
def _must_be_laid_out_as_known() -> None:
    """Look, once, whether an array's object holds what doors read in it, where they read it."""
    table = np.zeros((3, 5))[:, 1:]
    read = ctypes.c_void_p.from_address
    at, shape, strides = (read(id(table) + offset).value or 0 for offset in (DATA_AT, SHAPE_AT, STRIDES_AT))
    known = at == table.ctypes.data
    for place, numbers in ((shape, table.shape), (strides, table.strides)):
        known = known and tuple((ctypes.c_int64 * table.ndim).from_address(place)) == numbers
    if not known:
        raise ImportError(
            f"NumPy {np.__version__} lays its arrays out in another way than compiled code reads them; nothing was "
            "computed. Install Magellan again, which brings a NumPy that it is tested with"
        )


def _c_types(arguments: tuple[Any, ...]) -> list[Any]:
    types: list[Any] = []
    for each in arguments:
        if isinstance(each, np.ndarray):
            types.append(ctypes.c_void_p)
        elif isinstance(each, tuple):
            types += _c_types(each)
        else:
            types.append(_C_TYPES[type(each)])
    return types


def _hand(argument: Any) -> Callable[[Any], Any]:
    """How an argument of this type is handed over: an array by its object's place, a tuple as what is in it."""
    if isinstance(argument, np.ndarray):
        return id
    if isinstance(argument, tuple):
        hands = tuple([_hand(each) for each in argument])
        return lambda given: tuple([hand(each) for hand, each in zip(hands, given, strict=True)])
    return _AS_PYTHON[_C_TYPES[type(argument)]]


def _flat(words: Iterable[Any]) -> list[Any]:
    flat: list[Any] = []
    for each in words:
        if isinstance(each, tuple):
            flat += _flat(each)
        else:
            flat.append(each)
    return flat


def _answer(returns: tuple[str, ...]) -> tuple[Any, Callable[[Any], Any]]:
    """The memory that a result is written to, and how it becomes a Python value; None: there is none."""
    if not returns:
        return None, lambda answer: None
    if len(returns) == 1:
        number, as_python = _NUMBERS[returns[0]]
        return number, lambda answer: as_python(answer.value)
    fields = [(f"_{at}", _NUMBERS[name][0]) for at, name in enumerate(returns)]
    record = type("Answer", (ctypes.Structure,), {"_fields_": fields})
    return record, lambda answer: tuple(
        [_NUMBERS[name][1](getattr(answer, f"_{at}")) for at, name in enumerate(returns)]
    )
