"""A new strategy works from its first minute: it loads, its tests pass, it trades, and looks at no future."""

import json
import os
import re
from pathlib import Path

import jsonschema
import pytest

from magellan.adapters.local.tools import PythonTools
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.errors import FixInput
from magellan.gate.evidence import Measured
from magellan.gate.tool_findings import ruff_findings
from magellan.usecases.gate_evidence import code
from magellan.usecases.gate_evidence.examination import Examination, files_sha256
from magellan.usecases.load_strategy import load_strategy
from magellan.usecases.new_strategy import NewStrategy, new_strategy, schema_text, write_schema
from magellan.workspace.new_files import reference_strategies
from magellan.workspace.workspace import Stage, Workspace

from .conftest import NOW, put, trending_bars

KINDS = ("intraday", "swing", "trend")
TOOLS = PythonTools(os.environ)


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "magellan.toml").touch()
    return Workspace.at(tmp_path)


def new(workspace: Workspace, name: str = "opening_gap", **options) -> NewStrategy:
    archive = ParquetBarArchive(workspace.data_folder)
    return new_strategy(
        name, workspace=workspace, archive=archive, write=write, **{"symbols": ("AMC",), **options}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_strategy_is_clean_and_its_tests_pass(workspace: Workspace, kind) -> None:
    made = new(workspace, kind=kind)
    loaded = load_strategy(made.folder)
    assert loaded.config.strategy.kind == kind
    assert loaded.config.misleading() == ()
    of = Examination(folder=made.folder, at=NOW, files_sha256=files_sha256(made.folder))
    tests = code.tests_evidence(of, TOOLS)
    counts = {name: each.value for name, each in tests.measured.items() if isinstance(each, Measured)}
    assert counts == {
        "tests_passed": 5 if kind == "intraday" else 4,
        "tests_failed": 0,
        "tests_errored": 0,
        "tests_without_check": 0,
    }
    rules = [
        "--select",
        "B,C4,E,F,PIE,PLE,RUF,SIM,UP,W",
        "--line-length",
        "110",
        "--target-version",
        "py311",
    ]
    arguments = ["check", "--isolated", *rules, "--output-format", "json"]
    done = TOOLS.run("ruff", arguments, folder=made.folder.path, timeout_s=60)
    assert ruff_findings(done.stdout) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_strategy_is_one_short_file(workspace: Workspace, kind) -> None:
    made = new(workspace, kind=kind)
    lines = made.folder.strategy_file.read_text().splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 110
    assert "numba" not in "\n".join(lines)


def test_its_types_are_sound(workspace: Workspace) -> None:
    for kind in KINDS:
        made = new(workspace, f"idea_{kind}", kind=kind)
        of = Examination(folder=made.folder, at=NOW, files_sha256=files_sha256(made.folder))
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "magellan"
        evidence = code.types_evidence(of, TOOLS, cache)
        assert evidence.error == ""
        assert evidence.measured["type_errors"].value == 0, evidence.measured["type_errors"].detail


def test_no_placeholder_is_left_in_any_file(workspace: Workspace) -> None:
    for path in new(workspace, "two_words").files:
        assert not re.search("@[A-Z]+@", path.read_text()), path
    assert "class TwoWords(Strategy)" in (workspace.root / "dev/two_words/strategy.py").read_text()


def test_its_schema_describes_its_own_parameters(workspace: Workspace) -> None:
    made = new(workspace, kind="swing")
    schema = json.loads(made.folder.schema_file.read_text())
    config = json.loads(made.folder.config_file.read_text())
    check = jsonschema.Draft202012Validator(schema).is_valid
    assert check(config)
    config["parameters"]["dipp"] = 30.0
    assert not check(config)
    assert config["$schema"] == made.folder.schema_file.name


def test_the_schema_is_written_again_after_the_parameters_changed(workspace: Workspace) -> None:
    folder = new(workspace).folder
    code_text = folder.strategy_file.read_text()
    folder.strategy_file.write_text(
        code_text.replace("fast_bars: int", "quick_bars: int").replace("p.fast_bars", "p.quick_bars")
    )
    folder.config_file.write_text("broken")
    write_schema(folder, write=write)
    assert folder.schema_file.read_text() == schema_text(folder)
    assert "quick_bars" in folder.schema_file.read_text()


def test_the_reference_strategies_schemas_fit_their_code() -> None:
    for path in reference_strategies():
        folder = load_strategy(path).folder
        assert folder.schema_file.read_text() == schema_text(folder), f"`magellan new schema {folder.name}`"


def test_without_symbols_it_trades_what_is_archived_in_its_timeframe(workspace: Workspace) -> None:
    archive = ParquetBarArchive(workspace.data_folder)
    put(archive, trending_bars("ALPHA", 21))
    put(archive, trending_bars("BRAVO", 22))
    assert new(workspace, symbols=()).symbols == ("ALPHA", "BRAVO")
    with pytest.raises(FixInput, match="holds no 1Hour bars"):
        new(workspace, "another", kind="swing", symbols=())
    assert not (workspace.root / "dev" / "another").exists()


def test_without_symbols_it_trades_generated_bars_only_where_there_are_no_others(
    workspace: Workspace,
) -> None:
    archive = ParquetBarArchive(workspace.data_folder)
    put(archive, trending_bars("ALPHA", 21), generated=True)
    assert new(workspace, symbols=()).symbols == ("ALPHA",)
    put(archive, trending_bars("BRAVO", 22))
    assert new(workspace, "another", symbols=()).symbols == ("BRAVO",)


@pytest.mark.parametrize(
    "name", ["Opening", "opening gap", "1gap", "gap-up", "", "../gap", "gap.py", "größe"]
)
def test_a_name_that_cannot_be_one_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(FixInput):
        new(workspace, name)


def test_a_name_that_is_taken_in_any_stage_is_refused(workspace: Workspace) -> None:
    new(workspace, stage=Stage.PROD)
    with pytest.raises(FixInput, match="a strategy called 'opening_gap' exists already: prod/opening_gap"):
        new(workspace)


def test_a_folder_that_is_in_the_way_is_left_alone(workspace: Workspace) -> None:
    (workspace.root / "dev/opening_gap").mkdir(parents=True)
    (workspace.root / "dev/opening_gap/notes.txt").write_text("mine")
    with pytest.raises(FixInput, match="exists already"):
        new(workspace)
    assert [path.name for path in (workspace.root / "dev/opening_gap").iterdir()] == ["notes.txt"]
