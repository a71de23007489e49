"""A release that is installed within milliseconds: its engine is a few lines that lead to this repository."""

from __future__ import annotations

from pathlib import Path

from magellan.release.artifact import Artifact
from magellan.release.manifest import LOCK
from release.conftest import Bench

_ROOT = Path(__file__).parents[3]
# In place of the engine: the lab's instance, by this repository's own code. A container asks for its health too.
_ENGINE = f"""import sys
from pathlib import Path

if sys.argv[1] == "instance":
    del sys.modules["magellan"]
    sys.path[:0] = [{str(_ROOT / "src")!r}, {str(_ROOT / "tests")!r}]
    from lab.hosts.short_instance import instance

    instance(sys.argv[2], Path(sys.argv[4]))
"""


def quick_release(bench: Bench, version: str, behaviour: bytes) -> Artifact:
    """Alike but for their version, and for what they do: well, exits, or mute."""
    engine = {"engine/magellan/__init__.py": b"", "engine/magellan/__main__.py": _ENGINE.encode(), LOCK: b""}
    return bench.release(version=version, files={**engine, "strategy/strategy.py": behaviour + b"\n"})
