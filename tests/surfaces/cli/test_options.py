"""The options that commands share."""

from pathlib import Path

import pytest

from magellan.errors import FixInput
from magellan.surfaces.cli.options import enclosing_workspace, workspace_folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "trading"
    (folder / "prod" / "bear_trap").mkdir(parents=True)
    (folder / "magellan.toml").touch()
    return folder


def test_the_workspace_that_was_named_is_taken_from_anywhere(workspace: Path) -> None:
    assert workspace_folder(workspace) == workspace


def test_otherwise_the_nearest_workspace_upwards_is_taken(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(workspace / "prod" / "bear_trap")
    assert workspace_folder(None) == workspace


def test_a_workspace_within_a_workspace_comes_first(workspace: Path) -> None:
    (workspace / "prod" / "magellan.toml").touch()
    assert enclosing_workspace(workspace / "prod" / "bear_trap") == workspace / "prod"


def test_a_folder_that_is_no_workspace_is_refused_with_the_way_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FixInput, match="magellan init"):
        workspace_folder(tmp_path)


def test_outside_every_workspace_the_refusal_names_where_was_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FixInput, match=str(tmp_path)):
        workspace_folder(None)
