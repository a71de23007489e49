"""The compose target's process keeper: an instance is a container, its image is its release.

compose/KEY/Dockerfile, compose.yaml    what was generated for an instance, for people and for the engine

What runs a container again after a crash is the engine; after a restart of the machine it is `magellan host start`, so
that an instance which a person has stopped does not come back by itself.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from magellan.adapters.compose.engine import ContainerEngine
from magellan.adapters.compose.image import RECIPE_LABEL, RELEASES, Image
from magellan.adapters.compose.service import Confines, Service, project_of
from magellan.adapters.durable_file import make_folder_durably, write_durably
from magellan.adapters.local.host import HostFolder
from magellan.adapters.local.installed_releases import InstalledReleases
from magellan.deploy.instance import Process
from magellan.errors import AskOperator
from magellan.ports.process_keeper import LINES_KEPT, Kept, ProcessTerms

_KEPT: Final = "everything that runs"
# Of the machine and not of the instance: in the container they are the image's.
_OF_THE_MACHINE: Final = ("PATH", "HOME", "XDG_CACHE_HOME", "XDG_RUNTIME_DIR", "TMPDIR", "PYTHONPATH")
_STATES: Final = {
    "created": Process.RUNNING,
    "running": Process.RUNNING,
    "restarting": Process.RUNNING,
    "stopping": Process.RUNNING,
    "removing": Process.ENDED,
    "paused": Process.ENDED,
    "exited": Process.ENDED,
    "stopped": Process.ENDED,
    "dead": Process.ENDED,
    "configured": Process.ENDED,
    "initialized": Process.RUNNING,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposeTerms:
    """What images are built of, and what containers may use."""

    base_image: str  # pinned by digest
    wheels: Path | None
    installs: bool  # the dependencies; otherwise the base has them
    starts_within_s: float
    confines: Confines


class ImageEnvironments:
    """Keeps `adapters.local.environments.Environments`: an image brings its own packages."""

    def lacks(self, requirements: bytes) -> tuple[str, ...]:
        """See `Environments`."""
        return ()

    def make(self, requirements: bytes) -> Path:
        """See `Environments`."""
        return Path("python")


class ComposeKeeper:
    """Keeps `ports.process_keeper.ProcessKeeper`.

    files, releases: of this machine, which the images are built from.
    """

    def __init__(
        self,
        *,
        workspace: Path,
        files: HostFolder,
        releases: InstalledReleases,
        engine: ContainerEngine,
        terms: ComposeTerms,
    ) -> None:
        self._workspace = workspace
        self._files = files
        self._releases = releases
        self._engine = engine
        self._terms = terms

    def start(self, terms: ProcessTerms) -> None:
        """See the port. One that runs with another image or another file than this is made anew."""
        instance = self._files.instance(terms.key)
        if instance is None:
            raise AskOperator(f"{terms.key} is no instance of this machine", kept=_KEPT)
        engine = self._releases.engine_folder(instance.release_id).name
        image = self.image(instance.strategy, instance.release_id, engine)
        folder = self._folder(terms.key)
        write_durably(folder / "Dockerfile", image.dockerfile.encode(), kept=_KEPT)
        image_id = self._built(image)
        service = self.service(terms, image, image_id)
        file = folder / "compose.yaml"
        written = service.written().encode()
        is_same = file.is_file() and file.read_bytes() == written
        found = self._engine.container(terms.key)
        if is_same and found is not None and found.status == "running" and found.image_id == image_id:
            return
        write_durably(file, written, kept=_KEPT)
        self._engine.up(service.project, file)
        found = self._engine.container(terms.key)
        if found is None or found.image_id != image_id:
            raise AskOperator(
                f"{terms.key} was started, and runs the image {found.image_id if found else 'of nothing'}, "
                f"not {image_id}",
                kept="who may trade",
                next_step="look at the engine with its own commands",
            )

    def stop(self, key: str) -> None:
        """See the port."""
        found = self._engine.container(key)
        if found is not None:
            self._engine.remove(found)
        if self._folder(key).is_dir():
            shutil.rmtree(self._folder(key))

    def look(self, key: str) -> Kept:
        """See the port."""
        if not (self._folder(key) / "compose.yaml").is_file():
            return Kept(process=Process.ABSENT, pid=None, restarts=False)
        found = self._engine.container(key)
        if found is None:
            return Kept(process=Process.ENDED, pid=None, restarts=False)
        return Kept(
            process=_STATES.get(found.status, Process.ENDED),
            pid=found.pid,
            restarts=found.status == "restarting",
            began_at=found.began_at,
        )

    def last_words(self, key: str, log: Path, *, runs: bool) -> tuple[str, ...]:
        """See the port. The engine keeps what a container prints, line by line."""
        found = self._engine.container(key)
        return () if found is None else self._engine.last_lines(found, LINES_KEPT)

    def start_all(self, keys: Iterable[str]) -> None:
        """Start those of these instances that are containers and do not run, as after a restart of the machine."""
        for key in keys:
            file = self._folder(key) / "compose.yaml"
            if not file.is_file():
                continue
            found = self._engine.container(key)
            if found is None:
                self._engine.up(project_of(key), file)
            elif _STATES.get(found.status) is not Process.RUNNING:
                self._engine.begin(found)

    def stop_all(self, keys: Iterable[str]) -> None:
        """End those of these instances that are containers, in order; `start_all` starts the same ones again."""
        for key in keys:
            found = self._engine.container(key) if self._folder(key).is_dir() else None
            if found is not None:
                self._engine.end(found)

    def image(self, strategy: str, release_id: str, engine: str) -> Image:
        """What the image of a release is made of. engine: the name of its folder."""
        return Image(
            strategy=strategy,
            release_id=release_id,
            engine=engine,
            base_image=self._terms.base_image,
            installs=self._terms.installs,
            has_wheels=self._terms.wheels is not None,
        )

    def service(self, terms: ProcessTerms, image: Image, image_id: str) -> Service:
        """The instance as a container."""
        owner = self._workspace.stat()
        return Service(
            key=terms.key,
            image_id=image_id,
            workspace=self._workspace,
            state=self._files.folder.parent,
            environment=_environment(terms.environment, image),
            user=f"{owner.st_uid}:{owner.st_gid}",
            stop_within_s=terms.stop_within_s,
            starts_within_s=self._terms.starts_within_s,
            confines=self._terms.confines,
        )

    def _folder(self, key: str) -> Path:
        return self._files.folder / "compose" / key

    def _built(self, image: Image) -> str:
        """The image's id. It is built unless the engine has it, so that a way back needs no network."""
        found = self._engine.image(image.tag)
        if found is None or found.labels.get(RECIPE_LABEL) != image.recipe:
            with self._context(image) as context:
                self._engine.build(context, image.tag)
            found = self._engine.image(image.tag)
        if found is None or found.labels.get(RECIPE_LABEL) != image.recipe:
            raise AskOperator(
                f"{image.tag} was built, and the engine does not have it as it was",
                kept=_KEPT,
                next_step="look whether something else writes images of that name",
            )
        return found.id

    @contextmanager
    def _context(self, image: Image) -> Iterator[Path]:
        """Exactly what goes into the image, in a folder of its own."""
        make_folder_durably(self._files.folder, kept=_KEPT)
        with tempfile.TemporaryDirectory(prefix="image-", dir=self._files.folder) as name:
            context = Path(name)
            release = self._releases.folder(image.release_id)
            engine = self._releases.engine_folder(image.release_id)
            shutil.copytree(release, context / "installed" / image.release_id, symlinks=True)
            shutil.copytree(
                engine, context / "engines" / image.engine, ignore=shutil.ignore_patterns("__pycache__")
            )
            if self._terms.wheels is not None:
                shutil.copytree(self._terms.wheels, context / "wheels")
            (context / "Dockerfile").write_text(image.dockerfile)
            yield context


def _environment(given: Mapping[str, str], image: Image) -> dict[str, str]:
    """What the instance is told, in the container's own terms."""
    passed_on = {name: value for name, value in given.items() if name not in _OF_THE_MACHINE}
    return {
        **passed_on,
        "HOME": "/tmp",
        "PYTHONPATH": f"{RELEASES}/engines/{image.engine}",
        "MAGELLAN_INSTALLED": RELEASES,
    }
