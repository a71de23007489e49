"""A recorded session, replayed: no decision differs, unless a bar, the code or the strategy's honesty has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.scripted import Script, Scripted
from engine.test_incidents import CALENDAR, after_bars, bars_of, world_of
from magellan.adapters.memory_ledger import MemoryLedger
from magellan.errors import FixInput
from magellan.ledger.entries import Decision
from magellan.strategy.contract import NoParameters, Parameters
from magellan.strategy.market_view import MarketView
from magellan.trading.bar import Bars
from magellan.usecases.replay_session import ReplayedSession, recorded_session, replay_session
from simulation.world import World

CLOSES = [100.0, 101.0, 99.0, 102.0, 103.0, 101.0, 104.0, 100.0]


class Loaded:
    """As much of a loaded strategy as a replay reads."""

    def __init__(self, world: World, strategy: Any = None, config_sha256: str = "0") -> None:
        setup = world.make_setup(0)
        self.config = setup.config
        self.strategy = strategy or setup.strategy
        self.parameters = {"AMC": NoParameters()}
        self.config_sha256 = config_sha256


class LooksAhead(Scripted):
    """Computes with the last bar of all that it is shown: over a whole day, that is the future."""

    def features(self, bars: MarketView, p: Parameters) -> dict[str, Any]:
        return {"price": np.full(len(bars), bars.close[-1])}


def recorded_world(**changes: Any) -> World:
    return after_bars(world_of(CLOSES, enters=(1,), **changes), 7)


def ledger_of(world: World) -> MemoryLedger:
    ledger = MemoryLedger(lambda: world.now)
    with ledger.writer("SIM") as writer:
        writer.append(world.ledger)
    return ledger


def replayed(world: World, bars: Bars, loaded: Any = None) -> ReplayedSession:
    recorded = recorded_session(ledger_of(world), "s0")
    assert recorded is not None
    told: Mapping[str, Bars] = {"AMC": bars.rows(np.arange(len(bars)) < 7)}
    return replay_session(recorded, loaded or Loaded(world), told, CALENDAR, bars_from="a test")


def test_a_session_replays_to_the_decisions_that_it_made() -> None:
    world = recorded_world()
    again = replayed(world, bars_of(CLOSES))
    assert again.identical, again.differences
    assert again.compared == sum(isinstance(each.payload, Decision) for each in world.ledger) == 7
    assert [each.told.action for each in again.recorded.decisions].count("enter_long") == 1


def test_a_session_that_was_killed_replays_alike() -> None:
    world = after_bars(world_of(CLOSES, enters=(1,)), 3)
    world.kill()
    after_bars(world, 7)
    for session in ("s0", "s1"):
        recorded = recorded_session(ledger_of(world), session)
        assert recorded is not None
        assert recorded.decisions
        bars = bars_of(CLOSES)
        loaded: Any = Loaded(world)
        told = {"AMC": bars.rows(np.arange(len(bars)) < 7)}
        assert replay_session(recorded, loaded, told, CALENDAR, bars_from="a test").identical


def test_a_bar_that_was_corrected_since_is_named() -> None:
    bars = bars_of(CLOSES)
    corrected = bars.close.copy()
    corrected[3] += 0.01
    again = replayed(recorded_world(), replace(bars, close=corrected, high=np.maximum(bars.high, corrected)))
    assert [(each.what, each.recorded, each.replayed) for each in again.differences] == [
        ("close", "102.0", "102.01"),
        ("price", "102.0", "102.01"),
    ]


def test_a_bar_that_is_not_there_and_one_that_was_never_decided_on_are_named() -> None:
    bars = bars_of(CLOSES)
    less = bars.rows(np.arange(len(bars)) != 2)
    assert {each.what for each in replayed(recorded_world(), less).differences} >= {"bar"}
    world = recorded_world()
    world.ledger = [
        each
        for each in world.ledger
        if not (isinstance(each.payload, Decision) and each.payload.bar_opened_at.minute == 33)
    ]
    assert [each.what for each in replayed(world, bars).differences] == ["missing"]


def test_a_strategy_that_decides_otherwise_now_is_named_bar_by_bar() -> None:
    world = recorded_world()
    own = world.make_setup(0).strategy
    assert isinstance(own, Scripted)
    script: Script = own.scripts["AMC"]
    other = Scripted({"AMC": replace(script, enter_long=frozenset({0}))})
    again = replayed(world, bars_of(CLOSES), Loaded(world, other, config_sha256="1"))
    assert [(each.what, each.recorded, each.replayed) for each in again.differences] == [
        ("action", "nothing", "enter_long"),
        ("action", "enter_long", "nothing"),
    ]
    assert again.changed == ("config: it was 0, and is 1",)


def test_incident_11_a_feature_that_looks_ahead_differs_on_every_bar_but_the_last() -> None:
    world = recorded_world()
    own = world.make_setup(0)
    assert isinstance(own.strategy, Scripted)
    ahead = LooksAhead(own.strategy.scripts)
    made = world.make_setup
    honest = world_of(CLOSES, enters=(1,))
    honest.make_setup = lambda start: replace(made(start), strategy=ahead)
    after_bars(honest, 7)
    again = replayed(honest, bars_of(CLOSES), Loaded(honest, ahead))
    assert {each.what for each in again.differences} == {"price"}
    assert len(again.differences) == 6


def test_a_session_is_found_by_the_beginning_of_its_id_where_only_one_has_it() -> None:
    world = recorded_world()
    world.kill()
    after_bars(world, 8)
    ledger = ledger_of(world)
    assert recorded_session(ledger, "nothing") is None
    assert recorded_session(ledger, "") is None
    with pytest.raises(FixInput, match="2 sessions begin with 's'"):
        recorded_session(ledger, "s")
