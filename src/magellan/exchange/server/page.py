"""The page at `/`: one file without external resources."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib import resources

from aiohttp import web


@cache
def _page() -> tuple[bytes, str]:
    """The page, and the policy that lets a browser run the page's own script and nothing else."""
    page = resources.files(__package__).joinpath("page.html").read_bytes()
    sources = {
        name: " ".join(
            "'sha256-" + base64.b64encode(hashlib.sha256(part).digest()).decode() + "'"
            for part in re.findall(rf"<{name}>(.*?)</{name}>".encode(), page, re.DOTALL)
        )
        for name in ("script", "style")
    }
    # Styles set by the script itself (element.style) need no permission; only attributes in HTML would.
    policy = (
        f"default-src 'none'; script-src {sources['script']}; style-src {sources['style']}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page, policy


def page_response() -> web.Response:
    """The page, as answered."""
    page, policy = _page()
    return web.Response(
        body=page,
        content_type="text/html",
        charset="utf-8",
        headers={
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
        },
    )
