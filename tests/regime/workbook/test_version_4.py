"""Workbooks of version 4.0.0: their sixteen kinds of defects, and their import."""

from collections import Counter
from pathlib import Path

import pytest

from magellan.adapters.excel.workbook_files import ExcelWorkbookFiles
from magellan.errors import FixInput
from magellan.regime.workbook.importing import Imported, import_version_4
from magellan.regime.workbook.layout import lay_out
from magellan.regime.workbook.model_values import regime_config
from magellan.regime.workbook.report import Checked, check
from magellan.usecases.regime_workbooks import check_workbook, import_workbook
from regime.workbook.version_4 import padded, version_4

MADE_UP = {
    # kind: places in the made-up workbook
    "older-layout": ["TemplateMetadata!B4"],
    "regime-without-rule": ["RegimeClassification!B4"],
    "durations-differ": ["RegimeClassification!E2"],
    "weights-do-not-sum": ["PerformanceMetrics!E2:E3"],
    "value-not-an-option": ["MasterConfiguration!B5"],
    "said-twice": ["StabilityConfiguration!B7"],
    "greek-weights-differ": ["IndicatorConfiguration!E3"],
    "timeframe-counts-differ": ["StabilityConfiguration!B5"],
    "reversal-allowed": ["TransitionRules!B2"],
    "confidences-cannot-hold": ["StabilityConfiguration!B3"],
    "trends-overlap": ["RegimeClassification!B10"],
    "slope-without-unit": ["RegimeClassification!B7"],
    "switch-with-several-rules": ["TransitionRules!B3"],
    "boolean-with-range": ["StabilityConfiguration!D4:E4", "TransitionManagement!D3:E3"],
    "options-in-range": ["TransitionManagement!C2:E2"],
    "number-as-text": ["EnsembleMethods!B3", "AdaptiveLearning!B3", "AdaptiveLearning!B4"],
    "count-contradicts": ["TemplateMetadata!B5", "TemplateMetadata!B6"],
    "forced-switch": ["MasterConfiguration!B6", "StabilityConfiguration!B6"],
}
UNCOVERED = 2  # from Bullish_High_Vol to Bullish_Low_Vol, and from Bearish_Low_Vol there

ACCEPTED = {
    # the sixteen kinds of the real workbook, each with its number
    "regime-without-rule": 6,
    "durations-differ": 15,
    "weights-do-not-sum": 1,
    "value-not-an-option": 1,
    "said-twice": 3,
    "greek-weights-differ": 1,
    "timeframe-counts-differ": 1,
    "reversal-allowed": 2,
    "confidences-cannot-hold": 1,
    "trends-overlap": 1,
    "slope-without-unit": 1,
    "switch-without-rule": 82,
    "switch-with-several-rules": 70,
    "boolean-with-range": 52,
    "options-in-range": 11,
    "number-as-text": 25,
    "boolean-as-text": 322,
    "count-contradicts": 2,
    "forced-switch": 2,
}


@pytest.fixture(scope="module")
def made_up() -> Checked:
    return check(lay_out(padded(version_4()), file="old.xlsx"))


@pytest.mark.parametrize("kind", MADE_UP)
def test_a_defect_is_found_in_its_cell(kind: str, made_up: Checked) -> None:
    assert [each.place for each in made_up.findings if each.kind == kind] == MADE_UP[kind]


def test_an_older_workbook_cannot_be_used_as_it_is(made_up: Checked) -> None:
    assert made_up.layout == "4.0.0"
    assert not made_up.is_usable
    assert made_up.values is None


def test_every_word_for_truth_and_every_uncovered_switch_is_found(made_up: Checked) -> None:
    kinds = Counter(each.kind for each in made_up.findings)
    assert kinds["boolean-as-text"] == sum(
        value in ("TRUE", "FALSE") for rows in version_4().values() for row in rows for value in row
    )
    assert kinds["switch-without-rule"] == UNCOVERED


@pytest.fixture(scope="module")
def imported() -> Imported:
    return import_version_4(lay_out(padded(version_4()), file="old.xlsx"))


def test_what_has_a_place_is_imported(imported: Imported) -> None:
    settings, tables = imported.values.settings, imported.values.tables
    assert settings["MasterConfiguration"]["trading_mode"] == "SWING"
    assert settings["StabilityConfiguration"]["adaptive_hysteresis"] is True
    assert settings["TransitionManagement"]["allow_direct_reversals"] is False
    assert settings["EnsembleMethods"]["minimum_ensemble_confidence"] == 0.85
    assert settings["AdaptiveLearning"]["learning_samples"] == 1000  # it was memory_window there
    assert [row["Timeframe"] for row in tables["MultiTimeframeConfig"]["timeframes"]] == [1, 15]
    components = {row["IndicatorName"]: row for row in tables["IndicatorConfiguration"]["components"]}
    assert components["greeks_sentiment"]["Weight"] == 0.2
    assert len(components) == 18
    regimes = tables["RegimeClassification"]["regimes"]
    assert regimes[0]["TrendClass"] == ("up",) and regimes[0]["VolatilityClass"] == ("high",)
    config = regime_config(imported.values)
    assert config.decision.minimum_bars == 30
    assert config.components.timeframe_vote.multiples == (1, 15)


@pytest.mark.parametrize(
    ("cell", "what", "why"),
    [
        ("B5", "market_type BONDS", "EQUITY holds instead"),
        ("A6", "regime_lock_prevention TRUE", "instruction to be wrong"),
        ("B5", "min_agreeing_timeframes 2", "it is said there, and otherwise: 3"),
        ("B3", "learning_rate 0.001", "it is said there, and otherwise: 0.1"),
        ("B4", "the row OrderFlowAnalysis", "no such component"),
        ("E2", "the column Parameters", "nothing reads it"),
        ("A7", 'the text "A legend"', "outside"),
        ("A4", "Template Version 4.0.0", "workbook_schema"),
    ],
)
def test_what_has_no_place_is_named_with_its_cell(cell: str, what: str, why: str, imported: Imported) -> None:
    assert [each for each in imported.dropped if each.what == what and each.cell == cell and why in each.why]


def test_a_value_with_another_unit_is_told(imported: Imported) -> None:
    (told,) = imported.to_know
    assert told.what == "minimum_regime_duration 30"
    assert "minutes there, bars here" in told.why


def test_everything_of_an_older_workbook_is_taken_or_named(imported: Imported) -> None:
    """No setting disappears without a word."""
    taken_as = {"memory_window": "learning_samples"}
    for sheet, setting in lay_out(padded(version_4()), file="old.xlsx").settings():
        name = str(setting.name)
        named = [
            each for each in imported.dropped if each.sheet == sheet and each.what.startswith(f"{name} ")
        ]
        assert named or taken_as.get(name, name) in imported.values.settings[sheet], f"{sheet}.{name}"


def test_a_newer_workbook_is_not_imported_again(tmp_path: Path) -> None:
    files = ExcelWorkbookFiles()
    (tmp_path / "regime.toml").write_text("[TemplateMetadata]\nworkbook_schema = 1\n")
    with pytest.raises(FixInput, match=r"not of version 4\.0\.0"):
        import_workbook(tmp_path / "regime.toml", tmp_path / "new.toml", files)


# The workbook that everybody has, where it is at hand.


@pytest.fixture(scope="module")
def real_folder(reference_data: Path) -> Path:
    folder = reference_data / "regime-excel"
    if not folder.is_dir():
        pytest.skip("the reference data hold no regime workbooks")
    return folder


@pytest.fixture(scope="module")
def real(real_folder: Path) -> Path:
    return real_folder / "MR_CONFIG_STRATEGY_1.0.0.xlsx"


def test_all_sixteen_kinds_of_defects_are_found_in_the_real_workbook(real: Path) -> None:
    found = Counter(each.kind for each in check_workbook(real, ExcelWorkbookFiles()).findings)
    assert found == Counter({**ACCEPTED, "older-layout": 1})


def test_every_finding_in_the_real_workbook_has_its_cell(real: Path) -> None:
    findings = check_workbook(real, ExcelWorkbookFiles()).findings
    assert [each for each in findings if not (each.sheet and each.cell and each.fix)] == []


def test_the_real_portfolio_workbook_leads_to_the_strategy_workbook(real: Path, tmp_path: Path) -> None:
    done = import_workbook(
        real.with_name("MR_CONFIG_PORTFOLIO_1.0.0.xlsx"), tmp_path / "regime.xlsx", ExcelWorkbookFiles()
    )
    assert done.read_from.name == real.name
    assert done.taken > 900
    assert [each for each in done.dropped if each.sheet == "PortfolioSetting"]
    # What contradicts itself still does; nothing else is wrong with what was made of it.
    assert {each.kind for each in done.after} == {
        "regime-without-rule", "weights-do-not-sum", "reversal-allowed", "confidences-cannot-hold",
        "switch-without-rule", "switch-with-several-rules",
    }  # fmt: skip
