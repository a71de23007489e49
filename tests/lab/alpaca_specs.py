"""Alpaca's own OpenAPI documents of its APIs. They are not in this repository: they ship in alpaca-mcp-server."""

import json
import os
from pathlib import Path
from typing import Any

from lab.own_environments import python_with

MCP_SERVER = "alpaca-mcp-server==2.4.0"


def alpaca_spec(name: str) -> Any:
    """The document of that name, from the folder that MAGELLAN_ALPACA_SPECS names, else from the package."""
    named = os.environ.get("MAGELLAN_ALPACA_SPECS")
    if named:
        return json.loads(Path(named, name).read_text(encoding="utf-8"))
    environment = python_with(MCP_SERVER).parents[1]
    (document,) = environment.glob(f"lib/python3*/site-packages/alpaca_mcp_server/specs/{name}")
    return json.loads(document.read_text(encoding="utf-8"))
