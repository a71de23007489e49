"""Releases through the command line, as a trader types it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from magellan.adapters.local.gate_records import GateRecordFiles
from magellan.surfaces.cli.app import run
from magellan.usecases.gate_evidence.examination import files_sha256
from magellan.workspace.workspace import Workspace

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("release", "list")` in a workspace with one strategy, judged shut."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    assert call("init", str(tmp_path / "desk"), "--no-sample")[0] == 0
    monkeypatch.chdir(tmp_path / "desk")
    judge()
    return call


def judge() -> None:
    workspace = Workspace.at(Path.cwd())
    folder = workspace.strategy("bear_trap")
    at = datetime(2026, 1, 21, 21, 30, tzinfo=UTC)
    document = {
        "answer": "shut",
        "judged_at": at.isoformat(),
        "strategy": {"files_sha256": files_sha256(folder)},
        "criteria": [{"name": "sharpe_min", "answer": "shut"}],
        "evidence": [],
    }
    GateRecordFiles(workspace).keep_verdict(folder, at, document)


def answer(command: Command, *arguments: str, code: int = 0) -> Any:
    ended, out, err = command(*arguments, "--json")
    assert ended == code, err
    return json.loads(out)


def trust(command: Command) -> None:
    _, out, _ = command("release", "key")
    section, name = out.splitlines()[-2:]
    with Path("magellan.toml").open("a") as file:
        file.write(f"\n{section}\n{name}\n")


def test_a_key_is_made_once_and_what_it_says_can_be_pasted_into_the_settings(command: Command) -> None:
    first, second = answer(command, "release", "key"), answer(command, "release", "key")
    assert (first["made"], second["made"]) == (True, False)
    assert first["public_key"] == second["public_key"]
    assert Path(first["place"]).stat().st_mode & 0o777 == 0o600
    trust(command)
    keys = Workspace.at(Path.cwd()).settings.releases.trusted_keys
    assert list(keys.values()) == [first["public_key"]]


def test_build_list_show_compare_verify_and_prune(command: Command) -> None:
    trust(command)
    first = answer(command, "release", "build", "bear_trap", "--by", "ada")
    assert (first["number"], first["was_there"], first["manifest"]["author"]) == (1, False, "ada")
    assert answer(command, "release", "build", "bear_trap", "--by", "ada")["was_there"]

    config = Path("prod/bear_trap/config.json")
    document = json.loads(config.read_text())
    document["parameters"]["hold_minutes"] = 61
    config.write_text(json.dumps(document, indent=2))
    judge()
    second = answer(command, "release", "build", "prod/bear_trap", "--by", "ada")

    assert [each["name"] for each in answer(command, "release", "list")] == [first["name"], second["name"]]
    shown = answer(command, "release", "show", "bear_trap", "1")
    assert shown["release_id"] == first["release_id"]
    changes = {
        each["what"]: each["after"] for each in answer(command, "release", "diff", "bear_trap")["changes"]
    }
    assert changes["config: parameters.hold_minutes"] == "61"
    assert [each["problem"] for each in answer(command, "release", "verify")] == ["", ""]
    assert answer(command, "release", "prune", "bear_trap", "--keep", "1") == {
        "would_remove": [first["name"]]
    }
    assert answer(command, "release", "prune", "bear_trap", "--keep", "1", "--yes") == {
        "removed": [first["name"]]
    }
    assert [each["name"] for each in answer(command, "release", "list", "bear_trap")] == [second["name"]]


def test_every_command_shows_the_same_to_a_person(command: Command) -> None:
    trust(command)
    _, built, _ = command("release", "build", "bear_trap", "--by", "ada")
    name = built.splitlines()[0]
    assert "gates     shut, criteria not open: 1" in built
    assert name in command("release", "list")[1]
    assert "signed    by" in command("release", "show", "bear_trap")[1]
    assert f"{name}: whole, signed by" in command("release", "verify")[1]
    assert "are the same" in command("release", "diff", "bear_trap")[1]
    assert command("release", "prune", "bear_trap")[1] == "nothing to remove\n"


def test_a_key_that_is_not_trusted_is_told_at_the_build_and_fails_the_check(command: Command) -> None:
    command("release", "key")
    code, _, notes = command("release", "build", "bear_trap")
    assert code == 0
    assert "its key is not in magellan.toml" in notes
    code, out, _ = command("release", "verify")
    assert code == 1
    assert "which magellan.toml does not trust" in out


def test_mistakes_are_told_in_a_line_with_the_next_step(command: Command) -> None:
    code, _, err = command("release", "build", "bear_trap")
    assert code == 1
    assert "next: make one with `magellan release key`" in err
    code, _, err = command("release", "show", "bear_trap")
    assert code == 1
    assert "next: build one with `magellan release build bear_trap`" in err
    code, _, err = command("release", "build", "bear_tarp")
    assert code == 1
    assert "did you mean 'bear_trap'?" in err
