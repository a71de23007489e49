"""The workspace: where things are, and how a strategy is called."""

from pathlib import Path

import pytest

from magellan.errors import FixInput
from magellan.workspace.workspace import Stage, Workspace


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "magellan.toml").write_text("format = 1\n")
    for folder in ("dev/opening_gap", "prod/bear_trap", "prod/daily_trend", "test/daily_trend"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "strategy.py").touch()
    (tmp_path / "prod" / "notes").mkdir()  # no strategy
    return tmp_path


def test_strategies_are_found_in_their_stages(root: Path) -> None:
    labels = [each.label for each in Workspace.at(root).strategies()]
    assert labels == ["dev/opening_gap", "test/daily_trend", "prod/bear_trap", "prod/daily_trend"]


@pytest.mark.parametrize("named", ["bear_trap", "prod/bear_trap"])
def test_a_strategy_is_called_by_its_name_or_with_its_stage(root: Path, named: str) -> None:
    found = Workspace.at(root).strategy(named)
    assert (found.path, found.stage, found.label) == (root / "prod/bear_trap", Stage.PROD, "prod/bear_trap")


def test_a_strategy_is_called_by_its_folder_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace.at(root)
    assert workspace.strategy(str(root / "prod/bear_trap")).label == "prod/bear_trap"
    monkeypatch.chdir(root / "prod")
    assert workspace.strategy("./bear_trap").label == "prod/bear_trap"


def test_a_name_in_two_stages_is_ambiguous(root: Path) -> None:
    with pytest.raises(FixInput, match="'daily_trend' is in 2 stages: test/daily_trend, prod/daily_trend"):
        Workspace.at(root).strategy("daily_trend")


def test_an_unknown_name_is_answered_with_the_nearest_and_all(root: Path) -> None:
    with pytest.raises(FixInput) as caught:
        Workspace.at(root).strategy("bear_trip")
    assert caught.value.next_step.startswith("did you mean 'bear_trap'? there are: dev/opening_gap, ")


def test_an_empty_workspace_says_how_to_begin(tmp_path: Path) -> None:
    (tmp_path / "magellan.toml").touch()
    with pytest.raises(FixInput) as caught:
        Workspace.at(tmp_path).strategy("gap")
    assert caught.value.next_step == "write one with `magellan new strategy gap`"


def test_the_workspace_around_a_folder_is_the_nearest_above(root: Path) -> None:
    assert Workspace.around(root / "prod" / "bear_trap").root == root.resolve()
    assert Workspace.around(root).root == root.resolve()


def test_outside_of_every_workspace_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FixInput, match=r"no magellan\.toml in"):
        Workspace.around(tmp_path)
    with pytest.raises(FixInput, match="is not a workspace"):
        Workspace.at(tmp_path)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("format = 2\n", "format: found 2; allowed: 1"),
        ("formt = 1\n", "formt: unknown key (did you mean 'format'?)"),
        ("api_key = 'secret'\n", "api_key: unknown key"),
        ("on = 2026-01-20\n", "on: unknown key"),
        ("format = \n", "magellan.toml: "),
        ("format = 1\nformat = 1\n", "magellan.toml: "),
    ],
)
def test_magellan_toml_is_read_strictly(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "magellan.toml").write_text(text)
    with pytest.raises(FixInput) as caught:
        Workspace.at(tmp_path)
    assert told in caught.value.message


def test_bytes_that_are_no_text_are_no_settings(tmp_path: Path) -> None:
    (tmp_path / "magellan.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(FixInput, match="not UTF-8"):
        Workspace.at(tmp_path)


def test_every_folder_has_its_place(root: Path) -> None:
    workspace = Workspace.at(root)
    bear_trap = workspace.strategy("bear_trap")
    assert workspace.corporate_actions_file == root / "data/corporate_actions.csv"
    assert workspace.gates_folder(bear_trap) == root / ".magellan/gates/prod/bear_trap"
    assert workspace.gates_folder(workspace.folder_at(root / "lab")) == root / ".magellan/gates/elsewhere/lab"
    assert bear_trap.config_file == root / "prod/bear_trap/config.json"
