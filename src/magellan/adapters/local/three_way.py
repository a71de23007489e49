"""Three versions of a file made into one, by git."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path


def merged(base: bytes, ours: bytes, theirs: bytes) -> bytes | None:
    """What `ours` and `theirs` both made of `base`; None where they changed the same lines, or git is not there."""
    with tempfile.TemporaryDirectory(prefix="magellan-merge-") as folder:
        paths = []
        for name, content in (("ours", ours), ("base", base), ("theirs", theirs)):
            paths.append(Path(folder) / name)
            paths[-1].write_bytes(content)
        try:
            done = subprocess.run(
                ["git", "merge-file", "--stdout", *map(str, paths)],
                capture_output=True,
                timeout=60,
                check=False,
            )
        except FileNotFoundError:
            return None
    return done.stdout if done.returncode == 0 else None
