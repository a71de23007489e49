"""What to say when an optional library is not installed."""

from __future__ import annotations

import shlex
import sys

from magellan.errors import FixInput


def extra_missing(extra: str, error: ImportError) -> FixInput:
    """The error for a command that needs the extra. extra: as in pyproject.toml, for example alpaca."""
    return FixInput(
        f"this needs the extra '{extra}', which is not installed ({error})",
        next_step=f"install it with: {shlex.quote(sys.executable)} -m pip install 'magellan-trading[{extra}]'",
    )
