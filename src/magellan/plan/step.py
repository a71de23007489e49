"""A step: one small change of the outside world, and the way back from it.

A step is a frozen value: its fields say what is to be done, and the same fields are the same step in any process. What
it acts on (a tree of files, a host) is handed to it, so that a plan can be printed, stored and compared without
touching anything. `docs/guides/plans.md` shows how to write one.
"""

from __future__ import annotations

import dataclasses
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final, Generic, TypeVar

World_contra = TypeVar("World_contra", contravariant=True)
"""What steps act on; each kind of step names the smallest interface that it needs."""

Before = Mapping[str, Any]
"""What undo will need to know of the world before the step, as JSON: it is in the journal before anything is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDone:
    """The step can be done, and nothing of it has happened."""

    before: Before = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A part of the step has happened. `do` finishes it from here, and `undo` takes it back from here."""

    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """The world is as the step wants it."""

    note: str = ""  # evidence worth keeping, e.g. "release 41f9 answered after 1.2 s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocked:
    """As things stand, the step can neither be done nor be taken for done.

    about: those of its names that this rests on, whatever lies at the others; empty: all that it changes and needs.
    """

    why: str
    about: frozenset[str] = frozenset()


class NotOurs(Exception):
    """Raised by undo where it would take away what somebody else has made meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Nobody can tell from here. A person is asked; nothing is guessed."""

    why: str


Answer = NotDone | Begun | Done | Blocked | Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how often a step may try."""

    timeout_s: float | None = None  # for each call of check, do, verify and undo; None: as long as it takes
    # More than 1 says that do and undo are idempotent: each may be called again without knowing what became of the
    # call before. Tried again are time-outs and errors of the kind TryAgain, nothing else.
    attempts: int = 1
    pause_s: float = 0.5  # before the second attempt; doubled before each one after it

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"a step with {self.attempts} attempts would never be done")
        if self.pause_s < 0 or (self.timeout_s is not None and self.timeout_s <= 0):
            raise ValueError(f"limits that time cannot keep: {self}")


_NO_LIMITS: Final = Limits()


class Step(ABC, Generic[World_contra]):
    """One small change. Subclasses are frozen dataclasses of plain values; never of a secret, only of its name.

    All four calls may raise MagellanError or OSError to say why they failed; `check` and `verify` change nothing.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def title(self) -> str:
        """What is done, in a few words that name the things concerned: "move a.py to shop/a.py"."""

    @abstractmethod
    async def check(self, world: World_contra, before: Before | None) -> Answer:
        """How the world stands to this step.

        before: None while the step's intent is not recorded. Afterwards what `NotDone` told then; the step may have
                been done, half done or not at all, by this process or by one that was killed.
        """

    @abstractmethod
    async def do(self, world: World_contra, before: Before) -> None:
        """Make the change. Called where `check` says NotDone or Begun.

        When it returns, what it did survives a power cut; where `settles_with_its_batch`, once `settle` has returned.
        """

    @abstractmethod
    async def undo(self, world: World_contra, before: Before) -> None:
        """Put back what was there before. Called where `check` says Done or Begun; it says NotDone afterwards."""

    async def verify(self, world: World_contra, before: Before) -> Answer:
        """Whether what was done has the effect that was wanted. Anything but Done is a failure of the step."""
        return await self.check(world, before)

    @property
    def settles_with_its_batch(self) -> bool:
        """Whether do and undo leave it to `settle` to wait for the disk."""
        return False

    async def settle(self, world: World_contra) -> None:
        """Let what was done or undone survive a power cut. Called for every step of a batch, after the last one.

        So 1,000 moves among 20 folders wait 20 times. Until then nothing is recorded as done.
        """

    @property
    def limits(self) -> Limits:
        """How long and how often the step may try."""
        return _NO_LIMITS

    @property
    def changes(self) -> frozenset[str]:
        """Names of what the step changes, in any form that the plan's other steps share, such as paths."""
        return frozenset()

    @property
    def needs(self) -> frozenset[str]:
        """Names of what must not change while the step is done; a dry run sees by them what depends on what."""
        return frozenset()

    def description(self) -> dict[str, Any]:
        """The step's fields as JSON. Content is named by its checksum."""
        assert dataclasses.is_dataclass(self), f"{type(self).__name__} is not a dataclass"
        return {each.name: _plain(getattr(self, each.name)) for each in dataclasses.fields(self)}


def storable(text: str) -> str:
    """Text as UTF-8 can hold it: what a file's name has of other bytes is written out, as \\udcff."""
    return text.encode(errors="backslashreplace").decode()


def _plain(value: Any) -> Any:
    """A field's value as JSON, the same in every process."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, bytes):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, PurePath | Decimal):
        return storable(str(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, frozenset):
        return sorted(_plain(each) for each in value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: _plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    raise TypeError(f"a step cannot be described by a {type(value).__name__}: {value!r}")
