"""The guide to live sessions draws the life of an order from the table that the code reads."""

from __future__ import annotations

from pathlib import Path

from magellan.trading.order import LEADS_TO, TRANSITIONS, OrderStatus

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "live.md"


def drawn() -> list[str]:
    """One line per state that is not over: what leads on from it, and what comes too late to."""
    lines = ["| state | leads on | too late |", "|---|---|---|"]
    for state in OrderStatus:
        if state.is_terminal:
            continue
        takes = [event for event in TRANSITIONS[state] if TRANSITIONS[state][event] is not state]
        late = [
            event for event, told in LEADS_TO.items() if told is not None and event not in TRANSITIONS[state]
        ]
        lines.append(f"| {state} | {', '.join(takes)} | {', '.join(late) or 'none'} |")
    return lines


def test_the_guide_draws_the_life_of_an_order_from_its_state_table() -> None:
    assert "\n".join(drawn()) in GUIDE.read_text(), "\n".join(drawn())
