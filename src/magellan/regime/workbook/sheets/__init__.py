"""The 31 sheets, in their order. They are data: nothing here reads or decides."""

from typing import Final

from magellan.regime.workbook.schema import Sheet
from magellan.regime.workbook.sheets.general import MASTER, METADATA, SUMMARY
from magellan.regime.workbook.sheets.indicators import ATR, INDICATORS
from magellan.regime.workbook.sheets.learning import (
    ACCURACY,
    ADAPTIVE_LEARNING,
    ADAPTIVE_TUNING,
    CALIBRATION,
    ENSEMBLE,
    RISK_CONTROLS,
    STABILITY_SCORES,
    VALIDATION_FRAMEWORK,
)
from magellan.regime.workbook.sheets.options import GREEKS, IV_SURFACE, OPEN_INTEREST, STRADDLE
from magellan.regime.workbook.sheets.regimes import (
    CLASSIFICATION,
    FORMATION,
    REGIME_PARAMETERS,
    TRANSITION_RULES,
)
from magellan.regime.workbook.sheets.reporting import INTRADAY, METRICS, OUTPUT, VALIDATION_RULES
from magellan.regime.workbook.sheets.stability import NOISE, STABILITY, TRANSITIONS
from magellan.regime.workbook.sheets.timeframes import DYNAMIC_WEIGHTS, FUSION, TIMEFRAMES

SHEETS: Final[tuple[Sheet, ...]] = (
    SUMMARY,
    MASTER,
    STABILITY,
    TRANSITIONS,
    NOISE,
    TRANSITION_RULES,
    INDICATORS,
    GREEKS,
    OPEN_INTEREST,
    STRADDLE,
    IV_SURFACE,
    ATR,
    CLASSIFICATION,
    FORMATION,
    REGIME_PARAMETERS,
    TIMEFRAMES,
    DYNAMIC_WEIGHTS,
    METRICS,
    VALIDATION_RULES,
    ADAPTIVE_TUNING,
    INTRADAY,
    OUTPUT,
    METADATA,
    ENSEMBLE,
    CALIBRATION,
    FUSION,
    ADAPTIVE_LEARNING,
    ACCURACY,
    STABILITY_SCORES,
    VALIDATION_FRAMEWORK,
    RISK_CONTROLS,
)

SHEET_OF: Final[dict[str, Sheet]] = {sheet.name: sheet for sheet in SHEETS}
