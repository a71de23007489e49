"""Digest of what a host must know alike with the workspace that deploys to it."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from magellan.workspace.workspace import WorkspaceSettings

_NOT_ON_THE_HOST: Final = {"deploy", "freeze", "promotion", "backup", "targets"}  # the controller's business


def settings_digest(settings: WorkspaceSettings, target: str) -> str:
    """Over everything that instances trade by on that target: accounts, keys, limits, and the target's own section."""
    told = settings.model_dump(mode="json", exclude=_NOT_ON_THE_HOST)
    section = settings.targets.get(target)
    told["target"] = None if section is None else section.model_dump(mode="json")
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
