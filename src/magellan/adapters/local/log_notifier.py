"""Alerts in the log, which is where every other channel begins."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

_LEVELS: Final = {"info": "info", "warning": "warning", "critical": "critical"}


class LogNotifier:
    """Keeps `ports.notifier.Notifier`."""

    def __init__(self, log: Any) -> None:
        self._log = log

    def tell(self, severity: str, text: str, at: datetime) -> None:
        """See the port."""
        getattr(self._log, _LEVELS[severity])(text, session_time=at.isoformat())
