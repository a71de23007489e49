"""What a request asks for in its address: only what its route knows, and each thing once."""

from __future__ import annotations

from collections import Counter
from difflib import get_close_matches

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import HTTPConnection


async def only_known_parameters(request: HTTPConnection) -> None:
    """Raises RequestValidationError: a parameter that is misspelt would leave its default in force, unnoticed."""
    route = request.scope.get("route")
    if not isinstance(route, APIRoute) or not route.include_in_schema:  # the page takes what a browser adds
        return
    known = [each.alias for each in route.dependant.query_params]
    errors = []
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            near = get_close_matches(name, known, n=1)
            meant = f"is {near[0]} meant?" if near else f"there are: {', '.join(known) or 'none'}"
            wrong = f"there is no such parameter; {meant}"
            errors.append({"type": "unknown", "loc": ("query", name), "msg": wrong})
        elif times > 1:
            errors.append({"type": "twice", "loc": ("query", name), "msg": f"it is given {times} times"})
    if errors:
        raise RequestValidationError(errors)
