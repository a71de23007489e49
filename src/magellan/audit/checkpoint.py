"""Checkpoint: where chains ended at an instant, signed, to be kept where whoever could rewrite the chains cannot write.

A chain shows that its lines follow from each other. That nobody cut off its end, or wrote the whole of it anew, shows
only against a head that was noted elsewhere. A checkpoint is such a note, and says whose word it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from magellan.errors import AskOperator
from magellan.ledger.chain import Head

CHANGES: Final = "changes"
_KIND: Final = (
    "magellan audit checkpoint, format 1\n"  # what the signed bytes begin with: they mean nothing else
)
_HEAD: Final = re.compile(r"(\d{1,18}):([0-9a-f]{64})")


def ledger_chain(account: str) -> str:
    """The name of an account's chain in a checkpoint."""
    return f"ledger:{account}"


def statement(at: datetime, heads: Mapping[str, Head]) -> bytes:
    """The bytes that are signed. heads: by the name of their chain."""
    told = {"at": at.isoformat(), "heads": {name: str(head) for name, head in heads.items()}}
    return f"{_KIND}{json.dumps(told, sort_keys=True, separators=(',', ':'))}".encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One note, as it is kept: a line of JSON."""

    at: datetime  # aware, UTC
    heads: Mapping[str, Head]  # by the name of their chain
    public_key: str  # base64
    signature: str  # base64, over `statement`

    @property
    def statement(self) -> bytes:
        """What was signed."""
        return statement(self.at, self.heads)

    def line(self) -> bytes:
        """As it is kept."""
        told = {
            "at": self.at.isoformat(),
            "heads": {name: str(head) for name, head in self.heads.items()},
            "public_key": self.public_key,
            "signature": self.signature,
        }
        return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()

    @classmethod
    def parsed(cls, line: bytes, *, name: str) -> Self:
        """Raises AskOperator for a line that no checkpoint was written as. name: of the file, for the error."""
        try:
            told: Any = json.loads(line)
            heads = {}
            for chain, text in told["heads"].items():
                found = _HEAD.fullmatch(text)
                if found is None:
                    raise ValueError(f"{text} is no head")
                heads[str(chain)] = Head(number=int(found[1]), hash=found[2])
            return cls(
                at=datetime.fromisoformat(told["at"]),
                heads=heads,
                public_key=str(told["public_key"]),
                signature=str(told["signature"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise AskOperator(
                f"{name} holds a line that is no checkpoint",
                kept="the audit log, as it is",
                next_step="find out what changed the file, and restore it from a copy",
            ) from error
