"""What is not ours and meets Magellan in a test, each in an environment of its own: clients of Alpaca, linters.

They are made once, under .lab/, from the registries that this machine is set up for.
"""

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LAB = Path(__file__).parents[2] / ".lab"
INSTALL_S = 600


def python_with(requirement: str) -> Path:
    """The Python of an environment that holds just this requirement, pinned as `name==version`."""
    folder = LAB / requirement.replace("==", "-")
    python = folder / "bin" / "python"
    with _alone(folder):
        if not (folder / "installed").exists():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run(
                [sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=INSTALL_S
            )
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
            pytest.skip(f"{tool} is not installed: {package} needs Node 20 or later")
    folder = LAB / package.strip("@").replace("/", "-").replace("@", "-")
    with _alone(folder):
        if not (folder / "installed").exists():
            folder.mkdir(parents=True, exist_ok=True)
            npm = ["npm", "install", "--no-audit", "--no-fund", "--silent", package]
            installed = subprocess.run(npm, cwd=folder, capture_output=True, text=True, timeout=INSTALL_S)
            if installed.returncode != 0:
                pytest.skip(f"{package} could not be installed here: {installed.stderr.strip()[-300:]}")
            (folder / "installed").touch()
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else makes this environment meanwhile: the lab runs in several processes."""
    LAB.mkdir(exist_ok=True)
    (LAB / ".gitignore").write_text("*\n")
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
