"""Every limit that can be written down acts: each key, wherever it may stand, is breached here (incident 37).

The tables are complete by construction: a field of the limits, or a key of a config section, that no case breaches
fails the tests at the bottom.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from magellan.risk.breakers import (
    BreakerEvent,
    BreakerKind,
    BreakerLimits,
    Breakers,
    DataSilent,
    DayBegan,
    EquityTold,
    ExceptionRaised,
    OrderRejected,
    TradeEnded,
    after,
)
from magellan.risk.limits import Allow, Deny, EntryHours, Hours, RiskLimits, Rule, check_order
from magellan.trading.order import OrderRequest, OrderType
from magellan.trading.purpose import OrderPurpose
from magellan.usecases.session_limits import SessionLimits, session_limits
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.config import Limits, StrategyConfig
from magellan.workspace.risk_terms import BreakerCaps, BreakerTerms, RiskCaps, RiskTerms
from magellan.workspace.workspace import Stage, WorkspaceSettings
from risk.orders import NOW, WIDE, order, view


@dataclass(frozen=True, kw_only=True)
class OrderCase:
    """A limit as a config states it, and an account in which ten shares at 100 $ breach it and it alone."""

    tight: Any  # what breaches
    state: dict[str, Any] = field(default_factory=dict)
    asks: dict[str, Any] = field(default_factory=dict)
    kept: Any = None  # what the same order keeps; None: the limit not set


ORDER_CASES: dict[str, OrderCase] = {
    "order_usd_max": OrderCase(tight=999.99, kept=1000.0),
    "order_units_max": OrderCase(tight=9.0, kept=10.0),
    "price_collar_fraction_max": OrderCase(tight=0.01, kept=0.03, state={"last_price": Decimal(102)}),
    "position_usd_max": OrderCase(tight=1999.0, kept=2000.0, state={"position_units": Decimal(10)}),
    "position_fraction_max": OrderCase(tight=0.0199, kept=0.02, state={"position_units": Decimal(10)}),
    "symbol_exposure_usd_max": OrderCase(
        tight=2199.0, kept=2200.0, state={"position_units": Decimal(10), "last_price": Decimal(110)}
    ),
    "gross_exposure_fraction_max": OrderCase(
        tight=0.5, kept=0.51, state={"gross_exposure_usd": Decimal(40_000), "working_entries_usd": Decimal(10_000)}
    ),
    "open_positions_max": OrderCase(tight=2, kept=3, state={"open_symbols": frozenset({"GME", "BB"})}),
    "trades_per_day_max": OrderCase(tight=4, kept=5, state={"trades_today": 4}),
    "orders_per_minute_max": OrderCase(tight=7, kept=8, state={"entries_last_minute": 7}),
    "orders_per_second_max": OrderCase(tight=2, kept=3, state={"entries_last_second": 2}),
    "loss_per_day_fraction_max": OrderCase(
        tight=0.02, kept=0.0201, state={"realised_today_usd": Decimal(-2000)}
    ),
    "loss_per_day_usd_max": OrderCase(
        tight=2000.0, kept=2000.01, state={"realised_today_usd": Decimal(-2000)}
    ),
    "bar_age_s_max": OrderCase(tight=59.9, kept=60.0, state={"bar_age_s": Decimal(60)}),
    "account_age_s_max": OrderCase(
        tight=59.9, kept=60.0, state={"account_told_at": NOW - timedelta(seconds=60)}
    ),
    "reconciliation_age_s_max": OrderCase(
        tight=59.9, kept=60.0, state={"reconciled_at": NOW - timedelta(seconds=60)}
    ),
    "clock_skew_s_max": OrderCase(tight=1.4, kept=1.5, state={"clock_skew_s": Decimal("-1.5")}),
    "entry_hours": OrderCase(tight="open", kept="regular", state={"hours": Hours.EXTENDED}),
}  # fmt: skip

# Rules without a key: they always hold.
ALWAYS: dict[Rule, tuple[dict[str, Any], OrderPurpose]] = {
    Rule.HALTED: ({"halted": True}, OrderPurpose.ENTRY),
    Rule.LEASE: ({"lease_lapsed": "desk has not renewed it for 10 s"}, OrderPurpose.ENTRY),
    Rule.BREAKERS: ({"breakers_tripped": ("drawdown",)}, OrderPurpose.ENTRY),
    Rule.TRADING_BLOCKED: ({"trading_blocked": True}, OrderPurpose.ENTRY),
    Rule.SYMBOL_HALTED: ({"symbol_halted": True}, OrderPurpose.ENTRY),
    Rule.DUPLICATE_INTENT: ({"same_intent_pending": True}, OrderPurpose.ENTRY),
    Rule.BUYING_POWER: ({"buying_power_usd": Decimal("999.99")}, OrderPurpose.ENTRY),
    Rule.NOT_REDUCING: ({"position_units": Decimal(0)}, OrderPurpose.EXIT),
    Rule.OVERSELL: ({"position_units": Decimal(-9)}, OrderPurpose.EXIT),
}


def day(on: int, equity: int) -> DayBegan:
    at = NOW + timedelta(days=on)
    return DayBegan(at=at, session_on=at.date(), equity_usd=Decimal(equity))


def equity(usd: int) -> EquityTold:
    return EquityTold(at=NOW, equity_usd=Decimal(usd))


def trades(*profits: int) -> list[BreakerEvent]:
    return [TradeEnded(at=NOW, profit_usd=Decimal(usd)) for usd in profits]


@dataclass(frozen=True, kw_only=True)
class BreakerCase:
    """A breaker's limit as a config states it, and what trips it and it alone."""

    tight: Any
    kept: Any
    happens: list[BreakerEvent]
    kind: BreakerKind
    beside: dict[str, Any] = field(default_factory=dict)  # other keys that the case needs


BREAKER_CASES: dict[str, BreakerCase] = {
    "daily_loss_fraction_max": BreakerCase(
        tight=0.02, kept=0.021, happens=[day(0, 100_000), equity(98_000)], kind=BreakerKind.DAILY_LOSS
    ),
    "daily_loss_usd_max": BreakerCase(
        tight=2000.0, kept=2001.0, happens=[day(0, 100_000), equity(98_000)], kind=BreakerKind.DAILY_LOSS
    ),
    "drawdown_fraction_max": BreakerCase(
        tight=0.1, kept=0.11, happens=[equity(100_000), equity(90_000)], kind=BreakerKind.DRAWDOWN
    ),
    "losing_trades_max": BreakerCase(
        tight=3, kept=4, happens=trades(-1, -1, -1), kind=BreakerKind.LOSING_TRADES
    ),
    "losing_days_max": BreakerCase(
        tight=2,
        kept=3,
        happens=[day(0, 100), equity(99), day(1, 99), equity(98), day(2, 98)],
        kind=BreakerKind.LOSING_DAYS,
    ),
    "win_rate_min": BreakerCase(
        tight=0.5,
        kept=0.4,
        happens=trades(1, -1, -1, 1, -1),
        kind=BreakerKind.WIN_RATE,
        beside={"win_rate_trades": 5},
    ),
    "win_rate_trades": BreakerCase(
        tight=5,
        kept=6,
        happens=trades(1, -1, -1, 1, -1),
        kind=BreakerKind.WIN_RATE,
        beside={"win_rate_min": 0.5},
    ),
    "rejects_per_hour_max": BreakerCase(
        tight=1, kept=2, happens=[OrderRejected(at=NOW, reason="no")] * 2, kind=BreakerKind.REJECTS
    ),
    "exceptions_per_hour_max": BreakerCase(
        tight=1, kept=2, happens=[ExceptionRaised(at=NOW, where="decide")] * 2, kind=BreakerKind.EXCEPTIONS
    ),
    "data_silence_s_max": BreakerCase(
        tight=299.0,
        kept=300.0,
        happens=[DataSilent(at=NOW, silent_s=Decimal(300), source="alpaca iex")],
        kind=BreakerKind.STALE_DATA,
    ),
}

# --- Where a key may stand ---------------------------------------------------------------------------------------

Layer = Callable[[str, Any], SessionLimits]

_WIDE_RISK: dict[str, Any] = {
    "price_collar_fraction_max": 1.0,
    "position_fraction_max": 10.0,
    "gross_exposure_fraction_max": 10.0,
    "orders_per_minute_max": 10_000,
    "orders_per_second_max": 10_000,
    "bar_age_s_max": 1e9,
    "account_age_s_max": 1e9,
    "reconciliation_age_s_max": 1e9,
    "clock_skew_s_max": 1e9,
    "entry_hours": "extended",
}
_WIDE_BREAKERS: dict[str, Any] = {
    name: None for name in BreakerTerms.model_fields if name != "win_rate_trades"
}


def limits_with(
    *,
    limits: dict[str, Any] | None = None,
    risk: dict[str, Any] | None = None,
    breakers: dict[str, Any] | None = None,
    workspace: dict[str, Any] | None = None,
    stage: dict[str, Any] | None = None,
    account: dict[str, Any] | None = None,
) -> SessionLimits:
    """What a session is held to when everything is wide but what is given, as files would state it."""
    config = StrategyConfig.model_validate(
        {
            "strategy": {"name": "a", "version": "1.0.0", "kind": "swing"},
            "symbols": ["AMC"],
            "limits": limits or {},
            "risk": {**_WIDE_RISK, **(risk or {}), "breakers": {**_WIDE_BREAKERS, **(breakers or {})}},
        }
    )
    settings = WorkspaceSettings.model_validate(
        {
            "risk": workspace or {},
            "stages": {"test": {"risk": stage or {}}},
            "accounts": {"paper": {"kind": "paper", "number": "PA3", "risk": account or {}}},
        }
    )
    return session_limits(config, settings, stage=Stage.TEST, account=settings.accounts["paper"])


# {section: how a key of it is stated}; each section is read by `session_limits` on its own.
ORDER_SECTIONS: dict[str, tuple[type[BaseModel], Layer]] = {
    "config.json limits": (Limits, lambda key, value: limits_with(limits={key: value})),
    "config.json risk": (RiskTerms, lambda key, value: limits_with(risk={key: value})),
    "magellan.toml risk": (RiskCaps, lambda key, value: limits_with(workspace={key: value})),
    "magellan.toml stages.test.risk": (RiskCaps, lambda key, value: limits_with(stage={key: value})),
    "magellan.toml accounts.paper.risk": (RiskCaps, lambda key, value: limits_with(account={key: value})),
}
BREAKER_SECTIONS: dict[
    str, tuple[type[BaseModel], Callable[[dict[str, Any], dict[str, Any]], SessionLimits]]
] = {
    "config.json risk.breakers": (
        BreakerTerms,
        lambda stated, beside: limits_with(breakers=beside | stated),
    ),
    "magellan.toml risk.breakers": (
        BreakerCaps,
        lambda stated, beside: limits_with(breakers=beside, workspace={"breakers": stated}),
    ),
    "magellan.toml stages.test.risk.breakers": (
        BreakerCaps,
        lambda stated, beside: limits_with(breakers=beside, stage={"breakers": stated}),
    ),
    "magellan.toml accounts.paper.risk.breakers": (
        BreakerCaps,
        lambda stated, beside: limits_with(breakers=beside, account={"breakers": stated}),
    ),
}
NO_LIMIT = {
    "breakers",  # a section of its own
    "trades_counted_at",  # how a backtest counts; a session counts entries
}

ORDER_KEYS = [
    (section, key)
    for section, (model, _) in ORDER_SECTIONS.items()
    for key in model.model_fields
    if key not in NO_LIMIT
]
BREAKER_KEYS = [
    (section, key) for section, (model, _) in BREAKER_SECTIONS.items() for key in model.model_fields
]


def answer(case: OrderCase, limits: RiskLimits) -> Allow | Deny:
    asked: OrderRequest = order(**case.asks)
    return check_order(asked, OrderPurpose.ENTRY, view(**case.state), limits)


@pytest.mark.parametrize(
    ("section", "key"), ORDER_KEYS, ids=[f"{section} {key}" for section, key in ORDER_KEYS]
)
def test_a_limit_refuses_what_breaches_it_wherever_it_stands(section: str, key: str) -> None:
    case, stated = ORDER_CASES[key], ORDER_SECTIONS[section][1]
    refused = answer(case, stated(key, case.tight).orders)
    assert isinstance(refused, Deny), f"{key} in {section} is read by nothing"
    assert {breach.rule for breach in refused.breaches} == {Rule(key)}
    assert answer(case, stated(key, case.kept).orders) == Allow()


@pytest.mark.parametrize(
    ("section", "key"), BREAKER_KEYS, ids=[f"{section} {key}" for section, key in BREAKER_KEYS]
)
def test_a_breaker_trips_on_what_breaches_it_wherever_its_limit_stands(section: str, key: str) -> None:
    case, stated = BREAKER_CASES[key], BREAKER_SECTIONS[section][1]

    def tripped(value: Any) -> set[BreakerKind]:
        limits, breakers = stated({key: value}, case.beside).breakers, Breakers()
        for event in case.happens:
            breakers, _ = after(breakers, event, limits)
        return set(breakers.tripped)

    assert tripped(case.tight) == {case.kind}, f"{key} in {section} is read by nothing"
    assert tripped(case.kept) == set()


@pytest.mark.parametrize("rule", ALWAYS)
def test_a_rule_without_a_key_holds_for_every_session(rule: Rule) -> None:
    state, purpose = ALWAYS[rule]
    refused = check_order(order(), purpose, view(**state), WIDE)
    assert isinstance(refused, Deny)
    assert {breach.rule for breach in refused.breaches} == {rule}


def test_the_tightest_holds_whoever_says_it() -> None:
    keys = ("limits", "workspace", "stage", "account")
    for tight in keys:
        said = {each: {"position_usd_max": 50.0 if each == tight else 500.0} for each in keys}
        assert limits_with(**said).orders.position_usd_max == 50
    hours = limits_with(
        risk={"entry_hours": "extended"}, stage={"entry_hours": "open"}, account={"entry_hours": "regular"}
    )
    assert hours.orders.entry_hours is EntryHours.OPEN
    rates = limits_with(breakers={"win_rate_min": 0.3}, account={"breakers": {"win_rate_min": 0.4}})
    assert rates.breakers.win_rate_min == Decimal("0.4")


def test_a_cap_never_loosens_what_a_strategy_says() -> None:
    found = limits_with(risk={"position_fraction_max": 0.02}, account={"position_fraction_max": 0.5})
    assert found.orders.position_fraction_max == Decimal("0.02")


def test_test_may_be_held_tighter_than_prod() -> None:
    config = StrategyConfig.model_validate(
        {"strategy": {"name": "a", "version": "1.0.0", "kind": "swing"}, "symbols": ["AMC"]}
    )
    settings = WorkspaceSettings.model_validate({"stages": {"test": {"risk": {"order_usd_max": 100.0}}}})
    held = {
        stage: session_limits(config, settings, stage=stage, account=None).orders.order_usd_max
        for stage in Stage
    }
    assert held == {Stage.DEV: None, Stage.TEST: Decimal(100), Stage.PROD: None}


def test_a_session_that_states_nothing_has_the_defaults_of_the_code() -> None:
    config = StrategyConfig.model_validate(
        {"strategy": {"name": "a", "version": "1.0.0", "kind": "swing"}, "symbols": ["AMC"]}
    )
    found = session_limits(config, WorkspaceSettings(), stage=None, account=None)
    assert found == SessionLimits(orders=RiskLimits(), breakers=BreakerLimits())
    assert found.orders.position_fraction_max == Decimal("0.05")


# --- Nothing is left out -----------------------------------------------------------------------------------------


def test_every_field_of_the_limits_has_a_case() -> None:
    assert {each.name for each in fields(RiskLimits)} == set(ORDER_CASES)
    assert {each.name for each in fields(BreakerLimits)} == set(BREAKER_CASES)


def test_every_rule_is_breached_by_a_case() -> None:
    assert {Rule(name) for name in ORDER_CASES} | set(ALWAYS) == set(Rule)


def test_every_key_of_every_section_is_a_limit_with_a_case() -> None:
    for sections, cases in ((ORDER_SECTIONS, ORDER_CASES), (BREAKER_SECTIONS, BREAKER_CASES)):
        for model, _ in sections.values():
            assert set(model.model_fields) - NO_LIMIT <= set(cases)


def test_every_limit_can_be_stated_by_a_strategy_and_capped_by_an_account() -> None:
    by_strategy = (set(Limits.model_fields) | set(RiskTerms.model_fields)) - NO_LIMIT
    assert by_strategy == set(RiskCaps.model_fields) - NO_LIMIT == set(ORDER_CASES)
    # How many trades a rate is taken over belongs to the strategy that makes them.
    assert set(BreakerTerms.model_fields) == set(BreakerCaps.model_fields) | {"win_rate_trades"}


def test_every_place_for_limits_is_among_the_sections() -> None:
    """A further section that takes limits must be added above, or nobody checks that it is read."""
    found = {
        f"{model.__name__}.{name}"
        for model in (StrategyConfig, WorkspaceSettings, BrokerAccount, *_stage_models())
        for name, info in model.model_fields.items()
        if info.annotation in (Limits, RiskTerms, RiskCaps)
    }
    assert found == {
        "StrategyConfig.limits",
        "StrategyConfig.risk",
        "WorkspaceSettings.risk",
        "BrokerAccount.risk",
        "StageTerms.risk",
    }


def _stage_models() -> set[type[BaseModel]]:
    stages = WorkspaceSettings.model_fields["stages"].annotation
    assert stages is not None
    return {info.annotation for info in stages.model_fields.values()}


def test_every_limit_stands_in_the_guide_with_its_default() -> None:
    guide = (Path(__file__).parents[2] / "docs/guides/risk.md").read_text()
    rows = [
        [cell.strip() for cell in line.split("|")] for line in guide.splitlines() if line.startswith("| ")
    ]
    for each in fields(RiskLimits):
        section = "limits" if each.name in Limits.model_fields else "risk"
        assert [row[2] for row in rows if row[1] == f"`{section}.{each.name}`"] == [shown(each.default)]
    stated = {key: default for row in rows if row[1] in set(BreakerKind) for key, default in cells(row)}
    assert stated == {each.name: shown(each.default) for each in fields(BreakerLimits)}
    assert {row[1] for row in rows} >= {*BreakerKind, *(f"`{rule}`" for rule in ALWAYS)}


def cells(row: list[str]) -> list[tuple[str, str]]:
    return [
        (key.strip("` "), default.strip())
        for key, default in zip(row[2].split(","), row[3].split(","), strict=True)
        if key.strip()
    ]


def shown(default: object) -> str:
    return "none" if default is None else str(default)


def test_the_same_units_bought_by_a_limit_order_meet_the_same_caps() -> None:
    asked = {"type": OrderType.LIMIT, "limit_price": Decimal(100)}
    for key in ("order_usd_max", "position_usd_max", "position_fraction_max", "symbol_exposure_usd_max"):
        case = replace(ORDER_CASES[key], asks=asked)
        assert isinstance(answer(case, limits_with(account={key: case.tight}).orders), Deny)
