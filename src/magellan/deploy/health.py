"""Health of a session that was just handed an account: what it has done, never only that its process is there."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLook:
    """An account's session at one instant. None: nobody has told. Ages in seconds on the host's clock."""

    session_id: str | None
    release_id: str | None
    config_sha256: str | None
    beat_age_s: float | None
    bar_age_s: float | None  # since the newest bar was received
    broker_answer_age_s: float | None
    reconciled_age_s: float | None
    feed_up: bool
    orders_up: bool
    exceptions: int
    market_open: bool  # on the session's clock
    halted: str  # why entries are switched off; "" where they are not
    breakers: tuple[str, ...]  # that have tripped
    unresolved: int  # orders of which nobody knows whether the broker has them
    positions: tuple[str, ...]  # "AMC 100"
    result_usd: Decimal | None  # of the day so far, realised and open; None: a price is not known
    equity_usd: Decimal | None
    differences: tuple[str, ...] = ()  # between book and broker, also those that a person has accepted
    first_bar_s: float = 0.0  # until the first bar that it can get is over, on its clock; < 0: since then


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What was found. Neither: it is well."""

    wrong: tuple[str, ...]  # will not mend itself
    awaited: tuple[str, ...]  # has not happened yet

    @property
    def is_well(self) -> bool:
        return not self.wrong and not self.awaited


BEAT_AGE_S_MAX = 5.0
BAR_LATE_S = 90.0  # a source that is asked for bars may tell one so long after its end


def health(
    look: SessionLook,
    *,
    release_id: str,
    config_sha256: str,
    halted_before: str,
    tripped_before: tuple[str, ...] = (),
    bar_within_s: float = -BAR_LATE_S,
) -> Health:
    """What a session shows of itself, against what a release that trades must show.

    halted_before:  why entries were switched off before the roll-out; a person's halt outlives a release.
    tripped_before: breakers that had tripped before it; a release that is gone back to does not reset them.
    bar_within_s:   its first bar is awaited where it is over so soon; < 0: only so long after that. One of an hour or a
                    day may be over long after a roll-out has ended.
    """
    wrong, awaited = [], []
    if look.session_id is None or look.beat_age_s is None:
        awaited.append("the first heartbeat")
    elif look.beat_age_s > BEAT_AGE_S_MAX:
        awaited.append(f"a heartbeat: the newest is {look.beat_age_s:.0f} s old")
    else:
        if look.release_id != release_id:
            wrong.append(f"the session runs the release {look.release_id or 'none'}")
        if look.config_sha256 != config_sha256:
            wrong.append("the session runs another config than the release's")
        for is_there, what in (
            (look.broker_answer_age_s is not None, "the broker's first answer"),
            (look.reconciled_age_s is not None, "the first comparison with the broker"),
            (look.feed_up, "the stream of bars"),
            (look.orders_up, "the stream of order events"),
            (
                look.bar_age_s is not None or not look.market_open or look.first_bar_s > bar_within_s,
                "the first bar",
            ),
        ):
            if not is_there:
                awaited.append(what)
    if look.exceptions:
        wrong.append(f"the session met {look.exceptions} exceptions")
    if look.halted and look.halted != halted_before:
        wrong.append(f"entries are off: {look.halted}")
    wrong += [
        f"a breaker has tripped: {each}; until `magellan resume` nothing is entered, whatever trades"
        for each in look.breakers
        if each not in tripped_before
    ]
    return Health(wrong=tuple(wrong), awaited=tuple(awaited))


def loss_fraction(before: SessionLook, now: SessionLook) -> float | None:
    """What the account lost between two looks, as a fraction of its equity at the first; None: nobody can tell."""
    if before.result_usd is None or now.result_usd is None or not before.equity_usd:
        return None
    return float((before.result_usd - now.result_usd) / before.equity_usd)
