"""What goes on when its terminal is closed in the middle."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

_WORK = """
import sys, time
from pathlib import Path
from magellan.surfaces.cli.closed_terminal import outlives_its_terminal
with outlives_its_terminal():
    print("begun", flush=True)
    for _ in range(100):
        time.sleep(0.01)
        print("going on", flush=True)
        print("going on", file=sys.stderr, flush=True)
Path(sys.argv[1]).write_text("done")
"""


@pytest.mark.parametrize("hang_up", ["SIG_DFL", "SIG_IGN"], ids=["as ever", "under nohup"])
def test_it_comes_to_its_end_and_prints_no_more(tmp_path: Path, hang_up: str) -> None:
    ours, theirs = pty.openpty()
    done = tmp_path / "done"
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import fcntl, termios\nfcntl.ioctl(0, termios.TIOCSCTTY, 0)\n{_WORK}",
            str(done),
        ],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    assert b"begun" in os.read(ours, 100)
    os.close(ours)  # as a terminal does that is closed: SIGHUP, and an error for whoever writes to it
    assert process.wait(timeout=30) == 0
    assert done.read_text() == "done"
