"""The four stages as one: each is really run, the first that fails ends it, and nothing is tolerated."""

import shutil
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from deploy import simulated_hosts
from deploy.simulated_hosts import WELL, Behaviour, SimulatedHost, SimulatedWorld
from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.adapters.local.journal_files import JournalFiles
from magellan.adapters.local.release_folder import ReleaseFolder
from magellan.adapters.local.release_key import ReleaseKeyFile
from magellan.adapters.local.source_folders import SourceFolders
from magellan.adapters.run_store import RunFolders
from magellan.audit.change import Result
from magellan.deploy.pipeline import Came, PipelineReport, StageOutcome
from magellan.deploy.pipeline_page import as_html, as_markdown
from magellan.plan.actor import Actor
from magellan.usecases.build_release import ReleaseSources
from magellan.usecases.load_strategy import load_strategy
from magellan.usecases.pipeline import PipelineAsked, PipelineSources, run_pipeline
from magellan.usecases.prepare_deploy import DeploySources, Finding
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.workspace import ReleaseTerms, Stage, Stages, StageTerms, WorkspaceSettings

from .conftest import NOW, Desk
from .test_build_release import SmallEngine


class Always(dict[str, Any]):
    """The same for every release, whose id nobody knows before it is built."""

    def __init__(self, what: Any) -> None:
        super().__init__()
        self.what = what

    def __missing__(self, key: str) -> Any:
        return self.what

    def get(self, key: str, default: Any = None) -> Any:
        return self.what


class Nobody:
    """Nobody listens."""

    def tell(self, severity: str, text: str, at: datetime) -> None: ...


@dataclass
class Line:
    """A desk with one simulated host, and a pipeline to it."""

    desk: Desk
    key: ReleaseKeyFile
    world: SimulatedWorld = field(default_factory=SimulatedWorld)
    consents: tuple[Finding, ...] = ()
    phases: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.host = SimulatedHost("local", self.world)
        self.root = self.desk.workspace.state_folder
        self.changes = ChangeLogFiles(self.root / "audit")

    def behave(self, behaviour: Behaviour) -> None:
        self.world.behaviours = Always(behaviour)

    def sources(self) -> PipelineSources:
        trusted = {"jane": self.key.key().public_key}  # type: ignore[union-attr]
        settings = WorkspaceSettings(
            accounts={"paper": BrokerAccount(kind="paper", number="PA1")},
            stages=Stages(test=StageTerms(account="paper", watch_s=5.0)),
            releases=ReleaseTerms(trusted_keys=trusted),
        )
        store = ReleaseFolder(self.root / "releases")
        return PipelineSources(
            gates=self.desk.sources,
            runs=RunFolders(self.root / "runs"),
            releases=ReleaseSources(
                store=store,
                key=self.key,
                inputs=SmallEngine(),
                gates=self.desk.sources.records,
                known_secrets={},
                trusted_keys=trusted,
                clock=lambda: NOW,
            ),
            deploy=DeploySources(
                settings=settings,
                store=store,
                host=lambda name: self.world.hosts[name],
                journals=JournalFiles(self.root / "journals"),
                changes=self.changes,
                sources=SourceFolders(self.desk.workspace.root, kept=self.root / "replaced"),
                consent=lambda asked, opened: self.consents,
                notifier=Nobody(),
                actor=Actor(person="jane", host="desk", pid=7),
                clock=self.world.now,
            ),
            clock=self.world.now,
            progress=lambda phase, done, total: self.phases.append(phase),
        )

    def run(self, to: Stage | None = Stage.TEST, *, really: bool = True) -> PipelineReport:
        asked = PipelineAsked(folder=self.desk.folder, to=to, really=really, by="jane", why="a better exit")
        return self.world.run(run_pipeline(asked, self.sources()))


@pytest.fixture
def line(accepted: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    key = ReleaseKeyFile(tmp_path / "config" / "release_key.pem")
    key.make()
    monkeypatch.setattr(simulated_hosts, "CONFIG", Always(load_strategy(accepted.folder).config_sha256))
    return Line(accepted, key)


def came(report: PipelineReport) -> list[str]:
    return [str(each.came) for each in report.outcomes]


def failure(report: PipelineReport) -> StageOutcome:
    (failed,) = [each for each in report.outcomes if each.came is Came.FAILED]
    return failed


def test_a_good_strategy_is_validated_gated_built_deployed_and_seen_to_trade(line: Line) -> None:
    report = line.run()
    assert came(report) == ["passed"] * 4, failure(report)
    assert report.passed
    key = line.host.trading()
    assert key is not None and line.host.running[key].instance.release_id == report.release_id
    assert [each.change.result for each in line.changes.changes()] == [Result.BEGUN, Result.DONE]
    assert report.verdict == f"{report.release} trades in test"
    (kept,) = line.sources().runs.runs()
    assert kept.run_id in report.outcomes[1].note
    assert {"validate", "test", "deploy", "check", "testing", "replay"} & set(line.phases) >= {
        "validate",
        "check",
    }
    assert report.release in as_markdown(report).replace("\\", "") and report.release in as_html(report)


def test_without_a_stage_nothing_is_deployed_and_without_yes_it_is_only_looked_at(line: Line) -> None:
    assert came(line.run(None)) == ["passed", "passed", "not asked for", "not asked for"]
    looked = line.run(really=False)
    assert came(looked) == ["passed", "passed", "looked at", "not asked for"]
    assert looked.passed
    assert line.host.running == {}
    assert list(line.changes.changes()) == []


def test_code_that_does_not_load_ends_it_at_once(line: Line) -> None:
    line.desk.folder.strategy_file.write_text("import nothing_like_that\n")
    report = line.run()
    assert came(report) == ["failed", "not reached", "not reached", "not reached"]
    assert "nothing_like_that" in failure(report).note
    assert not report.passed


def test_no_tests_end_it_before_anything_is_built_incident_44(line: Line) -> None:
    """Pushing to main once deployed without a single test; here no test that passed is a failed stage."""
    line.desk.sources.tools.junit = "<testsuites/>"  # type: ignore[attr-defined]
    report = line.run()
    assert came(report) == ["passed", "failed", "not reached", "not reached"]
    assert "tests passed" in [each.what for each in failure(report).findings]
    assert not (line.root / "releases").exists()


def test_what_the_roll_out_refuses_ends_it_and_says_why(line: Line) -> None:
    line.consents = (Finding(what="freeze", is_well=False, found="the week's end, until Monday"),)
    report = line.run()
    assert came(report) == ["passed", "passed", "failed", "not reached"]
    assert failure(report).note == "not well: freeze"
    assert line.host.running == {}


def test_a_release_that_exits_at_start_is_taken_back_and_the_pipeline_fails(line: Line) -> None:
    line.behave(Behaviour(exits=True))
    report = line.run()
    assert came(report) == ["passed", "passed", "failed", "not reached"]
    assert line.host.trading() is None
    assert [each.change.result for each in line.changes.changes()][-1] is Result.TAKEN_BACK


def test_the_same_release_again_changes_nothing_and_is_still_looked_at(line: Line) -> None:
    line.run()
    report = line.run()
    assert came(report) == ["passed"] * 4
    assert report.outcomes[2].note.endswith("trades in test already")


def test_what_stops_after_the_roll_out_is_seen_by_the_last_stage_incident_42(line: Line) -> None:
    """A restart that changed nothing once passed for a deployment; here the host's own word decides."""
    line.behave(WELL)
    line.run()
    key = line.host.trading()
    assert key is not None
    line.host.releases[line.host.running[key].instance.release_id] = ("strategy/strategy.py was edited",)
    report = line.run()
    assert not report.passed
    assert "edited" in " ".join(each.found for each in failure(report).findings)


def test_a_workspace_whose_account_is_a_local_exchange_rehearses_with_generated_bars(line: Line) -> None:
    from .test_gate_strategy import put, trending_bars

    shutil.rmtree(
        line.desk.workspace.gates_folder(line.desk.folder)
    )  # nobody accepts a run on generated bars
    del put, trending_bars
    local = {
        "paper": BrokerAccount(kind="local", number="PA1", address="http://127.0.0.1:8931"),
    }
    sources = line.sources()
    settings = sources.deploy.settings.model_copy(update={"accounts": local})
    rehearsal = replace(sources, deploy=replace(sources.deploy, settings=settings))
    asked = PipelineAsked(folder=line.desk.folder, to=Stage.TEST, really=False, by="jane")
    report = line.world.run(run_pipeline(asked, rehearsal))
    assert came(report)[:2] == ["passed", "passed"]
    assert any("excused" in each.found for each in report.outcomes[1].findings)
    assert came(line.run(really=False))[1] == "failed"
