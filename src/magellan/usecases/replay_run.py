"""Replay: run a kept run again, and compare."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from magellan.archive.actions import CorporateActionTable
from magellan.backtest.confidence import confidence_of
from magellan.backtest.kept_run import KeptRun, kept_run
from magellan.backtest.metrics import metrics_of
from magellan.backtest.result import RunManifest
from magellan.backtest.run_json import run_to_json
from magellan.errors import FixInput
from magellan.ports.bars import BarArchive
from magellan.ports.run_store import RunStore
from magellan.usecases.backtest import backtest
from magellan.usecases.load_strategy import LoadedStrategy, load_strategy
from magellan.usecases.prepare_run import CalendarOf
from magellan.workspace.config_file import config_sha256, parse_config, symbol_parameters
from magellan.workspace.workspace import Workspace

DIFFERENCES_TOLD = 5

Progress = Callable[[str, float, float | None], None]  # (phase, done, total)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReplayedRun:
    """A kept run, run again."""

    kept: KeptRun
    again: KeptRun
    changed: tuple[str, ...]  # what fixes a run and is not what it was: code, data, versions; a sentence each
    differences: tuple[
        str, ...
    ]  # in what came out, the first few, as `path: then, now`; empty: byte for byte

    @property
    def identical(self) -> bool:
        """Whether every number of the result is the same, to the last bit."""
        return not self.differences


def replay_run(
    name: str,
    *,
    workspace: Workspace,
    runs: RunStore,
    archive: BarArchive,
    actions: CorporateActionTable,
    calendar_of: CalendarOf,
) -> ReplayedRun:
    """Run a kept run again from its manifest: its config and its range, with the code and the data there are now.

    name:   a run's id, the beginning of one, or "last".
    Raises: RunNotFound; FixInput when the strategy is gone, or does not take that config any more; what `backtest`
            raises.
    """
    kept = runs.read(name)
    manifest = kept.manifest
    loaded = _as_it_was(manifest, workspace)
    result = backtest(
        loaded,
        archive=archive,
        actions=actions,
        calendar_of=calendar_of,
        from_on=manifest.from_on,
        to_on=manifest.to_on,
    )
    # The kept confidence says with what seed it was computed; the rest of the manifest is the run's own.
    again = kept_run(result, metrics_of(result), confidence_of(result, seed=kept.confidence.seed))
    return ReplayedRun(
        kept=kept,
        again=again,
        changed=tuple(_changed(manifest, again.manifest)),
        differences=tuple(_differences(kept, again)),
    )


def _as_it_was(manifest: RunManifest, workspace: Workspace) -> LoadedStrategy:
    """The strategy of that name, with the run's own config: what is in its folder now may have changed."""
    found = [folder for folder in workspace.strategies() if folder.name == manifest.strategy]
    if not found:
        raise FixInput(
            f"the run is of the strategy '{manifest.strategy}', and {workspace.root} holds none of that name"
        )
    each = [load_strategy(folder) for folder in found]
    # The same strategy may be in several stages; the run was of the one whose code it names.
    loaded = next((one for one in each if one.code_sha256 == manifest.code_sha256), each[-1])
    name = f"the config of run {manifest.run_id}"
    config = parse_config(json.dumps(dict(manifest.config)), name=name)
    return replace(
        loaded,
        config=config,
        parameters=symbol_parameters(config, type(loaded.strategy).Parameters, name=name),
        config_sha256=config_sha256(config),
    )


def _changed(then: RunManifest, now: RunManifest) -> Iterator[str]:
    """What fixes a run, and is not what it was."""
    if then.code_sha256 != now.code_sha256:
        yield f"code: strategy.py was {then.code_sha256[:12]}, and is {now.code_sha256[:12]}"
    if then.config_sha256 != now.config_sha256:
        yield "config: this version of Magellan adds keys to it, or reads it another way"
    if then.actions_sha256 != now.actions_sha256:
        yield "data: the corporate actions of its symbols are others"
    held = {used.symbol: used for used in now.data}
    for used in then.data:
        other = held.get(used.symbol)
        if other is not None and (other.sha256, other.set_id) != (used.sha256, used.set_id):
            yield (
                f"data: {used.symbol} was {used.rows:,} bars of {used.set_id} ({used.sha256[:12]}), and is "
                f"{other.rows:,} of {other.set_id} ({other.sha256[:12]})"
            )
    for name in sorted({*then.versions, *now.versions}):
        old, new = then.versions.get(name), now.versions.get(name)
        if old != new:
            yield f"version: {name} was {old}, and is {new}"


def _differences(kept: KeptRun, again: KeptRun) -> Iterator[str]:
    """The first few values of the result that are not the same, to the last bit."""
    manifest = {"manifest", "run_id"}  # told apart in `changed`
    before, after = (
        {name: value for name, value in run_to_json(run).items() if name not in manifest}
        for run in (kept, again)
    )
    found = list(islice(_walk(before, after, ""), DIFFERENCES_TOLD))
    yield from (f"{path}: {then}, now {now}" for path, then, now in found)
    if found:
        return
    for name in ("closed_at_ns", "equity_usd", "exposure_usd", "gross_exposure_usd"):
        if getattr(kept.equity, name).tobytes() != getattr(again.equity, name).tobytes():
            yield f"equity.{name}: not the same bytes at every close"
            return


def _walk(then: Any, now: Any, path: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for key in [*then, *(key for key in now if key not in then)]:
            below = f"{path}.{key}" if path else str(key)
            yield from _walk(then.get(key, _ABSENT), now.get(key, _ABSENT), below)
    elif _is_list(then) and _is_list(now):
        for at in range(max(len(then), len(now))):
            own = then[at] if at < len(then) else _ABSENT
            other = now[at] if at < len(now) else _ABSENT
            yield from _walk(own, other, f"{path}[{at}]")
    elif then != now:
        yield path, _shown(then), _shown(now)


_ABSENT = "nothing"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str) if value is not _ABSENT else _ABSENT
    return text if len(text) <= 80 else f"{text[:77]}..."
