"""The OpenAPI document: complete, and kept by the server for whatever a caller sends.

MAGELLAN_API_EXAMPLES=200 looks longer.
"""

import os
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from magellan.adapters.local.api_tokens import ApiTokenFile
from magellan.surfaces.http.app import create_app
from magellan.surfaces.http.desk import ApiDesk
from magellan.workspace.workspace import Workspace, WorkspaceSettings

EXAMPLES = int(os.environ.get("MAGELLAN_API_EXAMPLES", "5"))
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance, status_code_conformance]
LIVE = "/api/market-regime/stream"  # does not end by itself


@pytest.fixture(scope="module")
def document(server: Any) -> Any:
    return server.ask("/api/openapi.json").json


def test_every_operation_says_what_it_does_and_shows_an_example(document: Any) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            name = f"{method} {path}"
            assert operation["summary"] and operation["description"] and operation["tags"], name
            (content,) = next(
                each["content"] for status, each in operation["responses"].items() if status.startswith("2")
            ).items()
            assert "example" in content[1] or "application/json" not in content[0], name
            if "requestBody" in operation:
                json_body = operation["requestBody"]["content"]["application/json"]
                schema = json_body.get("schema", {})
                named = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
                assert "example" in json_body or "examples" in named, name


def test_every_operation_says_how_it_fails_and_which_token_it_needs(document: Any) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            problem = operation["responses"]["default"]["content"]["application/problem+json"]["schema"]
            assert problem == {"$ref": "#/components/schemas/Problem"}
            assert ("security" in operation) == (path not in ("/api/health", "/api/ready")), path
    assert document["components"]["securitySchemes"]["HTTPBearer"]["scheme"] == "bearer"


def operations() -> dict[str, Any]:
    """{"GET /api/health": how it is called} of every operation, from an app that is never served."""
    nowhere = Workspace(root=Path("nowhere"), settings=WorkspaceSettings())
    app = create_app(ApiDesk(workspace=nowhere, tokens=ApiTokenFile(Path("nowhere"))))
    contract = schemathesis.openapi.from_dict(app.openapi()).exclude(path=LIVE)
    found = [each.ok() for each in contract.get_all_operations()]
    return {f"{each.method.upper()} {each.path}": each for each in found}


OPERATIONS = operations()


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_server_keeps_its_document_whatever_it_is_sent(name: str, server: Any) -> None:
    @given(case=OPERATIONS[name].as_strategy())
    @settings(max_examples=EXAMPLES, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def keeps_it(case: schemathesis.Case) -> None:
        case.call_and_validate(
            base_url=server.url,
            headers={"Authorization": f"Bearer {server.token}"},
            checks=CHECKS,
            timeout=60,
        )

    keeps_it()
