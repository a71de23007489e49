"""Fault plans read from JSON, with the place of every mistake and the names that are accepted there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from magellan.errors import FixInput
from magellan.exchange.server.faults.plan import Fault, FaultPlan, FaultTerms, When

_FAULT: TypeAdapter[Any] = TypeAdapter(Fault)
KINDS: dict[str, type[FaultTerms]] = {
    kind.model_fields["kind"].default: kind for kind in get_args(get_args(Fault)[0])
}


def read_plan_file(path: Path) -> FaultPlan:
    """The plan in a file. Raises FixInput naming the file and the place of the first mistakes in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise FixInput(
            f"the fault plan {path} cannot be read: {error.strerror}", next_step="name a file that is there"
        ) from error
    except UnicodeDecodeError as error:
        raise FixInput(
            f"the fault plan {path} is no text in UTF-8", next_step="save it as UTF-8, or name another file"
        ) from error
    return read_plan(text, source=str(path))


def read_plan(text: str, *, source: str) -> FaultPlan:
    """A plan from its text. source: what to call it in an error."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise FixInput(
            f"{source}, line {error.lineno}, column {error.colno}: this is no JSON: {error.msg}",
            next_step="correct the file; the format is in docs/reference/faults.md",
        ) from None
    try:
        return FaultPlan.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise _refusal(error, source) from None


def read_fault(document: Any, *, source: str) -> FaultTerms:
    """One fault, as the control API takes it. Raises FixInput as above."""
    try:
        fault: FaultTerms = _FAULT.validate_json(json.dumps(document))
    except ValidationError as error:
        raise _refusal(error, source) from None
    return fault


def plan_schema() -> dict[str, Any]:
    """The JSON Schema of a plan file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Fault plan of magellan exchange",
        **FaultPlan.model_json_schema(),
    }


def _refusal(error: ValidationError, source: str) -> FixInput:
    told = [_told(each) for each in error.errors(include_url=False)[:5]]
    return FixInput(
        f"{source}: " + "; ".join(told), next_step="correct it; the format is in docs/reference/faults.md"
    )


def _told(each: ErrorDetails) -> str:
    """One mistake: its place, what is wrong, and what would be accepted."""
    place, model = _place(each["loc"])
    words = each["msg"].removeprefix("Value error, ").replace("Input should be ", "it should be ")
    if each["type"] == "extra_forbidden":
        names = ", ".join(name for name in model.model_fields if name != "kind")
        words = f"there is no such key; accepted are {names}"
    elif each["type"] in ("union_tag_invalid", "union_tag_not_found"):
        given = each.get("ctx", {}).get("tag")
        said = f"'{given}' is no kind of fault" if given else "a fault names its kind"
        words = f"{said}; the kinds are {', '.join(KINDS)}"
    elif each["type"] == "missing":
        words = "this key is required"
    return f"{place}: {words}"


def _place(location: tuple[int | str, ...]) -> tuple[str, type[BaseModel]]:
    """Where a mistake is, as one would write it, and the model whose keys are meant there."""
    place = ""
    model: type[BaseModel] = FaultPlan
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
        elif part in KINDS:  # the discriminator is no part of the document
            model = KINDS[part]
        else:
            place += f".{part}" if place else part
            model = When if part == "when" else model
    return place or "the plan", model
