"""Imports three files in a child process, kills it at its k-th step on disk, and imports again; prints what came of it.

    killed_import.py FOLDER

Like killed_merge.py, from which it takes the ways to stop a child. One line of JSON per k, until an import comes
through.
"""

import json
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.compute
import pyarrow.csv  # noqa: F401
from killed_merge import in_child, in_child_answer, stop_at

from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.import_journal import JsonLinesImportJournal
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.adapters.parquet.foreign_file import ENDINGS, read_foreign
from magellan.archive.checksum import content_sha256
from magellan.archive.declared import Declared
from magellan.usecases.import_bars import ImportResult, import_bars

ROWS = "".join(f"2025-03-{day:02},10,11,9,10.5,{day}\n" for day in (3, 4, 5, 6, 7))
SYMBOLS = ("AMC", "GME", "PLUG")
EVERY = 5  # steps apart: an import takes about eighty


def main(folder: Path) -> None:
    files = folder / "files"
    files.mkdir()
    for symbol in SYMBOLS:
        (files / f"{symbol}_1day.csv").write_text(f"Date,Open,High,Low,Close,Volume\n{ROWS}")
    load_calendar("XNYS")  # cached before anything is counted
    for k in range(1, 400, EVERY):
        data = folder / f"{k}"
        code = in_child(lambda data=data, k=k: (stop_at(data, "kill", k), take(files, data)))
        print(json.dumps({"k": k, "code": code, **in_child_answer(lambda data=data: aftermath(files, data))}))
        shutil.rmtree(data)
        if code == 0:
            return


def take(files: Path, data: Path) -> ImportResult:
    return import_bars(
        [files],
        Declared(),
        archive=ParquetBarArchive(data / "data"),
        journal=JsonLinesImportJournal(data / "imports"),
        read_foreign=read_foreign,
        endings=ENDINGS,
        calendar_named=load_calendar,
        now=datetime(2026, 1, 15, tzinfo=UTC),
    )


def aftermath(files: Path, data: Path) -> dict[str, object]:
    """How many sets are whole after the kill, and what the same import once more does."""
    archive = ParquetBarArchive(data / "data")
    before = archive.sets()
    assert all(record.sha256 == content_sha256(archive.read(record.id)) for record in before)
    again = take(files, data)
    after = ParquetBarArchive(data / "data").sets()
    assert all(record.sha256 == content_sha256(archive.read(record.id)) for record in after)
    return {
        "whole": [record.rows for record in before],
        "resumed": again.resumed,
        "refused": len(again.refused),
        "symbols": [record.id.symbol for record in after],
        "rows": [record.rows for record in after],
        "journals": len(JsonLinesImportJournal(data / "imports").unfinished()),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
