"""Slack, Discord, Telegram and e-mail, through apprise. Needs the extra `notify`."""

from __future__ import annotations

import logging
import threading
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from pydantic import SecretStr

from magellan.adapters.missing_extra import extra_missing
from magellan.errors import FixInput
from magellan.ledger.known_secrets import KnownSecrets
from magellan.workspace.notification_terms import Channel, Severity

_TIMEOUTS: Final = {"cto": "3", "rto": "4"}  # seconds to connect, and for the answer
_BARE: Final = {"footer": "no", "image": "no", "avatar": "no"}  # apprise's own line and logo below a message
_TYPES: Final = {"info": "info", "warning": "warning", "critical": "failure"}


class AppriseTransport:
    """Keeps `ports.outbox.Transport`.

    Raises FixInput for a secret that is none of the channel's kind, and for the extra that is not installed.
    """

    def __init__(self, name: str, channel: Channel, secret: SecretStr | None) -> None:
        try:
            import apprise
        except ImportError as error:
            raise extra_missing("notify", error) from error
        self._apprise = apprise
        # What apprise tells about a failure may name the address, of which the secret is a part.
        plain = "" if secret is None else secret.get_secret_value()
        self._secrets = KnownSecrets(
            [plain, quote(plain, safe=""), *(each for each in plain.split("/") if len(each) > 7)]
        )
        logger = logging.getLogger("apprise")
        logger.propagate = False
        if not any(isinstance(each, logging.NullHandler) for each in logger.handlers):
            logger.addHandler(logging.NullHandler())
        self._server: Any = apprise.Apprise.instantiate(
            _address(channel, plain), asset=_sender(apprise.AppriseAsset()), suppress_exceptions=True
        )
        if self._server is None:
            raise FixInput(
                f"channel {name}: the secret {channel.secret} is not what {channel.kind} needs",
                next_step="of slack and discord it is the webhook's whole URL, of telegram the bot's token",
            )

    def send(self, severity: Severity, title: str, body: str) -> str:
        """See the port."""
        heard = _Heard()
        logger = logging.getLogger("apprise")
        logger.addHandler(heard)
        try:
            taken = self._server.notify(
                title=title, body=body, notify_type=_TYPES[severity], body_format="text"
            )
        except (OSError, TypeError, ValueError) as error:
            return self._secrets.hidden_in(f"{type(error).__name__}: {error}")
        finally:
            logger.removeHandler(heard)
        if taken:
            return ""
        return self._secrets.hidden_in(" ".join(heard.told)) or "it was not taken"


class _Heard(logging.Handler):
    """What apprise says on this thread: its only word on why it failed."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.told: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.told.append(record.getMessage())


def _sender(asset: Any) -> Any:
    """What apprise calls the program that sends, where a message or its headers name one."""
    asset.app_id = asset.app_desc = "Magellan"
    asset.app_url = ""
    return asset


def _address(channel: Channel, secret: str) -> str:
    if channel.kind in ("slack", "discord"):
        return f"{secret}?{urlencode({**_TIMEOUTS, **_BARE})}"
    if channel.kind == "telegram":
        chats = "/".join(quote(each, safe="-@") for each in channel.to)
        return f"tgram://{quote(secret, safe=':')}/{chats}/?{urlencode(_TIMEOUTS)}"
    assert channel.server is not None and channel.sender is not None, "an email channel has them"
    server = urlsplit(channel.server)
    user = quote(server.username or "", safe="")
    password = f":{quote(secret, safe='')}" if secret else ""
    host = f"{server.hostname}{f':{server.port}' if server.port else ''}"
    scheme = "mailto" if server.scheme == "smtp" else "mailtos"
    mode = {"smtp": "insecure", "smtps": "ssl", "starttls": "starttls"}[server.scheme]
    terms = {
        "from": channel.sender,
        "to": ",".join(channel.to),
        "smtp": server.hostname,
        "mode": mode,
        "format": "text",
        **_TIMEOUTS,
    }
    return f"{scheme}://{user}{password}{'@' if user else ''}{host}?{urlencode(terms)}"
