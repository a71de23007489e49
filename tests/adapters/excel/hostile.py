"""Files that somebody might upload: `python hostile.py FOLDER` checks each there, and prints what came of it.

A process of its own, with 1 GiB of memory: whatever a file does, it is done here, and the test sees it.
"""

import json
import resource
import sys
import time
from pathlib import Path


def main(folder: Path) -> None:
    """One line of JSON for each file: its name, the error or nothing, and the seconds of a processor."""
    from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles
    from magellan.errors import MagellanError
    from magellan.regime.workbook.report import check

    files = ExcelWorkbookFiles()
    for path in sorted(folder.iterdir()):
        began_s = time.process_time()
        told = ""
        try:
            check(files.read(path))
        except MagellanError as error:
            told = error.message
        print(json.dumps([path.name, told, time.process_time() - began_s]), flush=True)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    main(Path(sys.argv[1]))
