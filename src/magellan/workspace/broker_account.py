"""Broker accounts in magellan.toml: by name, with everything about them that is no secret.

A key itself never stands there, only the name under which a provider of secrets has it.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from magellan.workspace.risk_terms import RiskCaps
from magellan.workspace.secret_terms import SecretSource, checked_name
from magellan.workspace.section import Section

AccountKind = Literal["local", "paper", "live"]

_CONSOLIDATED: Final = "consolidated"


class KeyNames(Section):
    """Where an account's two keys are found. Both or neither.

    Neither: in the environment by the names that Alpaca's clients read, elsewhere as /magellan/alpaca/NUMBER/API_KEY
    and API_SECRET.
    """

    source: SecretSource = Field(
        "environment",
        description="environment variables, then the workspace's .env; the system's keyring; AWS SSM parameters",
    )
    # Kept out of `repr` and of error messages, lest somebody writes the key itself there.
    key_id: str | None = Field(None, repr=False, description="name of the key's id, never the key")
    secret: str | None = Field(None, repr=False, description="name of the secret, never the secret")

    @field_validator("key_id", "secret")
    @classmethod
    def _is_a_name(cls, name: str | None) -> str | None:
        return None if name is None else checked_name(name)

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        if (self.key_id is None) != (self.secret is None):
            raise ValueError("keys: key_id and secret are named both, or neither")
        return self


class LiveData(Section):
    """Whose bars a session decides on."""

    source: Literal["alpaca", "polygon", "yahoo"] = Field(
        "alpaca", description="alpaca streams its bars; the others are asked after each minute"
    )
    feed: str | None = Field(
        None,
        pattern=r"^[a-z][a-z0-9_]*$",
        description="of alpaca: iex (when nothing is said) is a small part of the market, sip all of it: other "
        "volumes, other bars; the others have one feed, consolidated",
    )

    @property
    def feed_read(self) -> str:
        """The feed that is meant."""
        return self.feed or ("iex" if self.source == "alpaca" else _CONSOLIDATED)

    @model_validator(mode="after")
    def _source_has_the_feed(self) -> Self:
        if self.source != "alpaca" and self.feed not in (None, _CONSOLIDATED):
            raise ValueError(f"feed: {self.source} has one feed, '{_CONSOLIDATED}', not '{self.feed}'")
        return self


class Watchdog(Section):
    """What another process does when a session goes silent."""

    silence_s_max: float = Field(
        90.0, gt=0, description="seconds without a heartbeat that shows progress, in trading hours"
    )
    then: Literal["alarm", "flatten"] = Field(
        "alarm", description="flatten also leaves every position, past the session that hangs"
    )


class BrokerAccount(Section):
    """One account at a broker. It is traded by one session at a time."""

    broker: Literal["alpaca", "robinhood"] = "alpaca"
    kind: AccountKind = Field(description="local: an exchange on this machine; paper; live: real money")
    number: str = Field(
        pattern=r"^[A-Za-z0-9-]{3,64}$",
        description="as the broker shows it; a session of another account is refused",
    )
    address: str | None = Field(
        None, description="of a local exchange, for example http://127.0.0.1:8931; null for paper and live"
    )
    keys: KeyNames = Field(KeyNames(), repr=False)
    data: LiveData = LiveData()
    places_orders: bool | None = Field(
        None, description="of robinhood: true lets sessions send orders; otherwise the account is only read"
    )
    reconcile: Literal["refuse", "adopt", "flatten"] = Field(
        "refuse", description="what to do where our book and the broker's differ"
    )
    reconcile_every_s: float = Field(60.0, ge=5, le=3600, description="seconds between two comparisons")
    on_stop: Literal["hold", "flatten"] = Field(
        "hold", description="what becomes of positions when a session is stopped"
    )
    watchdog: Watchdog = Watchdog()
    risk: RiskCaps = Field(RiskCaps(), description="limits of this account, whatever its strategy says")

    @model_validator(mode="before")
    @classmethod
    def _keys_are_named_by_the_number(cls, told: Any) -> Any:
        keys = told.get("keys") if isinstance(told, dict) else None
        if not isinstance(keys, dict) or keys.get("source") not in ("keyring", "ssm"):
            return told
        if told.get("broker") == "robinhood":
            return told  # it has a login, and no keys
        if {"key_id", "secret"} & keys.keys():
            return told
        path = f"/magellan/{told.get('broker', 'alpaca')}/{told.get('number')}"
        return {**told, "keys": {**keys, "key_id": f"{path}/API_KEY", "secret": f"{path}/API_SECRET"}}

    @model_validator(mode="after")
    def _robinhood_is_live_and_read_only_unless_said(self) -> Self:
        if self.broker != "robinhood":
            if self.places_orders is not None:
                raise ValueError(f"places_orders: is asked of robinhood alone; {self.broker} takes orders")
            return self
        if self.kind != "live":
            raise ValueError(
                "kind: robinhood has no paper account; to try a strategy, trade our own exchange: an account of "
                'broker alpaca and kind local, which `magellan exchange` serves; robinhood itself is "live"'
            )
        if self.data.source == "alpaca":
            raise ValueError(
                "data.source: robinhood streams no bars, and its accounts have no keys of alpaca: say polygon or yahoo"
            )
        if self.keys.key_id is not None:
            raise ValueError("keys: robinhood has a login, and no keys; `magellan broker login` makes one")
        return self

    @property
    def takes_orders(self) -> bool:
        """Whether sessions may send orders there."""
        return self.broker != "robinhood" or self.places_orders is True

    @property
    def has_keys(self) -> bool:
        """Whether it is opened with a pair of keys; otherwise a person has logged in."""
        return self.broker != "robinhood"

    @model_validator(mode="after")
    def _kind_and_address_agree(self) -> Self:
        if self.kind != "local":
            if self.address is not None:
                raise ValueError(
                    f"address: a {self.kind} account is reached at its broker's own address; only kind local has one"
                )
        elif self.address is None:
            raise ValueError("address: is missing (of the local exchange, for example http://127.0.0.1:8931)")
        elif not is_loopback(self.address):
            raise ValueError(f"address: {self.address} is not on this machine, and kind is local")
        elif self.data.source != "alpaca":
            raise ValueError("data.source: an exchange on this machine tells its own bars, as alpaca does")
        return self


def is_loopback(address: str) -> bool:
    """Whether a URL leads to this very machine, by its text alone."""
    try:
        host = urlsplit(address).hostname
    except ValueError:
        return False
    if host is None or host == "localhost":
        return host == "localhost"
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
