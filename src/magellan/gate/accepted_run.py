"""Accepted runs: what a person took responsibility for, kept so that it cannot be edited unnoticed.

Symbols that nobody had validated, and a threshold that had been moved in production, once traded for weeks
(incidents 7 and 8). So the newest accepted run is a lock: a strategy whose code or config differs from it is
not the one that was accepted, and the gates stay shut until a person accepts the difference by name.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Final

from magellan.errors import AskOperator
from magellan.workspace.config_file import canonical_json

_FORMAT: Final = 1
_BEGINNING: Final = ""  # the digest before the first


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedRun:
    """One run that a person accepted."""

    strategy: str  # prod/bear_trap
    code_sha256: str
    config_sha256: str
    config: Mapping[str, Any]  # what the digest is of, to say later what has changed
    run_id: str
    data: Mapping[str, str]  # digest of the rows used, by set
    measured: Mapping[str, float]  # what later runs are compared with: sharpe, drawdown, return, trades
    criteria_version: int
    accepted_by: str
    reason: str
    accepted_at: datetime  # aware, UTC

    def __post_init__(self) -> None:
        if not self.accepted_by.strip() or not self.reason.strip():
            raise ValueError(f"{self.strategy}: an accepted run names who accepted it, and why")
        if self.accepted_at.utcoffset() != timedelta(0):
            raise ValueError(f"{self.strategy}: accepted at {self.accepted_at!r}, which is not in UTC")


def parsed(text: str, *, name: str) -> tuple[AcceptedRun, ...]:
    """The accepted runs that a record holds, oldest first. `name` is the file's, for messages.

    Raises: AskOperator when anything but `written` has changed the record, naming the run.
    """
    try:
        document = json.loads(text)
        if document["format"] != _FORMAT:
            raise _damaged(name, f"its format is {document['format']}, and this Magellan reads {_FORMAT}")
        return tuple(_unsealed(document["runs"], name))
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(name, f"it does not read as one: {error!r}") from None


def written(runs: tuple[AcceptedRun, ...]) -> str:
    """The record of these runs as text that `parsed` reads back to the same runs."""
    document = {"format": _FORMAT, "runs": list(_sealed(runs))}
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def changes_since(
    accepted: AcceptedRun, *, code_sha256: str, config_sha256: str, config: Mapping[str, Any]
) -> tuple[str, ...]:
    """What differs from the accepted run, a few words each; empty when it is the same strategy."""
    changes = []
    if code_sha256 != accepted.code_sha256:
        changes.append("strategy.py")
    if config_sha256 != accepted.config_sha256:
        changes += _differences(accepted.config, config) or ["config.json"]
    return tuple(changes)


def _sealed(runs: tuple[AcceptedRun, ...]) -> Iterator[dict[str, Any]]:
    """Each run as a document with a digest of itself and of all runs before it."""
    previous = _BEGINNING
    for run in runs:
        document = {**asdict(run), "accepted_at": run.accepted_at.isoformat(), "previous": previous}
        previous = _seal(document)
        yield {**document, "sha256": previous}


def _unsealed(documents: list[dict[str, Any]], name: str) -> Iterator[AcceptedRun]:
    previous = _BEGINNING
    keys = {field.name for field in fields(AcceptedRun)}
    for number, document in enumerate(documents, start=1):
        content = {key: value for key, value in document.items() if key != "sha256"}
        if document["previous"] != previous or _seal(content) != document["sha256"]:
            raise _damaged(name, f"run {number} was changed after it was accepted")
        previous = document["sha256"]
        if content.keys() - {"previous"} != keys:
            raise _damaged(name, f"run {number} does not have the keys of an accepted run")
        yield AcceptedRun(
            **{key: content[key] for key in keys - {"accepted_at"}},
            accepted_at=datetime.fromisoformat(content["accepted_at"]),
        )


def _seal(document: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(document)).hexdigest()


def _damaged(name: str, why: str) -> AskOperator:
    return AskOperator(
        f"{name} is not a record of accepted runs that can be relied on: {why}",
        kept="the file, as it is",
        next_step="restore it from version control or a backup; or set it aside, and accept a run anew",
    )


def _differences(before: Any, after: Any, path: str = "") -> list[str]:
    """Where two documents differ: `parameters.drop_min: 15 -> 10`, `symbols: + TSLA, - AMC`."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = dict.fromkeys((*before, *after))
        return [
            found
            for key in keys
            for found in _differences(
                before.get(key, _ABSENT), after.get(key, _ABSENT), f"{path}.{key}" if path else str(key)
            )
        ]
    if _plain(before) == _plain(after):
        return []
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        gone = [f"- {item}" for item in before if item not in after]
        come = [f"+ {item}" for item in after if item not in before]
        return [f"{path}: {', '.join(come + gone) or 'in another order'}"]
    return [f"{path}: {_shown(before)} -> {_shown(after)}"]


_ABSENT: Final = object()


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Any) -> str:
    return "nothing" if value is _ABSENT else json.dumps(value, ensure_ascii=False, default=str)
