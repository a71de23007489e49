"""The document by which a target takes calls through Systems Manager, and the plan that stores it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from magellan.plan.plan import OnFailure, Phase, Plan
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, Limits, NotDone, Step

_LIMITS: Final = Limits(timeout_s=60.0, attempts=3)


class Documents(Protocol):
    """The documents of a region. Kept by `adapters/aws/documents.py`."""

    async def text(self, name: str) -> str | None:
        """What its default version says; None: there is none of that name."""
        ...

    async def put(self, name: str, text: str) -> None:
        """Store it, and let calls go by it from now on."""
        ...

    async def remove(self, name: str) -> None:
        """Take it away with all its versions. One that is not there is no error."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PutDocument(Step[Documents]):
    """Store a document, in place of the one before."""

    name: str
    text: str

    @property
    def title(self) -> str:
        return f"store the document {self.name}"

    @property
    def limits(self) -> Limits:
        return _LIMITS

    @property
    def changes(self) -> frozenset[str]:
        return frozenset({f"document/{self.name}"})

    async def check(self, world: Documents, before: Before | None) -> Answer:
        found = await world.text(self.name)
        if found == self.text:
            return Done()
        if before is None:
            return NotDone(before={"text": found})
        if found == before["text"]:
            return NotDone(before=before)
        return (
            Blocked(why=f"somebody has changed {self.name} meanwhile") if found else Begun(why="it is gone")
        )

    async def do(self, world: Documents, before: Before) -> None:
        await world.put(self.name, self.text)

    async def undo(self, world: Documents, before: Before) -> None:
        if before["text"] is None:
            await world.remove(self.name)
        else:
            await world.put(self.name, before["text"])


def document_plan(target: str, name: str, text: str) -> Plan[Documents]:
    """target: as magellan.toml calls it. name, text: of the document."""
    return Plan(
        name=f"store the document of {target}",
        subject=f"document/{target}",
        phases=(Phase(name="document", steps=(PutDocument(name=name, text=text),)),),
        on_failure=OnFailure.UNDO,
        resume_with=f"magellan host document {target} --resume",
        undo_with=f"magellan host document {target} --undo",
    )
