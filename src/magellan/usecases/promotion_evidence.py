"""Evidence of a promotion: read from the release, the gates' records, the kept backtests and the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np

from magellan.backtest.bootstrap import block_length, interval, resampled_rows
from magellan.backtest.kept_run import KeptRun
from magellan.backtest.result import Trade
from magellan.deploy.promotion.evidence import (
    About,
    AcceptedSaid,
    Backtested,
    CountBand,
    Evidence,
    GatesSaid,
    ReleaseSaid,
    Soak,
    Subject,
    Ungathered,
)
from magellan.deploy.promotion.soak import soak_of
from magellan.deploy.promotion.soak_measures import sessions_counted, sessions_watched
from magellan.errors import MagellanError
from magellan.ledger.chain import Sound
from magellan.ledger.entries import LedgerEntry, SessionBegan
from magellan.ports.gate_records import GateRecords
from magellan.ports.ledger import Ledger
from magellan.ports.promotion_records import PromotionRecords
from magellan.ports.release_store import ReleaseStore
from magellan.ports.run_store import RunStore
from magellan.release.manifest import VERDICT
from magellan.trading.bar import Floats
from magellan.trading.session import ExchangeCalendar, day_number, exchange_date
from magellan.trading.timeframe import Timeframe
from magellan.usecases.ledger_queries import verified
from magellan.usecases.releases import Opened
from magellan.workspace.config import StrategyConfig
from magellan.workspace.workspace import Stage, StrategyFolder, WorkspaceSettings

_RESAMPLES: Final = 2000
_HISTORY_MIN: Final = 20  # sessions, of which anything can be drawn
_SEED: Final = 0  # the same evidence, the same band


@dataclass(frozen=True, slots=True, kw_only=True)
class PromotionSources:
    """Everything that a promotion asks."""

    root: Path  # of the workspace
    settings: WorkspaceSettings
    releases: ReleaseStore
    gates: GateRecords
    runs: RunStore
    ledger: Ledger
    records: PromotionRecords
    calendar_of: Callable[[str], ExchangeCalendar]
    clock: Callable[[], datetime]  # now, aware, UTC


def gather_promotion_evidence(
    subject: Subject, opened: Opened, config: StrategyConfig, sources: PromotionSources
) -> Evidence:
    """Everything that is known of a release. What cannot be gathered is evidence too: it says why.

    opened: the release; config: the one inside it.
    """
    manifest = opened.artifact.manifest
    problem = opened.artifact.signature.problem(
        opened.stored.release_id, sources.settings.releases.trusted_keys
    )
    soak = _soak(subject, config, sources) if subject.to_stage is Stage.PROD else _not_asked(About.SOAK)
    return Evidence(
        gathered_at=sources.clock(),
        release=ReleaseSaid(
            release_id=opened.stored.release_id,
            problem=problem or "",
            signer=opened.signer,
            author=manifest.author,
        ),
        gates=GatesSaid(
            release_id=opened.stored.release_id,
            answer=manifest.gate.answer,
            judged_at=manifest.gate.judged_at,
            not_open=manifest.gate.not_open,
        ),
        accepted=_accepted(opened.artifact.files, sources),
        backtest=_backtest(subject, config, soak, sources),
        soak=soak,
    )


def _accepted(files: Mapping[str, bytes], sources: PromotionSources) -> AcceptedSaid | Ungathered:
    """The newest accepted run of the folder that the release was built from."""
    label = str(json.loads(files[VERDICT])["strategy"].get("label", ""))
    stage = next((each for each in Stage if label.startswith(f"{each}/")), None)
    folder = StrategyFolder(path=sources.root / label, stage=stage)
    try:
        runs = sources.gates.accepted(folder)
    except MagellanError as error:
        return Ungathered(About.ACCEPTED, error.message)
    if not runs:
        return Ungathered(
            About.ACCEPTED,
            f"no run of {label} was accepted: `magellan gate {label} --accept --by NAME --reason TEXT`",
        )
    newest = runs[-1]
    return AcceptedSaid(
        run_id=newest.run_id,
        code_sha256=newest.code_sha256,
        config_sha256=newest.config_sha256,
        by=newest.accepted_by,
        accepted_at=newest.accepted_at,
    )


def _backtest(
    subject: Subject, config: StrategyConfig, soak: Soak | Ungathered, sources: PromotionSources
) -> Backtested | Ungathered:
    """The newest kept backtest of exactly this code and config."""
    if subject.to_stage is not Stage.PROD:
        return _not_asked(About.BACKTEST)
    try:
        for entry in sources.runs.runs():
            if (entry.strategy, entry.strategy_version) != (subject.strategy, subject.version):
                continue
            run = sources.runs.read(entry.run_id)
            manifest = run.manifest
            if (manifest.code_sha256, manifest.config_sha256) == (subject.code_sha256, subject.config_sha256):
                watched = (
                    sessions_watched(soak, sessions_counted(subject, soak)) if isinstance(soak, Soak) else 0.0
                )
                level = config.promotion.threshold("band_level_max", subject.kind)
                return backtested(run, sessions=watched, level=level)
    except MagellanError as error:
        return Ungathered(About.BACKTEST, error.message)
    return Ungathered(
        About.BACKTEST,
        f"no backtest of exactly this code and config is kept: run `magellan backtest {subject.strategy}`",
    )


def backtested(run: KeptRun, *, sessions: float, level: float) -> Backtested:
    """What a kept run predicts.

    sessions: how many the soak watched, in whole sessions' time. level: probability inside the band of its trades.
    """
    closed = [trade.pnl_usd for trade in run.trades if not trade.is_open]
    gains, losses = [each for each in closed if each > 0], [-each for each in closed if each < 0]
    break_even = None
    if gains and losses:
        gain, loss = sum(gains) / len(gains), sum(losses) / len(losses)
        break_even = loss / (gain + loss)
    counts = _entries_by_session(run)
    return Backtested(
        run_id=run.run_id,
        code_sha256=run.manifest.code_sha256,
        config_sha256=run.manifest.config_sha256,
        generated=run.is_generated,
        sessions=len(counts),
        trades=len(closed),
        wins=len(gains),
        break_even=break_even,
        entries_per_session=float(counts.mean()),
        entries=_count_band(counts, sessions, level),
    )


def _entries_by_session(run: KeptRun) -> Floats:
    """How many trades were entered in each session of the run, oldest first; shape (sessions,)."""
    days = np.unique(run.equity.day)
    is_daily = Timeframe.parse(run.timeframe).is_daily
    entered = np.array([_session_day(trade, is_daily=is_daily) for trade in run.trades], dtype=np.int64)
    at = np.searchsorted(days, entered, side="right") - 1
    return np.bincount(np.maximum(at, 0), minlength=len(days)).astype(np.float64)


def _session_day(trade: Trade, *, is_daily: bool) -> int:
    # A daily bar is labelled with midnight UTC of its own date.
    return day_number(trade.entered_at.date() if is_daily else exchange_date(trade.entered_at))


def _count_band(counts: Floats, sessions: float, level: float) -> CountBand | None:
    """The band of the trades that so many sessions have, by drawing blocks of the backtest's sessions again."""
    whole = round(sessions)
    if whole < 1 or len(counts) < max(_HISTORY_MIN, whole):
        return None
    block = block_length(counts)
    drawn = np.concatenate(
        [
            counts[rows[:, :whole]].sum(axis=1)
            for rows in resampled_rows(len(counts), block, _RESAMPLES, _SEED)
        ]
    )
    found = interval(drawn, level=level, block=block)
    assert found.high is not None, "sums of counts are finite"
    return CountBand(
        sessions=sessions, low=int(found.low), high=int(found.high), level=level, resamples=_RESAMPLES
    )


def _soak(subject: Subject, config: StrategyConfig, sources: PromotionSources) -> Soak | Ungathered:
    account = subject.soak_account
    if not account:
        return Ungathered(
            About.SOAK,
            f"nothing says which account {subject.strategy} trades in {subject.from_stage}: write `account` into the "
            f"section [stages.{subject.from_stage}] of magellan.toml",
        )
    ledger = sources.ledger
    try:
        noted = sources.records.noted_head(subject.strategy, account)
        walked = verified(ledger, account, () if noted is None else (noted,))
        is_whole = isinstance(walked, Sound)
        return soak_of(
            account,
            _since_it_began(ledger, account, subject.release_id) if is_whole else (),
            strategy=subject.strategy,
            release_id=subject.release_id,
            calendar=sources.calendar_of(config.data.calendar),
            head=str(walked.head if isinstance(walked, Sound) else ledger.head(account)),
            chain_problem="" if isinstance(walked, Sound) else f"entry {walked.number}: {walked.reason}",
            is_held=ledger.holder(account) is not None,
            # An exchange on this machine keeps a time of its own, which its newest entry shows.
            seen_at=(_newest_at(ledger, account) if subject.is_rehearsal and is_whole else None)
            or sources.clock(),
        )
    except MagellanError as error:
        return Ungathered(About.SOAK, error.message)


def _since_it_began(ledger: Ledger, account: str, release_id: str) -> Iterator[LedgerEntry]:
    """The account's entries from the release's first session on; of years before it only the beginnings are read."""
    for entry in ledger.entries(account, kinds=(SessionBegan.kind,)):
        told = entry.payload
        assert isinstance(told, SessionBegan), "only beginnings were asked for"
        if told.release_id == release_id:
            yield from ledger.entries(account, after=entry.number - 1)
            return


def _newest_at(ledger: Ledger, account: str) -> datetime | None:
    """When the account's newest entry was written; None: there is none."""
    head = ledger.head(account)
    newest = next(ledger.entries(account, after=head.number - 1), None) if head.number else None
    return None if newest is None else newest.at


def _not_asked(about: About) -> Ungathered:
    return Ungathered(about, "a promotion to test does not ask for it")
