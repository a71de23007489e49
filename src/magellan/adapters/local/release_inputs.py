"""This installation of Magellan as part of a release, and what git says of a strategy's folder."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import magellan
from magellan.errors import AskOperator
from magellan.release.manifest import Commit

_GIT_S: Final = 20.0
_PACKAGE: Final = Path(magellan.__file__).parent
# What an installed package holds beside itself: examples, and what is a part of a release of its own.
_NOT_THE_ENGINE: Final = ("workspace/reference/", "requirements.lock")


class ThisInstallation:
    """Keeps `ports.release_inputs.ReleaseInputs`."""

    def engine_version(self) -> str:
        """See the port."""
        return magellan.__version__

    def engine_files(self) -> Mapping[str, bytes]:
        """See the port."""
        found = {}
        for path in sorted(_PACKAGE.rglob("*")):
            inside = path.relative_to(_PACKAGE).as_posix()
            if path.is_file() and "__pycache__" not in path.parts and not inside.startswith(_NOT_THE_ENGINE):
                found[f"{_PACKAGE.name}/{inside}"] = path.read_bytes()
        return found

    def lock(self) -> bytes:
        """See the port."""
        for path in (_PACKAGE / "requirements.lock", _PACKAGE.parents[1] / "requirements" / "run.lock"):
            if path.is_file():
                return path.read_bytes()
        raise AskOperator(
            "this installation holds no list of its dependencies", next_step="install magellan again"
        )

    def commit(self, folder: Path) -> Commit | None:
        """See the port."""
        head = _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--", ".")
        if not head or changed is None:
            return None
        return Commit(id=head.strip(), is_clean=not changed.strip())


def _git(folder: Path, *arguments: str) -> str | None:
    """What git printed; None where there is no git, or it refused: then nobody knows a commit."""
    try:
        ran = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_GIT_S,
            check=False,
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return None
    return ran.stdout if ran.returncode == 0 else None
