"""`magellan regime workbook`: new, check, import, diff, schema."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles
from magellan.regime.workbook.difference import differences
from magellan.regime.workbook.document import as_toml
from magellan.regime.workbook.reading import template_values
from magellan.surfaces.cli.app import run

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    def call(*arguments: str, at: Path) -> tuple[int, str, str]:
        monkeypatch.chdir(at)
        code = run(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def workbook(tmp_path: Path, command: Command) -> Path:
    assert command("regime", "workbook", "new", "regime.xlsx", at=tmp_path)[0] == 0
    return tmp_path / "regime.xlsx"


def test_a_new_workbook_passes_its_check_and_both_counts_are_printed(
    workbook: Path, command: Command
) -> None:
    code, answer, _ = command("regime", "workbook", "check", "regime.xlsx", at=workbook.parent)
    assert code == 0
    assert "regime.xlsx can be used: 0 refuse it, 0 warn" in answer
    assert "are read by the model" in answer and "are declared unused" in answer


def test_a_file_that_is_there_is_not_overwritten_unless_asked(workbook: Path, command: Command) -> None:
    code, _, notes = command("regime", "workbook", "new", "regime.xlsx", at=workbook.parent)
    assert code == 1 and "regime.xlsx is there already" in notes
    assert command("regime", "workbook", "new", "regime.xlsx", "--overwrite", at=workbook.parent)[0] == 0


def test_a_mistake_is_shown_with_its_cell_and_ends_with_1(workbook: Path, command: Command) -> None:
    wrong = as_toml(template_values()).replace("stability = 0.6", "stability = 7")
    (workbook.parent / "wrong.toml").write_text(wrong)
    code, answer, _ = command("regime", "workbook", "check", "wrong.toml", "--json", at=workbook.parent)
    (finding,) = json.loads(answer)["findings"]
    assert code == 1
    assert finding["sheet"] == "StabilityConfiguration" and finding["cell"] == "stability"
    assert finding["found"] == "7" and finding["expected"] == "stability: 0 to 1"
    code, answer, _ = command("regime", "workbook", "check", "wrong.toml", "--every", at=workbook.parent)
    assert code == 1 and "StabilityConfiguration!stability" in answer


def test_two_forms_of_one_workbook_do_not_differ_and_a_change_is_shown(
    workbook: Path, command: Command
) -> None:
    (workbook.parent / "same.toml").write_text(as_toml(template_values()))
    code, answer, _ = command("regime", "workbook", "diff", "regime.xlsx", "same.toml", at=workbook.parent)
    assert code == 0 and "say the same" in answer
    (workbook.parent / "other.toml").write_text(
        as_toml(template_values()).replace("stability = 0.6", "stability = 0.9")
    )
    code, answer, _ = command(
        "regime", "workbook", "diff", "regime.xlsx", "other.toml", "--json", at=workbook.parent
    )
    (difference,) = json.loads(answer)["differences"]
    assert difference == {
        "sheet": "StabilityConfiguration", "what": "stability", "before": "0.6", "after": "0.9", "is_used": True,
    }  # fmt: skip


def test_a_refused_workbook_is_compared_with_the_mended_one(workbook: Path, command: Command) -> None:
    (workbook.parent / "wrong.toml").write_text(
        "[StabilityConfiguration]\nstability = 7\n"
        "[[MultiTimeframeConfig.timeframes]]\nTimeframe = 5\nWeight = 'much'\n"
    )
    code, answer, _ = command("regime", "workbook", "diff", "wrong.toml", "regime.xlsx", at=workbook.parent)
    assert code == 0
    assert "7 (refused)" in answer and "much (refused)" in answer
    assert "wrong.toml cannot be used: 2 refuse it" in answer and "workbook check wrong.toml" in answer
    code, answer, _ = command(
        "regime", "workbook", "diff", "regime.xlsx", "wrong.toml", "--json", at=workbook.parent
    )
    compared = json.loads(answer)
    assert code == 0 and (compared["before_refused_by"], compared["after_refused_by"]) == (0, 2)
    assert compared["differences"][0]["after"] == "7 (refused)"


def test_a_row_that_is_there_twice_and_a_column_that_is_missing_are_shown() -> None:
    values = template_values()
    rows = values.tables["MultiTimeframeConfig"]["timeframes"]
    twice = (*rows, {**rows[0], "Weight": 0.9})
    without = ({"Timeframe": rows[0]["Timeframe"]}, *rows[1:])
    told = {
        each.what: (each.before, each.after)
        for changed in (twice, without)
        for each in differences(
            values,
            replace(values, tables={**values.tables, "MultiTimeframeConfig": {"timeframes": changed}}),
        )
    }
    assert told == {
        "timeframes: 1 (again), Timeframe": ("", "1"),
        "timeframes: 1 (again), Weight": ("", "0.9"),
        "timeframes: 1, Weight": ("0.3", "nothing (refused)"),
    }


def test_what_says_nothing_by_itself_is_not_compared(workbook: Path, command: Command) -> None:
    portfolio(workbook.parent / "portfolio.xlsx", pointing_at="gone.xlsx")
    code, _, notes = command(
        "regime", "workbook", "diff", "portfolio.xlsx", "regime.xlsx", at=workbook.parent
    )
    assert code == 1 and "is not compared" in notes and "gone.xlsx" in notes


def test_a_portfolio_workbook_that_points_nowhere_is_a_finding(tmp_path: Path, command: Command) -> None:
    portfolio(tmp_path / "portfolio.xlsx", pointing_at="../../etc/passwd")
    code, answer, _ = command("regime", "workbook", "check", "portfolio.xlsx", "--json", at=tmp_path)
    (finding,) = json.loads(answer)["findings"]
    assert code == 1
    assert (finding["kind"], finding["cell"]) == ("missing-workbook", "B2")
    code, _, notes = command(
        "regime", "workbook", "import", "portfolio.xlsx", "--out", "new.xlsx", at=tmp_path
    )
    assert code == 1 and "which is not beside it" in notes


def test_the_schema_is_shown_or_written(tmp_path: Path, command: Command) -> None:
    code, answer, _ = command("regime", "workbook", "schema", at=tmp_path)
    assert code == 0
    assert command("regime", "workbook", "schema", "--out", "regime.schema.json", at=tmp_path)[0] == 0
    assert json.loads(answer) == json.loads((tmp_path / "regime.schema.json").read_text())


def portfolio(path: Path, *, pointing_at: str) -> None:
    import xlsxwriter

    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet("StrategySetting")
        sheet.write_row(0, 0, ["StrategyName", "StrategyExcelFilePath", "Enabled"])
        sheet.write_row(1, 0, ["one", pointing_at, "YES"])


def test_a_portfolio_workbook_leads_to_its_neighbour(tmp_path: Path, command: Command) -> None:
    portfolio(tmp_path / "portfolio.xlsx", pointing_at="C:/elsewhere/regime.xlsx".rpartition("/")[2])
    ExcelWorkbookFiles().write(tmp_path / "regime.xlsx", template_values())
    code, answer, _ = command("regime", "workbook", "check", "portfolio.xlsx", at=tmp_path)
    assert code == 0 and "regime.xlsx can be used" in answer


def test_an_analysis_is_configured_by_a_workbook(workbook: Path, command: Command) -> None:
    (workbook.parent / "calm.toml").write_text(
        as_toml(template_values()).replace("stability = 0.6", "stability = 1.0")
    )

    def config_sha256(*config: str) -> str:
        code, answer, _ = command(
            "regime", "show", "--generated", "vol2", *config, "--json", at=workbook.parent
        )
        assert code == 0
        sha256: str = json.loads(answer)["config_sha256"]
        return sha256

    assert config_sha256("--config", "calm.toml") != config_sha256("--config", "regime.xlsx")
