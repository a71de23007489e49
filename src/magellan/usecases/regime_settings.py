"""Regime settings: the config that an analysis uses, from a file or the workspace's own."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from magellan.errors import FixInput
from magellan.regime.config import RegimeConfig

REGIME_FILE: Final = "regime.toml"


def regime_config(named: Path | None, workspace: Path | None) -> RegimeConfig:
    """The config of a TOML or JSON file; without one the workspace's regime.toml; without that the defaults.

    Raises: FixInput naming every value that is wrong, by its key.
    """
    path = named
    if path is None:
        path = None if workspace is None else workspace / REGIME_FILE
        if path is None or not path.is_file():
            return RegimeConfig()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FixInput(
            f"{path} cannot be read as text: {error}", next_step="name a TOML or JSON file"
        ) from error
    try:
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError) as error:
        raise FixInput(f"{path}: {error}", next_step="correct the line that is named") from error
    try:
        # Through JSON: TOML's lists are the model's tuples, and nothing else is converted.
        return RegimeConfig.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        found = "; ".join(
            f"{'.'.join(str(part) for part in each['loc']) or 'the document'}: {each['msg']}"
            for each in error.errors()
        )
        raise FixInput(f"{path}: {found}", next_step="correct the values that are named") from error
