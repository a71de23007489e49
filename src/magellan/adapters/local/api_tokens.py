"""The tokens of a workspace in one file that its owner alone may read. Keeps `ports.api_tokens.ApiTokens`."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from magellan.adapters.durable_file import write_durably
from magellan.errors import AskOperator
from magellan.ports.api_tokens import ApiToken, Scope


class ApiTokenFile:
    """A file of digests. Read anew when it changes, so that a token that is revoked opens nothing from then on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_as: tuple[int, int] | None = None
        self._tokens: tuple[ApiToken, ...] = ()

    def tokens(self) -> tuple[ApiToken, ...]:
        """See the port."""
        try:
            now = self._path.stat()
        except FileNotFoundError:
            return ()
        if (now.st_mtime_ns, now.st_size) != self._read_as:
            try:
                document = json.loads(self._path.read_bytes())
                self._tokens = tuple(_token(each) for each in document["tokens"])
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise AskOperator(
                    f"{self._path} cannot be read: {error}", next_step="remove it, and issue tokens anew"
                ) from error
            self._read_as = (now.st_mtime_ns, now.st_size)
        return self._tokens

    def keep(self, tokens: tuple[ApiToken, ...]) -> None:
        """See the port."""
        document = {
            "tokens": [
                {
                    "name": each.name,
                    "sha256": each.sha256,
                    "scopes": sorted(each.scopes),
                    "issued_at": each.issued_at.isoformat(),
                    "ends_at": None if each.ends_at is None else each.ends_at.isoformat(),
                }
                for each in tokens
            ]
        }
        text = json.dumps(document, indent=2) + "\n"
        write_durably(self._path, text.encode(), kept="the tokens that there were")
        self._path.chmod(
            0o600
        )  # digests of long random tokens: of no use to others, and none of their business
        self._read_as = None


def _token(document: dict[str, Any]) -> ApiToken:
    return ApiToken(
        name=document["name"],
        sha256=document["sha256"],
        scopes=frozenset(Scope(each) for each in document["scopes"]),
        issued_at=datetime.fromisoformat(document["issued_at"]),
        ends_at=None if document["ends_at"] is None else datetime.fromisoformat(document["ends_at"]),
    )
