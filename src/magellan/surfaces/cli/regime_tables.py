"""How regimes are shown on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from magellan.regime.quality.dial import DialPrice
    from magellan.regime.reading import RegimeReading


def show_reading(reading: RegimeReading, *, reasons: bool) -> None:
    """The newest bar: regime, axes, filter, and what every component says."""
    from magellan.regime.axes import UNKNOWN
    from magellan.surfaces.cli.output import print_table, say

    say(
        f"{reading.symbol} {reading.timeframe}: {reading.regime} (view {reading.view}), bar of "
        f"{reading.bar_opened_at:%Y-%m-%d %H:%M}Z"
    )
    print_table(
        ("axis", "label", "confidence", "for bars", "probabilities", "filter's share"),
        [
            (
                axis.axis.value,
                axis.label,
                _percent(axis.confidence),
                axis.age_bars,
                "  ".join(f"{name} {_percent(share) or '-'}" for name, share in axis.probabilities.items()),
                _percent(axis.filter_weight),
            )
            for axis in reading.axes
        ],
        numbers=("confidence", "for bars", "filter's share"),
    )
    for axis in reading.axes:
        if UNKNOWN not in (axis.label, axis.likeliest) and axis.label != axis.likeliest:
            likely = _percent(axis.probabilities[axis.likeliest])
            say(
                f"{axis.axis.value}: {axis.likeliest} is likelier ({likely}), and a switch has not earned its price; "
                "a lower decision.stability follows sooner"
            )
    state = reading.state
    if state.states == 0:
        say("filter: too few bars for a first fit")
    elif reading.no_regimes_here:
        say("filter: no regimes here; volatility that clusters explains these bars as well or better")
    else:
        hazard = "-" if state.hazard is None else f"{state.hazard:.1%}"
        say(
            f"filter: state {state.state + 1} of {state.states}, for {state.age_bars} bars, left with the next bar "
            f"with {hazard}; fit {state.model_id} on {state.fitted_bars:,} bars"
        )
    if reading.alarm is not None:
        say(f"alarm: {reading.alarm:.0%} that the filter stopped fitting in the last bars")
    if reasons:
        print_table(
            ("component", "axis", "value", "score", "weight", "not used because"),
            [
                (
                    each.component,
                    each.axis.value,
                    None if each.value is None else f"{each.value:.4g}",
                    None if each.score is None else f"{each.score:+.2f}",
                    f"{each.weight:g}",
                    each.missing or None,
                )
                for each in reading.evidence
            ],
            numbers=("value", "score", "weight"),
        )


def show_dial(prices: tuple[DialPrice, ...], stability: float | None) -> None:
    """What each position costs."""
    from magellan.surfaces.cli.output import print_table

    print_table(
        ("stability", "right, of the best", "late by bars", "wrong switches", "switches"),
        [
            (
                f"{each.stability:g}" + (" (yours)" if each.stability == stability else ""),
                f"{each.share_of_best:.1%}",
                f"{each.delay_median_bars:.0f}",
                f"{each.wrong_switches:.1f}",
                f"{each.switches:.1f}",
            )
            for each in prices
        ],
        title="The price of stability, on bars that your own fit makes; switches per 1,000 bars",
        numbers=("right, of the best", "late by bars", "wrong switches", "switches"),
    )


def _percent(share: float | None) -> str | None:
    return None if share is None else f"{share:.0%}"
