"""Rules learned from a project itself: from the packages that it has, or, where it has none, from what stands together.

Where files lie in packages, a package's words are those that its files say and others do not. Where all lie in one
folder, files that import each other and say the same are put into groups (Louvain's method), each named by its most
telling word. Both are a proposal: a file of rules, to be read and edited.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from magellan.errors import FixInput
from magellan.migration.categories.judge import Said
from magellan.migration.categories.neighbours import alike, importing
from magellan.migration.categories.rules import PLACES

_FEWEST: Final = 3  # files of a package, or of a group
_FEWEST_PACKAGES: Final = 2
_WORDS: Final = 30  # of each place, the most telling ones
_LEAST: Final = 1.0  # weight
_MOST: Final = 3.0
_SEED: Final = 0
_PLACES: Final = tuple(place for place in PLACES if place not in ("head", "form"))


def learned_rules(files: Sequence[Said], imports: Mapping[str, frozenset[str]]) -> str:
    """Rules as TOML text, as `--categories` takes them.

    files:  the Python files of the project, without tests.
    Raises: FixInput where nothing can be learned: too few files, or all of them in one group.
    """
    own = _packages(files)
    how = "the project's own packages"
    groups = own
    if len(groups) < _FEWEST_PACKAGES:
        groups = _communities(files, imports)
        how = "what imports each other and says the same"
    if len(groups) < _FEWEST_PACKAGES:
        raise FixInput(
            "no packages can be learned from this project: it has none, and its files fall into one group",
            next_step="write rules by hand: `magellan migrate scan --print-rules` shows how they look",
        )
    features = {file.path: file.features for file in files}
    lines = [
        f"# Learned from {how}. Read it, name things as you would, and give it to --categories.",
        "",
        "version = 1",
    ]
    lines.append(f'layout = "learned from {how}"')
    for name, paths in sorted(groups.items()):
        inside = [features[path] for path in paths]
        outside = [features[path] for other, some in groups.items() if other != name for path in some]
        lines += [
            "",
            f"[category.{name}]",
            f"title = {json.dumps(f'{name}: as {len(paths)} files of it say')}",
        ]
        weights = _telling(inside, outside)
        for place in _PLACES:
            listed = ", ".join(f"{_key(word)} = {weight}" for word, weight in weights[place])
            if listed:
                lines.append(f"{PLACES[place][0]} = {{ {listed} }}")
    return "\n".join(lines) + "\n"


def _packages(files: Sequence[Said]) -> dict[str, list[str]]:
    """Files by package: below what all files have in common, the next folder."""
    folders = [file.path.split("/")[:-1] for file in files]
    deep = [folder for folder in folders if folder]
    shared = 0
    while deep and all(len(folder) > shared and folder[shared] == deep[0][shared] for folder in deep):
        shared += 1
    groups: dict[str, list[str]] = defaultdict(list)
    for file, folder in zip(files, folders, strict=True):
        if len(folder) > shared:
            groups[_name(folder[shared])].append(file.path)
    return {name: paths for name, paths in groups.items() if len(paths) >= _FEWEST}


def _communities(files: Sequence[Said], imports: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    import networkx as nx

    paths = [file.path for file in files]
    graph = nx.Graph()
    graph.add_nodes_from(range(len(files)))
    for links in (importing(paths, imports), alike([file.features for file in files])):
        for one, other, strength in zip(*(each.tolist() for each in links), strict=True):
            before = graph.get_edge_data(one, other, {"weight": 0.0})["weight"]
            graph.add_edge(one, other, weight=before + strength)
    found = [
        sorted(group)
        for group in nx.community.louvain_communities(graph, seed=_SEED)
        if len(group) >= _FEWEST
    ]
    named: dict[str, list[str]] = {}
    for group in sorted(found, key=lambda group: (-len(group), group)):
        inside = [files[number].features for number in group]
        outside = [file.features for number, file in enumerate(files) if number not in set(group)]
        told = _telling(inside, outside)
        words = [word for place in ("name", "def", "word") for word, _ in told[place]]
        name = next(
            (word for word in words if word.isalpha() and word not in named), f"group_{len(named) + 1}"
        )
        named[name] = [paths[number] for number in group]
    return named


def _telling(
    inside: Sequence[frozenset[str]], outside: Sequence[frozenset[str]]
) -> dict[str, list[tuple[str, float]]]:
    """For each place the words that are said inside and seldom outside, with the logarithm of the odds as weight."""
    here = Counter(feature for each in inside for feature in each)
    there = Counter(feature for each in outside for feature in each)
    found: dict[str, list[tuple[str, float]]] = {place: [] for place in _PLACES}
    for feature, count in here.items():
        place, _, word = feature.partition(":")
        if place not in found or (count < 2 and len(inside) > _FEWEST):
            continue
        weight = math.log((count + 0.5) / (len(inside) + 1)) - math.log(
            (there[feature] + 0.5) / (len(outside) + 1)
        )
        if weight >= _LEAST:
            # A word of every file says more than one of two of them.
            found[place].append((word, round(min(_MOST, weight) * math.sqrt(count / len(inside)), 2)))
    for place, some in found.items():
        found[place] = sorted(some, key=lambda each: (-each[1], each[0]))[:_WORDS]
    return found


def _name(folder: str) -> str:
    name = re.sub(r"[^a-z0-9_]+", "_", folder.lower()).strip("_")
    return name if name[:1].isalpha() else f"p_{name}"


def _key(word: str) -> str:
    return word if re.fullmatch(r"[A-Za-z0-9_-]+", word) else json.dumps(word)
