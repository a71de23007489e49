"""What promotions leave behind: every verdict with its evidence, and every approval."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from magellan.deploy.promotion.approval import Approval
from magellan.ledger.chain import Head


class PromotionRecords(Protocol):
    """Kept by `adapters/local/promotion_records.py`."""

    def keep_verdict(self, strategy: str, at: datetime, document: Mapping[str, Any]) -> Path:
        """Keep a verdict with all its evidence; returns where. `at`: aware, UTC."""
        ...

    def noted_head(self, strategy: str, account: str) -> Head | None:
        """Where the ledger of that account ended when the newest kept verdict looked; None: nobody looked yet.

        Raises AskOperator for a record that cannot be read.
        """
        ...

    def keep_approval(self, approval: Approval) -> Path:
        """Keep an approval; returns where."""
        ...

    def approvals(self, strategy: str) -> tuple[Approval, ...]:
        """All of a strategy, oldest first. Raises AskOperator for a record that cannot be read."""
        ...
