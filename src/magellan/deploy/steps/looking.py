"""Looking at instances, as all steps do it: whether they run, whether they are what they should be, and waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from magellan.deploy.host import Host, Installed
from magellan.deploy.instance import Condition, Instance, InstanceLook, Process
from magellan.errors import AskOperator
from magellan.release.manifest import shown

STANDS_BY: Final = frozenset({Condition.READY, Condition.TAKING, Condition.TRADING})
LOOKS_EVERY_S: Final = 0.05
_WORDS_SHOWN: Final = 5  # lines of what a process said last


async def made_ready(host: Host, instance: Instance, config_sha256: str, within_s: float) -> None:
    """Start it, and wait until it stands by. Raises AskOperator with its last words when it does not."""
    await host.start(instance)

    async def ready() -> str:
        look = await host.look(instance.key)
        ended = why_not_running(look)
        if ended:
            raise AskOperator(f"{instance.key} {ended}{last_words_of(look)}")
        if look.condition in STANDS_BY:
            wrong = not_itself(look, instance, config_sha256)
            if wrong:
                raise AskOperator(f"{instance.key} {wrong}")
            return ""
        return str(look.condition or "silent")

    await until(ready, within_s, lambda what: f"{instance.key} was not ready: it is {what}")


async def must_run(host: Host, key: str) -> InstanceLook:
    """How an instance is. Raises AskOperator, with its last words, when it does not run."""
    look = await host.look(key)
    ended = why_not_running(look)
    if ended:
        raise AskOperator(f"{key} {ended}{last_words_of(look)}")
    return look


async def trades(host: Host, key: str) -> bool:
    """Whether an instance trades now."""
    look = await host.look(key)
    return look.condition is Condition.TRADING and not why_not_running(look)


def why_not_running(look: InstanceLook) -> str:
    """Why an instance that should run does not; "": it does."""
    if look.process is Process.ABSENT:
        return "is not there"
    said = look.report.why if look.report is not None and look.condition is Condition.FAILED else ""
    if look.process is Process.ENDED or look.restarts:
        return f"has ended{f': {said}' if said else ''}"
    if look.condition in (Condition.FAILED, Condition.STOPPED):
        assert look.report is not None, "it has a condition"
        return f"has {look.condition}: {look.report.why}"
    return ""


def not_itself(look: InstanceLook, instance: Instance, config_sha256: str) -> str:
    """How what runs differs from what should; "": it is the very same."""
    report = look.report
    if report is None or report.condition is Condition.LOADING:
        return ""
    if report.release_id != instance.release_id:
        return f"runs the release {shown(report.release_id)}, not {shown(instance.release_id)}"
    if report.config_sha256 != config_sha256:
        return f"runs the config {shown(report.config_sha256)}, not {shown(config_sha256)}"
    return ""


def last_words_of(look: InstanceLook) -> str:
    """What it printed before it ended, where it did not say itself why."""
    if look.condition is Condition.FAILED:
        return ""
    return "".join(f"\n    {line}" for line in look.last_words[-_WORDS_SHOWN:])


def not_whole(host: str, label: str, there: Installed) -> str:
    """That a release does not lie on its host as it was put there, in words; "": it does."""
    if there.drift:
        return drifted(host, label, there.drift)
    return "" if there.is_there else f"{host}: the files of {label} are gone"


def drifted(host: str, label: str, drift: tuple[str, ...]) -> str:
    """That a release was edited where it runs, in words."""
    more = f" and {len(drift) - 3} more" if len(drift) > 3 else ""
    return f"{host}: {label} was changed there: {'; '.join(drift[:3])}{more}"


def pid_of(look: InstanceLook) -> int | None:
    """Of the process that reports; None: it has said nothing."""
    return None if look.report is None else look.report.pid


async def until(
    lacking: Callable[[], Awaitable[str]],
    within_s: float,
    words: Callable[[str], str],
    every_s: float = LOOKS_EVERY_S,
) -> None:
    """Ask until nothing is lacking. Raises AskOperator when it takes longer than that."""
    until_s = elapsed_s() + within_s
    while what := await lacking():
        if elapsed_s() >= until_s:
            raise AskOperator(f"{words(what)}, after {within_s:g} s")
        await asyncio.sleep(every_s)


def elapsed_s() -> float:
    """Seconds that pass as they do, whoever sets the clock."""
    return asyncio.get_running_loop().time()
