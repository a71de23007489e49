"""How long a regime workbook takes to load and check: `python -m benchmarks.regime_workbook`.

Cold is a process of its own, from its start to its end. Warm is the same process again. Both in wall time and in the
processor's, since the latter depends less on what else the machine does. The workbooks are made here: a fresh template,
and one whose tables have 500 rows in each of the 31 sheets.

Last known, of 2026-11-22, two cores with a load of 3, before all else on them, wall and processor in milliseconds:
31 sheets 88 and 77 cold, 12 and 11 warm; 31 x 500 rows 247 and 231 cold, 162 and 161 warm, the reader alone 60.
Targets: 150, 25, 250. In turns with it, 31 x 500 rows cold took 271 before findings were made in a third of the time.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEATS = 15
ROWS = 500
_COLD = """
import sys
from pathlib import Path
from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles
from magellan.usecases.regime_workbooks import check_workbook
check_workbook(Path(sys.argv[1]), ExcelWorkbookFiles())
"""


def main() -> None:
    """Print a table."""
    from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles
    from magellan.regime.workbook.reading import template_values

    with tempfile.TemporaryDirectory() as folder:
        template, large = Path(folder, "regime.xlsx"), Path(folder, "large.xlsx")
        ExcelWorkbookFiles().write(template, template_values())
        write_large(large)
        print(f"{'':38}{'wall ms':>10}{'CPU ms':>10}")
        for what, path in (("31 sheets", template), (f"31 x {ROWS} rows", large)):
            show(f"{what}, cold process", *cold(path))
            show(f"{what}, warm", *warm(path))
            show(f"{what}, the reader alone, warm", *reader_alone(path))
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def show(what: str, wall_s: float, cpu_s: float) -> None:
    """One row."""
    print(f"{what:38}{1000 * wall_s:10.1f}{1000 * cpu_s:10.1f}")


def cold(path: Path) -> tuple[float, float]:
    """Medians over processes of their own: wall and processor seconds."""
    walls, processors = [], []
    for _ in range(REPEATS):
        before, began_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, "-c", _COLD, path], check=True)
        walls.append(time.perf_counter() - began_s)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processors.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(walls), statistics.median(processors)


def warm(path: Path) -> tuple[float, float]:
    """Medians in this process: wall and processor seconds."""
    from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles
    from magellan.usecases.regime_workbooks import check_workbook

    walls, processors = [], []
    for _ in range(REPEATS):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        check_workbook(path, ExcelWorkbookFiles())
        walls.append(time.perf_counter() - began_s)
        processors.append(time.process_time() - began_cpu_s)
    return statistics.median(walls), statistics.median(processors)


def reader_alone(path: Path) -> tuple[float, float]:
    """The same of python-calamine by itself: what no check of ours can be quicker than."""
    from python_calamine import CalamineWorkbook

    walls, processors = [], []
    for _ in range(REPEATS):
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        workbook = CalamineWorkbook.from_path(str(path))
        for name in workbook.sheet_names:
            workbook.get_sheet_by_name(name).to_python(skip_empty_area=False)
        walls.append(time.perf_counter() - began_s)
        processors.append(time.process_time() - began_cpu_s)
    return statistics.median(walls), statistics.median(processors)


def write_large(path: Path) -> None:
    """31 sheets of 500 rows and 8 columns, under the names of the schema."""
    import xlsxwriter

    from magellan.regime.workbook.sheets import SHEETS

    with xlsxwriter.Workbook(path) as book:
        for sheet in SHEETS:
            written = book.add_worksheet(sheet.name)
            written.write_row(
                0, 0, ["Parameter", "Value", "Unit", "Allowed", "Default", "Used", "Meaning", "More"]
            )
            for row in range(1, ROWS + 1):
                written.write_row(
                    row, 0, [f"parameter_{row}", row / 7, "bars", "0 to 9", row, True, "words of it", row]
                )


if __name__ == "__main__":
    main()
