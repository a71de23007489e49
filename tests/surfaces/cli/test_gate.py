"""`magellan gate`, as a trader and a CI system type it."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest

from magellan.gate.criteria import CRITERIA

Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def broken(magellan: Call, tmp_path: Path) -> Path:
    """A workspace with a strategy whose config has a mistake: judged in a second or two."""
    (tmp_path / "magellan.toml").touch()
    magellan("new", "strategy", "gap", "--symbols", "AMC")
    folder = tmp_path / "dev" / "gap"
    folder.joinpath("config.json").write_text("{}")
    folder.joinpath("tests/test_strategy.py").write_text("def test_it():\n    assert 1 + 1 == 2\n")
    return tmp_path


def test_a_strategy_on_generated_bars_is_shut_with_every_reason_and_nothing_else_is_wrong(
    magellan: Call, tmp_path: Path
) -> None:
    magellan("init", ".")
    magellan("new", "strategy", "moods")
    done = magellan("gate", "moods", "--json", "--junit", "verdict.xml")
    assert done.returncode == 1, done.stderr
    document = json.loads(done.stdout)
    assert document["answer"] == "shut"
    answers = {each["name"]: each["answer"] for each in document["criteria"]}
    assert list(answers) == [criterion.name for criterion in CRITERIA]
    assert answers["generated_sets"] == "inconclusive"
    # The real tools, on a strategy as `magellan new` writes it.
    for name in ("lint_findings", "type_errors", "config_problems", "tests_min", "lookahead_findings"):
        assert answers[name] == "open", name
    assert "error" not in answers.values()
    suite = Xml.parse(tmp_path / "verdict.xml").getroot().find("testsuite")
    assert suite is not None
    assert suite.get("failures") == str(sum(answer != "open" for answer in answers.values()))
    kept = done.stderr.strip().removeprefix("all of the evidence: ")
    assert json.loads(Path(kept).read_text()) == document


def test_the_table_shows_what_is_not_open_and_one_line_says_the_answer(magellan: Call, broken: Path) -> None:
    done = magellan("gate", "gap")
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    assert "config problems" in done.stdout
    assert "strategy: is missing" in done.stdout
    assert "tests passed" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("the gates of dev/gap are SHUT: ")
    assert done.stdout.count("the strategy cannot be loaded") <= 5  # once for each kind of evidence
    details = magellan("gate", "gap", "--details")
    assert "tests passed" in details.stdout


def test_accepting_a_run_that_is_not_good_is_refused(magellan: Call, broken: Path) -> None:
    done = magellan("gate", "gap", "--accept", "--by", "K. Ito", "--reason", "in a hurry")
    assert done.returncode == 1
    assert done.stderr.startswith("error: this run cannot be accepted: ")
    assert not (broken / ".magellan/gates/dev/gap/accepted.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--accept"], 1, "accepting a run needs a name and a reason"),
        (["--by", "K. Ito"], 2, "--by and --reason belong to --accept"),
        (["--from", "yesterday"], 2, "yesterday"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    magellan: Call, broken: Path, arguments: list[str], code: int, told: str
) -> None:
    done = magellan("gate", "gap", *arguments)
    assert done.returncode == code
    assert told in done.stderr


def test_an_unknown_strategy_is_answered_with_those_there_are(magellan: Call, broken: Path) -> None:
    done = magellan("gate", "gab")
    assert done.returncode == 1
    assert "did you mean 'gap'? there are: dev/gap" in done.stderr


def test_no_option_tolerates_anything_incident_15(magellan: Call) -> None:
    text = magellan("gate", "--help").stdout
    for word in ("--force", "--skip", "--ignore", "--allow", "--no-", "--tolerate", "--warn-only"):
        assert word not in text
