"""Measures and identity of a run's report: every metric, what was assumed, and what the run was made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from magellan.backtest.confidence import Confidence
from magellan.backtest.metrics import Metrics
from magellan.backtest.report.assumptions import assumptions_of
from magellan.backtest.report.html import Column, Content, Markup, card, element, facts, table
from magellan.backtest.report.metric_list import METRIC_GROUPS
from magellan.backtest.report.words import DASH, count, day, instant_utc, money, percent
from magellan.backtest.result import BacktestResult
from magellan.workspace.config import StrategyConfig


def metric_tables(metrics: Metrics, sure: Confidence) -> Markup:
    """Every metric, with its interval, or why it is missing."""
    cards = []
    for name, entries in METRIC_GROUPS.items():
        pairs: list[tuple[Content, Content]] = []
        for entry in entries:
            value = getattr(metrics, entry.field)
            shown: Content = entry.text(value)
            if value is None:
                shown = element("span", f"{DASH} ({metrics.missing[entry.field]})", class_="muted")
            pairs.append(([entry.name, element("small", entry.hint)] if entry.hint else entry.name, shown))
        cards.append(card(name, facts(pairs)))
    block = sure.sharpe_daily or sure.win_rate
    method = (
        f"Ranges are {percent(sure.level, 0)} intervals: sessions and trades were drawn again "
        f"{count(block.resamples)} times in blocks (stationary bootstrap, seed {sure.seed})."
        if block is not None
        else "Too little happened for ranges to be estimated."
    )
    reasons = sorted({f"{name}: {why}" for name, why in sure.missing.items()})
    notes = [
        element("p", method, class_="hint"),
        element("p", "Formulas and sources: docs/glossary.md, under the name of each metric.", class_="hint"),
    ]
    if reasons:
        notes.append(
            element(
                "details",
                [
                    element("summary", "Ranges that could not be estimated"),
                    element("ul", [element("li", reason) for reason in reasons], class_="plain hint"),
                ],
            )
        )
    return element("div", [*notes, *cards])


def assumption_list(config: StrategyConfig) -> Markup:
    """What the simulator supposed for this config."""
    rows = [
        element(
            "li",
            [
                assumption.text,
                " ",
                element(
                    "span", "flatters", class_="mark", title="Results come out better than with real money"
                )
                if assumption.flatters
                else "",
                " ",
                element("span", f"docs/assumptions.md, “{assumption.heading}”", class_="muted"),
            ],
        )
        for assumption in assumptions_of(config)
    ]
    return element("div", element("ul", rows, class_="plain"), class_="card")


def identity(result: BacktestResult, metrics: Metrics) -> Markup:
    """What the run was made of, so that it can be made again."""
    manifest = result.manifest
    asked = f"{day(manifest.from_on)} to {day(manifest.to_on)}"
    run = facts(
        [
            ("Run", element("code", manifest.run_id)),
            ("Strategy", f"{manifest.strategy} {manifest.strategy_version}"),
            ("Range asked for", "everything" if manifest.from_on is manifest.to_on is None else asked),
            ("First bar opened", instant_utc(metrics.first_at)),
            ("Last bar closed", instant_utc(metrics.last_at)),
            ("Bars", f"{count(len(result.market))} of {metrics.timeframe}, {count(metrics.bars)} instants"),
            ("Sessions", count(metrics.sessions)),
            ("Starting money", money(metrics.cash_start_usd)),
            ("Code", element("code", manifest.code_sha256)),
            ("Config", element("code", manifest.config_sha256)),
            ("Corporate actions", element("code", manifest.actions_sha256)),
            ("Seed", str(manifest.seed)),
            (
                "Versions",
                ", ".join(f"{name} {version}" for name, version in sorted(manifest.versions.items())),
            ),
        ],
        wide=True,
    )
    sets = table(
        (
            Column(heading="Symbol"),
            Column(heading="Set of bars"),
            Column(heading="Rows", kind="number"),
            Column(heading="First"),
            Column(heading="Last"),
            Column(heading="SHA-256 of the rows used"),
        ),
        [
            (
                used.symbol,
                [used.set_id, " ", element("span", "generated", class_="mark") if used.generated else ""],
                count(used.rows),
                instant_utc(used.first_at),
                instant_utc(used.last_at),
                element("code", used.sha256),
            )
            for used in manifest.data
        ],
    )
    config = element(
        "details",
        [element("summary", "Effective config"), element("pre", element("code", _json(manifest.config)))],
    )
    return element(
        "div",
        [
            card("What fixes this result", run),
            card("Data", sets),
            element("div", config, class_="card"),
            element("footer", "The same manifest gives the same page, byte for byte."),
        ],
    )


def _json(config: Mapping[str, Any]) -> str:
    return json.dumps(config, indent=2, ensure_ascii=False, sort_keys=True)
