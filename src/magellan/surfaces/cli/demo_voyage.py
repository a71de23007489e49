"""The demo's voyage: one small strategy from its folder to production, and a broken release that takes itself back.

Everything happens on this machine, on generated bars and two local exchanges; no money and no broker is involved. The
same use cases do it that `magellan gate`, `release build`, `deploy` and `promote` call.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from magellan.errors import AskOperator, TryAgain
from magellan.surfaces.cli.output import note
from magellan.surfaces.cli.own_exchange import account_number, free_port, invented_pair, own_exchange

if TYPE_CHECKING:
    from magellan.audit.change_chain import RecordedChange
    from magellan.plan.carry_out import Outcome
    from magellan.usecases.build_release import Built
    from magellan.usecases.prepare_deploy import DeploySources
    from magellan.workspace.workspace import Stage, StrategyFolder, Workspace

NAME: Final = "first_voyage"
_SYMBOLS: Final = ("COCKLE", "LIMPET")
_SOAK: Final = ("2025-12-16", "2025-12-31")
_SOAKED_AT: Final = datetime(2025, 12, 16, 21, 1, tzinfo=UTC)  # by its exchange: a session is over
_PRODUCTION: Final = ("2025-12-30", "2025-12-31")
_SOAK_S: Final = 600.0
_BY: Final = "demo"
_WHY: Final = "a rehearsal on generated bars: it shows the way, and no money goes it"
# What the defaults ask of a strategy that is to earn money, and a rehearsal does not show.
_GATES: Final = {
    "sharpe_min": -5.0,
    "sharpe_lower_min": -9.0,
    "drawdown_max": 0.5,
    "profit_factor_min": 0.5,
    "return_doubled_costs_min": -0.5,
    "return_one_bar_late_min": -0.5,
    "return_without_best_symbol_min": -0.5,
    "neighbours_kept_min": 0.0,
}
_PROMOTION: Final = {"soak_hours_min": 6.5, "soak_sessions_min": 1, "soak_trades_min": 2}
_BREAK: Final = """
import json
from pathlib import Path

# A file that is on the developer's machine, and in no release.
LEVELS = json.loads((Path(__file__).parent / ".levels.json").read_text())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voyage:
    """What happened, for people and for `--json`."""

    took_s: float
    first: str  # names of the releases
    broken: str
    soaked_sessions: float
    soaked_trades: float
    soak_took_s: float
    taken_back_because: str
    trades_in_prod: str  # the instance
    audit: tuple[RecordedChange, ...] = field(repr=False)


def voyage(workspace: Workspace) -> Voyage | None:
    """Carry it out, and leave nothing running. None: this workspace has made it before."""
    from magellan.plan.carry_out import TakenBack
    from magellan.wiring.records import change_log
    from magellan.workspace.workspace import Stage

    if any(each.change.subject == f"{Stage.PROD}/{NAME}" for each in change_log(workspace).changes()):
        return None
    began_s = time.monotonic()
    environment = {**os.environ, "XDG_CONFIG_HOME": str(workspace.state_folder / "demo")}
    with ExitStack() as running:
        folder = _strategy(workspace)
        _gate(workspace, folder)
        note("     two exchanges on this machine: one for staging, as fast as it goes; one for production")
        ports = {stage: free_port() for stage in (Stage.TEST, Stage.PROD)}
        running.enter_context(_exchange(workspace, ports[Stage.TEST], _SOAK, "stepped", seed=0))
        # Another seed gives the same keys another account: two exchanges, two accounts, a ledger for each.
        running.enter_context(_exchange(workspace, ports[Stage.PROD], _PRODUCTION, "paced", seed=1))
        workspace = _settled(workspace, ports, environment)
        running.callback(_shut_down, workspace)
        first = _build(workspace, folder, environment)
        note(f"     release {first.stored.name}, signed, to staging")
        _must_be_done(_deploy(workspace, Stage.TEST, "the first release"))
        soak_began_s = time.monotonic()
        note("     while it soaks, somebody breaks it: it reads a file that only the developer's machine has")
        _break(folder)
        _gate(workspace, folder)
        broken = _build(workspace, folder, environment)
        sessions, trades = _until_soaked(workspace, first)
        soak_took_s = time.monotonic() - soak_began_s
        note(
            f"     soaked {sessions:.0f} sessions with {trades:.0f} trades in {soak_took_s:.0f} s: promote it"
        )
        _must_be_done(_promote(workspace, first, environment))
        note(f"     release {broken.stored.name}, the broken one, to staging")
        outcome = _deploy(workspace, Stage.TEST, "a better entry")
        if not isinstance(outcome, TakenBack):
            raise AskOperator(f"the broken release was not taken back: it is {outcome.status.word}")
        armed = _armed(workspace)
        return Voyage(
            took_s=time.monotonic() - began_s,
            first=first.stored.name,
            broken=broken.stored.name,
            soaked_sessions=sessions,
            soaked_trades=trades,
            soak_took_s=soak_took_s,
            taken_back_because=outcome.why.splitlines()[0].rpartition(", while loading it: ")[2],
            trades_in_prod=armed,
            audit=tuple(change_log(workspace).changes()),
        )


def _strategy(workspace: Workspace) -> StrategyFolder:
    """A strategy of its own, with thresholds that a rehearsal passes, each of them on the record."""
    from magellan.usecases.new_strategy import new_strategy
    from magellan.wiring.market import bar_archive
    from magellan.wiring.research import write_file
    from magellan.workspace.gate_criteria import THRESHOLDS
    from magellan.workspace.promotion_criteria import PROMOTION_THRESHOLDS
    from magellan.workspace.workspace import Stage, StrategyFolder

    folder = StrategyFolder(path=workspace.root / Stage.DEV / NAME, stage=Stage.DEV)
    if folder.path.exists():
        return folder
    made = new_strategy(
        NAME,
        workspace=workspace,
        archive=bar_archive(workspace),
        write=lambda path, content: write_file(path, content, kept="what was made before"),
        kind="intraday",
        symbols=_SYMBOLS,
    )
    config = json.loads(folder.config_file.read_bytes())
    for section, wanted, table in (
        ("gates", _GATES, THRESHOLDS),
        ("promotion", _PROMOTION, PROMOTION_THRESHOLDS),
    ):
        loosened = [
            {
                "criterion": name,
                "from": table[name].default("intraday"),
                "to": value,
                "reason": _WHY,
                "by": _BY,
                "on": date.today().isoformat(),  # noqa: DTZ011 - the day as the person at this machine calls it
            }
            for name, value in wanted.items()
        ]
        config[section] = {**wanted, "loosened": loosened}
    write_file(folder.config_file, json.dumps(config, indent=2).encode() + b"\n", kept="the strategy")
    return made.folder


def _break(folder: StrategyFolder) -> None:
    """A new version that works here, and nowhere else."""
    code = folder.strategy_file.read_text()
    head, _, rest = code.partition("class FirstVoyageParameters")
    folder.strategy_file.write_text(f"{head.rstrip()}\n{_BREAK}\n\nclass FirstVoyageParameters{rest}")
    (folder.path / ".levels.json").write_text("[]\n")
    config = json.loads(folder.config_file.read_bytes())
    config["strategy"]["version"] = "0.2.0"
    folder.config_file.write_text(json.dumps(config, indent=2) + "\n")


def _gate(workspace: Workspace, folder: StrategyFolder) -> None:
    """Judge it, and keep the backtest that the soak will be compared with."""
    from magellan.usecases.backtest import backtest
    from magellan.usecases.gate_strategy import gate_strategy
    from magellan.usecases.keep_run import keep_run, measured
    from magellan.usecases.load_strategy import load_strategy
    from magellan.wiring.research import gate_sources, run_store

    sources = gate_sources(workspace, os.environ, lambda: datetime.now(UTC))
    result = backtest(
        load_strategy(folder),
        archive=sources.archive,
        actions=sources.actions,
        calendar_of=sources.calendar_of,
    )
    keep_run(result, measured(result), run_store(workspace))
    verdict = gate_strategy(folder, sources).verdict
    opened = len(verdict.judgements) - len(verdict.not_open)
    note(
        f"     {folder.label}: {opened} of {len(verdict.judgements)} gates are open; generated bars keep the rest shut"
    )


def _build(workspace: Workspace, folder: StrategyFolder, environment: dict[str, str]) -> Built:
    from magellan.usecases.build_release import build_release
    from magellan.wiring.releases import release_sources

    sources = release_sources(workspace, environment, lambda: datetime.now(UTC))
    return build_release(folder, sources, author=_BY)


def _deploy(workspace: Workspace, stage: Stage, why: str) -> Outcome:
    from magellan.usecases.deploy import begin_deploy
    from magellan.usecases.prepare_deploy import DeployAsked, prepare_deploy

    async def both() -> Outcome:
        sources = _sources(workspace)
        asked = DeployAsked(strategy=NAME, stage=stage, why=why)
        return await begin_deploy(await prepare_deploy(asked, sources), sources)

    return asyncio.run(both())


def _promote(workspace: Workspace, built: Built, environment: dict[str, str]) -> Outcome:
    from magellan.usecases.deploy import begin_deploy
    from magellan.usecases.judge_promotion import ApprovedBy, approve_promotion, judge_promotion
    from magellan.usecases.prepare_deploy import DeployAsked, prepare_deploy
    from magellan.wiring.records import ledger
    from magellan.wiring.releases import promotion_sources, release_key
    from magellan.workspace.workspace import Stage

    sources = _sources(workspace)
    with closing(ledger(workspace)) as book:
        promotion = promotion_sources(workspace, book, lambda: datetime.now(UTC))
        judged = judge_promotion(NAME, to=Stage.PROD, sources=promotion, release=built.stored.release_id)
        approve_promotion(
            judged,
            promotion,
            ApprovedBy(
                by=_BY,
                reason="it soaked as its backtest said",
                key=release_key(environment),
                actor=sources.actor,
                changes=sources.changes,
            ),
        )

    async def both() -> Outcome:
        asked = DeployAsked(
            strategy=NAME,
            stage=Stage.PROD,
            release=built.stored.release_id,
            why="it soaked as its backtest said",
            action="promote",
        )
        return await begin_deploy(await prepare_deploy(asked, sources), sources)

    return asyncio.run(both())


def _until_soaked(workspace: Workspace, built: Built) -> tuple[float, float]:
    """Wait until the promotion passes. Returns sessions watched and trades closed."""
    from magellan.usecases.judge_promotion import judge_promotion
    from magellan.usecases.named_account import ledger_name
    from magellan.wiring.records import ledger
    from magellan.wiring.releases import promotion_sources
    from magellan.wiring.sessions import heartbeat_file
    from magellan.workspace.workspace import Stage

    until_s = time.monotonic() + _SOAK_S
    # Judging draws thousands of samples; looking at the session's own clock costs nothing.
    account = ledger_name(workspace.settings.accounts[f"voyage_{Stage.TEST}"])
    beats = heartbeat_file(workspace, account)
    while (beat := beats.newest()) is None or beat[0].at < _SOAKED_AT:
        if time.monotonic() > until_s:
            break
        time.sleep(0.2)
    while True:
        with closing(ledger(workspace)) as book:
            promotion = promotion_sources(workspace, book, lambda: datetime.now(UTC))
            verdict = judge_promotion(
                NAME, to=Stage.PROD, sources=promotion, release=built.stored.release_id
            ).verdict
        if verdict.passes:
            measured = {
                each.criterion.name: 0.0 if each.measured is None else each.measured.value
                for each in verdict.judgements
            }
            return measured["soak_sessions_min"], measured["soak_trades_min"]
        if time.monotonic() > until_s:
            held = "; ".join(f"{each.criterion.title}: {each.reason}" for each in verdict.not_passed)
            raise TryAgain(f"the soak has not shown enough after {_SOAK_S:.0f} s: {held}")
        time.sleep(2.0)


def _sources(workspace: Workspace) -> DeploySources:
    from magellan.surfaces.cli.deploy_options import deploy_sources

    return deploy_sources(workspace, _BY)


def _must_be_done(outcome: Outcome) -> None:
    from magellan.plan.carry_out import Finished

    if not isinstance(outcome, Finished):
        raise AskOperator(
            f"{outcome.status.name}: {outcome.status.word}: {outcome.why}",
            next_step="run the demo again in a new folder",
        )


def _armed(workspace: Workspace) -> str:
    from magellan.usecases.deployments import Deployment, deployments
    from magellan.wiring.hosts import host
    from magellan.workspace.workspace import Stage

    found = asyncio.run(deployments(workspace.settings, lambda name: host(workspace, name, os.environ)))
    return next(
        each.instance.key
        for each in found
        if isinstance(each, Deployment) and each.is_armed and each.instance.stage == Stage.PROD
    )


def _settled(workspace: Workspace, ports: dict[Stage, int], environment: dict[str, str]) -> Workspace:
    """Write accounts, stages and the demo's own signing key into magellan.toml, and a pair of keys into .env."""
    from magellan.wiring.releases import release_key
    from magellan.wiring.research import write_file
    from magellan.workspace.workspace import FILE, Workspace

    key = release_key(environment)
    public = (key.key() or key.make()).public_key
    pair = invented_pair()
    write_file(
        workspace.root / ".env",
        f"ALPACA_API_KEY={pair[0]}\nALPACA_API_SECRET={pair[1]}\n".encode(),
        kept="the workspace",
    )
    (workspace.root / ".env").chmod(0o600)
    numbers = {stage: account_number(port, pair) for stage, port in ports.items()}
    sections = [
        "",
        "# What follows was written by `magellan demo`, for its voyage.",
        *(
            f'[accounts.voyage_{stage}]\nkind = "local"\nnumber = "{numbers[stage]}"\n'
            f'address = "http://127.0.0.1:{port}"\n'
            for stage, port in ports.items()
        ),
        *(
            f'[stages.{stage}]\naccounts = {{ {NAME} = "voyage_{stage}" }}\nwatch_s = 3.0\n'
            for stage in ports
        ),
        f'[releases.trusted_keys]\n{_BY} = "{public}"\n',
    ]
    file = workspace.root / FILE
    write_file(file, (file.read_text() + "\n".join(sections)).encode(), kept="magellan.toml as it was")
    return Workspace.at(workspace.root)


def _exchange(
    workspace: Workspace, port: int, dates: tuple[str, str], clock: str, *, seed: int
) -> AbstractContextManager[None]:
    """An exchange over the workspace's archive, on the terms of the strategy's backtest."""
    words = ["--archive", "--terms-of", f"dev/{NAME}", "--from", dates[0], "--to", dates[1], "--clock", clock]
    words += ["--seed", str(seed), *(["--speed", "10"] if clock == "paced" else [])]
    log = workspace.state_folder / "demo" / f"exchange-{port}.log"
    return own_exchange(workspace.root, port, *words, log=log)


def _shut_down(workspace: Workspace) -> None:
    from magellan.wiring.hosts import supervisor

    supervisor(workspace).shut_down()
