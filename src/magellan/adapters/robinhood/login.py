"""A login at Robinhood: OAuth by the SDK, kept where the account's secrets are.

What is kept is one JSON document: who we are registered as, the two tokens, when the first of them ends, and what the
server said about where tokens are renewed. The SDK itself forgets the last two with the process, and would ask for a
person's consent anew where renewing is enough.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from pydantic import SecretStr

from magellan.adapters.missing_extra import extra_missing
from magellan.errors import FixInput

if TYPE_CHECKING:
    import httpx2
    from mcp.client.auth import OAuthClientProvider
    from mcp.shared.auth import AuthorizationCodeResult, OAuthClientInformationFull, OAuthToken

_SCOPE: Final = "internal"  # the only one that its users have seen: reading and trading are one grant
_EARLY_S: Final = 60.0  # before its end, a token is renewed
_NO_CALLBACK: Final = "http://127.0.0.1:9/callback"  # of a session, in which nobody is asked for consent


class LoginPlace(Protocol):
    """Where one account's login is kept."""

    @property
    def name(self) -> str:
        """What a person calls the place."""
        ...

    def read(self) -> SecretStr | None: ...

    def write(self, login: SecretStr | None) -> None: ...


@dataclass(slots=True)
class KeptLogin:
    """Keeps the SDK's `TokenStorage` in a place of ours."""

    place: LoginPlace
    document: dict[str, Any] = field(default_factory=dict, repr=False)

    def load(self) -> bool:
        """Read the place. False: nobody has logged in. Raises FixInput for what cannot be read."""
        kept = self.place.read()
        if kept is None:
            self.document = {}
            return False
        try:
            document = json.loads(kept.get_secret_value())
        except ValueError:
            document = None
        if not isinstance(document, dict) or not {"client", "tokens"} <= document.keys():
            raise FixInput(
                f"the login in {self.place.name} cannot be read",
                next_step="log in again: magellan broker login ACCOUNT",
            )
        self.document = document
        return True

    async def get_tokens(self) -> OAuthToken | None:
        from mcp.shared.auth import OAuthToken

        self.load()  # another process may have renewed it meanwhile
        told = self.document.get("tokens")
        return None if told is None else OAuthToken.model_validate(told)

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.document["tokens"] = tokens.model_dump(mode="json", exclude_none=True)
        self.document["ends_at_s"] = None if tokens.expires_in is None else time.time() + tokens.expires_in
        self._keep()

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        from mcp.shared.auth import OAuthClientInformationFull

        told = self.document.get("client")
        return None if told is None else OAuthClientInformationFull.model_validate(told)

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.document["client"] = client_info.model_dump(mode="json", exclude_none=True)

    def keep_endpoints(self, told: dict[str, Any] | None) -> None:
        """Keep what the server said about where tokens are renewed."""
        self.document["endpoints"] = told
        self._keep()

    def _keep(self) -> None:
        if {"client", "tokens"} <= self.document.keys():
            self.place.write(SecretStr(json.dumps(self.document, sort_keys=True)))


def kept_auth(server: str, kept: KeptLogin, *, account: str) -> httpx2.Auth:
    """What a session authorises its requests with: the kept login, renewed when it is time, and never a new one.

    account: its name in magellan.toml, for what a person is told.
    Raises: FixInput where nobody has logged in, or the extra is not installed. A login that has run out raises it
    later, from the request that finds out.
    """
    if not kept.load():
        raise FixInput(
            f"nobody has logged in to Robinhood for '{account}': {kept.place.name} holds no login",
            next_step=f"log in, in a browser: magellan broker login {account}",
        )

    async def nobody_is_there(url: str) -> NoReturn:
        raise FixInput(
            f"the login to Robinhood of '{account}' has run out, or was taken back there",
            next_step=f"log in again, in a browser: magellan broker login {account}",
        )

    async def never() -> NoReturn:
        raise AssertionError("nobody was asked")

    provider = _provider(server, kept, _NO_CALLBACK, nobody_is_there, never)
    ends_at_s, endpoints = kept.document.get("ends_at_s"), kept.document.get("endpoints")
    if ends_at_s is not None:
        provider.context.token_expiry_time = ends_at_s - _EARLY_S
    if endpoints is not None:
        from mcp.shared.auth import OAuthMetadata

        provider.context.oauth_metadata = OAuthMetadata.model_validate(endpoints)
    return provider


@dataclass(slots=True)
class NewLogin:
    """A login that a person consents to, in a browser."""

    kept: KeptLogin
    provider: OAuthClientProvider

    def keep(self) -> None:
        """Keep where tokens are renewed. The tokens themselves were kept as they came."""
        endpoints = self.provider.context.oauth_metadata
        self.kept.keep_endpoints(
            None if endpoints is None else endpoints.model_dump(mode="json", exclude_none=True)
        )


def new_login(
    server: str,
    place: LoginPlace,
    *,
    callback_url: str,
    show: Callable[[str], Awaitable[None]],
    consented: Callable[[], Awaitable[tuple[str, str | None, str | None]]],
) -> NewLogin:
    """A login from its beginning: registration, consent, tokens. The old one stays until new tokens are there.

    show:      given the address at which a person consents.
    consented: waits for the browser's return; its code, state and issuer.
    """
    kept = KeptLogin(_AsIfEmpty(place))

    async def returned() -> AuthorizationCodeResult:
        from mcp.shared.auth import AuthorizationCodeResult

        code, state, issuer = await consented()
        return AuthorizationCodeResult(code=code, state=state, iss=issuer)

    return NewLogin(kept=kept, provider=_provider(server, kept, callback_url, show, returned))


@dataclass(frozen=True, slots=True)
class _AsIfEmpty:
    """A place whose login is not looked at, only replaced."""

    place: LoginPlace

    @property
    def name(self) -> str:
        return self.place.name

    def read(self) -> SecretStr | None:
        return None

    def write(self, login: SecretStr | None) -> None:
        self.place.write(login)


def _provider(
    server: str,
    kept: KeptLogin,
    callback_url: str,
    show: Callable[[str], Awaitable[None]],
    returned: Callable[[], Awaitable[AuthorizationCodeResult]],
) -> OAuthClientProvider:
    try:
        from mcp.client.auth import OAuthClientProvider
        from mcp.shared.auth import OAuthClientMetadata
    except ImportError as error:
        raise extra_missing("robinhood", error) from error
    from pydantic import AnyUrl

    return OAuthClientProvider(
        server,
        OAuthClientMetadata(
            client_name="Magellan",
            redirect_uris=[AnyUrl(callback_url)],
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
            token_endpoint_auth_method="none",
            scope=_SCOPE,
        ),
        kept,
        redirect_handler=show,
        callback_handler=returned,
    )
