"""Init: make a folder a workspace, with the reference strategies and generated bars to try them on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from magellan.archive.actions import CorporateActionTable
from magellan.archive.generated.sample import sample_descriptions, sample_markets
from magellan.errors import FixInput
from magellan.ports.bars import BarArchive
from magellan.ports.corporate_actions import CorporateActionStore
from magellan.trading.session import ExchangeCalendar
from magellan.usecases.new_strategy import WriteFile
from magellan.workspace.new_files import NewFile, reference_files, reference_strategies, workspace_files
from magellan.workspace.workspace import FILE, Stage, Workspace

Progress = Callable[[str, float, float], None]  # (phase, done, total)


class State(StrEnum):
    """What became of one thing that should be there."""

    CREATED = "created"
    THERE = "already there"
    DIFFERS = "differs, left as it is"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One thing that a workspace begins with."""

    what: str  # a path in the workspace, or a set of bars
    state: State


def init_workspace(
    root: Path,
    *,
    archive_of: Callable[[Workspace], BarArchive],
    actions_of: Callable[[Workspace], CorporateActionStore],
    calendar_of: Callable[[str], ExchangeCalendar],
    write: WriteFile,
    now: datetime,
    with_sample: bool = True,
    progress: Progress = lambda phase, done, total: None,
) -> tuple[Made, ...]:
    """Make `root` a workspace. What is there already stays as it is, so it can be done again at any time.

    now:         aware, UTC: stamped on the generated bars.
    with_sample: put generated bars into the archive, and let the reference strategies trade them.
    Raises:      FixInput for a folder that cannot become one: a file, or one inside another workspace.
    """
    root = root.absolute()
    if root.exists() and not root.is_dir():
        raise FixInput(f"{root} is a file", next_step="name a folder that is empty, or does not exist yet")
    for above in root.resolve().parents:
        if (above / FILE).is_file():
            raise FixInput(
                f"{root} lies inside the workspace {above}",
                next_step="choose a folder outside of it; one workspace holds all strategies",
            )
    made = [_put(root, file, write) for file in workspace_files(with_sample=with_sample)]
    workspace = Workspace.at(root)
    made += _put_strategies(workspace, write, with_sample=with_sample)
    if with_sample:
        made += _put_sample(
            archive_of(workspace), actions_of(workspace), calendar_of, now=now, progress=progress
        )
    return tuple(made)


def _put(root: Path, file: NewFile, write: WriteFile) -> Made:
    path = root / file.path
    if not path.exists():
        write(path, file.content)
        state = State.CREATED
    elif path.is_file() and path.read_bytes() == file.content:
        state = State.THERE
    else:
        state = State.DIFFERS
    return Made(what=str(file.path), state=state)


def _put_strategies(workspace: Workspace, write: WriteFile, *, with_sample: bool) -> list[Made]:
    symbols_of: dict[str, list[str]] = {}
    if with_sample:
        for market in sample_descriptions():
            symbols_of.setdefault(str(market.timeframe), []).append(market.symbol)
    made = []
    for reference in reference_strategies():
        if any(
            each.name == reference.name and each.stage is not Stage.PROD for each in workspace.strategies()
        ):
            # It was moved to another stage; a second one of its name would only be ambiguous.
            continue
        folder = workspace.root / Stage.PROD / reference.name
        for file in reference_files(reference, symbols_of):
            state = _put(folder, file, write)
            made.append(Made(what=f"{Stage.PROD}/{reference.name}/{state.what}", state=state.state))
    return made


def _put_sample(
    archive: BarArchive,
    actions: CorporateActionStore,
    calendar_of: Callable[[str], ExchangeCalendar],
    *,
    now: datetime,
    progress: Progress,
) -> list[Made]:
    """Merge the generated sets that the archive does not hold yet, and record the splits that explain them."""
    held = {record.id for record in archive.sets() if record.generated}
    wanted = {(market.symbol, market.timeframe) for market in sample_descriptions()}
    have = {(each.symbol, each.timeframe): each for each in held}
    if wanted <= have.keys():
        return [Made(what=have[key].slug, state=State.THERE) for key in sorted(wanted)]
    progress("generating bars", 0, len(wanted))
    sample = sample_markets(calendar_of("XNYS"))
    _record_actions(actions, CorporateActionTable(sample.actions))
    made = []
    for done, each in enumerate(sample.sets):
        if each.id in held:
            made.append(Made(what=each.id.slug, state=State.THERE))
        else:
            archive.merge(each.id, each.bars, each.provenance(now))
            made.append(Made(what=each.id.slug, state=State.CREATED))
        progress("generating bars", done + 1, len(wanted))
    return made


def _record_actions(store: CorporateActionStore, wanted: CorporateActionTable) -> None:
    table = store.read()
    missing = [action for action in wanted.actions if action not in table.actions]
    for action in missing:
        table = table.with_action(action)
    if missing:
        store.write(table)
