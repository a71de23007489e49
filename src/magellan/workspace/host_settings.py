"""Host settings: the part of magellan.toml that a host's instances trade by, and nothing that is the controller's.

An instance runs the engine of its own release, which may be an older one and refuses a key that it does not know. So a
host is given only what its sessions read, and a section for the newest roll-outs cannot keep an old release from being
rolled back to.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from datetime import date, datetime, time
from typing import Any, Final

_OF_THE_CONTROLLER: Final = frozenset({"targets", "deploy", "freeze", "promotion", "backup"})
_OF_THE_CONTROLLER_IN_STAGES: Final = frozenset({"targets", "watch_s"})


def host_settings(text: str) -> str:
    """What a host's magellan.toml says, by the workspace's. text: sound TOML."""
    told = {key: value for key, value in tomllib.loads(text).items() if key not in _OF_THE_CONTROLLER}
    if "stages" in told:
        told["stages"] = {
            stage: {key: value for key, value in terms.items() if key not in _OF_THE_CONTROLLER_IN_STAGES}
            for stage, terms in told["stages"].items()
        }
    lines = ["# Written by `magellan host prepare`; changes are lost."]
    lines += [f"{_text(key)} = {_value(value)}" for key, value in told.items() if not isinstance(value, dict)]
    for key, section in told.items():
        if isinstance(section, dict):
            lines += ["", f"[{_text(key)}]"]
            lines += [f"{_text(each)} = {_value(value)}" for each, value in section.items()]
    return "\n".join(lines) + "\n"


def host_settings_digest(text: str) -> str:
    """Of a host's magellan.toml, for comparing."""
    return hashlib.sha256(text.encode()).hexdigest()


def _value(value: Any) -> str:
    """As TOML writes it. A JSON string is one of TOML's too, but for one character and for escaped surrogates."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_text(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, float):
        return repr(value)
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
