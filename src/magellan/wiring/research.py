"""Wiring: runs, sweeps, gates, and the machine that they run on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from magellan.adapters.durable_file import write_durably
from magellan.errors import FixInput
from magellan.wiring.market import bar_archive, calendar_of, corporate_actions

if TYPE_CHECKING:
    from magellan.ports.executor import Executor
    from magellan.ports.machine import Machine
    from magellan.ports.run_store import RunStore
    from magellan.ports.sweeps import SweepStore
    from magellan.usecases.gate_strategy import GateSources
    from magellan.workspace.workspace import Workspace

write_file = write_durably


def executor(*, cluster: str | None, workers: int | None, in_python: bool) -> Executor:
    """Where a sweep is carried out.

    cluster:   a Dask cluster's address, or None for this machine.
    workers:   cores of this machine to use; None for all that we may use.
    in_python: the strategy decides in plain Python, which only processes do side by side.
    Raises: FixInput for both a cluster and a number of workers, and as `DaskExecutor` does.
    """
    if cluster is not None:
        if workers is not None:
            raise FixInput("--workers counts cores of this machine, and the work goes to a cluster")
        from magellan.adapters.dask_cluster import DaskExecutor

        return DaskExecutor(cluster)
    cores = workers or (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    if in_python:
        from magellan.adapters.local.processes import ProcessExecutor

        return ProcessExecutor(cores)
    from magellan.adapters.local.threads import ThreadExecutor

    return ThreadExecutor(cores)


def sweep_store(workspace: Workspace) -> SweepStore:
    """Where the workspace keeps what its sweeps have found."""
    from magellan.adapters.local.sweep_folder import SweepFolder

    return SweepFolder(workspace.state_folder / "sweeps")


def run_store(workspace: Workspace) -> RunStore:
    """Where the workspace keeps its finished runs."""
    from magellan.adapters.run_store import RunFolders

    return RunFolders(workspace.state_folder / "runs")


def gate_sources(
    workspace: Workspace, environment: Mapping[str, str], clock: Callable[[], datetime]
) -> GateSources:
    """Everything that the gates of a workspace's strategies ask. `clock`: now, aware, UTC."""
    from magellan.adapters.local.gate_records import GateRecordFiles
    from magellan.adapters.local.tools import PythonTools
    from magellan.usecases.gate_strategy import GateSources

    return GateSources(
        archive=bar_archive(workspace),
        actions=corporate_actions(workspace),
        calendar_of=calendar_of,
        tools=PythonTools(environment),
        records=GateRecordFiles(workspace),
        clock=clock,
        cache_folder=Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "magellan",
    )


def machine(environment_problem: str) -> Machine:
    """The computer that we run on.

    environment_problem: how its environment variables contradict each other; "" where they do not.
    """
    from magellan.adapters.local.this_machine import this_machine

    return this_machine(kernel_cache=_kernel_cache, environment_problem=environment_problem)


def _kernel_cache() -> Path:
    from magellan.compiled import cache_folder

    return cache_folder()


def row_form(name: str) -> Callable[[type, Sequence[object]], bytes]:
    """How rows of one kind become a file of that format: csv, jsonl or parquet."""
    from magellan.adapters.row_file import FORMATS

    return FORMATS[name]
