"""Which top-level modules an interpreter can import, besides those of the tree that it is asked about."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

from magellan.errors import FixInput

_ASK: Final = (
    "import json, pkgutil, sys\n"
    "names = {found.name for found in pkgutil.iter_modules()} | set(sys.builtin_module_names)\n"
    "print(json.dumps(sorted(names)))\n"
)
_TIME_LIMIT_S: Final = 60


def installed_modules(python: str = sys.executable) -> frozenset[str]:
    """Names of modules and packages on the interpreter's own path. Raises FixInput where it cannot be asked."""
    try:
        answer = subprocess.run(
            [python, "-I", "-c", _ASK], capture_output=True, text=True, check=True, timeout=_TIME_LIMIT_S
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise FixInput(
            f"{python} cannot be asked what is installed: {error}",
            next_step="name the project's interpreter with --python",
        ) from error
    names: list[str] = json.loads(answer.stdout)
    return frozenset(names)
