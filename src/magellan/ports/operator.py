"""The operator: whoever may tell a running session to halt, go on, flatten or stop, from another process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorRequest:
    """One request. It is acknowledged once the session has acted on it, so that none is lost between two processes."""

    request_id: str
    asks: str  # halt, resume, flatten, stop or stop_flat
    person: str
    reason: str
    source: str  # command, file, signal, http or watchdog


class OperatorDesk(Protocol):
    """Whoever asks. Kept by `adapters/local/control_folder.py`."""

    def leave(self, request: OperatorRequest) -> None:
        """Leave a request for the session that runs, or the next one. Raises AskOperator when it cannot be kept."""
        ...

    def is_acknowledged(self, request: OperatorRequest) -> bool:
        """Whether a session has acted on it."""
        ...

    def waiting(self) -> list[OperatorRequest]:
        """Requests that no session has acted on."""
        ...


class OperatorRequests(Protocol):
    """The session that is asked. Kept by `adapters/local/control_folder.py`."""

    def requests(self) -> AsyncIterator[OperatorRequest]:
        """Requests as they come, those that were left while no session ran included."""
        ...

    def acknowledge(self, request: OperatorRequest) -> None:
        """The session has acted on it: it does not come again."""
        ...
