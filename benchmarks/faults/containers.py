"""The ground of containers: a Docker engine of our own, and images with what the lab's instance loads."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from benchmarks.faults.ground import NAME, ROOT, Ground, ground_of, trusting
from lab.compose.base_image import base_image
from lab.compose.own_engine import own_engine
from magellan.wiring.hosts import container_keepers, host, host_folder
from magellan.workspace.workspace import Workspace
from release.conftest import Bench

# What the instance of tests/lab/hosts loads, and no more: the image is made anew for each slice.
_PACKAGES = (
    "annotated-doc", "annotated-types", "cffi", "click", "cryptography", "greenlet", "markdown-it-py", "mdurl",
    "numpy", "orjson", "pycparser", "pydantic", "pydantic-core", "pygments", "rich", "shellingham", "sqlalchemy",
    "typer", "typing-extensions", "typing-inspection", "tzdata",
)  # fmt: skip


@contextmanager
def compose() -> Iterator[Ground]:
    """Each instance a container."""
    bench = Bench()
    with own_engine() as engine, tempfile.TemporaryDirectory(prefix="magellan-faults-") as folder:
        assert engine.begin(), engine.last_words()
        base = base_image(
            ["docker", "--host", engine.environment["DOCKER_HOST"]],
            with_packages=True,
            only=_PACKAGES,
            also=(ROOT / "src", ROOT / "tests"),
        )
        root = Path(folder)
        (root / "magellan.toml").write_text(
            f"""{trusting(bench)}
[targets.{NAME}]
kind = "compose"
base_image = "{base}"
dependencies = "in-base-image"
network = "none"
memory_mb = 512
"""
        )
        workspace = Workspace.at(root)
        with mock.patch.dict(os.environ, engine.environment):
            here = host(workspace, NAME, os.environ)
            (keeper,) = container_keepers(workspace, os.environ)
            files = host_folder(workspace)

            def heal() -> None:
                assert engine.begin(), engine.last_words()
                keeper.start_all(files.instance_keys())

            ground = ground_of(workspace, here, here, bench, end_keeper=engine.end, heal=heal)
            try:
                yield ground
            finally:
                heal()
                for key in files.instance_keys():
                    keeper.stop(key)
