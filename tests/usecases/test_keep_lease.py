"""Keeping a lease: every host by itself, so that one that is away takes nothing from the others."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.simulated_hosts import SimulatedHost, SimulatedWorld
from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.audit.change import Result
from magellan.plan.actor import Actor
from magellan.usecases.keep_lease import end_lease, keep_lease, lease_change

NOW = datetime(2026, 1, 20, 14, 30, tzinfo=UTC)
ADA = Actor(person="ada", host="desk", pid=1)


def kept_for(seconds: float, world: SimulatedWorld, told: list[tuple[str, bool]]) -> None:
    async def keeping() -> None:
        work: Coroutine[Any, Any, None] = keep_lease(
            list(world.hosts.values()),
            10.0,
            by="ada",
            tell=lambda host, renewed, why: told.append((host, renewed)),
        )
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(work, seconds)

    world.run(keeping())


def test_every_host_is_renewed_four_times_in_a_lease() -> None:
    world = SimulatedWorld()
    hosts = [SimulatedHost(name, world) for name in ("h1", "h2")]
    told: list[tuple[str, bool]] = []
    kept_for(30.0, world, told)
    assert sorted(told) == [("h1", True), ("h2", True)]
    for host in hosts:
        assert 11 <= len(host.leases) <= 13, "once in 2.5 s"
        assert {for_s for _, for_s in host.leases} == {10.0}


def test_a_host_that_is_cut_off_is_told_once_and_takes_nothing_from_the_others() -> None:
    world = SimulatedWorld()
    near, far = SimulatedHost("h1", world), SimulatedHost("h2", world)
    told: list[tuple[str, bool]] = []
    world.cut_off.add("h2")
    kept_for(20.0, world, told)
    assert sorted(told) == [("h1", True), ("h2", False)]
    assert len(near.leases) >= 7 and far.leases == []
    world.cut_off.clear()
    kept_for(5.0, world, told)
    assert ("h2", True) in told and far.leases


def test_ending_a_lease_is_in_the_audit_log_with_what_could_not_be_reached(tmp_path: Path) -> None:
    world = SimulatedWorld()
    hosts = [SimulatedHost(name, world) for name in ("h1", "h2")]
    kept_for(3.0, world, [])
    world.cut_off.add("h2")
    changes = ChangeLogFiles(tmp_path)
    change = lease_change("lease end", "prod", hosts, ADA, "the desk moves", NOW)
    failed = world.run(end_lease(hosts, change, changes, now=NOW))
    assert failed == ["h2: h2 cannot be reached"]
    assert hosts[0].leases == [] and hosts[1].leases
    results = [(each.change.result, each.change.note) for each in changes.changes()]
    assert results == [(Result.BEGUN, ""), (Result.FAILED, "h2: h2 cannot be reached")]
