"""The image of a release: its files, its engine and its locked dependencies on a base that is pinned by digest.

What is built is known before it is: the recipe's digest is a label of the image, and an image that bears another one is
not taken for the release's, whoever tagged it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Final

RELEASES: Final = "/opt/magellan"  # where releases lie in the image, as `installed_releases.py` lays them out
RECIPE_LABEL: Final = "io.magellan.recipe"
RELEASE_LABEL: Final = "io.magellan.release"
_LOCK: Final = f"{RELEASES}/requirements.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What an image is made of."""

    strategy: str
    release_id: str
    engine: str  # name of the engine's folder: the digest of its files
    base_image: str  # pinned: NAME@sha256:... or sha256:...
    installs: bool  # the locked dependencies; otherwise the base has them
    has_wheels: bool  # the build context has them, and no index is asked

    @property
    def tag(self) -> str:
        """`magellan/bear_trap:1f3a90c2...e5`. For people: what is started is named by the image's own digest."""
        return f"magellan/{self.strategy}:{self.release_id}"

    @property
    def recipe(self) -> str:
        """SHA-256 of everything that the image is made of; the release's id stands for its files."""
        return hashlib.sha256(self._instructions().encode()).hexdigest()

    @property
    def dockerfile(self) -> str:
        """The whole file. No secret, and nothing that differs from one build to the next, goes in."""
        labels = f'LABEL {RELEASE_LABEL}="{self.release_id}" {RECIPE_LABEL}="{self.recipe}"\n'
        return self._instructions() + labels

    def _instructions(self) -> str:
        lines = [
            "# written by Magellan; changes are lost",
            f"# {self.strategy}, release {self.release_id}, engine {self.engine}",
            f"FROM {self.base_image}",
        ]
        if self.installs:
            command = ["python", "-m", "pip", "install", "--no-cache-dir", "--no-deps", "--require-hashes"]
            command += ["--no-index", "--find-links", "/tmp/wheels"] if self.has_wheels else []
            lines.append(f"COPY installed/{self.release_id}/requirements.lock {_LOCK}")
            if self.has_wheels:
                lines.append("COPY wheels /tmp/wheels")
            lines.append(f"RUN {json.dumps([*command, '--requirement', _LOCK])}")
        lines += [
            f"COPY engines {RELEASES}/engines",
            f"COPY installed {RELEASES}/installed",
            f"ENV PYTHONPATH={RELEASES}/engines/{self.engine} MAGELLAN_INSTALLED={RELEASES}",
            "USER 65534:65534",  # nobody, where a compose file does not say otherwise
        ]
        return "\n".join(lines) + "\n"
