"""A person who answers for something, by a key: a name alone is a string that anybody can type."""

from __future__ import annotations

from collections.abc import Mapping

from magellan.errors import FixInput
from magellan.release.signature import SigningKey


def key_of(by: str, key: SigningKey | None, trusted: Mapping[str, str]) -> SigningKey:
    """The key with which that person signs.

    by:      the name beside the key in magellan.toml.
    key:     of the user who gives the command; None: there is none.
    trusted: public keys, base64, by whom they belong to.
    Raises:  FixInput when nobody knows the name, or the key is somebody else's.
    """
    if by not in trusted:
        known = ", ".join(sorted(trusted)) or "nobody"
        raise FixInput(
            f"magellan.toml knows no key of '{by}'; it knows: {known}",
            next_step="put your key into [releases.trusted_keys]: `magellan release key` shows it",
        )
    if key is None or key.public_key != trusted[by]:
        raise FixInput(
            f"the key of this user is not the one that magellan.toml says is {by}'s",
            kept="everything as it was",
            next_step=f"let {by} do it, as the user whose key that is",
        )
    return key
