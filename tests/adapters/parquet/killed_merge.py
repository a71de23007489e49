"""Carries out one merge in a child process, and stops it at its k-th step on disk; prints what was left.

    killed_merge.py FOLDER how

A step is any opening, renaming, deleting or making of a file or folder below FOLDER, seen by an audit hook: so
no step can be forgotten here when the archive learns a new one. `how` is "kill" (SIGKILL at the step),
"interrupt" (Ctrl-C at the step), or "full" (no file may grow beyond k * 600 bytes).
One line of JSON per k, until a merge comes through.
"""

import json
import os
import resource
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet  # noqa: F401 - loaded once, before any child begins

from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.archive.checksum import content_sha256
from magellan.archive.dataset import Adjustment, Provenance, SetId, Source
from magellan.archive.generated.small_market import small_market
from magellan.errors import MagellanError
from magellan.trading.bar import PRICE_COLUMNS, Bars
from magellan.trading.session import Hours
from magellan.trading.timeframe import DAY_NS, MINUTE

STEPS = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.link")


def main(folder: Path, how: str) -> None:
    begin = folder / "begin"
    in_child(lambda: merge(begin, "first"))
    for k in range(1, 200):
        data = folder / f"{k}"
        shutil.copytree(begin, data)
        code = in_child(lambda data=data, k=k: (stop_at(data, how, k), merge(data, "second")))
        print(json.dumps({"k": k, "code": code, **in_child_answer(lambda data=data: aftermath(data))}))
        if code == 0:
            return


def merge(data: Path, which: str) -> None:
    archive, set_id, bars, provenance = case(data, which)
    try:
        archive.merge(set_id, bars, provenance)
    except MagellanError as error:
        assert error.kept, error
        os._exit(3)
    except KeyboardInterrupt:
        os._exit(4)


def aftermath(data: Path) -> dict[str, object]:
    """What is there after the stop, and after the same merge once more."""
    stopped = state(data)
    merge(data, "second")
    return {"stopped": stopped, "again": state(data)}


def state(data: Path) -> dict[str, object]:
    """How many bars the archive reads, whether they are those of a whole merge, and the files that lie about."""
    archive, set_id, bars, _ = case(data, "second")
    held = archive.read(set_id)
    record = archive.record(set_id)
    assert record.sha256 == content_sha256(held)
    whole = {80: "old", 160: "new"}[len(held)]
    assert content_sha256(bars.rows(slice(0, len(held)))) == record.sha256
    return {"holds": whole, "files": sum(path.is_file() for path in (data / "bars").rglob("*"))}


def case(data: Path, which: str) -> tuple[Any, ...]:
    market = small_market(1, 160)
    bars = Bars(
        symbol="TEST",
        timeframe=MINUTE,
        opened_at_ns=market.opened_at_ns + np.arange(160, dtype=np.int64) // 60 * 366 * DAY_NS,
        **{name: getattr(market, name) for name in (*PRICE_COLUMNS, "volume")},
    )
    set_id = SetId(
        symbol="TEST", timeframe=MINUTE, vendor="v", feed="f", adjustment=Adjustment.RAW, hours=Hours.ALL
    )
    source = Source(
        name=which, sha256="0" * 64, rows=1, requested=None, fetched_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    chosen = bars if which == "second" else bars.rows(slice(0, 80))
    return ParquetBarArchive(data), set_id, chosen, Provenance(source=source)


def stop_at(data: Path, how: str, k: int) -> None:
    if how == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (k * 600, k * 600))
        return
    left = [k]

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in STEPS or not str(arguments[0]).startswith(str(data)):
            return
        left[0] -= 1
        if left[0] == 0:
            if how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise KeyboardInterrupt

    sys.addaudithook(hook)


def in_child(do: Callable[[], object]) -> int:
    """Run in a child, so that nothing of it stays; returns its exit status, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 9
        try:
            do()
            code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def in_child_answer(ask: Callable[[], dict[str, object]]) -> dict[str, object]:
    reader, writer = os.pipe()
    code = in_child(lambda: os.write(writer, json.dumps(ask()).encode()))
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    assert code == 0, f"the child that looks at the aftermath ended with {code}"
    answer: dict[str, object] = json.loads(text)
    return answer


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
