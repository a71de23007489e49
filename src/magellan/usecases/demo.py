"""Demo: the reference strategies on generated bars: a workspace, three backtests with reports, their gates."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from magellan.backtest.kept_run import KeptRun
from magellan.gate.verdict import Verdict
from magellan.ports.run_store import RunStore
from magellan.usecases.backtest import backtest
from magellan.usecases.gate_strategy import GateSources, gate_strategy
from magellan.usecases.keep_run import keep_run, measured
from magellan.usecases.load_strategy import load_strategy
from magellan.workspace.workspace import StrategyFolder, Workspace

Progress = Callable[[str, float, float], None]  # (phase, done, total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One strategy of the demo."""

    strategy: str
    run: KeptRun
    report: Path
    verdict: Verdict


def demo(
    workspace: Workspace,
    sources: GateSources,
    runs: RunStore,
    *,
    leave_out: str = "",
    progress: Progress = lambda phase, done, total: None,
) -> tuple[Shown, ...]:
    """Run, report and judge every strategy of a workspace but `leave_out`, in the order of their names.

    The gates' own work is mostly other programs (linter, type checker, tests), so two strategies are judged at once.
    """
    folders = [each for each in workspace.strategies() if each.name != leave_out]
    kept: list[tuple[StrategyFolder, KeptRun, Path]] = []
    for done, folder in enumerate(folders):
        progress("backtest", done, len(folders))
        result = backtest(
            load_strategy(folder),
            archive=sources.archive,
            actions=sources.actions,
            calendar_of=sources.calendar_of,
        )
        run = measured(result)
        kept.append((folder, run, keep_run(result, run, runs) / "report.html"))
    progress("backtest", len(folders), len(folders))
    progress("gates", 0, len(folders))
    verdicts: list[Verdict] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        for gated in pool.map(lambda folder: gate_strategy(folder, sources), folders):
            verdicts.append(gated.verdict)
            progress("gates", len(verdicts), len(folders))
    return tuple(
        Shown(strategy=folder.label, run=run, report=report, verdict=verdict)
        for (folder, run, report), verdict in zip(kept, verdicts, strict=True)
    )
