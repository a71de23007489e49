"""Sheets about several timeframes, and weights that would follow the market."""

from typing import Final

from magellan.regime.workbook.schema import (
    Kind,
    Moved,
    Sheet,
    Table,
    Withdrawn,
    boolean,
    choice,
    column,
    integer,
    number,
    settings,
    text,
)

TIMEFRAMES: Final = Sheet(
    name="MultiTimeframeConfig",
    about="Longer timeframes, each from its completed bars, vote on the trend.",
    tables=(
        Table(
            name="timeframes",
            title="Timeframes",
            key="Timeframe",
            columns=(
                column(
                    "Timeframe", Kind.INTEGER, "In bars of the analysed timeframe: 5 is five of them.",
                    least=1, most=1000, unit="bars", reads="components.timeframe_vote.multiples",
                ),
                column("Weight", Kind.NUMBER, "Its weight in the vote.", least=0, most=100,
                       reads="components.timeframe_vote.weights"),
            ),
            rows=((1, 0.3), (5, 0.35), (15, 0.2), (30, 0.1), (60, 0.05)),
            reads="components.timeframe_vote",
            dropped_columns=("Window", "UpdateFreq", "MinConsensus", "RequiredBars", "Description"),
        ),
    ),
    settings=settings(
        integer("window_bars", 20, 5, 1000, "bars", "Bars of each timeframe that its slope is taken over.",
                reads="components.timeframe_vote.window_bars"),
        integer("min_timeframes_required", 2, 1, 20, "count", "Timeframes on one side before the vote counts.",
                reads="components.timeframe_vote.agreeing_min"),
        number("consensus_threshold", 0.4, 0, 1, "ratio", "Share of the weight on one side that carries the vote.",
               reads="components.timeframe_vote.consensus"),
        number("divergence_penalty", 0.2, 0, 1, "ratio", "What disagreement takes from the vote.",
               reads="components.timeframe_vote.divergence_penalty"),
        choice("consensus_method", "WEIGHTED_VOTING", "WEIGHTED_VOTING WEIGHTED_MAJORITY MAJORITY", "How votes count."),
        number("trend_alignment_bonus", 1.5, 1, 3, "multiplier", "What agreement of all adds."),
    ),
    unused="votes are counted in one way, by weight",
)  # fmt: skip

FUSION: Final = Sheet(
    name="MultiTimeframeFusion",
    about="How timeframes would be chosen.",
    settings=settings(
        boolean("mtf_enabled", True, "Whether timeframes are fused."),
        text("primary_timeframe", "1", "The timeframe that leads."),
        number("min_timeframe_agreement", 0.6, 0, 1, "ratio", "Agreement wanted of them."),
        boolean("timeframe_correlation_check", True, "Whether timeframes that move alike count once."),
        boolean("adaptive_timeframe_selection", False, "Whether timeframes are chosen anew."),
    ),
    unused="MultiTimeframeConfig has the timeframes and their vote",
    moved=(Moved(name="consensus_method", to="MultiTimeframeConfig.consensus_method"),),
    withdrawn=(
        Withdrawn(name="secondary_timeframes", why="the rows of MultiTimeframeConfig say it"),
        Withdrawn(name="timeframe_weights", why="the rows of MultiTimeframeConfig say it"),
    ),
)

DYNAMIC_WEIGHTS: Final = Sheet(
    name="DynamicWeightageConfig",
    about="Bounds within which weights would follow the market.",
    tables=(
        Table(
            name="bounds",
            title="Bounds of the weights",
            key="Component",
            columns=(
                column("Component", Kind.TEXT, "As IndicatorConfiguration calls it."),
                column("MinWeight", Kind.NUMBER, "Smallest share.", least=0, most=1),
                column("MaxWeight", Kind.NUMBER, "Largest share.", least=0, most=1),
                column("AdaptiveEnabled", Kind.BOOLEAN, "Whether it follows."),
                column(
                    "VolatilityAdjust",
                    Kind.NUMBER,
                    "What high volatility multiplies it with.",
                    least=0,
                    most=5,
                ),
            ),
            rows=(
                ("greeks_sentiment", 0.1, 0.35, False, 1.2),
                ("open_interest", 0.1, 0.25, False, 1.1),
                ("straddle", 0.1, 0.25, False, 1.0),
                ("iv_surface", 0.05, 0.2, False, 1.3),
                ("atr_percentile", 0.05, 0.2, False, 1.5),
                ("timeframe_vote", 0.1, 0.25, False, 0.9),
                ("volume_profile", 0.05, 0.15, False, 1.1),
                ("correlation", 0.05, 0.15, False, 0.8),
            ),
            dropped_columns=("BaseWeight", "Description"),
        ),
    ),
    unused="weights stand in IndicatorConfiguration and do not move: one that does cannot be judged afterwards",
)
