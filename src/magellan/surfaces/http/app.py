"""The app: routes over one desk, a door with limits, problems as answers, and an OpenAPI document that says so."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import Depends, FastAPI
from fastapi.openapi.utils import get_openapi

import magellan
from magellan.surfaces.http.access import OPEN, door
from magellan.surfaces.http.desk import ApiDesk
from magellan.surfaces.http.limits import Limiting
from magellan.surfaces.http.parameters import only_known_parameters
from magellan.surfaces.http.problem import PROBLEM_JSON, Problem, answer_problems
from magellan.surfaces.http.quick import Quick
from magellan.surfaces.http.routes import (
    gates,
    health,
    operate,
    page,
    regime,
    regime_config,
    releases,
    research,
    stream,
    summary,
    trading,
)

_ROUTERS: Final = (
    health.router,
    summary.router,
    trading.router,
    operate.router,
    research.router,
    gates.router,
    releases.router,
    regime.router,
    regime_config.router,
    stream.router,
    page.router,
)
_PROBLEMS: Final = {
    "default": "It was not done; the answer says why.",
    "401": "No token, or one that opens nothing.",
    "403": "The token has not the scope that is needed.",
    "422": "What was asked cannot work.",
    "429": "Asked too often.",
}


def create_app(desk: ApiDesk) -> FastAPI:
    """The API of that desk."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        yield
        desk.close()

    app = FastAPI(
        title="Magellan",
        version=magellan.__version__,
        description="Look at what trades, halt and resume it, run backtests, read the market's regime. Every answer "
        "says where it is from and how old it is; every failure what to do.",
        openapi_url="/api/openapi.json",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
        dependencies=[Depends(only_known_parameters)],
    )
    app.state.desk = desk
    for router in _ROUTERS:
        app.include_router(router)
    answer_problems(app)
    app.add_middleware(Quick, desk=desk)
    # No CORS: a page of another origin is told nothing by a browser.
    app.add_middleware(Limiting, limits=desk.limits, let_in=door(desk))
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for path, operations in document["paths"].items():
            for operation in operations.values():
                is_open = path in OPEN
                for status, description in _PROBLEMS.items():
                    if not (is_open and status in ("401", "403")):
                        operation["responses"][status] = {
                            "description": description,
                            "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
                        }
        app.openapi_schema = document
    return app.openapi_schema
