"""Three real hosts for a module's tests, skipped with a sentence where none can be made."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from lab.hosts.base_tree import base_tree, why_not
from lab.hosts.fleet import Fleet
from lab.hosts.machines import Lab, lab_of
from magellan.release.signature import SigningKey

WITHIN_S = 120.0


def until(what: Callable[[], object], words: str, process: subprocess.Popen[str] | None = None) -> None:
    """Wait until that is so. A command that ends before is a failure, shown with what it said."""
    until_s = time.monotonic() + WITHIN_S
    while not what():
        if process is not None and process.poll() is not None:
            answer, notes = process.communicate()
            raise AssertionError(f"it ended before {words}: {answer[-1500:]}\n{notes[-500:]}")
        assert time.monotonic() < until_s, f"{words} did not happen"
        time.sleep(0.01)


@pytest.fixture(scope="package")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    why = why_not()
    if why:
        pytest.skip(why)
    try:
        base_tree()
    except subprocess.CalledProcessError:
        pytest.skip("hosts need a Debian tree, and Debian's archive cannot be reached")
    with lab_of(tmp_path_factory.mktemp("lab"), 3) as made:
        yield made


@pytest.fixture(scope="package")
def prepared(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A workspace whose three targets are ready, and nothing deployed yet."""
    fleet = Fleet.made(lab, tmp_path_factory.mktemp("fleet") / "ws", lab.hosts, key=SigningKey.new())
    preparing = [fleet.begin("host", "prepare", host.name, "--yes") for host in lab.hosts[:1]]
    for host in lab.hosts[1:]:  # one after the other: the audit log has one writer
        assert preparing[-1].wait(WITHIN_S) == 0, preparing[-1].communicate()
        preparing.append(fleet.begin("host", "prepare", host.name, "--yes"))
    for each in preparing:
        answer, notes = each.communicate(timeout=WITHIN_S)
        assert each.returncode == 0, answer + notes
    return fleet


@pytest.fixture
def fleet(prepared: Fleet) -> Fleet:
    """The release `old` trades on all three hosts, and nothing else was ever begun and left."""
    for host in prepared.lab.hosts:
        host.heal()
    if prepared.stand(prepared.lab.hosts) != [("old", ["old"])] * 3:
        done = prepared.deploy("old")
        assert done.code == 0, (done.told, done.notes)
    return prepared
