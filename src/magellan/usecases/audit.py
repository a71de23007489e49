"""The audit: the ledger's chains and that of the changes, checked together, against heads that were noted elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from magellan.audit.checkpoint import CHANGES, Checkpoint, ledger_chain, statement
from magellan.errors import FixInput
from magellan.ledger.chain import Broken, Head, Sound
from magellan.ports.change_log import ChangeLog
from magellan.ports.checkpoints import Checkpoints
from magellan.ports.ledger import Ledger
from magellan.ports.release_key import ReleaseKey
from magellan.release.signature import Signature
from magellan.usecases.ledger_queries import EVERYTHING, Wanted, verified


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRow:
    """A change as one row."""

    number: int
    at: datetime
    person: str
    host: str
    action: str
    subject: str
    where: str
    why: str
    result: str
    release: str | None
    evidence: tuple[str, ...]
    note: str
    hash: str


def change_rows(changes: ChangeLog, wanted: Wanted = EVERYTHING) -> Iterator[ChangeRow]:
    """Changes of the dates that are asked for, oldest first. Raises AskOperator at the first break of the chain."""
    for each in changes.changes():
        change = each.change
        if not wanted.has_date(change.at):
            continue
        yield ChangeRow(
            number=each.number,
            at=change.at,
            person=change.by.person,
            host=change.by.host,
            action=change.action,
            subject=change.subject,
            where=change.where,
            why=change.why,
            result=change.result.value,
            release=change.release,
            evidence=change.evidence,
            note=change.note,
            hash=each.hash,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audited:
    """What was checked, and how it stands."""

    chains: Mapping[str, Sound | Broken]  # by name: "changes", "ledger:ACCOUNT"
    checkpoints: int  # signed ones that the chains were held to
    problems: tuple[str, ...]  # of checkpoints that count for nothing

    @property
    def is_sound(self) -> bool:
        return not self.problems and all(isinstance(each, Sound) for each in self.chains.values())


def audit(
    ledger: Ledger,
    changes: ChangeLog,
    checkpoints: Sequence[Checkpoint],
    *,
    trusted_keys: Mapping[str, str],
    noted: Mapping[str, Head] | None = None,
    only: str | None = None,
) -> Audited:
    """Walk every chain, and hold each to what was noted of it.

    checkpoints:  one that no trusted key signed, or that was changed, is a problem and holds nothing.
    trusted_keys: public keys, base64, by the name of whom they belong to.
    noted:        heads, by the name of their chain.
    only:         the name of one chain; None: all of them. A chain without entries, and never noted, is left out.
    """
    trusted: list[Checkpoint] = []
    problems: list[str] = []
    for each in checkpoints:
        signature = Signature(public_key=each.public_key, signature=each.signature)
        problem = signature.problem_with(each.statement, trusted_keys)
        if problem is None:
            trusted.append(each)
        else:
            problems.append(f"the checkpoint of {each.at:%Y-%m-%d %H:%M:%S} UTC: {problem}")
    heads: dict[str, list[Head]] = {}
    for each in trusted:
        for name, head in each.heads.items():
            heads.setdefault(name, []).append(head)
    for name, head in (noted or {}).items():
        heads.setdefault(name, []).append(head)
    known = {ledger_chain(account): account for account in ledger.accounts()}
    found: dict[str, Sound | Broken] = {}
    for name in sorted({*known, *heads} - {CHANGES}) if only is None else {only} - {CHANGES}:
        if name in known:
            found[name] = verified(ledger, known[name], heads.get(name, ()))
        elif any(head.number for head in heads.get(name, ())):
            found[name] = Broken(number=1, reason="all of it is missing: it was noted elsewhere")
    if only in (None, CHANGES):
        log = changes.verify(heads.get(CHANGES, ()))
        if isinstance(log, Broken) or log.head.number:
            found[CHANGES] = log
    return Audited(chains=found, checkpoints=len(trusted), problems=tuple(problems))


def sign_checkpoint(
    ledger: Ledger,
    changes: ChangeLog,
    checkpoints: Checkpoints,
    key: ReleaseKey,
    *,
    trusted_keys: Mapping[str, str],
    clock: Callable[[], datetime],
) -> Checkpoint:
    """Check all chains, and sign where they end.

    clock: now, aware, UTC.
    Raises: FixInput where there is no key that is trusted, or a chain is broken: nobody signs for what does not hold.
    """
    signing = key.key()
    if signing is None:
        raise FixInput(f"there is no key at {key.place}", next_step="make one with `magellan release key`")
    if signing.public_key not in trusted_keys.values():
        raise FixInput(
            f"magellan.toml does not trust the key at {key.place}, so what it signs would count for nothing",
            next_step="`magellan release key` shows the two lines to put there",
        )
    audited = audit(ledger, changes, checkpoints.all(), trusted_keys=trusted_keys)
    heads = {}
    for name, found in audited.chains.items():
        if isinstance(found, Broken):
            raise FixInput(
                f"{name} is broken at entry {found.number}: {found.reason}",
                kept="everything, as it is; nothing was signed",
                next_step="find out what changed it, and restore it from a backup",
            )
        heads[name] = found.head
    at = clock()
    signature = signing.sign_statement(statement(at, heads))
    checkpoint = Checkpoint(
        at=at, heads=heads, public_key=signature.public_key, signature=signature.signature
    )
    checkpoints.add(checkpoint)
    return checkpoint
