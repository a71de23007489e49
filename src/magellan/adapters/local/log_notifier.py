"""Alerts in the log, which is where every other channel begins."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import structlog

_LEVELS: Final = {"info": "info", "warning": "warning", "critical": "critical"}


class LogNotifier:
    """Keeps `ports.notifier.Notifier`."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("magellan.alert")

    def tell(self, severity: str, text: str, at: datetime) -> None:
        """See the port."""
        getattr(self._log, _LEVELS[severity])(text, session_time=at.isoformat())
