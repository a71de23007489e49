"""The page at `/`: three files of ours, which ask the API as every other caller does. They hold nothing to hide."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import resources
from typing import Final

from fastapi import APIRouter, Response

router = APIRouter(include_in_schema=False)

_FILES: Final = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@cache
def _content(name: str) -> bytes:
    return resources.files("magellan.surfaces.http").joinpath("page", name).read_bytes()


def _answers(name: str, kind: str) -> Callable[[], Response]:
    def answers() -> Response:
        return Response(_content(name), media_type=kind, headers={"Content-Security-Policy": _POLICY})

    return answers


for path, (name, kind) in _FILES.items():
    router.add_api_route(path, _answers(name, kind), methods=["GET"])
