"""Tells people by the log, and by the outbox: a thread of its own writes it, so that no event waits for a disk."""

from __future__ import annotations

import atexit
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast
from uuid import uuid4

from magellan.errors import MagellanError
from magellan.ledger.known_secrets import KnownSecrets
from magellan.ports.notifier import Notifier
from magellan.ports.outbox import Message
from magellan.workspace.notification_terms import Severity

_DRAINS_WITHIN_S = 5.0


class OutboxNotifier:
    """Keeps `ports.notifier.Notifier`.

    log:     told first, and told too when the outbox cannot be written.
    enqueue: puts a message into the queues of the channels that want it; may raise MagellanError.
    source:  who says it: an account, or "workspace".
    secrets: what is hidden in a text.
    """

    def __init__(
        self, log: Notifier, enqueue: Callable[[Message], object], *, source: str, secrets: KnownSecrets
    ) -> None:
        self._log = log
        self._enqueue = enqueue
        self._source = source
        self._secrets = secrets
        self._waiting: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def tell(self, severity: str, text: str, at: datetime) -> None:
        """See the port."""
        self._log.tell(severity, text, at)
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="outbox", daemon=True)
            self._thread.start()
            atexit.register(self.close)
        self._waiting.put(
            Message(
                message_id=uuid4().hex[:12],
                # By the wall clock, whatever the session's shows: that is what a person's phone goes by.
                at=datetime.now(UTC),
                severity=cast(Severity, severity),
                source=self._source,
                text=self._secrets.hidden_in(text),
            )
        )

    def close(self) -> None:
        """Wait, some seconds at most, until everything is on the disk."""
        if self._thread is not None and self._thread.is_alive():
            self._waiting.put(None)
            self._thread.join(_DRAINS_WITHIN_S)

    def _write(self) -> None:
        while (message := self._waiting.get()) is not None:
            try:
                self._enqueue(message)
            except MagellanError as error:
                self._log.tell("warning", f"nobody else was told: {error.message}", message.at)
