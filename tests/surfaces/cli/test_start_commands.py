"""`magellan init`, `new` and `doctor`, as a newcomer types them."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Call = Callable[..., subprocess.CompletedProcess[str]]


def test_init_makes_a_workspace_and_says_what_came_of_it(magellan: Call, tmp_path: Path) -> None:
    done = magellan("init", "my-trading", "--no-sample")
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.splitlines()[0], done.stdout.splitlines()[-1]
    assert first.startswith(f"{tmp_path / 'my-trading'} is a workspace: ")
    assert first.endswith(" created")
    assert last.startswith("next: go there")
    assert "generated" not in done.stdout
    (tmp_path / "my-trading/README.md").write_text("mine")
    again = magellan("init", "my-trading", "--no-sample")
    assert "README.md: differs, left as it is" in again.stdout
    assert (tmp_path / "my-trading/README.md").read_text() == "mine"


def test_init_speaks_json(magellan: Call, tmp_path: Path) -> None:
    done = magellan("init", "--no-sample", "--json")
    document = json.loads(done.stdout)
    assert document["workspace"] == str(tmp_path)
    assert {"what": "magellan.toml", "state": "created"} in document["made"]


def test_from_nothing_to_a_strategy_of_ones_own_that_runs(magellan: Call, tmp_path: Path) -> None:
    assert magellan("init", ".").returncode == 0
    made = magellan("new", "strategy", "opening_gap", "--kind", "swing")
    assert made.returncode == 0, made.stderr
    assert made.stdout.startswith("dev/opening_gap is a strategy of kind swing that trades HARBOR, VOYAGE:\n")
    run = magellan("backtest", "opening_gap", "--json", "-")
    assert run.returncode == 0, run.stderr
    checked = magellan("doctor", "--json")
    assert checked.returncode == 0, checked.stdout
    names = [each["name"] for each in json.loads(checked.stdout)["checks"]]
    assert {"dev/opening_gap", "prod/bear_trap", "archive"} <= set(names)


def test_new_refuses_a_name_that_is_taken_without_a_traceback(magellan: Call, tmp_path: Path) -> None:
    (tmp_path / "magellan.toml").touch()
    assert magellan("new", "strategy", "gap", "--symbols", "amc,gme", "--stage", "test").returncode == 0
    config = json.loads((tmp_path / "test/gap/config.json").read_text())
    assert config["symbols"] == ["AMC", "GME"]
    done = magellan("new", "strategy", "gap", "--symbols", "AMC")
    assert done.returncode == 1
    assert (
        done.stderr == "error: a strategy called 'gap' exists already: test/gap\nnext: choose another name\n"
    )


def test_new_schema_writes_the_schema_again(magellan: Call, tmp_path: Path) -> None:
    (tmp_path / "magellan.toml").touch()
    magellan("new", "strategy", "gap", "--symbols", "AMC")
    schema = tmp_path / "dev/gap/config.schema.json"
    before = schema.read_text()
    schema.unlink()
    assert magellan("new", "schema", "gap").returncode == 0
    assert schema.read_text() == before


def test_new_knows_only_what_it_can_write(magellan: Call) -> None:
    done = magellan("new", "report", "gap")
    assert done.returncode == 2
    assert "strategy" in done.stderr and "schema" in done.stderr


def test_doctor_ends_with_1_and_says_what_to_do_when_something_does_not_work(
    magellan: Call, tmp_path: Path
) -> None:
    (tmp_path / "magellan.toml").write_text("format = 7\n")
    done = magellan("doctor")
    assert done.returncode == 1
    assert "format: found 7; allowed: 1" in done.stdout
    assert done.stdout.rstrip().endswith("do not work")


def test_doctor_works_outside_of_a_workspace(magellan: Call) -> None:
    done = magellan("doctor")
    assert done.returncode == 0, done.stdout
    assert "none around this folder" in done.stdout


def test_doctor_sees_variables_that_contradict_each_other(magellan: Call) -> None:
    done = magellan("doctor", ENVIRONMENT="prod", USE_ARCHIVED_DATA="true")
    assert done.returncode == 1
    assert "production never reads the archive" in done.stdout
