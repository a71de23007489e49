"""A release is the same bytes wherever, whenever and by whomever it is built, and installs with the network unplugged.

MAGELLAN_LAB_BUILDS says how often it is built in each place; 100 takes some minutes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import magellan
from magellan.adapters.local.release_inputs import ThisInstallation
from magellan.adapters.local.release_key import ReleaseKeyFile

BUILDS = int(os.environ.get("MAGELLAN_LAB_BUILDS", "2"))

STRATEGY = b"""
from magellan.strategy.contract import Strategy
from magellan.strategy.trade_plan import TradePlan, Units

class Moods(Strategy):
    def enter_long(self, f, p):
        return f.bars.close > f.bars.open

    def plan(self, f, p):
        return TradePlan(size=Units(units=1))
"""
CONFIG = {
    "strategy": {"name": "moods", "version": "1.0.0", "kind": "intraday"},
    "symbols": ["AMC"],
    "data": {"timeframe": "1Min"},
}

# Judges the strategy of the folder it is started in, by a verdict that is there already, and builds as often as asked.
BUILDER = """
import hashlib, json, sys
from datetime import UTC, datetime
from pathlib import Path
from magellan.adapters.local.gate_records import GateRecordFiles
from magellan.adapters.local.release_folder import ReleaseFolder
from magellan.adapters.local.release_inputs import ThisInstallation
from magellan.adapters.local.release_key import ReleaseKeyFile
from magellan.usecases.build_release import ReleaseSources, build_release
from magellan.usecases.gate_evidence.examination import files_sha256
from magellan.workspace.workspace import Workspace
workspace = Workspace.at(Path.cwd())
folder = workspace.strategy("test/moods")
gates = GateRecordFiles(workspace)
at = datetime(2026, 1, 21, 21, 30, tzinfo=UTC)
gates.keep_verdict(folder, at, {
    "answer": "shut", "judged_at": at.isoformat(), "strategy": {"files_sha256": files_sha256(folder)},
    "criteria": [], "evidence": [],
})
key = ReleaseKeyFile(Path(sys.argv[2]))
sources = ReleaseSources(
    store=ReleaseFolder(workspace.state_folder / "releases"), key=key, inputs=ThisInstallation(), gates=gates,
    known_secrets={}, trusted_keys={"ada": key.key().public_key}, clock=lambda: datetime.now(UTC),
)
found = set()
for _ in range(int(sys.argv[1])):
    built = build_release(folder, sources, author="ada")
    content = sources.store.content(built.stored)
    found.add((built.stored.release_id, hashlib.sha256(content).hexdigest()))
Path("release").write_bytes(content)
print(json.dumps(sorted(found)))
"""

# Installs a release on an empty host, and says what keeps it from running there.
INSTALLER = """
import json, socket, sys
from pathlib import Path
from magellan.adapters.local.environments import ThisEnvironment
from magellan.adapters.local.installed_releases import InstalledReleases
try:
    socket.create_connection(("198.51.100.1", 80), 1)
    reaches = True
except OSError:
    reaches = False
releases = InstalledReleases(Path(sys.argv[2]), trusted_keys={"ada": sys.argv[4]})
releases.install(sys.argv[3], Path(sys.argv[1]).read_bytes())
lacks = ThisEnvironment().lacks(releases.requirements(sys.argv[3]))
print(json.dumps([reaches, list(releases.drift(sys.argv[3])), list(lacks)]))
"""


def run(code: str, *arguments: str | Path, under: Sequence[str] = (), at: Path, **environment: str) -> list:
    done = subprocess.run(
        [*under, sys.executable, "-c", code, *map(str, arguments)],
        cwd=at, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    told: list = json.loads(done.stdout)
    return told


def workspace(folder: Path) -> Path:
    strategy = folder / "test" / "moods"
    strategy.mkdir(parents=True)
    (folder / "magellan.toml").write_text("format = 1\n")
    (strategy / "strategy.py").write_bytes(STRATEGY)
    (strategy / "config.json").write_text(json.dumps(CONFIG))
    return folder


def installation(folder: Path) -> dict[str, str]:
    """Another copy of this engine, and the environment that runs it."""
    package = Path(magellan.__file__).parent
    shutil.copytree(package, folder / "magellan", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "magellan" / "requirements.lock").write_bytes(ThisInstallation().lock())
    return {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> ReleaseKeyFile:
    made = ReleaseKeyFile(tmp_path_factory.mktemp("key") / "release_key.pem")
    made.make()
    return made


def must_have(tool: str, *probe: str) -> None:
    if shutil.which(tool) is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip(f"this needs `{' '.join(probe)}` to work: a Linux with util-linux, and root")


def test_two_users_in_two_folders_time_zones_locales_and_umasks_build_the_same_bytes(
    tmp_path: Path, key: ReleaseKeyFile
) -> None:
    must_have("unshare", "unshare", "--user", "--map-user=65534", "true")
    near = workspace(tmp_path / "a")
    far = workspace(tmp_path / "a folder of another name" / "deeper")
    engine = installation(tmp_path / "engine")
    other_engine = dict(engine, PYTHONPATH=str(tmp_path / "opt"))
    shutil.copytree(tmp_path / "engine", tmp_path / "opt", copy_function=shutil.copyfile)
    for path in (*far.rglob("*"), *(tmp_path / "opt").rglob("*")):
        os.utime(path, (1, 1))
    here = run(BUILDER, BUILDS, key.place, at=near, TZ="UTC", LC_ALL="C", PYTHONHASHSEED="1", **engine)
    bare = [
        "unshare",
        "--user",
        "--map-user=65534",
        "--map-group=65534",
        "bash",
        "-c",
        'umask 077; exec "$@"',
        "-",
    ]
    there = run(
        BUILDER, BUILDS, key.place, under=bare, at=far,
        TZ="Asia/Tokyo", LC_ALL="C.UTF-8", PYTHONHASHSEED="2", **other_engine,
    )  # fmt: skip
    assert len(here) == 1
    assert here == there
    assert (near / "release").read_bytes() == (far / "release").read_bytes()


def test_a_release_installs_with_the_network_unplugged(tmp_path: Path, key: ReleaseKeyFile) -> None:
    must_have("unshare", "unshare", "--net", "true")
    made = workspace(tmp_path / "ws")
    ((release_id, _),) = run(BUILDER, 1, key.place, at=made)
    signer = key.key()
    assert signer is not None
    reaches, drift, lacks = run(
        INSTALLER, made / "release", tmp_path / "host", release_id, signer.public_key,
        under=["unshare", "--net"], at=tmp_path,
    )  # fmt: skip
    assert not reaches
    assert (drift, lacks) == ([], [])
