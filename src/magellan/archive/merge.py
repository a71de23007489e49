"""Merging: new bars beside old ones, where those that overlap must agree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from magellan.archive.dataset import BarsDisagree
from magellan.trading.bar import PRICE_COLUMNS, Bars, instant


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Merged:
    """The rows of both, oldest first."""

    bars: Bars
    rows_added: int
    rows_already_there: int


def merged(held: Bars, given: Bars, *, given_name: str = "the new bars") -> Merged:
    """All bars of `held` and `given`, each instant once. Both must be sound (see `Bars.checked`).

    given_name: what to call the new bars in a message.
    Raises: BarsDisagree, naming the first instant at which both hold a bar and the values differ.
    """
    at = np.searchsorted(held.opened_at_ns, given.opened_at_ns)
    known = at < len(held)
    known[known] = held.opened_at_ns[at[known]] == given.opened_at_ns[known]
    _must_agree(held.rows(at[known]), given.rows(known), given_name)
    added = given.rows(~known)
    counts = {"rows_added": len(added), "rows_already_there": len(given) - len(added)}
    if len(added) == 0:
        return Merged(bars=held, **counts)
    columns = {
        name: np.concatenate([getattr(held, name), getattr(added, name)])
        for name in ("opened_at_ns", *PRICE_COLUMNS, "volume")
    }
    if len(held) and added.opened_at_ns[0] < held.opened_at_ns[-1]:
        order = np.argsort(columns["opened_at_ns"], kind="stable")
        columns = {name: column[order] for name, column in columns.items()}
    return Merged(bars=Bars(symbol=held.symbol, timeframe=held.timeframe, **columns), **counts)


def _must_agree(held: Bars, given: Bars, given_name: str) -> None:
    differs = np.zeros(len(held), dtype=bool)
    for name in (*PRICE_COLUMNS, "volume"):
        differs |= getattr(held, name) != getattr(given, name)
    if not differs.any():
        return
    row = int(np.argmax(differs))
    told = ", ".join(
        f"{name} {getattr(held, name)[row]:.10g} and {getattr(given, name)[row]:.10g}"
        for name in (*PRICE_COLUMNS, "volume")
        if getattr(held, name)[row] != getattr(given, name)[row]
    )
    at = instant(int(held.opened_at_ns[row]))
    raise BarsDisagree(
        f"{held.symbol} {held.timeframe} {at:%Y-%m-%dT%H:%M}Z: the archive and {given_name} disagree about"
        f" {np.count_nonzero(differs)} of {len(held)} common bars, first about this one: {told}",
        kept="the archive, as it was",
        next_step=(
            "if they come from different feeds or adjustments, import them under different names"
            " (--vendor, --feed, --adjustment); if the vendor corrected its bars, import into a new feed name"
        ),
    )
