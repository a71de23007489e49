"""The outbox as files: `.magellan/outbox/CHANNEL/<when>-<id>.json`, one per message, gone once the channel took it.

`state.json` beside them is what is remembered of the channel; `undelivered/` holds what was given up.
"""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from magellan.adapters.durable_file import cannot_write, make_folder_durably, write_durably
from magellan.adapters.local.only_one import only_one
from magellan.ports.outbox import ChannelQueue, ChannelState, Message

_KEPT: Final = "the alarm in the log and in the ledger"
_STATE: Final = "state.json"


class OutboxFolder:
    """Keeps `ports.outbox.Outbox`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, channel: str, message: Message) -> None:
        """See the port."""
        path = _file(self._folder / channel, message)
        content = {
            "message_id": message.message_id,
            "at": message.at.isoformat(),
            "severity": message.severity,
            "source": message.source,
            "text": message.text,
        }
        write_durably(path, json.dumps(content, ensure_ascii=False).encode() + b"\n", kept=_KEPT)

    def peek(self, channel: str) -> tuple[tuple[Message, ...], ChannelState, int]:
        """See the port."""
        queue = _QueueFolder(self._folder / channel)
        undelivered = len(list((self._folder / channel / "undelivered").glob("*.json")))
        return queue.waiting(), queue.state(), undelivered

    @contextmanager
    def delivering(self, channel: str) -> Generator[ChannelQueue | None]:
        """See the port."""
        with only_one(self._folder / f"{channel}.lock") as alone:
            yield _QueueFolder(self._folder / channel) if alone else None


class _QueueFolder:
    """Keeps `ports.outbox.ChannelQueue`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def waiting(self) -> tuple[Message, ...]:
        found = (_read(path) for path in sorted(self._folder.glob("*-*.json")))
        return tuple(each for each in found if each is not None)

    def state(self) -> ChannelState:
        try:
            told: dict[str, Any] = json.loads((self._folder / _STATE).read_bytes())
            return ChannelState(
                failures=int(told["failures"]),
                next_at=_instant(told["next_at"]),
                last_error=str(told["last_error"]),
                last_sent_at=_instant(told["last_sent_at"]),
                told={name: datetime.fromisoformat(at) for name, at in told["told"].items()},
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            # What is forgotten is told once more, which is better than not at all.
            return ChannelState()

    def keep(self, state: ChannelState) -> None:
        content = {
            "failures": state.failures,
            "next_at": None if state.next_at is None else state.next_at.isoformat(),
            "last_error": state.last_error,
            "last_sent_at": None if state.last_sent_at is None else state.last_sent_at.isoformat(),
            "told": {name: at.isoformat() for name, at in state.told.items()},
        }
        write_durably(self._folder / _STATE, json.dumps(content).encode() + b"\n", kept=_KEPT)

    def remove(self, messages: Sequence[Message], *, undelivered: bool = False) -> None:
        aside = self._folder / "undelivered"
        if undelivered:
            make_folder_durably(aside, kept=_KEPT)
        for message in messages:
            path = _file(self._folder, message)
            try:
                if undelivered:
                    os.replace(path, aside / path.name)
                else:
                    path.unlink(missing_ok=True)
            except OSError as error:
                raise cannot_write(path, error, kept=_KEPT) from error


def _file(folder: Path, message: Message) -> Path:
    return folder / f"{message.at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{message.message_id}.json"


def _read(path: Path) -> Message | None:
    """The message; None for a file that somebody else just took out, or that nobody of ours wrote."""
    try:
        told = json.loads(path.read_bytes())
        return Message(
            message_id=told["message_id"],
            at=datetime.fromisoformat(told["at"]),
            severity=told["severity"],
            source=told["source"],
            text=told["text"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
