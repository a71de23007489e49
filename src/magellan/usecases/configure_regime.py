"""Change the config of a workspace's regime model, as a plan: shown, tried, carried out, taken back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from magellan.errors import AskOperator, FixInput
from magellan.plan.carry_out import Finished, Halted, Outcome, TakenBack
from magellan.plan.files.tree import Kind, Tree
from magellan.plan.files.write_file import WriteFile
from magellan.plan.plan import OnFailure, Phase, Plan
from magellan.plan.preview import preview
from magellan.plan.records import Ending
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

Changes = tuple[tuple[str, JournalState], ...]
"""Those of the config, by the names of their journals, oldest first."""


class ChangeNotFound(FixInput):
    """No change of the config has that journal."""


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
    """Change it. Raises FixInput where nothing would change; AskOperator where it was not changed; as
    `carry_out_recorded` does.
    """
    before = desk.values()
    changed = differences(before, wanted)
    if not changed:
        raise FixInput(
            "the config in force says the same already", kept="it as it is", next_step="nothing is left to do"
        )
    content = as_toml(wanted).encode()
    desk.keep(_content_name(config_etag(wanted)), content)
    plan = _plan(content, _stamp(desk), is_new=not desk.is_there())
    change = desk.records.change("regime config", SUBJECT, "workspace", why)
    outcome = await carry_out_recorded(plan, desk.tree, desk.records, change)
    journal, state = next(each for each in reversed(_changes(desk)) if each[1].plan.name == plan.name)
    if not isinstance(outcome, Finished):
        raise _not_done("the config was not changed", outcome, state)
    return ConfigPlan(
        etag=config_etag(before),
        would_be=config_etag(wanted),
        differences=changed,
        steps=as_text(outcome.status),
        refusals=(),
        journal=journal,
    )


async def settle_config(desk: ConfigDesk, *, but: str = "") -> None:
    """Bring a change that was killed in between to its end, whichever it was going to.

    but: a journal that is left alone. Raises AskOperator where the file is neither as before nor as it was to be.
    """
    for name, state in _changes(desk):
        if state.ending is None and name != but:
            plan = _built_again(state, desk)
            change = desk.records.change("regime config", SUBJECT, "workspace", "it was killed in between")
            outcome = await carry_out_recorded(plan, desk.tree, desk.records, change, journal_name=name)
            if not isinstance(outcome, Finished | TakenBack):
                raise _not_done("an older change of the config stands in between", outcome, state)


async def undo_config(journal: str, desk: ConfigDesk, *, why: str) -> ConfigPlan:
    """Take a change back, the newest one that stands. Raises ChangeNotFound; FixInput for one that was taken back
    already; AskOperator, before anything is begun, where the file is not what the change wrote.
    """
    changes = _changes(desk)
    state = dict(changes).get(journal)
    if state is None:
        standing = [name for name, each in changes if each.ending is not Ending.UNDONE]
        raise ChangeNotFound(
            f"no change of the regime model's config has the journal {journal}",
            next_step=f"the newest that stands is {standing[-1]}" if standing else "none was ever made",
        )
    plan = _built_again(state, desk)
    if state.ending is Ending.DONE:
        await _must_stand(journal, changes, desk)
    before = desk.values()
    change = desk.records.change("regime config", SUBJECT, "workspace", why)
    outcome = await carry_out_recorded(plan, desk.tree, desk.records, change, journal_name=journal, back=True)
    if not isinstance(outcome, TakenBack):
        raise _not_done("the change was not taken back", outcome, state)
    after = desk.values()
    return ConfigPlan(
        etag=config_etag(before),
        would_be=config_etag(after),
        differences=differences(before, after),
        steps=as_text(outcome.status),
        refusals=(),
        journal=journal,
    )


async def _must_stand(journal: str, changes: Changes, desk: ConfigDesk) -> None:
    """Raises AskOperator where something was changed after that. A journal that had turned could not turn again."""
    later = [name for name, state in changes if name > journal and state.ending is Ending.DONE]
    if later:
        raise AskOperator(
            f"the config was changed again after {journal}",
            kept="the config in force",
            next_step=f"take the newest change back first: {later[-1]}",
        )
    found = await desk.tree.look(REGIME_FILE)
    content = await desk.tree.read(REGIME_FILE) if found is not None and found.kind is Kind.FILE else b""
    wrote = _named(dict(changes)[journal])[1]
    if hashlib.sha256(content).hexdigest() != wrote:
        raise AskOperator(
            f"{REGIME_FILE} is not what the change wrote: somebody has edited it since",
            kept=f"{REGIME_FILE} as it is; what the change wrote is in {FOLDER}/{_content_name(wrote)}",
            next_step="change it with POST /api/market-regime/config, or put the file back and ask again",
        )


def _changes(desk: ConfigDesk) -> Changes:
    found = (
        (each.name, JournalState(desk.records.journals.read(each.name).records))
        for each in desk.records.journals.all()
    )
    return tuple((name, state) for name, state in found if state.plan.subject == SUBJECT)


def _named(state: JournalState) -> re.Match[str]:
    named = _NAME.fullmatch(state.plan.name)
    assert named is not None, "its plan was named here"
    return named


def _built_again(state: JournalState, desk: ConfigDesk) -> Plan[Tree]:
    """The plan of a journal. Raises AskOperator where what it wrote is gone."""
    wrote, stamp, new = _named(state).groups()
    content = desk.kept(_content_name(wrote))
    if content is None:
        raise AskOperator(
            f"{FOLDER}/{_content_name(wrote)}, which the change wrote, is not there any more",
            kept="the config in force",
            next_step="restore that file from a backup, and ask again",
        )
    return _plan(content, stamp, is_new=new is not None)


def _not_done(what: str, outcome: Outcome, state: JournalState) -> AskOperator:
    """Of a change that ended otherwise than it should."""
    back = f"put {REGIME_FILE} back as it was, or as {FOLDER}/{_content_name(_named(state)[1])} has it"
    return AskOperator(
        f"{what}: {getattr(outcome, 'why', 'it came to another end')}",
        kept=f"{REGIME_FILE} as it is, and the journal of the change",
        next_step=f"{back if isinstance(outcome, Halted) else 'mend what it names'}; then ask again",
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
        resume_with="POST /api/market-regime/config?dry_run=false",
        undo_with="POST /api/market-regime/config/undo/JOURNAL",
    )


def _stamp(desk: ConfigDesk) -> str:
    return f"{desk.records.clock():%Y%m%dT%H%M%S%f}"


def _content_name(sha256: str) -> str:
    return f"{sha256}.toml"
