"""The outbox: what people are to be told, kept until a channel has taken it.

Kept by `adapters/local/outbox_folder.py`. Each channel has a queue of its own: one that fails holds up no other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from magellan.workspace.notification_terms import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One thing that people are to be told."""

    message_id: str
    at: datetime  # aware, UTC: when it happened
    severity: Severity
    source: str  # who says it: an account, or "workspace"
    text: str

    @property
    def incident(self) -> str:
        """What is the same trouble: the same words from the same source, whatever numbers stand in them."""
        return f"{self.source}/{self.severity}/{re.sub(r'[0-9]+', '#', self.text)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelState:
    """What is remembered of a channel."""

    failures: int = 0  # since it last took something
    next_at: datetime | None = None  # not before then
    last_error: str = ""  # without a secret
    last_sent_at: datetime | None = None
    told: Mapping[str, datetime] = field(default_factory=dict)  # incident: when it was last told


class ChannelQueue(Protocol):
    """The queue of one channel, while this process is the only one that delivers from it."""

    def waiting(self) -> tuple[Message, ...]:
        """What is to be told, the oldest first."""
        ...

    def state(self) -> ChannelState:
        """What is remembered."""
        ...

    def keep(self, state: ChannelState) -> None:
        """Remember it; on the disk when this returns."""
        ...

    def remove(self, messages: Sequence[Message], *, undelivered: bool = False) -> None:
        """Take them out: they were told; or, `undelivered`, given up, and put aside."""
        ...


class Outbox(Protocol):
    """All queues of a workspace. Any process adds to them; raises AskOperator where a message cannot be kept."""

    def add(self, channel: str, message: Message) -> None:
        """Put it into that channel's queue; on the disk when this returns."""
        ...

    def peek(self, channel: str) -> tuple[tuple[Message, ...], ChannelState, int]:
        """What waits, what is remembered, and how many were given up; without touching anything."""
        ...

    def delivering(self, channel: str) -> AbstractContextManager[ChannelQueue | None]:
        """Deliver from that channel until the `with` ends. None: another process does."""
        ...


class Transport(Protocol):
    """One channel, as messages are handed to it. Kept by `adapters/apprise_transport.py`."""

    def send(self, severity: Severity, title: str, body: str) -> str:
        """Hand it over. "": it was taken; otherwise why not, without a secret. Takes some seconds at most."""
        ...
