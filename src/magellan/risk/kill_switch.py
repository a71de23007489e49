"""The kill switch: a person, a file, a signal or the watchdog stops entries, or leaves every position.

`TRANSITIONS` is the state table; the code, its tests and docs/guides/risk.md read it. Its rules live here:

- every state but RUNNING refuses entries; no state refuses an order that only leaves a position;
- flat is what the broker says is flat. A flatten goes on until it says so, and begins again when it takes it back;
- nothing weakens the switch by itself: only a resume by a named person does, with a reason. While positions are being
  left, the first resume stops that and holds what remains, and a second one lets entries in again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class SwitchState(StrEnum):
    """What the kill switch lets happen."""

    RUNNING = "running"
    HALTED = "halted"  # no entries; positions are held, and their protection with them
    FLATTENING = (
        "flattening"  # no entries; orders are cancelled and positions left until the broker shows none
    )
    FLAT = "flat"  # no entries; the broker has shown neither position nor order


class SwitchEventKind(StrEnum):
    """What happens to the kill switch."""

    HALT = "halt"
    FLATTEN = "flatten"
    TOLD_FLAT = "told flat"  # the broker shows no position and no open order
    TOLD_NOT_FLAT = "told not flat"
    RESUME = "resume"


class SwitchSource(StrEnum):
    """Which way a request reached the switch."""

    COMMAND = "command"
    FILE = "file"
    SIGNAL = "signal"
    HTTP = "http"
    WATCHDOG = "watchdog"
    SESSION = "session"  # the session itself: its stop policy, or what the broker shows


_S, _E = SwitchState, SwitchEventKind

# {state: {event: next state}}, with an exit for every event.
TRANSITIONS: Final[Mapping[SwitchState, Mapping[SwitchEventKind, SwitchState]]] = MappingProxyType(
    {
        _S.RUNNING: MappingProxyType(
            {
                _E.HALT: _S.HALTED,
                _E.FLATTEN: _S.FLATTENING,
                _E.TOLD_FLAT: _S.RUNNING,
                _E.TOLD_NOT_FLAT: _S.RUNNING,
                _E.RESUME: _S.RUNNING,
            }
        ),
        _S.HALTED: MappingProxyType(
            {
                _E.HALT: _S.HALTED,
                _E.FLATTEN: _S.FLATTENING,
                _E.TOLD_FLAT: _S.HALTED,
                _E.TOLD_NOT_FLAT: _S.HALTED,
                _E.RESUME: _S.RUNNING,
            }
        ),
        _S.FLATTENING: MappingProxyType(
            {
                _E.HALT: _S.FLATTENING,
                _E.FLATTEN: _S.FLATTENING,
                _E.TOLD_FLAT: _S.FLAT,
                _E.TOLD_NOT_FLAT: _S.FLATTENING,
                _E.RESUME: _S.HALTED,
            }
        ),
        _S.FLAT: MappingProxyType(
            {
                _E.HALT: _S.FLAT,
                _E.FLATTEN: _S.FLATTENING,
                _E.TOLD_FLAT: _S.FLAT,
                _E.TOLD_NOT_FLAT: _S.FLATTENING,
                _E.RESUME: _S.RUNNING,
            }
        ),
    }
)

_BY_A_PERSON: Final = frozenset({SwitchEventKind.RESUME})


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchEvent:
    """One thing that happened to the switch, and who did it why.

    Raises ValueError for a resume without a name or a reason, or one that no person sent.
    """

    kind: SwitchEventKind
    at: datetime  # aware, UTC
    source: SwitchSource
    who: str = ""  # a person's name; "" where none is known, which a resume never is
    why: str = ""

    def __post_init__(self) -> None:
        if self.at.utcoffset() != timedelta(0):
            raise ValueError(f"a {self.kind} is stamped {self.at!r}, not in UTC")
        if self.kind not in _BY_A_PERSON:
            return
        if not self.who.strip() or not self.why.strip():
            raise ValueError(f"a {self.kind} names a person and a reason")
        if self.source not in (SwitchSource.COMMAND, SwitchSource.HTTP):
            raise ValueError(f"a {self.kind} comes from a person, not from a {self.source}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitch:
    """The switch as it stands, and the event that brought it there. Folded from the ledger."""

    state: SwitchState = SwitchState.RUNNING
    since: SwitchEvent | None = None  # what led to this state; None before anything happened

    @property
    def refuses_entries(self) -> bool:
        return self.state is not SwitchState.RUNNING

    @property
    def wants_flat(self) -> bool:
        """Whether orders are to be cancelled and positions left now."""
        return self.state is SwitchState.FLATTENING


def after(switch: KillSwitch, event: SwitchEvent) -> KillSwitch:
    """The switch after an event, by the table. An event that changes nothing keeps who and why."""
    state = TRANSITIONS[switch.state][event.kind]
    return switch if state is switch.state else KillSwitch(state=state, since=event)
