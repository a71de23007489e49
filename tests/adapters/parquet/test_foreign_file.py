"""Foreign files as tables: what the file itself says, and refusals that name the place."""

import gzip
import io
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from magellan.adapters.parquet.foreign_file import read_foreign
from magellan.archive.foreign_table import ForeignColumn, ForeignTable, Kind
from magellan.errors import FixInput


def parquet(columns: dict[str, pa.Array]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def column(table: ForeignTable, name: str) -> ForeignColumn:
    (found,) = (each for each in table.columns if each.name == name)
    return found


DAY_NS = 86_400 * 10**9


@pytest.mark.parametrize(
    ("array", "kind", "values", "missing"),
    [
        (pa.array([1, None], pa.int32()), Kind.NUMBER, [1, 0], [False, True]),
        (pa.array([2**60 + 1], pa.int64()), Kind.NUMBER, [2**60 + 1], [False]),
        (pa.array([1.5, None, float("nan")]), Kind.NUMBER, [1.5, None, None], [False, True, True]),
        (pa.array([1.25], pa.float32()), Kind.NUMBER, [1.25], [False]),
        (pa.array([7], pa.uint64()), Kind.NUMBER, [7], [False]),
        (pa.array([0, 1], pa.timestamp("s")), Kind.WALL, [0, 10**9], [False, False]),
        (pa.array([1], pa.timestamp("us", tz="America/New_York")), Kind.INSTANT, [1000], [False]),
        (pa.array([1], pa.date32()), Kind.DATE, [DAY_NS], [False]),
        (pa.array(["A", None]), Kind.TEXT, ["A", ""], [False, True]),
        (pa.array(["A"]).dictionary_encode(), Kind.TEXT, ["A"], [False]),
        (pa.array([True]), Kind.OTHER, ["bool"], [False]),
        (pa.array([[1]]), Kind.OTHER, ["list<element: int64>"], [False]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_a_parquet_column_keeps_its_meaning(
    array: pa.Array, kind: Kind, values: list[Any], missing: list[bool]
) -> None:
    table = read_foreign(parquet({"x": array}), "x.parquet")
    found = column(table, "x")
    assert (found.kind, found.missing.tolist()) == (kind, missing)
    present = [value for value, absent in zip(found.values.tolist(), missing, strict=True) if not absent]
    expected = [value for value, absent in zip(values, missing, strict=True) if not absent]
    assert present == expected
    assert (table.rows, table.first_line, table.is_text) == (len(array), 1, False)


@pytest.mark.parametrize(
    "array",
    [pa.array([253402300799], pa.timestamp("s")), pa.array([2**63], pa.uint64())],
    ids=["year 9999", "2**63"],
)
def test_a_value_beyond_what_we_count_with_is_refused(array: pa.Array) -> None:
    with pytest.raises(FixInput, match=r"^x\.parquet, column 'when': "):
        read_foreign(parquet({"when": array}), "x.parquet")


CSV = "timestamp,open,volume,note\n2024-01-02 14:30:00,1.5,100,a\n2024-01-02 14:31:00, 2 ,,b c\n"


@pytest.mark.parametrize(
    "content",
    [
        CSV.encode(),
        CSV.replace(",", ";").encode(),
        CSV.replace(",", "\t").encode(),
        CSV.replace(",", "|").encode(),
        CSV.replace("\n", "\r\n").encode(),
        b"\xef\xbb\xbf" + CSV.encode(),
        gzip.compress(CSV.encode(), mtime=0),
        CSV.rstrip("\n").encode(),
        CSV.replace("note", '"note"').replace("b c", '"b c"').encode(),
    ],
    ids=[
        "comma",
        "semicolon",
        "tab",
        "bar",
        "windows",
        "byte-order mark",
        "gzip",
        "no last newline",
        "quotes",
    ],
)
def test_text_is_read_whatever_program_wrote_it(content: bytes) -> None:
    table = read_foreign(content, "x.csv")
    assert [each.name for each in table.columns] == ["timestamp", "open", "volume", "note"]
    assert [each.kind for each in table.columns] == [Kind.WALL, Kind.NUMBER, Kind.NUMBER, Kind.TEXT]
    assert column(table, "open").values.tolist() == [1.5, 2.0]
    assert column(table, "volume").missing.tolist() == [False, True]
    assert column(table, "timestamp").values.tolist() == [1704205800 * 10**9, 1704205860 * 10**9]
    assert table.place(1) == "x.csv, line 3"


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["2024-01-02", "2024-01-03"], Kind.WALL),
        (["2024-01-02T14:30Z", "2024-01-02T14:31Z"], Kind.INSTANT),
        (["2024-01-02 09:30:00-05:00", "2024-06-03 09:30:00-04:00"], Kind.INSTANT),
        (["2024-01-02 09:30:00-05:00", "2024-06-03 09:30:00"], Kind.TEXT),
        (["1704205800", "1704205860"], Kind.NUMBER),
        (["01/02/2024", "01/03/2024"], Kind.TEXT),
        (["1", "null", "NaN", "N/A", "", "-"], Kind.NUMBER),
        (["1,000", "2"], Kind.TEXT),
        (["1", "x"], Kind.TEXT),
    ],
)
def test_a_text_column_is_what_every_value_of_it_can_be_read_as(cells: list[str], kind: Kind) -> None:
    text = "a;x\n" + "".join(f"1;{cell}\n" for cell in cells)
    assert column(read_foreign(text.encode(), "x.csv"), "x").kind is kind


GOOD = parquet({"x": pa.array(np.arange(1000.0))})


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (b"", "x.parquet", "is empty: 0 bytes"),
        (b"", "x.csv", "is empty: 0 bytes"),
        (GOOD[: len(GOOD) // 2], "x.parquet", "truncated or damaged"),
        (GOOD[:4], "x.parquet", "truncated or damaged"),
        (GOOD[:-1], "x.parquet", "truncated or damaged"),
        (b"<html>", "x.parquet", "is not Parquet: it begins with b'<htm'"),
        (gzip.compress(CSV.encode(), mtime=0)[:-9], "x.csv.gz", "truncated or damaged"),
        (b"\x1f\x8bnonsense", "x.csv", "truncated or damaged"),
        ("a,b\n1,ü\n".encode("latin-1"), "x.csv", "line 2: not UTF-8"),
        (b"a,b\n1,\x00\n", "x.csv", "binary zeros"),
        (b"a,b\n1,2\n3\n", "x.csv", "line 3: 1 fields, not 2"),
        (b"a,b\n1,2\n3,4,5\n", "x.csv", "line 3: 3 fields, not 2"),
        (b"a,a\n1,2\n", "x.csv", "line 1: two columns are called 'a'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_read_is_refused_naming_the_place(content: bytes, name: str, says: str) -> None:
    with pytest.raises(FixInput, match=says) as refused:
        read_foreign(content, name)
    assert refused.value.message.startswith(name)


def test_a_header_without_rows_is_an_empty_table() -> None:
    assert read_foreign(b"timestamp,open\n", "x.csv").rows == 0
    assert read_foreign(parquet({"x": pa.array([], pa.float64())}), "x.parquet").rows == 0
