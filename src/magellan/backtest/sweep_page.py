"""Sweep page: a grid over two parameters as a heat map, in one small HTML file that needs no script and no network."""

from __future__ import annotations

from importlib import resources

import numpy as np

from magellan.backtest.parameter_space import Grid, describe
from magellan.backtest.report.html import Markup, card, element, escaped, facts
from magellan.backtest.report.words import DASH, count, many, number, percent
from magellan.backtest.sweep_result import METRICS, Judgement, SweepResult

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_SHARE_MAX = 55.0  # percent of the colour; more, and text on it is hard to read
_FRACTIONS = frozenset({"return_fraction", "win_rate", "drawdown_fraction_max"})


def has_page(result: SweepResult) -> bool:
    """Whether the sweep is a grid in which exactly two parameters vary."""
    return isinstance(result.space, Grid) and len(_varying(result)) == 2


def sweep_page(result: SweepResult, judgement: Judgement) -> str:
    """The page. The same sweep gives the same bytes."""
    assert has_page(result), "a heat map has two directions"
    manifest = result.manifest.run
    title = f"{manifest.strategy} {manifest.strategy_version}: sweep"
    metric = result.ranking.metric
    parts = [
        element("h1", title),
        element(
            "p",
            f"{', '.join(used.symbol for used in manifest.data)} · {_range(result)} · "
            f"{many(len(result.sets), 'set')} · sweep {result.manifest.sweep_id}",
            class_="muted",
        ),
        *_banners(result),
        *(
            card(_heading(name), _map(result, name))
            for name in dict.fromkeys((metric.name, "return_fraction", "drawdown_fraction_max"))
        ),
        element("h2", "How far the best can be believed"),
        element("div", facts(judgement_facts(result, judgement)), class_="card"),
    ]
    style = resources.files("magellan.backtest.report").joinpath("report.css").read_text(encoding="utf-8")
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escaped(title)}</title>",
            f"<style>\n{style}.heat td.best {{ outline: 2px solid var(--text); outline-offset: -2px; }}</style>",
            "</head>",
            "<body>",
            element("main", parts),
            "</body>",
            "</html>",
            "",
        )
    )


def judgement_facts(result: SweepResult, judgement: Judgement) -> list[tuple[str, str]]:
    """What speaks for and against the best set, name by name."""
    best = result.ranking.best
    beside = judgement.neighbourhood
    found = [
        ("best set", DASH if best is None else result.sets.describe(best)),
        ("sets tried", count(judgement.trials)),
        ("sets without a trade", count(judgement.without_trades)),
        ("sets that traded and lost money", percent(judgement.losing_fraction)),
        ("Sharpe ratio of the best", number(judgement.sharpe_of_best)),
        ("what luck alone would show", number(judgement.sharpe_expected_of_luck)),
        ("deflated Sharpe ratio", percent(judgement.deflated_sharpe)),
    ]
    if beside is not None:
        found.append(
            (
                "the sets beside it",
                f"{beside.shape}: {many(len(beside.neighbours), 'set')}, median {number(beside.median)}, "
                f"worst {number(beside.worst)}",
            )
        )
    found += [(f"{name} is missing", reason) for name, reason in judgement.missing.items()]
    return found


def _heading(metric: str) -> str:
    says = METRICS[metric].says
    return says[0].upper() + says[1:]


def _varying(result: SweepResult) -> list[int]:
    """Which parameters have more than one value among the sets, by place."""
    columns = list(zip(*result.sets.settings, strict=True))
    return [at for at, column in enumerate(columns) if any(value != column[0] for value in column)]


def _map(result: SweepResult, metric: str) -> Markup:
    """A table: the first varying parameter downwards, the second to the right."""
    down, right = _varying(result)
    settings = result.sets.settings
    rows = list(dict.fromkeys(setting[down] for setting in settings))
    columns = list(dict.fromkeys(setting[right] for setting in settings))
    numbers = {(setting[down], setting[right]): at for at, setting in enumerate(settings)}
    values = result.column(metric)
    known = np.abs(values[np.isfinite(values)])
    most = float(known.max(initial=0.0)) or 1.0
    names = result.sets.names
    head = [element("th", f"{names[down]} \\ {names[right]}", scope="col")]
    head += [element("th", _spelled(names[right], value), scope="col") for value in columns]
    body = []
    for row in rows:
        cells = [element("th", _spelled(names[down], row), scope="row")]
        cells += [_cell(result, metric, values, numbers.get((row, column)), most) for column in columns]
        body.append(element("tr", cells))
    table = element("table", [element("thead", element("tr", head)), element("tbody", body)], class_="heat")
    return element("div", table, class_="scroll", tabindex="0")


def _cell(result: SweepResult, metric: str, values: np.ndarray, at: int | None, most: float) -> Markup:
    if at is None:
        return element("td", DASH, title="the strategy's own model refuses this set")
    value = float(values[at])
    described = result.sets.describe(at)
    if not np.isfinite(value):
        why = result.failed.get(at, f"no {metric}: {int(result.summaries['trades'][at])} trades")
        return element("td", DASH, title=f"{described}: {why}")
    good = (value > 0) if METRICS[metric].higher_is_better else False
    classes = ["up" if good else "down"] if value else []
    classes += ["best"] if at == result.ranking.best else []
    share = round(_SHARE_MAX * abs(value) / most)
    return element(
        "td",
        percent(value) if metric in _FRACTIONS else number(value),
        class_=" ".join(classes) or None,
        style=f"--share: {share}%",
        title=f"{described}: {int(result.summaries['trades'][at]):,} trades",
    )


def _spelled(name: str, value: object) -> str:
    return describe((name,), (value,)).partition("=")[2]


def _range(result: SweepResult) -> str:
    data = result.manifest.run.data
    first, last = min(used.first_at for used in data), max(used.last_at for used in data)
    return f"{first:%Y-%m-%d} to {last:%Y-%m-%d}"


def _banners(result: SweepResult) -> list[Markup]:
    if not any(used.generated for used in result.manifest.run.data):
        return []
    return [
        element(
            "div",
            [
                element("strong", "Generated data"),
                "These bars were made by a random generator; the result says nothing about any market.",
            ],
            class_="banner",
            role="note",
        )
    ]
