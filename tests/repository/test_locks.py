"""The locks: whole, hashed, without addresses, and in step with pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from magellan.usecases.doctor import PYTHON_MAX, PYTHON_MIN

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
RUN, DEV = "requirements/run.lock", "requirements/dev.lock"
LOCKS = (RUN, DEV, "benchmarks/peers.lock")
PYTHONS = [f"3.{minor}" for minor in range(PYTHON_MIN[1], PYTHON_MAX[1] + 1)]


def pins(lock: str) -> dict[str, dict[str, int]]:
    """{package: {"==version ; marker": number of hashes}} of a lock."""
    found: dict[str, dict[str, int]] = {}
    entries = re.split(r"\n(?=[a-z0-9])", (ROOT / lock).read_text())
    for entry in entries:
        if match := re.match(r"([a-z0-9.-]+)(==[^\\]+)", entry):
            found.setdefault(canonicalize_name(match[1]), {})[match[2].strip()] = entry.count(
                "--hash=sha256:"
            )
    return found


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash_and_no_lock_has_an_address(lock: str) -> None:
    assert all(hashes > 0 for versions in pins(lock).values() for hashes in versions.values())
    text = (ROOT / lock).read_text()
    assert not re.search(r"https?:|file:|--(index|extra|find|trusted)|@ ", text)


def chosen(lock: str, environment: dict[str, str]) -> dict[str, tuple[str, int]]:
    """{package: (version, number of hashes)} of what a lock installs there."""
    found = {}
    for name, versions in pins(lock).items():
        for pin, hashes in versions.items():
            version, _, marker = pin.partition(";")
            if not marker or Marker(marker).evaluate(environment):
                found[name] = (version.strip(), hashes)
    return found


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_what_runs_is_what_was_tested(python: str, platform: str) -> None:
    there = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": platform,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[platform],
    }
    runs, tested = chosen(RUN, there), chosen(DEV, there)
    assert {name: tested.get(name) for name in runs} == runs


def test_every_dependency_is_locked_within_its_bounds() -> None:
    extras = PROJECT["project"]["optional-dependencies"]
    groups = PROJECT["dependency-groups"]
    wanted = {
        RUN: [*PROJECT["project"]["dependencies"], *groups["build"]],
        DEV: [
            *(each for extra in extras.values() for each in extra),
            *(each for each in groups["dev"] if isinstance(each, str)),
        ],
    }
    for lock, requirements in wanted.items():
        for requirement in map(Requirement, requirements):
            versions = pins(lock)[canonicalize_name(requirement.name)]
            for version in versions:
                pinned = version.removeprefix("==").split(";")[0].strip()
                assert requirement.specifier.contains(pinned), f"{requirement} is locked at {pinned}"


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("system", ["linux", "darwin"])
def test_every_python_and_system_that_we_support_gets_one_version_of_each(python: str, system: str) -> None:
    where = {
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": system,
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    needed = {canonicalize_name(Requirement(each).name) for each in PROJECT["project"]["dependencies"]}
    for name, versions in pins(DEV).items():
        markers = [version.partition(";")[2] for version in versions]
        applicable = [marker for marker in markers if not marker or Marker(marker).evaluate(where)]
        assert len(applicable) <= 1, (
            f"{name} is locked {len(applicable)} times for Python {python} on {system}"
        )
        assert applicable or name not in needed, f"{name} is not locked for Python {python} on {system}"
