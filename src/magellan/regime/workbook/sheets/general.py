"""Sheets about the workbook as a whole: summary, master configuration, metadata."""

from typing import Final

from magellan.regime.workbook.schema import (
    Sheet,
    Withdrawn,
    boolean,
    choice,
    integer,
    number,
    settings,
    text,
    time_of_day,
)

WORKBOOK_SCHEMA: Final = 1  # grows when a sheet, parameter or meaning changes

SUMMARY: Final = Sheet(
    name="Summary",
    about="What this workbook is for, in the words of whoever fills it in.",
    settings=settings(
        text("title", "Regime configuration", "A name by which people know this workbook."),
        text("notes", None, "Why it is as it is."),
    ),
    unused="words for people",
)

MASTER: Final = Sheet(
    name="MasterConfiguration",
    about="Which names the regimes bear, and what is looked at in general.",
    settings=settings(
        text(
            "view",
            "18",
            "Names for combinations of the axes: 18, 12, 8, or workbook for the regimes of RegimeClassification.",
            reads="view",
        ),
        integer(
            "regime_confirmation_bars",
            1,
            1,
            1000,
            "bars",
            "Bars in a row that must agree before the label changes.",
            reads="decision.confirmation_bars",
        ),
        choice(
            "trading_mode", "INTRADAY", "INTRADAY SWING POSITION", "How long positions are meant to be held."
        ),
        choice(
            "market_type",
            "EQUITY",
            "EQUITY OPTIONS FUTURES FOREX",
            "What is traded.",
        ),
        number(
            "target_daily_transitions",
            2.5,
            1,
            5,
            "per day",
            "Changes of regime that somebody expects in a day.",
        ),
        choice("responsiveness_level", "HIGH", "LOW MEDIUM HIGH ULTRA", "How soon a change is wanted."),
        boolean("enable_all_regimes", True, "Whether every regime of the classification may occur."),
        choice(
            "preferred_regime_types", "ALL", "TRENDING NEUTRAL SIDEWAYS ALL", "Families of regimes preferred."
        ),
        text("market_timezone", "America/New_York", "Time zone of the times of day below."),
        time_of_day("market_open_time", "09:30", "When the session opens."),
        time_of_day("market_close_time", "16:00", "When the session closes."),
        boolean("enable_adaptive_learning", False, "Whether a learner may propose other values."),
        boolean("enable_multi_timeframe", True, "Whether longer timeframes are looked at."),
        boolean("enable_volume_analysis", True, "Whether volume is looked at."),
        boolean("enable_greek_analysis", True, "Whether the greeks of an option chain are looked at."),
        boolean("gpu_acceleration", False, "Whether a graphics processor computes."),
        boolean("parallel_processing", True, "Whether several cores compute."),
        boolean("cache_enabled", True, "Whether results are kept for the next run."),
        number(
            "max_position_during_transition",
            0.5,
            0,
            1,
            "share",
            "Largest share of a position while a regime changes.",
        ),
        boolean("emergency_exit_enabled", False, "Whether a position is left when a regime breaks."),
    ),
    unused="components are switched on in IndicatorConfiguration, sessions come from the exchange's calendar, and "
    "positions belong to strategies",
    withdrawn=(
        Withdrawn(
            name="accuracy_vs_stability",
            why="the dial is StabilityConfiguration.stability, and runs the other way round",
        ),
        Withdrawn(
            name="regime_lock_prevention",
            why="a switch that is forced is an instruction to be wrong; limits block, and force nothing",
        ),
    ),
)

METADATA: Final = Sheet(
    name="TemplateMetadata",
    about="Which schema the workbook follows, and who keeps it.",
    settings=settings(
        integer(
            "workbook_schema",
            WORKBOOK_SCHEMA,
            WORKBOOK_SCHEMA,
            WORKBOOK_SCHEMA,
            "",
            "The schema of this workbook.",
        ),
        text("Author", None, "Who keeps it."),
        text("Market", "US equities", "The market it was filled in for."),
    ),
    unused="about the workbook, not about the model",
    withdrawn=(
        Withdrawn(name="Template Version", why="TemplateMetadata.workbook_schema says it"),
        Withdrawn(name="Creation Date", why="the file's history says when it was made"),
        Withdrawn(name="Total Sheets", why="sheets are counted, not declared"),
        Withdrawn(name="Total Parameters", why="parameters are counted, not declared"),
        Withdrawn(name="Optimization Target", why="nothing is optimised for it"),
        Withdrawn(name="Compatible Version", why="TemplateMetadata.workbook_schema says it"),
    ),
)
