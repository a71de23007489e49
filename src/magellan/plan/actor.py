"""Who carries a plan out: a person, by a process on a host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person at work. Written into journals and locks."""

    person: str
    host: str
    pid: int

    def __str__(self) -> str:
        return f"{self.person} (process {self.pid} on {self.host})"
