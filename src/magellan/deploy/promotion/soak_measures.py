"""What a soak comes to: how long, how well, and how like the backtest; or why it must not be used."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Final

from magellan.deploy.promotion import chance
from magellan.deploy.promotion.evidence import Backtested, Soak, SoakSession, SoakTrade, Subject
from magellan.deploy.promotion.usable import Found, Unusable, is_after, is_instant
from magellan.gate.evidence import Measured, Unmeasured

WHOLE_SESSION: Final = 0.9  # share of a session's hours from which on it counts as watched
SOAKS_ON: Final = frozenset({"paper"})  # modes of sessions that count
REHEARSES_ON: Final = frozenset({"paper", "local exchange"})

_BPS: Final = Decimal(10_000)
_NEVER_RAN: Final = "it has not run there at all: deploy it"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoakJudging:
    """What a soak is looked at with."""

    subject: Subject
    backtest: Backtested | None  # None: there is none that can be used
    level: float  # probability inside each band
    gathered_at: datetime


def of_soak(judging: SoakJudging, soak: Soak) -> Mapping[str, Found] | Unusable:
    """Every measure that a soak gives, by name; or why none of it may be used."""
    for problem in _problems(judging, soak):
        return Unusable(problem)
    counted = sessions_counted(judging.subject, soak)
    return {
        **_how_long(soak, counted),
        **_how_well(soak, counted),
        **_how_like(judging, soak, counted),
    }


def sessions_counted(subject: Subject, soak: Soak) -> tuple[SoakSession, ...]:
    """Sessions that were what a soak is: of the stage that is left, at a broker's paper account."""
    modes = REHEARSES_ON if subject.is_rehearsal else SOAKS_ON
    return tuple(
        each for each in soak.sessions if each.stage == subject.from_stage.value and each.mode in modes
    )


def _problems(judging: SoakJudging, soak: Soak) -> Iterator[str]:
    """Why the soak must not be used, one sentence each; none where it may be."""
    subject = judging.subject
    if soak.chain_problem:
        yield f"the ledger of {soak.account} is not whole: {soak.chain_problem}"
    if soak.account != subject.soak_account:
        yield f"the ledger is that of {soak.account}, and {subject.from_stage} trades {subject.soak_account or 'none'}"
    if soak.time_problem:
        yield f"the clock went backwards: {soak.time_problem}"
    if not is_instant(soak.seen_at):
        yield "the soak does not say when it was seen: its time has no zone"
        return
    # An exchange on this machine keeps a time of its own.
    if not subject.is_rehearsal and (
        is_after(soak.seen_at, judging.gathered_at) or is_after(judging.gathered_at, soak.seen_at)
    ):
        yield f"the account's clock shows {soak.seen_at.isoformat()}, and ours {judging.gathered_at.isoformat()}"
    yield from _wrong_sessions(subject, soak)
    yield from _wrong_trades(subject, soak)
    numbers = (soak.entries, soak.reconciliations, *soak.lengths.values())
    if not all(math.isfinite(each) and each >= 0 for each in numbers) or 0.0 in soak.lengths.values():
        yield "it holds what is no number"


def _wrong_sessions(subject: Subject, soak: Soak) -> Iterator[str]:
    for each in soak.sessions:
        if each.release_id != subject.release_id or each.strategy != subject.strategy:
            yield f"session {each.session} ran another release"
        if each.config_sha256 != subject.config_sha256:
            yield f"session {each.session} ran another config than the release's"
        if not (is_instant(each.began_at) and is_instant(each.last_at)):
            yield f"session {each.session} has a time without a zone"
            return
        if each.last_at < each.began_at or is_after(each.last_at, soak.seen_at):
            yield f"session {each.session} went on until {each.last_at.isoformat()}, by a clock that is wrong"
        hours = list(each.watched.values())
        if not all(math.isfinite(one) and one >= 0 for one in hours):
            yield f"session {each.session} watched for what is no number of hours"
        elif sum(hours) > (each.last_at - each.began_at) / timedelta(hours=1) + 0.02:
            yield f"session {each.session} watched longer than it ran"
        if any(not one <= soak.lengths.get(on, -1.0) + 0.02 for on, one in each.watched.items()):
            yield f"session {each.session} watched longer than the exchange was open"
    twice = [name for name, times in Counter(each.session for each in soak.sessions).items() if times > 1]
    if twice:
        yield f"session {twice[0]} is told twice"
    in_order = sorted(soak.sessions, key=lambda each: each.began_at)
    for one, other in pairwise(in_order):
        if is_after(one.last_at, other.began_at):
            yield f"sessions {one.session} and {other.session} ran at the same time on one account"


def _wrong_trades(subject: Subject, soak: Soak) -> Iterator[str]:
    twice = [name for name, times in Counter(each.trade_id for each in soak.trades).items() if times > 1]
    if twice:
        yield f"trade {twice[0]} is told twice"
    if len(soak.trades) > soak.entries:
        yield f"{len(soak.trades)} trades were closed, and only {soak.entries} opened"
    first_at = min((each.began_at for each in soak.sessions), default=soak.seen_at)
    for each in soak.trades:
        if each.release_id != subject.release_id:
            yield f"trade {each.trade_id} was made by another release"
        if not (is_instant(each.opened_at) and is_instant(each.closed_at)):
            yield f"trade {each.trade_id} has a time without a zone"
        elif (
            each.closed_at < each.opened_at
            or is_after(first_at, each.opened_at)
            or is_after(each.closed_at, soak.seen_at)
        ):
            yield f"trade {each.trade_id} was made outside the soak, by a clock that is wrong"
        amounts = [each.net_usd, each.value_usd, *([] if each.slippage_usd is None else [each.slippage_usd])]
        if not all(one.is_finite() for one in amounts) or each.value_usd <= 0:
            yield f"trade {each.trade_id} has an amount that is no number"


def _how_long(soak: Soak, counted: Sequence[SoakSession]) -> dict[str, Found]:
    by_date = _watched(counted)
    whole = sum(1 for on, hours in by_date.items() if hours >= WHOLE_SESSION * soak.lengths[on])
    apart = [f"{soak.others} sessions of other releases"] if soak.others else []
    if len(soak.sessions) > len(counted):
        apart.append(f"{len(soak.sessions) - len(counted)} of another stage or mode")
    detail = f"not counted: {', '.join(apart)}" if apart else ""
    found: dict[str, Found] = {
        "soak_hours_min": Measured(
            value=math.fsum(by_date.values()), sample=len(counted), sample_of="sessions run", detail=detail
        ),
        "soak_sessions_min": Measured(value=whole, sample=len(by_date), sample_of="dates"),
    }
    if not counted:
        found["soak_idle_days_max"] = Unmeasured(_NEVER_RAN)
    else:
        idle = soak.seen_at - max(each.last_at for each in counted)
        found["soak_idle_days_max"] = Measured(value=max(0.0, idle / timedelta(days=1)))
    return found


def _how_well(soak: Soak, counted: Sequence[SoakSession]) -> dict[str, Found]:
    if not counted:
        none = Unmeasured(_NEVER_RAN)
        names = ("breakers_tripped", "failures", "critical_alerts", "disagreements", "unclean_ends_max")
        return {**dict.fromkeys(names, none), "reconciliations": none}
    found: dict[str, Found] = {}
    kinds = (
        ("breakers_tripped", "breaker"),
        ("failures", "failure"),
        ("critical_alerts", "critical"),
        ("disagreements", "disagreement"),
    )
    for name, kind in kinds:
        those = [each for each in soak.mishaps if each.kind == kind]
        detail = f"the newest on {those[-1].at:%Y-%m-%d %H:%M}Z: {those[-1].text}" if those else ""
        found[name] = Measured(value=len(those), detail=detail)
    killed = [each.session for each in counted if not each.ended]
    found["unclean_ends_max"] = Measured(
        value=len(killed), sample=len(counted), sample_of="sessions run", detail=", ".join(killed)
    )
    found["reconciliations"] = Measured(value=soak.reconciliations)
    return found


def _how_like(judging: SoakJudging, soak: Soak, counted: Sequence[SoakSession]) -> dict[str, Found]:
    trades, backtest = soak.trades, judging.backtest
    found: dict[str, Found] = {"soak_trades_min": Measured(value=len(trades))}
    found["trade_count_band"] = _trade_count(judging, soak, sessions=sessions_watched(soak, counted))
    if not trades:
        none = Unmeasured("no trade was closed yet")
        names = ("win_rate_band", "win_rate_min", "no_edge_pass_max", "slippage_bps_max")
        return {**found, **dict.fromkeys(names, none)}
    wins, n = sum(1 for each in trades if each.net_usd > 0), len(trades)
    found["win_rate_min"] = Measured(value=wins / n, sample=n, sample_of="trades")
    found["slippage_bps_max"] = _slippage(trades)
    if backtest is None or backtest.trades == 0:
        none = Unmeasured("there is no backtest with a closed trade to compare with")
        return {**found, "win_rate_band": none, "no_edge_pass_max": none}
    predicted = backtest.wins / backtest.trades
    low, high = chance.band(n, predicted, judging.level)
    found["win_rate_band"] = Measured(
        value=wins / n,
        low=low / n,
        high=high / n,
        level=judging.level,
        sample=n,
        sample_of="trades",
        detail=f"{wins} of {n} trades won; {low} to {high} are likely where {predicted:.1%} win, as {backtest.wins} "
        f"of {backtest.trades} did in run {backtest.run_id}",
    )
    found["no_edge_pass_max"] = _without_edge(backtest, predicted, n, judging.level)
    return found


def _trade_count(judging: SoakJudging, soak: Soak, *, sessions: float) -> Found:
    band = None if judging.backtest is None else judging.backtest.entries
    if band is None:
        return Unmeasured("no backtest says how many trades so many sessions have")
    if not (0 <= band.low <= band.high and math.isfinite(band.low + band.high)) or band.level > judging.level:
        return Unusable(f"a band from {band.low} to {band.high} at {band.level} is none")
    if not abs(band.sessions - sessions) <= 0.51:
        return Unusable(f"the band is of {band.sessions:.1f} sessions, and {sessions:.1f} were watched")
    return Measured(
        value=soak.entries,
        low=band.low,
        high=band.high,
        level=band.level,
        sample=round(sessions),
        sample_of="sessions",
        detail=f"{band.low} to {band.high} are likely in {sessions:.1f} sessions",
    )


def _without_edge(backtest: Backtested, predicted: float, n: int, level: float) -> Found:
    if backtest.break_even is None:
        return Unmeasured(f"run {backtest.run_id} has no losses, or no gains, to say where it breaks even")
    value = chance.passes_without_edge(n, predicted, backtest.break_even, level)
    needed = chance.trades_needed(predicted, backtest.break_even, level, 0.05)
    more = f"; {needed} trades make it 5 %" if needed is not None and needed > n else ""
    return Measured(
        value=value,
        sample=n,
        sample_of="trades",
        detail=f"it breaks even at {backtest.break_even:.1%} won{more}",
    )


def _slippage(trades: Sequence[SoakTrade]) -> Found:
    known = [each for each in trades if each.slippage_usd is not None]
    if len(known) < len(trades):
        return Unmeasured(f"{len(trades) - len(known)} of {len(trades)} trades have no decision's price")
    lost = sum((each.slippage_usd for each in known if each.slippage_usd is not None), Decimal(0))
    worth = sum((each.value_usd for each in known), Decimal(0))
    return Measured(value=float(lost / worth * _BPS), sample=len(known), sample_of="trades")


def sessions_watched(soak: Soak, counted: Sequence[SoakSession]) -> float:
    """How many whole sessions the watched hours come to."""
    return math.fsum(hours / soak.lengths[on] for on, hours in _watched(counted).items())


def _watched(counted: Sequence[SoakSession]) -> dict[date, float]:
    hours: dict[date, float] = {}
    for each in counted:
        for on, one in each.watched.items():
            hours[on] = hours.get(on, 0.0) + one
    return hours
