"""The workflow for GitHub: what it may do, what it is made of, and that its steps really run."""

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from magellan.deploy.github_workflow import KEPT_DAYS, PINS, WorkflowTerms, workflow
from magellan.errors import FixInput

TERMS = WorkflowTerms(
    strategies=("bear_trap", "daily_trend"), install='python -m pip install "magellan-trading==0.1.0"'
)
TEXT = workflow(TERMS)
WORKFLOW: dict[Any, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]
ON: dict[str, Any] = WORKFLOW[True]  # YAML 1.1 reads `on` so
STEPS = [(job, step) for job, each in JOBS.items() for step in each["steps"]]


def test_it_begins_for_what_trades_and_by_hand_with_inputs_that_are_used() -> None:
    assert ON["push"] == {
        "branches": ["main"],
        "paths": ["prod/**", "magellan.toml", ".github/workflows/deploy-strategies.yml"],
    }
    inputs = ON["workflow_dispatch"]["inputs"]
    assert inputs["strategy"]["options"] == ["all", "bear_trap", "daily_trend"]
    assert inputs["environment"]["options"] == ["test", "prod"]
    for name in inputs:
        assert f"inputs.{name} ||" in TEXT, f"the form asks for {name}, and nothing reads it"


def test_the_chosen_strategies_are_the_matrix_of_what_is_tested_and_deployed() -> None:
    for job in ("test", "deploy"):
        matrix = JOBS[job]["strategy"]["matrix"]
        assert matrix == {"strategy": "${{ fromJSON(needs.choose.outputs.strategies) }}"}
    assert JOBS["deploy"]["needs"] == ["choose", "test"]
    assert JOBS["deploy"]["strategy"]["max-parallel"] == 1
    assert JOBS["deploy"]["env"]["STAGE"] == "${{ inputs.environment || 'test' }}"
    assert JOBS["deploy"]["environment"] == "${{ inputs.environment || 'test' }}"


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("all", ["bear_trap", "daily_trend"]),
        ("daily_trend", ["daily_trend"]),
        ("nobody", None),
        ("$(id)", None),
    ],
)
def test_the_form_chooses_one_strategy_or_all_and_nothing_else(
    wanted: str, chosen: list[str] | None, tmp_path: Path
) -> None:
    (step,) = JOBS["choose"]["steps"]
    output = tmp_path / "output"
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", step["run"]],
        env={**os.environ, "ALL": step["env"]["ALL"], "WANTED": wanted, "GITHUB_OUTPUT": str(output)},
        capture_output=True,
        text=True,
    )
    if chosen is None:
        assert done.returncode != 0
        return
    assert done.returncode == 0, done.stderr
    assert json.loads(output.read_text().removeprefix("strategies=")) == chosen


def test_no_failure_is_tolerated_incident_15() -> None:
    assert "continue-on-error" not in TEXT
    assert not re.search(r"\|\| *true|set \+e|; *true", TEXT)
    for _, step in STEPS:
        assert step.get("if", "always()") == "always()"
        assert not (step.get("if") and "magellan" in step.get("run", "")), "what judges is never optional"


def test_nothing_is_pushed_to_a_machine_without_the_tests_incident_44() -> None:
    deploying = [
        step["run"]
        for job, step in STEPS
        if "--yes" in step.get("run", "") or (job == "deploy" and "run" in step)
    ]
    assert any("--yes" in each for each in deploying)
    assert all("--yes" not in step.get("run", "") for job, step in STEPS if job != "deploy")
    assert "test" in JOBS["deploy"]["needs"]


def test_the_workspace_is_brought_to_the_tested_commit_and_never_overwritten_incident_16(
    tmp_path: Path,
) -> None:
    """A server's own edits were once wiped by a hard reset; here they stop the deployment."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"

    def git(*arguments: str, at: Path) -> str:
        who = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        done = subprocess.run(["git", *who, *arguments], cwd=at, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    origin.mkdir()
    git("init", "-q", "-b", "main", at=origin)
    for name in ("prod/bear_trap", "prod/daily_trend"):
        (origin / name).mkdir(parents=True)
        (origin / name / "config.json").write_text("{}")
    (origin / "magellan.toml").write_text("")
    git("add", ".", at=origin)
    git("commit", "-qm", "one", at=origin)
    git("clone", "-q", str(origin), str(clone), at=tmp_path)
    (origin / "prod/bear_trap/config.json").write_text('{"a": 1}')
    git("commit", "-qam", "two", at=origin)
    step = JOBS["deploy"]["steps"][0]["run"]

    def bring() -> subprocess.CompletedProcess[str]:
        env = {
            "MAGELLAN_WORKSPACE": str(clone),
            "GITHUB_SHA": git("rev-parse", "HEAD", at=origin),
            "STRATEGY": "bear_trap",
        }
        return subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", step],
            env={**os.environ, **env},
            capture_output=True,
            text=True,
        )

    assert bring().returncode == 0
    assert (clone / "prod/bear_trap/config.json").read_text() == '{"a": 1}'
    (clone / "prod/bear_trap/config.json").write_text('{"edited": "on the server"}')
    assert bring().returncode != 0
    (origin / "prod/bear_trap/config.json").write_text('{"a": 2}')
    git("commit", "-qam", "three", at=origin)
    assert bring().returncode != 0
    assert (clone / "prod/bear_trap/config.json").read_text() == '{"edited": "on the server"}'


def test_it_has_no_secret_and_the_least_rights() -> None:
    assert "secrets." not in TEXT
    assert WORKFLOW["permissions"] == {}
    assert {job: each.get("permissions", {}) for job, each in JOBS.items()} == {
        "choose": {},
        "test": {"contents": "read"},
        "deploy": {},
    }
    (checkout,) = [step for _, step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert checkout["with"]["persist-credentials"] is False


def test_actions_are_pinned_to_full_commits_and_say_which_release_that_is() -> None:
    used = re.findall(r"uses: (\S+)@(\S+) # (v[0-9.]+)", TEXT)
    assert {name for name, _, _ in used} == set(PINS)
    assert all(re.fullmatch(r"[0-9a-f]{40}", commit) for _, commit, _ in used)
    assert len(used) == TEXT.count("uses:")


def test_no_expression_stands_in_the_text_of_a_shell() -> None:
    assert [step["run"] for _, step in STEPS if "${{" in step.get("run", "")] == []


def test_artifacts_are_kept_for_thirty_days_and_the_summary_is_shown_whatever_happens() -> None:
    assert KEPT_DAYS == 30
    uploads = [step for _, step in STEPS if "upload-artifact" in step.get("uses", "")]
    assert [step["with"]["retention-days"] for step in uploads] == [30, 30]
    shown = [step for _, step in STEPS if "GITHUB_STEP_SUMMARY" in step.get("run", "")]
    assert [step["if"] for step in (*uploads, *shown)] == ["always()"] * 4


def test_every_job_ends_by_itself_and_roll_outs_wait_for_each_other() -> None:
    assert all(each["timeout-minutes"] <= 120 for each in JOBS.values())
    assert WORKFLOW["concurrency"] == {"group": "deploy-strategies", "cancel-in-progress": False}


def test_every_command_of_ours_in_it_can_be_typed() -> None:
    import shlex

    import typer

    from magellan.surfaces.cli.app import called_command, commands, function_of

    lines = [
        line for _, step in STEPS for line in step.get("run", "").splitlines() if line.startswith("magellan ")
    ]
    assert len(lines) == 2
    for line in lines:
        arguments = shlex.split(line)[1:]
        called = called_command(arguments)
        assert called == "pipeline run"
        (row,) = [each for each in commands() if each.words == called]
        app = typer.Typer(add_completion=False)
        app.command()(function_of(row))
        known = {name for each in typer.main.get_command(app).params for name in each.opts}
        assert {each for each in arguments if each.startswith("--")} <= known


@pytest.mark.parametrize(
    "changed",
    [
        {"strategies": ()},
        {"strategies": ("bear trap",)},
        {"strategies": ("all",)},
        {"strategies": ("a\"]'; id; #",)},
        {"branch": "main\n  - evil"},
        {"runner": "a, b"},
        {"python": "3.11; id"},
        {"install": " "},
        {"pins": {**PINS, "actions/checkout": "v4"}},
        {"pins": {}},
        {"pins": {**PINS, "evil/action": "a" * 40}},
    ],
)
def test_what_does_not_belong_into_a_workflow_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(FixInput):
        workflow(replace(TERMS, **changed))


def test_bars_that_are_not_in_the_repository_are_brought_by_a_step() -> None:
    with_data = yaml.safe_load(
        workflow(replace(TERMS, data="aws s3 sync s3://bars data\nls data", runner="desk"))
    )
    names = [step["name"] for step in with_data["jobs"]["test"]["steps"]]
    assert names.index("Bring the archived bars") == names.index("Install Magellan") + 1
    assert with_data["jobs"]["deploy"]["runs-on"] == ["self-hosted", "desk"]
