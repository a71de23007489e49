"""What a fill in one symbol costs by its config: an instrument's own costs take the place of the run's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from magellan.workspace.config import ExecutionTerms, InstrumentTerms

_BPS: Final = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class FillCosts:
    """Costs of one symbol's fills. Rates are fractions: of the price, and of the notional for a commission."""

    half_spread_rate: float
    slippage_rate: float
    commission_rate: float
    commission_per_unit_usd: float
    commission_min_usd: float

    @classmethod
    def of(cls, execution: ExecutionTerms, instrument: InstrumentTerms) -> FillCosts:
        return cls(
            half_spread_rate=_or(instrument.half_spread_bps, execution.half_spread_bps) * _BPS,
            slippage_rate=_or(instrument.slippage_bps, execution.slippage_bps) * _BPS,
            commission_rate=_or(instrument.commission_bps, execution.commission_bps) * _BPS,
            commission_per_unit_usd=_or(
                instrument.commission_per_unit_usd, execution.commission_per_unit_usd
            ),
            commission_min_usd=_or(instrument.commission_min_usd, execution.commission_min_usd),
        )


def _or(own: float | None, otherwise: float) -> float:
    return otherwise if own is None else own
