"""Approval: a person takes responsibility for a verdict, with a key that magellan.toml says is that person's.

A name alone is a string that anybody can type. An approval is signed: over the release, where it goes, the verdict with
all its evidence, the reason and the time. It holds for a day, for one release and one stage, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from magellan.deploy.person import key_of
from magellan.deploy.promotion.judgement import PromotionVerdict
from magellan.errors import FixInput
from magellan.release.signature import Signature, SigningKey
from magellan.workspace.config_file import canonical_json
from magellan.workspace.workspace import Stage

HOLDS_FOR: Final = timedelta(hours=24)
_KIND: Final = b"magellan approval, format 1\n"  # what the signed bytes begin with: they mean nothing else
_UNSIGNED: Final = Signature(public_key="", signature="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """One person's word that a release may go on."""

    strategy: str
    release_id: str
    to_stage: Stage
    to_account: str  # as the ledger calls it
    verdict_sha256: str
    by: str  # the key's name in magellan.toml
    reason: str
    approved_at: datetime  # aware, UTC
    signature: Signature

    def problem(self, verdict: PromotionVerdict, trusted: Mapping[str, str], *, at: datetime) -> str | None:
        """Why it does not let this promotion through; None: it does.

        verdict: as it is judged now; the approval may be of an earlier one on the same release, no older than a day.
        trusted: public keys, base64, by whom they belong to.
        """
        subject = verdict.subject
        if not verdict.passes:
            return f"the promotion does not pass: {verdict.answer}"
        if (self.strategy, self.release_id) != (subject.strategy, subject.release_id):
            return f"it is of another release, {self.strategy} {self.release_id[:12]}"
        if (self.to_stage, self.to_account) != (subject.to_stage, subject.to_account):
            return f"it is for {self.to_stage}, account {self.to_account or 'none'}"
        if trusted.get(self.by) != self.signature.public_key:
            return f"the key that signed it is not {self.by}'s in magellan.toml"
        wrong = self.signature.problem_with(_statement(self), trusted)
        if wrong is not None:
            return wrong
        if not timedelta(minutes=-1) <= at - self.approved_at <= HOLDS_FOR:
            return f"it was given at {self.approved_at.isoformat()}, and holds for a day"
        return None

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        return {**_terms(self), "signature": asdict(self.signature)}


def approve(
    verdict: PromotionVerdict,
    *,
    by: str,
    reason: str,
    key: SigningKey | None,
    trusted: Mapping[str, str],
    approvers: Sequence[str],
    author: str | None,
    at: datetime,
) -> Approval:
    """An approval of a verdict that passes.

    key:       of the person who approves; None: there is none here.
    trusted:   public keys by name. approvers: of those names, who may approve; empty: every one.
    author:    who built the release, where somebody else must approve it; None: anybody may.
    Raises: FixInput when the verdict does not pass, or this is not that person.
    """
    subject = verdict.subject
    if not verdict.passes:
        held = ", ".join(f"{each.criterion.title} ({each.answer})" for each in verdict.not_passed)
        raise FixInput(
            f"{subject.release_name} cannot be approved for {subject.to_stage}: {held}",
            kept="everything as it was",
            next_step=f"see the reasons with `magellan soak {subject.strategy} --to {subject.to_stage}`",
        )
    if not reason.strip():
        raise FixInput("an approval says why", next_step="give --reason TEXT")
    owned = key_of(by, key, trusted)
    if approvers and by not in approvers:
        raise FixInput(f"'{by}' may not approve; promotion.approvers names: {', '.join(approvers)}")
    if author is not None and author == by:
        raise FixInput(
            f"{by} built {subject.release_name}, and promotion.second_person asks for somebody else's approval"
        )
    approval = Approval(
        strategy=subject.strategy,
        release_id=subject.release_id,
        to_stage=subject.to_stage,
        to_account=subject.to_account,
        verdict_sha256=verdict.sha256,
        by=by,
        reason=reason.strip(),
        approved_at=at,
        signature=_UNSIGNED,
    )
    return replace(approval, signature=owned.sign_statement(_statement(approval)))


def parsed(document: Mapping[str, Any]) -> Approval:
    """The approval that was kept so. Raises ValueError, KeyError or TypeError for anything else."""
    signature = document["signature"]
    return Approval(
        strategy=str(document["strategy"]),
        release_id=str(document["release_id"]),
        to_stage=Stage(document["to_stage"]),
        to_account=str(document["to_account"]),
        verdict_sha256=str(document["verdict_sha256"]),
        by=str(document["by"]),
        reason=str(document["reason"]),
        approved_at=datetime.fromisoformat(document["approved_at"]),
        signature=Signature(public_key=str(signature["public_key"]), signature=str(signature["signature"])),
    )


def _terms(approval: Approval) -> dict[str, Any]:
    return {
        "strategy": approval.strategy,
        "release_id": approval.release_id,
        "to_stage": approval.to_stage.value,
        "to_account": approval.to_account,
        "verdict_sha256": approval.verdict_sha256,
        "by": approval.by,
        "reason": approval.reason,
        "approved_at": approval.approved_at.isoformat(),
    }


def _statement(approval: Approval) -> bytes:
    return _KIND + canonical_json(_terms(approval))
