"""Which account a person means: by its name in magellan.toml, or by the ledger's."""

from __future__ import annotations

from dataclasses import dataclass

from magellan.errors import AskOperator, FixInput
from magellan.ports.ledger import Ledger
from magellan.workspace.broker_account import BrokerAccount
from magellan.workspace.workspace import WorkspaceSettings


class AccountNotFound(FixInput):
    """No account has that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedAccount:
    """An account, whether or not it has been traded yet."""

    ledger: str  # its name in the ledger
    name: str | None  # in magellan.toml; None for a dry run's, and for one that is not there any more
    terms: BrokerAccount | None


def ledger_name(account: BrokerAccount) -> str:
    """The name under which the ledger keeps an account: its broker and its number, whatever a file calls it."""
    return f"{account.broker}-{account.kind}-{account.number}"


def must_open(told: str, pinned: str) -> None:
    """What the broker calls the account must be the one that magellan.toml pins. Raises FixInput."""
    if told != pinned:
        raise FixInput(
            f"these keys open the account {told}, and magellan.toml pins {pinned}",
            kept="nothing was sent",
            next_step="correct the account's number in magellan.toml, or use the keys of that account",
        )


def known_accounts(settings: WorkspaceSettings, ledger: Ledger) -> tuple[NamedAccount, ...]:
    """Every account of magellan.toml and of the ledger."""
    found = {
        ledger_name(terms): NamedAccount(ledger=ledger_name(terms), name=name, terms=terms)
        for name, terms in settings.accounts.items()
    }
    for account in ledger.accounts():
        found.setdefault(account, NamedAccount(ledger=account, name=None, terms=None))
    return tuple(found.values())


def named_account(settings: WorkspaceSettings, ledger: Ledger, named: str | None) -> NamedAccount:
    """The account that is meant; unnamed, the one whose session runs, or the only one there is.

    What magellan.toml says by itself needs no ledger: a halt and a flatten work while its server is down.
    Raises: FixInput; AskOperator where only the ledger could say which one is meant, and does not answer.
    """
    if named in settings.accounts:
        terms = settings.accounts[named]  # two names may be those of one account
        return NamedAccount(ledger=ledger_name(terms), name=named, terms=terms)
    try:
        return _found_account(settings, ledger, named)
    except AskOperator:
        if named is None and len(settings.accounts) == 1:
            return named_account(settings, ledger, *settings.accounts)
        raise


def _found_account(settings: WorkspaceSettings, ledger: Ledger, named: str | None) -> NamedAccount:
    accounts = known_accounts(settings, ledger)
    known = ", ".join(each.name or each.ledger for each in accounts)
    if named is not None:
        for account in accounts:
            if named == account.ledger:
                return account
        names = [*settings.accounts, *(each.ledger for each in accounts if each.name is None)]
        raise AccountNotFound(
            f"there is no account '{named}'; there are: {', '.join(names) or 'none'}",
            next_step="name one of magellan.toml, or one that `magellan audit list` shows",
        )
    running = [each for each in accounts if ledger.holder(each.ledger) is not None]
    for candidates in (running, accounts):
        if len(candidates) == 1:
            return candidates[0]
    if not accounts:
        raise FixInput(
            "magellan.toml names no account, and the ledger is empty",
            next_step="write a section [accounts.NAME] into magellan.toml; docs/guides/running.md shows one",
        )
    raise FixInput(
        f"there are several accounts: {known}", next_step="say which: --account, or `account` over HTTP"
    )
