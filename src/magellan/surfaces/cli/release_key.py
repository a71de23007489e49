"""`magellan release key`."""

from __future__ import annotations

import getpass
import os

from magellan.surfaces.cli.options import JsonOption


def release_key(as_json: JsonOption = False) -> None:
    """Make the key that signs your releases, where there is none yet, and show its public half.

    The private half stays in ~/.config/magellan/release_key.pem, which only
    you may read. The public half goes into the magellan.toml of every
    workspace, and onto every host, that is to trust releases of yours.
    """
    from magellan.surfaces.cli.output import emit, say
    from magellan.wiring.releases import release_key as key_of

    kept = key_of(os.environ)
    found = kept.key()
    key = kept.make() if found is None else found

    def tell() -> None:
        say(f"{'made' if found is None else 'there is already'} a key: {kept.place}")
        say("to trust releases that it signs, put these two lines into magellan.toml:")
        say("")
        say("[releases.trusted_keys]")
        say(f'{_toml_name(getpass.getuser())} = "{key.public_key}"')

    emit(
        {"public_key": key.public_key, "place": kept.place, "made": found is None},
        as_json=as_json,
        human=tell,
    )


def _toml_name(user: str) -> str:
    name = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in user.lower())
    return name if name[:1].isalpha() else f"user_{name}"
