"""Follow the ledger: send each entry to a second place within a second, and bring a restored ledger up to there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from magellan.errors import AskOperator, TryAgain
from magellan.ledger.chain import EMPTY, Head
from magellan.ports.ledger_trail import LedgerRows, LedgerTrail

LOOKS_EVERY_S: Final = 0.25
_TRIES_AGAIN_AFTER_S: Final = 2.0
_ENTRIES: Final = 500  # in a batch


class Pause(Protocol):
    """Waits, and tells whether it is over."""

    def __call__(self, seconds: float, /) -> bool:
        """True: go on no more."""
        ...


@dataclass(slots=True, kw_only=True)
class Following:
    """How far a follower is."""

    sent: int = 0  # entries
    reached: bool = True  # whether the place answered last time


def follow(
    rows: LedgerRows,
    trail: LedgerTrail,
    *,
    pause: Pause,
    tell: Callable[[bool, str], None],
) -> Following:
    """Send what the trail lacks, again and again, until `pause` says that it is over.

    tell: whether the place is reached, and why not; called where that changes.
    Raises: AskOperator where the trail holds another ledger than this one, or more of it.
    """
    state, ends = Following(), dict[str, Head]()
    known = False
    while True:
        try:
            if not known:
                ends, known = _joined(rows, trail), True
            state.sent += _caught_up(rows, trail, ends)
            if not state.reached:
                state.reached = True
                tell(True, "")
        except TryAgain as error:
            known = False  # whether what was under way came there is seen when it is read again
            if state.reached:
                state.reached = False
                tell(False, error.message)
        if pause(LOOKS_EVERY_S if state.reached else _TRIES_AGAIN_AFTER_S):
            return state


def brought_up(copy: LedgerRows, trail: LedgerTrail) -> int:
    """Add to a restored ledger what the trail has beyond it; how many entries.

    Whoever examines it checks the chains. Raises what the trail raises.
    """
    before = sum(head.number for head in copy.heads().values())
    for account, entries in trail.entries():
        copy.add(account, entries)
    return sum(head.number for head in copy.heads().values()) - before


def _caught_up(rows: LedgerRows, trail: LedgerTrail, ends: dict[str, Head]) -> int:
    sent = 0
    for account, head in rows.heads().items():
        while (have := ends.get(account, EMPTY)).number < head.number:
            entries = rows.after(account, have.number, most=_ENTRIES)
            assert entries, "its head says that there are some"
            trail.add(account, entries)
            ends[account] = Head(number=entries[-1].number, hash=entries[-1].hash)
            sent += len(entries)
    return sent


def _joined(rows: LedgerRows, trail: LedgerTrail) -> dict[str, Head]:
    """Where the trail ends, which must be a place in this ledger's chains."""
    ends = dict(trail.heads())
    for account, end in ends.items():
        here = rows.after(account, end.number - 1, most=1)
        if not here or here[0].hash != end.hash:
            raise AskOperator(
                f"{trail.place} holds entries of {account} that this ledger does not have",
                kept="both",
                next_step="was something lost here? `magellan restore`; otherwise move that file away, for a new one",
            )
    return ends
