"""Instance: one release of a strategy at work on one account of one host.

A process of its own. It trades while its account is armed for it, and stands by while it is not, loaded and ready. So
a new release can be seen to be ready before the old one stops, and the way back is as short as the way there.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from magellan.errors import AskOperator
from magellan.release.manifest import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What the host is told of one. Two instances of one account differ in their release."""

    strategy: str
    stage: str  # test or prod
    account: str  # its name in magellan.toml
    ledger_account: str  # its name in the ledger
    release_id: str
    typed_number: str | None = None  # the number of a live account, as a person typed it

    @property
    def key(self) -> str:
        """Its name on the host: `test-bear_trap-1f3a90c2d4e5`."""
        return f"{self.stage}-{self.strategy}-{shown(self.release_id)}"

    @property
    def is_live(self) -> bool:
        """Whether real money is at stake."""
        return self.typed_number is not None

    def written(self) -> bytes:
        return json.dumps(asdict(self), indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def parsed(cls, content: bytes, *, name: str) -> Self:
        """Raises AskOperator for anything that was not written so."""
        return cls(**_fields_of(cls, content, name))


class Condition(StrEnum):
    """How far an instance is, by its own word."""

    LOADING = "loading"  # it reads and checks its release, its config and its account
    READY = "ready"  # it stands by: it would trade if it were armed
    TAKING = "taking over"  # it is armed, and waits for the account, the broker and the first comparison
    TRADING = "trading"
    STOPPED = "stopped"  # in order, because somebody asked
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceReport:
    """What an instance says of itself, often."""

    condition: Condition
    why: str  # of FAILED and STOPPED, and what TAKING waits for
    at: datetime  # aware, UTC, by the host's clock
    pid: int
    release_id: str
    code_sha256: str  # "" until it has loaded them
    config_sha256: str
    engine_version: str
    engine_path: str  # where the running engine really lies
    broker_answered_at: datetime | None  # while it stood by; a trading session's heartbeat says more

    def written(self) -> bytes:
        told = asdict(self)
        for name, value in told.items():
            if isinstance(value, datetime):
                told[name] = value.isoformat()
        return json.dumps(told, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def parsed(cls, content: bytes, *, name: str) -> Self:
        """Raises AskOperator for anything that was not written so."""
        told = _fields_of(cls, content, name)
        try:
            told["condition"] = Condition(told["condition"])
            for each in ("at", "broker_answered_at"):
                if told[each] is not None:
                    told[each] = datetime.fromisoformat(told[each])
        except (ValueError, TypeError) as error:
            raise _unreadable(name, str(error)) from None
        return cls(**told)


class Process(StrEnum):
    """What a host's supervisor says of an instance's process."""

    ABSENT = "absent"  # the host does not know the instance
    RUNNING = "running"
    ENDED = "ended"  # it is not there, and nobody starts it again


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceLook:
    """One instance as its host sees it."""

    process: Process
    restarts: bool = False  # it has ended by itself, and the supervisor tries again
    report: InstanceReport | None = None  # of the process that runs, or ran last; None: it has said nothing
    report_age_s: float | None = None
    # The newest lines that it printed, oldest first; of one that is at work, perhaps those of an earlier look.
    last_words: tuple[str, ...] = ()

    @property
    def condition(self) -> Condition | None:
        return None if self.report is None else self.report.condition


def _fields_of(kind: type, content: bytes, name: str) -> dict[str, Any]:
    try:
        told = json.loads(content)
    except ValueError as error:
        raise _unreadable(name, str(error)) from None
    wanted = set(kind.__dataclass_fields__)  # type: ignore[attr-defined]  # both are dataclasses
    if not isinstance(told, dict) or told.keys() != wanted:
        raise _unreadable(name, f"it should have {', '.join(sorted(wanted))}")
    return told


def _unreadable(name: str, why: str) -> AskOperator:
    return AskOperator(
        f"{name} cannot be read: {why}", next_step="somebody has changed it; deploy the release again"
    )
