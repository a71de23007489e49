"""Tools of this environment: run apart, in time, and without our credentials."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from magellan.adapters.local.tools import PASSED_ON, PythonTools


@pytest.fixture
def tools(tmp_path: Path) -> PythonTools:
    return PythonTools({**os.environ, "PYTHONPATH": str(tmp_path), "APCA_API_SECRET_KEY": "secret"})


def write(folder: Path, code: str) -> None:
    (folder / "probe.py").write_text(code)


def test_a_tool_answers_with_what_it_wrote_and_how_it_ended(tools: PythonTools, tmp_path: Path) -> None:
    write(tmp_path, "import sys\nprint(sys.argv[1:], 'zürich')\nprint('oh', file=sys.stderr)\nsys.exit(3)\n")
    done = tools.run("probe", ["a", "b c"], folder=tmp_path, timeout_s=30)
    assert (done.exit_code, done.stdout, done.stderr) == (3, "['a', 'b c'] zürich\n", "oh\n")


def test_a_tool_runs_in_the_folder_and_leaves_no_caches_there(tools: PythonTools, tmp_path: Path) -> None:
    write(tmp_path, "import os, other\nprint(os.getcwd())\n")
    (tmp_path / "other.py").write_text("x = 1\n")
    assert tools.run("probe", [], folder=tmp_path, timeout_s=30).stdout.strip() == str(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.py", "probe.py"]


def test_a_tool_sees_none_of_our_credentials(tools: PythonTools, tmp_path: Path) -> None:
    write(tmp_path, "import os\nprint(sorted(os.environ))\n")
    seen = set(eval(tools.run("probe", [], folder=tmp_path, timeout_s=30).stdout))
    assert seen <= {*PASSED_ON, "PYTHONDONTWRITEBYTECODE", "PYTHONIOENCODING", "LC_CTYPE"}
    assert not any("KEY" in name or "SECRET" in name or "TOKEN" in name for name in PASSED_ON)


def test_a_tool_that_takes_too_long_is_stopped_with_what_it_started(
    tools: PythonTools, tmp_path: Path
) -> None:
    mark = tmp_path / "child"
    write(
        tmp_path,
        "import pathlib, subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(mark)!r}).write_text(str(child.pid))\n"
        "print('begun', flush=True)\n"
        "time.sleep(60)\n",
    )
    for timeout_s in (1.5, 6.0, 24.0):  # on a busy machine it may not have begun when it is stopped
        begun = time.monotonic()
        done = tools.run("probe", [], folder=tmp_path, timeout_s=timeout_s)
        assert done.exit_code is None
        assert time.monotonic() - begun < timeout_s + 28.5
        if mark.exists() and mark.read_text():
            break
    assert ends(int(mark.read_text()))


def test_a_tool_ends_with_what_it_started_when_we_are_killed(tools: PythonTools, tmp_path: Path) -> None:
    mark = tmp_path / "pids"
    write(
        tmp_path,
        "import os, pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(mark)!r} + '.part').write_text(f'{{os.getpid()}} {{child.pid}}')\n"
        f"os.rename({str(mark)!r} + '.part', {str(mark)!r})\n"
        "time.sleep(600)\n",
    )
    runs = (
        "import os\nfrom pathlib import Path\nfrom magellan.adapters.local.tools import PythonTools\n"
        f"PythonTools({{**os.environ, 'PYTHONPATH': {str(tmp_path)!r}}})"
        f".run('probe', [], folder=Path({str(tmp_path)!r}), timeout_s=600)\n"
    )
    ours = subprocess.Popen([sys.executable, "-c", runs])
    until = time.monotonic() + 60
    while not mark.exists() and time.monotonic() < until:
        time.sleep(0.01)
    ours.kill()
    ours.wait()
    for pid in mark.read_text().split():
        assert ends(int(pid))


def ends(pid: int) -> bool:
    """Whether that process is gone, or goes within ten seconds: the system kills when it comes to it."""
    until = time.monotonic() + 10
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.01)
    return not alive(pid)


def alive(pid: int) -> bool:
    """Whether that process still runs; one that only waits to be collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_bytes_that_are_no_text_do_not_stop_us(tools: PythonTools, tmp_path: Path) -> None:
    write(tmp_path, "import sys\nsys.stdout.buffer.write(b'\\xff\\n')\n")
    assert tools.run("probe", [], folder=tmp_path, timeout_s=30).stdout == "\N{REPLACEMENT CHARACTER}\n"


def test_the_version_of_a_tool_is_told_and_its_absence_too(tools: PythonTools) -> None:
    assert tools.version("pytest") == pytest.__version__
    assert tools.version("no-such-tool-anywhere") is None
    assert sys.executable
