"""Places: where arrays lie in memory, so that compiled code gets dozens of them as one argument.

Handing an array over costs a microsecond, and a closed bar is worth thirty. So the arrays of a model are written into
one record by their addresses, once, and compiled code makes them out of it again. Whoever keeps the record keeps the
arrays (`Places`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from magellan.compiled import in_kernels

PLACE = np.dtype([("address", np.int64), ("rows", np.int64), ("width", np.int64)])


class Places:
    """Arrays by name as a record of shape (1,), which is good for as long as this is kept.

    Raises: AssertionError for an array that is not contiguous, or has more than two dimensions.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._arrays = dict(arrays)
        self.record = np.zeros(1, dtype=_layout(tuple(arrays)))
        for name, array in arrays.items():
            assert array.flags.c_contiguous and array.ndim in (1, 2), f"{name} is not a plain array"
            width = array.shape[1] if array.ndim == 2 else 1
            self.record[name] = (array.ctypes.data, array.shape[0], width)


@cache
def _layout(names: tuple[str, ...]) -> np.dtype[np.void]:
    """One object for the same names: compiled code is looked up by it."""
    return np.dtype([(name, PLACE) for name in names])


def _array_of(number: str, dimensions: int) -> Any:
    """A word of compiled code, `(place) -> array`: the array of such numbers at a PLACE."""

    def make() -> Any:
        from llvmlite import ir
        from numba import types
        from numba.extending import intrinsic
        from numba.np.arrayobj import populate_array

        kind = types.Array(getattr(types, number), dimensions, "C")

        @intrinsic  # type: ignore[untyped-decorator]  # Numba ships no types
        def array_of(typing: Any, place: Any) -> Any:
            def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                word = ir.IntType(64)
                first = builder.bitcast(arguments[0], word.as_pointer())
                address, rows, width = (
                    builder.load(builder.gep(first, [ir.Constant(word, at)])) for at in range(3)
                )
                array = context.make_array(kind)(context, builder)
                item = ir.Constant(word, context.get_abi_sizeof(context.get_data_type(kind.dtype)))
                populate_array(
                    array,
                    data=builder.inttoptr(address, array.data.type),
                    shape=[rows, width][:dimensions],
                    strides=[builder.mul(width, item), item][2 - dimensions :],
                    itemsize=item,
                    meminfo=None,
                )
                return array._getvalue()

            return kind(place), generate

        return array_of

    return in_kernels(make)


line: Any = _array_of("float64", 1)  # numbers, shape (rows,)
whole_line: Any = _array_of("int64", 1)
minutes: Any = _array_of("int16", 1)
flags: Any = _array_of("boolean", 1)
matrix: Any = _array_of("float64", 2)  # numbers, shape (rows, width)
