"""Polygon's aggregates: bars of US shares from the consolidated tape."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import numpy as np

from magellan.adapters.missing_extra import extra_missing
from magellan.adapters.vendor_columns import bars_of
from magellan.adapters.vendor_request import (
    Answer,
    Patience,
    asked,
    checked_base_url,
    own_words,
)
from magellan.archive.dataset import Adjustment, DateRange, SetId
from magellan.errors import FixInput
from magellan.ports.vendor import VendorRefused, VendorUnreadable
from magellan.trading.bar import Bars
from magellan.trading.session import Hours, exchange_midnight
from magellan.trading.timeframe import HOUR, Timeframe

API_URL: Final = "https://api.massive.com"
FEED: Final = "consolidated"
_PAGE_BARS = 50_000
_MS = 1_000_000  # nanoseconds


class PolygonBars:
    """Keeps `ports.vendor.BarVendor`. Intraday bars hold all hours; daily bars hold the session."""

    name = "polygon"

    def __init__(self, key: str, *, api_url: str = API_URL, patience: Patience | None = None) -> None:
        self._secrets = (key,)
        self._patience = patience or Patience()
        self._client = self._new_client(key, checked_base_url(api_url, "POLYGON_API_URL"))

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], *, patience: Patience | None = None
    ) -> PolygonBars:
        """With POLYGON_API_KEY, or MASSIVE_API_KEY; POLYGON_API_URL redirects it. Raises FixInput."""
        key = environment.get("POLYGON_API_KEY") or environment.get("MASSIVE_API_KEY")
        if not key:
            raise FixInput(
                "POLYGON_API_KEY is not set, and Polygon answers nobody without a key",
                next_step="put your key into POLYGON_API_KEY",
            )
        return cls(key, api_url=environment.get("POLYGON_API_URL") or API_URL, patience=patience)

    def set_id(
        self,
        symbol: str,
        timeframe: Timeframe,
        *,
        feed: str | None,
        adjustment: Adjustment | None,
        hours: Hours | None,
    ) -> SetId:
        """See the port."""
        if feed not in (None, FEED):
            raise VendorRefused(f"Polygon has one feed, '{FEED}', not '{feed}'", next_step="leave --feed out")
        if adjustment is Adjustment.ALL:
            raise VendorRefused(
                "Polygon does not adjust for dividends", next_step="choose --adjust raw or --adjust split"
            )
        delivered = Hours.REGULAR if timeframe.is_daily else Hours.ALL
        if hours not in (None, delivered):
            raise VendorRefused(
                f"Polygon delivers {timeframe} bars of {delivered} hours only",
                next_step="leave --hours out; `magellan backtest --session regular` uses the session's bars",
            )
        return SetId(
            symbol=symbol,
            timeframe=timeframe,
            vendor=self.name,
            feed=FEED,
            adjustment=adjustment or Adjustment.RAW,
            hours=delivered,
        )

    def days_per_request(self, timeframe: Timeframe) -> int:
        """See the port."""
        if timeframe.is_daily:
            return 20_000
        return 31 if timeframe < HOUR else 366

    def bars(self, set_id: SetId, dates: DateRange) -> Bars:
        """See the port. The free plan allows five requests a minute, so pages are as large as they can be."""
        timeframe = set_id.timeframe
        if timeframe.is_daily:
            multiplier, span = 1, "day"
        elif timeframe.minutes % 60:
            multiplier, span = timeframe.minutes, "minute"
        else:
            multiplier, span = timeframe.minutes // 60, "hour"
        found = self._client.list_aggs(
            set_id.symbol,
            multiplier,
            span,
            exchange_midnight(dates.first_on),
            exchange_midnight(dates.last_on + timedelta(days=1)) - timedelta(milliseconds=1),
            adjusted=set_id.adjustment is Adjustment.SPLIT,
            sort="asc",
            limit=_PAGE_BARS,
        )
        rows = list(found)
        if any(None in (row.timestamp, row.open, row.high, row.low, row.close, row.volume) for row in rows):
            raise VendorUnreadable(f"Polygon's bars of {set_id.symbol} lack a price, a volume or a time")
        opened_at_ns = np.array([row.timestamp for row in rows], dtype=np.int64) * _MS
        columns = {
            name: [getattr(row, name) for row in rows] for name in ("open", "high", "low", "close", "volume")
        }
        return bars_of(set_id, dates, opened_at_ns, columns)

    def _new_client(self, key: str, api_url: str) -> Any:
        try:
            from massive import RESTClient
            from urllib3 import Timeout
            from urllib3.exceptions import HTTPError
        except ImportError as error:
            raise extra_missing("polygon", error) from error
        vendor = self

        class PatientPool:
            """In place of the library's pool, which forgets an answer's status and the wait it asks for."""

            def __init__(self, pool: Any) -> None:
                self._pool = pool

            def request(self, method: str, url: str, **options: Any) -> Any:
                patience = vendor._patience
                ours = {
                    "retries": False,
                    "timeout": Timeout(connect=patience.connect_timeout_s, read=patience.read_timeout_s),
                }
                return asked(
                    "Polygon",
                    lambda: self._pool.request(method, url, **(options | ours)),
                    answer_of=lambda response: Answer(
                        status=response.status, headers=response.headers, body=response.data
                    ),
                    transport_errors=(HTTPError,),
                    refusal=vendor._refusal,
                    content=lambda told: _must_be_aggregates(told, url),
                    secrets=vendor._secrets,
                    patience=vendor._patience,
                )

        client = RESTClient(api_key=key, base=api_url)
        client.client = PatientPool(client.client)
        return client

    def _refusal(self, answer: Answer) -> VendorRefused | None:
        said = own_words(answer.body, self._secrets)
        if answer.status == 401:
            return VendorRefused(
                f"Polygon does not accept the key (status 401): {said}", next_step="check POLYGON_API_KEY"
            )
        if answer.status == 403:
            return VendorRefused(
                f"Polygon's plan for this key does not include that (status 403): {said}",
                next_step="choose a shorter range or a longer timeframe, or another plan",
            )
        return None


def _must_be_aggregates(told: Any, url: str) -> None:
    """Raises VendorUnreadable where an answer is not the aggregates of the symbol in the address."""
    if not isinstance(told, dict) or told.get("status") not in ("OK", "DELAYED"):
        raise VendorUnreadable(
            "Polygon answered with JSON that holds no aggregates",
            next_step="check POLYGON_API_URL, if you set it",
        )
    rows = told.get("results") or []
    if "resultsCount" in told and told["resultsCount"] != len(rows):
        raise VendorUnreadable(f"Polygon announced {told['resultsCount']} bars and sent {len(rows)}")
    if rows and "ticker" in told and f"/ticker/{told['ticker']}/" not in url:
        raise VendorUnreadable(f"Polygon sent bars of {told['ticker']}, which nobody asked for")
