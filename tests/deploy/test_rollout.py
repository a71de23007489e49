"""A roll-out ends with the new release whole or the old one whole, whatever goes wrong, and nobody trades twice."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from deploy.simulated_hosts import (
    CONFIG,
    LEDGER_ACCOUNT,
    NEW,
    OLD,
    OLDER,
    TERMS,
    WELL,
    Behaviour,
    SimulatedHost,
    SimulatedWorld,
    incoming,
    instance_of,
    place_of,
)
from magellan.deploy.host import Fleet
from magellan.deploy.rollout import RolloutTerms, rollout, rollout_of
from magellan.deploy.steps.install import InstallAnew
from magellan.plan.carry_out import Finished, Halted, Outcome, TakenBack, carry_out, take_back
from magellan.plan.plan import Plan, differences
from magellan.plan.records import Head
from magellan.plan.step import Blocked
from plan.memory import BEGAN, SOMEBODY, Killed, MemoryJournal


def world_with(
    hosts: Iterable[str] = ("h1",), *, new: Behaviour = WELL, old: bool = True, older: Iterable[str] = ()
) -> SimulatedWorld:
    """Hosts on which the old release trades, and the new one will behave like that."""
    world = SimulatedWorld(behaviours={NEW: new})
    for name in hosts:
        host = SimulatedHost(name, world)
        if old:
            host.begin_with(OLD, armed=True, older=tuple(older))
    world.let_pass(5)
    return world


def plan_for(world: SimulatedWorld, terms: RolloutTerms = TERMS, release: str = NEW) -> Plan[Fleet]:
    return rollout([place_of(each) for each in world.hosts.values()], incoming(release), terms, by="jane")


def fleet(world: SimulatedWorld) -> Fleet:
    return Fleet(hosts=dict(world.hosts), content={NEW: b"new", OLD: b"old"})


def begun(plan: Plan[Fleet]) -> MemoryJournal:
    return MemoryJournal(kept=[Head(at=BEGAN, by=SOMEBODY, plan=plan.description)])


def carried_out(world: SimulatedWorld, plan: Plan[Fleet], journal: MemoryJournal | None = None) -> Outcome:
    return world.run(carry_out(plan, fleet(world), journal or begun(plan), now=world.now))


def taken_back(world: SimulatedWorld, plan: Plan[Fleet], journal: MemoryJournal) -> Outcome:
    return world.run(take_back(plan, fleet(world), journal, why="asked", now=world.now))


def trades(world: SimulatedWorld) -> dict[str, str | None]:
    """The release that trades, by host."""
    world.let_pass(5)
    found = {}
    for name, host in world.hosts.items():
        key = host.trading()
        found[name] = None if key is None else host.running[key].instance.release_id
    return found


def must_be_whole(world: SimulatedWorld) -> None:
    """On every host, whoever is armed trades, and its release is there as it was approved."""
    for name, release_id in trades(world).items():
        host = world.hosts[name]
        assert release_id is not None, f"nobody trades on {name}"
        assert host.arming[LEDGER_ACCOUNT].release_id == release_id
        assert host.releases[release_id] == (), f"{name} trades an edited release"


def test_the_new_release_trades_and_the_old_one_stands_by_for_the_way_back() -> None:
    world = world_with(("h1", "h2", "h3"))
    outcome = carried_out(world, plan_for(world))
    assert isinstance(outcome, Finished)
    assert set(trades(world).values()) == {NEW}
    for host in world.hosts.values():
        assert sorted(host.running) == sorted([instance_of(OLD).key, instance_of(NEW).key])


def test_a_release_before_the_one_that_trades_ends_and_stays_installed() -> None:
    world = world_with(older=(OLDER,))
    carried_out(world, plan_for(world))
    host = world.hosts["h1"]
    assert instance_of(OLDER).key not in host.running
    assert OLDER in host.releases


def test_the_first_release_of_an_account_needs_no_other() -> None:
    world = world_with(old=False)
    assert isinstance(carried_out(world, plan_for(world)), Finished)
    assert trades(world) == {"h1": NEW}


def test_a_first_release_that_fails_leaves_nobody_armed() -> None:
    world = world_with(old=False, new=Behaviour(never_well=True))
    assert isinstance(carried_out(world, plan_for(world)), TakenBack)
    assert trades(world) == {"h1": None}
    assert world.hosts["h1"].arming[LEDGER_ACCOUNT].instance is None
    assert world.hosts["h1"].running == {}


def test_deploying_what_trades_already_changes_nothing() -> None:
    world = world_with()
    carried_out(world, plan_for(world))
    before = (dict(world.hosts["h1"].arming), list(world.hosts["h1"].traders))
    assert isinstance(carried_out(world, plan_for(world)), Finished)
    assert (world.hosts["h1"].arming, world.hosts["h1"].traders) == before


def test_between_two_releases_nobody_holds_the_account_twice() -> None:
    world = world_with()
    carried_out(world, plan_for(world))
    carried_out(world, plan_for(world, replace(TERMS, watch_s=0), OLD))
    holders = [key for _, key in world.hosts["h1"].traders]
    assert all(each is None for each in holders[1::2]), "each one lets go before the next one takes it"


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (Behaviour(exits=True), "its code is broken"),
        (Behaviour(ready_s=None), "was not ready"),
        (Behaviour(config="ff" * 32), "runs the config"),
    ],
    ids=["exits at start", "never ready", "another config"],
)
def test_what_does_not_stand_by_never_touches_the_account(behaviour: Behaviour, why: str) -> None:
    world = world_with(new=behaviour)
    before = list(world.hosts["h1"].traders)
    outcome = carried_out(world, plan_for(world))
    assert isinstance(outcome, TakenBack)
    assert why in outcome.why
    assert world.hosts["h1"].traders == before, "the old one did not stop for an instant"
    assert NEW not in world.hosts["h1"].releases


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        (Behaviour(never_well=True), "the broker's first answer"),
        (Behaviour(dies_s=8), "has ended"),
        (Behaviour(restarts_s=8), "another one was started in its place"),
        (
            Behaviour(trips_s=8),
            "a breaker has tripped: loss per day; until `magellan resume` nothing is entered",
        ),
        (Behaviour(raises_s=8), "exceptions"),
        (Behaviour(loses_s=8), "it has lost 3.00% of the account"),
        (Behaviour(takes_s=60), "did not begin to trade"),
    ],
    ids=["never well", "dies", "restarts", "breaker", "raises", "loses", "slow to take over"],
)
def test_what_goes_wrong_after_the_hand_over_brings_the_old_release_back(
    behaviour: Behaviour, why: str
) -> None:
    world = world_with(("h1", "h2"), new=behaviour)
    outcome = carried_out(world, plan_for(world))
    assert isinstance(outcome, TakenBack)
    assert why in outcome.why
    assert set(trades(world).values()) == {OLD}
    must_be_whole(world)


@pytest.mark.parametrize("first_bar_s", [5, 3600], ids=["over within half of the time", "of an hour"])
def test_a_first_bar_is_awaited_where_it_can_be_over_in_time(first_bar_s: float) -> None:
    world = world_with(new=Behaviour(first_bar_s=first_bar_s))
    assert isinstance(carried_out(world, plan_for(world)), Finished)
    assert trades(world) == {"h1": NEW}


@pytest.mark.parametrize(
    ("first_bar_s", "watch_s"), [(5, 30), (60, 300)], ids=["awaited", "missed by the watch"]
)
def test_a_first_bar_that_does_not_come_brings_the_old_release_back(
    first_bar_s: float, watch_s: float
) -> None:
    world = world_with(new=Behaviour(first_bar_s=first_bar_s, bar_comes=False))
    outcome = carried_out(world, plan_for(world, replace(TERMS, watch_s=watch_s)))
    assert isinstance(outcome, TakenBack)
    assert "the first bar" in outcome.why
    assert trades(world) == {"h1": OLD}


def test_incident_30_a_process_that_dies_and_is_started_again_is_not_taken_for_one_that_runs() -> None:
    world = world_with(new=Behaviour(restarts_s=8))
    outcome = carried_out(world, plan_for(world))
    assert isinstance(outcome, TakenBack)
    assert "another one was started in its place" in outcome.why
    assert trades(world) == {"h1": OLD}


def test_incident_34_keys_that_open_nothing_are_found_before_anything_relies_on_them() -> None:
    """An instance asks the broker for its account before it says that it is ready; one that may not, ends."""
    world = world_with(new=Behaviour(exits=True))
    before = list(world.hosts["h1"].traders)
    assert isinstance(carried_out(world, plan_for(world)), TakenBack)
    assert world.hosts["h1"].traders == before


def test_a_spare_that_does_not_come_back_keeps_no_roll_out_from_being_taken_back() -> None:
    """With the broker away, or a wrong key, neither the new release comes to stand by nor the one before the last."""
    world = world_with(new=Behaviour(exits=True), older=(OLDER,))
    world.behaviours[OLDER] = Behaviour(exits=True)
    before = list(world.hosts["h1"].traders)
    assert isinstance(carried_out(world, plan_for(world)), TakenBack)
    assert world.hosts["h1"].traders == before
    assert instance_of(OLDER).key in world.hosts["h1"].running, "it was started again, and its keeper goes on"


def test_a_spare_of_which_nobody_knows_how_it_is_halts_a_roll_back() -> None:
    world = world_with(new=Behaviour(exits=True), older=(OLDER,))
    world.behaviours[OLDER] = Behaviour(ready_s=None)
    assert isinstance(carried_out(world, plan_for(world)), Halted)


def test_incident_42_after_a_switch_the_running_release_is_asserted_and_not_supposed() -> None:
    """A restart once took neither the new image nor the new environment, and said nothing."""
    world = world_with(new=Behaviour(config=CONFIG[OLD]))
    outcome = carried_out(world, plan_for(world))
    assert isinstance(outcome, TakenBack)
    assert "runs the config" in outcome.why
    assert trades(world) == {"h1": OLD}


def test_a_release_that_dies_in_its_watch_is_noticed_within_two_seconds() -> None:
    world = world_with(new=Behaviour(dies_s=8))
    carried_out(world, plan_for(world))
    host = world.hosts["h1"]
    new_began_s = next(at_s for at_s, key in host.traders if key == instance_of(NEW).key)
    old_again_s = host.traders[-1][0]
    assert host.traders[-1][1] == instance_of(OLD).key
    assert old_again_s - (new_began_s + WELL.takes_s + 8) < 2


def test_a_release_that_does_not_let_go_is_ended_by_force() -> None:
    world = world_with()
    world.hosts["h1"].running[instance_of(OLD).key].behaviour = Behaviour(lets_go=False)
    assert isinstance(carried_out(world, plan_for(world)), Finished)
    assert trades(world) == {"h1": NEW}
    assert instance_of(OLD).key not in world.hosts["h1"].running


def test_one_that_was_ended_by_force_trades_again_where_the_new_one_is_not_well() -> None:
    """It held on to the account on a busy machine; to its host it was unknown by then, and nobody traded."""
    world = world_with(new=Behaviour(raises_s=1))
    host = world.hosts["h1"]
    host.running[instance_of(OLD).key].behaviour = Behaviour(lets_go=False)
    outcome = carried_out(world, plan_for(world))
    assert isinstance(outcome, TakenBack), outcome.why
    assert "exceptions" in outcome.why
    assert trades(world) == {"h1": OLD}


def test_a_halt_that_a_person_gave_before_outlives_a_release() -> None:
    world = world_with()
    world.hosts["h1"].halted = "the feed looks wrong"
    assert isinstance(carried_out(world, plan_for(world)), Finished)
    assert world.hosts["h1"].halted == "the feed looks wrong"


def test_a_plan_that_knows_of_no_tripped_breaker_is_written_as_one_that_could_not() -> None:
    world = world_with()
    recorded = plan_for(world).description
    assert "tripped_before" not in str([each.fields for phase in recorded.phases for each in phase.steps])
    world.hosts["h1"].tripped = ("rejects",)
    recorded = plan_for(world).description
    told = [
        each.fields for phase in recorded.phases for each in phase.steps if "tripped_before" in each.fields
    ]
    assert [each["tripped_before"] for each in told] == [["rejects"], ["rejects"]]
    assert rollout_of(recorded).description == recorded


def test_knight_one_host_of_eight_that_differs_keeps_every_host_on_the_old_release() -> None:
    """Incident: 1 August 2012, Knight Capital; seven of eight servers had the new code."""
    world = world_with([f"h{number}" for number in range(8)])
    stale = world.hosts["h5"]
    stale.releases[NEW] = ("strategy/strategy.py was edited",)
    before = {name: list(host.traders) for name, host in world.hosts.items()}
    outcome = carried_out(world, plan_for(world))
    assert isinstance(outcome, TakenBack)
    assert "h5" in outcome.why
    assert "strategy/strategy.py was edited" in outcome.why
    assert {name: host.traders for name, host in world.hosts.items()} == before


def test_a_host_that_was_edited_after_it_was_ready_is_found_before_anybody_is_armed() -> None:
    world = world_with(("h1", "h2"))
    plan = plan_for(world)

    class Edits(MemoryJournal):
        def append(self, records, *, durably):  # type: ignore[no-untyped-def]
            super().append(records, durably=durably)
            if "attest" in str(world.calls[-1:]) or len(self.kept) > 6:
                world.hosts["h2"].releases[NEW] = ("config.json was edited",)

    journal = Edits(kept=[Head(at=BEGAN, by=SOMEBODY, plan=plan.description)])
    outcome = carried_out(world, plan, journal)
    assert isinstance(outcome, TakenBack), "what this plan has put there it takes away again"
    assert "config.json was edited" in outcome.why
    assert set(trades(world).values()) == {OLD}


REGIONS = {"h1": "us-east-2", "h2": "us-west-2", "h3": "us-east-2", "h4": "eu-west-1", "h5": None}


def plan_by_region(world: SimulatedWorld) -> Plan[Fleet]:
    places = [replace(place_of(each), region=REGIONS[name]) for name, each in world.hosts.items()]
    return rollout(places, incoming(NEW), TERMS, by="jane")


def test_regions_go_one_after_the_other_and_each_is_watched_before_the_next_begins() -> None:
    world = world_with(REGIONS)
    plan = plan_by_region(world)
    assert [each.name for each in plan.phases][3:] == [
        *("hand over us-east-2", "watch us-east-2", "hand over us-west-2", "watch us-west-2"),
        *("hand over eu-west-1", "watch eu-west-1", "hand over elsewhere", "watch elsewhere"),
    ]
    assert isinstance(carried_out(world, plan), Finished)
    began_s = {
        name: next(at_s for at_s, key in host.traders if key == instance_of(NEW).key)
        for name, host in world.hosts.items()
    }
    assert began_s["h1"] < began_s["h3"]
    for before, after in (("h3", "h2"), ("h2", "h4"), ("h4", "h5")):
        assert began_s[after] - began_s[before] >= TERMS.watch_s
    assert rollout_of(plan.description).description == plan.description


def test_a_region_that_fails_brings_every_region_back_and_the_next_one_never_begins() -> None:
    world = world_with(REGIONS)
    plan, failing = plan_by_region(world), world.hosts["h2"]

    class Beside(MemoryJournal):
        def append(self, records, *, durably):  # type: ignore[no-untyped-def]
            super().append(records, durably=durably)
            if failing.arming[LEDGER_ACCOUNT].release_id == NEW and NEW in failing.releases:
                failing.releases[NEW] = ("config.json was edited",)

    outcome = carried_out(world, plan, Beside(kept=[Head(at=BEGAN, by=SOMEBODY, plan=plan.description)]))
    assert isinstance(outcome, TakenBack)
    assert "h2" in outcome.why and "config.json was edited" in outcome.why
    assert set(trades(world).values()) == {OLD}
    must_be_whole(world)
    has_had_new = {
        name
        for name, host in world.hosts.items()
        if any(key == instance_of(NEW).key for _, key in host.traders)
    }
    assert has_had_new == {"h1", "h2", "h3"}


def test_a_way_back_waits_for_no_region() -> None:
    world = world_with(REGIONS)
    places = [replace(place_of(each), region=REGIONS[name]) for name, each in world.hosts.items()]
    plan = rollout(places, incoming(NEW), replace(TERMS, at_once=True), by="jane")
    assert [each.name for each in plan.phases][3:] == ["hand over", "health", "watch"]


def once_armed(
    world: SimulatedWorld, act: Callable[[SimulatedHost], object]
) -> tuple[Plan[Fleet], MemoryJournal]:
    """A plan, and a journal beside which that happens on the host as soon as the new release is armed."""
    plan = plan_for(world)
    host = world.hosts["h1"]

    class Beside(MemoryJournal):
        def append(self, records, *, durably):  # type: ignore[no-untyped-def]
            super().append(records, durably=durably)
            if host.arming[LEDGER_ACCOUNT].release_id == NEW and NEW in host.releases:
                act(host)

    return plan, Beside(kept=[Head(at=BEGAN, by=SOMEBODY, plan=plan.description)])


@pytest.mark.parametrize(
    ("act", "why"),
    [
        (lambda host: host.releases.update({NEW: ("config.json was edited",)}), "config.json was edited"),
        (lambda host: host.releases.pop(NEW), "are gone"),
    ],
    ids=["edited", "removed"],
)
def test_a_release_whose_files_are_changed_after_it_was_armed_is_taken_back(
    act: Callable[[SimulatedHost], object], why: str
) -> None:
    world = world_with()
    outcome = carried_out(world, *once_armed(world, act))
    assert isinstance(outcome, TakenBack)
    assert why in outcome.why
    must_be_whole(world)
    assert trades(world) == {"h1": OLD}


def test_an_old_release_that_ended_while_the_new_one_failed_is_started_again_on_the_way_back() -> None:
    def both_end(host: SimulatedHost) -> None:
        for running in host.running.values():
            running.behaviour = replace(running.behaviour, exits=True)

    world = world_with()
    outcome = carried_out(world, *once_armed(world, both_end))
    assert isinstance(outcome, TakenBack)
    assert trades(world) == {"h1": OLD}


def with_edited_spare() -> SimulatedWorld:
    """The old release trades, and the new one stands by from files that somebody has edited since."""
    world = world_with()
    host = world.hosts["h1"]
    host.releases[NEW] = ("strategy/strategy.py was edited",)
    host._run(instance_of(NEW))
    world.let_pass(5)
    return world


def plan_to_make_whole(world: SimulatedWorld) -> Plan[Fleet]:
    places = [replace(place_of(each), edited=True) for each in world.hosts.values()]
    return rollout(places, incoming(NEW), TERMS, by="jane")


def test_what_was_edited_is_put_aside_and_what_trades_is_what_was_approved() -> None:
    world = with_edited_spare()
    assert isinstance(carried_out(world, plan_to_make_whole(world)), Finished)
    assert trades(world) == {"h1": NEW}
    must_be_whole(world)
    assert world.hosts["h1"].put_aside == [NEW]


def test_a_release_that_an_instance_runs_from_is_not_taken_from_under_it() -> None:
    world = with_edited_spare()
    step = next(each for each in plan_to_make_whole(world).steps if isinstance(each, InstallAnew))
    answer = world.run(step.check(fleet(world), None))
    assert isinstance(answer, Blocked) and "it is run from there" in answer.why


@pytest.mark.parametrize("fault", ["killed before", "killed after"])
@pytest.mark.parametrize("undo", [False, True], ids=["resume", "undo"])
def test_a_kill_at_any_call_while_a_release_is_made_whole_leaves_it_whole(fault: str, undo: bool) -> None:
    calls = with_edited_spare()
    carried_out(calls, plan_to_make_whole(calls))
    for at in range(1, len(calls.calls) + 1):
        world = with_edited_spare()
        plan = plan_to_make_whole(world)
        journal = begun(plan)
        world.fault, world.fault_at_call = fault, at
        with contextlib.suppress(Killed):
            carried_out(world, plan, journal)
        world.fault_at_call = None
        outcome = taken_back(world, plan, journal) if undo else carried_out(world, plan, journal)
        assert isinstance(outcome, TakenBack if undo else Finished), (at, outcome)
        must_be_whole(world)
        assert trades(world) == {"h1": OLD if undo else NEW}
        host = world.hosts["h1"]
        assert instance_of(NEW).key in host.running, "it stands by, or trades"
        assert not host.releases[NEW] or host.put_aside == []


def test_a_plan_that_was_written_down_is_read_back_as_the_same_plan() -> None:
    world = world_with(("h1", "h2"), older=(OLDER,))
    plans = [plan_for(world, terms) for terms in (TERMS, replace(TERMS, at_once=True))]
    for plan in (*plans, plan_to_make_whole(with_edited_spare())):
        assert differences(plan.description, rollout_of(plan.description).description) == []


def test_what_was_deployed_can_be_taken_back_afterwards() -> None:
    world = world_with(older=(OLDER,))
    plan = plan_for(world)
    journal = begun(plan)
    carried_out(world, plan, journal)
    assert isinstance(taken_back(world, plan, journal.reopened()), TakenBack)
    assert trades(world) == {"h1": OLD}
    assert instance_of(OLDER).key in world.hosts["h1"].running
    assert NEW not in world.hosts["h1"].releases


def calls_of(new: Behaviour) -> range:
    """The calls of the hosts in a roll-out without a fault: every third; with MAGELLAN_ALL_FAULTS=1 every one."""
    world = world_with(("h1", "h2"), new=new, older=(OLDER,))
    carried_out(world, plan_for(world, QUICK))
    return range(1, len(world.calls) + 1, 1 if os.environ.get("MAGELLAN_ALL_FAULTS") else 3)


QUICK = replace(TERMS, watch_s=1, healthy_within_s=1, ready_within_s=2, hand_over_within_s=2)
SLOW = Behaviour(never_well=True)


@pytest.mark.parametrize("new", [WELL, SLOW], ids=["well", "taken back"])
@pytest.mark.parametrize("fault", ["killed before", "killed after"])
@pytest.mark.parametrize("way", ["resume", "undo"])
def test_a_kill_at_any_call_of_a_host_leaves_one_whole_release_and_both_ways_to_go_on(
    new: Behaviour, fault: str, way: str
) -> None:
    for call in calls_of(new):
        world = world_with(("h1", "h2"), new=new, older=(OLDER,))
        world.fault, world.fault_at_call = fault, call
        plan = plan_for(world, QUICK)
        journal = begun(plan)
        with pytest.raises(Killed):
            carried_out(world, plan, journal)
        must_be_whole(world)
        world.fault_at_call = None
        go_on = carried_out if way == "resume" else taken_back
        outcome = go_on(world, rollout_of(plan.description), journal.reopened())
        assert not isinstance(outcome, Halted), f"call {call}: {outcome.why}"
        must_be_whole(world)
        is_new = isinstance(outcome, Finished)
        assert set(trades(world).values()) == {NEW if is_new else OLD}
        assert is_new == (new is WELL and way == "resume")


@pytest.mark.parametrize("way", ["resume", "undo"])
def test_a_kill_at_any_record_of_the_journal_does_the_same(way: str) -> None:
    world = world_with(("h1", "h2"))
    plan = plan_for(world, QUICK)
    journal = begun(plan)
    carried_out(world, plan, journal)
    for record in range(len(journal.appends)):
        world = world_with(("h1", "h2"))
        plan = plan_for(world, QUICK)
        journal = begun(plan)
        journal.appends_until_kill = record
        with pytest.raises(Killed):
            carried_out(world, plan, journal)
        must_be_whole(world)
        go_on = carried_out if way == "resume" else taken_back
        journal.power_cut()
        outcome = go_on(world, rollout_of(plan.description), journal.reopened())
        assert isinstance(outcome, Finished if way == "resume" else TakenBack), outcome
        must_be_whole(world)


@pytest.mark.parametrize("new", [WELL, SLOW], ids=["well", "taken back"])
@pytest.mark.parametrize("fault", ["lost before", "lost after", "refused"])
def test_an_error_at_any_call_of_a_host_leaves_one_whole_release(new: Behaviour, fault: str) -> None:
    for call in calls_of(new):
        world = world_with(("h1", "h2"), new=new, older=(OLDER,))
        world.fault, world.fault_at_call = fault, call
        plan = plan_for(world, QUICK)
        journal = begun(plan)
        outcome = carried_out(world, plan, journal)
        must_be_whole(world)
        if isinstance(outcome, Halted):
            outcome = taken_back(world, rollout_of(plan.description), journal.reopened())
        assert not isinstance(outcome, Halted), f"call {call}: {outcome.why}"
        must_be_whole(world)
        assert set(trades(world).values()) == {NEW if isinstance(outcome, Finished) else OLD}


@given(data=st.data())
@hypothesis_settings(max_examples=40)
def test_hosts_that_are_cut_off_and_come_back_end_on_one_release(data: st.DataObject) -> None:
    """A host that is cut off trades what it traded; once it is back, the plan ends one way or the other."""
    names = ("h1", "h2", "h3")
    world = world_with(names, new=data.draw(st.sampled_from([WELL, SLOW, Behaviour(exits=True)])))
    plan = plan_for(world, replace(QUICK, at_once=data.draw(st.booleans())))
    journal = begun(plan)
    host = data.draw(st.sampled_from(names))
    at_call = data.draw(st.integers(1, 120))
    for_calls = data.draw(st.sampled_from([3, 30, 10_000]))

    def cut(host_name: str, calls: list[tuple[str, str]]) -> bool:
        return host_name == host and at_call <= len(calls) < at_call + for_calls

    world.is_cut_off = lambda name: cut(name, world.calls)  # type: ignore[method-assign]
    outcome = carried_out(world, plan, journal)
    must_be_whole(world)
    world.is_cut_off = lambda name: False  # type: ignore[method-assign]
    if isinstance(outcome, Halted):
        outcome = taken_back(world, rollout_of(plan.description), journal.reopened())
        assert isinstance(outcome, TakenBack), outcome.why  # type: ignore[union-attr]
    must_be_whole(world)
    assert set(trades(world).values()) == {NEW if isinstance(outcome, Finished) else OLD}
