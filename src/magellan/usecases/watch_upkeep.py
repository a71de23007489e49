"""Watch over what a session itself does not see: the day's loss, the broker's errors, the disk, logs, secrets, backups.

`troubles` judges and is pure. `UpkeepWatch` looks every ten seconds, and tells what is new and what is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from magellan.errors import MagellanError
from magellan.ports.disk import DiskGauge
from magellan.ports.heartbeat import Heartbeat
from magellan.ports.notifier import Notifier
from magellan.usecases.secret_inventory import SecretLine
from magellan.workspace.notification_terms import NotificationTerms, Severity

LOOKS_EVERY_S: Final = 10.0
WINDOW: Final = timedelta(minutes=5)  # over which the broker's errors are counted
_ANSWERS_MIN: Final = 20  # of which a fraction means something
_SECRETS_ASKED_EVERY: Final = timedelta(hours=1)
_BACKUP_AGE_MAX: Final = timedelta(hours=26)  # one a day, and two hours for it


class Trouble(StrEnum):
    """What a person should look at."""

    DAY_LOSS = "day loss"
    API_ERRORS = "api errors"
    DISK = "disk"
    LOGS = "logs"
    SECRETS = "secrets"
    BACKUP = "backup"


SEVERITY: Final[dict[Trouble, Severity]] = {
    Trouble.DAY_LOSS: "critical",
    Trouble.API_ERRORS: "critical",
    Trouble.DISK: "critical",
    Trouble.LOGS: "warning",
    Trouble.SECRETS: "warning",
    Trouble.BACKUP: "warning",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What there is to judge. None: not known, or not asked for."""

    at: datetime  # aware, UTC
    beat: Heartbeat | None  # of a session that runs
    disk_free_bytes: int
    log_bytes: int
    secrets_not_well: tuple[str, ...]  # "NAME is overdue"
    last_backup_at: datetime | None  # None: there was never one, or nobody asked for any
    backups_asked: bool  # magellan.toml says where they go


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """The broker's answers in the window."""

    answers: int
    errors: int

    @property
    def error_fraction(self) -> float | None:
        """Errors among the answers. None: too few to say."""
        return self.errors / self.answers if self.answers >= _ANSWERS_MIN else None


def troubles(measured: Measured, answers: Answers, terms: NotificationTerms) -> dict[Trouble, str]:
    """What is wrong, in a sentence each."""
    found: dict[Trouble, str] = {}
    beat = measured.beat
    change = None if beat is None else beat.day_change_fraction
    if beat is not None and change is not None and -change > terms.day_loss_fraction_max:
        found[Trouble.DAY_LOSS] = (
            f"{beat.account} has lost {-change:.1%} of its equity since the last session's close, "
            f"more than {terms.day_loss_fraction_max:.1%}"
        )
    fraction = answers.error_fraction
    if fraction is not None and fraction > terms.api_error_fraction_max:
        found[Trouble.API_ERRORS] = (
            f"{answers.errors} of the broker's last {answers.answers} answers were errors, "
            f"more than {terms.api_error_fraction_max:.0%}"
        )
    if measured.disk_free_bytes < terms.disk_free_bytes_min:
        found[Trouble.DISK] = (
            f"{measured.disk_free_bytes / 1e6:,.0f} MB are free on the workspace's disk, "
            f"less than {terms.disk_free_bytes_min / 1e6:,.0f}"
        )
    if measured.log_bytes > terms.log_bytes_max:
        found[Trouble.LOGS] = (
            f"the logs take {measured.log_bytes / 1e6:,.0f} MB, more than {terms.log_bytes_max / 1e6:,.0f}"
        )
    if measured.secrets_not_well:
        found[Trouble.SECRETS] = "; ".join(measured.secrets_not_well)
    if measured.backups_asked:
        last_at = measured.last_backup_at
        if last_at is None:
            found[Trouble.BACKUP] = "no backup was ever made of this workspace"
        elif measured.at - last_at > _BACKUP_AGE_MAX:
            found[Trouble.BACKUP] = f"the newest backup is of {last_at:%Y-%m-%d %H:%M} UTC"
    return found


@dataclass(slots=True, kw_only=True)
class UpkeepWatch:
    """One workspace and account, watched.

    newest_beat:    the newest heartbeat, and when it was left.
    secrets:        the inventory of secrets; asked once an hour, since it may ask places that are far away.
    last_backup_at: None: magellan.toml asks for no backups.
    """

    newest_beat: Callable[[], tuple[Heartbeat, datetime] | None]
    disk: DiskGauge
    secrets: Callable[[], Sequence[SecretLine]]
    last_backup_at: Callable[[], datetime | None] | None
    terms: NotificationTerms
    notifier: Notifier
    now: Callable[[], datetime]
    told: dict[Trouble, str] = field(default_factory=dict)
    _counts: deque[tuple[datetime, str, int, int]] = field(default_factory=deque)
    _not_well: tuple[str, ...] = ()
    _secrets_asked_at: datetime | None = None

    def look(self) -> None:
        """Look once, and tell what changed."""
        measured = self.measured()
        found = troubles(measured, self._answers(measured), self.terms)
        for each in found.keys() - self.told.keys():
            self.notifier.tell(SEVERITY[each], found[each], measured.at)
        for each in self.told.keys() - found.keys():
            self.notifier.tell("info", f"over: {self.told[each]}", measured.at)
        self.told = found

    def measured(self) -> Measured:
        """What there is to judge now."""
        at = self.now()
        newest = self.newest_beat()
        # What a session that is over said last is not how things stand.
        beat = None if newest is None or at - newest[1] > WINDOW else newest[0]
        if self._secrets_asked_at is None or at - self._secrets_asked_at >= _SECRETS_ASKED_EVERY:
            self._ask_secrets(at)
        return Measured(
            at=at,
            beat=beat,
            disk_free_bytes=self.disk.free_bytes(),
            log_bytes=self.disk.log_bytes(),
            secrets_not_well=self._not_well,
            backups_asked=self.last_backup_at is not None,
            last_backup_at=None if self.last_backup_at is None else self.last_backup_at(),
        )

    def _ask_secrets(self, at: datetime) -> None:
        self._secrets_asked_at = at
        try:
            lines = self.secrets()
        except MagellanError as error:
            self._not_well = (f"secrets cannot be looked at: {error.message}",)
            return
        self._not_well = tuple(
            f"the secret {each.name} is {each.state}" for each in lines if not each.state.is_well
        )

    def _answers(self, measured: Measured) -> Answers:
        beat = measured.beat
        if beat is None:
            self._counts.clear()
            return Answers(answers=0, errors=0)
        if self._counts and self._counts[-1][1] != beat.session_id:
            self._counts.clear()  # another session counts from nought
        self._counts.append((measured.at, beat.session_id, beat.broker_answers, beat.broker_errors))
        # The newest count that is as old as the window, so that the difference covers all of it.
        while len(self._counts) > 1 and measured.at - self._counts[1][0] >= WINDOW:
            self._counts.popleft()
        _, _, answers, errors = self._counts[0]
        return Answers(answers=beat.broker_answers - answers, errors=beat.broker_errors - errors)
