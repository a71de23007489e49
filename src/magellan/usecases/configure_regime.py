"""Change the config of a workspace's regime model, as a plan: shown, tried, carried out, taken back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from magellan.errors import FixInput
from magellan.plan.carry_out import Finished, Outcome
from magellan.plan.files.tree import Tree
from magellan.plan.files.write_file import WriteFile
from magellan.plan.plan import OnFailure, Phase, Plan
from magellan.plan.preview import preview
from magellan.plan.rendering import as_text
from magellan.plan.standing import JournalState
from magellan.regime.workbook.difference import Difference, differences
from magellan.regime.workbook.document import as_toml
from magellan.regime.workbook.reading import WorkbookValues
from magellan.usecases.recorded_plan import Records, carry_out_recorded
from magellan.usecases.regime_settings import REGIME_FILE

FOLDER: Final = ".magellan/regime"
SUBJECT: Final = "regime/config"
_NAME: Final = re.compile(r"regime config ([0-9a-f]{64}) at (\d{8}T\d{12})(, new)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigPlan:
    """What a change of the config would do, or did."""

    etag: str  # of the config that is in force now
    would_be: str  # the other one's
    differences: tuple[Difference, ...]
    steps: str  # of the plan, for people
    refusals: tuple[str, ...]  # why a step would fail
    journal: str  # "" for a dry run; otherwise what takes it back


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigDesk:
    """What a change is made with.

    tree:  the workspace's folder.
    make_folder: makes `FOLDER` where it is not there; plans keep in it what they replace.
    keep:  puts a content into it under that name, durably; made anew it is the same.
    kept:  reads it again; None where it is not there.
    values: what the config in force says.
    is_there: whether the workspace has a config file.
    """

    tree: Tree
    records: Records
    make_folder: Callable[[], None]
    keep: Callable[[str, bytes], None]
    kept: Callable[[str], bytes | None]
    values: Callable[[], WorkbookValues]
    is_there: Callable[[], bool]


def config_etag(values: WorkbookValues) -> str:
    """Names what a config says: 64 hex digits."""
    return hashlib.sha256(as_toml(values).encode()).hexdigest()


async def try_config(wanted: WorkbookValues, desk: ConfigDesk) -> ConfigPlan:
    """What would be changed. Changes nothing."""
    before = desk.values()
    plan = _plan(as_toml(wanted).encode(), _stamp(desk), is_new=not desk.is_there())
    desk.make_folder()
    found = await preview(plan, desk.tree)
    return ConfigPlan(
        etag=config_etag(before),
        would_be=config_etag(wanted),
        differences=differences(before, wanted),
        steps=as_text(found.status),
        refusals=tuple(str(each) for each in found.refusals),
        journal="",
    )


async def apply_config(wanted: WorkbookValues, desk: ConfigDesk, *, why: str) -> ConfigPlan:
    """Change it. Raises FixInput where nothing would change; as `carry_out_recorded` does."""
    before = desk.values()
    changed = differences(before, wanted)
    if not changed:
        raise FixInput("the config in force says the same already", kept="it as it is")
    content = as_toml(wanted).encode()
    desk.keep(_content_name(config_etag(wanted)), content)
    plan = _plan(content, _stamp(desk), is_new=not desk.is_there())
    change = desk.records.change("regime config", SUBJECT, "workspace", why)
    outcome = await carry_out_recorded(plan, desk.tree, desk.records, change)
    return ConfigPlan(
        etag=config_etag(before),
        would_be=config_etag(wanted),
        differences=changed,
        steps=as_text(outcome.status),
        refusals=() if isinstance(outcome, Finished) else (_why(outcome),),
        journal=_newest_journal(desk),
    )


async def undo_config(journal: str, desk: ConfigDesk, *, why: str) -> ConfigPlan:
    """Take a change back. Raises FixInput for a journal that is of something else, or that was taken back already."""
    if not re.fullmatch(r"[\w.-]{1,200}", journal):
        raise FixInput("that is no name of a journal")
    named = _NAME.fullmatch(JournalState(desk.records.journals.read(journal).records).plan.name)
    if named is None:
        raise FixInput(f"{journal} is not about the regime model's config")
    content = desk.kept(_content_name(named[1]))
    if content is None:
        raise FixInput(f"{FOLDER}/{_content_name(named[1])}, which the change wrote, is not there any more")
    before = desk.values()
    plan = _plan(content, named[2], is_new=named[3] is not None)
    change = desk.records.change("regime config", SUBJECT, "workspace", why)
    outcome = await carry_out_recorded(plan, desk.tree, desk.records, change, journal_name=journal, back=True)
    after = desk.values()
    return ConfigPlan(
        etag=config_etag(before),
        would_be=config_etag(after),
        differences=differences(before, after),
        steps=as_text(outcome.status),
        refusals=(),
        journal=journal,
    )


def _plan(content: bytes, stamp: str, *, is_new: bool) -> Plan[Tree]:
    """Built again from its name, it is the same plan."""
    sha256 = hashlib.sha256(content).hexdigest()
    backup = "" if is_new else f"{FOLDER}/before-{stamp}.toml"
    return Plan(
        name=f"regime config {sha256} at {stamp}{', new' if is_new else ''}",
        subject=SUBJECT,
        phases=(Phase(name="config", steps=(WriteFile(path=REGIME_FILE, content=content, backup=backup),)),),
        on_failure=OnFailure.UNDO,
        resume_with="POST /api/market-regime/config",
        undo_with="POST /api/market-regime/config/undo",
    )


def _stamp(desk: ConfigDesk) -> str:
    return f"{desk.records.clock():%Y%m%dT%H%M%S%f}"


def _content_name(sha256: str) -> str:
    return f"{sha256}.toml"


def _newest_journal(desk: ConfigDesk) -> str:
    ours = [
        entry.name
        for entry in desk.records.journals.all()
        if _NAME.fullmatch(JournalState(desk.records.journals.read(entry.name).records).plan.name)
    ]
    return ours[-1] if ours else ""


def _why(outcome: Outcome) -> str:
    return str(getattr(outcome, "why", "it did not come to its end"))
