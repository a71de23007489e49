"""The gates' records as files."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from magellan.adapters.local.gate_records import GateRecordFiles
from magellan.errors import AskOperator
from magellan.gate.accepted_run import AcceptedRun
from magellan.workspace.workspace import Stage, StrategyFolder, Workspace

AT = datetime(2026, 1, 21, 21, 30, tzinfo=UTC)
RUN = AcceptedRun(
    strategy="prod/bear_trap",
    code_sha256="c" * 64,
    config_sha256="d" * 64,
    config={"symbols": ["AMC"]},
    run_id="0123456789ab",
    data={},
    measured={"sharpe": 1.4},
    criteria_version=1,
    accepted_by="K. Itō",
    reason="the first one",
    accepted_at=AT,
)


@pytest.fixture
def records(tmp_path: Path) -> GateRecordFiles:
    (tmp_path / "magellan.toml").touch()
    return GateRecordFiles(Workspace.at(tmp_path))


@pytest.fixture
def strategy(tmp_path: Path) -> StrategyFolder:
    return StrategyFolder(path=tmp_path / "prod" / "bear_trap", stage=Stage.PROD)


def test_accepted_runs_are_kept_in_order_in_one_file(
    records: GateRecordFiles, strategy: StrategyFolder, tmp_path: Path
) -> None:
    later = replace(RUN, reason="again", accepted_at=AT + timedelta(days=1))
    assert records.accepted(strategy) == ()
    records.accept(strategy, RUN)
    records.accept(strategy, later)
    assert records.accepted(strategy) == (RUN, later)
    assert [path.name for path in (tmp_path / ".magellan/gates/prod/bear_trap").iterdir()] == [
        "accepted.json"
    ]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"format": 1}'])
def test_a_damaged_record_is_refused_and_never_written_over(
    records: GateRecordFiles, strategy: StrategyFolder, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / ".magellan/gates/prod/bear_trap/accepted.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(AskOperator):
        records.accept(strategy, RUN)
    assert path.read_bytes() == content


def test_a_strategy_outside_the_stages_has_records_too(records: GateRecordFiles, tmp_path: Path) -> None:
    elsewhere = StrategyFolder(path=tmp_path / "lab" / "idea", stage=None)
    records.accept(elsewhere, RUN)
    assert records.accepted(elsewhere) == (RUN,)
    assert (tmp_path / ".magellan/gates/elsewhere/idea/accepted.json").is_file()


def test_a_verdict_is_kept_under_its_instant_and_answer(
    records: GateRecordFiles, strategy: StrategyFolder, tmp_path: Path
) -> None:
    path = records.keep_verdict(strategy, AT, {"answer": "shut", "warnings": ["Zürich"]})
    assert path == tmp_path / ".magellan/gates/prod/bear_trap/verdicts/20260121T213000Z-shut.json"
    assert json.loads(path.read_text()) == {"answer": "shut", "warnings": ["Zürich"]}
