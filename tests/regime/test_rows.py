"""Rows: what was written stays, what nobody wrote is unknown, wherever the columns lie."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from magellan.regime.rows import Rows


@settings(max_examples=60)
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(1, 900)), max_size=12))
def test_columns_keep_what_was_written_and_know_nothing_else(steps: list[tuple[bool, int]]) -> None:
    rows = Rows()
    number, never, whole = (
        rows.column("number", 2),
        rows.column("never"),
        rows.column("whole", dtype=np.int64),
    )
    written = 0
    for forget, count in steps:
        if forget:
            rows.forget(min(count, rows.kept))
        else:
            first = rows.add(count)
            assert np.isnan(number.values[first:]).all()
            number.values[first:] = np.arange(written, written + count)[:, None]
            whole.line[first : first + count] = np.arange(written, written + count)
            written += count
        kept = np.arange(rows.offset, written)
        np.testing.assert_array_equal(number.values, np.column_stack([kept, kept]))
        np.testing.assert_array_equal(whole.values[:, 0], kept)
        assert np.isnan(never.values).all()
        assert rows.kept + rows.offset == written


def test_forgetting_some_rows_moves_the_rest_where_they_are() -> None:
    rows = Rows()
    column = rows.column("number")
    rows.add(1000)
    column.line[:1000] = np.arange(1000.0)
    room, moves = column.room, rows.moves
    rows.forget(600)
    assert column.room is room
    assert rows.moves == moves
    assert column.values[:, 0].tolist() == list(range(600, 1000))


def test_room_that_a_long_history_took_is_given_back() -> None:
    rows = Rows()
    column = rows.column("number")
    rows.add(100_000)
    column.line[:100_000] = np.arange(100_000.0)
    rows.forget(99_000)
    assert len(column.room) == 2000
    assert column.values[:, 0].tolist() == list(range(99_000, 100_000))
