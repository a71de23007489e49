"""What an old config says, in the terms of config.json. What has no place there is listed, never dropped silently.

The table below is all there is to know: an old key, the new one, and how its value is read. A key that is not in it,
and a value that could mean two things, are listed with what to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from magellan.errors import FixInput
from magellan.workspace.config import StrategyConfig
from magellan.workspace.config_file import validated


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmapped:
    """Something of an old config that the new one does not say."""

    key: str  # "risk_management.emergency_stop_conditions.rolling_window_days"
    value: str  # as JSON has it, short
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConfig:
    """An old config in new terms."""

    document: Mapping[str, Any]
    mapped: tuple[tuple[str, str], ...]  # old key, new key
    unmapped: tuple[Unmapped, ...]
    problems: tuple[str, ...]  # for which the schema refuses the document; a person mends these first


class _NoPlace(Exception):
    """A value that cannot be mapped, and why."""


def new_config(old: Mapping[str, Any], name: str) -> NewConfig:
    """The config in our terms.

    name: of the strategy's new folder.
    """
    document: dict[str, Any] = {"strategy": {"name": name}}
    mapped: list[tuple[str, str]] = []
    unmapped: list[Unmapped] = []
    for key, value in _leaves(old, ""):
        term = TERMS.get(key)
        if term is None:
            unmapped.append(Unmapped(key=key, value=_short(value), why=_advice(key)))
            continue
        try:
            for place, new in term(value):
                _put(document, place, new)
                mapped.append((key, place))
        except _NoPlace as error:
            unmapped.append(Unmapped(key=key, value=_short(value), why=str(error)))
    document["strategy"].setdefault("version", "0.1.0")
    if "kind" not in document["strategy"]:
        kind = _KIND_BY_UNIT[re.sub(r"[0-9]", "", document.get("data", {}).get("timeframe", "1Day"))]
        document["strategy"]["kind"] = kind
        unmapped.append(
            Unmapped(
                key="strategy.kind",
                value=f'"{kind}"',
                why="supposed from the timeframe; look whether it is so",
            )
        )
    return NewConfig(
        document=_in_order(document),
        mapped=tuple(mapped),
        unmapped=tuple(unmapped),
        problems=_problems(document, name),
    )


Term = Callable[[Any], list[tuple[str, Any]]]
_KIND_BY_UNIT: Final = {"Min": "intraday", "Hour": "swing", "Day": "trend"}


def _to(*places: str) -> Term:
    return lambda value: [(place, value) for place in places]


def _fraction(*places: str) -> Term:
    def term(value: Any) -> list[tuple[str, Any]]:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _NoPlace("it is no number")
        if not 0 < value <= 1:
            raise _NoPlace("it could be a fraction or percent; write the fraction: 0.02 is 2 %")
        return [(place, float(value)) for place in places]

    return term


def _name(value: Any) -> list[tuple[str, Any]]:
    return [("strategy.description", str(value))]


def _version(value: Any) -> list[tuple[str, Any]]:
    found = re.match(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?", str(value))
    if found is None:
        raise _NoPlace("it is no version of three numbers")
    return [("strategy.version", ".".join(part or "0" for part in found.groups()))]


def _kind(value: Any) -> list[tuple[str, Any]]:
    for kind in ("intraday", "swing", "trend"):
        if kind in str(value).lower():
            return [("strategy.kind", kind)]
    raise _NoPlace("it is none of intraday, swing and trend")


def _symbols(value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise _NoPlace("it is no list of symbols")
    return [("symbols", list(dict.fromkeys(value)))]


def _symbol(value: Any) -> list[tuple[str, Any]]:
    return _symbols([value])


def _timeframe(value: Any) -> list[tuple[str, Any]]:
    found = re.fullmatch(r"(\d+) ?(min|minute|hour|day|h|d|m)s?", str(value), re.IGNORECASE)
    if found is None:
        raise _NoPlace("it is none of 1Min, 1Hour, 1Day and their multiples")
    unit = {"m": "Min", "h": "Hour", "d": "Day"}[found[2][0].lower()]
    return [("data.timeframe", f"{found[1]}{unit}")]


def _all_hours(value: Any) -> list[tuple[str, Any]]:
    return [("data.hours", "all")] if value is True else []


def _margin(value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 1:
        raise _NoPlace("it is no number of at least 1")
    return [("account.kind", "margin"), ("account.leverage", float(value))] if value > 1 else []


def _entry_hours(value: Any) -> list[tuple[str, Any]]:
    return [("risk.entry_hours", "extended" if value is True else "regular")]


TERMS: Final[Mapping[str, Term]] = {
    "strategy.name": _name,
    "strategy.version": _version,
    "strategy.type": _kind,
    "symbol": _symbol,
    "symbols": _symbols,
    "parameters": _to("parameters"),
    "strategy_parameters": _to("parameters"),
    "symbol_parameters": _to("symbol_parameters"),
    "data_requirements.timeframe": _timeframe,
    "data_requirements.premarket": _all_hours,
    "data_requirements.after_hours": _all_hours,
    "data_requirements.warmup_bars": _to("data.warmup_bars"),
    "account_info.initial_capital": _to("account.cash_usd"),
    "account_info.margin_multiplier": _margin,
    "risk_management.max_trades_per_day": _to("limits.trades_per_day_max"),
    "risk_management.max_open_positions": _to("limits.open_positions_max"),
    "risk_management.max_position_dollars": _to("limits.position_usd_max"),
    "risk_management.max_position_per_asset_dollars": _to("limits.position_usd_max"),
    "risk_management.max_daily_loss_dollars": _to(
        "limits.loss_per_day_usd_max", "risk.breakers.daily_loss_usd_max"
    ),
    "risk_management.max_daily_loss_pct": _fraction(
        "limits.loss_per_day_fraction_max", "risk.breakers.daily_loss_fraction_max"
    ),
    "risk_management.emergency_stop_conditions.consecutive_losing_days": _to("risk.breakers.losing_days_max"),
    "risk_management.emergency_stop_conditions.win_rate_below": _fraction("risk.breakers.win_rate_min"),
    "risk_management.emergency_stop_conditions.drawdown_threshold_pct": _fraction(
        "risk.breakers.drawdown_fraction_max"
    ),
    "execution.extended_hours": _entry_hours,
    "execution.slippage_tolerance_pct": _fraction("risk.price_collar_fraction_max"),
}
"""Old keys, and where their values go."""

_ADVICE: Final[tuple[tuple[str, str], ...]] = (
    ("account_info.account", "accounts are named in magellan.toml, under `accounts`"),
    ("account_info.buying_power", "the broker says it; leverage is in `account`"),
    ("ssm_parameters", "magellan.toml names where an account's credentials are"),
    ("monitoring", "magellan.toml names channels for alerts; logs go to the journal"),
    ("trading_hours", "the exchange's calendar in `data.calendar` knows sessions and time zone"),
    (
        "risk_management.per_trade_risk_pct",
        "a parameter of the strategy: put it into `parameters`, by its own name",
    ),
    (
        "risk_management.emergency_stop_conditions.rolling_window_days",
        "the win rate is taken over trades: `risk.breakers.win_rate_trades`",
    ),
    ("execution.friction_bps", "say what it is: `execution.commission_bps`, slippage_bps or half_spread_bps"),
    ("execution", "the strategy's plan decides its orders; costs are in `execution`"),
    ("strategy.", "nothing reads it; a note for docs/"),
)


def _advice(key: str) -> str:
    return next((why for start, why in _ADVICE if key.startswith(start)), "nothing of ours reads it")


def _leaves(value: Mapping[str, Any], above: str) -> list[tuple[str, Any]]:
    """Every key with its value, sections taken apart; those that the table knows as a whole are not."""
    found: list[tuple[str, Any]] = []
    for name, inner in value.items():
        key = f"{above}{name}"
        if isinstance(inner, Mapping) and key not in TERMS and inner:
            found += _leaves(inner, f"{key}.")
        else:
            found.append((key, inner))
    return found


def _put(document: dict[str, Any], place: str, value: Any) -> None:
    *sections, last = place.split(".")
    at = document
    for section in sections:
        at = at.setdefault(section, {})
    if last in at and at[last] != value:
        raise _NoPlace(f"{place} is {_short(at[last])} already, by another key")
    at[last] = value


def _problems(document: Mapping[str, Any], name: str) -> tuple[str, ...]:
    try:
        validated(StrategyConfig, document, name=f"{name}/config.json")
    except FixInput as error:
        return tuple(error.message.splitlines())
    return ()


def _in_order(document: Mapping[str, Any]) -> dict[str, Any]:
    """Keys in the order in which the schema has them."""
    order = [field.alias or name for name, field in StrategyConfig.model_fields.items()]
    return {key: document[key] for key in order if key in document}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
