"""Secrets that the process knows, kept out of whatever is written down.

A broker's answer or a library's error may repeat a key. It is hidden by its value, wherever it stands in a text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

HIDDEN: Final = "[hidden]"
_SHORTEST: Final = 6  # characters of a value that is looked for; a shorter one would hide ordinary words


class KnownSecrets:
    """The values of the keys that this process holds."""

    def __init__(self, values: Iterable[str]) -> None:
        chosen = sorted({value for value in values if len(value) >= _SHORTEST}, key=len, reverse=True)
        self._in_text = _any_of(chosen)
        # As they stand inside JSON, where a quote or a backslash is written with another backslash.
        self._in_json = tuple(
            json.dumps(value, ensure_ascii=False)[1:-1].encode(errors="surrogatepass") for value in chosen
        )

    def occur_in(self, line: bytes) -> bool:
        """Whether a line of JSON repeats one."""
        return any(value in line for value in self._in_json)

    def hidden_in(self, text: str) -> str:
        """The text without them."""
        return text if self._in_text is None else self._in_text.sub(HIDDEN, text)

    def hidden_within(self, value: Any) -> Any:
        """A value of ours without them: its texts, and those of everything inside it."""
        if type(value) is str:
            return self.hidden_in(value)
        if isinstance(value, tuple):
            return tuple(self.hidden_within(each) for each in value)
        if isinstance(value, Mapping):
            return {self.hidden_within(name): self.hidden_within(each) for name, each in value.items()}
        if is_dataclass(value) and not isinstance(value, type):
            return type(value)(
                **{each.name: self.hidden_within(getattr(value, each.name)) for each in fields(value)}
            )
        return value


def _any_of(values: list[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(re.escape, values))) if values else None


NO_SECRETS: Final = KnownSecrets(())
