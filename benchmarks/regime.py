"""Times and memory of the regime model, each in a process of its own, beside the targets that they are held to.

    python benchmarks/regime.py [--out FILE]

minute year    a year of minute bars: features, fits, labels and report from process start; and one more fit. On a busy
               machine the processor's seconds say more (`cold_cpu_s`, with the start of Python; `refit_cpu_s`)
million        1,000,000 bars: a fit of 3 states to returns and wicks, in seconds and in peak memory of the process
online         100,000 bars, one at a time, with all features: the same 20,000 five times, by a new model each time.
               What a bar costs is the least of its five times; of all of them the 99th percentile says as much about
               the machine, as that of a plain loop after each bar shows
service        50 symbols with 20,000 bars each: memory of the process

Machine code is on disk already: the first run of a version compiles it. Bars are generated.

Last known, of 2026-11-22, two cores with a load of 4, before all else on them: a bar costs 8 us, 10 at the 99th
percentile (50 of all, where the plain loop's 12 became 16); the service had 155 MiB; the minute year took 0.88 s
and 1.0 of the processor, 0.023 a refit, and 81 MiB; a fit of a million bars 0.37 s, and 196 MiB.
"""

from __future__ import annotations

import argparse
import gc
import json
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

_ONLINE_BARS = 20_000
_ONLINE_PASSES = 5
_LOOP = 1000  # numbers that the plain loop adds up, in about the time that a bar takes


def minutes(days: int, seed: int = 1) -> Any:
    """Generated bars of one minute, 390 a session, made of the returns of the intraday scenario."""
    from magellan.regime.quality.scenario import scenario
    from magellan.trading.bar import Bars
    from magellan.trading.timeframe import DAY_NS, MINUTE, MINUTE_NS

    made = scenario("intra4", seed, bars=days * 390).bars
    row = np.arange(days * 390, dtype=np.int64)
    return Bars(
        symbol="MINUTES",
        timeframe=MINUTE,
        opened_at_ns=made.opened_at_ns[0] + row // 390 * DAY_NS + row % 390 * MINUTE_NS,
        open=made.open,
        high=made.high,
        low=made.low,
        close=made.close,
        volume=made.volume,
    )


def minute_year() -> dict[str, float]:
    """A year of minute bars, from the imports to the analysis; and one more fit."""
    began = time.perf_counter()
    from magellan.regime.config import RegimeConfig
    from magellan.regime.fitting import fit
    from magellan.usecases.analyse_regime import analyse_regime, run_model
    from magellan.usecases.regime_bars import of_bars

    imported, imported_cpu = time.perf_counter(), time.process_time()
    data = of_bars(minutes(252), "generated", generated=True)
    made, made_cpu = time.perf_counter(), time.process_time()
    analyse_regime(data, RegimeConfig())
    analysed, analysed_cpu = time.perf_counter(), time.process_time()
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    model = run_model(data, RegimeConfig())
    config = RegimeConfig().filter
    window = model.observed.rows(slice(-config.fit_window_bars, None)).copy()
    again, again_cpu = time.perf_counter(), time.process_time()
    fit(window, config, like=model.models[-1])
    return {
        "bars": len(data.bars),
        "imports_s": imported - began,
        "analysis_s": analysed - made,
        "cold_s": imported - began + analysed - made,
        "peak_mib": peak_mib,
        "refit_s": time.perf_counter() - again,
        "cold_cpu_s": imported_cpu + analysed_cpu - made_cpu,
        "refit_cpu_s": time.process_time() - again_cpu,
    }


def million() -> dict[str, float]:
    """A fit of a million bars, returns and wicks."""
    from magellan.regime.config import RegimeConfig
    from magellan.regime.fitting import fit
    from magellan.regime.observed import Observed

    rng = np.random.default_rng(1)
    state = np.cumsum(rng.random(1_000_000) < 0.01) % 3
    scale = np.array([0.006, 0.011, 0.024])[state]
    seen = Observed(
        scale * rng.standard_t(5, 1_000_000), np.log(scale) + 0.5 * rng.standard_normal(1_000_000)
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    began, began_cpu = time.perf_counter(), time.process_time()
    found = fit(seen, RegimeConfig().filter)
    assert found.wicks is not None
    assert found.states == 3, "the fit did not find the states that the returns were made of"
    return {
        "states": found.states,
        "fit_s": time.perf_counter() - began,
        "fit_cpu_s": time.process_time() - began_cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "before_mib": before,
    }


def online() -> dict[str, float]:
    """One bar at a time, with all features, by a model that forgets old bars as a service does."""
    from magellan.regime.bars_needed import bars_needed
    from magellan.regime.config import FilterConfig, RegimeConfig
    from magellan.regime.regime_model import RegimeModel
    from magellan.trading.session import session_columns

    bars = minutes(30 + _ONLINE_BARS // 390 + 1)
    config = RegimeConfig(filter=FilterConfig(fit_window_bars=5000))
    known = len(bars) - _ONLINE_BARS
    first = bars.rows(slice(0, known))
    each = [bars.rows(slice(at, at + 1)) for at in range(known, len(bars))]
    sessions = [session_columns(one) for one in each]
    took, plain = np.empty((_ONLINE_PASSES, _ONLINE_BARS)), np.empty((_ONLINE_PASSES, _ONLINE_BARS))
    gc.collect()
    gc.freeze()  # as a live session does
    for run in range(_ONLINE_PASSES):
        model = RegimeModel("MINUTES", config, keep_bars=bars_needed(config))
        model.extend(first, session_columns(first))
        for at, (one, of_one) in enumerate(zip(each, sessions, strict=True)):
            began = time.perf_counter()
            model.extend(one, of_one)
            taken_in = time.perf_counter()
            sum(range(_LOOP))
            took[run, at], plain[run, at] = taken_in - began, time.perf_counter() - taken_in
    cost = took.min(axis=0)
    return {
        "bars": took.size,
        **{f"cost_p{share:g}_us": float(1e6 * np.percentile(cost, share)) for share in (50.0, 99.0, 99.9)},
        **{f"p{share:g}_us": float(1e6 * np.percentile(took, share)) for share in (50.0, 99.0, 99.9)},
        **{f"plain_p{share:g}_us": float(1e6 * np.percentile(plain, share)) for share in (50.0, 99.0, 99.9)},
    }


def service() -> dict[str, float]:
    """Many symbols in one process."""
    from magellan.regime.bars_needed import bars_needed
    from magellan.regime.config import FilterConfig, RegimeConfig
    from magellan.regime.regime_model import RegimeModel
    from magellan.trading.session import session_columns

    config = RegimeConfig(filter=FilterConfig(fit_window_bars=5000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    models = []
    for seed in range(50):
        bars = minutes(52, seed)
        model = RegimeModel(f"S{seed}", config, keep_bars=bars_needed(config))
        for start in range(0, len(bars), 2000):
            part = bars.rows(slice(start, start + 2000))
            model.extend(part, session_columns(part))
        models.append(model)
    return {
        "symbols": len(models),
        "bars_kept": float(sum(len(model) for model in models)),
        "before_mib": before,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


PARTS = {"minute year": minute_year, "million": million, "online": online, "service": service}


def main() -> None:
    """Run each part in a process of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.part:
        print(json.dumps(PARTS[asked.part]()))
        return
    found: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
    for part in PARTS:
        done = subprocess.run(
            [sys.executable, __file__, "--part", part], check=True, capture_output=True, text=True
        )
        found[part] = json.loads(done.stdout)
        print(f"{part:12} " + "  ".join(f"{name} {value:,.4g}" for name, value in found[part].items()))
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
