"""Sheets about named regimes: which there are, how long they last, what may follow what."""

from typing import Final

from magellan.regime.workbook.schema import Kind, Sheet, Table, Value, column, number, settings

_TRENDS: Final = (
    # name, classes of the trend axis, classes of the structure axis
    ("Strong_Bullish", "strong_up", "*"),
    ("Bullish", "up", "*"),
    ("Neutral", "neutral", "trending,breaking"),
    ("Bearish", "down", "*"),
    ("Strong_Bearish", "strong_down", "*"),
    ("Sideways", "neutral", "ranging"),
)
_VOLATILITIES: Final = (("High_Vol", "high"), ("Med_Vol", "medium"), ("Low_Vol", "low"))
_HUES: Final = {
    "Strong_Bullish": "#1a7f37", "Bullish": "#66bb6a", "Neutral": "#bdbdbd", "Bearish": "#ef9a9a",
    "Strong_Bearish": "#b71c1c", "Sideways": "#9575cd",
}  # fmt: skip


def _regimes() -> tuple[tuple[Value, ...], ...]:
    return tuple(
        (f"{name}_{suffix}", (volatility,), tuple(trend.split(",")), tuple(structure.split(",")), _HUES[name])
        for name, trend, structure in _TRENDS
        for suffix, volatility in _VOLATILITIES
    )


def _durations() -> tuple[tuple[Value, ...], ...]:
    return tuple((str(row[0]), 20, 90, 300, 0.45, 0.4) for row in _regimes())


def _rules() -> tuple[tuple[Value, ...], ...]:
    names = [name for name, _, _ in _TRENDS]
    pairs = [(a, b) for a in names for b in names]
    return tuple((at, f"{a}_*", f"{b}_*", 0.45, True) for at, (a, b) in enumerate(pairs, 1))


def _formation() -> tuple[tuple[Value, ...], ...]:
    return tuple(
        (f"{name}_{suffix}", f"trend in {trend}", f"volatility in {volatility}", f"structure in {structure}")
        for name, trend, structure in _TRENDS
        for suffix, volatility in _VOLATILITIES
    )


CLASSIFICATION: Final = Sheet(
    name="RegimeClassification",
    about="Names for combinations of the three axes, and where the axes' classes begin.",
    tables=(
        Table(
            name="regimes",
            title="Named regimes",
            key="RegimeName",
            columns=(
                column("RegimeName", Kind.TEXT, "The name.", most=60, reads="views.name"),
                column("VolatilityClass", Kind.WORDS, "Classes of the volatility axis; * for all.",
                       options="low medium high *", reads="views.volatility"),
                column("TrendClass", Kind.WORDS, "Classes of the trend axis; * for all.",
                       options="strong_down down neutral up strong_up *", reads="views.trend"),
                column("Structure", Kind.WORDS, "Classes of the structure axis; * for all.",
                       options="trending ranging breaking *", reads="views.structure"),
                column("Color", Kind.TEXT, "In which charts show it.", may_be_blank=True),
            ),
            rows=_regimes(),
            reads="views",
            dropped_columns=("RegimeID", "MinDuration", "Priority", "Description"),
        ),
    ),
    settings=settings(
        number("low_volatility_below", 0.8, 0.01, 0.99, "typical volatilities", "Below it volatility is low.",
               reads="limits.low_volatility_below"),
        number("high_volatility_above", 1.33, 1.01, 10, "typical volatilities", "Above it volatility is high.",
               reads="limits.high_volatility_above"),
        number("trend_above", 0.5, 0.01, 10, "uncertainties of the drift", "From here on the trend is up or down.",
               reads="limits.trend_above"),
        number("strong_above", 2.0, 0.01, 10, "uncertainties of the drift", "From here on it is strong.",
               reads="limits.strong_above"),
    ),
    unused="colours are for charts",
)  # fmt: skip

FORMATION: Final = Sheet(
    name="RegimeFormationConfig",
    about="When a regime occurs, in words: the row of RegimeClassification, spelt out.",
    tables=(
        Table(
            name="rules",
            title="Rules of formation",
            key="RegimeType",
            columns=(
                column("RegimeType", Kind.TEXT, "A regime, or a pattern with *."),
                column("Condition1", Kind.TEXT, "First condition."),
                column("Condition2", Kind.TEXT, "Second condition."),
                column("Condition3", Kind.TEXT, "Third condition."),
            ),
            rows=_formation(),
            dropped_columns=("RuleID", "MinScore", "Description"),
        ),
    ),
    unused="a regime occurs where RegimeClassification says: conditions in a language of their own left holes",
)

REGIME_PARAMETERS: Final = Sheet(
    name="RegimeParameters",
    about="What is expected of each regime.",
    tables=(
        Table(
            name="expectations",
            title="Expectations",
            key="RegimeName",
            columns=(
                column("RegimeName", Kind.TEXT, "As RegimeClassification calls it."),
                column("MinDuration", Kind.INTEGER, "Shortest stay.", least=1, most=10_000, unit="bars"),
                column("TypicalDuration", Kind.INTEGER, "Usual stay.", least=1, most=10_000, unit="bars"),
                column("MaxDuration", Kind.INTEGER, "Longest stay.", least=1, most=10_000, unit="bars"),
                column("EntryThreshold", Kind.NUMBER, "Probability at which it begins.", least=0, most=1),
                column("ExitThreshold", Kind.NUMBER, "Probability at which it ends.", least=0, most=1),
            ),
            rows=_durations(),
            dropped_columns=("RegimeID", "TradingBias"),
        ),
    ),
    unused="one dial and one minimum duration hold for all regimes; a table of thresholds cannot be measured",
)

TRANSITION_RULES: Final = Sheet(
    name="TransitionRules",
    about="What may follow what.",
    tables=(
        Table(
            name="rules",
            title="Transition rules",
            key="RuleID",
            columns=(
                column("RuleID", Kind.INTEGER, "A number.", least=1, most=10_000),
                column("FromRegime", Kind.TEXT, "The regime that is left, or a pattern with *."),
                column("ToRegime", Kind.TEXT, "The one that follows, or a pattern with *."),
                column("MinConfidence", Kind.NUMBER, "Confidence that it needs.", least=0, most=1),
                column("Allowed", Kind.BOOLEAN, "Whether it may happen at all."),
            ),
            rows=_rules(),
            dropped_columns=("MaxDuration", "RequiredSignals", "Priority", "Description"),
        ),
    ),
    unused="the decision layer weighs every switch by its cost; see StabilityConfiguration.stability",
)
