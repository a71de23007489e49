"""Kept runs as folders: `<workspace>/.magellan/runs/<run id>/`, each complete or not there at all.

manifest.json   what fixes the run
metrics.json    what was measured of it (docs/guides/reports.md)
trades.csv      every trade, for spreadsheets
equity.parquet  account value at every close
report.html     the page

A run is written into a folder beside its place and then renamed; the name of a folder that is not finished, or
that makes way for a newer one, begins with a dot. What a kill leaves of those is put right by the next writer.
"""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from magellan.adapters.durable_file import cannot_write, write_durably
from magellan.backtest.kept_run import KeptRun
from magellan.backtest.result import EquityCurve, Trade
from magellan.backtest.run_json import head_to_json, manifest_to_json, run_from_json
from magellan.errors import AskOperator
from magellan.ports.run_store import RunEntry, RunNotFound

MANIFEST, METRICS, TRADES, EQUITY, REPORT = (
    "manifest.json", "metrics.json", "trades.csv", "equity.parquet", "report.html",
)  # fmt: skip
LAST: Final = "last"  # the newest run

_Content = TypeVar("_Content")

_UNFINISHED = ".unfinished-"
_REPLACED = ".replaced-"
_KEPT = "every run that was kept before"
_BETWEEN_REASONS = "; "


class RunFolders:
    """The runs kept below one folder."""

    def __init__(self, root: Path) -> None:
        """root: made when the first run is kept."""
        self.root = root

    def keep(self, run: KeptRun, report: str) -> Path:
        files = {
            MANIFEST: _json(manifest_to_json(run.manifest)),
            TRADES: _trades_csv(run.trades),
            EQUITY: _equity_parquet(run.equity, run.benchmark),
            REPORT: report.encode(),
        }
        sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        files[METRICS] = _json({**head_to_json(run), "sha256": sums})
        folder = self.root / run.run_id
        beside = self.root / f"{_UNFINISHED}{run.run_id}"
        aside = self.root / f"{_REPLACED}{run.run_id}"
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with self._sole_writer():
                self._put_right()
                beside.mkdir()
                try:
                    for name, content in files.items():
                        write_durably(beside / name, content, kept=_KEPT)
                except BaseException:  # Ctrl-C too; half a run helps nobody, least of all on a full disk
                    shutil.rmtree(beside, ignore_errors=True)
                    raise
                if folder.exists():
                    os.replace(folder, aside)
                os.replace(beside, folder)
                _sync(self.root)
                shutil.rmtree(aside, ignore_errors=True)
        except OSError as error:
            raise cannot_write(folder, error, kept=_KEPT) from error
        return folder

    def read(self, name: str) -> KeptRun:
        folder = self._folder_of(name)
        head = _read(folder / METRICS, _document)
        sums = head.get("sha256", {})
        manifest = _read(folder / MANIFEST, _document, sums.get(MANIFEST))
        equity, benchmark = _read(folder / EQUITY, _equity_of, sums.get(EQUITY))
        return run_from_json(
            head,
            manifest,
            trades=_read(folder / TRADES, _trades_of, sums.get(TRADES)),
            equity=equity,
            benchmark=benchmark,
            name=str(folder / METRICS),
        )

    def runs(self) -> tuple[RunEntry, ...]:
        found = [_read(folder / METRICS, partial(_entry, folder)) for folder in self._folders()]
        return tuple(sorted(found, key=lambda entry: (entry.kept_at, entry.run_id), reverse=True))

    def _folders(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        aside = [folder for folder in self.root.glob(f"{_REPLACED}*") if folder.is_dir()]
        # A kill between two renames leaves the older run under another name; it still is the run.
        found = {folder.name.removeprefix(_REPLACED): folder for folder in aside}
        found |= {
            folder.name: folder
            for folder in self.root.iterdir()
            if folder.is_dir() and not folder.name.startswith(".")
        }
        return [folder for folder in found.values() if (folder / METRICS).is_file()]

    def _folder_of(self, name: str) -> Path:
        runs = {folder.name.removeprefix(_REPLACED): folder for folder in self._folders()}
        if name == LAST:
            if not runs:
                raise RunNotFound(
                    f"no run is kept in {self.root}", next_step="run `magellan backtest` without --no-report"
                )
            return self.runs()[0].folder
        if name in runs:
            return runs[name]
        path = Path(name)
        for folder in (path, path.parent):
            if len(path.parts) > 1 and (folder / METRICS).is_file():
                return folder
        begun = sorted(run_id for run_id in runs if name and run_id.startswith(name))
        if len(begun) == 1:
            return runs[begun[0]]
        if begun:
            raise RunNotFound(
                f"several runs begin with '{name}': {', '.join(begun)}", next_step="give more of the id"
            )
        newest = ", ".join(f"{entry.run_id} ({entry.strategy})" for entry in self.runs()[:3])
        raise RunNotFound(
            f"no run '{name}' is kept in {self.root}",
            next_step=f"the newest are {newest}" if newest else "run `magellan backtest` first",
        )

    @contextmanager
    def _sole_writer(self) -> Iterator[None]:
        """Runs are written one at a time; a lock that a dead process held is free again."""
        with open(self.root / ".lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _put_right(self) -> None:
        """Remove what a killed writer left, and give back a run that it had moved aside."""
        for folder in self.root.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(folder)
        for folder in self.root.glob(f"{_REPLACED}*"):
            place = self.root / folder.name.removeprefix(_REPLACED)
            if place.exists():
                shutil.rmtree(folder)
            else:
                os.replace(folder, place)


def _entry(folder: Path, content: bytes) -> RunEntry:
    head = _document(content)
    metrics = head["metrics"]
    return RunEntry(
        run_id=head["run_id"],
        strategy=head["strategy"],
        strategy_version=head["strategy_version"],
        timeframe=head["timeframe"],
        first_on=datetime.fromisoformat(metrics["first_on"]).date(),
        last_on=datetime.fromisoformat(metrics["last_on"]).date(),
        trades=metrics["trades"],
        return_fraction=metrics["return_fraction"],
        sharpe=metrics["sharpe"],
        generated=head["generated"],
        kept_at=datetime.fromtimestamp((folder / METRICS).stat().st_mtime, UTC),
        folder=folder,
    )


def _document(content: bytes) -> dict[str, Any]:
    document = json.loads(content)
    if not isinstance(document, dict):
        raise ValueError("it is not a JSON object")
    return document


def _json(document: dict[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _read(path: Path, decode: Callable[[bytes], _Content], sha256: str | None = None) -> _Content:
    """A file's content. Raises AskOperator when it is missing or not what we wrote.

    sha256: of the file as it was written; None where nobody knows it.
    """
    try:
        content = path.read_bytes()
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise ValueError("it was changed after the run")
        return decode(content)
    except (OSError, ValueError, KeyError) as error:  # pyarrow's own errors are ValueError, too
        why = "it is missing" if isinstance(error, FileNotFoundError) else str(error)
        raise AskOperator(
            f"{path} cannot be read: {why}",
            kept="nothing was changed",
            next_step=f"remove the folder {path.parent}, and run the backtest again",
        ) from error


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# Trades -------------------------------------------------------------------------------------------------------

_COLUMNS: Final = tuple(field.name for field in fields(Trade))


def _trades_csv(trades: tuple[Trade, ...]) -> bytes:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for trade in trades:
        table.writerow([_cell(getattr(trade, name)) for name in _COLUMNS])
    return text.getvalue().encode()


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        # A strategy words its own reasons, and may use what we put between them.
        odd = any(_BETWEEN_REASONS in reason or reason.startswith("[") for reason in value)
        return json.dumps(value, ensure_ascii=False) if odd else _BETWEEN_REASONS.join(value)
    return "" if value is None else repr(value) if isinstance(value, float) else str(value)


def _trades_of(content: bytes) -> tuple[Trade, ...]:
    rows = csv.DictReader(io.StringIO(content.decode()))
    if tuple(rows.fieldnames or ()) != _COLUMNS:
        raise ValueError(f"its columns are {rows.fieldnames}")
    return tuple(
        Trade(
            symbol=row["symbol"],
            side=row["side"],
            units=float(row["units"]),
            entered_at=datetime.fromisoformat(row["entered_at"]),
            exited_at=datetime.fromisoformat(row["exited_at"]) if row["exited_at"] else None,
            entry_price=float(row["entry_price"]),
            exit_price=float(row["exit_price"]),
            pnl_usd=float(row["pnl_usd"]),
            return_fraction=float(row["return_fraction"]),
            costs_usd=float(row["costs_usd"]),
            bars_held=int(row["bars_held"]),
            mae_fraction=float(row["mae_fraction"]),
            mfe_fraction=float(row["mfe_fraction"]),
            reasons=_reasons_of(row["reasons"]),
            is_open=row["is_open"] == "true",
        )
        for row in rows
    )


def _reasons_of(cell: str) -> tuple[str, ...]:
    if cell.startswith("["):
        return tuple(json.loads(cell))
    return tuple(cell.split(_BETWEEN_REASONS)) if cell else ()


# Equity -------------------------------------------------------------------------------------------------------

_VALUES: Final = ("equity_usd", "exposure_usd", "gross_exposure_usd")
_HELD: Final = "benchmark_"


def _equity_parquet(equity: EquityCurve, benchmark: EquityCurve | None) -> bytes:
    import pyarrow
    import pyarrow.parquet

    columns = {
        "closed_at": pyarrow.array(equity.closed_at_ns, pyarrow.timestamp("ns", tz="UTC")),
        "session_on": pyarrow.array(equity.day, pyarrow.int32()).cast(pyarrow.date32()),
        **{name: pyarrow.array(getattr(equity, name)) for name in _VALUES},
    }
    if benchmark is not None:
        assert np.array_equal(benchmark.closed_at_ns, equity.closed_at_ns), "a benchmark of other instants"
        columns |= {_HELD + name: pyarrow.array(getattr(benchmark, name)) for name in _VALUES}
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(
        pyarrow.table(columns),
        sink,
        compression="zstd",
        use_dictionary=False,
        column_encoding={"closed_at": "DELTA_BINARY_PACKED"},
        write_page_checksum=True,
    )
    return bytes(sink.getvalue())


def _equity_of(content: bytes) -> tuple[EquityCurve, EquityCurve | None]:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(pyarrow.BufferReader(content), page_checksum_verification=True)
    at = table.column("closed_at").cast(pyarrow.int64()).to_numpy()
    day = table.column("session_on").cast(pyarrow.int32()).to_numpy()

    def curve(prefix: str) -> EquityCurve:
        values = {name: table.column(prefix + name).to_numpy() for name in _VALUES}
        return EquityCurve(closed_at_ns=at, day=day, **values)

    return curve(""), curve(_HELD) if _HELD + _VALUES[0] in table.column_names else None
