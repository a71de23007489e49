"""`migration_mapping.json`: which file goes where. Written by `magellan migrate plan`, or by hand.

    {"version": 1, "source_roots": ["", "src"], "moves": [{"from": "pkg/a.py", "to": "pkg/sub/a.py"}]}

These three keys are enough. A folder in `from` stands for every file in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from magellan.errors import FixInput
from magellan.migration.module_names import is_name
from magellan.migration.source_tree import IGNORED_FOLDERS, SourceTree
from magellan.plan.files.tree import Kind, checked, folders_above
from magellan.workspace.config_file import json_object, read_text, refusal, validated

FILE_NAME: Final = "migration_mapping.json"
_RESERVED: Final = frozenset(
    {"aux", "con", "nul", "prn", *(f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10))}
)
"""Names that Windows keeps for devices, with any ending: such a file cannot be checked out there."""
_NAME_LENGTH_MAX: Final = 255  # bytes
_PATH_LENGTH_MAX: Final = (
    1000  # bytes from the tree's own folder; some systems open 1,024, with that folder's path
)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class MappedMove(_Part):
    """One file, or one folder with all that is in it."""

    source: Annotated[str, Field(alias="from", description="Path in the tree as it is.")]
    target: Annotated[str, Field(alias="to", description="Path in the tree as it shall be.")]
    shim: Annotated[
        bool | None,
        Field(
            description="Whether the old import path keeps working, unless `--no-shims` ends all; null: apply decides."
        ),
    ] = None
    category: Annotated[str, Field(description="The category that it was given.")] = ""
    confidence: Annotated[
        float | None, Field(ge=0, le=1, description="How sure the category is, from 0 to 1.")
    ] = None
    reasons: Annotated[tuple[str, ...], Field(description="What speaks for the category.")] = ()
    note: Annotated[str, Field(description="Anything a person wants to say.")] = ""


class MigrationMapping(_Part):
    """A whole mapping, as it is written in the file."""

    schema_: Annotated[str | None, Field(alias="$schema", description="Where editors find the schema.")] = (
        None
    )
    version: Annotated[Literal[1], Field(description="Of this format.")]
    source_roots: Annotated[
        tuple[str, ...],
        Field(min_length=1, description='Folders that dotted names are counted from; "" is the tree itself.'),
    ]
    moves: tuple[MappedMove, ...]
    package_files: Annotated[
        Mapping[str, str],
        Field(
            description="Contents of `__init__.py` files to be made, by path; those not named are made empty."
        ),
    ] = {}
    shims_expire_on: Annotated[
        date | None, Field(description="The day after which shims are to be removed.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMove:
    """One file or link that gets another path."""

    source: str
    target: str
    shim: bool | None = None


def read_mapping(path: Path) -> MigrationMapping:
    """The mapping in that file. Raises FixInput with one line per problem, each with its place."""
    return parse_mapping(read_text(path), name=str(path))


def parse_mapping(text: str, *, name: str) -> MigrationMapping:
    """The mapping that JSON text holds. name: of the file, for messages."""
    mapping = validated(MigrationMapping, json_object(text, name=name), name=name)
    problems = list(_unusable(mapping))
    if problems:
        raise refusal(name, problems)
    return mapping


def mapping_schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors."""
    schema = MigrationMapping.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def mapping_text(mapping: MigrationMapping) -> str:
    """The mapping as the file's text; optional keys only where they say something."""
    document = mapping.model_dump_json(by_alias=True, exclude_defaults=True, indent=2)
    return document + "\n"


def inverse(mapping: MigrationMapping) -> MigrationMapping:
    """The mapping that leads back."""
    moves = tuple(MappedMove(source=each.target, target=each.source) for each in mapping.moves)
    return MigrationMapping(version=1, source_roots=mapping.source_roots, moves=moves)


def file_moves(mapping: MigrationMapping, tree: SourceTree, *, name: str) -> tuple[FileMove, ...]:
    """Every file and link that the mapping moves in that tree, sorted by source; those that stay are left out.

    name:   of the mapping's file, for messages.
    Raises: FixInput with every problem at its place: what is not there, two files to one path, a target that is
            taken, names that differ only by case, moves that form a circle; source roots that are not there.
    """
    problems: list[str] = []
    moves: dict[str, FileMove] = {}
    places: dict[str, str] = {}
    for number, each in enumerate(mapping.moves):
        place = f"moves[{number}]"
        found = tuple(_expanded(each, tree))
        if not found:
            problems.append(f"{place}.from: {_nothing_there(each.source, tree)}")
        for move in found:
            if move.source in moves:
                problems.append(f"{place}.from: {move.source} is moved by {places[move.source]} already")
                continue
            if not is_text(move.source):
                problems.append(
                    f"{place}: the bytes of the name {move.source!r} are not UTF-8; rename it first"
                )
                continue
            if why := _too_long(move.target):
                problems.append(f"{place}.to: {why}")
                continue
            places[move.source] = place
            if move.source != move.target:
                moves[move.source] = move
    if not {"", *folders_above(*tree.files)}.intersection(mapping.source_roots):
        problems.append('source_roots: none of them is a folder with files; the project\'s own is ""')
    problems += _collisions(moves, places, tree)
    problems += _circles(moves, places)
    if problems:
        raise refusal(name, problems)
    return tuple(moves[source] for source in sorted(moves))


def _unusable(mapping: MigrationMapping) -> Iterator[str]:
    """What is wrong with the paths by themselves, whatever the tree."""
    for number, root in enumerate(mapping.source_roots):
        if root and (why := _wrong_path(root)):
            yield f"source_roots[{number}]: {why}"
    for number, move in enumerate(mapping.moves):
        for key, path in (("from", move.source), ("to", move.target)):
            if why := _wrong_path(path):
                yield f"moves[{number}].{key}: {why}"
        if why := _reserved(move.target):
            yield f"moves[{number}].to: {why}"
        if move.source != move.target and move.source.casefold() == move.target.casefold():
            yield (
                f"moves[{number}].to: {move.target} differs from {move.source} only by case, which disks that "
                f"ignore case cannot rename; go there by a third name, in two migrations"
            )
        if move.target.startswith(f"{move.source}/"):
            yield f"moves[{number}].to: {move.target} lies in {move.source} itself"
    for path in mapping.package_files:
        why = _wrong_path(path) or _reserved(path) or _too_long(path)
        if not why and path.rpartition("/")[2] not in ("__init__.py", "__init__.pyi"):
            why = f"{path} is no __init__.py"
        if why:
            yield f"package_files: {why}"


def _wrong_path(path: str) -> str:
    try:
        checked(path)
    except FixInput as error:
        return error.message
    ignored = next((part for part in path.split("/") if part in IGNORED_FOLDERS), None)
    if ignored is not None:
        return f"{path} lies in {ignored}, which belongs to a tool"
    if "\\" in path:
        return f"{path!r} holds a backslash; parts of a path are joined by /"
    return ""


def _reserved(path: str) -> str:
    for part in path.split("/"):
        if part.partition(".")[0].casefold() in _RESERVED:
            return f"{path}: {part} is a name that Windows keeps for a device"
        if part != part.strip() or part.endswith(".") or any(ord(each) < 32 for each in part):
            return f"{path!r}: {part!r} begins or ends with a blank, ends with a dot, or holds a control character"
        if len(part.encode("utf-8", "surrogateescape")) > _NAME_LENGTH_MAX:
            return f"{path}: a name of more than {_NAME_LENGTH_MAX} bytes is one that no disk keeps"
    stem, _, ending = path.rpartition("/")[2].rpartition(".")
    if ending in ("py", "pyi") and stem.isidentifier() and not is_name(stem):
        return f"{path}: {stem} is a word of Python's own, and could not be imported"
    return ""


def _too_long(path: str) -> str:
    length = len(path.encode("utf-8", "surrogateescape"))
    if length <= _PATH_LENGTH_MAX:
        return ""
    return f"{path[:40]}... is a path of {length} bytes; more than {_PATH_LENGTH_MAX} cannot be opened everywhere"


def _expanded(move: MappedMove, tree: SourceTree) -> Iterator[FileMove]:
    entry = tree.entries.get(move.source)
    if entry is None:
        return
    if entry.kind is not Kind.FOLDER:
        yield FileMove(source=move.source, target=move.target, shim=move.shim)
        return
    inside = f"{move.source}/"
    for path, each in tree.entries.items():
        if path.startswith(inside) and each.kind is not Kind.FOLDER:
            yield FileMove(source=path, target=f"{move.target}/{path[len(inside) :]}", shim=move.shim)


def is_text(path: str) -> bool:
    """Whether the name on the disk is UTF-8; else no mapping can say it."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _nothing_there(path: str, tree: SourceTree) -> str:
    if path in tree.unreadable:
        return f"the folder {path} cannot be looked into: {tree.unreadable[path]}"
    if path in tree.entries:
        return f"the folder {path} has no files in it"
    return f"there is no {path} in the tree{_hint(path, tree)}"


def _hint(path: str, tree: SourceTree) -> str:
    same = next((each for each in tree.entries if each.casefold() == path.casefold()), None)
    if same is not None:
        return f"; {same} is, which differs by case"
    leaf = path.rpartition("/")[2]
    elsewhere = next((each for each in tree.entries if each.rpartition("/")[2] == leaf), None)
    return "" if elsewhere is None else f"; {elsewhere} is"


def _collisions(moves: Mapping[str, FileMove], places: Mapping[str, str], tree: SourceTree) -> Iterator[str]:
    """Targets that something else has, or will have: the same name, the same but for case, a file above it."""
    final: dict[str, str] = {}  # folded path: path, as the tree will be
    for path, entry in tree.entries.items():
        if path not in moves and entry.kind is not Kind.FOLDER:
            final[path.casefold()] = path
    spelled = {path.casefold(): path for path in folders_above(*tree.files)}
    for source, move in moves.items():
        place, folded = f"{places[source]}.to", move.target.casefold()
        other = final.get(folded)
        if other is not None:
            taker = next((each for each in moves.values() if each.target == other and each is not move), None)
            whose = f"{taker.source} goes to" if taker is not None else "there is"
            but = "" if other == move.target else ", which differs only by case"
            yield f"{place}: {source} cannot go to {move.target}: {whose} {other} already{but}"
            continue
        final[folded] = move.target
        taken = tree.entries.get(move.target)
        if taken is not None and taken.kind is Kind.FOLDER:
            yield f"{place}: {source} cannot go to {move.target}: that is a folder"
        for folder in sorted(folders_above(move.target)):
            known = spelled.setdefault(folder.casefold(), folder)
            if known != folder:
                yield f"{place}: the folder {folder} differs from {known} only by case"
    files = set(final.values())
    for source, move in moves.items():
        above = next((folder for folder in sorted(folders_above(move.target)) if folder in files), None)
        if above is not None:
            kind = tree.entries[above].kind if above in tree.entries else Kind.FILE
            yield f"{places[source]}.to: {move.target} cannot lie in {above}, which is a {kind}"


def _circles(moves: Mapping[str, FileMove], places: Mapping[str, str]) -> Iterator[str]:
    seen: set[str] = set()
    for start in moves:
        walk: list[str] = []
        at: str | None = start
        while at is not None and at in moves and at not in seen:
            seen.add(at)
            walk.append(at)
            at = moves[at].target
        if at in walk:
            circle = [*walk[walk.index(at) :], at]
            yield f"{places[at]}: moves in a circle: {' to '.join(circle)}; use a third name, in two migrations"


def move_levels(moves: Sequence[FileMove]) -> tuple[tuple[FileMove, ...], ...]:
    """The moves in groups that can be carried out one after the other: a path is free before something goes there."""
    by_source = {move.source: move for move in moves}
    depth: dict[str, int] = {}
    for move in moves:
        walk = [move]
        while walk[-1].target in by_source and walk[-1].target not in depth:
            walk.append(by_source[walk[-1].target])
        for each in reversed(walk):
            depth[each.source] = depth.get(each.target, -1) + 1
    groups: dict[int, list[FileMove]] = {}
    for move in moves:
        groups.setdefault(depth[move.source], []).append(move)
    return tuple(tuple(groups[level]) for level in sorted(groups))
