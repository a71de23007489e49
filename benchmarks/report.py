"""Results as text: lines for the terminal, a record for results/, and the table RESULTS.md.

Reads nothing but what it is given and what the machine says about itself; imports only the standard library.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.rows import ROWS, Row

if TYPE_CHECKING:
    from benchmarks.run import Entry

HERE = Path(__file__).resolve().parent
RESULTS, TABLE = HERE / "results", HERE / "RESULTS.md"
# Sections after those of run.py, in this order; each is written by a benchmark of its own.
EXCHANGE, LIVE = "The paper exchange", "A live session"


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system and Python; the load before anything was measured."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release().split('-')[0]}",
        "python": platform.python_version(),
        "load_1min": round(os.getloadavg()[0], 2),
    }


def machine_line(described: Mapping[str, Any]) -> str:
    """The machine in one line."""
    return (
        f"{described['processor']}, {described['cores']} cores, {described['memory_gib']} GiB, "
        f"{described['system']}, Python {described['python']}"
    )


def row_text(row: Row, entries: Sequence[Entry]) -> str:
    """One row for the terminal."""
    base = _ours(entries)
    lines = [f"\n{row.title}" + (f"  (target {row.target_s:g} s)" if row.target_s else "")]
    header = (
        f"  {'engine':<16}{'min s':>10}{'median s':>10}{'x ours':>8}{'first s':>10}{'peak MiB':>10}  trades"
    )
    lines.append(header)
    for entry in entries:
        if entry.failure:
            lines.append(f"  {entry.engine.key:<16}{'failed: ' + entry.failure}")
            continue
        middle = median(entry.seconds)
        lines.append(
            f"  {entry.engine.key:<16}{min(entry.seconds):>10.4g}{middle:>10.4g}"
            f"{_ratio(middle, base):>8}{_least(entry.first_s, '.4g'):>10}"
            f"{_middle(entry.peak_mib, ',.0f'):>10}  {_trades(entry)}"
        )
    return "\n".join(lines)


def record(
    described: Mapping[str, Any], measured: Sequence[tuple[Row, Sequence[Entry]]], repetitions: int
) -> dict[str, Any]:
    """Everything that was measured, sample by sample."""
    measured_at = datetime.now(UTC).isoformat(timespec="seconds")
    commit = _commit()
    return {
        "schema": 1,
        "machine": dict(described),
        "rows": [
            {
                "key": row.key,
                "measured_at": measured_at,
                "load_before": described["load_1min"],
                "commit": commit,
                "repetitions": repetitions,
                "title": row.title,
                "seconds_are": row.measures.value,
                "job": row.job,
                "target_s": row.target_s,
                "target_mib": row.target_mib,
                "engines": [
                    {
                        "engine": entry.engine.key,
                        "version": entry.version,
                        "seconds": [round(value, 6) for value in entry.seconds],
                        "first_s": [round(value, 6) for value in entry.first_s],
                        "process_s": [round(value, 4) for value in entry.process_s],
                        "started_to_first_result_s": [round(value, 4) for value in entry.first_result_s],
                        "peak_mib": [round(value, 1) for value in entry.peak_mib],
                        "trades": entry.trade_count,
                        "equity_final_usd": entry.equity_final_usd,
                        "differs_from_reference": entry.differences,
                        "failure": entry.failure or None,
                    }
                    for entry in entries
                ],
            }
            for row, entries in measured
        ],
    }


def write(made: Mapping[str, Any]) -> Path:
    """Store a record under results/, and make RESULTS.md of it. Returns the record's path.

    A run of a few rows keeps the last known numbers of the others, as measured on the same machine.
    """
    RESULTS.mkdir(exist_ok=True)
    name = _slug(made["machine"])
    known: dict[str, Any] = {}
    for path in sorted(RESULTS.glob(f"????-??-??-{name}.json")):
        known |= {row["key"]: row for row in json.loads(path.read_text())["rows"]}
    known |= {row["key"]: row for row in made["rows"]}
    whole = {**made, "rows": [known[row.key] for row in ROWS if row.key in known]}
    path = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-{name}.json"
    path.write_text(json.dumps(whole, indent=1) + "\n")
    kept = _sections()
    TABLE.write_text(table(whole) + "".join(kept.values()))
    return path


def write_measured(of: str, described: Mapping[str, Any], rows: Sequence[Any]) -> Path:
    """Store the rows of a benchmark of its own under results/, in place of those that it measured here that day."""
    made = {
        "schema": 1,
        "machine": dict(described),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "rows": [asdict(row) for row in rows],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{of}-{datetime.now(UTC):%Y-%m-%d}-{_slug(described)}.json"
    path.write_text(json.dumps(made, indent=1) + "\n")
    return path


def write_section(title: str, lines: Sequence[str]) -> None:
    """Put what exchange.py or live.py measured under its heading in RESULTS.md, instead of what stood there."""
    engines = TABLE.read_text()
    kept = _sections()
    for section in kept.values():
        engines = engines.replace(section, "")
    when = f"{datetime.now(UTC):%Y-%m-%d} at {_commit()}, on {machine_line(machine())}."
    kept[title] = f"\n## {title}\n\n{when}\n" + "\n".join(lines) + "\n"
    ordered = (kept[each] for each in (EXCHANGE, LIVE) if each in kept)
    TABLE.write_text(engines + "".join(ordered))


def _slug(machine: Mapping[str, Any]) -> str:
    described = f"{machine['processor']} {machine['cores']} cores"
    return re.sub(r"[^a-z0-9]+", "-", described.lower()).strip("-")


def _sections() -> dict[str, str]:
    """The sections of RESULTS.md that other benchmarks have written, by title."""
    text = TABLE.read_text() if TABLE.exists() else ""
    parts = re.split(r"(?m)^(?=\n## )", text)
    return {title: part for title in (EXCHANGE, LIVE) for part in parts if part.startswith(f"\n## {title}\n")}


def table(made: Mapping[str, Any]) -> str:
    """RESULTS.md."""
    lines = [
        "# Last known numbers",
        "",
        "Written by `python benchmarks/run.py`; do not edit. [README.md](README.md) says what each workload",
        "means and how it is measured. What counts is the ratio within one run: machines differ.",
        "",
        f"Measured on {machine_line(made['machine'])}.",
        "",
        "`min` and `median` are over all runs of all processes. `first run` is the quickest first run in a",
        "process, with what loading compiled code costs; `start to first result` begins before the interpreter.",
    ]
    for row in made["rows"]:
        lines += ["", f"## {row['title']}", ""]
        lines += [
            f"{row['measured_at'][:10]} at {row['commit']}, {row['repetitions']} processes per engine (one "
            f"where it takes over 15 s), load before {row['load_before']}. Seconds: {row['seconds_are']}."
        ]
        wanted = [f"{row['target_s']:g} s"] if row["target_s"] else []
        wanted += [f"{row['target_mib']:,.0f} MiB"] if row["target_mib"] else []
        if wanted:
            lines[-1] += f" Target for Magellan: {', '.join(wanted)}."
        lines += [
            "",
            "| engine | version | min s | median s | x Magellan | first run s | start to first result s "
            "| peak MiB | trades |",
            "|---|---|---:|---:|---:|---:|---:|---:|---|",
        ]
        ours = [one for one in row["engines"] if one["engine"] == "magellan" and not one["failure"]]
        base = median(ours[0]["seconds"]) if ours else None
        for one in row["engines"]:
            if one["failure"]:
                lines.append(f"| {one['engine']} | {one['version']} | failed: {one['failure']} | | | | | | |")
                continue
            middle = median(one["seconds"])
            lines.append(
                f"| {one['engine']} | {one['version']} | {min(one['seconds']):.4g} | {middle:.4g} "
                f"| {_ratio(middle, base)} | {_least(one['first_s'], '.4g')} "
                f"| {_least(one['started_to_first_result_s'], '.3g')} | {_middle(one['peak_mib'], ',.0f')} "
                f"| {_trades_told(one['trades'], one['differs_from_reference'])} |"
            )
    return "\n".join(lines) + "\n"


def _ours(entries: Sequence[Entry]) -> float | None:
    for entry in entries:
        if entry.engine.key == "magellan" and entry.seconds:
            return median(entry.seconds)
    return None


def _ratio(value: float, base: float | None) -> str:
    return "" if base is None else f"{value / base:.3g}"


def _least(values: Sequence[float], form: str) -> str:
    return format(min(values), form) if values else ""


def _middle(values: Sequence[float], form: str) -> str:
    return format(median(values), form) if values else ""


def _trades(entry: Entry) -> str:
    return _trades_told(entry.trade_count, entry.differences)


def _trades_told(count: int | None, differences: Sequence[str] | None) -> str:
    if count is None:
        return ""
    if differences is None:
        return f"{count:,}"
    return f"{count:,}, as the reference" if not differences else f"{count:,}: " + "; ".join(differences)


def _commit() -> str:
    """The commit that is checked out, marked where files differ from it."""
    asked = ["git", "-C", str(HERE), "describe", "--always", "--dirty=, with changes"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else "an unknown commit"


def _processor() -> str:
    if platform.system() == "Darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=True
        )
        return asked.stdout.strip()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()
