"""Write docs/reference/ from the code: commands, configuration, errors. `make reference`.

And the JSON Schema beside each reference strategy's config.json, by which editors complete and check it.

The code holds the words (help lines, descriptions of keys, docstrings of errors), so the pages cannot
contradict it; tests/repository/test_documents.py fails while a page is not what this program would write.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import magellan
from magellan.errors import MagellanError
from magellan.exchange.server.faults.reference_page import fault_page
from magellan.exchange.venue.order_reference import order_page
from magellan.regime.workbook.reference_page import reference_page
from magellan.surfaces.cli.app import function_of
from magellan.surfaces.cli.commands import COMMANDS, Command

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
WRITTEN = "<!-- Written by `make reference` from the code; change the words there. -->\n\n"

# What the command line tells beside the errors of the tree; surfaces/cli/failure.py.
OTHER_FAILURES = (
    ("wrong-usage", 2, "The command line could not be understood, or an option's value is not one it takes."),
    ("declined", 1, "You answered no to a question."),
    ("system-refusal", 1, "The system refused: disk full, no access, read-only, too many open files."),
    ("unexpected", 1, "A defect of Magellan. The traceback is in a file, and the message says where."),
)


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, encoding="utf-8")
        print(f"reference: docs/reference/{name}", file=sys.stderr)
    for path, text in schemas().items():
        path.write_text(text, encoding="utf-8")
        print(f"reference: {path.relative_to(ROOT)}", file=sys.stderr)


def pages() -> dict[str, str]:
    """{file name: text} of every page of the reference."""
    return {
        "commands.md": commands_page(),
        "config.md": config_page(),
        "magellan-toml.md": workspace_page(),
        "errors.md": errors_page(),
        "exchange-orders.md": WRITTEN + order_page(),
        "faults.md": WRITTEN + fault_page(),
        "regime-workbook.md": WRITTEN + reference_page(),
    }


def schemas() -> dict[Path, str]:
    """{file: text} of the JSON Schema of every reference strategy's config.json, and of fault plans."""
    from magellan.usecases.load_strategy import load_strategy
    from magellan.workspace.config_file import config_schema

    found = {}
    for strategy_file in sorted((ROOT / "workspace").glob("*/*/strategy.py")):
        loaded = load_strategy(strategy_file.parent)
        schema = config_schema(type(loaded.strategy).Parameters)
        found[loaded.folder.schema_file] = json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    from magellan.exchange.server.faults.plan_file import plan_schema

    found[REFERENCE / "fault-plan.schema.json"] = (
        json.dumps(plan_schema(), indent=2, ensure_ascii=False) + "\n"
    )
    from magellan.migration.mapping import mapping_schema

    found[REFERENCE / "migration-mapping.schema.json"] = (
        json.dumps(mapping_schema(), indent=2, ensure_ascii=False) + "\n"
    )
    return found


def commands_page() -> str:
    """Every command with its arguments and options."""
    parts = [WRITTEN, "# Commands\n\n"]
    parts.append(
        "What all of them do alike, and what their exit codes mean, is in "
        "[the guide to the command line](../guides/command-line.md).\n"
    )
    for panel, commands in COMMANDS.items():
        parts.append(f"\n## {panel}\n")
        for command in commands:
            parts.append("".join(command_section(command)))
    return "".join(parts)


def command_section(command: Command) -> Iterator[str]:
    """One command: what it is for, an example, a table of what it takes."""
    function = function_of(command)
    yield f"\n### `magellan {command.words}`\n\n{inspect.cleandoc(function.__doc__ or command.help)}\n"
    yield f"\n```sh\n{command.example}\n```\n"
    app = typer.Typer(add_completion=False)
    app.command()(function)
    parameters = [each for each in typer.main.get_command(app).params if "--help" not in each.opts]
    if parameters:
        yield "\n| | | |\n|---|---|---|\n"
    for parameter in parameters:
        names = ", ".join(
            f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("-")
        )
        kind = "required" if parameter.required else default_text(parameter.default)
        help_text = " ".join((getattr(parameter, "help", None) or "").split())
        shown = names or f"`{(parameter.metavar or parameter.name).upper()}`"
        yield f"| {shown} | {kind} | {cell(help_text)} |\n"


def default_text(default: Any) -> str:
    """A default as a reader would type it; nothing for off, none and empty."""
    if default in (None, False, "", (), []) or callable(default):
        return ""
    return f"default `{getattr(default, 'value', default)}`"


def config_page() -> str:
    """Every key of a strategy's config.json."""
    from magellan.workspace.config import StrategyConfig

    return (
        f"{WRITTEN}# config.json\n\n"
        "Every key of a strategy's `config.json`. A key that is not listed here is an error.\n"
        + key_table(StrategyConfig.model_json_schema(), many="SYMBOL")
    )


def workspace_page() -> str:
    """Every key of a workspace's magellan.toml."""
    from magellan.workspace.aws_target import AwsTarget
    from magellan.workspace.compose_target import ComposeTarget
    from magellan.workspace.target import SshTarget
    from magellan.workspace.workspace import WorkspaceSettings

    targets = "".join(
        f"\n## {kind.__name__.removesuffix('Target').lower()}\n\n{first_paragraph(kind)}\n"
        + key_table(kind.model_json_schema(), many="NAME", prefix="targets.NAME.")
        for kind in (SshTarget, ComposeTarget, AwsTarget)
    )
    return (
        f"{WRITTEN}# magellan.toml\n\n"
        "Every key of a workspace's `magellan.toml`. A key that is not listed here is an error, and a secret never "
        "stands in this file. What the limits below `risk` mean is in [the guide to risk](../guides/risk.md). The "
        "keys of a target are below, by its kind.\n"
        + key_table(WorkspaceSettings.model_json_schema(), many="NAME")
        + targets
    )


def key_table(schema: dict[str, Any], *, many: str, prefix: str = "") -> str:
    """A table of every key of a schema. `many` stands for the user's own names, `prefix` before every key."""
    rows = "".join(
        f"| `{key}` | {values} | {default} | {cell(meaning)} |\n"
        for key, values, default, meaning in keys(schema, schema, prefix, many=many)
    )
    return f"\n| key | values | default | meaning |\n|---|---|---|---|\n{rows}"


def keys(
    model: dict[str, Any],
    schema: dict[str, Any],
    prefix: str = "",
    *,
    many: str,
    listed: dict[str, str] | None = None,
) -> Iterator[tuple[str, str, str, str]]:
    """(key, values, default, meaning) of every key below a model; keys of nested models are dotted.

    A model that stands in several places is listed at the first one, and named at the others.
    """
    listed = {} if listed is None else listed  # {nested model: where its keys are listed}
    for name, field in model.get("properties", {}).items():
        place, reference = f"{prefix}{name}", nested_model(field)
        if reference is None:
            items = [*field.get("patternProperties", {}).values(), field.get("additionalProperties")]
            reference = next(filter(None, map(nested_model, items)), None)
            place = place if reference is None else f"{place}.{many}"
        nested = {} if reference is None else schema["$defs"][reference.rpartition("/")[2]]
        if reference is None or "properties" not in nested:
            default = "required" if name in model.get("required", ()) else json_text(field.get("default"))
            yield f"{prefix}{name}", values_text(field), default, field.get("description", "")
        elif reference in listed:
            meaning = f"; {field['description']}" if "description" in field else ""
            yield place, "", "", f"takes the same keys as `{listed[reference]}`{meaning}"
        else:
            listed[reference] = place
            yield from keys(nested, schema, f"{place}.", many=many, listed=listed)


def nested_model(field: Any) -> str | None:
    """The reference to the nested model that a field consists of, if it is one."""
    reference = field.get("$ref") if isinstance(field, dict) else None
    return str(reference) if reference else None


def values_text(field: dict[str, Any]) -> str:
    """What a key may hold, in words."""
    if "anyOf" in field:
        return " or ".join(values_text(each) for each in field["anyOf"])
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    words = {"string": "text", "number": "number", "integer": "whole number", "boolean": "`true`, `false`"}
    words |= {"array": "list", "object": "object", "null": "`null`"}
    bounds = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = ", ".join(f"{sign} {field[key]:g}" for key, sign in bounds.items() if key in field)
    return " ".join(filter(None, (words.get(field.get("type", ""), "any"), limits)))


def json_text(value: Any) -> str:
    """A default as it would stand in the file."""
    return "" if value is None else f"`{json.dumps(value)}`"


def errors_page() -> str:
    """Every error code, with the exit code and what it means."""
    parts = [WRITTEN, "# Error codes\n\n"]
    parts.append('With `--json`, an error is `{"error": {"code", "message", "kept", "next_step"}}`.\n')
    parts.append("\n| code | exit code | meaning |\n|---|---|---|\n")
    rows = [(kind.__new__(kind).code, kind.exit_code, first_paragraph(kind)) for kind in error_kinds()]
    parts.extend(
        f"| `{code}` | {exit_code} | {cell(meaning)} |\n"
        for code, exit_code, meaning in [*rows, *OTHER_FAILURES]
    )
    return "".join(parts)


def error_kinds() -> list[type[MagellanError]]:
    """Every error of the package; imports all of it to find them."""
    for module in pkgutil.walk_packages(magellan.__path__, "magellan."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)

    def below(kind: type[MagellanError]) -> Iterator[type[MagellanError]]:
        for each in sorted(kind.__subclasses__(), key=lambda each: each.__name__):
            if each.__module__.startswith("magellan."):
                yield each
                yield from below(each)

    return list(below(MagellanError))


def first_paragraph(kind: type) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(inspect.cleandoc(kind.__doc__ or "").split("\n\n")[0].split())


def cell(text: str) -> str:
    """Text that a table's cell can hold."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    main()
