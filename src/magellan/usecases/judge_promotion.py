"""Judge a promotion, and let a person approve one that passes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from magellan.audit.change import Change, Result
from magellan.deploy.promotion.approval import Approval, approve
from magellan.deploy.promotion.evidence import Subject
from magellan.deploy.promotion.judgement import PromotionVerdict, judge_evidence, verdict_document
from magellan.errors import FixInput
from magellan.plan.actor import Actor
from magellan.ports.change_log import ChangeLog
from magellan.ports.release_key import ReleaseKey
from magellan.release.manifest import STRATEGY
from magellan.usecases.named_account import ledger_name
from magellan.usecases.promotion_evidence import PromotionSources, gather_promotion_evidence
from magellan.usecases.releases import Opened, open_release
from magellan.workspace.config import StrategyConfig
from magellan.workspace.config_file import parse_config
from magellan.workspace.workspace import Stage, WorkspaceSettings

BEFORE: Final = {Stage.TEST: Stage.DEV, Stage.PROD: Stage.TEST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A verdict, and where it is kept."""

    verdict: PromotionVerdict
    kept_at: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedBy:
    """Who approves, with what, and where that is written down."""

    by: str  # the name beside the key in magellan.toml
    reason: str
    key: ReleaseKey
    actor: Actor
    changes: ChangeLog


def judge_promotion(
    strategy: str, *, to: Stage, sources: PromotionSources, release: str | None = None
) -> Judged:
    """Whether a release may go on to a stage; the verdict is kept with all its evidence.

    strategy: its name, without a stage.
    release:  its name, number or the beginning of its id; None: the newest.
    Raises: FixInput where there is no such release, or no stage before `to`; AskOperator when the release is not whole.
    What else is wrong is in the verdict.
    """
    opened = open_release(
        sources.releases, strategy, release, trusted_keys=sources.settings.releases.trusted_keys
    )
    subject, config = _subject(strategy, to, opened, sources.settings)
    evidence = gather_promotion_evidence(subject, opened, config, sources)
    verdict = judge_evidence(subject, evidence, config.promotion, at=sources.clock())
    kept_at = sources.records.keep_verdict(strategy, verdict.judged_at, verdict_document(verdict))
    return Judged(verdict=verdict, kept_at=kept_at)


def approve_promotion(judged: Judged, sources: PromotionSources, approved: ApprovedBy) -> Approval:
    """Let a person approve a verdict that passes; the approval is kept, and recorded in the audit log.

    Raises: FixInput when it does not pass, or this is not that person; AskOperator when it cannot be recorded.
    """
    terms, subject = sources.settings.promotion, judged.verdict.subject
    release = judged.verdict.evidence.release
    approval = approve(
        judged.verdict,
        by=approved.by,
        reason=approved.reason,
        key=approved.key.key(),
        trusted=sources.settings.releases.trusted_keys,
        approvers=terms.approvers,
        author=getattr(release, "author", None) if terms.second_person else None,
        at=sources.clock(),
    )
    # Recorded before it is in force: whoever is killed between the two leaves a record too many, never one too few.
    approved.changes.append(
        Change(
            at=approval.approved_at,
            by=approved.actor,
            action="approve",
            subject=f"{subject.to_stage}/{subject.strategy}",
            where=subject.to_account,
            why=approval.reason,
            result=Result.DONE,
            release=subject.release_id,
            evidence=(
                f"verdict {approval.verdict_sha256}, {judged.kept_at.name}",
                f"approval of {approval.approved_at.isoformat()}",
            ),
            note=f"approved by {approval.by}, whose key signed it",
        )
    )
    sources.records.keep_approval(approval)
    return approval


def approval_in_force(verdict: PromotionVerdict, sources: PromotionSources) -> Approval | None:
    """The newest approval that lets this promotion through now; None: nobody gave one."""
    trusted = sources.settings.releases.trusted_keys
    for each in reversed(sources.records.approvals(verdict.subject.strategy)):
        if each.problem(verdict, trusted, at=sources.clock()) is None:
            return each
    return None


def _subject(
    strategy: str, to: Stage, opened: Opened, settings: WorkspaceSettings
) -> tuple[Subject, StrategyConfig]:
    if to not in BEFORE:
        raise FixInput(
            f"nothing is promoted to {to}: it is where strategies are written",
            next_step="promote to test or prod",
        )
    manifest = opened.artifact.manifest
    name = f"{opened.stored.name}: config.json"
    config = parse_config(opened.artifact.files[f"{STRATEGY}/config.json"].decode(), name=name)
    from_stage = BEFORE[to]
    soaked = settings.stage(from_stage).account_of(strategy) if to is Stage.PROD else None
    target = settings.stage(to).account_of(strategy)
    terms = None if target is None else settings.accounts[target]
    subject = Subject(
        strategy=strategy,
        release_id=opened.stored.release_id,
        release_name=opened.stored.name,
        version=manifest.version,
        kind=config.strategy.kind,
        code_sha256=manifest.code_sha256,
        config_sha256=manifest.config_sha256,
        from_stage=from_stage,
        to_stage=to,
        soak_account="" if soaked is None else ledger_name(settings.accounts[soaked]),
        to_account="" if terms is None else ledger_name(terms),
        is_rehearsal=terms is not None and terms.kind == "local",
    )
    return subject, config
