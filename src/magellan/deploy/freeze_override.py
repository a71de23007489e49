"""Override: a person lets a hot fix through a freeze, for some hours, and signs that it was them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from magellan.deploy.person import key_of
from magellan.errors import FixInput
from magellan.release.signature import Signature, SigningKey
from magellan.workspace.config_file import canonical_json
from magellan.workspace.freeze_terms import FreezeTerms

_KIND: Final = (
    b"magellan freeze override, format 1\n"  # what the signed bytes begin with: they mean nothing else
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A person lets something through a freeze, for a while."""

    subject: str  # prod/bear_trap
    by: str
    reason: str
    granted_at: datetime  # aware, UTC
    until_at: datetime
    signature: Signature  # by the key of that person

    def problem(self, trusted: Mapping[str, str]) -> str | None:
        """Why it must not let anything through; None: the person that it names signed just this.

        trusted: public keys, base64, by whom they belong to.
        """
        if trusted.get(self.by) != self.signature.public_key:
            return f"the key that signed it is not {self.by}'s in magellan.toml"
        return self.signature.problem_with(_statement(self), trusted)

    def holds(self, subject: str, at: datetime) -> bool:
        """Whether it lets that subject through at that time."""
        return subject == self.subject and self.granted_at <= at < self.until_at


def override_of(
    terms: FreezeTerms,
    *,
    subject: str,
    by: str,
    reason: str,
    hours: float,
    key: SigningKey | None,
    trusted: Mapping[str, str],
    at: datetime,
) -> Override:
    """An override that a person grants, and signs.

    by:     the name beside the person's key in magellan.toml. key: of this user; None: there is none.
    Raises: FixInput without a reason, when this is not that person, and for one that never ends.
    """
    if not reason.strip():
        raise FixInput("an override says why", next_step="give --reason TEXT")
    if not 0 < hours <= terms.override_hours_max:
        raise FixInput(
            f"an override holds for more than 0 and at most {terms.override_hours_max:g} hours, not {hours:g}",
            next_step="give --hours; freeze.override_hours_max of magellan.toml is the most",
        )
    owned = key_of(by, key, trusted)
    override = Override(
        subject=subject,
        by=by,
        reason=reason.strip(),
        granted_at=at,
        until_at=at + timedelta(hours=hours),
        signature=Signature(public_key="", signature=""),
    )
    return replace(override, signature=owned.sign_statement(_statement(override)))


def _statement(override: Override) -> bytes:
    terms = {
        "subject": override.subject,
        "by": override.by,
        "reason": override.reason,
        "granted_at": override.granted_at.isoformat(),
        "until_at": override.until_at.isoformat(),
    }
    return _KIND + canonical_json(terms)
