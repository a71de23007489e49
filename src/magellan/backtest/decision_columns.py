"""Decision columns: run a strategy's own code over columns, and never twice for the same answer.

Features and conditions are pure in their bars and in the parameters they read. So what a method read is noted, and
a parameter set that agrees on just those values gets the same arrays back. A sweep over a thousand sets computes an
indicator once per period, not once per set.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from magellan.backtest.masks import SymbolDecisions
from magellan.errors import FixInput
from magellan.strategy.contract import Features, Parameters, Strategy
from magellan.strategy.market_view import MarketView
from magellan.strategy.trade_plan import TradePlan
from magellan.trading.bar import Mask

_MASKS = ("enter_long", "enter_short", "exit_long", "exit_short", "wake")


class _Noted:
    """Parameters that note which of them were read."""

    __slots__ = ("_parameters", "_read")

    def __init__(self, parameters: Parameters) -> None:
        object.__setattr__(self, "_parameters", parameters)
        object.__setattr__(self, "_read", {})

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._parameters, name)
        fields = type(self._parameters).model_fields
        if name in fields:
            self._read[name] = value
        else:
            # A property or method of the model may read anything.
            self._read.update({field: getattr(self._parameters, field) for field in fields})
        return value


class _Answers:
    """What one method answered, by the parameters it read to do so."""

    def __init__(self, keep: int) -> None:
        self._known: dict[tuple[str, ...], dict[tuple[Any, ...], Any]] = {}
        self._keep = keep

    def get(self, parameters: Parameters, compute: Callable[[Any], Any]) -> Any:
        for names, answers in self._known.items():
            found = answers.get(tuple([getattr(parameters, name) for name in names]), _UNKNOWN)
            if found is not _UNKNOWN:
                return found
        noted = _Noted(parameters)
        answer = compute(noted)
        names = tuple(sorted(noted._read))
        answers = self._known.setdefault(names, {})
        if len(answers) >= self._keep:
            answers.pop(next(iter(answers)))
        answers[tuple([getattr(parameters, name) for name in names])] = answer
        return answer


_UNKNOWN = object()


class _Conditions:
    """What a strategy decides on one set of feature columns."""

    def __init__(self, features: Features, keep: int) -> None:
        self.features = features
        self.masks = {name: _Answers(keep) for name in _MASKS}
        self.plan = _Answers(keep)
        self.plan_short = _Answers(keep)


class DecisionColumns:
    """One strategy on one symbol's bars, for any number of parameter sets.

    keep: how many answers of each method are kept; memory is that many columns of one byte (masks) or eight
          (features) a bar.
    """

    def __init__(
        self, strategy: Strategy, view: MarketView, *, breaks: Mask | None = None, keep: int = 32
    ) -> None:
        self._strategy = strategy
        self._breaks = breaks
        self.view = view
        self._keep = keep
        self._conditions = _Answers(keep)
        self._declared = [name for name in _MASKS if _overrides(strategy, name)]
        self._same_plan = not _overrides(strategy, "plan_short")

    def features(self, parameters: Parameters) -> Features:
        """The strategy's feature columns for these parameters."""
        return self._on(parameters).features

    def decisions(self, parameters: Parameters) -> SymbolDecisions:
        """Masks and plan for these parameters."""
        on = self._on(parameters)
        masks = {
            name: on.masks[name].get(parameters, partial(self._mask, name, on.features))
            for name in self._declared
        }
        plan = on.plan.get(parameters, partial(self._plan, "plan", on.features))
        plan_short = plan
        if not self._same_plan:
            plan_short = on.plan_short.get(parameters, partial(self._plan, "plan_short", on.features))
        return SymbolDecisions(**masks, breaks=self._breaks, plan_long=plan, plan_short=plan_short)

    def _on(self, parameters: Parameters) -> _Conditions:
        found: _Conditions = self._conditions.get(
            parameters, lambda p: _Conditions(self._compute_features(p), self._keep)
        )
        return found

    def _compute_features(self, parameters: Any) -> Features:
        columns: Any = self._strategy.features(self.view, parameters)
        if not isinstance(columns, Mapping):
            raise self._wrong(f"features() returned {type(columns).__name__}, not a dict of columns")
        for name, column in columns.items():
            if not isinstance(column, np.ndarray) or column.shape != (len(self.view),):
                shape = getattr(column, "shape", type(column).__name__)
                raise self._wrong(f"feature '{name}' is {shape}, not one value per bar ({len(self.view)},)")
        return Features(self.view, columns)

    def _mask(self, name: str, features: Features, parameters: Any) -> Mask | None:
        mask = getattr(self._strategy, name)(features, parameters)
        if mask is None:
            return None
        if not isinstance(mask, np.ndarray) or mask.dtype != bool or mask.shape != (len(self.view),):
            what = f"{mask.dtype}{mask.shape}" if isinstance(mask, np.ndarray) else type(mask).__name__
            raise self._wrong(f"{name}() returned {what}, not one truth value per bar ({len(self.view)},)")
        return mask

    def _plan(self, name: str, features: Features, parameters: Any) -> TradePlan:
        plan = getattr(self._strategy, name)(features, parameters)
        if not isinstance(plan, TradePlan):
            raise self._wrong(f"{name}() returned {type(plan).__name__}, not a TradePlan")
        return plan

    def _wrong(self, what: str) -> FixInput:
        return FixInput(
            f"strategy {self._strategy.name()} on {self.view.symbol}: {what}",
            next_step="see docs/guides/writing-a-strategy.md",
        )


def _overrides(strategy: Strategy, method: str) -> bool:
    return getattr(type(strategy), method) is not getattr(Strategy, method)
