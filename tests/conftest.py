"""What every test may rely on: a clean environment, no network beyond this machine, and a few fixtures."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parent.parent

# A time limit per example measures the machine and not the product. In CI the examples are the same every
# time, so that a red run means a change; at a desk they are new every time, so that they find something.
settings.register_profile("desk", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci", settings.get_profile("desk"), derandomize=True, database=None, max_examples=60
)
# MAGELLAN_HYPOTHESIS_PROFILE=deep looks twenty times as long: for a change in what decides about money.
settings.register_profile("deep", settings.get_profile("desk"), max_examples=2000)
settings.load_profile(
    os.environ.get("MAGELLAN_HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "desk")
)


def refuse_the_network(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: sockets reach this machine and no other."""
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise ConnectionRefusedError(f"a test tried to reach {address[0]}: only loopback is allowed")


def pytest_xdist_auto_num_workers() -> int:
    """Half as many again as there are cores: many a test waits for a process that it has started."""
    cores = os.cpu_count() or 1
    return cores + cores // 2


def pytest_configure() -> None:
    sys.addaudithook(refuse_the_network)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Started in the background of a script: what we start would ignore Ctrl-C as well, and never be interrupted.
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def clean_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The developer's own settings and credentials change no test, and no test writes to the home folder."""
    before = dict(os.environ)
    for name in list(os.environ):
        is_ours = name.startswith(("MAGELLAN_", "ALPACA_", "APCA_", "POLYGON_", "MASSIVE_"))
        if (is_ours and name != "MAGELLAN_REFERENCE_DATA") or name in ("ENVIRONMENT", "USE_ARCHIVED_DATA"):
            del os.environ[name]
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))
    os.environ["XDG_CONFIG_HOME"] = str(tmp_path_factory.mktemp("config"))
    os.environ["COLUMNS"] = "100"
    os.environ.pop("FORCE_COLOR", None)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of real bars with published results; skips where it is not."""
    folder = os.environ.get("MAGELLAN_REFERENCE_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("MAGELLAN_REFERENCE_DATA names no folder of reference data")
    return Path(folder)


@pytest.fixture
def magellan(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`magellan("data", "list", cwd=...)`: the command line as a process of its own, without a terminal."""

    def call(*arguments: str | Path, cwd: Path = tmp_path, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "magellan", *map(str, arguments)],
            cwd=cwd,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return call
