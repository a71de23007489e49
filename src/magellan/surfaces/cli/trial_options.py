"""The options that `sweep` and `walkforward` share: which parameter sets are tried, and where the work is done."""

from __future__ import annotations

from typing import Annotated

import typer

GridOption = Annotated[
    list[str] | None,
    typer.Option(
        "--grid",
        metavar="NAME=VALUES",
        help="Try every value, with every value of the other grids: rsi_period=10,14,21 or upper=55:65:2.5. "
        "Repeatable.",
    ),
]
RandomOption = Annotated[
    int | None, typer.Option("--random", metavar="N", help="Draw N sets from the ranges instead.")
]
RangeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--range",
        metavar="NAME=RANGE",
        help="With --random: where to draw from, rsi_period=5:40 or side=long,short. Repeatable.",
    ),
]
SeedOption = Annotated[
    int, typer.Option("--seed", metavar="N", help="Of the draws: the same seed gives the same sets.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", metavar="N", min=1, help="Work on so many cores; default: all.")
]
ClusterOption = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Work on a Dask cluster: tcp://HOST:8786, or local:2 for two processes here.",
    ),
]
ResumeOption = Annotated[
    bool, typer.Option("--resume", help="Go on from where the same command was interrupted.")
]
