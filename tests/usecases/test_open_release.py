"""A host runs the very files that were approved, in the very engine that they came with, and nothing in their place."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

import magellan
from magellan.deploy.instance import Instance
from magellan.errors import AskOperator, FixInput
from magellan.release.manifest import Manifest
from magellan.usecases.load_strategy import load_strategy
from magellan.usecases.open_release import InstalledRelease, open_installed
from release.conftest import Bench

CODE = """from magellan.strategy.contract import *
from magellan.strategy.trade_plan import *


class Gap(Strategy):
    def enter_long(self, f, p):
        return f.close > f.open
"""
CONFIG = {"strategy": {"name": "gap", "version": "1.0.0", "kind": "trend"}, "symbols": ["AMC"]}
ENGINE = Path(magellan.__file__).resolve().parent.parent


def write(folder: Path, code: str = CODE, **config: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "strategy.py").write_text(code)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}))
    return folder


@pytest.fixture
def installed(tmp_path: Path) -> InstalledRelease:
    approved = load_strategy(write(tmp_path / "approved/gap"))
    manifest: Manifest = (
        Bench()
        .release(strategy="gap", code_sha256=approved.code_sha256, config_sha256=approved.config_sha256)
        .manifest
    )
    return InstalledRelease(
        manifest=manifest,
        strategy_folder=write(tmp_path / "installed/abc/strategy"),
        engine_folder=ENGINE,
        drift=(),
    )


def instance(installed: InstalledRelease) -> Instance:
    return Instance(
        strategy="gap",
        stage="test",
        account="paper",
        ledger_account="alpaca-paper-PA1",
        release_id=installed.manifest.release_id,
    )


def test_a_release_is_loaded_under_its_strategys_name_and_stage(installed: InstalledRelease) -> None:
    loaded = open_installed(instance(installed), installed)
    assert (loaded.folder.label, loaded.config.symbols) == ("test/gap", ("AMC",))


def test_incident_14_a_release_does_not_run_in_another_engine_than_its_own(
    installed: InstalledRelease, tmp_path: Path
) -> None:
    with pytest.raises(AskOperator, match="brings its own engine"):
        open_installed(instance(installed), replace(installed, engine_folder=tmp_path))


def test_incident_16_a_file_that_was_edited_on_the_host_keeps_the_release_from_starting(
    installed: InstalledRelease,
) -> None:
    edited = replace(installed, drift=("strategy/config.json was edited",))
    with pytest.raises(AskOperator, match=r"strategy/config\.json was edited"):
        open_installed(instance(installed), edited)


def test_incident_18_the_workspaces_own_copy_is_never_read_in_the_place_of_the_release(
    installed: InstalledRelease, tmp_path: Path
) -> None:
    write(tmp_path / "test/gap", symbols=["GME"])
    write(tmp_path / "prod/gap", symbols=["GME"])
    assert open_installed(instance(installed), installed).config.symbols == ("AMC",)
    (installed.strategy_folder / "config.json").unlink()
    with pytest.raises(FixInput, match="does not exist"):
        open_installed(instance(installed), installed)


def test_what_reads_otherwise_here_than_where_it_was_built_is_refused(installed: InstalledRelease) -> None:
    write(installed.strategy_folder, symbols=["GME"])
    with pytest.raises(AskOperator, match="reads otherwise here"):
        open_installed(instance(installed), installed)
