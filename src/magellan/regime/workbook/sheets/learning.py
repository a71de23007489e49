"""Sheets about the statistical model, its calibration, and learners that nothing runs."""

from typing import Final

from magellan.regime.workbook.schema import (
    Moved,
    Sheet,
    Withdrawn,
    boolean,
    choice,
    integer,
    number,
    numbers,
    settings,
    text,
)

_NO_LEARNER = (
    "nothing changes its own parameters: models are fitted on the past, by a calendar, with labels aligned"
)
_MEASURED = "quality is measured by `magellan regime evaluate`, against scenarios whose truth is known"

ADAPTIVE_TUNING: Final = Sheet(
    name="AdaptiveTuning",
    about="What a learner would be allowed to change.",
    settings=settings(
        choice(
            "learning_algorithm", "GRADIENT_BOOST", "GRADIENT_BOOST RANDOM_FOREST NEURAL_NET", "The learner."
        ),
        integer("historical_lookback_days", 90, 30, 365, "days", "Past that it would learn from."),
        integer("min_samples_required", 1000, 500, 5000, "samples", "Samples that it would need."),
        number("validation_split", 0.2, 0.1, 0.3, "ratio", "Share kept back to judge it."),
        choice("optimize_for", "ACCURACY", "ACCURACY STABILITY RESPONSIVENESS", "First aim."),
        choice("secondary_target", "STABILITY", "STABILITY NONE PROFIT", "Second aim."),
        number("target_improvement", 0.05, 0.02, 0.15, "ratio", "Smallest gain that is worth a change."),
        number("parameter_expansion_limit", 0.2, 0.1, 0.5, "ratio", "Largest change of a value."),
        number("confidence_requirement", 0.8, 0.7, 0.95, "ratio", "Confidence that a change needs."),
        number("revert_threshold", 0.1, 0.05, 0.2, "ratio", "Loss after which a change is taken back."),
        integer("adaptation_frequency", 24, 1, 168, "hours", "Time between changes."),
        boolean("market_condition_clustering", False, "Whether like markets are grouped."),
        boolean("regime_specific_tuning", False, "Whether each regime has values of its own."),
        integer("max_simultaneous_changes", 3, 1, 5, "parameters", "Values changed at once."),
        boolean("require_human_approval", True, "Whether a person approves."),
        boolean("auto_rollback_enabled", True, "Whether a change that loses is taken back."),
    ),
    unused=_NO_LEARNER,
    moved=(
        Moved(name="enable_adaptive_learning", to="MasterConfiguration.enable_adaptive_learning"),
        Moved(name="learning_rate", to="StabilityConfiguration.learning_rate"),
    ),
)

ENSEMBLE: Final = Sheet(
    name="EnsembleMethods",
    about="The hidden Markov filter on raw returns and wicks, beside the rule score.",
    settings=settings(
        boolean("filter_enabled", True, "Whether the filter takes part.", reads="filter.enabled"),
        number("hmm_weight", 3.0, 0, 100, "weight", "Its weight beside the rule score, on an axis.",
               reads="filter.weight"),
        integer("states_max", 4, 1, 5, "states", "States at most; how many is chosen by BIC.",
                reads="filter.states_max"),
        integer("first_fit_bars", 500, 200, 100_000, "bars", "Past that the first fit needs.",
                reads="filter.first_fit_bars"),
        integer("refit_every_sessions", 63, 1, 1000, "sessions", "Sessions between two fits.",
                reads="filter.refit_every_sessions"),
        integer("fit_window_bars", 20_000, 500, 10_000_000, "bars", "Newest bars that a fit sees.",
                reads="filter.fit_window_bars"),
        integer("fit_steps", 60, 1, 500, "steps", "Steps of a fit, at most.", reads="filter.fit_steps"),
        number("sticky_bars", 20, 0, 10_000, "bars", "Stays that are taken for seen before any was.",
               reads="filter.sticky_bars"),
        number("day_profile_sessions", 15, 0, 1000, "sessions", "Flat days mixed into the profile of the day.",
               reads="filter.day_profile_sessions"),
        numbers("level_half_lives", (250, 500, 1000), 10, 100_000, "bars",
                "Half-lives among which the level of volatility is chosen.", reads="filter.level_half_lives"),
        boolean("ensemble_enabled", False, "Whether further models vote."),
        choice("ensemble_method", "WEIGHTED_VOTING", "WEIGHTED_VOTING MAJORITY STACKING", "How they vote."),
        number("gmm_weight", 0, 0, 1, "weight", "Weight of a Gaussian mixture."),
        number("random_forest_weight", 0, 0, 1, "weight", "Weight of a random forest."),
        number("gradient_boost_weight", 0, 0, 1, "weight", "Weight of boosted trees."),
        number("minimum_ensemble_confidence", 0, 0, 1, "ratio", "Confidence below which they say nothing."),
        number("disagreement_threshold", 0.2, 0, 1, "ratio", "Disagreement that is borne."),
        boolean("adaptive_weighting", False, "Whether weights follow success."),
    ),
    unused="there is one statistical model: mixtures and trees on smoothed indicators did worse in every measurement",
)  # fmt: skip

CALIBRATION: Final = Sheet(
    name="ConfidenceCalibration",
    about="How a probability would be made honest.",
    settings=settings(
        boolean("calibration_enabled", False, "Whether probabilities are mapped."),
        choice(
            "calibration_method",
            "ISOTONIC_REGRESSION",
            "ISOTONIC_REGRESSION PLATT TEMPERATURE",
            "How they are mapped.",
        ),
        boolean("platt_scaling_enabled", False, "Whether a logistic curve maps them."),
        number("temperature_scaling", 1, 0.1, 10, "multiplier", "Temperature of a soft maximum."),
        choice("binning_strategy", "ADAPTIVE", "ADAPTIVE UNIFORM QUANTILE", "How probabilities are grouped."),
        integer("calibration_bins", 20, 2, 200, "count", "Groups."),
        number("confidence_floor", 0, 0, 1, "ratio", "Smallest confidence that is told."),
        number("confidence_ceiling", 1, 0, 1, "ratio", "Largest confidence that is told."),
        boolean("real_time_calibration", False, "Whether the map follows the market."),
        integer("calibration_window", 500, 50, 100_000, "samples", "Past that it would follow."),
    ),
    unused="the filter's probabilities are exact under its model; how well they hold is measured, not mended",
)

ADAPTIVE_LEARNING: Final = Sheet(
    name="AdaptiveLearning",
    about="The alarm that the model no longer fits. It lowers confidence and names no regime.",
    settings=settings(
        boolean("drift_detection", True, "Whether the alarm is on.", reads="alarm.enabled"),
        number("drift_threshold", 0.5, 0, 1, "probability", "Probability of a change at which it rings.",
               reads="alarm.ring_at"),
        number("drift_run_bars", 250, 10, 100_000, "bars", "Bars expected between changes.", reads="alarm.run_bars"),
        integer("drift_recent_bars", 10, 1, 1000, "bars", "Bars in which the change is looked for.",
                reads="alarm.recent_bars"),
        number("drift_confidence_factor", 0.5, 0, 1, "ratio", "What confidence is multiplied with while it rings.",
               reads="alarm.confidence_factor"),
        boolean("adaptive_enabled", False, "Whether a learner runs."),
        integer("learning_samples", 1000, 100, 1_000_000, "samples", "Samples that it would remember."),
        integer("update_frequency", 100, 1, 100_000, "samples", "Samples between updates."),
        number("performance_threshold", 0.85, 0, 1, "ratio", "Success below which it would update."),
        choice("parameter_adaptation", "BAYESIAN", "BAYESIAN GRID NONE", "How values would be searched."),
        boolean("online_learning", False, "Whether it would learn while it runs."),
        choice("retraining_trigger", "CALENDAR", "CALENDAR PERFORMANCE_BASED", "When it would begin anew."),
    ),
    unused=_NO_LEARNER,
    moved=(
        Moved(name="learning_rate", to="StabilityConfiguration.learning_rate"),
        Moved(name="memory_window", to="AdaptiveLearning.learning_samples"),
    ),
)  # fmt: skip

ACCURACY: Final = Sheet(
    name="AccuracyEnhancement",
    about="Further features.",
    settings=settings(
        choice("feature_engineering", "BASIC", "BASIC ADVANCED", "How many features."),
        boolean("price_action_features", False, "Patterns of prices."),
        boolean("microstructure_features", False, "Bounces and spreads."),
        boolean("orderbook_imbalance", False, "Bids against offers."),
        boolean("market_depth_features", False, "Depth of the book."),
        boolean("tick_analysis", False, "Single trades."),
        boolean("spread_dynamics", False, "The spread over time."),
        choice("feature_selection", "NONE", "NONE RECURSIVE_ELIMINATION", "How features are chosen."),
        number("feature_importance_threshold", 0.05, 0, 1, "ratio", "Least importance of a feature."),
    ),
    unused="bars hold neither books nor single trades; components are chosen in IndicatorConfiguration",
    withdrawn=(
        Withdrawn(name="volume_profile_analysis", why="IndicatorConfiguration has the row volume_profile"),
    ),
)

STABILITY_SCORES: Final = Sheet(
    name="RegimeStability",
    about="Scores of how stable a regime is.",
    settings=settings(
        boolean("stability_score_enabled", True, "Whether a score is told."),
        number("minimum_stability_score", 0.8, 0, 1, "ratio", "Score of a stable regime."),
        boolean("persistence_check", True, "Whether persistence counts."),
        boolean("regime_momentum", True, "Whether momentum counts."),
        choice(
            "transition_probability_model",
            "MARKOV_CHAIN",
            "MARKOV_CHAIN",
            "Where the hazard of leaving is from.",
        ),
        boolean("regime_lifetime_analysis", True, "Whether expected stays are told."),
        boolean("expected_duration_check", True, "Whether a regime is compared with them."),
        boolean("volatility_clustering", True, "Whether clusters of volatility count."),
        boolean("regime_entropy_check", True, "Whether the spread of probabilities counts."),
    ),
    unused="every label already tells its age, its probabilities and the hazard of leaving",
)

VALIDATION_FRAMEWORK: Final = Sheet(
    name="ValidationFramework",
    about="How a model would be judged.",
    settings=settings(
        text("validation_source", "ARCHIVE", "Where the bars are from."),
        boolean("synthetic_data_allowed", True, "Whether scenarios of known truth are used."),
        boolean("backtest_validation", True, "Whether a backtest is asked."),
        boolean("walk_forward_analysis", True, "Whether it rolls forward."),
        integer("cross_validation_folds", 10, 2, 100, "count", "Folds."),
        boolean("out_of_sample_testing", True, "Whether unseen bars judge."),
        number("statistical_significance", 0.95, 0.5, 0.999, "ratio", "Level of significance."),
        boolean("hypothesis_testing", True, "Whether tests are made."),
        boolean("performance_benchmarking", True, "Whether there is something to compare with."),
    ),
    unused=_MEASURED,
)

RISK_CONTROLS: Final = Sheet(
    name="RiskControls",
    about="What an uncertain regime would mean for risk.",
    settings=settings(
        number("false_positive_penalty", 2, 0, 10, "multiplier", "Cost of a regime that was none."),
        number("false_negative_penalty", 1.5, 0, 10, "multiplier", "Cost of a regime that was missed."),
        choice(
            "regime_uncertainty_handling",
            "CONSERVATIVE",
            "CONSERVATIVE IGNORE",
            "What is done where nobody knows.",
        ),
        number("max_uncertainty_threshold", 0.25, 0, 1, "ratio", "Uncertainty that is borne."),
        choice(
            "conflict_resolution", "MOST_STABLE", "MOST_STABLE MOST_PROBABLE", "Which of two regimes counts."
        ),
        boolean("emergency_override", False, "Whether a person may set the regime."),
        number("manual_intervention_threshold", 0.95, 0, 1, "ratio", "When a person is called."),
    ),
    unused="limits on orders and accounts are in config.json; a strategy decides what a regime means for it",
)
