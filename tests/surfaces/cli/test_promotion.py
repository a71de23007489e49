"""Soak, freeze and pipeline through the command line, as a trader types them."""

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
ACCOUNTS = """
[accounts.paper]
kind = "paper"
number = "PA1"

[stages.test]
account = "paper"
"""


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """`command("freeze", "show")` in a workspace with the reference strategies and no bars."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def call(*arguments: str) -> tuple[int, str, str]:
        code = run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    assert call("init", str(tmp_path / "desk"), "--no-sample")[0] == 0
    monkeypatch.chdir(tmp_path / "desk")
    return call


def answer(command: Command, *arguments: str, code: int) -> Any:
    ended, out, err = command(*arguments, "--json")
    assert ended == code, err
    return json.loads(out)


def trust(command: Command, name: str) -> None:
    """This user's key, as that person's."""
    public = answer(command, "release", "key", code=0)["public_key"]
    with Path("magellan.toml").open("a") as file:
        file.write(f'\n[releases.trusted_keys]\n{name} = "{public}"\n{ACCOUNTS}')


def build(command: Command) -> None:
    """A release whose key is trusted, with a verdict of the gates that is shut."""
    trust(command, "ada")
    workspace = Workspace.at(Path.cwd())
    folder = workspace.strategy("bear_trap")
    at = datetime.now(UTC)
    document = {
        "answer": "shut",
        "judged_at": at.isoformat(),
        "strategy": {"files_sha256": files_sha256(folder), "label": folder.label},
        "criteria": [{"name": "sharpe_min", "answer": "shut"}],
        "evidence": [],
    }
    GateRecordFiles(workspace).keep_verdict(folder, at, document)
    assert command("release", "build", "bear_trap", "--by", "ada")[0] == 0


def test_soak_shows_every_criterion_with_its_answer_and_keeps_the_verdict(command: Command) -> None:
    assert command("soak", "bear_trap")[:2] == (1, "")
    build(command)
    told = answer(command, "soak", "bear_trap", code=1)
    answers = {each["name"]: each["answer"] for each in told["criteria"]}
    assert told["answer"] == "error"
    assert (answers["release_problems"], answers["gates_not_open"]) == ("pass", "fail")
    assert (answers["changes_since_accepted"], answers["soak_hours_min"]) == ("error", "inconclusive")
    _, out, notes = command("soak", "prod/bear_trap")
    assert "bear_trap-1-" in out and "from test to prod" in out
    assert "2 of 21 criteria pass" in out
    assert Path(notes.strip().removeprefix("all of the evidence: ")).is_file()
    to_test = answer(command, "soak", "bear_trap", "--to", "test", code=1)
    assert len(to_test["criteria"]) == 4
    assert command("soak", "bear_trap", "--to", "dev")[0] == 2


def test_freeze_check_ends_with_one_when_it_is_frozen_and_with_zero_when_it_is_not(command: Command) -> None:
    frozen = answer(command, "freeze", "check", "bear_trap", "--at", "2026-01-23 14:30", code=1)
    assert (frozen["answer"], frozen["until_at"]) == ("frozen", "2026-01-26T05:00:00+00:00")
    assert (
        answer(command, "freeze", "check", "bear_trap", "--at", "2026-01-20 11:00", code=0)["answer"]
        == "open"
    )
    _, out, _ = command("freeze", "check", "bear_trap", "--at", "2026-01-23 14:30")
    assert "prod/bear_trap is FROZEN until Mon 2026-01-26 00:00 New York: the week's end" in out
    assert command("freeze", "check", "bear_trap", "--at", "tomorrow")[0] == 2


def test_freeze_show_lists_what_comes_and_the_overrides_that_hold(command: Command) -> None:
    ended, _, notes = command("freeze", "override", "bear_trap", "--by", "ada", "--reason", "x")
    assert ended == 1 and "magellan.toml knows no key of 'ada'" in notes
    trust(command, "ada")
    granted = answer(
        command,
        "freeze",
        "override",
        "bear_trap",
        "--by",
        "ada",
        "--reason",
        "its stop is never sent",
        code=0,
    )
    assert (granted["subject"], granted["by"]) == ("prod/bear_trap", "ada")
    shown = answer(command, "freeze", "show", "--days", "14", code=0)
    assert [each["reason"] for each in shown["overrides"]] == ["its stop is never sent"]
    assert any(each["name"] == "the week's end" for each in shown["windows"])
    assert "by ada: its stop is never sent" in command("freeze", "show", "bear_trap")[1]
    assert command("freeze", "override", "bear_trap", "--by", "ada")[0] == 2
    assert command("freeze", "override", "bear_trap", "--by", "ada", "--reason", "x", "--hours", "99")[0] == 1


def test_a_pipeline_that_fails_ends_with_one_and_leaves_its_summary(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "summary"
    told = answer(command, "pipeline", "run", "bear_trap", "--to", "test", "--out", str(out), code=1)
    assert told["passed"] is False
    assert [each["came"] for each in told["outcomes"]] == [
        "failed",
        "not reached",
        "not reached",
        "not reached",
    ]
    assert {path.name for path in out.iterdir()} == {"summary.md", "summary.html", "summary.json"}
    assert json.loads((out / "summary.json").read_text()) == told
    _, text, notes = command("pipeline", "run", "bear_trap")
    assert "prod/bear_trap: failed at validate: not well: data" in text
    assert Path(notes.strip().splitlines()[-1].removeprefix("summary: ")).is_file()


def test_the_workflow_is_written_for_the_strategies_in_prod_and_refuses_a_tag(command: Command) -> None:
    told = answer(command, "pipeline", "github", code=0)
    assert told["strategies"] == ["bear_trap", "daily_trend", "hourly_swing"]
    text = Path(".github/workflows/deploy-strategies.yml").read_text()
    assert "          - hourly_swing\n" in text
    commit = "a" * 40
    assert answer(command, "pipeline", "github", "--pin", f"actions/checkout={commit}", code=0)
    assert f"actions/checkout@{commit}\n" in Path(".github/workflows/deploy-strategies.yml").read_text()
    ended, _, notes = command("pipeline", "github", "--pin", "actions/checkout=v4")
    assert ended == 1 and "which is no full commit" in notes
    assert command("pipeline", "github", "--pin", "actions/checkout")[0] == 2
