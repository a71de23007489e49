"""Regime model: one symbol's bars in, probabilities, labels and reasons out; in one call or one bar at a time.

Each axis pools two causal estimators: the rule score, which explains itself, and the Markov filter, which knows how
often states change. One decision layer turns what they say into labels. Nothing about a bar changes when later bars
come.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from magellan.compiled import over_arrays
from magellan.errors import FixInput
from magellan.regime.axes import CLASSES, Axis
from magellan.regime.bars_needed import bars_needed
from magellan.regime.config import RegimeConfig
from magellan.regime.day_profile import DayProfile
from magellan.regime.decision import Decider, even_stay, expected_right
from magellan.regime.fit_terms import fit_terms
from magellan.regime.observed import Observed
from magellan.regime.option_chain import ChainColumns
from magellan.regime.places import Places
from magellan.regime.regime_columns import RegimeColumns
from magellan.regime.rows import Rows
from magellan.regime.rule_score import AXES
from magellan.regime.step import TERMS, advance
from magellan.trading.bar import Bars, Floats, instant
from magellan.trading.session import SessionColumns
from magellan.trading.timeframe import Timeframe

_AXIS_STAY_BARS: Final = 50.0  # that a class is expected to last, where no filter says otherwise
# Of the dial's price. Five classes share what three share elsewhere, so that leads are smaller there.
_AXIS_PRICE: Final = {Axis.VOLATILITY: 1.0, Axis.TREND: 0.6, Axis.STRUCTURE: 1.0}
# Bars that another class leads a label by before it follows, at stability 1, where no states stand behind the
# probabilities: of volatility a level that always moves, of the rest the rules alone, which see trends and breaks in
# chance too. With them labels rest on data without regimes (decision 0094).
_ALONE_BARS: Final = {Axis.VOLATILITY: 45.0, Axis.TREND: 24.0, Axis.STRUCTURE: 24.0}
_REVERSAL: Final = ((0, 1), (3, 4))  # of the trend axis: down, and up


class RegimeModel(RegimeColumns):
    """The model of one symbol. `extend` takes bars in; what it says of them are its columns."""

    def __init__(
        self,
        symbol: str,
        config: RegimeConfig,
        *,
        keep_bars: int | None = None,
        spare_bars: int | None = None,
    ) -> None:
        """keep_bars:  how many bars to keep when more have come, at least; None keeps all.
        spare_bars: how many more may come before the oldest are dropped; None: a quarter of those kept, since fifty
                    markets are fifty such rooms.

        Raises: FixInput for a view with holes or overlaps; for keep_bars below what the config's windows need.
        """
        spare = (keep_bars or 0) // 4 if spare_bars is None else spare_bars
        self._most = None if keep_bars is None else keep_bars + spare
        super().__init__(symbol, config, Rows() if self._most is None else Rows(self._most + 1))
        needed = bars_needed(config)
        if keep_bars is not None and keep_bars < needed:
            raise FixInput(
                f"{keep_bars} bars are too few to go on with: the config's windows reach over {needed}",
                next_step=f"keep at least {needed}",
            )
        self._keep = keep_bars
        self._deciders = {
            axis: Decider(
                config.decision,
                price_factor=_AXIS_PRICE[axis],
                alone_bars=_ALONE_BARS[axis],
                reversal=_REVERSAL if axis is Axis.TREND else None,
            )
            for axis in AXES
        }
        self._state_decider = Decider(config.decision, likelier_than=0.5)
        self._right = {axis: expected_right(even_stay(len(CLASSES[axis]), _AXIS_STAY_BARS)) for axis in AXES}
        self._profile = DayProfile(config.filter.day_profile_sessions)
        self._spread = np.zeros(2)
        # What the step is told; made anew when columns move or a fit is made.
        self._told_for = (-1, -1)
        self._terms = np.zeros(1, dtype=TERMS)
        self._incoming = (*self._price.values(), self._opened, self._day, self._minute)

    def extend(
        self,
        bars: Bars,
        session: SessionColumns,
        *,
        others: Floats | None = None,
        chain: ChainColumns | None = None,
    ) -> None:
        """Take in bars that follow those before.

        session: of the same bars.
        others:  shape (n, symbols): log returns of other symbols over the same bars.
        chain:   option chains as known at each bar's close.
        Raises:  FixInput for bars that do not follow, or are of another timeframe.
        """
        if len(bars) == 0:
            return
        self._refuse_others(bars, others, chain)
        if self._timeframe is None:
            self._begin(bars.timeframe, 0 if others is None else others.shape[1])
        if self._keep is None or len(self) + len(bars) <= self._rows.room:
            self._extend(bars, session, others, chain)
            return
        # In portions that there is room for: a longer room would be kept for good.
        first = 0
        while first < len(bars):
            some = slice(first, first + self._rows.room - len(self))
            self._extend(
                bars.rows(some),
                session.rows(some),
                None if others is None else others[some],
                None if chain is None else chain.rows(some),
            )
            first = some.stop

    def _extend(
        self, bars: Bars, session: SessionColumns, others: Floats | None, chain: ChainColumns | None
    ) -> None:
        start = self._rows.add(len(bars))
        end = len(self)
        values = (bars.open, bars.high, bars.low, bars.close, bars.volume, bars.opened_at_ns)
        for column, taken in zip(self._incoming, (*values, session.day, session.minute), strict=True):
            column.line[start:end] = taken
        if others is not None:
            self._others.room[start:end] = others
        day, begins = self._day.line, self._begins.line
        begins[start] = start == 0 or day[start] != day[start - 1]
        if end > start + 1:
            np.not_equal(day[start + 1 : end], day[start : end - 1], out=begins[start + 1 : end])
        self._rules.read_chain(self._price["close"].line[:end], self.offset, chain, start)
        if not self.config.filter.enabled or (end == start + 1 and not begins[start]):
            self._take_in(
                start, end
            )  # no fit is made within a session: most bars come this way, one at a time
        else:
            for first, last in self._filter.spans(self._lines, begins, start, end, self.offset):
                self._take_in(first, last)
        if self._keep is not None and self._most is not None and end > self._most:
            self._filter.forget(self._lines.rows(slice(end - self._keep)))
            self._rows.forget(end - self._keep)

    @property
    def _lines(self) -> Observed:
        """What the filter sees, with the rows that are about to be written."""
        return Observed(self._measured["deflated"].line, self._measured["wicks"].line)

    def _begin(self, timeframe: Timeframe, others: int) -> None:
        config = self.config
        self._timeframe = timeframe
        self._others = self._rows.column("returns of other symbols", others)
        terms = self._terms
        terms["rules"] = self._rules.terms(is_daily=timeframe.is_daily, others=others)
        terms["alarm"] = (
            config.alarm.enabled,
            1.0 / config.alarm.run_bars,
            1.0 - 1.0 / config.alarm.recent_bars,
        )
        for axis in AXES:
            terms[axis.value] = self._deciders[axis].terms
        terms["state"] = self._state_decider.terms
        terms["profile_flat"] = config.filter.day_profile_sessions

    def _take_in(self, first: int, last: int) -> None:
        """Rows that one fit judges."""
        models = self._filter.models
        told_for = (self._rows.moves, len(models))
        restart = False
        if told_for != self._told_for:
            before = self._told_for[1]
            # The states of another fit are others, though those of a like number are matched.
            restart = 0 < before < len(models) and models[-1].states != models[before - 1].states
            self._tell()
            self._told_for = told_for
        self._advance(first, last, self._rows.offset, restart)

    def _tell(self) -> None:
        """The step what it reads and writes as things stand."""
        kept, profile = self._filter, self._profile
        newest = kept.models[-1] if kept.models else None
        self._terms["fit"], of_fit = fit_terms(
            newest, len(kept.models) - 1, self.config.limits, self.config.filter.weight
        )
        columns = {
            **self._price,
            **self._measured,
            **self._judged,
            "minute": self._minute,
            "begins": self._begins,
        }
        deciders = {**{axis.value: self._deciders[axis] for axis in AXES}, "state": self._state_decider}
        self._places = Places(
            {
                **{name: column.line for name, column in columns.items()},
                **{axis.value: self._pooled[axis].room for axis in AXES},
                **{f"right_{axis}": self._right[axis] for axis in AXES},
                **{f"sides_{name}": decider.sides for name, decider in deciders.items()},
                **{f"decided_{name}": decider.memory for name, decider in deciders.items()},
                **self._rules.arrays(),
                **of_fit,
                "others": self._others.room,
                "filtered": self._states.room,
                "density": self._density.room,
                "filter_share": self._filter_share.room,
                "labels": self._labels.room,
                "profile_sums": profile.sums,
                "profile_running": profile.running,
                "profile_whole": profile.whole,
                "spread": self._spread,
                "belief": kept.belief,
                "alarm_belief": kept.alarm_belief,
                "level": kept.level,
                "odds": kept.odds,
            }
        )
        self._advance = over_arrays(advance, 0, 0, 0, False, self._places.record, self._terms)

    def _refuse_others(self, bars: Bars, others: Floats | None, chain: ChainColumns | None) -> None:
        if others is not None and len(others) != len(bars):
            raise FixInput(f"{self.symbol}: other symbols have {len(others)} rows, the bars {len(bars)}")
        if chain is not None and len(chain) != len(bars):
            raise FixInput(f"{self.symbol}: the option chain has {len(chain)} rows, the bars {len(bars)}")
        if self._timeframe is None:
            return
        if bars.timeframe != self._timeframe:
            raise FixInput(f"{self.symbol}: {bars.timeframe} bars after {self._timeframe} bars")
        if bars.opened_at_ns[0] <= self._opened.room[len(self) - 1, 0]:
            raise FixInput(
                f"{self.symbol}: the bar of {instant(int(bars.opened_at_ns[0]))} does not follow the bars before it",
                next_step="hand each bar in once, oldest first",
            )
        before, now = self._others.room.shape[1], 0 if others is None else others.shape[1]
        if before != now:
            raise FixInput(f"{self.symbol}: {now} other symbols after {before}")
