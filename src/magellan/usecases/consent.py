"""Consent: whether a release may trade real orders in production now. Asked before anything is changed.

The way into production is a promotion that passes and that a person has approved. The way back needs neither: a release
that traded there before was approved then, and a roll-back must not wait for anybody.
"""

from __future__ import annotations

from magellan.audit.change import Result
from magellan.deploy.freeze import Open
from magellan.errors import MagellanError
from magellan.ports.change_log import ChangeLog
from magellan.ports.ledger import Ledger
from magellan.release.manifest import STRATEGY, shown
from magellan.usecases.deploy_history import history
from magellan.usecases.freeze import FreezeSources, check_freeze, symbols_held
from magellan.usecases.judge_promotion import approval_in_force, judge_promotion
from magellan.usecases.prepare_deploy import DeployAsked, Finding
from magellan.usecases.promotion_evidence import PromotionSources
from magellan.usecases.releases import Opened
from magellan.workspace.config_file import parse_config
from magellan.workspace.workspace import Stage


def promotion_findings(
    asked: DeployAsked, opened: Opened, promotion: PromotionSources, changes: ChangeLog
) -> tuple[Finding, ...]:
    """Whether the release has come by its promotion; nothing for a stage that needs none."""
    if asked.stage is not Stage.PROD:
        return ()
    release_id = opened.stored.release_id
    if asked.action == "rollback":
        traded = any(
            each.release_id == release_id and each.result is Result.DONE
            for each in history(changes, asked.strategy, asked.stage)
        )
        return (
            Finding(
                what="promotion",
                is_well=traded,
                found=f"{shown(release_id)} traded in prod before"
                if traded
                else f"{shown(release_id)} never traded in prod: promote it instead of rolling back to it",
            ),
        )
    try:
        verdict = judge_promotion(
            asked.strategy, to=asked.stage, sources=promotion, release=release_id
        ).verdict
    except MagellanError as error:
        return (Finding(what="promotion", is_well=False, found=error.message),)
    if not verdict.passes:
        held = ", ".join(f"{each.criterion.title} ({each.answer})" for each in verdict.not_passed[:3])
        return (
            Finding(
                what="promotion",
                is_well=False,
                found=f"{verdict.answer}: {held}; see `magellan soak {asked.strategy}`",
            ),
        )
    approval = approval_in_force(verdict, promotion)
    return (
        Finding(what="promotion", is_well=True, found=f"all {len(verdict.judgements)} criteria pass"),
        Finding(
            what="approval",
            is_well=approval is not None,
            found=f"by {approval.by}, {approval.approved_at:%Y-%m-%d %H:%M} UTC: {approval.reason}"
            if approval is not None
            else f"nobody has approved it: `magellan promote {asked.strategy} --by NAME --why TEXT --yes`",
        ),
    )


def freeze_findings(
    asked: DeployAsked, opened: Opened, freeze: FreezeSources, ledger: Ledger
) -> tuple[Finding, ...]:
    """Whether the calendar lets it through; nothing for the way back, which must not wait for Monday."""
    if asked.stage is not Stage.PROD or asked.action == "rollback":
        return ()
    try:
        config = parse_config(
            opened.artifact.files[f"{STRATEGY}/config.json"].decode(),
            name=f"{opened.stored.name}: config.json",
        )
        held = symbols_held(freeze.settings, asked.strategy, asked.stage, ledger)
        answer = check_freeze(asked.strategy, asked.stage, freeze, symbols=held | frozenset(config.symbols))
    except MagellanError as error:
        return (Finding(what="freeze", is_well=False, found=error.message),)
    if isinstance(answer, Open):
        return (Finding(what="freeze", is_well=True, found="; ".join(("open", *answer.advice))),)
    windows = ", ".join(each.name for each in answer.windows)
    until = "somebody says more" if answer.until_at is None else f"{answer.until_at:%Y-%m-%d %H:%M} UTC"
    granted = answer.override
    if granted is not None:
        told = f"{windows}, until {until}; let through by {granted.by}: {granted.reason}"
        return (Finding(what="freeze", is_well=True, found=told),)
    hot_fix = f"a hot fix: `magellan freeze override {asked.strategy} --by NAME --reason TEXT`"
    return (Finding(what="freeze", is_well=False, found=f"{windows}, until {until}; {hot_fix}"),)
