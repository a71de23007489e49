"""Who may use the HTTP API: issue, rotate, revoke and recognise tokens."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from magellan.errors import FixInput
from magellan.ports.api_tokens import ApiToken, ApiTokens, Scope

ENVIRONMENT_TOKEN: Final = "BOT_API_AUTH_TOKEN"
TOKEN_BYTES: Final = 32
LONGEST: Final = timedelta(days=36_500)
SHORTEST_TOKEN: Final = 24
"""Letters of a token that somebody made up: with fewer it could be guessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, by the token that was shown."""

    name: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A new token. The token itself is nowhere else, and cannot be shown again."""

    token: str
    kept: ApiToken
    replaced_until: datetime | None  # until when the one of the same name stays good; None: there was none


def issue_token(
    name: str,
    scopes: Iterable[str],
    tokens: ApiTokens,
    *,
    now: datetime,
    overlap: timedelta,
    days: int | None = None,
) -> Issued:
    """A new token. One of the same name is rotated out: it stays good for `overlap`, so that whoever has it can change.

    days:   for which the new one is good; None: until it is revoked.
    Raises: FixInput for a name or a scope that there is not.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_-]{0,39}", name):
        raise FixInput(
            f"'{name}' is no name of a token: small letters, digits, _ and -, beginning with a letter",
            next_step="name whoever will use it, for example dashboard",
        )
    known = [str(scope) for scope in Scope]
    wanted = tuple(scopes)
    unknown = [each for each in wanted if each not in known]
    if unknown or not wanted:
        raise FixInput(
            f"a token has one or more of the scopes {', '.join(known)}, and not {', '.join(unknown) or 'none'}",
            next_step="name them with commas between, for example --scopes read,operate",
        )
    if overlap > LONGEST or (days or 0) > LONGEST.days:
        raise FixInput(
            f"a token is good for {LONGEST.days:,} days at most, and so is one that is rotated out",
            next_step="leave --days out for one that is good until it is revoked",
        )
    token = secrets.token_urlsafe(TOKEN_BYTES)
    new = ApiToken(
        name=name,
        sha256=_digest(token),
        scopes=frozenset(Scope(each) for each in wanted),
        issued_at=now,
        ends_at=None if days is None else now + timedelta(days=days),
    )
    kept, until = [], None
    for each in tokens.tokens():
        if each.name == name and each.is_good(now):
            until = min(now + overlap, each.ends_at or now + overlap)
            kept.append(replace(each, ends_at=until))
        elif each.is_good(now):
            kept.append(each)
    tokens.keep((*kept, new))
    return Issued(token=token, kept=new, replaced_until=until)


def revoke_token(name: str, tokens: ApiTokens) -> int:
    """Let every token of that name open nothing from now on; returns how many. Raises FixInput where there is none."""
    all_of = tokens.tokens()
    left = tuple(each for each in all_of if each.name != name)
    if len(left) == len(all_of):
        known = ", ".join(sorted({each.name for each in all_of})) or "none"
        raise FixInput(f"there is no token '{name}'; there are: {known}")
    tokens.keep(left)
    return len(all_of) - len(left)


def caller_of(shown: str, tokens: Sequence[ApiToken], environment_token: str, now: datetime) -> Caller | None:
    """Who shows that token; None: nobody whom we know. Takes as long for a wrong one as for a right one."""
    digest = _digest(shown)
    found = None
    for each in tokens:
        if hmac.compare_digest(digest, each.sha256) and each.is_good(now):
            found = Caller(name=each.name, scopes=each.scopes)
    if environment_token and hmac.compare_digest(digest, _digest(environment_token)):
        found = Caller(name="environment", scopes=frozenset(Scope))
    return found


def must_be_closed(tokens: Sequence[ApiToken], environment_token: str, now: datetime) -> None:
    """Raises FixInput where nobody could be let in, or a token of the environment is too short."""
    if environment_token and len(environment_token) < SHORTEST_TOKEN:
        raise FixInput(
            f"{ENVIRONMENT_TOKEN} has {len(environment_token)} letters, and at least {SHORTEST_TOKEN} are needed",
            next_step="make one with `magellan token issue`, or with a password manager",
        )
    if not environment_token and not any(each.is_good(now) for each in tokens):
        raise FixInput(
            "there is no token, and the API answers nobody without one",
            next_step=f"issue one with `magellan token issue dashboard`, or set {ENVIRONMENT_TOKEN}",
        )


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
