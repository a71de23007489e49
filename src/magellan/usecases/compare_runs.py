"""Compare runs that were kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from magellan.backtest.comparison import Comparison, compare_runs
from magellan.backtest.kept_run import KeptRun
from magellan.errors import FixInput
from magellan.ports.run_store import RunStore


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedRuns:
    """The runs that were read, and how they compare."""

    runs: tuple[KeptRun, ...]
    comparison: Comparison


def compare_kept_runs(names: Sequence[str], store: RunStore) -> ComparedRuns:
    """Read runs by id, beginning of an id, path or "last", and compare all of them with the first.

    One name alone is compared with the run of the same strategy that was kept before it.
    Raises: RunNotFound; FixInput when one is named twice, or none came before; AskOperator for damaged files.
    """
    runs = tuple(store.read(name) for name in names)
    if len(runs) == 1:
        runs = (store.read(_id_of_the_run_before(runs[0], store)), *runs)
        return ComparedRuns(runs=runs, comparison=compare_runs(runs))
    ids = [run.run_id for run in runs]
    twice = next((name for name, run_id in zip(names, ids, strict=True) if ids.count(run_id) > 1), None)
    if twice is not None:
        raise FixInput(f"'{twice}' is named twice", next_step="name different runs")
    return ComparedRuns(runs=runs, comparison=compare_runs(runs))


def _id_of_the_run_before(run: KeptRun, store: RunStore) -> str:
    ids = [each.run_id for each in store.runs() if each.strategy == run.manifest.strategy]  # newest first
    before = ids[ids.index(run.run_id) + 1 :] if run.run_id in ids else []
    if not before:
        raise FixInput(
            f"no run of {run.manifest.strategy} was kept before {run.run_id}",
            next_step="name two runs; `magellan compare` lists them",
        )
    return before[0]
