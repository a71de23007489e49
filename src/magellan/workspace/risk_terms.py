"""Risk as it is written down: a strategy's in its config.json, and what no strategy may exceed in magellan.toml.

A strategy's section has defaults. The caps of a workspace, a stage and an account have none: they only make limits
tighter, and the tightest of all that are set holds. `limits` of config.json binds a live session as it binds a
backtest and is not repeated in `risk`; its keys stand among the caps, so that an account can tighten them too.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from magellan.workspace.section import Section

EntryHoursTerm = Literal["open", "regular", "extended"]


class BreakerTerms(Section):
    """Where breakers trip. They stay tripped until a person resets them; null: that breaker does not watch."""

    daily_loss_fraction_max: float | None = Field(
        0.03, gt=0, le=1, description="loss of a day, realised and open, of the equity at its start"
    )
    daily_loss_usd_max: float | None = Field(None, gt=0, description="the same in dollars")
    drawdown_fraction_max: float | None = Field(
        0.2, gt=0, le=1, description="fall of equity from its highest since the last reset"
    )
    losing_trades_max: int | None = Field(6, ge=1, description="losing trades in a row")
    losing_days_max: int | None = Field(4, ge=1, description="losing days in a row")
    win_rate_min: float | None = Field(
        None, gt=0, lt=1, description="trades won over trades won and lost, of the newest `win_rate_trades`"
    )
    win_rate_trades: int = Field(
        20, ge=5, le=1000, description="how many trades the win rate is taken over; fewer are not judged"
    )
    rejects_per_hour_max: int | None = Field(10, ge=0, description="orders that the broker refused")
    exceptions_per_hour_max: int | None = Field(
        5, ge=0, description="failures that nobody foresaw, of the strategy's code or of a connection"
    )
    data_silence_s_max: float | None = Field(
        None, gt=0, description="seconds of trading hours without a bar that was due"
    )


class RiskTerms(Section):
    """What every entry is held to in a session. Exits and protective orders always pass."""

    order_usd_max: float | None = Field(None, gt=0, description="units x price of one order")
    order_units_max: float | None = Field(None, gt=0, description="units of one order")
    price_collar_fraction_max: float = Field(
        0.05,
        gt=0,
        le=1,
        description="how far the last price may be from the one decided on, either way, and the order's own price "
        "on the side that costs more",
    )
    position_fraction_max: float = Field(
        0.05, gt=0, le=10, description="one symbol's units held, being entered and asked for, over equity"
    )
    symbol_exposure_usd_max: float | None = Field(
        None, gt=0, description="the same units at the last price, in dollars"
    )
    gross_exposure_fraction_max: float = Field(
        1.0, gt=0, le=10, description="all symbols together, longs and shorts added, over equity"
    )
    orders_per_minute_max: int = Field(60, ge=1, description="entries sent within any minute")
    orders_per_second_max: int = Field(5, ge=1, description="entries sent within any second")
    bar_age_s_max: float = Field(
        120.0, gt=0, description="since the newest bar closed; hours without trading do not count"
    )
    account_age_s_max: float = Field(120.0, gt=0, description="since the broker last told the account")
    reconciliation_age_s_max: float = Field(
        300.0, gt=0, description="since our book and the broker's were last found equal"
    )
    clock_skew_s_max: float = Field(2.0, gt=0, description="our clock against the broker's, either way")
    entry_hours: EntryHoursTerm = Field(
        "regular",
        description="open: sent while the regular session is open; regular: filled in it, and what is sent before "
        "waits for its opening; extended: premarket and after hours too",
    )
    breakers: BreakerTerms = BreakerTerms()


class BreakerCaps(Section):
    """Breakers that trip no later than this, whatever a strategy says. null: adds nothing."""

    daily_loss_fraction_max: float | None = Field(None, gt=0, le=1)
    daily_loss_usd_max: float | None = Field(None, gt=0)
    drawdown_fraction_max: float | None = Field(None, gt=0, le=1)
    losing_trades_max: int | None = Field(None, ge=1)
    losing_days_max: int | None = Field(None, ge=1)
    win_rate_min: float | None = Field(None, gt=0, lt=1)
    rejects_per_hour_max: int | None = Field(None, ge=0)
    exceptions_per_hour_max: int | None = Field(None, ge=0)
    data_silence_s_max: float | None = Field(None, gt=0)


class RiskCaps(Section):
    """Limits that no strategy may exceed. null: adds nothing."""

    order_usd_max: float | None = Field(None, gt=0)
    order_units_max: float | None = Field(None, gt=0)
    price_collar_fraction_max: float | None = Field(None, gt=0, le=1)
    position_usd_max: float | None = Field(None, gt=0, description="as `limits.position_usd_max`")
    position_fraction_max: float | None = Field(None, gt=0, le=10)
    symbol_exposure_usd_max: float | None = Field(None, gt=0)
    gross_exposure_fraction_max: float | None = Field(None, gt=0, le=10)
    open_positions_max: int | None = Field(None, ge=1, description="as `limits.open_positions_max`")
    trades_per_day_max: int | None = Field(None, ge=1, description="as `limits.trades_per_day_max`")
    orders_per_minute_max: int | None = Field(None, ge=1)
    orders_per_second_max: int | None = Field(None, ge=1)
    loss_per_day_fraction_max: float | None = Field(
        None, gt=0, le=1, description="as `limits.loss_per_day_fraction_max`"
    )
    loss_per_day_usd_max: float | None = Field(None, gt=0, description="as `limits.loss_per_day_usd_max`")
    bar_age_s_max: float | None = Field(None, gt=0)
    account_age_s_max: float | None = Field(None, gt=0)
    reconciliation_age_s_max: float | None = Field(None, gt=0)
    clock_skew_s_max: float | None = Field(None, gt=0)
    entry_hours: EntryHoursTerm | None = None
    breakers: BreakerCaps = BreakerCaps()
