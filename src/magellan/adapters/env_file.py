"""The workspace's .env: variables that only its owner may read.

Lines are `NAME=value`, with `export` before them or not; `#` begins a comment at a line's start or after a blank; a
value in single or double quotes keeps its blanks. Nothing in it is expanded.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal

from pydantic import SecretStr

from magellan.adapters.durable_file import write_durably
from magellan.errors import FixInput

_LINE: Final = re.compile(
    r"""(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*
        (?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<bare>[^\s'"\#]\S*|))\s*(?:(?<=\s)\#.*)?""",
    re.VERBOSE,
)


class EnvFile:
    """One .env file, read when it is first asked. A file that is not there holds nothing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: Mapping[str, SecretStr] | None = None

    @property
    def source(self) -> Literal["environment"]:
        """See `ports.secrets.SecretStore`."""
        return "environment"

    @property
    def place(self) -> str:
        return str(self._path)

    def secret(self, name: str) -> SecretStr | None:
        found = self._values().get(name)
        return found if found is not None and found.get_secret_value() else None

    def names(self) -> frozenset[str]:
        """Which variables it sets. Raises as `secret` does."""
        return frozenset(self._values())

    def put(self, values: dict[str, SecretStr | None]) -> None:
        """See `ports.secrets.SecretStore`. All at once, and every other line stays as it is."""
        text = _text(self._path)
        _parsed(self._path, text)  # a file that cannot be read is not written anew
        lines, left = [], {name: value for name, value in values.items() if value is not None}
        for line in text.splitlines():
            found = _LINE.fullmatch(line.strip())
            if found is None or found["name"] not in values:
                lines.append(line)
            elif found["name"] in left:
                lines.append(_written(self._path, found["name"], left.pop(found["name"])))
        lines += [_written(self._path, name, value) for name, value in left.items()]
        content = "".join(f"{line}\n" for line in lines).encode()
        write_durably(self._path, content, kept="the secrets that were there", mode=0o600)
        self._read = None

    def _values(self) -> Mapping[str, SecretStr]:
        if self._read is None:
            self._read = MappingProxyType(_parsed(self._path, _text(self._path)))
        return self._read


def _text(path: Path) -> str:
    """The file's text, "" when there is none. Raises FixInput when others may read it, or it is no text."""
    try:
        with path.open("rb") as file:
            # Of the file that is open, which nobody can swap between looking and reading.
            _must_be_private(path, os.fstat(file.fileno()))
            return file.read().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        # Without its cause, which carries the bytes.
        raise FixInput(
            f"{path}: byte {error.start} is not UTF-8 text", next_step="save the file as UTF-8"
        ) from None
    except (IsADirectoryError, PermissionError) as error:
        raise FixInput(
            f"{path} cannot be read: {error.strerror}", next_step=f"chmod 600 {path}, as its owner"
        ) from None


def _written(path: Path, name: str, value: SecretStr) -> str:
    plain = value.get_secret_value()
    quote = next((each for each in "'\"" if each not in plain), None)
    if quote is None or not plain.isprintable():
        raise FixInput(
            f"{name} has signs that no line of {path} can hold",  # without the value
            next_step="ask its issuer for another one, or keep it in the system's keyring",
        )
    return f"{name}={quote}{plain}{quote}"


def _must_be_private(path: Path, status: os.stat_result) -> None:
    if os.name != "posix":
        return  # rights are kept otherwise there, and the mode says nothing
    if status.st_uid not in (os.geteuid(), 0):
        raise FixInput(
            f"{path} belongs to user {status.st_uid}, who could change the keys in it",
            next_step=f"make it yours: sudo chown {os.geteuid()} {path}",
        )
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise FixInput(
            f"{path} can be read or changed by others (mode {stat.S_IMODE(status.st_mode):03o})",
            next_step=f"chmod 600 {path}, and replace the keys in it: others may have read them",
        )


def _parsed(path: Path, text: str) -> dict[str, SecretStr]:
    values: dict[str, SecretStr] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _LINE.fullmatch(stripped)
        if found is None:
            raise FixInput(  # without the line, which may hold a key
                f"{path}, line {number}: is not NAME=value",
                next_step="write NAME=value, with quotes around a value that has blanks",
            )
        name = found["name"]
        if name in values:
            raise FixInput(
                f"{path}, line {number}: {name} stands there more than once, and only one can count",
                next_step="delete one of them",
            )
        values[name] = SecretStr(found["single"] or found["double"] or found["bare"] or "")
    return values
