"""The notifier: how a person is told that they must look."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Notifier(Protocol):
    """Tells people. It never raises and never blocks: what tells must not hurt trading."""

    def tell(self, severity: str, text: str, at: datetime) -> None:
        """severity: info, warning or critical."""
        ...
