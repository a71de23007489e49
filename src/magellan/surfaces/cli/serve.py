"""`magellan serve`."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from magellan.surfaces.cli.options import JsonOption, WorkspaceOption, workspace_folder

LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where to listen; 0: a free port.")
    ] = 8932,
    host: Annotated[str, typer.Option("--host", help="The address to listen on.")] = "127.0.0.1",
    expose_to_network: Annotated[
        bool,
        typer.Option(
            "--expose-to-network", help="Allow a --host that other machines reach; there is no encryption."
        ),
    ] = False,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="A further name by which callers reach it. Repeatable."),
    ] = None,
    rate_limit: Annotated[
        float, typer.Option("--rate-limit", min=1, metavar="N", help="Requests a second and token.")
    ] = 50.0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the HTTP API of the workspace, until Ctrl-C.

    It listens on this machine alone, and answers nobody without a token: one
    of `magellan token issue`, or the one in BOT_API_AUTH_TOKEN. What it can do
    is in /api/openapi.json.
    """
    import gc
    from datetime import UTC, datetime

    from magellan.adapters.missing_extra import extra_missing
    from magellan.errors import FixInput
    from magellan.usecases.api_access import ENVIRONMENT_TOKEN, must_be_closed
    from magellan.wiring.records import api_tokens
    from magellan.workspace.workspace import Workspace

    if host not in LOOPBACK and not expose_to_network:
        raise FixInput(
            f"{host} can be reached by other machines, and nothing on the way is encrypted",
            next_step="leave --host out and put a proxy with TLS before it, or add --expose-to-network",
        )
    opened = Workspace.at(workspace_folder(workspace))
    tokens = api_tokens(opened)
    must_be_closed(tokens.tokens(), os.environ.get(ENVIRONMENT_TOKEN, ""), datetime.now(UTC))
    try:
        import uvicorn

        from magellan.surfaces.http.app import create_app
        from magellan.surfaces.http.desk import ApiDesk
        from magellan.surfaces.http.limits import Limits
        from magellan.surfaces.http.serving import BoundedHttp, Serving, listening
    except ImportError as error:
        raise extra_missing("serve", error) from error
    known = Limits().hosts | {host.lower(), *(each.lower() for each in name or ())}
    desk = ApiDesk(
        workspace=opened,
        tokens=tokens,
        limits=Limits(per_second=rate_limit, burst=int(4 * rate_limit), hosts=known),
    )
    config = uvicorn.Config(
        create_app(desk), host=host, port=port, log_config=None, access_log=False, server_header=False,
        timeout_graceful_shutdown=5, limit_concurrency=1000, ws_max_size=65_536, http=BoundedHttp,
    )  # fmt: skip
    # What is there by now stays until the end: to look through it for garbage would let answers wait for 30 ms.
    gc.collect()
    gc.freeze()
    Serving(config, as_json=as_json).run(sockets=[listening(host, port)])
