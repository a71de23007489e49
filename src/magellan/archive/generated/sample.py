"""The sample: the markets that `magellan init` and `magellan demo` work on. Invented, and named so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from magellan.archive.checksum import content_sha256
from magellan.archive.dataset import Adjustment, DateRange, Provenance, SetId, Source
from magellan.archive.generated.defect import UnadjustedSplit
from magellan.archive.generated.generate import generate
from magellan.archive.generated.market import Market
from magellan.archive.generated.style import Style
from magellan.trading.bar import Bars
from magellan.trading.corporate_action import CorporateAction
from magellan.trading.session import ExchangeCalendar, Hours
from magellan.trading.timeframe import DAY, HOUR, MINUTE

VENDOR, FEED = "generated", "none"
SEED = 1560

# No symbol of six letters is listed in the United States: nobody can take these for real companies.
INDEX_SYMBOL = "OCEANS"
LARGE_CAPS = ("ANCHOR", "BRIDGE", "CONVOY", "GALLEY", "HARBOR", "MARINA", "PADDLE", "RUDDER", "VOYAGE")
HOURLY_SYMBOLS = ("HARBOR", "VOYAGE")
SMALL_CAPS = ("COCKLE", "LIMPET", "MUSSEL", "OYSTER", "SHRIMP", "TURBOT", "URCHIN", "WINKLE")

LISTED_ON, LAST_ON = date(2022, 1, 3), date(2025, 12, 31)
HOURLY_FROM_ON = date(2024, 1, 2)
MINUTES_FROM_ON = date(2025, 9, 2)  # with the clock change of 2025-11-02 and two half days

SPLIT_SYMBOL = "GALLEY"
SPLIT = UnadjustedSplit(on=date(2025, 2, 10), new_shares=4, old_shares=1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SampleSet:
    """One set of generated bars, ready to be merged into an archive."""

    id: SetId
    bars: Bars
    requested: DateRange
    calendar: str

    def provenance(self, generated_at: datetime) -> Provenance:
        """What goes into the catalogue beside the bars. generated_at: aware, UTC."""
        return Provenance(
            source=Source(
                name=f"generator, seed {SEED}",
                sha256=content_sha256(self.bars),
                rows=len(self.bars),
                requested=self.requested,
                fetched_at=generated_at,
                assumptions=("These bars are generated: no market ever traded like this.",),
            ),
            calendar=self.calendar,
            generated=True,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The sets of the sample, and the corporate actions that explain their jumps."""

    sets: tuple[SampleSet, ...]
    actions: tuple[CorporateAction, ...]


def sample_markets(calendar: ExchangeCalendar) -> Sample:
    """Daily bars of an index and nine large caps, hourly bars of two of them, minutes of eight small caps.

    Intraday sets hold all hours. Hours and days of one symbol agree, being put together from the same
    minutes. One symbol splits, as traded: the sample's corporate actions explain it.

    calendar: XNYS, from 2022 to 2026 at least. Raises FixInput when it covers less.
    """
    generated = [(each, generate(each, calendar, seed=SEED)) for each in sample_descriptions()]
    return Sample(
        sets=tuple(
            SampleSet(
                id=SetId(
                    symbol=market.symbol,
                    timeframe=market.timeframe,
                    vendor=VENDOR,
                    feed=FEED,
                    adjustment=Adjustment.RAW,
                    hours=market.hours,
                ),
                bars=result.bars(),
                requested=DateRange(first_on=market.first_on, last_on=market.last_on),
                calendar=calendar.name,
            )
            for market, result in generated
        ),
        actions=tuple(action for _, result in generated for action in result.actions),
    )


def sample_descriptions() -> tuple[Market, ...]:
    """What the sample consists of."""
    daily = tuple(
        Market(
            symbol=symbol,
            style=Style.INDEX if symbol == INDEX_SYMBOL else Style.LARGE_CAP,
            first_on=LISTED_ON,
            last_on=LAST_ON,
            timeframe=DAY,
            defects=(SPLIT,) if symbol == SPLIT_SYMBOL else (),
        )
        for symbol in (INDEX_SYMBOL, *LARGE_CAPS)
    )
    hourly = tuple(
        Market(
            symbol=symbol,
            style=Style.LARGE_CAP,
            first_on=HOURLY_FROM_ON,
            last_on=LAST_ON,
            timeframe=HOUR,
            hours=Hours.ALL,
            listed_on=LISTED_ON,
        )
        for symbol in HOURLY_SYMBOLS
    )
    minutes = tuple(
        Market(
            symbol=symbol,
            style=Style.SMALL_CAP,
            first_on=MINUTES_FROM_ON,
            last_on=LAST_ON,
            timeframe=MINUTE,
            hours=Hours.ALL,
        )
        for symbol in SMALL_CAPS
    )
    return daily + hourly + minutes
