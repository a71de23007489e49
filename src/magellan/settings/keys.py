"""An account's pair of keys: by which names it is known, and what the providers of secrets have of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydantic import SecretStr

from magellan.ports.secrets import SecretProvider
from magellan.workspace.broker_account import KeyNames

_SECRET_NAME: Final = re.compile(r"KEY|SECRET|TOKEN|PASSWORD|PASSPHRASE|WEBHOOK", re.IGNORECASE)


class KeyState(StrEnum):
    """What was found of a pair of keys."""

    WHOLE = "whole"
    NONE = "none"
    HALF = "half"
    CONTRADICTING = "contradicting"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPair:
    """A pair of keys, both from one place."""

    key_id: SecretStr
    secret: SecretStr
    place: str  # where they were found


@dataclass(frozen=True, slots=True, kw_only=True)
class KeysFound:
    """What the providers of secrets know of an account's keys."""

    state: KeyState
    pair: KeyPair | None = None  # of a WHOLE pair
    reason: str = ""  # of anything else, in names of variables alone

    def __post_init__(self) -> None:
        assert (self.state is KeyState.WHOLE) == (self.pair is not None), "a whole pair has two keys"


# The names by which Alpaca's clients have read a pair of keys: (id, secret).
KEY_SCHEMES: Final = (
    ("ALPACA_API_KEY", "ALPACA_API_SECRET"),
    ("ALPACA_API_KEY", "ALPACA_SECRET_KEY"),
    ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"),
)


def named_like_secrets(variables: Mapping[str, str]) -> dict[str, str]:
    """Those of the variables whose names say that their values are for nobody else."""
    return {name: value for name, value in variables.items() if _SECRET_NAME.search(name) and value}


def find_keys(names: KeyNames, providers: Sequence[SecretProvider]) -> KeysFound:
    """An account's keys, both from the first provider that knows one of them.

    Only providers of the source that is named are asked. Raises as they do.
    """
    providers = [each for each in providers if each.source == names.source]
    schemes = KEY_SCHEMES if names.key_id is None or names.secret is None else ((names.key_id, names.secret),)
    for provider in providers:
        known = {name: value for name in _once(schemes) if (value := provider.secret(name)) is not None}
        if known:
            return _pair(schemes, known, provider.place)
    wanted = ", or ".join(f"{key_id} with {secret}" for key_id, secret in schemes)
    places = ", ".join(provider.place for provider in providers) or "nowhere"
    return KeysFound(state=KeyState.NONE, reason=f"there are no keys: looked for {wanted}; in {places}")


def _pair(schemes: Sequence[tuple[str, str]], known: Mapping[str, SecretStr], place: str) -> KeysFound:
    for names in zip(*schemes, strict=True):  # all ids, then all secrets
        present = [name for name in dict.fromkeys(names) if name in known]
        if len({known[name].get_secret_value() for name in present}) > 1:
            return KeysFound(
                state=KeyState.CONTRADICTING,
                reason=f"{' and '.join(present)} in {place} hold different keys: one of them is wrong",
            )
    for key_id, secret in schemes:
        if key_id in known and secret in known:
            return KeysFound(
                state=KeyState.WHOLE, pair=KeyPair(key_id=known[key_id], secret=known[secret], place=place)
            )
    return KeysFound(
        state=KeyState.HALF, reason=f"{place} has {' and '.join(known)}, and not the key that goes with it"
    )


def _once(schemes: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for scheme in schemes for name in scheme))
