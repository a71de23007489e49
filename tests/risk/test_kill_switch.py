"""The kill switch: anything may pull it, it is flat when the broker says so, and only a person lets go of it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from magellan.risk.kill_switch import (
    TRANSITIONS,
    KillSwitch,
    SwitchEvent,
    SwitchEventKind,
    SwitchSource,
    SwitchState,
    after,
)

NOW = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)


def event(kind: SwitchEventKind, source: SwitchSource = SwitchSource.COMMAND) -> SwitchEvent:
    return SwitchEvent(kind=kind, at=NOW, source=source, who="Ada", why="looked at it")


def test_every_state_has_an_exit_for_every_event_incident_35() -> None:
    assert set(TRANSITIONS) == set(SwitchState)
    for row in TRANSITIONS.values():
        assert set(row) == set(SwitchEventKind)


def test_only_a_resume_lets_entries_in_again() -> None:
    for state, row in TRANSITIONS.items():
        leads_to_running = {kind for kind, then in row.items() if then is SwitchState.RUNNING}
        if state is not SwitchState.RUNNING:
            assert leads_to_running <= {SwitchEventKind.RESUME}


def test_from_every_state_a_flatten_and_two_resumes_lead_where_they_should() -> None:
    for state in SwitchState:
        switch = after(KillSwitch(state=state), event(SwitchEventKind.FLATTEN))
        assert switch.wants_flat
        held = after(switch, event(SwitchEventKind.RESUME))
        assert (held.state, held.refuses_entries, held.wants_flat) == (SwitchState.HALTED, True, False)
        assert after(held, event(SwitchEventKind.RESUME)).state is SwitchState.RUNNING


def test_flat_is_what_the_broker_shows_and_is_taken_back_when_it_shows_something_again() -> None:
    flattening = after(KillSwitch(), event(SwitchEventKind.FLATTEN))
    assert after(flattening, event(SwitchEventKind.TOLD_NOT_FLAT)).state is SwitchState.FLATTENING
    flat = after(flattening, event(SwitchEventKind.TOLD_FLAT))
    assert flat.state is SwitchState.FLAT
    assert after(flat, event(SwitchEventKind.TOLD_NOT_FLAT)).state is SwitchState.FLATTENING  # a late fill


def test_a_halt_never_stops_a_flatten() -> None:
    flattening = after(KillSwitch(), event(SwitchEventKind.FLATTEN))
    assert after(flattening, event(SwitchEventKind.HALT)) == flattening


def test_an_event_that_changes_nothing_keeps_who_and_why() -> None:
    halted = after(KillSwitch(), event(SwitchEventKind.HALT, SwitchSource.WATCHDOG))
    again = after(halted, event(SwitchEventKind.HALT, SwitchSource.FILE))
    assert again.since is not None
    assert again.since.source is SwitchSource.WATCHDOG


@given(kinds=st.lists(st.sampled_from(SwitchEventKind), max_size=20))
def test_after_a_halt_or_a_flatten_entries_are_refused_until_a_resume(kinds) -> None:
    switch, pulled = KillSwitch(), False
    for kind in kinds:
        switch = after(switch, event(kind))
        if kind in (SwitchEventKind.HALT, SwitchEventKind.FLATTEN):
            pulled = True
        elif kind is SwitchEventKind.RESUME:
            pulled = switch.refuses_entries
        assert switch.refuses_entries is pulled


@pytest.mark.parametrize(("who", "why"), [("", "why"), ("Ada", ""), (" ", " ")])
def test_a_resume_names_a_person_and_a_reason(who: str, why: str) -> None:
    with pytest.raises(ValueError, match="names a person and a reason"):
        SwitchEvent(kind=SwitchEventKind.RESUME, at=NOW, source=SwitchSource.COMMAND, who=who, why=why)


@pytest.mark.parametrize(
    "source", [SwitchSource.FILE, SwitchSource.SIGNAL, SwitchSource.WATCHDOG, SwitchSource.SESSION]
)
def test_no_file_signal_or_watchdog_resumes(source: SwitchSource) -> None:
    with pytest.raises(ValueError, match="comes from a person"):
        event(SwitchEventKind.RESUME, source)


def test_an_instant_that_is_not_utc_is_refused() -> None:
    with pytest.raises(ValueError, match="not in UTC"):
        SwitchEvent(kind=SwitchEventKind.HALT, at=datetime(2026, 3, 2), source=SwitchSource.FILE)
