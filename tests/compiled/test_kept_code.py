"""Kept code: machine code on disk is that of these very sources, whole, or it is not used."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from magellan import compiled
from magellan.compiled import kept_code

DOUBLED = """
import sys
import numpy as np
from magellan.compiled import kernel

@kernel
def doubled(x, out):
    for row in range(len(x)):
        out[row] = 2.0 * x[row]

out = np.empty(3)
doubled(np.array([1.0, 2.0, 4.0]), out)
print(out.tolist(), "numba" in sys.modules)
"""


def copy_of_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    package = tmp_path / "magellan"
    for folder in ("backtest", "compiled", "indicators"):
        shutil.copytree(Path(compiled.__file__).parent.parent / folder, package / folder)
    monkeypatch.setattr(kept_code, "_PACKAGE", package)
    return package


def doubled_in_a_process(tmp_path: Path) -> str:
    (told,) = doubled_in_processes(tmp_path, 1)
    return told


def doubled_in_processes(tmp_path: Path, count: int) -> list[str]:
    """What each of them prints; all begin at once."""
    script = tmp_path / "doubled.py"
    script.write_text(DOUBLED)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    asked = [
        subprocess.Popen([sys.executable, script], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    told = [process.communicate()[0].strip() for process in asked]
    assert [process.returncode for process in asked] == [0] * count
    return told


def kept_files(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "cache").rglob("*.kernel"))


@pytest.mark.parametrize(
    "name",
    [
        "backtest/fill_model.py",
        "backtest/records.py",
        "backtest/replay_kernel.py",
        "backtest/replay_parts/fill_rules.py",
        "backtest/replay_parts/entry_fills.py",
        "backtest/run_memory.py",
        "compiled/numba_compiler.py",
        "compiled/machine_code.py",
    ],
)
def test_a_change_in_what_machine_code_is_made_from_changes_the_cache_folder(name, tmp_path, monkeypatch):
    package = copy_of_the_package(tmp_path, monkeypatch)
    before = compiled.sources_digest()
    path = package / name
    path.write_text(path.read_text() + "\n# changed\n")
    assert compiled.sources_digest() != before


def test_a_file_without_kernels_leaves_the_cache_alone(tmp_path, monkeypatch):
    package = copy_of_the_package(tmp_path, monkeypatch)
    before = compiled.sources_digest()
    path = package / "backtest" / "manifest.py"
    path.write_text(path.read_text() + "\n# changed\n")
    assert compiled.sources_digest() == before


def test_code_for_another_processor_lies_in_another_folder(monkeypatch):
    before = compiled.sources_digest()
    monkeypatch.setattr(kept_code, "processor", lambda: "a machine with one instruction less")
    assert compiled.sources_digest() != before


def test_the_cache_lies_below_the_folder_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert compiled.cache_folder().parent == tmp_path / "kernels"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert compiled.cache_folder().parent == tmp_path / "user" / "magellan" / "kernels"


@pytest.fixture(scope="module")
def compiled_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the code that a first process has compiled."""
    first = tmp_path_factory.mktemp("first")
    assert doubled_in_a_process(first) == "[2.0, 4.0, 8.0] True"
    return first


def test_a_second_process_runs_the_code_of_the_first_without_numba(compiled_once):
    assert doubled_in_a_process(compiled_once) == "[2.0, 4.0, 8.0] False"


def test_of_processes_that_begin_at_once_one_compiles_and_the_others_wait_for_it(tmp_path):
    assert sorted(doubled_in_processes(tmp_path, 3)) == ["[2.0, 4.0, 8.0] False"] * 2 + [
        "[2.0, 4.0, 8.0] True"
    ]


@pytest.mark.parametrize("left", [0, 30, -200])
def test_code_that_was_cut_short_is_compiled_again_and_never_run(left, compiled_once, tmp_path):
    shutil.copytree(compiled_once / "cache", tmp_path / "cache")
    (kept,) = kept_files(tmp_path)
    kept.write_bytes(kept.read_bytes()[:left])
    assert doubled_in_a_process(tmp_path) == "[2.0, 4.0, 8.0] True"


def test_a_folder_that_nobody_can_write_to_costs_time_and_nothing_else(tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    assert doubled_in_a_process(tmp_path) == "[2.0, 4.0, 8.0] True"
