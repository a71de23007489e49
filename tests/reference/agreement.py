"""Where two outcomes of the same run differ, in words."""

from __future__ import annotations

import math

from reference.plain_market import PlainFill, PlainOutcome

RELATIVE = 1e-9


def differences(plain: PlainOutcome, compiled: PlainOutcome) -> list[str]:
    """Empty when they agree: every fill, the money, what is left open and what was blocked."""
    found = []
    for at in range(max(len(plain.fills), len(compiled.fills))):
        ours = plain.fills[at] if at < len(plain.fills) else None
        theirs = compiled.fills[at] if at < len(compiled.fills) else None
        if ours is None or theirs is None or not _same_fill(ours, theirs):
            found.append(f"fill {at}:\n  plain    {ours}\n  compiled {theirs}")
            break
    if plain.refused != compiled.refused:
        found.append(f"refused: plain {plain.refused}, compiled {compiled.refused}")
    names = ["cash", "dividends", "financing"]
    if plain.refused is None:
        names.append("equity")
    for name in names:
        if not _close(getattr(plain, name), getattr(compiled, name)):
            found.append(f"{name}: plain {getattr(plain, name)!r}, compiled {getattr(compiled, name)!r}")
    symbols = plain.open_units.keys() | compiled.open_units.keys()
    if any(not _close(plain.open_units.get(s, 0.0), compiled.open_units.get(s, 0.0)) for s in symbols):
        found.append(f"open: plain {dict(plain.open_units)}, compiled {dict(compiled.open_units)}")
    if plain.blocked != compiled.blocked:
        found.append(f"blocked: plain {dict(plain.blocked)}, compiled {dict(compiled.blocked)}")
    return found


def _same_fill(ours: PlainFill, theirs: PlainFill) -> bool:
    return (
        (ours.row, ours.symbol, ours.trade, ours.reason, ours.at_close)
        == (theirs.row, theirs.symbol, theirs.trade, theirs.reason, theirs.at_close)
        and _close(ours.units, theirs.units)
        and _close(ours.price, theirs.price)
        and _close(ours.commission, theirs.commission)
        and _close(ours.cash_after, theirs.cash_after)
    )


def _close(ours: float, theirs: float) -> bool:
    return math.isclose(ours, theirs, rel_tol=RELATIVE, abs_tol=1e-7)
