"""Roll-outs to hosts with systemd and sshd, and what becomes of them when something breaks on the way.

Each ends with one whole release trading on every host, and the audit log says which. Who believes what: the arming on
the host's disk, the words of its processes, and a file that an instance writes when it begins to trade.
"""

from __future__ import annotations

import os
import signal
import time

import pytest

from lab.hosts.conftest import until
from lab.hosts.fleet import HOST_FOLDER, Fleet, ended
from lab.hosts.machines import ENVIRONMENT, LabHost

OLD_EVERYWHERE = [("old", ["old"])] * 3
NEW_EVERYWHERE = [("well", ["well"])] * 3


def hosts_of(fleet: Fleet) -> list[LabHost]:
    return fleet.lab.hosts


def whole(fleet: Fleet) -> None:
    """Where a roll-out was stopped because nobody could reach a host, it is taken back once somebody can."""
    if fleet.audit()[-1]["result"] == "halted":
        done = fleet.go_on("--undo")
        assert done.told.get("outcome") == "undone", (done.told, done.notes)
    assert fleet.audit()[-1]["result"] in ("taken back", "refused")


def test_a_prepared_host_is_found_ready_and_preparing_it_again_changes_nothing_incident_43(
    prepared: Fleet,
) -> None:
    """Units are looked at where they will run, before anything relies on them."""
    checked = prepared.run("host", "check", "h1")
    findings = {each["what"]: each for each in checked.told["findings"]}
    for what in ("prepared", "serves", "disk", "clock", "SSH", "sudo", "units of test", "units of prod"):
        assert findings[what]["is_well"], findings[what]
    assert not findings["firewall"]["is_well"], "the lab's hosts have none, and that is told"
    again = prepared.run("host", "prepare", "h1")
    steps = [step for phase in again.told["plan"]["phases"] for step in phase["steps"]]
    assert all(step["is_settled"] for step in steps), steps


def test_a_release_goes_to_three_hosts_and_the_same_again_changes_nothing(fleet: Fleet) -> None:
    done = fleet.deploy("well")
    assert done.code == 0, (done.told, done.notes)
    assert fleet.stand(hosts_of(fleet)) == NEW_EVERYWHERE
    assert fleet.audit()[-1]["result"] == "done"
    before = len(fleet.audit())
    again = fleet.deploy("well")
    assert (again.code, again.told.get("outcome")) == (0, "nothing to do"), again
    assert len(fleet.audit()) == before


def test_a_release_that_ends_at_its_start_never_trades_anywhere(fleet: Fleet) -> None:
    done = fleet.deploy("exits")
    assert (done.code, done.told.get("outcome")) == (1, "undone"), done
    assert "broken on purpose" in done.told.get("why", ""), done
    assert fleet.stand(hosts_of(fleet)) == OLD_EVERYWHERE
    assert all(fleet.releases["exits"] not in fleet.traded(host) for host in hosts_of(fleet))


def test_a_host_that_is_cut_off_in_the_middle_ends_with_the_old_release_as_the_others_do(
    fleet: Fleet,
) -> None:
    first, second, _ = hosts_of(fleet)
    rollout = fleet.begin(*fleet.deploying("well"))
    until(lambda: fleet.armed(first) == fleet.releases["well"], "the first host is handed over", rollout)
    second.cut()
    done = ended(rollout)
    assert done.code == 1
    # Cut off or not, nobody is in between: each host has one release that may trade, and it does.
    for host in hosts_of(fleet):
        assert fleet.trading(host) == [fleet.armed(host)]
    second.heal()
    whole(fleet)
    assert fleet.stand(hosts_of(fleet)) == OLD_EVERYWHERE


def test_a_full_disk_on_one_host_leaves_the_old_release_on_all(fleet: Fleet) -> None:
    _, second, _ = hosts_of(fleet)
    second.disk_full(f"{HOST_FOLDER}/host/installed")
    try:
        done = fleet.deploy("well")
    finally:
        second.disk_free()
    assert done.code == 1
    assert "disk is full" in done.told.get("why", ""), done
    whole(fleet)
    assert fleet.stand(hosts_of(fleet)) == OLD_EVERYWHERE


def test_a_host_that_shows_another_key_is_told_nothing(fleet: Fleet) -> None:
    *_, third = hosts_of(fleet)
    third.wrong_host_key()
    try:
        done = fleet.deploy("well")
    finally:
        third.right_host_key()
    assert done.code == 1
    assert "does not show the key" in done.told.get("error", {}).get("message", ""), done
    assert fleet.stand(hosts_of(fleet)) == OLD_EVERYWHERE


def test_a_host_that_stops_answering_is_given_up_and_nothing_stays_half_done(fleet: Fleet) -> None:
    first, second, _ = hosts_of(fleet)
    rollout = fleet.begin(*fleet.deploying("well"))
    until(lambda: fleet.armed(first) == fleet.releases["well"], "the first host is handed over", rollout)
    second.one_way()
    done = ended(rollout)
    second.heal()
    assert done.code == 1
    whole(fleet)
    assert fleet.stand(hosts_of(fleet)) == OLD_EVERYWHERE


def test_one_host_with_an_edited_release_keeps_every_host_from_trading_it(fleet: Fleet) -> None:
    """Knight Capital, 1 August 2012: one server of eight ran other code than the rest."""
    *_, third = hosts_of(fleet)
    traded_before = [len(fleet.traded(host)) for host in hosts_of(fleet)]
    installed = third.root / HOST_FOLDER.lstrip("/") / "host" / "installed" / fleet.releases["well"]
    # One that was edited before the roll-out would be made whole by it; this one is edited in the middle.
    third.inside("rm", "-rf", f"/{installed.relative_to(third.root)}")
    rollout = fleet.begin(*fleet.deploying("well"))
    until((installed / "strategy" / "strategy.py").exists, "the third host has the release", rollout)
    edited = f"/{installed.relative_to(third.root)}/strategy/strategy.py"
    third.inside("sed", "-i", "$ a # edited on the server", edited)
    done = ended(rollout)
    assert done.code == 1
    assert "strategy.py was edited" in done.told["why"], done
    whole(fleet)
    if installed.exists():  # an instance of an earlier roll-out runs from there, so it is left
        third.inside("sed", "-i", "$ d", edited)
    else:
        (aside,) = (installed.parent.parent / "edited").glob(f"{installed.name}-*")
        kept = (aside / "strategy" / "strategy.py").read_text()
        assert "edited on the server" in kept, "what somebody edited is not thrown away"
    assert [len(fleet.traded(host)) for host in hosts_of(fleet)] == traded_before
    assert fleet.stand(hosts_of(fleet)) == OLD_EVERYWHERE


def test_a_host_trades_the_same_release_again_after_its_power_was_cut(fleet: Fleet) -> None:
    first, *_ = hosts_of(fleet)
    traded = len(fleet.traded(first))
    first.power_off()
    first.power_on()
    first.wait_until_up()
    until(lambda: len(fleet.traded(first)) > traded, "it trades again")
    assert fleet.name_of(fleet.traded(first)[-1]) == "old"


def test_an_instance_that_is_killed_is_started_again_and_the_others_never_know(fleet: Fleet) -> None:
    first, *others = hosts_of(fleet)
    traded = [len(fleet.traded(host)) for host in hosts_of(fleet)]
    first.inside("systemctl", "kill", "--signal=KILL", "magellan-test@*")
    until(lambda: len(fleet.traded(first)) > traded[0], "it trades again")
    assert [len(fleet.traded(host)) for host in others] == traded[1:]


def test_hosts_go_on_trading_what_they_trade_while_nobody_can_reach_them(fleet: Fleet) -> None:
    for host in hosts_of(fleet):
        host.cut()
    done = fleet.deploy("well")
    assert done.code == 1
    assert done.told.get("error", {}).get("code") == "try-again", done
    assert fleet.stand(hosts_of(fleet)) == OLD_EVERYWHERE


# What a session's gate asks before each entry, asked by itself: prints when the answer changes, by the machine's clock.
LEASE_PROBE = """
import time
from pathlib import Path
from magellan.wiring.sessions import host_lease
from magellan.workspace.workspace import Workspace
lease, was = host_lease(Workspace.at(Path("/srv/magellan"))), None
until_s = time.monotonic() + 90
while time.monotonic() < until_s:
    why = lease.lapsed()
    if why != was:
        print(time.monotonic(), why, flush=True)
        was = why
    time.sleep(0.05)
"""


def test_a_host_that_is_cut_off_enters_nothing_more_once_its_lease_is_over(fleet: Fleet) -> None:
    first, *_ = hosts_of(fleet)
    engines = first.root / HOST_FOLDER.lstrip("/") / "host" / "engines"
    engine = f"{HOST_FOLDER}/host/engines/{next(engines.iterdir()).name}"
    keeping = fleet.begin("lease", "keep", "--to", "test", "--for", "10")
    renewed = engines.parent / "lease.json"
    until(renewed.exists, "the first renewal", keeping)
    probe = first.begin_inside("env", f"PYTHONPATH={engine}", f"{ENVIRONMENT}/bin/python", "-c", LEASE_PROBE)
    assert probe.stdout is not None
    try:
        while probe.stdout.readline().split(maxsplit=1)[1:]:
            pass  # until a renewal was seen: then nothing speaks against an entry
        cut_s = time.monotonic()
        first.cut()
        lapsed_s, why = probe.stdout.readline().split(maxsplit=1)
        assert 0.0 < float(lapsed_s) - cut_s <= 10.5, why  # the newest renewal came before the cut
        first.heal()
        assert not probe.stdout.readline().split(maxsplit=1)[1:], "the next renewal lets it enter again"
    finally:
        probe.kill()  # of what entered the host; the probe itself ends by its own clock, and holds the pipe until then
        probe.wait()
        probe.stdout.close()
        keeping.terminate()
        keeping.communicate(timeout=60)
        assert fleet.run("lease", "end", "--to", "test").code == 0


# Lines of the journal after which the controller is killed. MAGELLAN_LAB_KILLS=every tries each of them.
SAMPLED = (2, 14, 8)
EVERY = range(1, 40)


@pytest.mark.parametrize(
    ("line", "how"),
    [
        (line, ("--undo", "--resume")[number % 2])
        for number, line in enumerate(EVERY if os.environ.get("MAGELLAN_LAB_KILLS") == "every" else SAMPLED)
    ],
)
def test_a_killed_controller_can_go_on_or_back_from_any_record(fleet: Fleet, line: int, how: str) -> None:
    journals_before = fleet.journal_lines()
    rollout = fleet.begin(*fleet.deploying("well"))
    until(
        lambda: rollout.poll() is not None or fleet.journal_lines() >= journals_before + line,
        "so many records",
    )
    if rollout.poll() is not None:
        done = ended(rollout)
        assert done.code == 0, (done.told, done.notes)
        pytest.skip(f"the journal has fewer than {line} records")
    rollout.send_signal(signal.SIGKILL)
    rollout.communicate()
    for host in hosts_of(fleet):
        assert fleet.armed(host) in (fleet.releases["old"], fleet.releases["well"])
    done = fleet.go_on(how)
    wanted = "done" if how == "--resume" else "undone"
    assert (done.code, done.told.get("outcome")) == (0, wanted), (done.told, done.notes)
    assert fleet.stand(hosts_of(fleet)) == (NEW_EVERYWHERE if how == "--resume" else OLD_EVERYWHERE)
    assert fleet.audit()[-1]["result"] == ("done" if how == "--resume" else "taken back")
