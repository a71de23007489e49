"""The page that shows a scan: what is in the tree, its import graph, what is broken. One file, opens offline."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

from magellan.backtest.report.html import Column, Content, Markup, element, escaped, facts, table
from magellan.backtest.report.page import plotly_script, script_json
from magellan.migration.categories.judge import Judged
from magellan.migration.scan.report import summary_rows
from magellan.migration.scan.scan import Scan

_EDGES_DRAWN: Final = 6000
_ROWS: Final = 400
_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
_STYLE: Final = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 76rem; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
h1 { font-size: 1.5rem; } h2 { margin-top: 2.5rem; font-size: 1.15rem; }
nav a { margin-right: 1rem; } a { color: inherit; }
#graph { height: 46rem; }
.scroll { overflow: auto; max-height: 40rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .2rem .9rem .2rem 0; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
tbody tr { border-top: 1px solid #8884; } tbody th { font-weight: normal; font-family: ui-monospace, monospace; }
.facts div { display: flex; gap: 1rem; } .facts dt { min-width: 18rem; } .facts dd { margin: 0; }
input { font: inherit; padding: .3rem .6rem; width: 22rem; margin-bottom: .5rem; }
"""
_SCRIPT: Final = """
const data = JSON.parse(document.getElementById("data").textContent);
const ink = getComputedStyle(document.body).color;
Plotly.newPlot("graph", data.traces, {
  paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: ink }, hovermode: "closest",
  margin: { l: 0, r: 0, t: 10, b: 0 }, xaxis: { visible: false }, yaxis: { visible: false, scaleanchor: "x" },
}, { displaylogo: false, responsive: true });
const box = document.getElementById("find");
box.addEventListener("input", () => {
  for (const row of document.querySelectorAll("#files tbody tr")) {
    row.hidden = !row.textContent.toLowerCase().includes(box.value.toLowerCase());
  }
});
"""


def scan_page(scan: Scan) -> str:
    """The page as HTML; the same scan gives the same bytes."""
    sections: list[tuple[str, str, Content]] = [
        ("sum", "In short", facts(summary_rows(scan))),
        ("imports", "Who imports whom", element("div", "", id="graph")),
        ("causes", "What cannot be imported", _causes(scan)),
        ("files", "Files", _files(scan)),
        ("circles", "Circles of imports", _groups(scan.circles)),
        ("copies", "The same bytes", _groups(scan.copies)),
        ("near", "Nearly the same", _near(scan)),
        ("found", "Found besides", _found(scan)),
    ]
    links = [element("a", name, href=f"#{anchor}") for anchor, name, _ in sections]
    bodies = [
        element("section", [element("h2", name), escaped(content)], id=anchor)
        for anchor, name, content in sections
    ]
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<title>What is in this tree</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            element("h1", "What is in this tree"),
            element("nav", links),
            *bodies,
            f'<script id="data" type="application/json">{script_json({"traces": _traces(scan)})}</script>',
            f"<script>{plotly_script()}</script>",
            f"<script>{_SCRIPT}</script>",
            "</body>",
            "</html>",
            "",
        )
    )


def _traces(scan: Scan) -> list[dict[str, Any]]:
    """Files as points, those of a category together on a disc of their own; imports as lines between them."""
    judged = {each.path: each for each in scan.judged}
    tied = [path for path in sorted(scan.graph.imports) if _is_tied(path, scan)]
    groups: dict[str, list[str]] = defaultdict(list)
    for path in tied:
        groups[_group(judged[path])].append(path)
    at = _places(groups)
    xs: list[float | None] = []
    ys: list[float | None] = []
    edges = [(path, target) for path in tied for target in sorted(scan.graph.imports[path])]
    for path, target in edges[:_EDGES_DRAWN]:
        if target in at:
            xs += [at[path][0], at[target][0], None]
            ys += [at[path][1], at[target][1], None]
    lines = {
        "type": "scattergl", "mode": "lines", "x": xs, "y": ys, "name": f"imports ({len(edges):,})",
        "line": {"width": 0.6, "color": "rgba(128,128,128,0.35)"}, "hoverinfo": "skip",
    }  # fmt: skip
    points = [
        {
            "type": "scattergl", "mode": "markers", "name": f"{name} ({len(paths)})",
            "x": [at[path][0] for path in paths], "y": [at[path][1] for path in paths], "text": paths,
            "hovertemplate": "%{text}<extra></extra>",
            "marker": {"size": [6 + 2 * math.log2(1 + len(scan.graph.imported_by.get(path, ()))) for path in paths]},
        }
        for name, paths in sorted(groups.items())
    ]  # fmt: skip
    return [lines, *points]


def _is_tied(path: str, scan: Scan) -> bool:
    return bool(scan.graph.imports[path] or scan.graph.imported_by.get(path))


def _group(judged: Judged) -> str:
    return judged.category if judged.category is not None and judged.is_sure else "not decided"


def _places(groups: dict[str, list[str]]) -> dict[str, tuple[float, float]]:
    """A sunflower for each group, the groups on a circle: it needs no iterations, and is the same every time."""
    golden = math.pi * (3 - math.sqrt(5))
    radii = {name: math.sqrt(len(paths)) for name, paths in groups.items()}
    around = sum(2.4 * radius + 1 for radius in radii.values()) / (2 * math.pi)
    found = {}
    walked = 0.0
    for name, paths in sorted(groups.items()):
        walked += 1.2 * radii[name] + 0.5
        angle = walked / around if around else 0.0
        walked += 1.2 * radii[name] + 0.5
        for number, path in enumerate(paths):
            out = math.sqrt(number)
            found[path] = (
                round(around * math.cos(angle) + out * math.cos(number * golden), 2),
                round(around * math.sin(angle) + out * math.sin(number * golden), 2),
            )
    return found


def _causes(scan: Scan) -> Content:
    if scan.activation is None:
        return element("p", "No import was tried.")
    told = element("p", f"How it was tried: {scan.activation.isolation.means}.")
    rows = [
        (each.what, str(len(each.breaks)), each.next_step, ", ".join(each.breaks[:3]))
        for each in scan.activation.causes
    ]
    columns = (
        Column(heading="cause"),
        Column(heading="breaks", kind="number"),
        Column(heading="what to do"),
        Column(heading="for example"),
    )
    return [told, table(columns, rows[:_ROWS])]


def _files(scan: Scan) -> Content:
    columns = (
        Column(heading="file"),
        Column(heading="kind"),
        Column(heading="category"),
        Column(heading="confidence", kind="number"),
        Column(heading="why"),
    )
    rows = [
        (
            file.path.encode("utf-8", "backslashreplace").decode(),
            str(file.kind),
            judged.category or "",
            f"{judged.confidence:.0%}",
            "; ".join([*([file.problem] if file.problem else []), *judged.reasons]),
        )
        for file, judged in zip(scan.files, scan.judged, strict=True)
    ]
    box = element("input", id="find", type="search", placeholder="find in files", aria_label="find in files")
    counts = Counter(_group(each) for each in scan.judged)
    told = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    return [element("p", told), box, table(columns, rows)]


def _groups(groups: Sequence[Sequence[str]]) -> Markup:
    if not groups:
        return element("p", "None.")
    columns = (Column(heading="files"), Column(heading="how many", kind="number"))
    return table(columns, [(", ".join(group), str(len(group))) for group in groups[:_ROWS]])


def _near(scan: Scan) -> Markup:
    columns = (Column(heading="file"), Column(heading="and"), Column(heading="in common", kind="number"))
    rows = [(pair.one, pair.other, f"{pair.share:.0%}") for pair in scan.near[:_ROWS]]
    return table(columns, rows) if rows else element("p", "None.")


def _found(scan: Scan) -> Markup:
    rows = [
        (each.path.encode("utf-8", "backslashreplace").decode(), each.what) for each in scan.findings[:_ROWS]
    ]
    columns = (Column(heading="file"), Column(heading="what"))
    return table(columns, rows) if rows else element("p", "Nothing.")
