"""Roll-out: the plan by which a release takes the place of another, on every host where its strategy trades.

Deploying and rolling back are the same plan: what differs is which release it names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from magellan.deploy.host import Fleet
from magellan.deploy.instance import Instance
from magellan.deploy.source import PutSource
from magellan.deploy.steps.attest import Attest
from magellan.deploy.steps.hand_over import HandOver
from magellan.deploy.steps.install import InstallAnew, InstallRelease
from magellan.deploy.steps.stand_by import Retire, StandBy
from magellan.deploy.steps.watch import AwaitHealth, Watch
from magellan.errors import AskOperator
from magellan.plan.plan import OnFailure, Phase, Plan, PlanDescription
from magellan.plan.step import Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An instance that a host knows already, and the config that it runs."""

    instance: Instance
    config_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One host, the account there that a strategy trades, and what stands there now."""

    host: str
    account: str  # its name in magellan.toml
    ledger_account: str
    armed: str | None  # key of the instance that trades it now
    standing: tuple[Standing, ...]  # instances of this account that the host knows
    halted: str  # why entries are off, before anything is changed; "" where they are not
    tripped: tuple[str, ...] = ()  # breakers that have tripped, before anything is changed
    region: str | None = None  # of a cloud; None: it is in none
    edited: bool = False  # somebody edited the files of the incoming release there, and nobody trades by them


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """The release that is to trade."""

    strategy: str
    stage: str
    release_id: str
    label: str  # `bear_trap-7-1f3a90c2d4e5`
    config_sha256: str
    typed_number: str | None  # of a live account, as a person typed it
    source_sha256: str | None = (
        None  # of its strategy/, where the stage's folder shall hold it; None: it is left alone
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutTerms:
    """How long each part may take, and what takes it back."""

    ready_within_s: float
    hand_over_within_s: float
    healthy_within_s: float
    watch_s: float  # 0: nobody stays beside it
    loss_fraction_max: float
    # Hand over on all hosts at the same time; otherwise one after the other, each seen to be well, and a region is
    # watched before the next one begins.
    at_once: bool


def instance_at(place: Place, incoming: Incoming) -> Instance:
    """What the release is on that host."""
    return Instance(
        strategy=incoming.strategy,
        stage=incoming.stage,
        account=place.account,
        ledger_account=place.ledger_account,
        release_id=incoming.release_id,
        typed_number=incoming.typed_number,
    )


def rollout(
    places: Sequence[Place], incoming: Incoming, terms: RolloutTerms, *, by: str, verb: str = "deploy"
) -> Plan[Fleet]:
    """The plan. Of every account, the instance that traded it before goes on standing by; older ones end.

    places: at least one. by: the person. verb: deploy, roll back or promote, for people.
    """
    # Seconds are written down as 20.0 even where somebody said 20: a plan that is read back must be the same.
    instances = [instance_at(place, incoming) for place in places]
    pairs = list(zip(places, instances, strict=True))
    config = incoming.config_sha256
    old = [
        Retire(
            host=place.host,
            instance=each.instance,
            config_sha256=each.config_sha256,
            within_s=float(terms.ready_within_s),
        )
        for place, instance in pairs
        for each in place.standing
        if each.instance.key not in (instance.key, place.armed)
    ]
    edited = [
        Retire(host=place.host, instance=instance, config_sha256=config, within_s=float(terms.ready_within_s))
        for place, instance in pairs
        if place.edited and instance.key in {each.instance.key for each in place.standing}
    ]
    phases: list[Phase[Fleet]] = [
        _together("end what was edited", edited),
        _together("release", [_install(place, instance, incoming) for place, instance in pairs]),
        _together("make room", old),
        _together(
            "stand by",
            [
                StandBy(
                    host=place.host,
                    instance=instance,
                    config_sha256=config,
                    within_s=float(terms.ready_within_s),
                )
                for place, instance in pairs
            ],
        ),
        Phase(
            name="attest",
            steps=(
                Attest(
                    hosts=tuple(place.host for place in places),
                    instances=tuple(instances),
                    config_sha256=config,
                ),
            ),
        ),
    ]
    if incoming.source_sha256 is not None:
        source = PutSource(
            strategy=incoming.strategy,
            stage=incoming.stage,
            release_id=incoming.release_id,
            files_sha256=incoming.source_sha256,
            label=incoming.label,
        )
        phases.append(Phase(name="source", steps=(source,)))
    phases += _hand_over(pairs, config, terms, by)
    where = f"{incoming.stage}/{incoming.strategy}"
    return Plan(
        name=f"{verb} {incoming.label} to {incoming.stage}",
        subject=where,
        phases=tuple(each for each in phases if each.steps),
        on_failure=OnFailure.UNDO,
        resume_with=f"magellan deploy {incoming.strategy} --to {incoming.stage} --resume",
        undo_with=f"magellan deploy {incoming.strategy} --to {incoming.stage} --undo",
    )


def _install(place: Place, instance: Instance, incoming: Incoming) -> InstallRelease:
    if place.edited:
        return InstallAnew(
            host=place.host, release_id=incoming.release_id, label=incoming.label, instance=instance.key
        )
    return InstallRelease(host=place.host, release_id=incoming.release_id, label=incoming.label)


def _hand_over(
    pairs: Sequence[tuple[Place, Instance]], config_sha256: str, terms: RolloutTerms, by: str
) -> list[Phase[Fleet]]:
    """Each host its account, seen to be well, and watched: one region after the other where there are several."""

    def hand_over(place: Place, instance: Instance) -> Step[Fleet]:
        return HandOver(host=place.host, instance=instance, by=by, within_s=float(terms.hand_over_within_s))

    def health(place: Place, instance: Instance) -> Step[Fleet]:
        return AwaitHealth(
            host=place.host,
            instance=instance,
            config_sha256=config_sha256,
            halted_before=place.halted,
            tripped_before=place.tripped,
            within_s=float(terms.healthy_within_s),
        )

    def watch(place: Place, instance: Instance) -> Step[Fleet]:
        return Watch(
            host=place.host,
            instance=instance,
            config_sha256=config_sha256,
            halted_before=place.halted,
            tripped_before=place.tripped,
            for_s=float(terms.watch_s),
            loss_fraction_max=terms.loss_fraction_max,
        )

    watched = pairs if terms.watch_s > 0 else ()
    if terms.at_once:
        return [
            _together("hand over", [hand_over(*pair) for pair in pairs]),
            _together("health", [health(*pair) for pair in pairs]),
            _together("watch", [watch(*pair) for pair in watched]),
        ]
    regions = tuple(dict.fromkeys(place.region for place, _ in pairs))
    phases = []
    for number, region in enumerate(regions, 1):
        name = f" {region or 'elsewhere'}" if len(regions) > 1 else ""
        steps = [each(*pair) for pair in pairs if pair[0].region == region for each in (hand_over, health)]
        phases.append(Phase(name=f"hand over{name}", steps=tuple(steps)))
        # What began before goes on being watched: a region may fail while the next one is looked at.
        so_far = [watch(*pair) for pair in watched if pair[0].region in regions[:number]]
        phases.append(_together(f"watch{name}", so_far))
    return phases


def rollout_of(recorded: PlanDescription) -> Plan[Fleet]:
    """The plan that a journal holds. Raises AskOperator for one that another version of Magellan wrote."""
    phases: list[Phase[Fleet]] = []
    for phase in recorded.phases:
        steps: list[Step[Fleet]] = [_step(each.kind, each.fields, recorded.name) for each in phase.steps]
        phases.append(
            _together(phase.name, steps) if phase.batch else Phase(name=phase.name, steps=tuple(steps))
        )
    return Plan(
        name=recorded.name,
        subject=recorded.subject,
        phases=tuple(phases),
        on_failure=recorded.on_failure,
        resume_with=recorded.resume_with,
        undo_with=recorded.undo_with,
    )


_KINDS: Final[dict[str, TypeAdapter[Any]]] = {
    kind.__name__: TypeAdapter(kind)
    for kind in (
        InstallRelease,
        InstallAnew,
        StandBy,
        Attest,
        PutSource,
        HandOver,
        AwaitHealth,
        Watch,
        Retire,
    )
}


def _step(kind: str, fields: Any, name: str) -> Step[Fleet]:
    try:
        step: Step[Fleet] = _KINDS[kind].validate_python(fields)
    except (KeyError, ValidationError):
        raise AskOperator(
            f"{name}: this version of Magellan does not know how to go on with its step {kind}",
            kept="everything as it stands",
            next_step="go on with the version that began it; the journal's head names it",
        ) from None
    return step


def _together(name: str, steps: Sequence[Step[Fleet]]) -> Phase[Fleet]:
    """Steps on different hosts do not wait for each other."""
    return Phase(name=name, steps=tuple(steps), batch=True, at_once=max(1, len(steps)))
