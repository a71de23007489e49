"""What a roll-out has to know of secrets before it begins: those of its account are there, and none is overdue."""

from __future__ import annotations

from collections.abc import Sequence

from magellan.usecases.prepare_deploy import Finding
from magellan.usecases.secret_inventory import NeededSecret, SecretLine, SecretState


def secret_findings(
    needed: Sequence[NeededSecret], lines: Sequence[SecretLine], account: str | None, *, is_here: bool
) -> tuple[Finding, ...]:
    """One finding about the secrets of an account; none where it needs none.

    is_here: the strategy will run on this machine. Elsewhere a secret that is not here may still be there; what is
             overdue here is overdue everywhere.
    """
    names = {each.name for each in needed if each.account is not None and each.account == account}
    ours = [each for each in lines if each.name in names]
    if not ours:
        return ()
    bad = [
        each
        for each in ours
        if each.state is SecretState.OVERDUE or (each.state is SecretState.MISSING and is_here)
    ]
    if bad:
        told = "; ".join(f"{each.name} is {each.state}" for each in bad)
        return (Finding(what="secrets", is_well=False, found=f"{told}; `magellan secrets check` says more"),)
    due = min((each.due_at for each in ours if each.due_at is not None), default=None)
    found = "not on this machine" if due is None else f"there, due on {due:%Y-%m-%d}"
    return (Finding(what="secrets", is_well=True, found=found),)
