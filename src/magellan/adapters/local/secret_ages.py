"""Since when secrets are what they are: `.magellan/secrets/ages.json`, its owner's alone.

A value is remembered by 32 bits of an HMAC under a random key of this file. That tells it from another one, and lets
nobody check a guess: of four billion guesses one fits by chance.
"""

from __future__ import annotations

import hmac
import json
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from magellan.adapters.durable_file import write_durably
from magellan.errors import AskOperator


class SecretAgeFile:
    """Keeps `ports.secret_ages.SecretAges`."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def mark(self, value: SecretStr) -> str:
        """See the port."""
        return _mark(self._read()["key"], value)

    def since(self, name: str, value: SecretStr, *, now: datetime) -> datetime:
        """See the port."""
        told = self._read()
        mark = _mark(told["key"], value)
        known = told["secrets"].get(name)
        if known is None or known["mark"] != mark:
            told["secrets"][name] = known = {"mark": mark, "since": now.isoformat()}
            self._write(told)
        return datetime.fromisoformat(known["since"])

    def _read(self) -> dict[str, Any]:
        try:
            told: dict[str, Any] = json.loads(self._file.read_bytes())
            if not (isinstance(told["key"], str) and isinstance(told["secrets"], dict)):
                raise TypeError
        except FileNotFoundError:
            told = {"key": secrets.token_hex(32), "secrets": {}}
            self._write(told)
        except (ValueError, KeyError, TypeError):
            raise AskOperator(
                f"{self._file} cannot be read, so nobody knows how old secrets are",
                next_step="move it away: ages are then counted from today",
            ) from None
        return told

    def _write(self, told: dict[str, Any]) -> None:
        content = json.dumps(told, indent=1).encode() + b"\n"
        write_durably(self._file, content, kept="the secrets themselves", mode=0o600)


def _mark(key: str, value: SecretStr) -> str:
    return hmac.digest(bytes.fromhex(key), value.get_secret_value().encode(), "sha256").hex()[:8]
