"""Build a release: gather what it is made of, refuse what must not be in it, sign it, and keep it."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from magellan.errors import FixInput
from magellan.ports.gate_records import GateRecords
from magellan.ports.release_inputs import ReleaseInputs
from magellan.ports.release_key import ReleaseKey
from magellan.ports.release_store import ReleaseStore
from magellan.release.artifact import Artifact, packed, unpacked
from magellan.release.manifest import ENGINE, LOCK, STRATEGY, VERDICT, GateStamp, Manifest, listed
from magellan.release.secret_scan import leaks
from magellan.release.stored import StoredRelease
from magellan.usecases.gate_evidence.examination import files_sha256
from magellan.usecases.load_strategy import load_strategy
from magellan.workspace.workspace import StrategyFolder

_LEAKS_SHOWN: Final = 5
_LARGEST: Final = 5 * 1024 * 1024  # bytes of one file: a strategy's folder is code, config and words
_LEFT_OUT: Final = frozenset({"__pycache__", "reports"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSources:
    """Everything that a build asks."""

    store: ReleaseStore
    key: ReleaseKey
    inputs: ReleaseInputs
    gates: GateRecords
    known_secrets: Mapping[str, str]  # of the workspace, by name: none may stand in a release
    trusted_keys: Mapping[str, str]  # of magellan.toml, by name
    clock: Callable[[], datetime]  # now, aware, UTC


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A release, and where it stands in the store."""

    stored: StoredRelease
    manifest: Manifest
    was_there: bool  # the same bytes had been built before
    signer: str | None  # the key's name in magellan.toml; None: it is not trusted there yet


def build_release(folder: StrategyFolder, sources: ReleaseSources, *, author: str) -> Built:
    """Build a release of what the folder holds now.

    author: who answers for it.
    Raises: FixInput without a key, without a verdict on exactly these files, with a secret in them, or with something
            that a release cannot hold; AskOperator when it cannot be kept.
    """
    key = sources.key.key()
    if key is None:
        raise FixInput(
            f"there is no key to sign releases with at {sources.key.place}",
            next_step="make one with `magellan release key`",
        )
    held = strategy_files(folder)
    files = {f"{STRATEGY}/{path}": content for path, content in held.items()}
    _refuse_leaks(files, sources.known_secrets)
    loaded = load_strategy(folder)
    verdict = sources.gates.newest_verdict(folder)
    judged = None if verdict is None else json.loads(verdict)
    if verdict is None or judged is None or judged["strategy"]["files_sha256"] != files_sha256(folder):
        raise FixInput(
            f"the gates have not judged {folder.label} as it is now",
            next_step=f"run `magellan gate {folder.label}`, then build again",
        )
    if strategy_files(folder) != held:
        raise FixInput(
            f"files of {folder.label} changed while the release was built",
            kept="nothing was built",
            next_step="let whatever writes there finish, then build again",
        )
    files[VERDICT] = verdict
    files[LOCK] = sources.inputs.lock()
    files |= {f"{ENGINE}/{path}": content for path, content in sources.inputs.engine_files().items()}
    manifest = Manifest(
        strategy=folder.name,
        version=loaded.config.strategy.version,
        kind=loaded.config.strategy.kind,
        code_sha256=loaded.code_sha256,
        config_sha256=loaded.config_sha256,
        engine_version=sources.inputs.engine_version(),
        gate=GateStamp(
            answer=judged["answer"],
            judged_at=datetime.fromisoformat(judged["judged_at"]),
            not_open=_not_open(judged),
        ),
        data_ids=_data_ids(judged),
        author=author,
        commit=sources.inputs.commit(folder.path),
        files=listed(files),
    )
    release_id = manifest.release_id
    artifact = Artifact(manifest=manifest, files=files, signature=key.sign(release_id))
    content = packed(artifact)
    assert unpacked(content, name=release_id) == artifact, "a release reads back as it was packed"
    before = {each.release_id for each in sources.store.releases(folder.name)}
    stored = sources.store.put(folder.name, release_id, content, at=sources.clock())
    return Built(
        stored=stored,
        manifest=manifest,
        was_there=release_id in before,
        signer=artifact.signature.signer(sources.trusted_keys),
    )


def strategy_files(folder: StrategyFolder) -> dict[str, bytes]:
    """What of a strategy's folder goes into its release, by path in it: everything but caches and hidden files.

    Raises: FixInput for links, files of over 5 MB, and names that are not the same on every machine.
    """
    found: dict[str, bytes] = {}
    for path in sorted(folder.path.rglob("*")):
        inside = path.relative_to(folder.path)
        if any(part in _LEFT_OUT or part.startswith(".") for part in inside.parts):
            continue
        if path.is_symlink():
            raise FixInput(
                f"{path} is a link, and a release holds files only", next_step="put the file itself there"
            )
        if path.is_file():
            found[_portable(inside)] = _content(path)
    return found


def _content(path: Path) -> bytes:
    size = path.stat().st_size
    if size > _LARGEST:
        raise FixInput(
            f"{path} has {size:,} bytes; a file of a release has at most {_LARGEST:,}",
            next_step="keep data in the archive, and move the file out of the strategy's folder",
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise FixInput(
            f"{path} cannot be read: {error.strerror}", next_step="give this user the right to read it"
        ) from error


def _portable(inside: Path) -> str:
    name = inside.as_posix()
    try:
        same = unicodedata.normalize("NFC", name) == name and name.encode() is not None
    except UnicodeEncodeError:
        same = False
    if not same or "\\" in name:
        raise FixInput(f"{name!r} is not the same file name on every machine", next_step="rename the file")
    return name


def _refuse_leaks(files: Mapping[str, bytes], known: Mapping[str, str]) -> None:
    found = leaks(files, known)
    if not found:
        return
    told = [f"{each.path.removeprefix(f'{STRATEGY}/')}, line {each.line}: {each.what}" for each in found]
    more = f"; and {len(told) - _LEAKS_SHOWN} more" if len(told) > _LEAKS_SHOWN else ""
    raise FixInput(
        f"a release must not hold secrets: {'; '.join(told[:_LEAKS_SHOWN])}{more}",
        kept="nothing was built",
        next_step="take them out and give them new values, since they have been in a file; keys belong in .env. "
        "A line that is none may end with `# pragma: allowlist secret`",
    )


def _not_open(judged: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(each["name"] for each in judged["criteria"] if each["answer"] != "open")


def _data_ids(judged: Mapping[str, Any]) -> tuple[str, ...]:
    """Archived sets with the digests that they had when they were judged."""
    return tuple(
        f"{name}: {fact.partition(',')[0]}"
        for each in judged["evidence"]
        if each["kind"] == "data"
        for name, fact in sorted(each["facts"].items())
    )
