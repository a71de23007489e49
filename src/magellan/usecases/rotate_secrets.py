"""Rotate secrets: put new values where the old ones are kept, without a session that misses a beat.

A session that runs keeps the pair with which it began; the next start reads the new one. The old values stay beside the
new ones as NAME__PREVIOUS, so that the way back is there, until nothing that runs can be using them. Only then are they
forgotten here, and revoked at whoever issued them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from pydantic import SecretStr

from magellan.errors import AskOperator, FixInput
from magellan.plan.journal import JournalText
from magellan.plan.plan import OnFailure, Phase, Plan
from magellan.plan.standing import JournalState
from magellan.plan.step import Answer, Before, Begun, Blocked, Done, NotDone, Step
from magellan.ports.secret_ages import SecretAges
from magellan.ports.secrets import SecretStore

PREVIOUS: Final = "__PREVIOUS"


@dataclass(slots=True, kw_only=True)
class SecretChange:
    """What the steps act on: the one place, and the new values, which are nowhere else."""

    store: SecretStore
    ages: SecretAges
    new: Mapping[str, SecretStr] = field(repr=False, default_factory=dict)
    # Raises where the new values do not open what the old ones do; None: nobody can be asked.
    try_out: Callable[[Mapping[str, SecretStr]], Awaitable[None]] | None = None
    tried: bool = False

    def marks(self, names: Sequence[str]) -> dict[str, str | None]:
        """The marks of what the place holds now; None for a name that it does not have."""
        return {name: self._mark(self.store.secret(name)) for name in names}

    def _mark(self, value: SecretStr | None) -> str | None:
        return None if value is None else self.ages.mark(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class TryNewSecrets(Step[SecretChange]):
    """Open with the new values what the old ones open, before anything depends on them."""

    used_by: str
    marks: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"try the new values for {self.used_by}"

    async def check(self, world: SecretChange, before: Before | None) -> Answer:
        return Done() if world.tried else NotDone(before={})

    async def do(self, world: SecretChange, before: Before) -> None:
        assert world.try_out is not None, "only what can be tried has this step"
        await world.try_out(world.new)
        world.tried = True

    async def undo(self, world: SecretChange, before: Before) -> None:
        world.tried = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplaceSecrets(Step[SecretChange]):
    """Put the new values in place of the old ones, which stay beside them."""

    place: str
    names: tuple[str, ...]
    marks: tuple[str, ...]  # of the new values, in the order of the names

    @property
    def title(self) -> str:
        return f"replace {' and '.join(self.names)} in {self.place}"

    @property
    def changes(self) -> frozenset[str]:
        return frozenset(self.names)

    async def check(self, world: SecretChange, before: Before | None) -> Answer:
        now = world.marks(self.names)
        wanted = dict(zip(self.names, self.marks, strict=True))
        if now == wanted:
            return Done()
        if before is None:
            return NotDone(before={"old": now})
        old = before["old"]
        if now == old:
            return NotDone(before=before)
        if all(now[name] in (old[name], wanted[name]) for name in self.names):
            return Begun(why="some of them are replaced")
        return Blocked(why=f"somebody else changed {' or '.join(self.names)} meanwhile")

    async def do(self, world: SecretChange, before: Before) -> None:
        missing = [name for name in self.names if name not in world.new]
        if missing:
            raise FixInput(f"the new value of {', '.join(missing)} is needed to go on")
        values: dict[str, SecretStr | None] = {}
        now = world.marks(self.names)
        for name in self.names:
            if now[name] == before["old"][name]:
                values[name + PREVIOUS] = world.store.secret(name)
        values.update({name: world.new[name] for name in self.names})
        world.store.put(values)

    async def undo(self, world: SecretChange, before: Before) -> None:
        values: dict[str, SecretStr | None] = {}
        now, old = world.marks(self.names), before["old"]
        for name in self.names:
            if now[name] != old[name]:
                kept = world.store.secret(name + PREVIOUS)
                if old[name] is not None and (kept is None or world.ages.mark(kept) != old[name]):
                    raise AskOperator(f"the old {name} is not in {self.place} any more")
                values[name] = kept if old[name] is not None else None
            values[name + PREVIOUS] = None
        world.store.put(values)


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetPrevious(Step[SecretChange]):
    """Forget the old values. They are revoked at their issuer then, so nothing brings them back."""

    place: str
    names: tuple[str, ...]

    @property
    def title(self) -> str:
        return f"forget the old {' and '.join(self.names)} in {self.place}"

    async def check(self, world: SecretChange, before: Before | None) -> Answer:
        left = [name for name in self.names if world.store.secret(name + PREVIOUS) is not None]
        return NotDone(before={}) if left else Done()

    async def do(self, world: SecretChange, before: Before) -> None:
        world.store.put({name + PREVIOUS: None for name in self.names})

    async def undo(self, world: SecretChange, before: Before) -> None:
        raise AskOperator("values that were forgotten cannot be brought back")


def rotation(world: SecretChange, *, used_by: str) -> Plan[SecretChange]:
    """The plan that puts the world's new values in place."""
    names = tuple(sorted(world.new))
    marks = tuple(world.ages.mark(world.new[name]) for name in names)
    return _rotation(world, names, marks, used_by)


def rotation_begun(journal: JournalText, world: SecretChange, *, used_by: str) -> Plan[SecretChange]:
    """The plan of a journal, to go on with it or to take it back. Raises FixInput for other new values than then."""
    (step,) = (
        each for each in JournalState(journal.records).plan.steps if each.kind == ReplaceSecrets.__name__
    )
    names, marks = tuple(step.fields["names"]), tuple(step.fields["marks"])
    for name, mark in zip(names, marks, strict=True):
        if name in world.new and world.ages.mark(world.new[name]) != mark:
            raise FixInput(
                f"the rotation was begun with another new value of {name}",
                kept="both the old value and the one that it was begun with",
                next_step="give the same values again, or take it back with --undo",
            )
    return _rotation(world, names, marks, used_by)


def _rotation(
    world: SecretChange, names: tuple[str, ...], marks: tuple[str, ...], used_by: str
) -> Plan[SecretChange]:
    replace = Phase[SecretChange](
        name="replace", steps=(ReplaceSecrets(place=world.store.place, names=names, marks=marks),)
    )
    phases: tuple[Phase[SecretChange], ...] = (replace,)
    if world.try_out is not None:
        phases = (Phase(name="try", steps=(TryNewSecrets(used_by=used_by, marks=marks),)), replace)
    command = f"magellan secrets rotate {' '.join(names)}"
    return Plan(
        name=f"rotate {' and '.join(names)}",
        subject=f"secrets/{used_by}",
        phases=phases,
        on_failure=OnFailure.UNDO,
        resume_with=f"{command} --resume",
        undo_with=f"{command} --undo",
    )


def forgetting(world: SecretChange, names: Sequence[str], *, used_by: str) -> Plan[SecretChange]:
    """The plan that ends a rotation."""
    chosen = tuple(sorted(names))
    command = f"magellan secrets rotate {' '.join(chosen)} --finish"
    return Plan(
        name=f"forget the old {' and '.join(chosen)}",
        subject=f"secrets/{used_by}",
        phases=(Phase(name="forget", steps=(ForgetPrevious(place=world.store.place, names=chosen),)),),
        on_failure=OnFailure.KEEP,
        resume_with=command,
        undo_with=command,
    )
