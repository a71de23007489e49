"""Page: the frame of a report. One file, nothing fetched, the same bytes for the same content."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from magellan.backtest.report.html import Markup, element, escaped
from magellan.errors import AskOperator

# The browser itself is told to fetch nothing: not even a mistake of ours can make a report call home.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)


def page(*, title: str, sections: list[tuple[str, str, Markup]], top: Markup, data: dict[str, Any]) -> str:
    """A whole document.

    title:    of the browser's tab, and of the bar at the top.
    sections: anchor, name in the bar at the top, and content; in order.
    top:      what stands above the sections.
    data:     what the page's script draws from; has to be JSON.
    """
    links = [element("a", name, href=f"#{anchor}") for anchor, name, _ in sections]
    bodies = [
        element("section", [element("h2", name), content], id=anchor) for anchor, name, content in sections
    ]
    bar = element("nav", [element("strong", title), element("span", links)], aria_label="Sections")
    main = element("main", [top, *bodies])
    without_script = element(
        "noscript",
        element(
            "p", "Charts and the table of trades need JavaScript; everything else is here.", class_="banner"
        ),
    )
    # One string, put together once: five megabytes of script should not be copied per element.
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
            f"<style>\n{_own('report.css')}</style>",
            "</head>",
            "<body>",
            bar,
            without_script,
            main,
            f'<script id="data" type="application/json">{script_json(data)}</script>',
            f"<script>{plotly_script()}</script>",
            f"<script>\n{_own('report.js')}</script>",
            "</body>",
            "</html>",
            "",
        )
    )


def script_json(data: dict[str, Any]) -> str:
    """JSON that may stand inside a script element: no "<" that could end it."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def plotly_script() -> str:
    """Plotly's own script, as its Python package ships it.

    Read without importing the package, which would take longer than the whole report.
    """
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise AskOperator("plotly is not installed", next_step="install Magellan again")
    path = Path(found.origin).parent / "package_data" / "plotly.min.js"
    try:
        script = path.read_text(encoding="utf-8")
    except OSError as error:
        raise AskOperator(
            f"Plotly's script cannot be read: {error}", next_step="install plotly again"
        ) from error
    assert "</script" not in script.lower(), "Plotly's script would end its own element"
    return script


@cache
def _own(name: str) -> str:
    return resources.files("magellan.backtest.report").joinpath(name).read_text(encoding="utf-8")
