"""Session limits: what a session is held to, from everything that was written down about it.

Each limit stands in up to four places: the strategy's config.json (`limits` and `risk`), and the caps in magellan.toml
of the workspace, of the strategy's stage and of the account. The tightest holds. A cap that is not set adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Final

from pydantic import BaseModel

from magellan.risk.breakers import BreakerLimits
from magellan.risk.limits import EntryHours, RiskLimits
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.config import StrategyConfig
from magellan.workspace.risk_terms import RiskCaps
from magellan.workspace.workspace import Stage, WorkspaceSettings

_TIGHTEST_HOURS: Final = (EntryHours.OPEN, EntryHours.REGULAR, EntryHours.EXTENDED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """What every entry is held to, and where breakers trip."""

    orders: RiskLimits
    breakers: BreakerLimits


def session_limits(
    config: StrategyConfig, settings: WorkspaceSettings, *, stage: Stage | None, account: BrokerAccount | None
) -> SessionLimits:
    """The tightest of what config, workspace, stage and account say.

    stage:   None for a strategy outside a workspace's stages.
    account: None for a session without a broker's account.
    """
    caps: list[RiskCaps] = [settings.risk]
    if stage is not None:
        caps.append(settings.stage(stage).risk)
    if account is not None:
        caps.append(account.risk)
    return SessionLimits(
        orders=RiskLimits(
            **_tightest(_names(RiskLimits), [config.limits, config.risk, *caps]),
        ),
        breakers=BreakerLimits(
            win_rate_trades=config.risk.breakers.win_rate_trades,
            **_tightest(
                _names(BreakerLimits) - {"win_rate_trades"},
                [config.risk.breakers, *(each.breakers for each in caps)],
            ),
        ),
    )


def _names(kind: type[RiskLimits] | type[BreakerLimits]) -> set[str]:
    return {field.name for field in fields(kind)}


def _tightest(names: Iterable[str], sections: list[BaseModel]) -> dict[str, Any]:
    """The tightest of what the sections say under each name; None where none of them says anything."""
    found: dict[str, Any] = {}
    for name in names:
        said = [value for each in sections if (value := getattr(each, name, None)) is not None]
        if name == "entry_hours":
            found[name] = min(map(EntryHours, said), key=_TIGHTEST_HOURS.index)
        elif not said:
            found[name] = None
        else:
            tightest = max(said) if name.endswith("_min") else min(said)
            # By its text, so that 0.05 means five hundredths and not the float next to it.
            found[name] = tightest if isinstance(tightest, int) else Decimal(str(tightest))
    return found
