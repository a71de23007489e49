"""The rules by which files are put into categories, as a team writes them in TOML.

`default.toml` beside this file is a trading system's; its head says what each key means. Another layout is another
file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from magellan.errors import FixInput
from magellan.workspace.config_file import read_text, refusal, validated

DEFAULT: Final = Path(__file__).with_name("default.toml")
Weights = Mapping[str, float]
Form = Literal["main", "statements", "values", "functions", "tests", "unused", "used"]
_FOLDER: Final = r"^[a-z_][a-z0-9_]*(/[a-z_][a-z0-9_]*)*$"


class Holds(StrEnum):
    """What a category is made of."""

    CODE = "code"  # Python, by what it says
    FILE = "file"  # other files, by their paths
    BOTH = "both"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Evidence(_Part):
    """How much each kind of evidence counts; 0 leaves it out."""

    names: Annotated[float, Field(ge=0, description="Words of the file's name.")] = 1.0
    head: Annotated[
        float, Field(ge=0, description="The last word of its name, again: it says what the thing is.")
    ] = 0.6
    defines: Annotated[float, Field(ge=0, description="Words of the classes and functions it defines.")] = (
        0.45
    )
    bases: Annotated[float, Field(ge=0, description="Words of the classes that its own extend.")] = 0.7
    says: Annotated[float, Field(ge=0, description="Words of its docstrings.")] = 0.25
    uses: Annotated[float, Field(ge=0, description="Words of any identifier.")] = 0.15
    imports: Annotated[float, Field(ge=0, description="What it imports from outside the tree.")] = 0.8
    form: Annotated[float, Field(ge=0, description="How it looks.")] = 0.6
    graph: Annotated[
        float, Field(ge=0, description="Where the files belong that it imports, and that import it.")
    ] = 0.3
    alike: Annotated[float, Field(ge=0, description="Where the files belong that say the same.")] = 0.7

    def of(self, place: str) -> float:
        """How much a word counts that was said at that place; see `categories.features`."""
        counts: float = getattr(self, PLACES[place][1])
        return counts


class Category(_Part):
    """One folder of the target layout, and what leads into it."""

    title: Annotated[str, Field(min_length=1, description="What belongs here, for people.")]
    kind: Annotated[Holds, Field(description="Python, other files, or both.")] = Holds.CODE
    folder: Annotated[
        str | None, Field(pattern=_FOLDER, description="Its folder; without it, the category's own name.")
    ] = None
    names: Annotated[Weights, Field(description="Words of a file's name, with weights.")] = {}
    defines: Annotated[Weights, Field(description="Words of classes and functions, with weights.")] = {}
    bases: Annotated[Weights, Field(description="Words of the classes that are extended, with weights.")] = {}
    says: Annotated[Weights, Field(description="Words of docstrings, with weights.")] = {}
    uses: Annotated[Weights, Field(description="Words of any identifier, with weights.")] = {}
    imports: Annotated[Weights, Field(description="Top-level packages from outside, with weights.")] = {}
    form: Annotated[
        Mapping[Form, float],
        Field(description="How a file looks, with weights."),
    ] = {}
    files: Annotated[
        tuple[str, ...], Field(description="Globs of paths that belong here whatever the files say.")
    ] = ()
    looks: Annotated[
        Form | None, Field(description="Python that a glob claims by its own name must have this form, too.")
    ] = None
    packages: Annotated[
        Mapping[str, tuple[str, ...]], Field(description="Sub-packages, each with words that lead into it.")
    ] = {}

    def weights(self, place: str) -> Mapping[str, float]:
        """The weights of words that were said at that place; see `categories.features`."""
        weights: Weights = getattr(self, PLACES[place][0])
        return weights


PLACES: Final[Mapping[str, tuple[str, str]]] = {
    # in features: in a category, in `evidence`
    "name": ("names", "names"),
    "head": ("names", "head"),
    "def": ("defines", "defines"),
    "base": ("bases", "bases"),
    "doc": ("says", "says"),
    "word": ("uses", "uses"),
    "import": ("imports", "imports"),
    "form": ("form", "form"),
}
"""Where a word can be said, as features and as rules call it."""


class CategoryRules(_Part):
    """A whole file of rules."""

    version: Annotated[Literal[1], Field(description="Of this format.")]
    layout: Annotated[str, Field(description="What the categories are those of.")] = ""
    root: Annotated[
        str,
        Field(
            pattern=rf"^$|{_FOLDER}", description="The package that the categories of code become parts of."
        ),
    ] = ""
    leave: Annotated[
        tuple[str, ...],
        Field(description="Globs of paths that stay where they are, whatever their category."),
    ] = ()
    evidence: Evidence = Evidence()
    category: Annotated[
        Mapping[str, Category],
        Field(min_length=2, description="The categories, by name; without it, those of a trading system."),
    ]
    answers: Annotated[
        Mapping[str, str],
        Field(description="What somebody said: the category of a file, by its path; empty until it is said."),
    ] = {}

    def leaves(self, path: str) -> bool:
        """Whether the file stays where it is, whatever its category."""
        return any(fnmatchcase(path, pattern) for pattern in self.leave)

    def folder_of(self, name: str) -> str:
        """The folder of a category in the target layout."""
        return self.category[name].folder or name


def read_rules(path: Path | None) -> CategoryRules:
    """The rules in that file; None: those of a trading system. Raises FixInput with one line per problem."""
    return _default() if path is None else parse_rules(read_text(path), name=str(path))


def parse_rules(text: str, *, name: str) -> CategoryRules:
    """The rules that TOML text holds. name: of the file, for messages."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FixInput(f"{name} is not TOML: {error}") from error
    if "category" not in document:
        document = tomllib.loads(DEFAULT.read_text(encoding="utf-8")) | document
    rules = validated(CategoryRules, document, name=name)
    folders: dict[str, str] = {}
    problems = []
    for category in rules.category:
        other = folders.setdefault(rules.folder_of(category), category)
        if other != category:
            problems.append(f"category.{category}.folder: {other} has that folder already")
    problems += [
        f"answers.{path}: there is no category {answer}; there are {', '.join(rules.category)}"
        for path, answer in rules.answers.items()
        if answer and answer not in rules.category
    ]
    if problems:
        raise refusal(name, problems)
    return rules


def rules_schema() -> dict[str, Any]:
    """The JSON Schema of the file, for editors that check TOML."""
    schema = CategoryRules.model_json_schema()
    schema["required"].remove("category")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


@cache
def _default() -> CategoryRules:
    return parse_rules(DEFAULT.read_text(encoding="utf-8"), name=DEFAULT.name)
