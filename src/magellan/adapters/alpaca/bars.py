"""Alpaca's historical bars of US shares."""

from __future__ import annotations

import warnings
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

FEEDS: Final = ("sip", "iex", "delayed_sip", "otc", "boats", "overnight")
DATA_URL: Final = "https://data.alpaca.markets"


class AlpacaBars:
    """Keeps `ports.vendor.BarVendor`. Intraday bars hold all hours; daily bars hold the session."""

    name = "alpaca"

    def __init__(
        self, key_id: str, secret_key: str, *, data_url: str = DATA_URL, patience: Patience | None = None
    ) -> None:
        self._secrets = (key_id, secret_key)
        self._patience = patience or Patience()
        self._client = self._new_client(key_id, secret_key, checked_base_url(data_url, "ALPACA_DATA_URL"))

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], *, patience: Patience | None = None
    ) -> AlpacaBars:
        """With APCA_API_KEY_ID and APCA_API_SECRET_KEY; ALPACA_DATA_URL redirects it. Raises FixInput."""
        for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
            if not environment.get(name):
                raise FixInput(
                    f"{name} is not set, and Alpaca answers nobody without a key",
                    next_step="put the key's id into APCA_API_KEY_ID and its secret into APCA_API_SECRET_KEY",
                )
        return cls(
            environment["APCA_API_KEY_ID"],
            environment["APCA_API_SECRET_KEY"],
            data_url=environment.get("ALPACA_DATA_URL") or DATA_URL,
            patience=patience,
        )

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
        if feed is not None and feed not in FEEDS:
            raise VendorRefused(f"Alpaca has no feed '{feed}'; it has {', '.join(FEEDS)}")
        if not timeframe.is_daily and timeframe > HOUR and timeframe.minutes % 60:
            raise VendorRefused(
                f"Alpaca has no bars of {timeframe}; it has 1Min to 59Min, 1Hour to 23Hour, 1Day"
            )
        delivered = Hours.REGULAR if timeframe.is_daily else Hours.ALL
        if hours not in (None, delivered):
            raise VendorRefused(
                f"Alpaca delivers {timeframe} bars of {delivered} hours only",
                next_step="leave --hours out; `magellan backtest --session regular` uses the session's bars",
            )
        return SetId(
            symbol=symbol,
            timeframe=timeframe,
            vendor=self.name,
            feed=feed or "sip",
            adjustment=adjustment or Adjustment.RAW,
            hours=delivered,
        )

    def days_per_request(self, timeframe: Timeframe) -> int:
        """See the port."""
        if timeframe.is_daily:
            return 20_000
        return 31 if timeframe < HOUR else 366

    def bars(self, set_id: SetId, dates: DateRange) -> Bars:
        """See the port. Asks for 10,000 bars a page, and for one page after the other."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from alpaca.data.enums import Adjustment as TheirAdjustment
            from alpaca.data.enums import DataFeed
            from alpaca.data.requests import StockBarsRequest
            from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

        timeframe = set_id.timeframe
        if timeframe.is_daily:
            theirs = TimeFrame(1, TimeFrameUnit.Day)
        elif timeframe < HOUR:
            theirs = TimeFrame(timeframe.minutes, TimeFrameUnit.Minute)
        else:
            theirs = TimeFrame(timeframe.minutes // 60, TimeFrameUnit.Hour)
        request = StockBarsRequest(
            symbol_or_symbols=set_id.symbol,
            timeframe=theirs,
            start=exchange_midnight(dates.first_on),
            end=exchange_midnight(dates.last_on + timedelta(days=1)),
            adjustment=TheirAdjustment(set_id.adjustment.value),
            feed=DataFeed(set_id.feed),
        )
        found: Any = self._client.get_stock_bars(request)
        if set(found) - {set_id.symbol}:
            raise VendorUnreadable(f"Alpaca sent bars of {', '.join(sorted(found))}, not of {set_id.symbol}")
        rows = found.get(set_id.symbol, [])
        try:
            opened_at_ns = np.array([row["t"].removesuffix("Z") for row in rows], dtype="datetime64[ns]")
            columns = {
                name: [row[theirs] for row in rows]
                for name, theirs in (
                    ("open", "o"),
                    ("high", "h"),
                    ("low", "l"),
                    ("close", "c"),
                    ("volume", "v"),
                )
            }
        except (KeyError, ValueError, AttributeError, TypeError) as error:
            raise VendorUnreadable(f"Alpaca's bars of {set_id.symbol} have other fields: {error}") from error
        return bars_of(set_id, dates, opened_at_ns.astype(np.int64), columns)

    def _new_client(self, key_id: str, secret_key: str, data_url: str) -> Any:
        try:
            with warnings.catch_warnings():
                # alpaca-py imports a part of websockets that is deprecated; its users cannot help that.
                warnings.simplefilter("ignore", DeprecationWarning)
                from alpaca.data.historical.stock import StockHistoricalDataClient
                from requests import Session
                from requests.exceptions import RequestException
        except ImportError as error:
            raise extra_missing("alpaca", error) from error
        vendor = self

        class PatientSession(Session):
            """The library would wait for ever, and ask again by a rule of its own; so we do both."""

            def request(self, method: Any, url: Any, *args: Any, **options: Any) -> Any:
                return asked(
                    "Alpaca",
                    lambda: super(PatientSession, self).request(
                        method, url, *args, **{"timeout": vendor._timeout_s(), **options}
                    ),
                    answer_of=lambda response: Answer(
                        status=response.status_code, headers=response.headers, body=response.content
                    ),
                    transport_errors=(RequestException,),
                    refusal=vendor._refusal,
                    content=_must_be_bars,
                    secrets=vendor._secrets,
                    patience=vendor._patience,
                )

        client = StockHistoricalDataClient(key_id, secret_key, raw_data=True, url_override=data_url)
        client._session = PatientSession()
        return client

    def _timeout_s(self) -> tuple[float, float]:
        return self._patience.connect_timeout_s, self._patience.read_timeout_s

    def _refusal(self, answer: Answer) -> VendorRefused | None:
        said = own_words(answer.body, self._secrets)
        if answer.status == 401 or (answer.status == 403 and "forbidden" in said.lower()):
            return VendorRefused(
                f"Alpaca does not accept the key (status {answer.status}): {said}",
                next_step="check APCA_API_KEY_ID and APCA_API_SECRET_KEY; a paper key and a live key differ",
            )
        if answer.status == 403:
            return VendorRefused(
                f"Alpaca's plan for this key does not include that (status 403): {said}",
                next_step="choose another feed, for example --feed iex, or an older range",
            )
        if answer.status in (400, 422):
            return VendorRefused(
                f"Alpaca does not understand the request (status {answer.status}): {said}",
                next_step="check the symbol, the timeframe and the range",
            )
        return None


def _must_be_bars(told: Any) -> None:
    if not isinstance(told, dict) or not isinstance(told.get("bars"), dict):
        raise VendorUnreadable(
            "Alpaca answered with JSON that holds no bars", next_step="check ALPACA_DATA_URL, if you set it"
        )
