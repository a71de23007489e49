"""Load a strategy: its code, its config and its parameters, refused here and not in the middle of a run."""

from __future__ import annotations

import hashlib
import importlib.machinery
import importlib.util
import inspect
import linecache
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from magellan.errors import FixInput
from magellan.strategy.contract import Parameters, Strategy
from magellan.workspace.config import StrategyConfig
from magellan.workspace.config_file import config_sha256, read_config, symbol_parameters
from magellan.workspace.user_code import user_code
from magellan.workspace.workspace import StrategyFolder, Workspace

DECLARED: Final = ("enter_long", "enter_short", "exit_long", "exit_short")
IN_PYTHON: Final = ("wake", "decide")
CONTRACT: Final = ("features", *DECLARED, *IN_PYTHON, "plan", "plan_short", "name")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoadedStrategy:
    """A strategy that is ready to run."""

    folder: StrategyFolder
    strategy: Strategy
    config: StrategyConfig
    parameters: Mapping[str, Parameters]  # per symbol, in the order of the config's symbols
    code_sha256: str  # of strategy.py, byte for byte what was executed
    config_sha256: str  # of what the config means; see `config_sha256`

    @property
    def decides_in_python(self) -> bool:
        return "decide" in overridden(type(self.strategy))


def load_strategy(folder: StrategyFolder | Path) -> LoadedStrategy:
    """Read and check everything in a strategy's folder.

    folder: or its path; a strategy that lies in no workspace can be loaded too.
    Raises: FixInput naming the file and the line or key at fault. What it refuses: broken code; not exactly
            one strategy; misspelt, wrongly shaped or contradictory methods; a config with unknown or missing
            keys; parameters that the strategy's own model refuses.
    """
    if isinstance(folder, Path):
        folder = folder_of(folder)
    code = read_code(folder.strategy_file)
    kind = strategy_class(run_code(code, folder.strategy_file), folder.strategy_file)
    must_keep_contract(kind, folder.strategy_file)
    config = read_config(folder.config_file)
    if config.strategy.name != folder.name:
        raise FixInput(
            f"{folder.config_file}: strategy.name is '{config.strategy.name}', but the folder is called "
            f"'{folder.name}'",
            next_step="give both the same name",
        )
    with user_code(folder.strategy_file, "checking its parameters"):
        parameters = symbol_parameters(config, kind.Parameters, name=str(folder.config_file))
    with user_code(folder.strategy_file, "making the strategy"):
        strategy = kind()
    return LoadedStrategy(
        folder=folder,
        strategy=strategy,
        config=config,
        parameters=parameters,
        code_sha256=hashlib.sha256(code).hexdigest(),
        config_sha256=config_sha256(config),
    )


def folder_of(path: Path) -> StrategyFolder:
    """The strategy folder at a path, with its stage when it lies in a workspace."""
    path = path.resolve()
    try:
        workspace = Workspace.around(path)
    except FixInput:
        return StrategyFolder(path=path, stage=None)
    return workspace.folder_at(path)


def read_code(file: Path) -> bytes:
    """The bytes of strategy.py. Raises FixInput when there is none."""
    try:
        return file.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise FixInput(
            f"{file} does not exist",
            next_step="write one with `magellan new strategy`, or name another folder",
        ) from None


class _TheseBytes(importlib.machinery.SourceFileLoader):
    """Runs the bytes that were hashed: never a cached compilation, never a file that changed in between."""

    def __init__(self, name: str, file: Path, code: bytes) -> None:
        super().__init__(name, str(file))
        self._code = code

    def get_code(self, fullname: str) -> Any:
        try:
            return self.source_to_code(self._code, self.path)
        except ValueError as error:  # a null byte, before Python 3.12
            raise SyntaxError(str(error)) from None


def run_code(code: bytes, file: Path) -> ModuleType:
    """Execute a strategy's source as a module of a name that nothing else has.

    Raises FixInput naming the line at fault.
    """
    digest = hashlib.sha256(os.fsencode(file) + b"\0" + code).hexdigest()[:16]
    name = f"magellan_strategy_{digest}"
    linecache.checkcache(str(file))
    loader = _TheseBytes(name, file, code)
    spec = importlib.util.spec_from_loader(name, loader, origin=str(file))
    assert spec is not None, "a loader that was given makes a spec"
    spec.has_location = True  # or the code would have no __file__
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pydantic look their module up while its classes are being made.
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        with user_code(file, "loading it"):
            loader.exec_module(module)
    except BaseException:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before
        raise
    return module


def strategy_class(module: ModuleType, file: Path) -> type[Strategy]:
    """The one strategy that the module defines. Raises FixInput when there is none, or several."""
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Strategy) and value.__module__ == module.__name__
    ]
    if len(found) != 1:
        names = ", ".join(each.__name__ for each in found) or "none"
        raise FixInput(
            f"{file} defines {len(found)} strategies ({names}), not one",
            next_step="write one class that derives from magellan.strategy.contract.Strategy",
        )
    return found[0]


def overridden(kind: type[Strategy]) -> frozenset[str]:
    """The methods of the contract that the class gives an answer of its own."""
    return frozenset(
        name for name in CONTRACT if getattr(kind, name) is not getattr(Strategy, name) and name != "name"
    )


def must_keep_contract(kind: type[Strategy], file: Path) -> None:
    """Raise FixInput for what would fail, or be passed over in silence, once a run is under way.

    A runner once called three methods that did not exist, every ten seconds for five days (incident 3).
    """
    own = overridden(kind)
    problems = [
        *_misspelt(kind),
        *_wrong_signatures(kind, own),
        *_decision_form(own),
        *_parameters_model(kind),
    ]
    if problems:
        raise FixInput(
            "\n  ".join([f"{file}, class {kind.__name__}:", *problems]),
            next_step="see docs/guides/writing-a-strategy.md",
        )


def _misspelt(kind: type[Strategy]) -> list[str]:
    """Public methods that nothing calls, and that read like one that would be called."""
    problems = []
    for name, value in vars(kind).items():
        if name.startswith("_") or name in CONTRACT or not callable(value) or isinstance(value, type):
            continue
        near = get_close_matches(name, CONTRACT, n=1, cutoff=0.75)
        if near:
            problems.append(f"nothing calls '{name}'; did you mean '{near[0]}'?")
    return problems


def _wrong_signatures(kind: type[Strategy], own: frozenset[str]) -> list[str]:
    """Methods that cannot be called the way the contract calls them."""
    problems = []
    for name in CONTRACT:
        if name not in own:
            continue
        method = inspect.getattr_static(kind, name)
        wanted = list(inspect.signature(getattr(Strategy, name)).parameters)
        if not inspect.isfunction(method):
            problems.append(f"'{name}' is not a plain method")
        elif inspect.iscoroutinefunction(method) or inspect.isgeneratorfunction(method):
            problems.append(f"'{name}' must return its answer: it is {_flavour(method)}")
        elif not _can_be_called(method, len(wanted)):
            problems.append(f"'{name}' takes {_signature(method)}; it is called with ({', '.join(wanted)})")
    return problems


def _flavour(method: Callable[..., Any]) -> str:
    return "an async function" if inspect.iscoroutinefunction(method) else "a generator"


def _can_be_called(method: Callable[..., Any], arguments: int) -> bool:
    try:
        inspect.signature(method).bind(*range(arguments))
    except TypeError:
        return False
    return True


def _signature(method: Callable[..., Any]) -> str:
    return f"({', '.join(map(str, inspect.signature(method).parameters))})"


def _decision_form(own: frozenset[str]) -> list[str]:
    """A strategy says when in exactly one form: declared columns, or `decide`."""
    declared = [name for name in DECLARED if name in own]
    if declared and "decide" in own:
        return [f"it decides twice: in {', '.join(declared)} and in decide; keep one form"]
    if "wake" in own and "decide" not in own:
        return ["wake says when to call decide, but there is no decide"]
    if "decide" not in own and not {"enter_long", "enter_short"} & own:
        return ["it never enters: give it enter_long or enter_short, or decide"]
    return [
        f"'exit_{side}' is never asked: there is no enter_{side}"
        for side in ("long", "short")
        if f"exit_{side}" in own and f"enter_{side}" not in own
    ]


def _parameters_model(kind: type[Strategy]) -> list[str]:
    model: object = kind.Parameters
    if not (inspect.isclass(model) and issubclass(model, Parameters)):
        return ["'Parameters' does not derive from magellan.strategy.contract.Parameters"]
    problems = []
    if model.model_config.get("extra") != "forbid":
        problems.append("'Parameters' allows unknown keys; leave model_config as it is")
    if not model.model_config.get("strict"):
        problems.append("'Parameters' is not strict; leave model_config as it is")
    return problems
