"""The accounts file: which key pairs there are, and how their accounts are opened."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from magellan.errors import FixInput
from magellan.exchange.server.accounts import KnownAccount
from magellan.exchange.server.key_ring import KeyPair
from magellan.exchange.venue.terms import AccountTerms


class _Account(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    key_id: str = Field(min_length=1, max_length=128)
    secret_key: str = Field(min_length=1, max_length=256)
    cash_usd: Decimal = Field(Decimal(100_000), ge=0, le=10**12)
    multiplier: Literal[1, 2, 4] = 4
    shorting: bool = True
    fractional_trading: bool = True
    options_level: Literal[0, 1, 2, 3] = 3
    account_number: str | None = None
    pattern_day_trader: bool = False


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    accounts: tuple[_Account, ...] = Field(min_length=1)

    @field_validator("accounts")
    @classmethod
    def _must_be_told_apart(cls, accounts: tuple[_Account, ...]) -> tuple[_Account, ...]:
        seen: set[str] = set()
        for account in accounts:
            if account.key_id in seen:
                raise ValueError(f"the key id {account.key_id} stands there twice")
            seen.add(account.key_id)
        numbers = [account.account_number for account in accounts if account.account_number]
        for number in numbers:
            if numbers.count(number) > 1:
                raise ValueError(f"the account number {number} stands there twice")
        return accounts


def read_accounts_file(path: Path) -> tuple[KnownAccount, ...]:
    """The accounts in a file. Raises FixInput naming the file, the place of the mistake and the accepted names.

    What stands at the place is never told: it may be a secret.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FixInput(
            f"the accounts file {path} cannot be read: {error.strerror}",
            next_step="name a file that is there",
        ) from error
    except UnicodeDecodeError as error:
        raise FixInput(
            f"the accounts file {path} is no text in UTF-8",
            next_step="save it as UTF-8, or name another file",
        ) from error
    except json.JSONDecodeError as error:
        raise FixInput(
            f"{path}, line {error.lineno}, column {error.colno}: this is no JSON: {error.msg}"
        ) from None
    try:
        # Strict, and from JSON: a number written as text is a mistake, an amount may be either.
        file = _File.model_validate_json(json.dumps(document))
    except ValidationError as error:
        raise FixInput(
            f"{path}: "
            + "; ".join(_told(each["loc"], each["type"], each["msg"]) for each in _first_of(error)),
            next_step='write it like {"accounts": [{"key_id": "PK1", "secret_key": "...", "cash_usd": "100000"}]}',
        ) from None
    return tuple(
        KnownAccount(
            pair=KeyPair(key_id=each.key_id, secret=each.secret_key),
            terms=AccountTerms(**each.model_dump(exclude={"key_id", "secret_key"})),
        )
        for each in file.accounts
    )


def _first_of(error: ValidationError) -> list[ErrorDetails]:
    """The first mistakes, without what only follows from them: that the list has no account which is right."""
    found = error.errors()
    inside = [each for each in found if len(each["loc"]) > 1]
    return (inside or found)[:5]


def _told(location: tuple[int | str, ...], kind: str, message: str) -> str:
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(
        "."
    )
    model = _Account if len(location) > 1 else _File
    if kind == "extra_forbidden":
        message = f"there is no such key; accepted are {', '.join(model.model_fields)}"
    elif kind == "missing":
        message = "this key is required"
    elif kind == "too_short":
        message = "it should name an account at least"
    words = message.removeprefix("Value error, ").replace("Input should be ", "it should be ")
    return f"{place or 'the file'}: {words}"
