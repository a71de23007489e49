"""Gate criteria: the thresholds of a strategy's gates, as its config.json states them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class GateCriteria(BaseModel):
    """Thresholds that differ from the defaults of the strategy's kind."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)
