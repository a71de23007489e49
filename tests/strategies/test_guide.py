"""The strategies that the guide shows run as they stand there, and do not look ahead."""

import re
from pathlib import Path

import numpy as np
import pytest

from magellan import indicators
from magellan.archive.generated.small_market import small_market
from magellan.backtest.market import Market
from magellan.backtest.replay import Terms
from magellan.backtest.run import replay_strategy, views_of
from magellan.strategy.lookahead import check_lookahead
from magellan.usecases.load_strategy import must_keep_contract, run_code, strategy_class
from magellan.workspace.config import AccountTerms, ExecutionTerms, Limits

GUIDES = Path(__file__).parents[2] / "docs/guides"
SHOWN = re.findall(
    r"^```python\n(.*?)^```", (GUIDES / "writing-a-strategy.md").read_text(), re.MULTILINE | re.DOTALL
)
TERMS = Terms(
    execution=ExecutionTerms(), account=AccountTerms(), limits=Limits(), instruments={}, warmup_bars=0
)


@pytest.mark.parametrize("code", SHOWN, ids=lambda code: re.findall(r"class (\w+)\(Strategy\)", code)[0])
def test_a_strategy_of_the_guide_trades_and_knows_no_future(code: str, tmp_path: Path) -> None:
    file = tmp_path / "strategy.py"
    kind = strategy_class(run_code(code.encode(), file), file)
    must_keep_contract(kind, file)
    traded, read = small_market(2, 3000, symbol="TEST"), small_market(5, 3000, symbol="SPY")
    parameters = kind.Parameters()
    market = Market.of([traded])
    _, replayed = replay_strategy(
        kind(), market, [parameters], TERMS, views=views_of(market, reference=[read])
    )
    assert replayed.trades > 0
    report = check_lookahead(kind(), [traded], {"TEST": parameters}, reference=[read])
    assert report.passed, report.findings


def test_the_guide_lists_every_indicator() -> None:
    listed = (GUIDES / "strategies.md").read_text().split("## Indicators")[1]
    functions = [name for name in indicators.__all__ if name.islower()]
    assert [name for name in functions if not re.search(rf"`{name}\b", listed)] == []


def test_the_guide_names_every_smoothing() -> None:
    listed = (GUIDES / "strategies.md").read_text().split("`smoothing` is never guessed")[1]
    values = np.linspace(1.0, 2.0, 9)
    words = re.findall(r"^\| `([a-z-]+)` \|", listed, re.MULTILINE)
    assert len(words) == 4
    for word in words:
        assert np.isfinite(indicators.smooth(values, 3, word)[-1])  # type: ignore[arg-type]
