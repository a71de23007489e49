"""A roll-out does not begin with a secret that is missing where it will run, or overdue anywhere."""

from datetime import UTC, datetime, timedelta

import pytest

from magellan.usecases.secret_findings import secret_findings
from magellan.usecases.secret_inventory import NeededSecret, SecretLine, SecretState

NOON = datetime(2026, 1, 20, 17, 0, tzinfo=UTC)
NEEDED = [
    NeededSecret(name="LIVE_KEY", source="environment", used_by="account live", account="live"),
    NeededSecret(name="SLACK_WEBHOOK_URL", source="environment", used_by="channel desk"),
]


def line(name: str, state: SecretState) -> SecretLine:
    there = state is not SecretState.MISSING
    return SecretLine(
        name=name, used_by="account live", source="environment", place=".env" if there else None, state=state,
        since=NOON if there else None, due_at=NOON + timedelta(days=90) if there else None, age_days=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "is_here", "is_well"),
    [
        (SecretState.WELL, True, True),
        (SecretState.SOON, True, True),
        (SecretState.OVERDUE, True, False),
        (SecretState.OVERDUE, False, False),
        (SecretState.MISSING, True, False),
        (SecretState.MISSING, False, True),
    ],
)
def test_the_secrets_of_the_account_decide(state: SecretState, is_here: bool, is_well: bool) -> None:
    lines = [line("LIVE_KEY", state), line("SLACK_WEBHOOK_URL", SecretState.OVERDUE)]
    (found,) = secret_findings(NEEDED, lines, "live", is_here=is_here)
    assert (found.what, found.is_well) == ("secrets", is_well)
    assert is_well or "LIVE_KEY is" in found.found


def test_an_account_without_secrets_has_nothing_to_be_looked_at() -> None:
    assert secret_findings(NEEDED, [], "local", is_here=True) == ()
    assert secret_findings(NEEDED, [], None, is_here=True) == ()
