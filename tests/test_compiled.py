"""Compiled kernels: the cache folder changes with every source that machine code is made from."""

import shutil
from pathlib import Path

from magellan import compiled


def copy_of_the_package(tmp_path: Path, monkeypatch) -> Path:
    package = tmp_path / "magellan"
    for folder in ("backtest", "indicators"):
        shutil.copytree(Path(compiled.__file__).parent / folder, package / folder)
    monkeypatch.setattr(compiled, "_PACKAGE", package)
    return package


def test_a_change_in_any_kernel_or_record_layout_changes_the_cache_folder(tmp_path, monkeypatch):
    package = copy_of_the_package(tmp_path, monkeypatch)
    before = compiled.sources_digest()
    for name in ("fill_model.py", "records.py", "replay_kernel.py", "run_memory.py"):
        path = package / "backtest" / name
        path.write_text(path.read_text() + "\n# changed\n")
        after = compiled.sources_digest()
        assert after != before, name
        before = after


def test_a_file_without_kernels_leaves_the_cache_alone(tmp_path, monkeypatch):
    package = copy_of_the_package(tmp_path, monkeypatch)
    before = compiled.sources_digest()
    path = package / "backtest" / "manifest.py"
    path.write_text(path.read_text() + "\n# changed\n")
    assert compiled.sources_digest() == before


def test_the_cache_lies_below_the_folder_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert compiled.cache_folder().parent == tmp_path / "kernels"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert compiled.cache_folder().parent == tmp_path / "user" / "magellan" / "kernels"
