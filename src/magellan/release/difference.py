"""What differs between two releases, in words that tell a trader what will change."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from magellan.release.artifact import Artifact
from magellan.release.manifest import ENGINE, LOCK, STRATEGY

_CONFIG: Final = f"{STRATEGY}/config.json"
_PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)
ABSENT: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not as it was."""

    what: str  # a file, a key of the config, a dependency, a field of the manifest
    before: str  # "-" where it was not there
    after: str


def differences(before: Artifact, after: Artifact) -> tuple[Change, ...]:
    """Everything that differs; none for two releases of one name."""
    return tuple(
        change
        for changes in (
            _identity(before, after),
            _config(before, after),
            _packages(before, after),
            _files(before, after),
        )
        for change in changes
    )


def _identity(before: Artifact, after: Artifact) -> Iterator[Change]:
    for what in ("strategy", "version", "kind", "engine_version", "author"):
        yield from _change(
            what.replace("_", " "), str(getattr(before.manifest, what)), str(getattr(after.manifest, what))
        )
    commits = [each.manifest.commit for each in (before, after)]
    yield from _change(
        "commit",
        *(
            ABSENT if each is None else f"{each.id[:12]}{'' if each.is_clean else ' and edits'}"
            for each in commits
        ),
    )
    yield from _change("gates", before.manifest.gate.answer, after.manifest.gate.answer)


def _config(before: Artifact, after: Artifact) -> Iterator[Change]:
    old, new = (dict(_flat(json.loads(each.files[_CONFIG]))) for each in (before, after))
    for key in sorted(old.keys() | new.keys()):
        yield from _change(f"config: {key}", _value(old, key), _value(new, key))


def _packages(before: Artifact, after: Artifact) -> Iterator[Change]:
    old, new = (dict(_PINNED.findall(each.files[LOCK].decode())) for each in (before, after))
    for name in sorted(old.keys() | new.keys()):
        yield from _change(f"package: {name}", old.get(name, ABSENT), new.get(name, ABSENT))


def _files(before: Artifact, after: Artifact) -> Iterator[Change]:
    """Files of the strategy by name; those of the engine counted, since its version says more."""
    old, new = ({file.path: file.sha256 for file in each.manifest.files} for each in (before, after))
    engine = 0
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) == new.get(path):
            continue
        if path.startswith(f"{ENGINE}/"):
            engine += 1
        elif path.startswith(f"{STRATEGY}/"):
            sizes = [
                f"{len(each.files[path]):,} bytes" if path in each.files else ABSENT
                for each in (before, after)
            ]
            yield Change(what=f"file: {path.removeprefix(f'{STRATEGY}/')}", before=sizes[0], after=sizes[1])
    if engine:
        yield Change(what="engine", before="", after=f"{engine} of its files differ")


def _change(what: str, before: str, after: str) -> Iterator[Change]:
    if before != after:
        yield Change(what=what, before=before, after=after)


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _flat(each, f"{key}.{name}" if key else name)
    else:
        yield key, value


def _value(config: Mapping[str, Any], key: str) -> str:
    return json.dumps(config[key], ensure_ascii=False) if key in config else ABSENT
