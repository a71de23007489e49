"""Open a release where it was installed: the very files that were approved, in the very engine that they came with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import magellan
from magellan.deploy.instance import Instance
from magellan.errors import AskOperator
from magellan.release.manifest import Manifest, shown
from magellan.usecases.load_strategy import LoadedStrategy, load_strategy
from magellan.workspace.workspace import Stage, StrategyFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledRelease:
    """A release on this host, as whoever keeps it found it."""

    manifest: Manifest
    strategy_folder: Path
    engine_folder: Path
    drift: tuple[str, ...]


def open_installed(instance: Instance, installed: InstalledRelease) -> LoadedStrategy:
    """The release's strategy, ready to run.

    Raises: AskOperator for a file that was edited since it was signed, and for another engine than the release's;
    FixInput as `load_strategy` does.
    """
    name = shown(instance.release_id)
    if installed.drift:
        raise AskOperator(
            f"release {name} is not what was approved: {'; '.join(installed.drift[:5])}",
            kept="nothing was traded",
            next_step="roll back, or remove the release from this host and deploy it again",
        )
    running = Path(magellan.__file__).resolve().parent.parent
    if running != installed.engine_folder:
        raise AskOperator(
            f"release {name} brings its own engine, and this process runs the one in {running}",
            kept="nothing was traded",
            next_step="let the target's supervisor start it; it knows where the engine lies",
        )
    folder = StrategyFolder(
        path=installed.strategy_folder, stage=Stage(instance.stage), called=instance.strategy
    )
    loaded = load_strategy(folder)
    manifest = installed.manifest
    if (loaded.code_sha256, loaded.config_sha256) != (manifest.code_sha256, manifest.config_sha256):
        raise AskOperator(
            f"release {name} reads otherwise here than where it was built",
            kept="nothing was traded",
            next_step="deploy a release that this version of Magellan built",
        )
    return loaded
