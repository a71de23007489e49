"""Parameter space: which parameter sets a sweep tries, in one order that never changes.

A grid tries every combination of listed values; a sample draws sets at random, from a seed. Every set goes through
the strategy's own model: what the model refuses is counted with its reason, and not tried.
"""

from __future__ import annotations

import json
import math
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from enum import Enum
from itertools import product
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import numpy as np
from pydantic import ValidationError

from magellan.errors import FixInput
from magellan.strategy.contract import Parameters

SETS_MAX: Final = 1_000_000
_DRAWS_PER_SET: Final = 50  # then a small space is taken to be exhausted

Setting = tuple[Any, ...]  # one set's values, in the order of the names; as JSON would write them


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One parameter of a grid."""

    name: str
    values: Setting  # in the order in which they are tried


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """Every combination of the axes' values; the last axis changes fastest."""

    axes: tuple[Axis, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes)

    @property
    def size(self) -> int:
        return math.prod(len(axis.values) for axis in self.axes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Numbers from `low` to `high`, both included, all alike likely.

    whole: whole numbers only; other numbers are rounded to about a thousandth of the span, so that a set found
           can be typed.
    """

    name: str
    low: float
    high: float
    whole: bool

    def draw(self, chance: np.random.Generator) -> int | float:
        if self.whole:
            return int(chance.integers(int(self.low), int(self.high), endpoint=True))
        digits = 3 if self.high == self.low else max(0, 3 - math.floor(math.log10(self.high - self.low)))
        value = round(float(chance.uniform(self.low, self.high)), digits)
        return min(max(value, self.low), self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One of the listed values, all alike likely."""

    name: str
    values: Setting

    def draw(self, chance: np.random.Generator) -> Any:
        return self.values[int(chance.integers(len(self.values)))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Sets drawn at random: the same seed gives the same sets."""

    ranges: tuple[Span | Choice, ...]
    wanted: int  # different sets
    seed: int  # >= 0

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.ranges)


ParameterSpace = Grid | Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Sets that the strategy's own model refuses, all for one reason."""

    reason: str
    sets: int
    example: str  # the first of them, as `describe` writes it


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSets:
    """The sets to try, in order, and what became of those that are not among them."""

    names: tuple[str, ...]
    settings: tuple[Setting, ...]
    rejected: tuple[Rejected, ...]  # most frequent first
    repeated: int  # came up again, or mean the same to the model

    def __len__(self) -> int:
        return len(self.settings)

    def describe(self, number: int) -> str:
        """Set `number`, as a command line would write it."""
        return describe(self.names, self.settings[number])


def describe(names: Sequence[str], setting: Setting) -> str:
    """`rsi_period=14, upper=57.5`."""
    return ", ".join(f"{name}={_text(value)}" for name, value in zip(names, setting, strict=True))


def parse_grid(words: Sequence[str], model: type[Parameters]) -> Grid:
    """Read `rsi_period=10,14,21` and `upper=55:65:2.5` (from, to, step; both ends included).

    model: the strategy's parameters; ranges are for numbers, anything else is listed.
    Raises FixInput for an unknown parameter, one that comes twice, and what is neither values nor a range.
    """
    grid = Grid(axes=tuple(_axis(name, text, model) for name, text in _assignments(words, model)))
    if grid.size > SETS_MAX:
        raise FixInput(
            f"the grid has {grid.size:,} sets, and {SETS_MAX:,} are the most",
            next_step="list fewer values, or draw some of the sets with --random",
        )
    return grid


def parse_sample(words: Sequence[str], model: type[Parameters], *, wanted: int, seed: int) -> Sample:
    """Read `rsi_period=5:40` (from, to) and `side=long,short` (one of).

    wanted: how many different sets to draw, >= 1.
    Raises FixInput as `parse_grid` does.
    """
    if wanted < 1 or wanted > SETS_MAX:
        raise FixInput(f"a sweep draws 1 to {SETS_MAX:,} sets, not {wanted:,}")
    if seed < 0:
        raise FixInput(f"a seed is 0 or more, not {seed}")
    ranges = tuple(_range(name, text, model) for name, text in _assignments(words, model))
    return Sample(ranges=ranges, wanted=wanted, seed=seed)


def parameter_sets(
    space: ParameterSpace, model: type[Parameters], common: Sequence[Mapping[str, Any]]
) -> ParameterSets:
    """Enumerate a space.

    common: what the config says of the other parameters, one document per different opinion of a symbol; a set
            counts only when the model takes it together with each of them.
    Raises FixInput, with the model's reasons, when no set is left.
    """
    names = space.names
    kept: dict[str, Setting] = {}
    counts: dict[str, int] = {}
    examples: dict[str, str] = {}
    repeated = 0
    for setting in _candidates(space, lambda: len(kept)):
        try:
            own = [parameters_with(model, document, names, setting) for document in common]
        except ValidationError as error:
            reason = "; ".join(_reason(dict(each)) for each in error.errors(include_url=False))
            counts[reason] = counts.get(reason, 0) + 1
            examples.setdefault(reason, describe(names, setting))
            continue
        # As the model understands them: 55 and 55.0 are one set of a decimal parameter.
        meant = own[0].model_dump(mode="json", include=set(names))
        key = json.dumps([meant[name] for name in names])
        if key in kept:
            repeated += 1
        else:
            kept[key] = tuple(meant[name] for name in names)
    rejected = tuple(
        Rejected(reason=reason, sets=sets, example=examples[reason])
        for reason, sets in sorted(counts.items(), key=lambda one: -one[1])
    )
    if not kept:
        reasons = "\n  ".join(f"{each.reason} ({each.sets} sets, e.g. {each.example})" for each in rejected)
        raise FixInput(
            f"the strategy's own model refuses every parameter set:\n  {reasons}",
            next_step="choose values that it takes",
        )
    return ParameterSets(names=names, settings=tuple(kept.values()), rejected=rejected, repeated=repeated)


def parameters_with(
    model: type[Parameters], document: Mapping[str, Any], names: Sequence[str], setting: Setting
) -> Parameters:
    """The config's parameters with one set's values in their places. Raises pydantic's ValidationError."""
    values = {**document, **dict(zip(names, setting, strict=True))}
    return model.model_validate_json(json.dumps(values))


def space_fields(space: ParameterSpace) -> dict[str, Any]:
    """The space as plain values, for a manifest."""
    match space:
        case Grid(axes=axes):
            return {"kind": "grid", "parameters": {axis.name: list(axis.values) for axis in axes}}
        case Sample(ranges=ranges, wanted=wanted, seed=seed):
            drawn: dict[str, Any] = {}
            for each in ranges:
                match each:
                    case Span(name=name, low=low, high=high, whole=whole):
                        drawn[name] = {"low": low, "high": high, "whole": whole}
                    case Choice(name=name, values=values):
                        drawn[name] = {"one_of": list(values)}
            return {"kind": "random", "parameters": drawn, "wanted": wanted, "seed": seed}


def _candidates(space: ParameterSpace, found: Callable[[], int]) -> Iterator[Setting]:
    if isinstance(space, Grid):
        yield from product(*(axis.values for axis in space.axes))
        return
    chance = np.random.Generator(np.random.PCG64(space.seed))
    for _ in range(_DRAWS_PER_SET * space.wanted):
        if found() == space.wanted:
            return
        yield tuple(each.draw(chance) for each in space.ranges)


def _assignments(words: Sequence[str], model: type[Parameters]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for word in words:
        name, equals, text = word.partition("=")
        name, text = name.strip(), text.strip()
        if not equals or not name or not text:
            raise FixInput(f"'{word}' names no values", next_step="write it as rsi_period=10,14,21")
        if "." in name:
            raise FixInput(
                f"'{name}' is a key of the config; a sweep tries the strategy's own parameters",
                next_step=f"hold it fixed with --set {name}=..., and run a sweep for each value",
            )
        if name not in model.model_fields:
            known = tuple(model.model_fields)
            near = get_close_matches(name, known, n=1, cutoff=0.5)
            raise FixInput(
                f"the strategy has no parameter '{name}'",
                next_step=(f"did you mean '{near[0]}'? " if near else "")
                + f"it has: {', '.join(known) or 'none'}",
            )
        if name in seen:
            raise FixInput(f"'{name}' is given twice", next_step="give all of its values at once")
        seen.add(name)
        yield name, text
    if not seen:
        raise FixInput(
            "no parameter to vary is given", next_step="name some with --grid, or with --random and --range"
        )


def _axis(name: str, text: str, model: type[Parameters]) -> Axis:
    kind = _kind(model.model_fields[name].annotation)
    values: list[Any] = []
    for piece in _pieces(name, text):
        if kind in (int, float) and ":" in piece:
            values += _stepped(name, piece, whole=kind is int)
        else:
            values.append(_value(piece, kind))
    return Axis(name=name, values=_each_once(values))


def _range(name: str, text: str, model: type[Parameters]) -> Span | Choice:
    kind = _kind(model.model_fields[name].annotation)
    if kind not in (int, float) or ":" not in text:
        return Choice(name=name, values=_each_once(_value(piece, kind) for piece in _pieces(name, text)))
    parts = text.split(":")
    if len(parts) == 3:
        return Choice(name=name, values=_each_once(_stepped(name, text, whole=kind is int)))
    low, high = _bounds(name, text, parts)
    if kind is int and (low % 1 or high % 1):
        raise FixInput(f"{name}={text}: {name} is a whole number")
    return Span(name=name, low=_number(low), high=_number(high), whole=kind is int)


def _stepped(name: str, text: str, *, whole: bool) -> list[int | float]:
    """Values from, to, by step. In decimals, so that 0.1:0.3:0.1 holds 0.3."""
    parts = text.split(":")
    if len(parts) == 2 and whole:
        parts.append("1")
    if len(parts) != 3:
        raise FixInput(f"{name}={text} is not a range", next_step=f"write it as {name}=FROM:TO:STEP")
    low, high = _bounds(name, text, parts[:2])
    step = _decimal(name, text, parts[2])
    if step <= 0:
        raise FixInput(f"{name}={text}: a step is above zero")
    count = int((high - low) / step) + 1
    if count > SETS_MAX:
        raise FixInput(f"{name}={text} has {count:,} values, and {SETS_MAX:,} are the most")
    return [_number(low + at * step) for at in range(count)]


def _bounds(name: str, text: str, parts: Sequence[str]) -> tuple[Decimal, Decimal]:
    if len(parts) != 2:
        raise FixInput(f"{name}={text} is not a range", next_step=f"write it as {name}=FROM:TO")
    low, high = (_decimal(name, text, part) for part in parts)
    if high < low:
        raise FixInput(f"{name}={text} ends before it begins")
    return low, high


def _decimal(name: str, text: str, part: str) -> Decimal:
    try:
        value = Decimal(part.strip())
    except InvalidOperation:
        raise FixInput(f"{name}={text}: '{part}' is not a number") from None
    if not value.is_finite():
        raise FixInput(f"{name}={text}: '{part}' is not a number")
    return value


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _pieces(name: str, text: str) -> list[str]:
    pieces = [piece.strip() for piece in text.split(",")]
    if not all(pieces):
        raise FixInput(f"{name}={text} has a value that is empty")
    return pieces


def _value(text: str, kind: object) -> Any:
    """The value as JSON would write it. Text stays text for a parameter that holds text: "14" is a word there."""
    if kind is str:
        return text
    for choice in _choices(kind):
        if str(choice) == text:
            return choice
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _choices(kind: object) -> tuple[Any, ...]:
    """The values that a parameter may take, where its type lists them."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return tuple(member.value for member in kind)
    return ()


def _each_once(values: Iterable[Any]) -> Setting:
    return tuple({json.dumps(value): value for value in values}.values())


def _kind(annotation: Any) -> object:
    """What a field holds, None aside: int, float, str, another type, or a form that only lists make sense of."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            kinds = [kind for kind in get_args(annotation) if kind is not type(None)]
            if set(kinds) == {int, float}:
                return float
            if len(kinds) != 1:
                return annotation
            annotation = kinds[0]
        else:
            return annotation


def _reason(error: Mapping[str, Any]) -> str:
    where = ".".join(map(str, error["loc"]))
    text = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {text}" if where else text


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
