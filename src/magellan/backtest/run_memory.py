"""Run memory: how compiled code reaches the arrays of a run through one pointer.

The replay is some forty small functions. Handing each of them thirty arrays costs more than the work itself (an
array is seven machine words, and every hand-over counts references): measured, 6 microseconds a trade against 0.1.
So a run keeps one record of addresses, `context_t`, and compiled functions receive that record alone. The arrays
belong to the Python object that made the record and outlives the call.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from magellan.backtest import records as r
from magellan.compiled import in_kernels

context_t = np.dtype(
    [
        (name, "i8")
        for name in (
            "symbols", "rows", "days",  # days: 1 when session dates are known, else 0
            "fill_room", "decision_room", "keeps_decisions",  # 0: nobody asks for them
            "times", "open", "high", "low", "close", "volume", "offsets", "day",
            "session_ends",
            "enter_long", "enter_short", "exit_long", "exit_short", "session_exit", "scheduled", "wake", "breaks",
            "account", "positions", "entries", "fills", "decisions", "blocked",
            "rules", "costs", "plans", "levels", "plan_of", "columns",
            "action_rows", "share_factors", "dividends", "action_offsets",
        )
    ]
)  # fmt: skip


def context(
    market: r.MarketArrays,
    masks: r.MaskWords,
    state: r.RunState,
    rules: r.RunRules,
    actions: r.ActionArrays,
    *,
    keeps_decisions: bool,
) -> NDArray[np.void]:
    """The record of addresses for these arrays; shape (1,). An empty array has the address 0."""
    made = np.zeros(1, dtype=context_t)
    x = made[0]
    x["symbols"] = len(state.positions)
    x["rows"] = len(market.at_ns)
    x["days"] = 1 if len(market.day) else 0
    x["fill_room"] = len(state.fills)
    x["decision_room"] = len(state.decisions)
    x["keeps_decisions"] = keeps_decisions
    held = {
        "times": market.at_ns, "open": market.open, "high": market.high, "low": market.low, "close": market.close,
        "volume": market.volume, "offsets": market.offsets, "day": market.day,
        "session_ends": market.session_ends,
        **masks._asdict(), **state._asdict(), **rules._asdict(),
        "action_rows": actions.row, "share_factors": actions.share_factor, "dividends": actions.dividend,
        "action_offsets": actions.offsets,
    }  # fmt: skip
    for name, array in held.items():
        assert array.flags.c_contiguous, f"compiled code walks {name} without strides"
        x[name] = array.ctypes.data if array.size else 0
    return made


def _address(context: Any, builder: Any, x: Any, name: str) -> Any:
    """LLVM: the address that the context record `x` holds under that name."""
    from llvmlite import ir

    assert context_t.fields is not None, "the context has named fields"
    offset = context_t.fields[name][1]
    start = builder.ptrtoint(x, ir.IntType(64))
    place = builder.add(start, ir.Constant(ir.IntType(64), offset))
    return builder.load(builder.inttoptr(place, ir.IntType(64).as_pointer()))


def _record_of(name: str, layout: np.dtype[np.void]) -> Any:
    """An accessor `(x, index)` of the records under that name; reading and writing fields reaches memory.

    Accessors are written in LLVM directly, not as compiled functions: each of those would be compiled and optimised on
    its own, a tenth of a second apiece.
    """

    def make() -> Any:
        import numba
        from llvmlite import ir
        from numba import types
        from numba.extending import intrinsic

        record = numba.from_dtype(layout)

        @intrinsic
        def accessor(typing: Any, x: Any, index: Any) -> Any:
            def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
                offset = builder.mul(arguments[1], ir.Constant(ir.IntType(64), record.size))
                start = _address(context, builder, arguments[0], name)
                return builder.inttoptr(builder.add(start, offset), context.get_value_type(record))

            return record(x, types.int64), generate

        return accessor

    return in_kernels(make)


def _number_at(kind: str) -> Any:
    """An accessor `(address, index)` of a column of numbers of that Numba type."""

    def make() -> Any:
        from numba import types
        from numba.extending import intrinsic

        number = getattr(types, kind)

        @intrinsic
        def accessor(typing: Any, address: Any, index: Any) -> Any:
            def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
                start = builder.inttoptr(arguments[0], context.get_value_type(number).as_pointer())
                return builder.load(builder.gep(start, [arguments[1]]))

            return number(types.int64, types.int64), generate

        return accessor

    return in_kernels(make)


def _counter() -> Any:
    """An accessor `(x, reason)` that counts one more entry that did not happen."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def accessor(typing: Any, x: Any, reason: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            word = ir.IntType(64)
            start = builder.inttoptr(_address(context, builder, arguments[0], "blocked"), word.as_pointer())
            place = builder.gep(start, [arguments[1]])
            builder.store(builder.add(builder.load(place), ir.Constant(word, 1)), place)
            return context.get_dummy_value()

        return types.void(x, types.int64), generate

    return accessor


def _prefetcher() -> Any:
    """An accessor `(address, index)` that asks memory for a number of eight bytes, and does not wait for it."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.extending import intrinsic

    @intrinsic
    def accessor(typing: Any, address: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            word, number = ir.IntType(64), ir.IntType(32)
            place = builder.add(arguments[0], builder.mul(arguments[1], ir.Constant(word, 8)))
            pointer = ir.IntType(8).as_pointer()
            told = ir.FunctionType(ir.VoidType(), [pointer, number, number, number])
            prefetch = cgutils.get_or_insert_function(builder.module, told, "llvm.prefetch.p0")
            to_read, into_every_cache, data = (ir.Constant(number, each) for each in (0, 3, 1))
            builder.call(prefetch, [builder.inttoptr(place, pointer), to_read, into_every_cache, data])
            return context.get_dummy_value()

        return types.void(types.int64, types.int64), generate

    return accessor


def _zeros_counter() -> Any:
    """An accessor `(word)` of the number of zero bits below the lowest that is set."""
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    @intrinsic
    def accessor(typing: Any, word: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

        return types.int64(types.uint64), generate

    return accessor


ask_for = in_kernels(_prefetcher)
zeros_below = in_kernels(_zeros_counter)
count_blocked = in_kernels(_counter)  # for a reason of records.BLOCKED
f8 = _number_at("float64")
i8 = _number_at("int64")
u8 = _number_at("uint64")
i4 = _number_at("int32")

account_of = _record_of("account", r.account_t)
rules_of = _record_of("rules", r.rules_t)
position_of = _record_of("positions", r.position_t)
entry_number = _record_of("entries", r.entry_t)  # symbol x ENTRY_SLOTS + slot
cost_of = _record_of("costs", r.cost_t)
plan_at = _record_of("plans", r.plan_t)
level_number = _record_of("levels", r.level_t)  # plan x LEVELS + which
fill_at = _record_of("fills", r.fill_t)
decision_at = _record_of("decisions", r.decision_t)
