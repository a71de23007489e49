"""Run memory: how compiled code reaches the arrays of a run through one pointer.

The replay is some forty small functions. Handing each of them thirty arrays costs more than the work itself (an
array is seven machine words, and every hand-over counts references): measured, 6 microseconds a trade against 0.1.
So a run keeps one record of addresses, `context_t`, and compiled functions receive that record alone. The arrays
belong to the Python object that made the record and outlives the call.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from magellan.backtest import records as r
from magellan.compiled import pure_kernel

context_t = np.dtype(
    [
        (name, "i8")
        for name in (
            "symbols", "rows", "days",  # days: 1 when session dates are known, else 0
            "fill_room", "decision_room",
            "times", "open", "high", "low", "close", "volume", "offsets", "day",
            "enter_long", "enter_short", "exit_long", "exit_short", "session_exit", "scheduled", "wake", "breaks",
            "account", "positions", "entries", "fills", "decisions", "blocked",
            "rules", "costs", "plans", "levels", "plan_of", "columns",
            "action_rows", "share_factors", "dividends", "action_offsets",
        )
    ]
)  # fmt: skip


def context(
    market: r.MarketArrays, masks: r.MaskWords, state: r.RunState, rules: r.RunRules, actions: r.ActionArrays
) -> NDArray[np.void]:
    """The record of addresses for these arrays; shape (1,). An empty array has the address 0."""
    made = np.zeros(1, dtype=context_t)
    x = made[0]
    x["symbols"] = len(state.positions)
    x["rows"] = len(market.at_ns)
    x["days"] = 1 if len(market.day) else 0
    x["fill_room"] = len(state.fills)
    x["decision_room"] = len(state.decisions)
    held = {
        "times": market.at_ns, "open": market.open, "high": market.high, "low": market.low, "close": market.close,
        "volume": market.volume, "offsets": market.offsets, "day": market.day,
        **masks._asdict(), **state._asdict(), **rules._asdict(),
        "action_rows": actions.row, "share_factors": actions.share_factor, "dividends": actions.dividend,
        "action_offsets": actions.offsets,
    }  # fmt: skip
    for name, array in held.items():
        assert array.flags.c_contiguous, f"compiled code walks {name} without strides"
        x[name] = array.ctypes.data if array.size else 0
    return made


def point_to_masks(made: NDArray[np.void], masks: r.MaskWords) -> None:
    """Let a record of addresses point to other masks."""
    x = made[0]
    for name, words in zip(r.MaskWords._fields, masks, strict=True):
        x[name] = words.ctypes.data if words.size else 0


@intrinsic
def _load(typing: Any, address: Any, index: Any, kind: Any) -> Any:
    """The number of that kind (a NumPy scalar type) at `address`, `index` places on."""
    number = kind.dtype

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        value = context.get_value_type(number)
        start = builder.inttoptr(arguments[0], value.as_pointer())
        return builder.load(builder.gep(start, [arguments[1]]))

    return number(types.int64, types.int64, kind), generate


@intrinsic
def _count_up(typing: Any, address: Any, index: Any) -> Any:
    """Add one to the int64 at `address`, `index` places on."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        start = builder.inttoptr(arguments[0], ir.IntType(64).as_pointer())
        place = builder.gep(start, [arguments[1]])
        builder.store(builder.add(builder.load(place), ir.Constant(ir.IntType(64), 1)), place)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@intrinsic
def _record(typing: Any, address: Any, index: Any, kind: Any) -> Any:
    """The record of that dtype at `address`, `index` records on; reading and writing its fields reaches memory."""
    record = kind.dtype

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        offset = builder.mul(arguments[1], ir.Constant(ir.IntType(64), record.size))
        return builder.inttoptr(builder.add(arguments[0], offset), context.get_value_type(record))

    return record(types.int64, types.int64, kind), generate


@pure_kernel
def f8(address: int, index: int) -> float:
    """A float64 of a column."""
    return _load(address, index, np.float64)


@pure_kernel
def i8(address: int, index: int) -> int:
    """An int64 of a column."""
    return _load(address, index, np.int64)


@pure_kernel
def u8(address: int, index: int) -> int:
    """A uint64 word of a mask."""
    return _load(address, index, np.uint64)


@pure_kernel
def count_blocked(x: Any, reason: int) -> None:
    """One more entry that did not happen, for that reason of records.BLOCKED."""
    _count_up(x.blocked, reason)


@pure_kernel
def day_at(x: Any, row: int) -> int:
    """Session date of a row, days since 1970-01-01; only where x.days is 1."""
    return np.int64(_load(x.day, row, np.int32))


@pure_kernel
def account_of(x: Any) -> Any:
    """The run's account (records.account_t)."""
    return _record(x.account, 0, r.account_t)


@pure_kernel
def rules_of(x: Any) -> Any:
    """The run's rules (records.rules_t)."""
    return _record(x.rules, 0, r.rules_t)


@pure_kernel
def position_of(x: Any, s: int) -> Any:
    """The position in symbol s (records.position_t)."""
    return _record(x.positions, s, r.position_t)


@pure_kernel
def entry_of(x: Any, s: int, slot: int) -> Any:
    """Entry order `slot` of symbol s (records.entry_t)."""
    return _record(x.entries, s * r.ENTRY_SLOTS + slot, r.entry_t)


@pure_kernel
def cost_of(x: Any, s: int) -> Any:
    """Costs and steps of symbol s (records.cost_t)."""
    return _record(x.costs, s, r.cost_t)


@pure_kernel
def plan_at(x: Any, number: int) -> Any:
    """A plan (records.plan_t)."""
    return _record(x.plans, number, r.plan_t)


@pure_kernel
def level_at(x: Any, plan: int, which: int) -> Any:
    """A price level of a plan (records.level_t)."""
    return _record(x.levels, plan * r.LEVELS + which, r.level_t)


@pure_kernel
def fill_at(x: Any, number: int) -> Any:
    """Room for a fill (records.fill_t)."""
    return _record(x.fills, number, r.fill_t)


@pure_kernel
def decision_at(x: Any, number: int) -> Any:
    """Room for a decision (records.decision_t)."""
    return _record(x.decisions, number, r.decision_t)


@pure_kernel
def column_at(x: Any, column: int, row: int) -> float:
    """A plan column's value at a row."""
    return _load(x.columns, column * x.rows + row, np.float64)
