"""Exchange calendars from the exchange-calendars library, kept in the user's cache folder.

Computing one imports pandas, which takes longer than a whole backtest may; so the arrays are cached. The
cache is never trusted further than its own checks reach: whatever does not read back whole is computed again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import warnings
import zipfile
import zlib
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from magellan.errors import FixInput
from magellan.trading.session import ExchangeCalendar
from magellan.trading.timeframe import DAY_NS

FIRST_ON = date(1970, 1, 1)

_LOG = logging.getLogger(__name__)


def load_calendar(name: str = "XNYS", *, today: date | None = None) -> ExchangeCalendar:
    """The sessions of an exchange from 1970 to the end of the year after `today`.

    A library that records less of an exchange gives less; asking the calendar for a day outside it raises.

    name:   ISO 10383 market code (XNYS, XNAS, CMES), or another name that exchange-calendars knows ("24/7").
    today:  decides how far the calendar reaches; the current UTC date when not given.
    Raises: FixInput for a name that the library does not know.
    """
    today = today or datetime.now(UTC).date()
    last_on = date(today.year + 1, 12, 31)
    path = _cache_file(name, last_on)
    cached = _read(path, name)
    if cached is not None:
        return cached
    calendar = _computed(name, last_on)
    _write(path, calendar)
    return calendar


def _computed(name: str, last_on: date) -> ExchangeCalendar:
    import exchange_calendars

    if name not in exchange_calendars.get_calendar_names(include_aliases=True):
        raise FixInput(
            f"no exchange calendar is called '{name}'",
            next_step="use a market code that exchange-calendars knows, for example XNYS, XNAS, CMES or 24/7",
        )
    try:
        with warnings.catch_warnings():
            # The library still calls what its own dependency, pandas, is going to change.
            warnings.simplefilter("ignore", DeprecationWarning)
            # The default range of a calendar always lies inside what the library has recorded for it.
            default = exchange_calendars.get_calendar(name)
            earliest, latest = default.bound_min(), default.bound_max()
            start_on = FIRST_ON if earliest is None else max(FIRST_ON, earliest.date())
            end_on = last_on if latest is None else min(last_on, latest.date())
            source = exchange_calendars.get_calendar(name, start=start_on.isoformat(), end=end_on.isoformat())
    except (ValueError, NotImplementedError) as error:
        raise FixInput(
            f"exchange-calendars {version('exchange_calendars')} cannot compute '{name}': {error}",
            next_step="use another calendar, or another version of exchange-calendars",
        ) from error
    return ExchangeCalendar(
        name=name,
        session_on=(source.sessions.as_unit("ns").asi8 // DAY_NS).astype(np.int32),
        opens_at_ns=source.opens.to_numpy(dtype="datetime64[ns]").astype(np.int64),
        closes_at_ns=source.closes.to_numpy(dtype="datetime64[ns]").astype(np.int64),
    )


def _cache_file(name: str, last_on: date) -> Path:
    """One file per calendar, library version and range: a newer library never reads older holidays."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "magellan" / "calendars"
    plain = "".join(letter if letter.isalnum() else "_" for letter in name)
    told_apart = hashlib.sha256(name.encode()).hexdigest()[:8]  # "24/7" and "24_7" share a plain name
    range_ = f"{FIRST_ON:%Y%m%d}-{last_on:%Y%m%d}"
    return folder / f"{plain}-{told_apart}-{version('exchange_calendars')}-{range_}.npz"


def _read(path: Path, name: str) -> ExchangeCalendar | None:
    """The cached calendar, or None when there is none that reads back whole."""
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as columns:
            session_on = columns["session_on"]
            opens_at_ns, closes_at_ns = columns["opens_at_ns"], columns["closes_at_ns"]
            checksum = str(columns["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        _LOG.debug("calendar cache %s is damaged and will be written anew: %s", path, error)
        return None
    calendar = ExchangeCalendar(
        name=name, session_on=session_on, opens_at_ns=opens_at_ns, closes_at_ns=closes_at_ns
    )
    if checksum != _checksum(calendar):
        _LOG.debug("calendar cache %s fails its checksum and will be written anew", path)
        return None
    return calendar


def _write(path: Path, calendar: ExchangeCalendar) -> None:
    """Keep the calendar for the next process; where that is impossible, it computes the calendar again."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, unfinished = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
        try:
            with os.fdopen(descriptor, "wb") as file:
                np.savez(
                    file,
                    session_on=calendar.session_on,
                    opens_at_ns=calendar.opens_at_ns,
                    closes_at_ns=calendar.closes_at_ns,
                    sha256=np.array(_checksum(calendar)),
                )
            os.replace(unfinished, path)
        finally:
            Path(unfinished).unlink(missing_ok=True)
    except OSError as error:
        _LOG.debug("calendar cache %s cannot be written: %s", path, error)


def _checksum(calendar: ExchangeCalendar) -> str:
    content = hashlib.sha256(calendar.name.encode())
    for column in (calendar.session_on, calendar.opens_at_ns, calendar.closes_at_ns):
        content.update(f"{column.dtype}{column.shape}".encode())
        content.update(np.ascontiguousarray(column).data)
    return content.hexdigest()
