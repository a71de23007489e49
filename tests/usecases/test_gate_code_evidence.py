"""Code evidence from the real tools: what they find counts, and nothing in the folder silences them."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from magellan.adapters.local.tools import PythonTools
from magellan.gate.evidence import Evidence, Measured
from magellan.usecases.gate_evidence import code
from magellan.usecases.gate_evidence.examination import Examination, files_sha256
from magellan.workspace.workspace import StrategyFolder

TOOLS = PythonTools(os.environ)
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "magellan"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "idea"
    (path / "tests").mkdir(parents=True)
    (path / "strategy.py").write_text('"""Idea."""\n\nLIMIT: int = 3\n')
    (path / "config.json").write_text("{}\n")
    return path


def examination(folder: Path) -> Examination:
    strategy = StrategyFolder(path=folder, stage=None)
    return Examination(
        folder=strategy, at=datetime(2026, 1, 21, tzinfo=UTC), files_sha256=files_sha256(strategy)
    )


def value(evidence: Evidence, name: str) -> float:
    measured = evidence.measured[name]
    assert isinstance(measured, Measured), measured
    return measured.value


def test_ruff_finds_mistakes_whatever_the_folder_says_about_it(folder: Path) -> None:
    (folder / "strategy.py").write_text("# ruff: noqa\nimport os  # noqa: F401\nprint(undefined)\n")
    (folder / "ruff.toml").write_text('exclude = ["*"]\n[lint]\nignore = ["ALL"]\n')
    (folder / ".gitignore").write_text("*\n")
    evidence = code.lint_evidence(examination(folder), TOOLS)
    assert evidence.error == ""
    assert value(evidence, "lint_findings") == 2
    assert "F821" in evidence.measured["lint_findings"].detail
    assert evidence.source.startswith("ruff ")


def test_ruff_finds_nothing_in_clean_files(folder: Path) -> None:
    (folder / "tests" / "test_idea.py").write_text("def test_it():\n    assert 1 + 1 == 2\n")
    evidence = code.lint_evidence(examination(folder), TOOLS)
    assert value(evidence, "lint_findings") == 0
    assert evidence.measured["lint_findings"].sample == 2


def test_code_that_is_no_python_is_a_finding_and_no_crash(folder: Path) -> None:
    (folder / "strategy.py").write_text("def (:\n")
    assert value(code.lint_evidence(examination(folder), TOOLS), "lint_findings") >= 1
    assert code.types_evidence(examination(folder), TOOLS, CACHE).error.startswith("mypy ended with 2")


def test_mypy_finds_wrong_types_whatever_the_folder_says_about_it(folder: Path) -> None:
    (folder / "strategy.py").write_text(
        "# mypy: ignore-errors\nLIMIT: int = 'three'\nx: int = 'y'  # type: ignore\n"
    )
    (folder / "mypy.ini").write_text("[mypy]\nignore_errors = True\n")
    evidence = code.types_evidence(examination(folder), TOOLS, CACHE)
    assert evidence.error == ""
    assert value(evidence, "type_errors") >= 1
    assert "switches checks off" in evidence.measured["type_errors"].detail


def test_mypy_checks_functions_without_annotations_too(folder: Path) -> None:
    (folder / "strategy.py").write_text("def size():\n    return 'ten' + 3\n")
    assert value(code.types_evidence(examination(folder), TOOLS, CACHE), "type_errors") == 1


TESTS = """
import pytest

def test_good():
    assert 1 + 1 == 2

def test_bad():
    assert 1 + 1 == 3

@pytest.mark.skip(reason="later")
def test_later():
    assert False

@pytest.mark.xfail
def test_known():
    assert False

@pytest.fixture
def broken():
    raise RuntimeError("no")

def test_with_it(broken):
    assert broken

def test_nothing():
    len("abc")
"""


def test_pytest_counts_what_passed_and_nothing_else(folder: Path) -> None:
    (folder / "tests" / "test_idea.py").write_text(TESTS)
    evidence = code.tests_evidence(examination(folder), TOOLS)
    assert evidence.error == ""
    names = ("tests_passed", "tests_failed", "tests_errored", "tests_without_check")
    assert [value(evidence, name) for name in names] == [2, 1, 1, 1]
    assert "2 more were skipped" in evidence.measured["tests_passed"].detail
    assert "test_bad: assert (1 + 1) == 3" in evidence.measured["tests_failed"].detail
    assert evidence.measured["tests_without_check"].detail == "test_idea.py: test_nothing"
    assert not list(folder.rglob("__pycache__")) and not list(folder.rglob(".pytest_cache"))


def test_nothing_in_or_above_the_folder_deselects_a_test(folder: Path) -> None:
    (folder / "tests" / "test_idea.py").write_text("def test_bad():\n    assert 1 + 1 == 3\n")
    deselect = "[pytest]\naddopts = --deselect tests/test_idea.py::test_bad -k nothing\n"
    (folder / "pytest.ini").write_text(deselect)
    (folder.parent / "pytest.ini").write_text(deselect)
    (folder.parent / "conftest.py").write_text("collect_ignore_glob = ['*']\n")
    assert value(code.tests_evidence(examination(folder), TOOLS), "tests_failed") == 1


def test_a_test_file_that_cannot_be_read_is_an_error_of_the_tests(folder: Path) -> None:
    (folder / "tests" / "test_idea.py").write_text("import nonsense_that_is_not_there\n")
    evidence = code.tests_evidence(examination(folder), TOOLS)
    assert (value(evidence, "tests_passed"), value(evidence, "tests_errored")) == (0, 1)


def test_an_empty_tests_folder_passes_nothing_incident_15(folder: Path) -> None:
    assert value(code.tests_evidence(examination(folder), TOOLS), "tests_passed") == 0


def test_tests_that_end_the_process_are_an_error_and_not_a_pass(folder: Path) -> None:
    (folder / "tests" / "test_idea.py").write_text(
        "import os\n\ndef test_it():\n    os._exit(0)\n    assert 1 + 1\n"
    )
    evidence = code.tests_evidence(examination(folder), TOOLS)
    assert evidence.measured == {}
    assert evidence.error.startswith("pytest ended with 0")


def test_the_digest_is_of_code_config_and_tests_with_their_names(folder: Path) -> None:
    strategy = StrategyFolder(path=folder, stage=None)
    digests = [files_sha256(strategy)]
    for name, text in (
        ("strategy.py", "LIMIT = 4\n"),
        ("config.json", '{"a": 1}\n'),
        ("tests/test_idea.py", "x = 1\n"),
        ("helper.py", "x = 1\n"),
    ):
        (folder / name).write_text(text)
        digests.append(files_sha256(strategy))
    (folder / "helper.py").rename(folder / "other.py")
    digests.append(files_sha256(strategy))
    assert len(set(digests)) == len(digests)
    (folder / "docs.md").write_text("changed")
    assert files_sha256(strategy) == digests[-1]
