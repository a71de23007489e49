"""Lease: the leave of a host's sessions to enter, which the control side renews every few seconds, or does not.

A host that the control side cannot reach would otherwise go on opening positions while nobody can halt it from there.
With a lease it enters nothing more once no renewal has come for `for_s`; it leaves what it holds, as ever. A host that
was never given one trades without. Whoever wants that again ends the lease; that it is gone by itself is not enough.

Nobody compares two clocks for it. A process has seen a renewal when the number has changed under its eyes, and counts
the seconds since then by its own. The wall clock may only make the lease end earlier: after a night in a sleeping
machine, whose seconds do not count.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from magellan.errors import AskOperator

FOR_S: Final = 10.0
FOR_S_MIN, FOR_S_MAX = 1.0, 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What the control side has left last."""

    number: int  # of the renewal: every one has another
    for_s: float  # that it holds from when it is seen
    by: str  # who renews it
    at: datetime  # aware, UTC, by the host's clock

    def written(self) -> bytes:
        told = {"number": self.number, "for_s": self.for_s, "by": self.by, "at": self.at.isoformat()}
        return json.dumps(told, indent=1, sort_keys=True).encode() + b"\n"

    @classmethod
    def parsed(cls, content: bytes, *, name: str) -> Self:
        """Raises AskOperator for anything that was not written so: nothing is entered then."""
        try:
            told: dict[str, Any] = json.loads(content)
            lease = cls(
                number=int(told["number"]),
                for_s=float(told["for_s"]),
                by=str(told["by"]),
                at=datetime.fromisoformat(told["at"]),
            )
            if not (FOR_S_MIN <= lease.for_s <= FOR_S_MAX and lease.at.utcoffset() is not None):
                raise ValueError("it is for no time that is allowed")
        except (ValueError, TypeError, KeyError) as error:
            raise AskOperator(
                f"{name} cannot be read ({error})", next_step="renew the lease: `magellan lease keep`"
            ) from None
        return lease


class LeaseWatch:
    """Whether the lease holds, as one process sees it."""

    def __init__(self) -> None:
        self._number: int | None = None  # that was seen first, or last
        self._absent = False  # whether the last look found none
        self._seen_s = 0.0  # when one that lay there already was seen first
        self._renewed_s: float | None = None  # when it was last seen to change

    def lapsed(self, lease: Lease | None, *, elapsed_s: float, now: datetime) -> str:
        """Why it does not hold; "": it does, or the host has none.

        lease:     as it lies there now. elapsed_s: seconds of this process's steady clock. now: aware, UTC.
        """
        if lease is None:
            self._number = self._renewed_s = None
            self._absent = True
            return ""
        if self._number is None:
            self._seen_s = elapsed_s
        if lease.number != self._number and (self._number is not None or self._absent):
            self._renewed_s = elapsed_s
        self._number, self._absent = lease.number, False
        if self._renewed_s is None and elapsed_s - self._seen_s <= lease.for_s:
            return f"{lease.by} has not renewed it since this session began"
        since_s = self._seen_s if self._renewed_s is None else self._renewed_s
        age_s = max(elapsed_s - since_s, (now - lease.at).total_seconds())
        if age_s > lease.for_s:
            return f"{lease.by} has not renewed it for {lease.for_s:g} s"
        return ""
