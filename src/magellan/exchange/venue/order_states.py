"""Order states: which event takes an order from which state to which. The only place that says so.

Rules that live here: an order that has ended stays as it is; fills may still arrive while a cancel or a replacement
is on its way; a leg that waits for its entry is held. The drawing in docs/reference/exchange-orders.md is made from
these tables, and a test compares them.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """An order's status, in Alpaca's words."""

    # Looked up in the sets below many times for every order; an enum's own hash is a call of Python.
    __hash__ = str.__hash__

    PENDING_NEW = "pending_new"
    ACCEPTED = "accepted"
    NEW = "new"
    HELD = "held"
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REPLACED = "replaced"
    REJECTED = "rejected"
    DONE_FOR_DAY = "done_for_day"
    STOPPED = "stopped"
    SUSPENDED = "suspended"
    CALCULATED = "calculated"


class Happening(StrEnum):
    """What can happen to an order, in the words of trade updates where there is one."""

    __hash__ = str.__hash__

    ROUTE = "new"
    PARTIAL_FILL = "partial_fill"
    FILL = "fill"
    ASK_CANCEL = "pending_cancel"
    CANCEL = "canceled"
    REFUSE_CANCEL = "order_cancel_rejected"
    ASK_REPLACE = "pending_replace"
    REPLACE = "replaced"
    REFUSE_REPLACE = "order_replace_rejected"
    EXPIRE = "expired"
    REJECT = "rejected"
    RESTATE = "restated"
    SUSPEND = "suspended"
    END_DAY = "done_for_day"


S, H = State, Happening

# Back to what the order was before: "new", or "partially_filled" when something of it has been filled.
BEFORE = "before"

TRANSITIONS: dict[State, dict[Happening, State | str]] = {
    S.PENDING_NEW: {
        H.ROUTE: S.NEW,
        H.REJECT: S.REJECTED,
        H.CANCEL: S.CANCELED,
    },
    S.ACCEPTED: {
        H.ROUTE: S.NEW,
        H.CANCEL: S.CANCELED,
        H.EXPIRE: S.EXPIRED,
        H.REJECT: S.REJECTED,
        H.RESTATE: S.ACCEPTED,
    },
    S.HELD: {
        H.ROUTE: S.NEW,
        H.REPLACE: S.REPLACED,
        H.CANCEL: S.CANCELED,
        H.EXPIRE: S.EXPIRED,
        H.REJECT: S.REJECTED,
        H.RESTATE: S.HELD,
    },
    S.NEW: {
        H.PARTIAL_FILL: S.PARTIALLY_FILLED,
        H.FILL: S.FILLED,
        H.ASK_CANCEL: S.PENDING_CANCEL,
        H.CANCEL: S.CANCELED,
        H.ASK_REPLACE: S.PENDING_REPLACE,
        H.EXPIRE: S.EXPIRED,
        H.REJECT: S.REJECTED,
        H.RESTATE: S.NEW,
        H.SUSPEND: S.SUSPENDED,
        H.END_DAY: S.DONE_FOR_DAY,
    },
    S.PARTIALLY_FILLED: {
        H.PARTIAL_FILL: S.PARTIALLY_FILLED,
        H.FILL: S.FILLED,
        H.ASK_CANCEL: S.PENDING_CANCEL,
        H.CANCEL: S.CANCELED,
        H.ASK_REPLACE: S.PENDING_REPLACE,
        H.EXPIRE: S.EXPIRED,
        H.RESTATE: S.PARTIALLY_FILLED,
        H.SUSPEND: S.SUSPENDED,
        H.END_DAY: S.DONE_FOR_DAY,
    },
    S.PENDING_CANCEL: {
        H.PARTIAL_FILL: S.PENDING_CANCEL,
        H.FILL: S.FILLED,
        H.CANCEL: S.CANCELED,
        H.REFUSE_CANCEL: BEFORE,
        H.EXPIRE: S.EXPIRED,
        H.RESTATE: S.PENDING_CANCEL,
    },
    S.PENDING_REPLACE: {
        H.PARTIAL_FILL: S.PENDING_REPLACE,
        H.FILL: S.FILLED,
        H.REPLACE: S.REPLACED,
        H.REFUSE_REPLACE: BEFORE,
        H.EXPIRE: S.EXPIRED,
        H.CANCEL: S.CANCELED,
        H.RESTATE: S.PENDING_REPLACE,
    },
    S.SUSPENDED: {
        H.ROUTE: S.NEW,
        H.CANCEL: S.CANCELED,
        H.EXPIRE: S.EXPIRED,
    },
    S.DONE_FOR_DAY: {
        H.ROUTE: S.NEW,
        H.CANCEL: S.CANCELED,
        H.EXPIRE: S.EXPIRED,
    },
    # An order that was filled may be told that its cancel or replacement came too late; it stays filled.
    S.FILLED: {H.REFUSE_CANCEL: S.FILLED, H.REFUSE_REPLACE: S.FILLED},
    S.CANCELED: {},
    S.EXPIRED: {},
    S.REPLACED: {},
    S.REJECTED: {},
    S.STOPPED: {},
    S.CALCULATED: {},
}

ENDED = frozenset({S.FILLED, S.CANCELED, S.EXPIRED, S.REPLACED, S.REJECTED})
OPEN = frozenset(TRANSITIONS) - ENDED - {S.CALCULATED}
MATCHABLE = frozenset({S.NEW, S.PARTIALLY_FILLED, S.PENDING_CANCEL, S.PENDING_REPLACE})
REPLACEABLE = frozenset({S.NEW, S.PARTIALLY_FILLED, S.HELD})


def after(state: State, happening: Happening, *, filled: bool) -> State:
    """The state that follows. filled: whether any share of the order has been filled.

    A happening that the table does not know for the state is a broken invariant of the venue.
    """
    follows = TRANSITIONS[state].get(happening)
    assert follows is not None, f"an order that is {state} cannot be {happening}"
    if follows == BEFORE:
        return State.PARTIALLY_FILLED if filled else State.NEW
    return State(follows)


def drawing() -> str:
    """The table as lines of a Mermaid state diagram, for the documents."""
    lines = ["stateDiagram-v2"]
    for state, followers in TRANSITIONS.items():
        for happening, follower in followers.items():
            targets = (State.NEW, State.PARTIALLY_FILLED) if follower == BEFORE else (State(follower),)
            lines += [f"    {state} --> {target}: {happening.name.lower()}" for target in targets]
    return "\n".join(lines)
