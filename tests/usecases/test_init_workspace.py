"""Init: a workspace in which everything works, made once and safe to make again."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from magellan.adapters.corporate_action_file import CorporateActionFile
from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.parquet.bar_archive import ParquetBarArchive
from magellan.archive.generated.sample import sample_descriptions
from magellan.errors import FixInput
from magellan.trading.session import ExchangeCalendar
from magellan.usecases.init_workspace import Made, State, init_workspace
from magellan.usecases.load_strategy import load_strategy
from magellan.usecases.prepare_run import prepare_data
from magellan.workspace.workspace import Workspace

NOW = datetime(2026, 1, 21, tzinfo=UTC)
REFERENCES = ("bear_trap", "daily_trend", "hourly_swing")


@cache
def calendar_of(name: str) -> ExchangeCalendar:
    return load_calendar(name, today=NOW.date())


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def init(
    root: Path, *, with_sample: bool = False, write: Callable[[Path, bytes], None] = write
) -> tuple[Made, ...]:
    return init_workspace(
        root,
        archive_of=lambda workspace: ParquetBarArchive(workspace.data_folder),
        actions_of=lambda workspace: CorporateActionFile(workspace.corporate_actions_file),
        calendar_of=calendar_of,
        write=write,
        now=NOW,
        with_sample=with_sample,
    )


def states(made: tuple[Made, ...]) -> set[State]:
    return {each.state for each in made}


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the generated bars; nobody changes it."""
    root = tmp_path_factory.mktemp("sampled") / "my-trading"
    assert states(init(root, with_sample=True)) == {State.CREATED}
    return root


def test_a_new_workspace_holds_the_reference_strategies_which_load(sampled: Path) -> None:
    workspace = Workspace.at(sampled)
    assert [each.label for each in workspace.strategies()] == [f"prod/{name}" for name in REFERENCES]
    for folder in workspace.strategies():
        assert load_strategy(folder).config.strategy.name == folder.name
        assert (folder.path / "runner.py").is_file()
        assert list(folder.tests_folder.glob("test_*.py"))
        assert not list(folder.path.rglob("__pycache__"))


def test_the_reference_strategies_trade_what_the_sample_holds(sampled: Path) -> None:
    workspace = Workspace.at(sampled)
    archive = ParquetBarArchive(workspace.data_folder)
    actions = CorporateActionFile(workspace.corporate_actions_file).read()
    for folder in workspace.strategies():
        config = load_strategy(folder).config
        data = prepare_data(config, archive=archive, actions=actions, calendar_of=calendar_of)
        assert all(used.generated for used in data.used)
        assert data.jumps == ()  # the sample's splits are on record


def test_each_symbol_of_the_sample_takes_over_the_parameters_of_the_one_it_replaces(sampled: Path) -> None:
    config = load_strategy(sampled / "prod" / "hourly_swing").config
    assert config.symbols == ("HARBOR", "VOYAGE")
    assert set(config.symbol_parameters) <= set(config.symbols)


def test_generated_bars_are_labelled_as_such(sampled: Path) -> None:
    records = ParquetBarArchive(sampled / "data").sets()
    assert len(records) == len(sample_descriptions())
    assert all(record.generated and record.id.vendor == "generated" for record in records)
    assert "No market ever" in (sampled / "data/README.md").read_text().replace("\n", " ")


def test_doing_it_again_changes_nothing(sampled: Path) -> None:
    before = {path: path.read_bytes() for path in sampled.rglob("*") if path.is_file()}
    made = init(sampled, with_sample=True, write=refuse_to_write)
    assert states(made) == {State.THERE}
    assert {path: path.read_bytes() for path in sampled.rglob("*") if path.is_file()} == before


def refuse_to_write(path: Path, content: bytes) -> None:
    raise AssertionError(f"{path} was written again")


def test_what_was_changed_stays_as_it_is_and_is_named(tmp_path: Path) -> None:
    init(tmp_path)
    (tmp_path / "prod/bear_trap/config.json").write_text("{}")
    (tmp_path / "prod/bear_trap/runner.py").unlink()
    made = {each.what: each.state for each in init(tmp_path)}
    assert made["prod/bear_trap/config.json"] is State.DIFFERS
    assert made["prod/bear_trap/runner.py"] is State.CREATED
    assert (tmp_path / "prod/bear_trap/config.json").read_text() == "{}"
    assert (tmp_path / "prod/bear_trap/runner.py").is_file()


def test_without_the_sample_the_reference_strategies_stay_as_they_are(tmp_path: Path) -> None:
    init(tmp_path)
    assert not (tmp_path / "data").exists()
    symbols = json.loads((tmp_path / "prod/daily_trend/config.json").read_text())["symbols"]
    assert "GOOGL" in symbols


def test_a_reference_strategy_that_was_moved_to_another_stage_does_not_come_back(tmp_path: Path) -> None:
    init(tmp_path)
    (tmp_path / "prod/bear_trap").rename(tmp_path / "dev/bear_trap")
    init(tmp_path)
    assert Workspace.at(tmp_path).strategy("bear_trap").label == "dev/bear_trap"


def test_a_folder_with_other_files_can_become_a_workspace(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "README.md").write_text("mine too")
    made = {each.what: each.state for each in init(tmp_path)}
    assert made["README.md"] is State.DIFFERS
    assert (tmp_path / "README.md").read_text() == "mine too"
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_file_cannot_become_a_workspace(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FixInput, match="is a file"):
        init(tmp_path / "file")


def test_a_workspace_inside_another_is_refused(tmp_path: Path) -> None:
    init(tmp_path)
    with pytest.raises(FixInput, match="lies inside the workspace"):
        init(tmp_path / "dev" / "second")
    assert not (tmp_path / "dev" / "second").exists()


def test_version_control_keeps_acceptances_and_leaves_data_and_credentials_out(tmp_path: Path) -> None:
    init(tmp_path)
    ignored = (tmp_path / ".gitignore").read_text().splitlines()
    for line in ("/data/*", "!/data/corporate_actions.csv", "/.magellan/*", "!/.magellan/gates/", ".env"):
        assert line in ignored
