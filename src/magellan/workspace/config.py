"""A strategy's config.json, key by key. Every key is read by something; an unknown key is an error.

`config_file.py` reads it, and makes its JSON Schema, which `magellan new strategy` writes beside the config
so that editors complete and check it.
"""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from magellan.errors import FixInput
from magellan.trading.timeframe import Timeframe
from magellan.workspace.gate_criteria import GateCriteria
from magellan.workspace.promotion_criteria import PromotionCriteria
from magellan.workspace.risk_terms import RiskTerms
from magellan.workspace.section import Section
from magellan.workspace.threshold import Kind

Fraction = Annotated[float, Field(ge=0, le=1)]


class Identity(Section):
    """Who the strategy is."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="the name of its folder")
    version: str = Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")
    kind: Kind = Field(
        description="sets the defaults of the gates: intraday leaves by the session's end, swing holds for "
        "days, trend for weeks"
    )
    description: str = ""


class DataTerms(Section):
    """Which bars the strategy decides on."""

    timeframe: str = Field("1Day", pattern=r"^[1-9][0-9]*(Min|Hour|Day)$")
    hours: Literal["regular", "all", "by-clock"] = Field(
        "regular",
        description="bars of the regular session, or premarket and after-hours bars too; by-clock takes 09:30 to 16:00 "
        "on every day, as if no session ever closed early: old research did, and no gate opens for it",
    )
    clock: Literal["exchange", "utc"] = Field(
        "exchange",
        description="whose wall clock gives dates and times of day; utc only reproduces old research, and no "
        "gate opens for it",
    )
    adjust: Literal["raw", "split"] = Field(
        "split", description="prices as they were, or adjusted for the splits in the corporate-action table"
    )
    calendar: str = Field("XNYS", description="exchange calendar (ISO 10383 market code)")
    vendor: str | None = Field(None, description="use only this vendor's bars; null: the only one there is")
    feed: str | None = Field(None, description="use only this feed; null: the only one there is")
    warmup_bars: int = Field(0, ge=0, description="bars before the first on which an entry may be decided")
    history_days: int | None = Field(
        None,
        ge=1,
        le=7300,
        description="calendar days of bars that a session reads before its first decision; null: 10 for minutes, "
        "180 for hours, 1500 for days. A backtest reads what the archive holds",
    )
    reference_symbols: tuple[str, ...] = Field(
        (), description="symbols that features read but that are not traded"
    )
    jump_factor: float = Field(
        1.5,
        gt=1,
        description="a close-to-open factor beyond this, either way, needs an explanation on record",
    )

    @field_validator("reference_symbols", mode="before")
    @classmethod
    def _json_has_no_tuples(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


class AccountTerms(Section):
    """What the account may do."""

    cash_usd: float = Field(100_000.0, gt=0)
    kind: Literal["cash", "margin"] = Field(
        "cash", description="only a margin account can go short or borrow"
    )
    leverage: float = Field(1.0, ge=1, le=10, description="buying power over equity, in a margin account")
    maintenance_fraction: Fraction = Field(
        0.25, description="equity over gross exposure below which a margin account is liquidated"
    )


class ExecutionTerms(Section):
    """How orders are supposed to fill, and what that costs. docs/assumptions.md says where each misleads."""

    fill: Literal["next-open", "close"] = Field(
        "next-open",
        description="market orders fill at the next bar's open, or at the close they were decided on, which "
        "flatters: no gate opens for it",
    )
    size_at: Literal["decision", "fill"] = Field(
        "decision",
        description="units are computed from the close that was decided on, or from the price of the fill",
    )
    slippage_bps: float = Field(0.0, ge=0, le=1000, description="on market and stop fills, each side")
    half_spread_bps: float = Field(0.0, ge=0, le=1000, description="on market and stop fills, each side")
    impact: float = Field(0.0, ge=0, description="price fraction that taking a bar's whole volume would cost")
    volume_share_max: float | None = Field(
        None, gt=0, le=1, description="share of one bar's volume that our fills may take; null: no limit"
    )
    commission_bps: float = Field(0.0, ge=0, le=1000, description="of the notional, each side")
    commission_per_unit_usd: float = Field(0.0, ge=0)
    commission_min_usd: float = Field(0.0, ge=0, description="per fill")
    borrow_rate: float = Field(
        0.0, ge=0, le=10, description="yearly fee on a short's market value; 0.03 is 3 %"
    )
    borrow_units_max: float | None = Field(
        None, ge=0, description="units that can be borrowed; null: no limit"
    )
    stop_fill: Literal["gap-aware", "at-level"] = Field(
        "gap-aware", description="at-level fills at the stop even when the bar opens beyond it: it flatters"
    )
    limit_fill: Literal["gap-aware", "at-level"] = Field(
        "gap-aware", description="at-level gives no better price than the limit when the bar opens beyond it"
    )
    limit_needs: Literal["touch", "through"] = Field("touch", description="what fills a resting limit order")
    unexplained_jumps: Literal["refuse", "hold"] = Field(
        "refuse",
        description="hold keeps a position through a jump that no corporate action explains: it misleads",
    )


class InstrumentTerms(Section):
    """Terms of one symbol that differ from a share's."""

    quantity_step: float = Field(1.0, ge=0, description="1 whole shares, 100 lots, 0 any fraction")
    point_value: float = Field(1.0, gt=0)
    tick_size: float = Field(0.0, ge=0, description="0: prices are not rounded")
    shortable: bool = True
    slippage_bps: float | None = Field(None, ge=0, le=1000, description="null: as in execution")
    half_spread_bps: float | None = Field(None, ge=0, le=1000, description="null: as in execution")
    commission_bps: float | None = Field(None, ge=0, le=1000, description="null: as in execution")
    commission_per_unit_usd: float | None = Field(None, ge=0, description="null: as in execution")
    commission_min_usd: float | None = Field(None, ge=0, description="null: as in execution")


class Limits(Section):
    """Limits on entries. They never hold back an exit."""

    trades_per_day_max: int | None = Field(None, ge=1)
    loss_per_day_fraction_max: float | None = Field(
        None, gt=0, le=1, description="of the equity at the day's start"
    )
    loss_per_day_usd_max: float | None = Field(None, gt=0)
    open_positions_max: int | None = Field(None, ge=1)
    position_usd_max: float | None = Field(None, gt=0, description="units x price of one position at entry")
    trades_counted_at: Literal["entry", "exit"] = Field(
        "entry",
        description="exit counts a trade when a stop, a time or a rule ends it, and never one that targets ended: "
        "old research did; no gate opens for it",
    )


class StrategyConfig(Section):
    """All of config.json."""

    schema_: str | None = Field(None, alias="$schema", description="path of the JSON Schema, for editors")
    strategy: Identity
    symbols: tuple[str, ...] = Field(min_length=1)
    parameters: dict[str, Any] = Field(
        default_factory=dict, description="checked by the strategy's own model"
    )
    symbol_parameters: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="per symbol, what differs from `parameters`"
    )
    data: DataTerms = DataTerms()
    account: AccountTerms = AccountTerms()
    execution: ExecutionTerms = ExecutionTerms()
    instruments: dict[str, InstrumentTerms] = Field(default_factory=dict)
    limits: Limits = Limits()
    risk: RiskTerms = RiskTerms()
    gates: GateCriteria = GateCriteria()
    # Left out where it says nothing, so that configs which were accepted before it existed keep their digest.
    promotion: PromotionCriteria = Field(PromotionCriteria(), exclude_if=lambda it: it == PromotionCriteria())

    @field_validator("symbols", mode="before")
    @classmethod
    def _json_has_no_tuples(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value

    @field_validator("symbols")
    @classmethod
    def _each_once(cls, symbols: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
        if twice:
            raise ValueError(f"listed twice: {', '.join(twice)}")
        return symbols

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        problems = self._disagreements()
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _disagreements(self) -> list[str]:
        """Where one section contradicts another: a sentence each, beginning with the key."""
        problems = [
            f"symbol_parameters.{symbol}: {symbol} is not one of `symbols` ({', '.join(self.symbols)})"
            for symbol in self.symbol_parameters
            if symbol not in self.symbols
        ]
        seen = (*self.symbols, *self.data.reference_symbols)
        problems += [
            f"instruments.{symbol}: {symbol} is neither one of `symbols` nor of `data.reference_symbols`"
            for symbol in self.instruments
            if symbol not in seen
        ]
        problems += [
            f"data.reference_symbols: {symbol} is one of `symbols` already, and features may read it"
            for symbol in self.data.reference_symbols
            if symbol in self.symbols
        ]
        try:
            timeframe = Timeframe.parse(self.data.timeframe)
        except FixInput as error:
            problems.append(f"data.timeframe: {error.message}")
        else:
            if timeframe.is_daily and self.strategy.kind == "intraday":
                problems.append(
                    "strategy.kind: an intraday strategy leaves within the session, but data.timeframe is "
                    f"{timeframe}"
                )
        if self.account.kind == "cash" and self.account.leverage > 1:
            problems.append(
                f"account.leverage: {self.account.leverage:g} needs account.kind margin; "
                "a cash account borrows nothing"
            )
        problems += self.gates.unrecorded_loosening(self.strategy.kind)
        problems += self.promotion.unrecorded_loosening(self.strategy.kind)
        return problems

    def instrument(self, symbol: str) -> InstrumentTerms:
        """The terms of that symbol; a share's where the config names none."""
        return self.instruments.get(symbol, _SHARE)

    def misleading(self) -> tuple[str, ...]:
        """Settings that make results better than money would have seen (in words). They shut the gates."""
        found = []
        if self.data.clock == "utc":
            found.append("data.clock utc: dates and times of day are not the exchange's")
        if self.data.hours == "by-clock":
            found.append("data.hours by-clock: on half days it trades after the close")
        if self.execution.fill == "close":
            found.append("execution.fill close: it trades at a price that is known only when it is gone")
        if self.execution.stop_fill == "at-level":
            found.append("execution.stop_fill at-level: gaps through a stop are ignored")
        if self.execution.unexplained_jumps == "hold":
            found.append("execution.unexplained_jumps hold: splits may pass as profits or losses")
        if self.limits.trades_counted_at == "exit":
            found.append(
                "limits.trades_counted_at exit: more trades are entered than trades_per_day_max says"
            )
        return tuple(found)


_SHARE = InstrumentTerms()


def parse_time(text: str) -> time:
    """Read 'HH:MM' or 'HH:MM:SS'. Raises ValueError."""
    return time.fromisoformat(text)
