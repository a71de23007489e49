"""One request to a vendor: what is asked again, how long we wait, and what an answer's status means.

Only reading requests pass through here. They change nothing at the vendor's, so each may be repeated.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import urlsplit

from magellan.errors import FixInput
from magellan.ports.vendor import VendorBusy, VendorRefused, VendorUnreachable, VendorUnreadable

_SHOWN_LETTERS = 300  # of a vendor's own words in a message

_Response = TypeVar("_Response")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, however the client library dresses it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often a request is repeated, and how long we wait in between.

    Where the vendor names a time, that is how long. Otherwise the wait doubles from `first_wait_s`, with a
    random part, so that a budget per minute has been refilled when the last attempt is made.
    """

    attempts: int = 7
    first_wait_s: float = 1.0
    longest_wait_s: float = 120.0  # a vendor that names a longer one is told to the user instead
    connect_timeout_s: float = 10.0
    read_timeout_s: float = 60.0  # without a byte of the answer
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    notice: Callable[[str], None] = field(default=lambda _: None)  # told before each wait


def asked(
    vendor: str,
    send: Callable[[], _Response],
    *,
    answer_of: Callable[[_Response], Answer],
    transport_errors: tuple[type[Exception], ...],
    refusal: Callable[[Answer], VendorRefused | None],
    content: Callable[[Any], None],
    secrets: tuple[str, ...],
    patience: Patience,
) -> _Response:
    """Send a request until it is answered, and hand back the answer as the client library knows it.

    send:             sends once; raises one of `transport_errors` when no whole answer came.
    refusal:          the vendor's own meaning of a status of 400 to 499; None for the common one.
    content:          reads the JSON of an answer with status 200; raises VendorUnreadable or VendorRefused
                      where it is not what was asked for.
    secrets:          never appear in a message.
    Raises: VendorRefused, VendorBusy, VendorUnreachable, VendorUnreadable.
    """
    import tenacity

    def once() -> _Response:
        try:
            response = send()
        except transport_errors as error:
            raise _unreachable(vendor, error, secrets) from error
        answer = answer_of(response)
        if answer.status == 200:
            content(_json(vendor, answer))
        else:
            raise _failure(vendor, answer, refusal, secrets, patience.now())
        return response

    def wait_s(state: tenacity.RetryCallState) -> float:
        named_s = _named_wait_s(state)
        if named_s is not None:
            return named_s
        doubling = tenacity.wait_exponential_jitter(multiplier=patience.first_wait_s, max=60.0, jitter=1.0)
        return float(doubling(state))

    def told(state: tenacity.RetryCallState) -> None:
        wait_s = state.next_action.sleep if state.next_action is not None else 0.0
        error = state.outcome.exception() if state.outcome is not None else None
        patience.notice(f"{error.args[0] if error else vendor}; asking again in {wait_s:.0f} s")

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type((VendorBusy, VendorUnreachable)),
        stop=lambda state: (
            state.attempt_number >= patience.attempts
            or (_named_wait_s(state) or 0.0) > patience.longest_wait_s
        ),
        wait=wait_s,
        sleep=patience.sleep,
        before_sleep=told,
        reraise=True,
    )
    return retrying(once)


def checked_base_url(url: str, setting: str) -> str:
    """The address for requests. Raises FixInput for one that would carry a key over the open network."""
    parts = urlsplit(url)
    here = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme == "https" or (parts.scheme == "http" and here):
        return url.rstrip("/")
    raise FixInput(
        f"{setting} is '{url}': a key is only sent over https, or to this machine",
        next_step=f"correct {setting}, or unset it to use the vendor's own address",
    )


def own_words(body: bytes, secrets: tuple[str, ...]) -> str:
    """What the vendor said, in one line: the message in its JSON, or the beginning of anything else."""
    text = body.decode("utf-8", "replace")
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if isinstance(told, dict):
        for name in ("message", "error", "description"):
            if isinstance(told.get(name), str):
                text = told[name]
                break
    for secret in secrets:
        text = text.replace(secret, "***")
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_LETTERS else text[:_SHOWN_LETTERS] + "…"


def _json(vendor: str, answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError as error:
        begins = answer.body[:200].lstrip().lower()
        if begins.startswith(b"<"):
            raise VendorUnreadable(
                f"{vendor} answered with a web page instead of data",
                next_step="check the network (a proxy, a login page) and the vendor's address",
            ) from error
        if begins.startswith((b"{", b"[")):
            raise VendorUnreachable(
                f"{vendor}'s answer ends in the middle, after {len(answer.body)} bytes",
                next_step="run the same command again",
            ) from error
        raise VendorUnreadable(f"{vendor} answered with something that is not JSON") from error


def _failure(
    vendor: str,
    answer: Answer,
    refusal: Callable[[Answer], VendorRefused | None],
    secrets: tuple[str, ...],
    now: datetime,
) -> Exception:
    status, said = answer.status, own_words(answer.body, secrets)
    if status == 429 or status >= 500:
        wait_s = _retry_after_s(answer.headers, now)
        what = "is asked too often" if status == 429 else f"has a fault ({said})"
        asks = "" if wait_s is None else f", and asks us to wait {wait_s:.0f} s"
        return VendorBusy(
            f"{vendor} {what}, status {status}{asks}",
            retry_after_s=wait_s,
            next_step="run the same command again later; it fetches only what is missing",
        )
    if 300 <= status < 400:
        return VendorUnreadable(
            f"{vendor} sends us elsewhere (status {status}); a key is not carried there",
            next_step="check the vendor's address in the settings",
        )
    if answer.body.lstrip().startswith(b"<"):
        said = "a web page"
    return refusal(answer) or VendorRefused(f"{vendor} refuses (status {status}): {said}")


def _unreachable(vendor: str, error: Exception, secrets: tuple[str, ...]) -> VendorUnreachable:
    kind = type(error).__name__
    late = isinstance(error, TimeoutError) or "timeout" in kind.lower()
    what = "did not answer in time" if late else "cannot be reached, or cut the connection"
    said = own_words(str(error).encode(), secrets)
    return VendorUnreachable(
        f"{vendor} {what} ({kind}: {said})",
        next_step="check the network, then run the same command again; it fetches only what is missing",
    )


def _named_wait_s(state: Any) -> float | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error.retry_after_s if isinstance(error, VendorBusy) else None


def _retry_after_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """What `Retry-After` (seconds or a date) or `X-RateLimit-Reset` (seconds since 1970) ask us to wait."""
    named = {name.lower(): value for name, value in headers.items()}
    retry_after = named.get("retry-after", "").strip()
    if retry_after.isdigit():
        return float(retry_after)
    if retry_after:
        try:
            return max(0.0, (parsedate_to_datetime(retry_after) - now).total_seconds())
        except (ValueError, TypeError):
            return None
    reset = named.get("x-ratelimit-reset", "").strip()
    return max(0.0, int(reset) - now.timestamp()) if reset.isdigit() else None
