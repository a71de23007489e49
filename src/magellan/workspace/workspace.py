"""Workspace: one folder with a trader's strategies in their stages, archived bars, and our own records."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from magellan.errors import FixInput
from magellan.workspace.aws_names import BUCKET_PATH, AwsRegion
from magellan.workspace.backup_terms import BackupTerms
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.config_file import read_text, validated
from magellan.workspace.freeze_terms import FreezeTerms
from magellan.workspace.notification_terms import NotificationTerms
from magellan.workspace.promotion_terms import PromotionTerms
from magellan.workspace.risk_terms import RiskCaps
from magellan.workspace.secret_terms import SecretTerms
from magellan.workspace.section import Section
from magellan.workspace.target import Target

FILE: Final = "magellan.toml"
STRATEGY_FILE: Final = "strategy.py"
LOCAL: Final = "local"  # the target that every workspace has


class Stage(StrEnum):
    """How far a strategy has come. What is in prod is what trades."""

    DEV = "dev"
    TEST = "test"
    PROD = "prod"


AccountName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")]


class StageTerms(Section):
    """What holds for every strategy of a stage."""

    account: AccountName | None = Field(None, description="that its sessions trade, unless one is named")
    accounts: dict[str, AccountName] = Field(
        default_factory=dict, description="by strategy, where it trades another account than its stage's"
    )
    targets: tuple[AccountName, ...] = Field(
        (LOCAL,), min_length=1, description="where its strategies are deployed; local is this machine"
    )
    watch_s: float = Field(
        60.0, ge=0, description="seconds that a roll-out stays beside a new release after the hand-over"
    )
    risk: RiskCaps = Field(RiskCaps(), description="limits of the stage, whatever its strategies say")

    def account_of(self, strategy: str | None) -> str | None:
        """The account that a strategy trades in this stage; None: nothing says."""
        return self.account if strategy is None else self.accounts.get(strategy, self.account)


class Stages(Section):
    """The stages' own terms."""

    dev: StageTerms = StageTerms()
    test: StageTerms = StageTerms()
    prod: StageTerms = StageTerms()


class ReleaseTerms(Section):
    """Which releases may be deployed, and how many are kept."""

    trusted_keys: dict[AccountName, Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]] = Field(
        default_factory=dict,
        description="public keys that `magellan release key` shows, by whom they belong to",
    )
    keep: int = Field(10, ge=1, description="newest releases of a strategy that `release prune` leaves")
    store: str | None = Field(
        None,
        pattern=BUCKET_PATH,
        description="where releases lie: s3://bucket or s3://bucket/prefix; null: in the workspace's .magellan",
    )
    store_region: AwsRegion | None = Field(
        None, description="of that bucket; null: as AWS's own settings say"
    )


class DeployTerms(Section):
    """How long the parts of a roll-out may take, and what takes it back."""

    ready_within_s: float = Field(
        180.0, gt=0, description="seconds until a new release stands by; the first one of an engine compiles"
    )
    hand_over_within_s: float = Field(60.0, gt=0, description="seconds until the new release trades")
    healthy_within_s: float = Field(
        120.0, gt=0, description="seconds until it has shown all that a release that trades must show"
    )
    loss_fraction_max: float = Field(
        0.02,
        gt=0,
        lt=1,
        description="of the account's equity; a greater loss while it is watched takes it back",
    )


class WorkspaceSettings(Section):
    """All of magellan.toml. It holds no secret, ever."""

    format: Literal[1] = Field(1, description="of this file and of the workspace's layout")
    risk: RiskCaps = Field(RiskCaps(), description="limits of every account, whatever a strategy says")
    accounts: dict[AccountName, BrokerAccount] = Field(
        default_factory=dict, description="broker accounts, by a name of yours"
    )
    targets: dict[AccountName, Target] = Field(
        default_factory=dict, description="where strategies are deployed, by a name of yours"
    )
    stages: Stages = Stages()
    releases: ReleaseTerms = ReleaseTerms()
    deploy: DeployTerms = DeployTerms()
    freeze: FreezeTerms = FreezeTerms()
    promotion: PromotionTerms = PromotionTerms()
    secrets: SecretTerms = SecretTerms()
    notifications: NotificationTerms = NotificationTerms()
    backup: BackupTerms = BackupTerms()

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        problems = []
        for stage in Stage:
            terms = self.stage(stage)
            for target in terms.targets:
                if target != LOCAL and target not in self.targets:
                    there_are = ", ".join((LOCAL, *self.targets))
                    problems.append(
                        f"stages.{stage}.targets: there is no target '{target}'; there are: {there_are}"
                    )
            here = [each for each in terms.targets if self.is_this_machine(each)]
            if len(here) > 1:
                problems.append(
                    f"stages.{stage}.targets: {' and '.join(here)} are both this machine, where one process "
                    "trades an account"
                )
            known = ", ".join(self.accounts) or "none"
            of_strategies = {f"accounts.{each}": named for each, named in terms.accounts.items()}
            for key, named in {"account": terms.account, **of_strategies}.items():
                if named is None:
                    continue
                if named not in self.accounts:
                    problems.append(
                        f"stages.{stage}.{key}: there is no account '{named}'; there are: {known}"
                    )
                elif self.accounts[named].kind == "live" and stage is not Stage.PROD:
                    problems.append(
                        f"stages.{stage}.{key}: '{named}' is a live account, and only prod trades real money"
                    )
        numbers: dict[tuple[str, str, bool], str] = {}
        for name, account in self.accounts.items():
            is_local = account.kind == "local"
            first = numbers.setdefault((account.broker, account.number, is_local), name)
            if first != name and not is_local:
                problems.append(f"accounts.{name}.number: is that of accounts.{first} too")
            elif self.accounts[first].address != account.address:
                problems.append(
                    f"accounts.{name}.number: is that of accounts.{first} too, at another exchange, and one ledger "
                    "would be kept of both; start one of the two exchanges with another --seed: it gives other "
                    "numbers. Where an older version's demo made them: run `magellan demo` in a new folder"
                )
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def is_this_machine(self, target: str) -> bool:
        """Whether what is deployed to that target runs here, from this workspace's own folder."""
        return target == LOCAL or (
            target in self.targets and self.targets[target].kind in ("local", "compose")
        )

    def stage(self, stage: Stage) -> StageTerms:
        """The terms of that stage."""
        terms: StageTerms = getattr(self.stages, stage.value)
        return terms


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyFolder:
    """One strategy: its code, its config, its tests and its documents, in one folder."""

    path: Path  # absolute
    stage: Stage | None  # None for a folder outside a workspace's stages
    called: str | None = None  # its name, where the folder has another one, as in a release

    @property
    def name(self) -> str:
        return self.called or self.path.name

    @property
    def label(self) -> str:
        """How a person calls it, and what commands take: `prod/bear_trap`."""
        return f"{self.stage}/{self.name}" if self.stage else str(self.path)

    @property
    def strategy_file(self) -> Path:
        return self.path / STRATEGY_FILE

    @property
    def config_file(self) -> Path:
        return self.path / "config.json"

    @property
    def schema_file(self) -> Path:
        return self.path / "config.schema.json"

    @property
    def tests_folder(self) -> Path:
        return self.path / "tests"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A folder with a magellan.toml. Get one from `Workspace.at`, which has read that file."""

    root: Path  # absolute
    settings: WorkspaceSettings

    @classmethod
    def at(cls, root: Path) -> Workspace:
        """The workspace in that folder. Raises FixInput when it is none or its magellan.toml is not sound."""
        path = root / FILE
        if not path.is_file():
            raise FixInput(
                f"{root} is not a workspace: it has no {FILE}",
                next_step=f"name another folder, or make one with `magellan init {root}`",
            )
        text = path.read_bytes()
        # An empty file says nothing that is wrong; every key has a default.
        return cls(root=root.resolve(), settings=_settings(path) if text.strip() else WorkspaceSettings())

    @classmethod
    def around(cls, folder: Path) -> Workspace:
        """The workspace that `folder` is or lies in. Raises FixInput when it lies in none."""
        folder = folder.resolve()
        for candidate in (folder, *folder.parents):
            if (candidate / FILE).is_file():
                return cls.at(candidate)
        raise FixInput(
            f"no {FILE} in {folder} or any folder above it", next_step="make a workspace with `magellan init`"
        )

    @property
    def data_folder(self) -> Path:
        """Archived bars and the table of corporate actions."""
        return self.root / "data"

    @property
    def corporate_actions_file(self) -> Path:
        return self.data_folder / "corporate_actions.csv"

    @property
    def state_folder(self) -> Path:
        """Ours: records that nobody edits by hand."""
        return self.root / ".magellan"

    @property
    def reports_folder(self) -> Path:
        return self.root / "reports"

    def gates_folder(self, strategy: StrategyFolder) -> Path:
        """What the gates keep of one strategy in one stage: its accepted runs and its verdicts."""
        return self.state_folder / "gates" / (strategy.stage or "elsewhere") / strategy.name

    def strategies(self) -> tuple[StrategyFolder, ...]:
        """Every strategy of every stage, in the order of the stages and of names."""
        return tuple(self._found())

    def strategy(self, named: str) -> StrategyFolder:
        """The strategy called `bear_trap`, or `prod/bear_trap` where several stages have one; or at a path.

        Raises: FixInput when there is none, naming those that come closest, or when there are several.
        """
        folders = self.strategies()
        fitting = [each for each in folders if named in (each.name, each.label)]
        if len(fitting) == 1:
            return fitting[0]
        if fitting:
            labels = [each.label for each in fitting]
            raise FixInput(
                f"'{named}' is in {len(fitting)} stages: {', '.join(labels)}",
                next_step=f"write for example {labels[0]}",
            )
        path = Path(named)
        if (path / STRATEGY_FILE).is_file():
            return self.folder_at(path)
        if not folders:
            raise FixInput(
                f"{self.root} holds no strategy",
                next_step=f"write one with `magellan new strategy {named or 'NAME'}`",
            )
        near = get_close_matches(named, [each.name for each in folders], n=1, cutoff=0.5)
        meant = f"did you mean '{near[0]}'? " if near else ""
        raise FixInput(
            f"{self.root} holds no strategy called '{named}'",
            next_step=f"{meant}there are: {', '.join(each.label for each in folders)}",
        )

    def folder_at(self, path: Path) -> StrategyFolder:
        """The strategy folder at a path, with its stage where it lies in one of this workspace's."""
        path = path.resolve()
        stage = next((stage for stage in Stage if path.parent == self.root / stage), None)
        return StrategyFolder(path=path, stage=stage)

    def _found(self) -> Iterator[StrategyFolder]:
        for stage in Stage:
            folder = self.root / stage
            if folder.is_dir():
                for path in sorted(folder.iterdir()):
                    if (path / STRATEGY_FILE).is_file():
                        yield StrategyFolder(path=path, stage=stage)


def _settings(path: Path) -> WorkspaceSettings:
    try:
        document = tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise FixInput(f"{path}: {error}", next_step="correct the file") from None
    return validated(WorkspaceSettings, document, name=str(path))
