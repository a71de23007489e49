"""The reference page about faults, written from the plan's own classes."""

from __future__ import annotations

import inspect
from typing import Any

from pydantic import BaseModel

from magellan.exchange.server.faults.plan import PATTERNS, FaultTerms, Seam, When
from magellan.exchange.server.faults.plan_file import KINDS

_SHARED = frozenset({"kind", *FaultTerms.model_fields})


def fault_page() -> str:
    """Every kind of fault with its parameters, every trigger, and how a plan looks."""
    parts = [
        "# Fault plans\n\n",
        f"`magellan exchange --faults FILE` takes a plan in JSON: {len(KINDS)} kinds of faults, each with what "
        "triggers it. `POST /_magellan/faults` takes one fault of the same form while the exchange runs. Every fault "
        "that fires is a line in the event log. The [JSON Schema](fault-plan.schema.json) is for editors.\n\n",
        '```json\n{\n  "version": 1,\n  "seed": 7,\n  "faults": [\n'
        '    {"kind": "lost_answer", "when": {"route": "POST /v2/orders", "nth": [3, 8]}},\n'
        '    {"kind": "late_event", "when": {"event": "*fill", "probability": 0.05}, "delay_s": 40},\n'
        '    {"kind": "halted_symbol", "at_s": 900, "symbol": "AAPL", "duration_s": 600}\n  ]\n}\n```\n',
        "\n## What triggers a fault: `when`\n\n",
        "All that is given must hold; without `when`, every occasion triggers. A pattern is a shell pattern. At one "
        "place, the first fault of the plan that fires is the one that acts.\n",
        *_table(When, frozenset()),
        "\n## What every fault takes\n",
        *_table(FaultTerms, frozenset()),
    ]
    for seam in Seam:
        kinds = {name: kind for name, kind in KINDS.items() if kind.seam is seam}
        if kinds:
            parts.append(f"\n## {seam.value[0].upper()}{seam.value[1:]}\n{_patterns(seam)}")
        for name, kind in kinds.items():
            parts.append(f"\n### `{name}`\n\n{inspect.cleandoc(kind.__doc__ or '')}\n")
            parts.extend(_table(kind, _SHARED))
    return "".join(parts)


def _patterns(seam: Seam) -> str:
    if seam not in PATTERNS:
        return ""
    names = ", ".join(f"`{name}`" for name in sorted(PATTERNS[seam]))
    return f"\nPatterns that `when` may have here: {names or 'none'}.\n"


def _table(model: type[BaseModel], left_out: frozenset[str]) -> list[str]:
    """A table of a model's keys; nothing where there are none of its own."""
    schema = model.model_json_schema()
    keys = [name for name in model.model_fields if name not in left_out]
    if not keys:
        return []
    required = set(schema.get("required", ()))
    lines = ["\n| key | values | default | meaning |\n|---|---|---|---|\n"]
    for name in keys:
        field = schema["properties"][name]
        default = "required" if name in required else _default(field)
        lines.append(f"| `{name}` | {_values(field)} | {default} | {field.get('description', '')} |\n")
    return lines


def _default(field: dict[str, Any]) -> str:
    default = field.get("default")
    return "" if default in (None, [], {}, ()) else f"`{default}`"


def _values(field: dict[str, Any]) -> str:
    """What a key may hold, in words."""
    if "anyOf" in field:
        return " or ".join(_values(each) for each in field["anyOf"] if each.get("type") != "null")
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "$ref" in field:
        return "object"
    if field.get("format") == "date-time":
        return "time with its zone"
    if field.get("type") == "array":
        return "list"
    words = {"string": "text", "number": "number", "integer": "whole number", "object": "object"}
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = ", ".join(f"{sign} {field[key]:g}" for key, sign in bounds.items() if key in field)
    return " ".join(filter(None, (words.get(field.get("type", ""), "any"), limits)))
