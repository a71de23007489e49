"""Notifications in magellan.toml: who is told what, and when. Of secrets, only the names stand there."""

from __future__ import annotations

from datetime import time
from typing import Final, Literal, Self

from pydantic import Field, model_validator

from magellan.workspace.secret_terms import SecretName
from magellan.workspace.section import Section

Severity = Literal["info", "warning", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")


class Channel(Section):
    """One way to people."""

    kind: Literal["slack", "discord", "telegram", "email"]
    least: Severity = Field("warning", description="what is less severe is not told here")
    secret: SecretName | None = Field(
        None,
        repr=False,
        description="name of the secret: of slack and discord the webhook's URL, of telegram the bot's token, of "
        "email the server's password (null: it asks for none)",
    )
    to: tuple[str, ...] = Field(
        (), strict=False, description="of email addresses, of telegram numbers of chats; else nothing"
    )
    sender: str | None = Field(None, description="of email, the address that it comes from")
    server: str | None = Field(
        None,
        pattern=r"^(smtps?|starttls)://([^@/:\s]+@)?[A-Za-z0-9.-]+(:\d+)?$",
        description="of email: smtps://USER@HOST:PORT, starttls:// or, within one machine, smtp://",
    )

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        is_email = self.kind == "email"
        if is_email and (self.server is None or self.sender is None):
            raise ValueError("an email channel needs server and sender")
        if not is_email and (self.server or self.sender):
            raise ValueError(f"a {self.kind} channel has neither server nor sender")
        if not is_email and self.secret is None:
            raise ValueError(f"a {self.kind} channel needs secret: the name of its secret, never the secret")
        if (self.kind in ("email", "telegram")) != bool(self.to):
            words = "names in `to` whom it reaches" if self.kind in ("email", "telegram") else "has no `to`"
            raise ValueError(f"a {self.kind} channel {words}")
        return self


class NotificationTerms(Section):
    """Who is told what. Without channels, alarms are in the log and on the console alone."""

    channels: dict[str, Channel] = Field(
        default_factory=dict, description="ways to people, by a name of yours"
    )
    quiet_from: str | None = Field(
        None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="New York time; until quiet_to, only critical"
    )
    quiet_to: str | None = Field(None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    repeat_after_s: int = Field(
        300, ge=60, description="the same is told a channel again after so many seconds at the earliest"
    )
    day_loss_fraction_max: float = Field(0.03, gt=0, lt=1, description="of equity; beyond, an alarm")
    api_error_fraction_max: float = Field(
        0.05, gt=0, lt=1, description="of the broker's answers in five minutes"
    )
    log_bytes_max: int = Field(100_000_000, ge=1, description="of all logs together")
    disk_free_bytes_min: int = Field(1_000_000_000, ge=1)

    @model_validator(mode="after")
    def _quiet_has_two_ends(self) -> Self:
        if (self.quiet_from is None) != (self.quiet_to is None):
            raise ValueError("quiet_from and quiet_to are set both, or neither")
        return self

    def is_quiet(self, at: time) -> bool:
        """Whether only what is critical is told at that time of New York's day."""
        if self.quiet_from is None or self.quiet_to is None:
            return False
        begins, ends = time.fromisoformat(self.quiet_from), time.fromisoformat(self.quiet_to)
        return begins <= at < ends if begins <= ends else at >= begins or at < ends
