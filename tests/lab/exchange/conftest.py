"""Clients of Alpaca in environments of their own, and an exchange to point them at.

The environments are made once, under .lab/, from the registries that this machine is set up for.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
LAB = ROOT / ".lab"
CLIENTS = Path(__file__).parent / "clients"
INSTALL_S, SESSION_S = 600, 120


@pytest.fixture
def exchange() -> Iterator[dict[str, str]]:
    """`magellan exchange` in a process of its own; its addresses."""
    command = [
        sys.executable,
        "-m",
        "magellan",
        "exchange",
        "--port",
        "0",
        "--generated",
        "--symbols",
        "AAPL,MSFT",
        "--json",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            text = ""
            for line in process.stdout:
                text += line
                if line == "}\n":
                    break
            yield json.loads(text)["addresses"]
        finally:
            process.terminate()
            assert process.wait(20) == 0


def python_with(requirement: str) -> Path:
    """The Python of an environment that holds just this requirement, pinned as `name==version`."""
    folder = LAB / requirement.replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        LAB.mkdir(exist_ok=True)
        (LAB / ".gitignore").write_text("*\n")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=INSTALL_S)
        pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", requirement]
        installed = subprocess.run(pip, capture_output=True, text=True, timeout=INSTALL_S)
        if installed.returncode != 0:
            pytest.skip(
                f"{requirement} could not be installed here: {installed.stderr.strip().splitlines()[-1]}"
            )
        (folder / "installed").touch()
    return python


def node_with(package: str) -> Path:
    """A folder whose node_modules hold just this package, pinned as `name@version`."""
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed: the JavaScript SDK needs Node 20 or later")
    folder = LAB / package.strip("@").replace("/", "-").replace("@", "-")
    if not (folder / "installed").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (LAB / ".gitignore").write_text("*\n")
        npm = ["npm", "install", "--no-audit", "--no-fund", "--silent", package]
        installed = subprocess.run(npm, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S)
        if installed.returncode != 0:
            pytest.skip(f"{package} could not be installed here: {installed.stderr.strip()[-300:]}")
        (folder / "installed").touch()
    return folder


@pytest.fixture
def session() -> Callable[..., dict]:
    """Run a client's session in a process of its own; what it says at its end."""

    def run(command: list[str | Path], cwd: Path = ROOT, **environment: str) -> dict:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=SESSION_S,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout.splitlines()[-1])

    return run
