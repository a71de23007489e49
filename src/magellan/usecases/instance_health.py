"""Instance health: whether an instance does what it is there for, by what it says and not by its process alone.

A container's health check asks this, and whoever looks after a host.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from magellan.deploy.instance import Condition, Instance, InstanceReport
from magellan.ports.heartbeat import Heartbeat
from magellan.release.manifest import shown

REPORT_AGE_S_MAX: Final = 15.0  # it reports every second
BEAT_AGE_S_MAX: Final = 15.0


def instance_problem(
    instance: Instance,
    report: tuple[InstanceReport, datetime] | None,
    beat: tuple[Heartbeat, datetime] | None,
    now: datetime,
) -> str:
    """Why the instance is not well; "": it is.

    report, beat: the newest of the instance, and of its account's session, with when each was written by this
    machine's clock. Unknown is not well: an instance that still loads has not shown that it can trade.
    """
    if report is None:
        return "it has said nothing"
    said, said_at = report
    if said.release_id != instance.release_id:
        return f"it runs the release {shown(said.release_id)}, not {shown(instance.release_id)}"
    if said.condition in (Condition.FAILED, Condition.STOPPED, Condition.LOADING):
        return f"it is {said.condition}{f': {said.why}' if said.why else ''}"
    if (age_s := (now - said_at).total_seconds()) > REPORT_AGE_S_MAX:
        return f"its newest word is {age_s:.0f} s old"
    if said.condition is not Condition.TRADING:
        return ""
    if beat is None:
        return "it trades, and its session has no heartbeat"
    if (age_s := (now - beat[1]).total_seconds()) > BEAT_AGE_S_MAX:
        return f"it trades, and the newest heartbeat of its session is {age_s:.0f} s old"
    if beat[0].release_id != instance.release_id:
        return f"it trades, and the session is one of the release {shown(beat[0].release_id or 'none')}"
    return ""
