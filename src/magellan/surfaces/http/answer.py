"""What every answer has: where it comes from, and how old it is."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Generic, TypeVar

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

Data = TypeVar("Data")


class Answer(BaseModel, Generic[Data]):
    """An answer. What nobody has told is null, and never made up."""

    model_config = ConfigDict(ser_json_inf_nan="null", arbitrary_types_allowed=True)

    source: str = Field(description="Where the data come from: ledger, archive, workspace, this process.")
    as_of: datetime | None = Field(description="Of what instant they tell, UTC; null: there are none yet.")
    age_s: float | None = Field(description="Seconds from then to the answer, by this machine's clock.")
    data: Data


def answer(data: Data, *, source: str, as_of: datetime | None, now: datetime) -> Answer[Data]:
    """The answer to give. as_of, now: aware, UTC."""
    # A session at a local exchange may live on another day than we do: no age is below 0.
    age_s = None if as_of is None else max(0.0, (now - as_of).total_seconds())
    return Answer[Any](source=source, as_of=as_of, age_s=age_s, data=data)


def answer_of_json(
    data: bytes, *, source: str, as_of: datetime, now: datetime, headers: dict[str, str] | None = None
) -> Response:
    """The same of data that are JSON already: what many ask for is written once, and only its age each time."""
    head = b'{"source":"%s","as_of":"%s","age_s":%.6f,"data":' % (
        source.encode(),
        as_of.isoformat().replace("+00:00", "Z").encode(),
        max(0.0, (now - as_of).total_seconds()),
    )
    return Response(head + data + b"}", media_type="application/json", headers=headers)


def example(data: object, *, source: str = "ledger") -> dict[int | str, dict[str, Any]]:
    """The documentation of an answer, with an example of its data."""
    shown = {"source": source, "as_of": "2026-01-20T14:31:00Z", "age_s": 0.8, "data": data}
    return {200: {"content": {"application/json": {"example": shown}}}}
