"""Promotion records as files in the workspace's .magellan folder.

.magellan/promotions/bear_trap/verdicts/20260121T213000Z-inconclusive.json
.magellan/promotions/bear_trap/approvals/20260121T213500Z-prod.json
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from magellan.adapters.durable_file import write_durably
from magellan.deploy.promotion.approval import Approval, parsed
from magellan.errors import AskOperator
from magellan.ledger.chain import Head

_KEPT: Final = "all earlier verdicts and approvals"


class PromotionRecordFiles:
    """Keeps `ports.promotion_records.PromotionRecords`."""

    def __init__(self, root: Path) -> None:
        """root: made when the first one is kept."""
        self._root = root

    def keep_verdict(self, strategy: str, at: datetime, document: Mapping[str, Any]) -> Path:
        """See the port."""
        path = self._root / strategy / "verdicts" / f"{at:%Y%m%dT%H%M%S%fZ}-{document['answer']}.json"
        write_durably(path, _json(document), kept=_KEPT)
        return path

    def noted_head(self, strategy: str, account: str) -> Head | None:
        """See the port."""
        for path in sorted((self._root / strategy / "verdicts").glob("*.json"), reverse=True):
            try:
                soak = json.loads(path.read_bytes())["evidence"]["soak"]
                if soak.get("account") == account and not soak["chain_problem"]:
                    number, _, digest = soak["head"].partition(":")
                    return Head(number=int(number), hash=digest)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise _unreadable(path, error) from None
        return None

    def keep_approval(self, approval: Approval) -> Path:
        """See the port."""
        name = f"{approval.approved_at:%Y%m%dT%H%M%S%fZ}-{approval.to_stage}.json"
        path = self._root / approval.strategy / "approvals" / name
        write_durably(path, _json(approval.document()), kept=_KEPT)
        return path

    def approvals(self, strategy: str) -> tuple[Approval, ...]:
        """See the port."""
        found = []
        for path in sorted((self._root / strategy / "approvals").glob("*.json")):
            try:
                found.append(parsed(json.loads(path.read_bytes())))
            except (ValueError, KeyError, TypeError) as error:
                raise _unreadable(path, error) from None
        return tuple(found)


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _unreadable(path: Path, error: Exception) -> AskOperator:
    return AskOperator(
        f"{path} does not read as what was kept there: {error!r}",
        kept="the file, as it is",
        next_step="restore it from a backup, or set it aside",
    )
