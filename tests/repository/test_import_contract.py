"""Imports point one way, and the contract that says so can be broken."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contract of the pyproject.toml in `folder` against the package in `folder`/src."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=folder,
        env={
            "PYTHONPATH": str(folder / "src"),
            "PATH": "/usr/bin:/bin",
            "PYTHONSAFEPATH": "1",
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what the contract is about."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def test_imports_point_one_way() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


def test_a_noun_that_imports_a_surface_breaks_the_contract(copy: Path) -> None:
    (copy / "src/magellan/trading/upwards.py").write_text("import magellan.surfaces.cli.app\n")
    done = lint_imports(copy)
    assert done.returncode == 1
    assert "magellan.trading.upwards -> magellan.surfaces.cli.app" in done.stdout


def test_packages_that_stand_side_by_side_do_not_import_each_other(copy: Path) -> None:
    (copy / "src/magellan/archive/sideways.py").write_text("import magellan.strategy\n")
    done = lint_imports(copy)
    assert done.returncode == 1
    assert "magellan.archive.sideways -> magellan.strategy" in done.stdout


def test_a_package_that_the_contract_does_not_know_breaks_it(copy: Path) -> None:
    (copy / "src/magellan/misc").mkdir()
    (copy / "src/magellan/misc/__init__.py").touch()
    done = lint_imports(copy)
    assert done.returncode == 1
    assert "misc" in done.stdout


def test_the_contract_is_the_drawing_in_the_documents() -> None:
    (contract,) = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    drawn = " > ".join(layer.replace("(", "").replace(")", "") for layer in contract["layers"])
    architecture = " ".join((ROOT / "docs/architecture.md").read_text().replace("`", "").split())
    assert drawn in architecture
