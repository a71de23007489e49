"""Deploying looks first, refuses with reasons, writes down what it does, and remembers what was taken back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deploy.simulated_hosts import CONFIG, WELL, Behaviour, SimulatedHost, SimulatedWorld
from magellan.adapters.local.change_log_files import ChangeLogFiles
from magellan.adapters.local.journal_files import JournalFiles
from magellan.adapters.local.release_folder import ReleaseFolder
from magellan.adapters.local.source_folders import SourceFolders
from magellan.audit.change import Change, Result
from magellan.errors import FixInput
from magellan.plan.actor import Actor
from magellan.plan.carry_out import Finished, Outcome, TakenBack
from magellan.ports.journal import PlanUnfinished
from magellan.release.artifact import packed
from magellan.release.manifest import GateStamp
from magellan.usecases.deploy import begin_deploy, go_on
from magellan.usecases.deploy_history import history, release_before
from magellan.usecases.drill_rollback import drill_rollback
from magellan.usecases.prepare_deploy import DeployAsked, DeploySources, Finding, prepare_deploy
from magellan.workspace.aws_target import AwsTarget
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.workspace import ReleaseTerms, Stage, Stages, StageTerms, WorkspaceSettings
from plan.memory import Killed
from release.conftest import Bench

AT = datetime(2026, 1, 21, 22, 0, tzinfo=UTC)
BENCH = Bench()
SHUT = GateStamp(answer="shut", judged_at=AT, not_open=("sharpe_min",))


@dataclass
class Desk:
    """A workspace with simulated hosts."""

    root: Path
    world: SimulatedWorld = field(default_factory=SimulatedWorld)
    consents: tuple[Finding, ...] = ()
    trusted: str = BENCH.key.public_key
    told: list[tuple[str, str]] = field(default_factory=list)
    settings: WorkspaceSettings = field(init=False)

    def __post_init__(self) -> None:
        self.host = SimulatedHost("local", self.world)
        self.settings = WorkspaceSettings(
            accounts={
                "paper": BrokerAccount(kind="paper", number="PA1"),
                "real": BrokerAccount(kind="live", number="L17"),
            },
            stages=Stages(
                test=StageTerms(account="paper", watch_s=5.0), prod=StageTerms(account="real", watch_s=5.0)
            ),
            releases=ReleaseTerms(trusted_keys={"ada": self.trusted}),
        )
        self.store = ReleaseFolder(self.root / "releases")
        self.changes = ChangeLogFiles(self.root / "audit")

    @property
    def sources(self) -> DeploySources:
        return DeploySources(
            settings=self.settings,
            store=self.store,
            host=lambda name: self.world.hosts[name],
            journals=JournalFiles(self.root / "journals"),
            changes=self.changes,
            sources=SourceFolders(self.root, kept=self.root / "replaced"),
            consent=lambda asked, opened: self.consents,
            notifier=self,
            actor=Actor(person="jane", host="desk", pid=7),
            clock=self.world.now,
        )

    def tell(self, severity: str, text: str, at: datetime) -> None:
        self.told.append((severity, text))

    def build(self, version: str, behaviour: Behaviour = WELL, **of: Any) -> str:
        release = BENCH.release(version=version, config_sha256=version[0] * 64, **of)
        self.store.put("moods", release.release_id, packed(release), at=AT)
        self.world.behaviours[release.release_id] = behaviour
        CONFIG[release.release_id] = release.manifest.config_sha256
        return release.release_id

    def deploy(self, **asked: Any) -> Outcome | None:
        """None: there was nothing to do."""

        async def both() -> Outcome | None:
            prepared = await prepare_deploy(self.asked(**asked), self.sources)
            if prepared.is_there and not prepared.refusals:
                return None
            return await begin_deploy(prepared, self.sources)

        return self.world.run(both())

    def asked(self, **asked: Any) -> DeployAsked:
        return replace(DeployAsked(strategy="moods", stage=Stage.TEST, why="a better exit"), **asked)

    def refusal(self, **asked: Any) -> str:
        with pytest.raises(FixInput) as refused:
            self.deploy(**asked)
        return str(refused.value)

    def trades(self) -> str | None:
        self.world.let_pass(5)
        key = self.host.trading()
        return None if key is None else self.host.running[key].instance.release_id

    def audit(self) -> list[tuple[str, str, str]]:
        return [
            (each.change.action, str(each.change.result), (each.change.release or "")[:4])
            for each in self.changes.changes()
        ]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(root=tmp_path)


def test_a_deployment_is_in_the_audit_log_before_and_after_it_with_its_evidence(desk: Desk) -> None:
    release = desk.build("1.0.0")
    assert isinstance(desk.deploy(), Finished)
    assert desk.trades() == release
    begun, done = [each.change for each in desk.changes.changes()]
    assert (begun.result, done.result) == (Result.BEGUN, Result.DONE)
    assert (done.by.person, done.why, done.subject, done.where) == (
        "jane",
        "a better exit",
        "test/moods",
        "local",
    )
    assert done.release == release
    assert any("newest bar" in line for line in done.evidence)


def test_deploying_it_again_changes_nothing_and_is_not_recorded(desk: Desk) -> None:
    desk.build("1.0.0")
    desk.deploy()
    before = desk.audit()
    assert desk.deploy() is None
    assert desk.audit() == before


def test_a_release_that_was_taken_back_is_recorded_and_not_picked_again_by_itself(desk: Desk) -> None:
    good = desk.build("1.0.0")
    desk.deploy()
    bad = desk.build("2.0.0", Behaviour(exits=True))
    outcome = desk.deploy()
    assert isinstance(outcome, TakenBack)
    assert desk.trades() == good
    assert desk.audit()[-1] == ("deploy", "taken back", bad[:4])
    severity, text = desk.told[-1]
    assert severity == "critical"
    assert "taken back" in text
    assert "its code is broken" in text
    refused = desk.refusal()
    assert "was taken back from test" in refused
    assert "its code is broken" in refused
    desk.world.behaviours[bad] = WELL
    assert isinstance(desk.deploy(release="2"), Finished), "a person may try it again by its name"


def test_rolling_back_goes_to_the_release_that_traded_before(desk: Desk) -> None:
    first = desk.build("1.0.0")
    desk.deploy()
    second = desk.build("2.0.0")
    desk.deploy()
    desk.build("3.0.0", Behaviour(trips_s=1))
    desk.deploy()
    assert desk.trades() == second
    assert release_before(desk.changes, "moods", Stage.TEST) == first
    desk.deploy(release=first, action="rollback")
    assert desk.trades() == first
    assert release_before(desk.changes, "moods", Stage.TEST) == second
    assert [each.action for each in history(desk.changes, "moods", Stage.TEST)] == [
        "deploy",
        "deploy",
        "deploy",
        "rollback",
    ]


def test_a_tripped_breaker_keeps_a_release_out_and_lets_one_go_back(desk: Desk) -> None:
    """Otherwise the breaker would have to be let go, and the release that tripped it would enter, to be rid of it."""
    first = desk.build("1.0.0")
    desk.deploy()
    second = desk.build("2.0.0")
    desk.deploy()
    desk.host.tripped = ("rejects",)
    assert "rejects has tripped; a person lets it go with `magellan resume`" in desk.refusal(release=first)
    assert desk.trades() == second
    assert isinstance(desk.deploy(release=first, action="rollback"), Finished)
    assert desk.trades() == first
    assert desk.host.tripped == ("rejects",), "a person lets it go"


def test_another_breaker_that_trips_takes_a_rollback_back(desk: Desk) -> None:
    first = desk.build("1.0.0")
    desk.deploy()
    second = desk.build("2.0.0")
    desk.deploy()
    desk.host.tripped = ("rejects",)
    waits = next(key for key in desk.host.running if key != desk.host.trading())
    desk.host.running[waits].behaviour = Behaviour(trips_s=0)
    outcome = desk.deploy(release=first, action="rollback")
    assert isinstance(outcome, TakenBack)
    assert "a breaker has tripped: loss per day; until `magellan resume` nothing is entered" in outcome.why
    assert desk.trades() == second


def test_a_broker_that_is_away_is_told_before_anything_is_touched(desk: Desk) -> None:
    first = desk.build("1.0.0")
    desk.deploy()
    desk.build("2.0.0")
    desk.host.is_cut_off = True
    assert "the broker cannot be reached from it" in desk.refusal()
    assert desk.trades() == first


def test_books_that_differ_keep_the_account_with_the_session_that_a_person_let_go_on(desk: Desk) -> None:
    """Handed over, neither the new release nor the old one would begin: nobody would trade."""
    first = desk.build("1.0.0")
    desk.deploy()
    second = desk.build("2.0.0")
    desk.deploy()
    desk.host.differences = ("position AMC: ours 13, broker's 0",)
    for asked in ({"release": first}, {"release": first, "action": "rollback"}):
        assert "position AMC: ours 13, broker's 0; until `reconcile" in desk.refusal(**asked)
    assert desk.trades() == second
    paper = desk.settings.accounts["paper"].model_copy(update={"reconcile": "adopt"})
    desk.settings = desk.settings.model_copy(update={"accounts": {**desk.settings.accounts, "paper": paper}})
    assert isinstance(desk.deploy(release=first), Finished)


def test_a_drill_goes_there_and_back_and_is_on_the_record_with_its_times(desk: Desk) -> None:
    first = desk.build("1.0.0")
    desk.deploy()
    second = desk.build("2.0.0")
    desk.deploy()
    drilled = desk.world.run(drill_rollback("moods", Stage.TEST, desk.sources, why="the monthly drill"))
    assert desk.trades() == second
    assert (drilled.before, drilled.release) == (first, second)
    newest = list(desk.changes.changes())[-1].change
    assert newest.action == "drill rollback"
    assert newest.evidence == (f"there {drilled.there_s:.2f} s", f"back {drilled.back_s:.2f} s")
    assert 0 < drilled.there_s < 5


def test_before_the_second_release_there_is_nothing_to_roll_back_to(desk: Desk) -> None:
    desk.build("1.0.0")
    desk.deploy()
    with pytest.raises(FixInput, match="no release of moods traded in test before"):
        release_before(desk.changes, "moods", Stage.TEST)


def test_what_refuses_is_told_all_at_once_and_nothing_is_touched(desk: Desk) -> None:
    desk.consents = (Finding(what="promotion", is_well=False, found="too few trades"),)
    desk.build("1.0.0", gate=SHUT)
    refused = desk.refusal(stage=Stage.PROD)
    assert "promotion: too few trades" in refused
    assert "type its number with --live" in refused
    assert desk.host.running == {}
    assert desk.audit()[-1][:2] == ("deploy", "refused")


def test_a_shut_gate_is_told_in_staging_where_evidence_comes_from(desk: Desk) -> None:
    desk.build("1.0.0", gate=SHUT)
    assert isinstance(desk.deploy(), Finished)


def test_a_release_that_nobody_trusted_has_signed_is_refused(tmp_path: Path) -> None:
    desk = Desk(root=tmp_path, trusted=Bench().key.public_key)
    desk.build("1.0.0")
    assert "signed by nobody whom magellan.toml trusts" in desk.refusal()


def test_a_release_in_production_puts_its_files_into_the_stage_folder_and_back(desk: Desk) -> None:
    folder = desk.root / "prod/moods"
    folder.mkdir(parents=True)
    (folder / "strategy.py").write_text("FAST = 5\n")
    desk.host.ledger_account = "alpaca-live-L17"
    desk.build("1.0.0", Behaviour(trips_s=2))
    assert isinstance(desk.deploy(stage=Stage.PROD, typed_number="L17"), TakenBack)
    assert (folder / "strategy.py").read_text() == "FAST = 5\n"
    desk.build("2.0.0")
    assert isinstance(desk.deploy(stage=Stage.PROD, typed_number="L17"), Finished)
    assert (folder / "strategy.py").read_text() == "FAST = 10\n"


def test_an_account_that_another_strategy_trades_is_refused(desk: Desk) -> None:
    desk.build("1.0.0")
    desk.deploy()
    other = BENCH.release(strategy="gaps")
    desk.store.put("gaps", other.release_id, packed(other), at=AT)
    CONFIG[other.release_id] = "0" * 64
    assert "moods is deployed on paper already" in desk.refusal(strategy="gaps")


def test_a_release_that_was_edited_where_it_trades_is_refused_before_anything(desk: Desk) -> None:
    release = desk.build("1.0.0")
    desk.deploy()
    armed = dict(desk.host.arming)
    desk.host.releases[release] = ("strategy/strategy.py was edited",)
    told = desk.refusal()
    assert "strategy/strategy.py was edited" in told and "let another release trade" in told
    assert desk.host.arming == armed


def test_a_release_that_was_edited_where_it_only_lies_is_put_aside_and_installed_anew(desk: Desk) -> None:
    release = desk.build("1.0.0")
    desk.host.releases[release] = ("strategy/strategy.py was edited",)
    assert isinstance(desk.deploy(), Finished)
    assert desk.trades() == release
    assert (desk.host.releases[release], desk.host.put_aside) == ((), [release])


@pytest.mark.parametrize("back", [False, True], ids=["deployed", "rolled back to"])
def test_a_spare_that_was_edited_is_made_whole_before_it_trades_again(desk: Desk, back: bool) -> None:
    first = desk.build("1.0.0")
    desk.deploy()
    desk.build("2.0.0")
    desk.deploy()
    desk.host.releases[first] = ("strategy/strategy.py was edited",)
    pids = {key: each.pid for key, each in desk.host.running.items()}
    assert isinstance(desk.deploy(release=first[:12], action="rollback" if back else "deploy"), Finished)
    assert desk.trades() == first
    assert (desk.host.releases[first], desk.host.put_aside) == ((), [first])
    (key,) = (key for key in pids if key.endswith(first[:12]))
    assert desk.host.running[key].pid != pids[key], "it runs what lies there now"


@pytest.mark.parametrize("undo", [False, True], ids=["resume", "undo"])
@pytest.mark.parametrize("action", ["deploy", "rollback", "promote"])
def test_after_a_kill_the_roll_out_is_gone_on_with_or_taken_back_by_its_journal_alone(
    desk: Desk, action: str, undo: bool
) -> None:
    first = desk.build("1.0.0")
    desk.deploy()
    second = desk.build("2.0.0")
    desk.world.fault, desk.world.fault_at_call = "killed after", len(desk.world.calls) + 60
    with pytest.raises(Killed):
        desk.deploy(action=action)
    desk.world.fault_at_call = None
    with pytest.raises(PlanUnfinished):
        desk.deploy()
    outcome = desk.world.run(go_on("moods", Stage.TEST, desk.sources, undo=undo, why="it was killed"))
    assert isinstance(outcome, TakenBack if undo else Finished)
    assert desk.trades() == (first if undo else second)
    ending = "taken back" if undo else "done"
    assert [each[:2] for each in desk.audit()[-2:]] == [(action, "begun"), (action, ending)]


def test_a_roll_out_to_staging_that_is_taken_back_leaves_a_release_that_production_trades_where_it_is(
    desk: Desk,
) -> None:
    desk.build("1.0.0")
    desk.deploy()
    release = desk.build("2.0.0")
    desk.deploy()
    staging, desk.host.ledger_account = desk.host.ledger_account, "alpaca-live-L17"
    assert isinstance(desk.deploy(stage=Stage.PROD, typed_number="L17", action="promote"), Finished)
    desk.host.ledger_account = staging
    outcome = desk.world.run(go_on("moods", Stage.TEST, desk.sources, undo=True, why="staging tries another"))
    assert isinstance(outcome, TakenBack)
    assert release in desk.host.releases, "a process that is started again would find nothing"


def test_what_a_process_that_was_killed_at_the_very_end_could_not_record_is_recorded_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.build("1.0.0")
    real = ChangeLogFiles.append

    def killed(log: ChangeLogFiles, change: Change) -> object:
        if change.result is Result.DONE:
            raise Killed
        return real(log, change)

    monkeypatch.setattr(ChangeLogFiles, "append", killed)
    with pytest.raises(Killed):
        desk.deploy()
    monkeypatch.setattr(ChangeLogFiles, "append", real)
    assert desk.deploy() is None
    assert [each[1] for each in desk.audit()] == ["begun", "done"]


def test_there_is_nothing_to_go_on_with_where_nothing_was_stopped(desk: Desk) -> None:
    with pytest.raises(FixInput, match="no roll-out was stopped"):
        asyncio.run(go_on("moods", Stage.TEST, desk.sources, undo=False, why=""))


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("hold", "AMC 100, GME -20; a hand-over keeps it, with its protection (on_stop = hold)"),
        ("flatten", "AMC 100, GME -20; a hand-over closes it (on_stop = flatten)"),
    ],
)
def test_what_the_account_holds_is_told_with_what_a_hand_over_does_with_it(
    desk: Desk, policy: str, told: str
) -> None:
    account = desk.settings.accounts["paper"].model_copy(update={"on_stop": policy})
    desk.settings = desk.settings.model_copy(update={"accounts": {"paper": account}})
    desk.build("1.0.0")
    desk.host.positions = ("AMC 100", "GME -20")
    prepared = desk.world.run(prepare_deploy(desk.asked(), desk.sources))
    (finding,) = [each for each in prepared.findings if each.what == "local: orders"]
    assert finding.is_well and finding.found == f"all are accounted for; held: {told}"


def test_a_strategy_without_an_account_is_told_where_to_write_it(desk: Desk) -> None:
    desk.settings = WorkspaceSettings()
    desk.build("1.0.0")
    assert "nothing says which account moods trades in test" in desk.refusal()


def test_machines_of_a_cloud_go_by_the_regions_that_magellan_toml_gives_them(desk: Desk) -> None:
    regions = {"ohio": "us-east-2", "oregon": "us-west-2", "columbus": "us-east-2"}
    desk.settings = desk.settings.model_copy(
        update={
            "targets": {
                name: AwsTarget(
                    kind="aws",
                    region=region,
                    account="123456789012",
                    instance="i-0123456789abcdef0",
                    bucket="s3://calls",
                )
                for name, region in regions.items()
            },
            "stages": Stages(test=StageTerms(account="paper", watch_s=5.0, targets=tuple(regions))),
        }
    )
    for name in regions:
        SimulatedHost(name, desk.world)
    desk.build("1.0.0")
    plan = desk.world.run(prepare_deploy(desk.asked(), desk.sources)).plan
    handed = {phase.name: [step.title for step in phase.steps] for phase in plan.phases}
    assert [each.split(":")[0] for each in handed["hand over us-east-2"]] == [
        "ohio",
        "ohio",
        "columbus",
        "columbus",
    ]
    assert [each.split(":")[0] for each in handed["hand over us-west-2"]] == ["oregon", "oregon"]
