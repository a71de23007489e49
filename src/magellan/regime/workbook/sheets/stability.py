"""Sheets about when a label changes: stability, transitions, noise."""

from typing import Final

from magellan.regime.workbook.schema import (
    Moved,
    Sheet,
    Withdrawn,
    boolean,
    choice,
    integer,
    number,
    settings,
)

_IN_BARS = "minutes there, bars here: the same for one-minute bars, and to be changed for others"
_ONE_LAYER = (
    "one decision layer changes the label: `stability`, the limits that block, and nothing else; these stay for those "
    "who used them elsewhere"
)

STABILITY: Final = Sheet(
    name="StabilityConfiguration",
    about="How reluctant the label is to change. Limits block a change; none forces one.",
    settings=settings(
        number(
            "stability", 0.6, 0, 1, "share", "The dial: 0 follows the likeliest regime at once, 1 hardly ever does.",
            reads="decision.stability",
        ),
        integer(
            "minimum_regime_duration", 1, 1, 10_000, "bars", "A regime younger than this is not left.",
            reads="decision.minimum_bars", on_import=_IN_BARS,
        ),
        integer(
            "transition_cooldown", 0, 0, 10_000, "bars", "After a change, none follows for so long.",
            reads="decision.cooldown_bars", on_import=_IN_BARS,
        ),
        number(
            "confidence_threshold", 0, 0, 1, "ratio", "Less confident than this, and the label is unknown.",
            reads="decision.confidence_min",
        ),
        integer(
            "max_transitions_per_day", None, 1, 1000, "count", "Changes in a session, at most; blank for no limit.",
            reads="decision.switches_per_session_max",
        ),
        integer("maximum_regime_duration", 240, 120, 480, "minutes", "An age at which somebody looks again."),
        integer("confirmation_window", 5, 3, 15, "minutes", "A span in which signals are compared."),
        number("high_confidence_threshold", 0.7, 0.6, 0.9, "ratio", "From here on a regime is called certain."),
        number("prediction_confidence", 0.6, 0.4, 0.8, "ratio", "Confidence wanted of a forecast."),
        number("hysteresis_buffer", 0.05, 0.02, 0.15, "ratio", "A lead that a new regime needs."),
        boolean("adaptive_hysteresis", True, "Whether that lead follows the market."),
        number("transition_margin", 0.08, 0.05, 0.2, "ratio", "Distance between the two best scores."),
        number("signal_strength_threshold", 0.12, 0.08, 0.25, "ratio", "Weakest signal that counts."),
        number("noise_threshold", 0.4, 0.2, 0.6, "ratio", "Most noise under which a change is believed."),
        integer("persistence_window", 3, 2, 10, "points", "Newest points asked for persistence."),
        number("persistence_ratio", 0.6, 0.4, 0.8, "ratio", "Share of those points that must agree."),
        number("timeframe_divergence_limit", 0.3, 0.15, 0.5, "ratio", "Disagreement of timeframes that is borne."),
        integer("max_transitions_per_hour", 2, 1, 4, "count", "Changes in an hour, at most."),
        number("regime_quality_threshold", 0.65, 0.5, 0.85, "ratio", "Quality below which a regime is doubted."),
        number("stability_score_weight", 0.3, 0.1, 0.5, "ratio", "Weight of stability in a score of quality."),
        number("accuracy_score_weight", 0.7, 0.5, 0.9, "ratio", "Weight of accuracy in a score of quality."),
        boolean("enable_adaptive_thresholds", True, "Whether thresholds follow the market."),
        number("learning_rate", 0.1, 0.01, 0.3, "ratio", "Speed at which thresholds would follow."),
        integer("adaptation_window", 100, 50, 500, "points", "Past that they would follow."),
    ),
    unused=_ONE_LAYER,
    moved=(
        Moved(name="consensus_threshold", to="MultiTimeframeConfig.consensus_threshold"),
        Moved(name="min_agreeing_timeframes", to="MultiTimeframeConfig.min_timeframes_required"),
    ),
    withdrawn=(
        Withdrawn(
            name="min_transitions_per_day",
            why="a switch that is forced is an instruction to be wrong; limits block, and force nothing",
        ),
    ),
)  # fmt: skip

TRANSITIONS: Final = Sheet(
    name="TransitionManagement",
    about="Which changes are allowed, and what confirms them.",
    settings=settings(
        boolean(
            "allow_direct_reversals", True, "Whether up may follow down, or down up, without the middle in between.",
            reads="decision.direct_reversals",
        ),
        choice(
            "transition_detection_method", "MULTI_FACTOR", "SIMPLE MULTI_FACTOR ML_BASED", "How changes are detected."
        ),
        number("transition_confidence_required", 0.6, 0.4, 0.85, "ratio", "Confidence that a change needs."),
        number("transition_lead_time", 2, 0, 5, "minutes", "Warning before a change."),
        boolean("validate_with_volume", True, "Whether volume confirms a change."),
        boolean("validate_with_greeks", True, "Whether greeks confirm a change."),
        boolean("validate_with_correlation", True, "Whether other symbols confirm a change."),
        boolean("require_neutral_buffer", True, "Whether a neutral regime lies between opposite ones."),
        boolean("allow_volatility_jumps", False, "Whether volatility may pass from low to high at once."),
        boolean("transition_smoothing_enabled", True, "Whether scores are smoothed around a change."),
        integer("smoothing_window", 5, 3, 10, "points", "Points that are smoothed, none of them in the future."),
        number("smoothing_factor", 0.3, 0.1, 0.5, "ratio", "Weight of the newest point."),
        choice("gap_transition_handling", "ADAPTIVE", "ADAPTIVE STRICT RELAXED", "What a gap in prices may change."),
        number("news_event_sensitivity", 1.5, 1, 3, "multiplier", "Sensitivity while news come in."),
        choice("expiry_day_rules", "RELAXED", "RELAXED STRICT DISABLED", "Rules on the days on which options expire."),
        boolean("regime_memory_enabled", True, "Whether past regimes are remembered."),
        integer("memory_window", 20, 10, 50, "regimes", "How many of them."),
        boolean("pattern_recognition", True, "Whether sequences of regimes are recognised."),
        number("emergency_transition_threshold", 0.9, 0.8, 0.99, "ratio", "Confidence that overrides other rules."),
        boolean("circuit_breaker_enabled", True, "Whether too many changes stop further ones."),
        integer("max_emergency_per_day", 2, 1, 5, "count", "Overrides in a day, at most."),
    ),
    unused=_ONE_LAYER,
)  # fmt: skip

NOISE: Final = Sheet(
    name="NoiseFiltering",
    about="Bars on which no change is believed.",
    settings=settings(
        number(
            "spike_threshold", None, 0.1, 100, "sigma",
            "No change on a bar whose move is larger than this; blank for no limit.", reads="decision.noise_sigma",
        ),
        boolean("microstructure_filter_enabled", True, "Whether bounces between bid and ask are filtered."),
        number("microstructure_threshold", 0.05, 0.01, 0.15, "ratio", "Size of such a bounce."),
        boolean("tick_noise_filter", True, "Whether single ticks are filtered."),
        boolean("volume_filter_enabled", True, "Whether thin bars count less."),
        number("volume_threshold_multiplier", 0.5, 0.3, 1, "ratio", "Share of the usual volume that is thin."),
        number("low_volume_penalty", 0.3, 0.1, 0.5, "ratio", "How much less a thin bar counts."),
        boolean("price_spike_filter", True, "Whether spikes are filtered; see spike_threshold."),
        boolean("mean_reversion_check", True, "Whether moves that come back are recognised."),
        boolean("persistence_filter_enabled", True, "Whether a signal must persist."),
        number("min_persistence_ratio", 0.4, 0.2, 0.7, "ratio", "Share of points in which it must be there."),
        integer("persistence_lookback", 5, 3, 10, "points", "Points that are asked."),
        boolean("kalman_filter_enabled", False, "Whether prices pass a Kalman filter."),
        boolean("wavelet_denoising", False, "Whether prices pass a wavelet filter."),
        boolean("ensemble_filtering", True, "Whether several filters vote."),
        boolean("adaptive_noise_threshold", True, "Whether thresholds follow the market."),
        number("noise_learning_rate", 0.05, 0.01, 0.2, "ratio", "Speed at which they would follow."),
        integer("noise_memory_window", 50, 20, 200, "points", "Past that they would follow."),
    ),
    unused="the filter works on raw returns with heavy tails: smoothing them first loses accuracy",
)  # fmt: skip
