"""Sheets about times of the day, checks of data, metrics and what is written out."""

from typing import Final

from magellan.regime.workbook.schema import (
    Kind,
    Sheet,
    Table,
    Withdrawn,
    boolean,
    choice,
    column,
    integer,
    settings,
)

METRICS: Final = Sheet(
    name="PerformanceMetrics",
    about="What a good result would be.",
    tables=(
        Table(
            name="metrics",
            title="Metrics",
            key="Metric",
            columns=(
                column("Metric", Kind.TEXT, "What is measured."),
                column("Target", Kind.NUMBER, "What is wanted.", least=0, most=100_000),
                column("Acceptable", Kind.NUMBER, "What will do.", least=0, most=100_000),
                column("Critical", Kind.NUMBER, "What is not borne.", least=0, most=100_000),
                column("Weight", Kind.NUMBER, "Share in a score; all together make 1.", least=0, most=1),
            ),
            rows=(
                ("share_of_the_oracle", 0.98, 0.95, 0.9, 0.4),
                ("wrong_switches_per_1000_bars", 3, 5, 10, 0.2),
                ("calibration_error", 0.03, 0.05, 0.1, 0.2),
                ("delay_bars", 5, 10, 20, 0.1),
                ("switches_on_null_data_per_1000_bars", 5, 10, 20, 0.1),
            ),
            dropped_columns=("UpdateFreq", "Description"),
        ),
    ),
    unused="figures are printed beside what could be reached, not folded into a score",
)

VALIDATION_RULES: Final = Sheet(
    name="ValidationRules",
    about="What is done about data that are not in order.",
    tables=(
        Table(
            name="rules",
            title="Rules",
            key="RuleID",
            columns=(
                column("RuleID", Kind.TEXT, "A name."),
                column("RuleName", Kind.TEXT, "What is looked at."),
                column("Condition", Kind.TEXT, "When it applies."),
                column("Action", Kind.TEXT, "What follows."),
                column("Severity", Kind.CHOICE, "How bad it is.", options="INFO WARNING ERROR CRITICAL"),
                column("Enabled", Kind.BOOLEAN, "Whether it is on."),
            ),
            rows=(
                ("VAL001", "MissingBars", "a bar is missing", "the label is unknown", "ERROR", True),
                (
                    "VAL002",
                    "StaleBars",
                    "the last bar is old",
                    "its age is told with the label",
                    "WARNING",
                    True,
                ),
                (
                    "VAL003",
                    "MissingChain",
                    "no option chain",
                    "its components are off, with the reason",
                    "INFO",
                    True,
                ),
            ),
            dropped_columns=("Description",),
        ),
    ),
    unused="checks of data are those of the archive and of the session; see the guide to data",
)

INTRADAY: Final = Sheet(
    name="IntradaySettings",
    about="Parts of the session, and special days.",
    tables=(
        Table(
            name="slots",
            title="Parts of the session",
            key="TimeSlot",
            columns=(
                column("TimeSlot", Kind.TEXT, "Its name."),
                column("StartTime", Kind.TIME, "When it begins."),
                column("EndTime", Kind.TIME, "When it ends."),
                column("Sensitivity", Kind.NUMBER, "Sensitivity in it.", least=0.1, most=10),
            ),
            rows=(
                ("Opening", "09:30", "10:00", 1.0),
                ("Morning", "10:00", "12:00", 1.0),
                ("Midday", "12:00", "14:00", 1.0),
                ("Afternoon", "14:00", "15:30", 1.0),
                ("Closing", "15:30", "16:00", 1.0),
            ),
            dropped_columns=("PreferredRegimes", "RestrictedRegimes", "Description"),
        ),
        Table(
            name="days",
            title="Special Day Adjustments",
            key="DayType",
            columns=(
                column("DayType", Kind.TEXT, "Its name."),
                column("SensitivityMultiplier", Kind.NUMBER, "Sensitivity on it.", least=0.1, most=10),
            ),
            rows=(("Monthly Expiry", 1.0), ("Early Close", 1.0)),
            dropped_columns=("RegimeAdjustment", "Description"),
        ),
    ),
    unused="the profile of the day is measured from bars, not set",
)

OUTPUT: Final = Sheet(
    name="OutputFormat",
    about="What an analysis writes out.",
    tables=(
        Table(
            name="columns",
            title="Columns",
            key="ColumnName",
            columns=(
                column("ColumnName", Kind.TEXT, "The column."),
                column("DataType", Kind.CHOICE, "Its type.", options="datetime integer string float"),
                column("Required", Kind.BOOLEAN, "Whether it is always there."),
            ),
            rows=(
                ("as_of", "datetime", True),
                ("label", "string", True),
                ("confidence", "float", True),
                ("age_bars", "integer", True),
            ),
            dropped_columns=("DefaultValue", "Format", "Description"),
        ),
    ),
    settings=settings(
        choice("output_format", "PARQUET", "CSV JSON PARQUET", "The form of files."),
        choice("compression", "NONE", "NONE GZIP SNAPPY", "How they are packed."),
        boolean("include_metadata", True, "Whether model and config are named in them."),
        integer("batch_size", 100, 1, 100_000, "rows", "Rows written at once."),
    ),
    unused="every answer holds the same columns, and says what made it",
    withdrawn=(Withdrawn(name="realtime_streaming", why="the API streams whoever asks"),),
)
