"""A workbook of version 4.0.0, made up: its layout and its ways of being wrong, in a few sheets."""

from typing import Any

SheetCells = list[list[Any]]
P7 = ["Parameter", "Value", "Default", "Min", "Max", "Unit", "Description"]
P3 = ["Parameter", "Value", "Description"]


def regime(at: int, name: str, volatility: str, trend: str, minutes: int) -> list[Any]:
    """A row of the classification."""
    return [at, name, volatility, trend, minutes, at + 1, "#000000", "made up"]


def version_4() -> dict[str, SheetCells]:
    """{sheet: rows} with every kind of defect that the layout is known for."""
    return {
        "MasterConfiguration": [
            ["A BANNER"],
            [],
            ["Parameter", "Value", "Options", "Default", "Description"],
            ["trading_mode", "SWING", "INTRADAY,SWING,POSITION", "INTRADAY", "made up"],
            ["market_type", "BONDS", "EQUITY,OPTIONS", "EQUITY", "made up"],
            ["regime_lock_prevention", "TRUE", "TRUE,FALSE", "TRUE", "made up"],
            ["A legend"],
            ["SWING", "what it means"],
        ],
        "StabilityConfiguration": [
            P7,
            ["minimum_regime_duration", 30.0, 30.0, 15.0, 120.0, "minutes", "made up"],
            ["confidence_threshold", 0.45, 0.45, 0.3, 0.7, "ratio", "made up"],
            ["adaptive_hysteresis", "TRUE", "TRUE", "TRUE", "FALSE", "boolean", "made up"],
            ["min_agreeing_timeframes", 2.0, 2.0, 1.0, 4.0, "count", "made up"],
            ["min_transitions_per_day", 1.0, 1.0, 0.0, 3.0, "count", "made up"],
            ["learning_rate", 0.1, 0.1, 0.01, 0.3, "ratio", "made up"],
        ],
        "TransitionManagement": [
            P7,
            [
                "transition_detection_method",
                "SIMPLE",
                "MULTI_FACTOR",
                "SIMPLE",
                "ML_BASED",
                "type",
                "made up",
            ],
            ["allow_direct_reversals", "FALSE", "FALSE", "TRUE", "FALSE", "boolean", "made up"],
        ],
        "TransitionRules": [
            [
                "RuleID",
                "FromRegime",
                "ToRegime",
                "MinConfidence",
                "MaxDuration",
                "RequiredSignals",
                "Priority",
                "Description",
            ],
            [1, "Bullish_*", "Bearish_*", 0.6, 30, 5, 5, "made up"],
            [2, "Bullish_Low_Vol", "Bullish_High_Vol", 0.4, 30, 5, 5, "made up"],
            [3, "*_Low_Vol", "*_High_Vol", 0.5, 30, 5, 5, "made up"],
        ],
        "IndicatorConfiguration": [
            ["A BANNER"],
            [
                "IndicatorID",
                "IndicatorName",
                "Enabled",
                "Weight",
                "Parameters",
                "UpdateFrequency",
                "RequiresData",
                "Description",
            ],
            [
                "IND1",
                "GreekSentimentAnalysis",
                "TRUE",
                0.2,
                "gamma_weight=0.5,delta_weight=0.5",
                "1min",
                "chain",
                "made up",
            ],
            ["IND2", "OrderFlowAnalysis", "FALSE", 0.0, "depth=5", "1min", "book", "made up"],
        ],
        "GreekSentimentConfig": [
            P7,
            ["delta_weight", 0.4, 0.25, 0.1, 0.4, "ratio", "made up"],
            ["gamma_weight", 0.3, 0.35, 0.2, 0.5, "ratio", "made up"],
        ],
        "RegimeClassification": [
            [
                "RegimeID",
                "RegimeName",
                "VolatilityClass",
                "TrendClass",
                "MinDuration",
                "Priority",
                "Color",
                "Description",
            ],
            regime(0, "Bullish_High_Vol", "High", "Bullish", 30),
            regime(1, "Bullish_Low_Vol", "Low", "Bullish", 45),
            regime(2, "Bearish_Low_Vol", "Low", "Bearish", 45),
            [],
            ["Trend Thresholds"],
            ["Class", "MinSlope", "MaxSlope", "MinADX", "Description"],
            ["Down", -1.0, -0.003, 20, "made up"],
            ["Neutral", -0.003, 0.003, 0, "made up"],
            ["Sideways", -0.005, 0.005, 15, "made up"],
        ],
        "RegimeFormationConfig": [
            ["A BANNER"],
            [],
            ["RuleID", "RegimeType", "Condition1", "Condition2", "Condition3", "MinScore", "Description"],
            ["RF1", "Bullish_*", "slope>0.003", "percentile>70", "sentiment>0.3", 0.6, "made up"],
        ],
        "RegimeParameters": [
            [
                "RegimeID",
                "RegimeName",
                "MinDuration",
                "TypicalDuration",
                "MaxDuration",
                "EntryThreshold",
                "ExitThreshold",
                "TradingBias",
            ],
            [0, "Bullish_High_Vol", 40, 90, 240, 0.5, 0.45, "LONG"],
            [1, "Bullish_Low_Vol", 45, 90, 240, 0.5, 0.45, "LONG"],
        ],
        "MultiTimeframeConfig": [
            ["Timeframe", "Weight", "Window", "UpdateFreq", "MinConsensus", "RequiredBars", "Description"],
            ["1min", 0.6, 30, 1, 0.0, 20, "made up"],
            ["15min", 0.4, 8, 15, 0.4, 8, "made up"],
            [],
            ["Consensus Configuration"],
            ["Parameter", "Value", "Default", "Description"],
            ["min_timeframes_required", 3.0, 3.0, "made up"],
        ],
        "PerformanceMetrics": [
            ["Metric", "Target", "Acceptable", "Critical", "Weight", "UpdateFreq", "Description"],
            ["accuracy", 0.75, 0.65, 0.55, 0.9, "realtime", "made up"],
            ["timing", 0.7, 0.6, 0.5, 0.2, "realtime", "made up"],
        ],
        "TemplateMetadata": [
            ["METADATA"],
            [],
            ["Property", "Value", "Description"],
            ["Template Version", "4.0.0", "made up"],
            ["Total Sheets", 22.0, "made up"],
            ["Total Parameters", 408.0, "made up"],
        ],
        "EnsembleMethods": [
            ["A BANNER"],
            P3,
            ["minimum_ensemble_confidence", "0.85", "made up"],
        ],
        "AdaptiveLearning": [
            ["A BANNER"],
            P3,
            ["learning_rate", "0.001", "made up"],
            ["memory_window", "1000", "made up"],
        ],
    }


def padded(sheets: dict[str, SheetCells]) -> dict[str, SheetCells]:
    """As a reader gives them: every row as wide as the widest, "" where nothing stands."""
    padded = {}
    for name, rows in sheets.items():
        width = max(map(len, rows))
        padded[name] = [[*row, *[""] * (width - len(row))] for row in rows]
    return padded
