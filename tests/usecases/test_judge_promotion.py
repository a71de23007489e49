"""Promotions judged from what a workspace really holds: a release, its gates, its backtest, the ledger."""

import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

import pytest

from ledger.samples import BEGAN, closed_trade
from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.adapters.local.promotion_records import PromotionRecordFiles
from magellan.adapters.local.release_folder import ReleaseFolder
from magellan.adapters.local.release_key import ReleaseKeyFile
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.adapters.run_store import RunFolders
from magellan.audit.change import Change
from magellan.errors import AskOperator, FixInput
from magellan.ledger.entries import (
    AccountMarked,
    NewEntry,
    Payload,
    Reconciliation,
    SessionEnded,
    TradeClosed,
    TradeOpened,
)
from magellan.plan.actor import Actor
from magellan.release.stored import StoredRelease
from magellan.trading.session import exchange_date
from magellan.usecases.backtest import backtest
from magellan.usecases.build_release import ReleaseSources, build_release
from magellan.usecases.gate_evidence.examination import files_sha256
from magellan.usecases.judge_promotion import (
    ApprovedBy,
    Judged,
    approval_in_force,
    approve_promotion,
    judge_promotion,
)
from magellan.usecases.keep_run import measured
from magellan.usecases.load_strategy import load_strategy
from magellan.usecases.promotion_evidence import PromotionSources
from magellan.usecases.releases import open_release
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.promotion_terms import PromotionTerms
from magellan.workspace.workspace import ReleaseTerms, Stage, Stages, StageTerms, WorkspaceSettings
from plan.memory import Killed

from .conftest import NOW, Desk, desk_at
from .test_build_release import SmallEngine

PAPER = "alpaca-paper-PA1"
SESSIONS = 20  # as many as a strategy of kind trend needs
TRADES = 3  # as many as the backtest has in so many sessions; every other one is won


@dataclass
class Ramp:
    """A gated, accepted, backtested and built strategy, and the ledger of its paper account."""

    desk: Desk
    sources: PromotionSources
    key: ReleaseKeyFile
    built: StoredRelease
    config_sha256: str
    now: datetime

    def judge(self, to: Stage = Stage.PROD) -> Judged:
        return judge_promotion(self.desk.folder.name, to=to, sources=self.sources)

    def answers(self, to: Stage = Stage.PROD) -> dict[str, str]:
        return {each.criterion.name: str(each.answer) for each in self.judge(to).verdict.not_passed}

    def write(self, *entries: NewEntry) -> None:
        with self.sources.ledger.writer(PAPER) as writer:
            writer.append(entries)

    def soak(self, sessions: int = SESSIONS, *, trades: int = TRADES) -> None:
        """Daily sessions up to now, each from the opening to the close, with trades that won and lost."""
        calendar = load_calendar("XNYS", today=NOW.date())
        on = exchange_date(self.now)
        days = calendar.sessions(on - timedelta(days=60), on)[-sessions:]
        for number, day in enumerate(days):
            hours = calendar.hours(day)
            assert hours is not None
            name = f"{day:%Y%m%d}T142900-0f0f0f"
            began = replace(
                BEGAN,
                strategy=self.desk.folder.name,
                stage="test",
                release_id=self.built.release_id,
                config_hash=self.config_sha256,
                timeframe="1Day",
            )
            told: list[tuple[datetime, Payload]] = [(hours[0] - timedelta(minutes=1), began)]
            told.append((hours[0], _marked(day)))
            told.append(
                (hours[0], Reconciliation(occasion="start", differences=(), policy="refuse", result="agreed"))
            )
            if number < trades:
                told += self._trade(number, hours[0])
            told += [(hours[1], _marked(day)), (hours[1], SessionEnded(reason="SIGTERM", flat=True))]
            self.write(*(NewEntry(at=at, session=name, payload=payload) for at, payload in told))

    def _trade(self, number: int, at: datetime) -> list[tuple[datetime, Payload]]:
        record = closed_trade(f"x-{number}", "9" if number % 2 else "-7", slippage="0.25")
        minutes = timedelta(minutes=number + 1)
        record = replace(
            record,
            release_id=self.built.release_id,
            timestamp=at + minutes,
            exit_timestamp=at + minutes + timedelta(minutes=30),
            total_value=Decimal(500),
        )
        opened = replace(closed_trade(record.trade_id, None), release_id=self.built.release_id)
        return [
            (record.timestamp, TradeOpened(record=opened)),
            (at + timedelta(hours=1), TradeClosed(record=record)),
        ]


def _marked(day: object) -> AccountMarked:
    return AccountMarked(
        session_on=day,  # type: ignore[arg-type]
        cash_usd=Decimal(25000),
        equity_usd=Decimal(25000),
        last_equity_usd=None,
        buying_power_usd=None,
        occasion="open",
    )


@dataclass(frozen=True)
class Prepared:
    """A workspace whose strategy was gated, accepted, backtested and built; nobody changes it."""

    root: Path
    key_file: Path


@pytest.fixture(scope="module")
def prepared(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    folder = tmp_path_factory.mktemp("prepared")
    shutil.copytree(furnished, folder / "desk")
    desk = desk_at(folder / "desk")
    key = ReleaseKeyFile(folder / "release_key.pem")
    # Of the form that gates write: the verdict with which the run was accepted, without gathering all of it again.
    document = {
        "answer": "open",
        "judged_at": NOW.isoformat(),
        "strategy": {"files_sha256": files_sha256(desk.folder), "label": desk.folder.label},
        "criteria": [],
        "evidence": [],
    }
    desk.sources.records.keep_verdict(desk.folder, NOW, document)
    sources = ReleaseSources(
        store=ReleaseFolder(desk.workspace.state_folder / "releases"),
        key=key,
        inputs=SmallEngine(),
        gates=desk.sources.records,
        known_secrets={},
        trusted_keys={"jane": key.make().public_key},
        clock=lambda: NOW,
    )
    build_release(desk.folder, sources, author="ada")
    found = backtest(
        load_strategy(desk.folder),
        archive=desk.archive,
        actions=desk.sources.actions,
        calendar_of=desk.sources.calendar_of,
    )
    RunFolders(desk.workspace.state_folder / "runs").keep(measured(found), "page")
    return Prepared(desk.workspace.root, folder / "release_key.pem")


@pytest.fixture
def ramp(prepared: Prepared, tmp_path: Path) -> Ramp:
    shutil.copytree(prepared.root, tmp_path / "desk", ignore=shutil.ignore_patterns("data"))
    desk = desk_at(tmp_path / "desk")
    key = ReleaseKeyFile(prepared.key_file)
    trusted = {"jane": key.key().public_key}  # type: ignore[union-attr]
    releases = ReleaseFolder(desk.workspace.state_folder / "releases")
    settings = WorkspaceSettings(
        accounts={
            "paper": BrokerAccount(kind="paper", number="PA1"),
            "live": BrokerAccount(kind="live", number="123456"),
        },
        stages=Stages(test=StageTerms(account="paper"), prod=StageTerms(account="live")),
        releases=ReleaseTerms(trusted_keys=trusted),
    )
    sources = PromotionSources(
        root=desk.workspace.root,
        settings=settings,
        releases=releases,
        gates=desk.sources.records,
        runs=RunFolders(desk.workspace.state_folder / "runs"),
        ledger=MemoryLedger(lambda: NOW),
        records=PromotionRecordFiles(desk.workspace.state_folder / "promotions"),
        calendar_of=desk.sources.calendar_of,
        clock=lambda: NOW,
    )
    opened = open_release(releases, desk.folder.name, None, trusted_keys=trusted)
    return Ramp(desk, sources, key, opened.stored, opened.artifact.manifest.config_sha256, NOW)


def approved_by(ramp: Ramp, by: str = "jane", reason: str = "twenty sessions, as backtested") -> ApprovedBy:
    return ApprovedBy(
        by=by,
        reason=reason,
        key=ramp.key,
        actor=Actor(person="jane", host="desk", pid=1),
        changes=ChangeLogFiles(ramp.desk.workspace.state_folder / "audit"),
    )


def test_a_gated_and_accepted_release_may_go_to_test_without_a_soak(ramp: Ramp) -> None:
    assert ramp.answers(Stage.TEST) == {}


def test_without_a_session_nothing_goes_to_prod_and_every_criterion_of_the_soak_says_so(ramp: Ramp) -> None:
    answers = ramp.answers()
    assert set(answers.values()) == {"inconclusive"}
    assert {"soak_hours_min", "soak_sessions_min", "breakers_tripped", "win_rate_band"} <= set(answers)


def test_a_soak_of_twenty_sessions_passes_and_is_kept_with_all_of_its_evidence(ramp: Ramp) -> None:
    ramp.soak(trades=TRADES)
    judged = ramp.judge()
    assert judged.verdict.passes, [each.reason for each in judged.verdict.not_passed]
    assert judged.kept_at.is_file()
    head = ramp.sources.records.noted_head(ramp.desk.folder.name, PAPER)
    assert head == ramp.sources.ledger.head(PAPER)


@pytest.fixture
def passing(ramp: Ramp) -> Ramp:
    """A soak that enters and wins as the backtest says."""
    ramp.soak(trades=TRADES)
    assert ramp.answers() == {}
    return ramp


def test_a_ledger_that_lost_its_newest_entries_since_somebody_looked_is_an_error(passing: Ramp) -> None:
    """The chain that is left is whole; only the head that was noted shows what is gone."""
    passing.sources.ledger.close()
    passing.soak(sessions=19, trades=2)
    answers = passing.answers()
    assert answers["soak_hours_min"] == "error"


def test_a_name_alone_approves_nothing(passing: Ramp, tmp_path: Path) -> None:
    judged = passing.judge()
    with pytest.raises(FixInput, match="knows no key of 'bob'"):
        approve_promotion(judged, passing.sources, approved_by(passing, by="bob"))
    other = ReleaseKeyFile(tmp_path / "elsewhere" / "key.pem")
    other.make()
    impostor = replace(approved_by(passing), key=other)
    with pytest.raises(FixInput, match=r"is not the one that magellan\.toml says is jane's"):
        approve_promotion(judged, passing.sources, impostor)
    with pytest.raises(FixInput, match="says why"):
        approve_promotion(judged, passing.sources, approved_by(passing, reason=" "))
    assert approval_in_force(judged.verdict, passing.sources) is None


def test_an_approval_is_signed_recorded_and_holds_for_this_promotion_for_a_day(passing: Ramp) -> None:
    judged = passing.judge()
    who = approved_by(passing)
    approval = approve_promotion(judged, passing.sources, who)
    assert approval_in_force(judged.verdict, passing.sources) == approval
    (recorded,) = who.changes.changes()
    change = recorded.change
    assert (change.action, change.release, change.why) == (
        "approve",
        passing.built.release_id,
        approval.reason,
    )
    later = replace(passing.sources, clock=lambda: NOW + timedelta(hours=25))
    assert approval_in_force(judged.verdict, later) is None
    to_other = replace(judged.verdict, subject=replace(judged.verdict.subject, to_account="alpaca-live-9"))
    assert approval_in_force(to_other, passing.sources) is None


def test_an_approval_that_could_not_be_recorded_is_not_in_force(
    passing: Ramp, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(log: ChangeLogFiles, change: Change) -> NoReturn:
        raise Killed

    monkeypatch.setattr(ChangeLogFiles, "append", killed)
    judged = passing.judge()
    with pytest.raises(Killed):
        approve_promotion(judged, passing.sources, approved_by(passing))
    assert approval_in_force(judged.verdict, passing.sources) is None


def test_an_approval_that_was_edited_lets_nothing_through(passing: Ramp) -> None:
    judged = passing.judge()
    approve_promotion(judged, passing.sources, approved_by(passing))
    (path,) = (passing.desk.workspace.state_folder / "promotions").rglob("approvals/*.json")
    path.write_text(path.read_text().replace("twenty sessions", "thirty sessions"))
    assert approval_in_force(judged.verdict, passing.sources) is None
    path.write_text("{")
    with pytest.raises(AskOperator, match="does not read as what was kept there"):
        approval_in_force(judged.verdict, passing.sources)


def test_what_does_not_pass_cannot_be_approved(ramp: Ramp) -> None:
    with pytest.raises(FixInput, match=r"cannot be approved for prod: .*\(inconclusive\)"):
        approve_promotion(ramp.judge(), ramp.sources, approved_by(ramp))


def test_a_workspace_can_ask_for_a_second_person_and_name_who_may_approve(passing: Ramp) -> None:
    judged = passing.judge()
    author = judged.verdict.evidence.release.author  # type: ignore[union-attr]
    trusted = {author: passing.key.key().public_key}  # type: ignore[union-attr]
    settings = passing.sources.settings
    strict = settings.model_copy(
        update={
            "promotion": PromotionTerms(second_person=True),
            "releases": ReleaseTerms(trusted_keys=trusted),
        }
    )
    with pytest.raises(FixInput, match="second_person asks for somebody else's approval"):
        approve_promotion(judged, replace(passing.sources, settings=strict), approved_by(passing, by=author))
    named = settings.model_copy(update={"promotion": PromotionTerms(approvers=("kim",))})
    with pytest.raises(FixInput, match="'jane' may not approve"):
        approve_promotion(judged, replace(passing.sources, settings=named), approved_by(passing))


def test_a_backtest_of_another_config_is_no_prediction(ramp: Ramp) -> None:
    ramp.soak()
    empty = replace(ramp.sources, runs=RunFolders(ramp.desk.workspace.state_folder / "none"))
    found = judge_promotion(ramp.desk.folder.name, to=Stage.PROD, sources=empty).verdict
    reasons = {each.criterion.name: each.reason for each in found.not_passed}
    assert "no backtest of exactly this code and config is kept" in reasons["changes_since_backtest"]


def test_a_soak_that_trades_far_more_than_its_backtest_fails(ramp: Ramp) -> None:
    """Incident 9: the daily strategy that ran by the minute made 6,518 trades, and nobody compared."""
    ramp.soak(trades=SESSIONS)
    assert ramp.answers()["trade_count_band"] == "fail"


def test_nothing_is_promoted_to_dev(ramp: Ramp) -> None:
    with pytest.raises(FixInput, match="nothing is promoted to dev"):
        ramp.judge(Stage.DEV)


def test_what_the_account_did_before_the_release_is_not_even_read_and_changes_nothing(passing: Ramp) -> None:
    before = passing.judge().verdict.evidence.soak
    passing.sources.ledger.close()
    for path in (passing.desk.workspace.state_folder / "promotions").rglob("*.json"):
        path.unlink()
    long_ago = passing.now - timedelta(days=400)
    for number in range(50):
        other = replace(BEGAN, release_id=f"{number:064d}", timeframe="1Day")
        passing.write(NewEntry(at=long_ago + timedelta(days=number), session=f"s-{number}", payload=other))
    passing.soak()
    after = passing.judge().verdict
    assert after.passes
    assert replace(after.evidence.soak, head="") == replace(before, head="")  # type: ignore[type-var]
