"""`magellan replay`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder
from magellan.surfaces.cli.run_options import (
    FromOption,
    SetOption,
    SymbolsOption,
    ToOption,
    chosen_strategy,
    settings_of,
)

if TYPE_CHECKING:
    from datetime import date

    from magellan.usecases.check_lookahead import LookaheadAnswer
    from magellan.usecases.load_strategy import LoadedStrategy
    from magellan.usecases.replay_run import ReplayedRun
    from magellan.usecases.replay_session import RecordedSession
    from magellan.workspace.workspace import Workspace


def replay(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|SESSION|STRATEGY",
            help="A kept run (its id, or last), or a session's id. With --check-lookahead: a strategy.",
        ),
    ],
    check_lookahead: Annotated[
        bool,
        typer.Option(
            "--check-lookahead", help="Check that decisions on prefixes of history are those on the whole."
        ),
    ] = False,
    cuts: Annotated[
        int, typer.Option("--cuts", metavar="N", min=1, help="How many prefixes are checked.")
    ] = 12,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Decides where prefixes end.")] = 0,
    from_broker: Annotated[
        bool,
        typer.Option(
            "--from-broker", help="Read a session's bars from its broker's history instead of the archive."
        ),
    ] = False,
    symbols: SymbolsOption = None,
    from_: FromOption = None,
    to: ToOption = None,
    set_: SetOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replay a run and compare results; or prove that nothing looks ahead.

    A run is run again from its manifest, and every number is compared to the
    last bit; where something differs, the answer says what has changed since
    (code, data, versions). A session that traded is taken from the ledger: its
    bars are read again, the strategy computes over all of them at once, and
    every decision that differs is listed (none should). With --check-lookahead, history is cut at several
    places: what is computed, decided and filled on each part has to be what
    it is on the whole. Ends with 1 when anything differs.
    """
    from magellan.surfaces.cli.backtest_run import note_compiling
    from magellan.surfaces.cli.output import emit
    from magellan.surfaces.cli.replay_recorded import replay_recorded, session_document, show_session
    from magellan.workspace.workspace import Workspace

    note_compiling()
    opened = Workspace.at(workspace_folder(workspace))
    if check_lookahead:
        loaded = chosen_strategy(opened, what, symbols, settings_of(set_))
        answer = _check(opened, loaded, from_, to, cuts, seed)
        emit(_lookahead_document(answer), as_json=as_json, human=lambda: _show_lookahead(answer))
        if not answer.passed:
            raise typer.Exit(1)
        return
    if symbols or from_ or to or set_:
        raise typer.BadParameter(
            "a run is replayed as it was: --symbols, --from, --to and --set do not apply"
        )
    session = _recorded(opened, what)
    if session is not None:
        again = replay_recorded(opened, session, from_broker=from_broker)
        emit(session_document(again), as_json=as_json, human=lambda: show_session(again))
        if not again.identical:
            raise typer.Exit(1)
        return
    if from_broker:
        raise typer.BadParameter(f"'{what}' is no session, and --from-broker reads a session's bars")
    replayed = _replayed(opened, what)
    emit(_replay_document(replayed), as_json=as_json, human=lambda: _show_replayed(replayed))
    if not replayed.identical:
        raise typer.Exit(1)


def _recorded(opened: Workspace, named: str) -> RecordedSession | None:
    """The session of that id in the ledger; None where there is none, or it names a kept run."""
    from magellan.usecases.replay_session import recorded_session
    from magellan.wiring.records import ledger

    if not (opened.state_folder / "ledger.sqlite").exists() and "MAGELLAN_LEDGER_URL" not in os.environ:
        return None
    records = ledger(opened)
    try:
        return recorded_session(records, named)
    finally:
        records.close()


def _check(
    opened: Workspace,
    loaded: LoadedStrategy,
    from_on: date | None,
    to_on: date | None,
    cuts: int,
    seed: int,
) -> LookaheadAnswer:
    from magellan.surfaces.cli.output import progress_bars
    from magellan.usecases.check_lookahead import check_lookahead
    from magellan.wiring.market import bar_archive, calendar_of, corporate_actions

    with progress_bars() as bars:
        return check_lookahead(
            loaded,
            archive=bar_archive(opened),
            actions=corporate_actions(opened),
            calendar_of=calendar_of,
            from_on=from_on,
            to_on=to_on,
            cuts=cuts,
            seed=seed,
            progress=bars.report,
        )


def _lookahead_document(answer: LookaheadAnswer) -> dict[str, Any]:
    return {
        "passed": answer.passed,
        "findings": answer.findings,
        "symbols": answer.columns.symbols,
        "columns": {
            "prefixes": answer.columns.prefixes,
            "values": answer.columns.values,
            "differences": answer.columns.differences,
            "reads_the_future": answer.columns.reads_the_future,
        },
        "replay": {
            "cuts": answer.replay.cuts,
            "decisions": answer.replay.decisions,
            "fills": answer.replay.fills,
            "difference": answer.replay.difference,
        },
    }


def _show_lookahead(answer: LookaheadAnswer) -> None:
    from magellan.surfaces.cli.output import say

    columns, engine = answer.columns, answer.replay
    say(
        f"compared {columns.values:,} values on {columns.prefixes:,} prefixes of {', '.join(columns.symbols)}; "
        f"{engine.decisions:,} decisions and {engine.fills:,} fills in {engine.cuts:,} replays"
    )
    for finding in answer.findings:
        say(f"differs: {finding}")
    if answer.passed:
        say("no look-ahead: every value, decision and fill is the same when history ends early")
        if engine.decisions == 0:
            say("but nothing was decided, so the engine's part says little: try a longer range")
    else:
        say("this strategy knows the future: what it earns here, it will not earn")


def _replayed(opened: Workspace, name: str) -> ReplayedRun:
    from magellan.ports.run_store import RunNotFound
    from magellan.usecases.replay_run import replay_run
    from magellan.wiring.market import bar_archive, calendar_of, corporate_actions
    from magellan.wiring.research import run_store

    try:
        return replay_run(
            name,
            workspace=opened,
            runs=run_store(opened),
            archive=bar_archive(opened),
            actions=corporate_actions(opened),
            calendar_of=calendar_of,
        )
    except RunNotFound as error:
        if any(name in (each.name, each.label) for each in opened.strategies()):
            raise RunNotFound(
                f"'{name}' is a strategy, and no run",
                next_step=f"`magellan replay {name} --check-lookahead` checks it for look-ahead; "
                f"{error.next_step}",
            ) from error
        raise RunNotFound(
            f"{error.message}, and no session of the ledger begins so",
            next_step=f"{error.next_step}; `magellan audit show session_began` lists the sessions",
        ) from error


def _replay_document(replayed: ReplayedRun) -> dict[str, Any]:
    return {
        "run_id": replayed.kept.run_id,
        "strategy": replayed.kept.manifest.strategy,
        "identical": replayed.identical,
        "changed": replayed.changed,
        "differences": replayed.differences,
    }


def _show_replayed(replayed: ReplayedRun) -> None:
    from magellan.surfaces.cli.output import say

    kept = replayed.kept
    say(f"run {kept.run_id} of {kept.manifest.strategy}: {len(kept.trades):,} trades, run again")
    for each in replayed.changed:
        say(f"changed since: {each}")
    for each in replayed.differences:
        say(f"differs: {each}")
    if replayed.identical and replayed.changed:
        say("identical, byte for byte, in spite of what has changed")
    elif replayed.identical:
        say("identical, byte for byte")
    elif not replayed.changed:
        say(
            "nothing that fixes a run has changed: the strategy's code is not a pure function (it reads a clock, "
            "a file, chance), or this is a defect of Magellan"
        )
