"""A freeze where it is asked: in front of a roll-out to prod, with the overrides that the audit log holds."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ledger.samples import BEGAN, execution, intended, seen
from magellan.adapters.event_file import read_events
from magellan.adapters.exchange_calendar import load_calendar
from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.audit.change import Change, Result
from magellan.deploy.freeze import Frozen, Open
from magellan.errors import AskOperator, FixInput
from magellan.ledger.entries import NewEntry
from magellan.plan.actor import Actor
from magellan.release.artifact import packed
from magellan.release.signature import SigningKey
from magellan.release.stored import StoredRelease
from magellan.usecases.consent import freeze_findings
from magellan.usecases.freeze import (
    FreezeSources,
    check_freeze,
    coming_windows,
    override_freeze,
    symbols_held,
)
from magellan.usecases.prepare_deploy import DeployAsked
from magellan.usecases.releases import Opened
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.freeze_terms import FreezeTerms
from magellan.workspace.workspace import ReleaseTerms, Stage, Stages, StageTerms, WorkspaceSettings
from release.conftest import Bench

FRIDAY = datetime(2026, 1, 23, 20, 0, tzinfo=UTC)  # three in New York
TUESDAY = datetime(2026, 1, 20, 16, 0, tzinfo=UTC)
JANE = Actor(person="jane", host="desk", pid=7)
LIVE = "alpaca-live-L17"
KEY = SigningKey.new()
Sources = Callable[..., FreezeSources]


class Here:
    """The key of this user."""

    place = "here"

    def key(self) -> SigningKey:
        return KEY

    def make(self) -> SigningKey:
        return KEY


HERE = Here()


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    """`sources(FRIDAY, kind="live", earnings="earnings.csv")`."""

    def build(at: datetime, *, kind: str = "live", **terms: Any) -> FreezeSources:
        address = "http://127.0.0.1:8931" if kind == "local" else None
        settings = WorkspaceSettings(
            accounts={"real": BrokerAccount(kind=kind, number="L17", address=address)},  # type: ignore[arg-type]
            stages=Stages(prod=StageTerms(account="real")),
            freeze=FreezeTerms(**terms),
            releases=ReleaseTerms(trusted_keys={"ada": KEY.public_key}),
        )
        return FreezeSources(
            root=tmp_path,
            settings=settings,
            calendar=load_calendar("XNYS", today=date(2026, 1, 21)),
            read_events=lambda path, name: read_events(path, called=name),
            changes=ChangeLogFiles(tmp_path / "audit"),
            clock=lambda: at,
        )

    return build


def test_only_prod_freezes_and_no_exchange_on_this_machine(sources: Sources) -> None:
    assert isinstance(check_freeze("moods", Stage.PROD, sources(FRIDAY), symbols=()), Frozen)
    assert isinstance(check_freeze("moods", Stage.TEST, sources(FRIDAY), symbols=()), Open)
    assert isinstance(check_freeze("moods", Stage.PROD, sources(FRIDAY, kind="local"), symbols=()), Open)


def test_an_override_is_in_the_audit_log_with_who_why_and_until_when(sources: Sources) -> None:
    friday = sources(FRIDAY)
    override_freeze(
        "moods", Stage.PROD, friday, by="ada", reason="its stop is never sent", hours=2, key=HERE, actor=JANE
    )
    (recorded,) = friday.changes.changes()
    change = recorded.change
    assert (change.action, change.subject, change.by.person) == ("freeze override", "prod/moods", "ada")
    assert change.why == "its stop is never sent"
    assert change.evidence[0] == "until 2026-01-23T22:00:00+00:00"
    assert change.evidence[1].startswith(f"signed {KEY.public_key} ")
    answer = check_freeze("moods", Stage.PROD, friday, symbols=())
    assert isinstance(answer, Frozen) and answer.override is not None
    later = check_freeze("moods", Stage.PROD, sources(FRIDAY + timedelta(hours=2)), symbols=())
    assert isinstance(later, Frozen) and later.override is None
    other = check_freeze("drift", Stage.PROD, friday, symbols=())
    assert isinstance(other, Frozen) and other.override is None


def test_an_override_that_was_edited_into_the_log_is_an_error(sources: Sources, tmp_path: Path) -> None:
    friday = sources(FRIDAY)
    override_freeze("drift", Stage.PROD, friday, by="ada", reason="a hot fix", hours=2, key=HERE, actor=JANE)
    friday.changes.append(
        Change(
            at=FRIDAY, by=JANE, action="deploy", subject="test/a", where="local", why="", result=Result.DONE
        )
    )
    (path,) = (tmp_path / "audit").glob("changes-*.jsonl")
    path.chmod(0o644)
    path.write_text(path.read_text().replace("prod/drift", "prod/moods"))
    with pytest.raises(AskOperator):
        check_freeze("moods", Stage.PROD, friday, symbols=())


@pytest.mark.parametrize(
    "signed", ["", "signed", f"signed {KEY.public_key} AAAA"], ids=["nothing", "a word", "no signature"]
)
def test_whoever_writes_an_override_into_the_log_without_the_key_lets_nothing_through(
    sources: Sources, signed: str
) -> None:
    friday = sources(FRIDAY)
    evidence = ("until 2026-01-23T22:00:00+00:00", *([signed] if signed else []))
    friday.changes.append(
        Change(
            at=FRIDAY,
            by=Actor(person="ada", host="desk", pid=7),
            action="freeze override",
            subject="prod/moods",
            where="the freeze calendar",
            why="a hot fix",
            result=Result.DONE,
            evidence=evidence,
        )
    )
    answer = check_freeze("moods", Stage.PROD, friday, symbols=())
    assert isinstance(answer, Frozen) and answer.override is None


def test_a_file_of_dates_that_is_missing_is_no_open_door(sources: Sources) -> None:
    with pytest.raises(FixInput, match="does not exist"):
        check_freeze("moods", Stage.PROD, sources(TUESDAY, events="fomc.csv"), symbols=())


def test_what_the_account_holds_counts_although_the_strategy_does_not_trade_it(
    sources: Sources, tmp_path: Path
) -> None:
    (tmp_path / "earnings.csv").write_text("on,symbol\n2026-01-21,AMC\n2026-12-01,AMC\n")
    tuesday = sources(TUESDAY, earnings="earnings.csv")
    ledger = MemoryLedger(lambda: TUESDAY)
    assert symbols_held(tuesday.settings, "moods", Stage.PROD, ledger) == frozenset()
    with ledger.writer(LIVE) as writer:
        writer.append(
            [
                NewEntry(at=TUESDAY, session="s-1", payload=BEGAN),
                NewEntry(at=TUESDAY, session="s-1", payload=intended()),
                *seen(execution("x-1", "100", Decimal("5.01"))),
            ]
        )
    held = symbols_held(tuesday.settings, "moods", Stage.PROD, ledger)
    assert held == {"AMC"}
    assert isinstance(check_freeze("moods", Stage.PROD, tuesday, symbols=held), Frozen)
    assert isinstance(check_freeze("moods", Stage.PROD, tuesday, symbols={"GME"}), Open)


def test_coming_windows_are_told_in_order(sources: Sources) -> None:
    found = coming_windows(sources(datetime(2025, 12, 15, 15, 0, tzinfo=UTC)), days=20, symbols=())
    assert [each.name for each in found] == [
        "the week's end",
        "20 Dec to 02 Jan",
        "the week's end",
        "the week's end",
    ]


def opened() -> Opened:
    config = b'{"strategy": {"name": "moods", "version": "1.0.0", "kind": "trend"}, "symbols": ["AMC"]}'
    artifact = Bench().release(files={"strategy/config.json": config})
    stored = StoredRelease(
        strategy="moods",
        number=1,
        release_id=artifact.release_id,
        stored_at=TUESDAY,
        size=len(packed(artifact)),
    )
    return Opened(stored=stored, artifact=artifact, signer="ada")


def test_a_roll_out_to_prod_is_refused_while_it_is_frozen_and_let_through_by_an_override(
    sources: Sources,
) -> None:
    ledger = MemoryLedger(lambda: FRIDAY)
    asked = DeployAsked(strategy="moods", stage=Stage.PROD)
    friday = sources(FRIDAY)
    (frozen,) = freeze_findings(asked, opened(), friday, ledger)
    assert not frozen.is_well
    assert frozen.found.startswith("the week's end, until 2026-01-26 05:00 UTC; a hot fix: ")
    override_freeze("moods", Stage.PROD, friday, by="ada", reason="a stop", hours=2, key=HERE, actor=JANE)
    (through,) = freeze_findings(asked, opened(), friday, ledger)
    assert through.is_well and "let through by ada: a stop" in through.found
    (well,) = freeze_findings(asked, opened(), sources(TUESDAY), ledger)
    assert (well.is_well, well.found) == (True, "open")


def test_the_way_back_and_staging_are_never_frozen(sources: Sources) -> None:
    ledger = MemoryLedger(lambda: FRIDAY)
    back = DeployAsked(strategy="moods", stage=Stage.PROD, action="rollback")
    assert freeze_findings(back, opened(), sources(FRIDAY), ledger) == ()
    assert (
        freeze_findings(replace(back, action="deploy", stage=Stage.TEST), opened(), sources(FRIDAY), ledger)
        == ()
    )


def test_a_calendar_that_cannot_be_read_refuses_the_roll_out(sources: Sources) -> None:
    ledger = MemoryLedger(lambda: TUESDAY)
    asked = DeployAsked(strategy="moods", stage=Stage.PROD)
    (finding,) = freeze_findings(asked, opened(), sources(TUESDAY, events="fomc.csv"), ledger)
    assert not finding.is_well and "does not exist" in finding.found
