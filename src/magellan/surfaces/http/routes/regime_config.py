"""The regime model's config: read with an ETag, checked, changed as a plan, taken back."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from magellan.errors import FixInput
from magellan.regime.workbook.finding import Finding
from magellan.regime.workbook.json_schema import json_schema
from magellan.regime.workbook.reading import WorkbookValues, template_values
from magellan.surfaces.http.access import Configurer, Desk, Reader
from magellan.surfaces.http.answer import Answer, answer, answer_of_json, example
from magellan.surfaces.http.desk import ApiDesk
from magellan.surfaces.http.etag import etag_matches
from magellan.surfaces.http.problem import Refused
from magellan.surfaces.http.routes.regime import PREFIX
from magellan.surfaces.http.words import Reason
from magellan.usecases.configure_regime import (
    ConfigPlan,
    apply_config,
    settle_config,
    try_config,
    undo_config,
)
from magellan.usecases.regime_workbooks import check_content

router = APIRouter(prefix=f"{PREFIX}/config", tags=["market regime: config"])

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ENDINGS: Final = {"application/json": ".json", "application/toml": ".toml", XLSX: ".xlsx"}
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "description": "A workbook, in one of its three forms.",
        "content": {
            "application/json": {
                "schema": {"type": "object"},
                "example": {"StabilityConfiguration": {"stability": 0.7}},
            },
            "application/toml": {
                "schema": {"type": "string"},
                "example": "[StabilityConfiguration]\nstability = 0.7\n",
            },
            XLSX: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
_PLAN = {
    "etag": "9f…",
    "would_be": "1c…",
    "differences": [{"what": "stability", "before": "0.6", "after": "0.7"}],
    "journal": "",
}


class CheckedWorkbook(BaseModel):
    """What is wrong with a workbook that was sent. It is kept nowhere, and nothing is changed."""

    layout: str = Field(description="1, or 4.0.0 for the older one, which has to be imported.")
    usable: bool
    used: int = Field(description="Parameters and columns that the model reads.")
    unused: int = Field(description="Those that are declared unused.")
    findings: tuple[Finding, ...] = Field(description="Those that refuse the workbook first.")


@router.get(
    "",
    responses={
        200: {
            "headers": {"ETag": {"schema": {"type": "string"}, "description": "Names what the config says."}},
            **example({"StabilityConfiguration": {"stability": 0.6}}, source="workspace")[200],
        },
        304: {"description": "It still says what the given ETag names."},
    },
    response_model=Answer[dict[str, Any]],
)
async def config(
    desk: Desk,
    caller: Reader,
    if_none_match: Annotated[str | None, Header(max_length=200)] = None,
) -> Response:
    """Show the config in force: all sheets, as JSON."""
    headers = {"ETag": desk.regime_etag()}
    if if_none_match is not None and etag_matches(if_none_match, headers["ETag"], weakly=True):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    now = desk.now()
    return answer_of_json(desk.regime_document(), source="workspace", as_of=now, now=now, headers=headers)


@router.get(
    "/schema",
    responses=example({"$schema": "https://json-schema.org/draft/2020-12/schema"}, source="this version"),
)
async def schema(desk: Desk, caller: Reader) -> Answer[dict[str, Any]]:
    """Show the JSON Schema of a config."""
    return answer(json_schema(), source="this version", as_of=desk.now(), now=desk.now())


@router.get(
    "/template.xlsx",
    response_class=Response,
    responses={
        200: {
            "description": "A spreadsheet.",
            "content": {XLSX: {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
def template(
    desk: Desk,
    caller: Reader,
    in_force: Annotated[bool, Query(description="With the values in force, not the defaults.")] = False,
) -> Response:
    """Download a workbook to fill in."""
    values = desk.regime_values() if in_force else template_values()
    return Response(
        desk.workbooks.form(values, ending=".xlsx"),
        media_type=XLSX,
        headers={"Content-Disposition": 'attachment; filename="regime.xlsx"'},
    )


@router.post(
    "/check",
    openapi_extra=_BODY,
    responses=example({"layout": "1", "usable": True, "findings": []}, source="request"),
)
async def check(desk: Desk, caller: Reader, request: Request) -> Answer[CheckedWorkbook]:
    """Check a workbook: every mistake with its sheet and cell. Nothing is changed, and it is kept nowhere."""
    name, body = _name(request), await request.body()
    checked = await run_in_threadpool(check_content, body, desk.workbooks, name=name)
    return answer(
        CheckedWorkbook(
            layout=checked.layout,
            usable=checked.is_usable,
            used=checked.fields.used,
            unused=checked.fields.unused,
            findings=checked.findings,
        ),
        source="request",
        as_of=desk.now(),
        now=desk.now(),
    )


@router.post("", openapi_extra=_BODY, responses=example(_PLAN, source="workspace"))
async def change(
    desk: Desk,
    caller: Configurer,
    request: Request,
    dry_run: Annotated[
        bool, Query(description="Show the differences and the plan, and change nothing.")
    ] = True,
    if_match: Annotated[
        str | None, Header(max_length=200, description="The ETag of the config that is changed.")
    ] = None,
    x_reason: Reason = "",
) -> Answer[ConfigPlan]:
    """Change the config, or, as it is without `dry_run=false`, only show what would be changed.

    A change names the ETag of the config that it changes, so that nobody's work is lost. What is answered names the
    journal that takes it back.
    """
    name, body = _name(request), await request.body()
    wanted = await run_in_threadpool(_usable, desk, body, name)
    configuring = desk.configuring(caller.name)
    if dry_run:
        return answer(
            await try_config(wanted, configuring), source="workspace", as_of=desk.now(), now=desk.now()
        )
    await settle_config(configuring)
    in_force = desk.regime_etag()
    if if_match is None:
        raise Refused(
            HTTPStatus.PRECONDITION_REQUIRED, "no-etag", "a change names the config that it changes",
            fix=f"send a header: If-Match: {in_force}",
        )  # fmt: skip
    if not etag_matches(if_match, in_force, weakly=False):
        raise Refused(
            HTTPStatus.PRECONDITION_FAILED, "old-etag", "the config in force is another one by now",
            fix="read it again with GET, and make the change anew",
        )  # fmt: skip
    changed = await apply_config(wanted, configuring, why=x_reason or "by the API")
    return answer(changed, source="workspace", as_of=desk.now(), now=desk.now())


@router.post(
    "/undo/{journal}",
    responses=example({**_PLAN, "journal": "20260120T143100000000Z-regime-config"}, source="workspace"),
)
async def undo(
    desk: Desk,
    caller: Configurer,
    journal: Annotated[
        str, Path(max_length=200, pattern=r"^[\w.-]+$", examples=["20260120T143100000000Z-regime-config"])
    ],
    x_reason: Reason = "",
) -> Answer[ConfigPlan]:
    """Take the newest change of the config back: the file is again what it was, byte for byte. Then the one before."""
    configuring = desk.configuring(caller.name)
    await settle_config(configuring, but=journal)
    taken_back = await undo_config(journal, configuring, why=x_reason or "by the API")
    return answer(taken_back, source="workspace", as_of=desk.now(), now=desk.now())


def _name(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    ending = _ENDINGS.get(kind)
    if ending is None:
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "wrong-form", f"'{kind}' is no form of a workbook",
            fix=f"send one of {', '.join(_ENDINGS)}",
        )  # fmt: skip
    return f"request{ending}"


def _usable(desk: ApiDesk, body: bytes, name: str) -> WorkbookValues:
    checked = check_content(body, desk.workbooks, name=name)
    if checked.values is None or not checked.is_usable:
        first = checked.findings[0]
        raise FixInput(
            f"{len(checked.findings)} findings, the first at {first.place}: found {first.found}, "
            f"expected {first.expected}",
            kept="the config in force",
            next_step=f"see all of them with POST {PREFIX}/config/check",
        )
    return checked.values
