"""The config file: read strictly; every problem is named at once: key path, what was found, what is allowed.

A key that nothing reads is an error, because a safety setting that looks active and is not has cost money. A
missing or misspelt key is found here, before data are read or an order is made (incident 13).
"""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from magellan.errors import FixInput
from magellan.workspace.config import StrategyConfig

Model = TypeVar("Model", bound=BaseModel)

_FOUND_LENGTH_MAX = 60
_BACK = "restore the file from a backup, or write it anew"
_CORRECT = "correct the file, then run the same command again"


def read_config(path: Path) -> StrategyConfig:
    """The config in that file. Raises FixInput with one line per problem; nothing is passed over."""
    return parse_config(read_text(path), name=str(path))


def parse_config(text: str, *, name: str) -> StrategyConfig:
    """The config that JSON text holds. `name` is the file's, for messages."""
    return validated(StrategyConfig, json_object(text, name=name), name=name)


def symbol_parameters(config: StrategyConfig, model: type[Model], *, name: str) -> dict[str, Model]:
    """Each symbol's parameters, in the order of `symbols`: what its own section says, else the common ones.

    model:  the strategy's own parameters.
    name:   the config file's, for messages.
    Raises: FixInput with one line per problem, each at the section that it stands in.
    """
    problems: dict[str, None] = {}  # each once, in order: a common parameter is wrong for every symbol
    found: dict[str, Model] = {}
    for symbol in config.symbols:
        own = config.symbol_parameters.get(symbol, {})
        try:
            # As JSON, so that a time of day or a tuple can be written the way JSON writes them.
            found[symbol] = model.model_validate_json(json.dumps({**config.parameters, **own}))
        except ValidationError as error:
            for each in error.errors(include_url=False):
                section = (
                    ("symbol_parameters", symbol)
                    if each["loc"][:1] in {(key,) for key in own}
                    else ("parameters",)
                )
                problems[_problem(each, model, below=section)] = None
    if problems:
        raise refusal(name, list(problems))
    return found


def validated(model: type[Model], document: Mapping[str, Any], *, name: str) -> Model:
    """The document as a value of that model. Raises FixInput with one line per problem."""
    try:
        # TOML has dates, for which JSON has no word: as text they are named where they stand.
        return model.model_validate_json(json.dumps(document, default=str))
    except ValidationError as error:
        lines = []
        for each in error.errors(include_url=False):
            if each["loc"]:
                lines.append(_problem(each, model))
            else:  # sections that disagree: each line begins with its key already
                lines += _words(each).splitlines()
        raise refusal(name, lines) from None


def refusal(name: str, problems: list[str]) -> FixInput:
    """The error that tells all problems of a file."""
    if len(problems) == 1:
        return FixInput(f"{name}: {problems[0]}", next_step=_CORRECT)
    return FixInput("\n  ".join([f"{name}: {len(problems)} problems", *problems]), next_step=_CORRECT)


def config_schema(parameters: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of a config.json whose strategy has these parameters, for editors."""
    schema = StrategyConfig.model_json_schema(by_alias=True)
    own = parameters.model_json_schema(by_alias=True, ref_template="#/$defs/parameters.{model}")
    for name, definition in own.pop("$defs", {}).items():
        schema["$defs"][f"parameters.{name}"] = definition
    # What one symbol leaves out, the common section may say, and the other way round.
    own.pop("required", None)
    schema["$defs"]["parameters"] = own
    schema["properties"]["parameters"] = {"$ref": "#/$defs/parameters", "default": {}}
    schema["properties"]["symbol_parameters"]["additionalProperties"] = {"$ref": "#/$defs/parameters"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def config_sha256(config: StrategyConfig) -> str:
    """Digest of what a config means, as 64 hex digits: spelling, order and `$schema` do not change it."""
    document = config.model_dump(mode="json", by_alias=True, exclude={"schema_"})
    return hashlib.sha256(canonical_json(document)).hexdigest()


def canonical_json(document: object) -> bytes:
    """One spelling per document: keys in order, no blanks, UTF-8."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def read_text(path: Path) -> str:
    """The file's text. Raises FixInput when it is missing, a folder, empty or not UTF-8."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise FixInput(f"{path} does not exist", next_step=_BACK) from None
    except (IsADirectoryError, NotADirectoryError):
        raise FixInput(f"{path} is not a file", next_step=_BACK) from None
    except UnicodeDecodeError as error:
        raise FixInput(
            f"{path}: byte {error.start} is not UTF-8 text", next_step="save the file as UTF-8"
        ) from None
    if not text.strip():
        raise FixInput(f"{path} is empty", next_step=_BACK)
    return text


def json_object(text: str, *, name: str) -> dict[str, Any]:
    """The JSON object in the text. Raises FixInput for broken JSON, NaN, keys that come twice, no object."""
    try:
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        raise FixInput(
            f"{name}, line {error.lineno}, column {error.colno}: {error.msg}", next_step=_CORRECT
        ) from None
    except _NotJson as error:
        raise FixInput(f"{name}: {error} is not a number that JSON knows", next_step=_CORRECT) from None
    except RecursionError:
        raise FixInput(f"{name}: nested too deeply to be a config", next_step=_CORRECT) from None
    if not isinstance(document, dict):
        raise refusal(name, [f"found {_shown(document)}; allowed: an object, {{...}}"])
    twice = [
        f"{path}: stands there more than once, and only one can count" for path in _repeated(document, ())
    ]
    if twice:
        raise refusal(name, twice)
    return document


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its keys came more than once."""

    repeated: tuple[str, ...] = ()


class _NotJson(Exception):
    """NaN or an infinity, which Python's reader would let pass."""


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    keys = [key for key, _ in pairs]
    made = _Object(pairs)
    made.repeated = tuple(dict.fromkeys(key for key in keys if keys.count(key) > 1))
    return made


def _no_number(text: str) -> None:
    raise _NotJson(text)


def _repeated(value: object, path: tuple[str | int, ...]) -> Iterator[str]:
    if isinstance(value, _Object):
        yield from (key_path((*path, key)) for key in value.repeated)
        for key, item in value.items():
            yield from _repeated(item, (*path, key))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _repeated(item, (*path, at))


def key_path(loc: tuple[str | int, ...]) -> str:
    """A place in a document as people write it: `gates.loosened[0].by`."""
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _problem(error: ErrorDetails, model: type[BaseModel], below: tuple[str, ...] = ()) -> str:
    """One problem in one line: key path, what was found, what is allowed."""
    loc = error["loc"]
    place = key_path((*below, *loc))
    key = str(loc[-1]) if loc else ""  # a rule over several parameters belongs to none of them
    section = _model_at(model, loc[:-1])
    found = "what is not shown here" if _is_hidden(key, section) else _shown(error["input"])
    match error["type"]:
        case "extra_forbidden" if section is not None:
            allowed = ", ".join(_keys(section)) or "no key at all"
            return f"{place}: unknown key{_meant(key, section, model)}; allowed: {allowed}"
        case "missing":
            return f"{place}: is missing{_description(key, section)}"
        case "value_error":
            return f"{place}: found {found}; {_words(error)}"
        case "too_short":
            return f"{place}: found {found}; allowed: at least {error['ctx']['min_length']}"
        case _:
            return f"{place}: found {found}; allowed: {_words(error)}"


def _is_hidden(key: str, section: type[BaseModel] | None) -> bool:
    """Whether a field is kept out of `repr`: a place where somebody may have written a secret by mistake."""
    fields = section.model_fields if section is not None else {}
    return any(key in (name, field.alias) and not field.repr for name, field in fields.items())


def _words(error: ErrorDetails) -> str:
    """Pydantic's sentence, without its opening."""
    text = error["msg"]
    for opening in ("Input should be ", "Value error, "):
        text = text.removeprefix(opening)
    if error["type"] == "string_pattern_mismatch":
        return f"text that matches {error['ctx']['pattern']}"
    return text


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _FOUND_LENGTH_MAX else f"{text[: _FOUND_LENGTH_MAX - 3]}..."


def _description(key: str, section: type[BaseModel] | None) -> str:
    if section is not None:
        for name, field in section.model_fields.items():
            if key in (name, field.alias) and field.description:
                return f" ({field.description})"
    return ""


def _meant(key: str, section: type[BaseModel], model: type[BaseModel]) -> str:
    """The key that was probably meant: the nearest of the section, or the same in another section."""
    near = get_close_matches(key, _keys(section), n=1, cutoff=0.6)
    if near:
        return f" (did you mean '{near[0]}'?)"
    elsewhere = _places(model).get(key)
    return f" (it belongs to {elsewhere})" if elsewhere else ""


def _keys(section: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in section.model_fields.items()]


@cache
def _places(model: type[BaseModel]) -> dict[str, str]:
    """For every key of the model's sections, the first section that has it."""
    places: dict[str, str] = {}
    for name, field in model.model_fields.items():
        section = _section_of(field.annotation)
        if section is not None:
            for key in _keys(section):
                places.setdefault(key, field.alias or name)
    return places


def _model_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> type[BaseModel] | None:
    """The section of a document in which `loc` lies; None where that is not a model."""
    at: type[BaseModel] | None = model
    annotation: Any = model
    for part in loc:
        if at is not None:
            field = next((f for name, f in at.model_fields.items() if part in (name, f.alias)), None)
            if field is None:
                return None
            annotation = field.annotation
        at = _section_of(annotation) if not _holds_many(annotation) else None
        if at is None:
            annotation = _item_of(annotation)
    return at if at is not None else _section_of(annotation)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    plain = _without_none(annotation)
    return plain if isinstance(plain, type) and issubclass(plain, BaseModel) else None


def _holds_many(annotation: Any) -> bool:
    return get_origin(_without_none(annotation)) in (tuple, list, dict)


def _item_of(annotation: Any) -> Any:
    """What a list, tuple or object of many holds; anything else, itself."""
    plain = _without_none(annotation)
    match get_origin(plain):
        case origin if origin is dict:
            return get_args(plain)[1]
        case origin if origin in (tuple, list):
            return get_args(plain)[0]
    return plain


def _without_none(annotation: Any) -> Any:
    """`X` for `X | None` and for annotated `X`."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
            if len(kinds) != 1:
                return annotation
            annotation = kinds[0]
        else:
            return annotation
