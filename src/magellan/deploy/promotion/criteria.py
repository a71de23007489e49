"""Criteria of a promotion: which measure is held against which threshold, and what it means to miss it.

This table is all there is: the verdict, the screen and docs/guides/promotion.md follow it. A row that does not pass
keeps the release where it is, and no row can be skipped, tolerated or switched off.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from magellan.deploy.promotion.evidence import About
from magellan.gate.criteria import Unit
from magellan.workspace.promotion_criteria import PROMOTION_THRESHOLDS
from magellan.workspace.threshold import Bound
from magellan.workspace.workspace import Stage


class Rule(StrEnum):
    """How a measured value is held against its threshold."""

    VALUE = "value"  # met: pass; else fail
    AMOUNT = "amount"  # met: pass; else not enough yet, inconclusive
    BAND = "band"  # inside the measure's own band: pass; outside: fail
    DOUBT = "doubt"  # met: pass; else nothing can be concluded


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One row of the table."""

    name: str  # for `--json`; and the key of the config's `promotion` section, where it has one
    title: str  # for people
    about: About
    bound: Bound
    fixed: float | None = None  # the threshold, where no config can change it; None: `promotion.<name>`
    rule: Rule = Rule.VALUE
    unit: Unit = Unit.COUNT
    stages: frozenset[Stage] = frozenset({Stage.PROD})  # that a promotion to asks for it
    next_step: str  # what to do when it does not pass


_BOTH: Final = frozenset({Stage.TEST, Stage.PROD})
_GO_ON: Final = "let it run on"
_LOOK: Final = "find out why, mend it, build a release, and soak that one"


def _none_of(
    name: str,
    title: str,
    about: About,
    next_step: str,
    *,
    rule: Rule = Rule.VALUE,
    stages: frozenset[Stage] = frozenset({Stage.PROD}),
) -> Criterion:
    return Criterion(
        name=name,
        title=title,
        about=about,
        bound=Bound.AT_MOST,
        fixed=0.0,
        rule=rule,
        stages=stages,
        next_step=next_step,
    )


def _set_by_config(
    name: str,
    title: str,
    about: About,
    next_step: str,
    *,
    rule: Rule = Rule.VALUE,
    unit: Unit = Unit.COUNT,
    stages: frozenset[Stage] = frozenset({Stage.PROD}),
) -> Criterion:
    return Criterion(
        name=name,
        title=title,
        about=about,
        bound=PROMOTION_THRESHOLDS[name].bound,
        rule=rule,
        unit=unit,
        stages=stages,
        next_step=next_step,
    )


def _inside_its_band(name: str, title: str, unit: Unit, next_step: str) -> Criterion:
    return Criterion(
        name=name,
        title=title,
        about=About.SOAK,
        bound=Bound.AT_MOST,
        fixed=0.0,
        rule=Rule.BAND,
        unit=unit,
        next_step=next_step,
    )


PROMOTION: Final[tuple[Criterion, ...]] = (
    # The release
    _none_of(
        "release_problems",
        "problems of the release",
        About.RELEASE,
        "build it again with a key that magellan.toml trusts",
        stages=_BOTH,
    ),
    # Its gates
    _none_of(
        "gates_not_open",
        "gates not open",
        About.GATES,
        "see `magellan gate`; then build a release with an open verdict",
        stages=_BOTH,
    ),
    _set_by_config(
        "gates_age_days_max",
        "age of the gates' verdict, days",
        About.GATES,
        "judge it again with `magellan gate`, and build a release",
        unit=Unit.RATIO,
        stages=_BOTH,
    ),
    # Was it accepted?
    _none_of(
        "changes_since_accepted",
        "changes since the accepted run",
        About.ACCEPTED,
        "what trades must be what a person accepted: `magellan gate STRATEGY --accept --by NAME --reason TEXT`",
        stages=_BOTH,
    ),
    # Its backtest
    _none_of(
        "changes_since_backtest",
        "changes since the backtest",
        About.BACKTEST,
        "run `magellan backtest STRATEGY` on what is in the release",
    ),
    _none_of(
        "generated_backtest",
        "backtests over generated bars",
        About.BACKTEST,
        "use bars of a real market; generated ones predict nothing",
        rule=Rule.DOUBT,
    ),
    # Its soak: was it long enough?
    _set_by_config(
        "soak_hours_min",
        "market hours watched",
        About.SOAK,
        _GO_ON,
        rule=Rule.AMOUNT,
        unit=Unit.RATIO,
    ),
    _set_by_config("soak_sessions_min", "whole sessions watched", About.SOAK, _GO_ON, rule=Rule.AMOUNT),
    _set_by_config(
        "soak_idle_days_max",
        "days since it last ran",
        About.SOAK,
        "start it again: a soak is judged while it runs",
        unit=Unit.RATIO,
    ),
    # Its soak: did all go well?
    _none_of("breakers_tripped", "breakers tripped", About.SOAK, _LOOK),
    _none_of("failures", "failures of our code", About.SOAK, _LOOK),
    _none_of("critical_alerts", "critical alerts", About.SOAK, _LOOK),
    _none_of("disagreements", "disagreements with the broker", About.SOAK, _LOOK),
    Criterion(
        name="reconciliations",
        title="comparisons with the broker",
        about=About.SOAK,
        bound=Bound.AT_LEAST,
        fixed=1.0,
        rule=Rule.AMOUNT,
        next_step=_GO_ON,
    ),
    _set_by_config("unclean_ends_max", "sessions that were killed", About.SOAK, _LOOK),
    # Its soak: was it the strategy that the backtest knows?
    _set_by_config("soak_trades_min", "closed trades", About.SOAK, _GO_ON, rule=Rule.AMOUNT),
    _inside_its_band(
        "trade_count_band",
        "trades entered",
        Unit.COUNT,
        "it does not trade as its backtest does: replay its sessions with `magellan replay SESSION`",
    ),
    _inside_its_band(
        "win_rate_band",
        "win rate",
        Unit.PERCENT,
        "it does not win as its backtest does: compare prices, costs and exits of both",
    ),
    _set_by_config(
        "win_rate_min",
        "win rate, floor",
        About.SOAK,
        "it wins too seldom for the floor that its config sets",
        unit=Unit.PERCENT,
    ),
    _set_by_config(
        "no_edge_pass_max",
        "chance to pass without an edge",
        About.SOAK,
        "let it make more trades",
        rule=Rule.DOUBT,
        unit=Unit.PERCENT,
    ),
    _set_by_config(
        "slippage_bps_max",
        "slippage of entries",
        About.SOAK,
        "compare with the costs under execution in the config; trade smaller, or more liquid symbols",
        unit=Unit.BPS,
    ),
)
