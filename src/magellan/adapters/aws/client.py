"""Clients of Amazon's services, and what their refusals mean to a caller. Needs the extra `aws`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from magellan.adapters.missing_extra import extra_missing
from magellan.errors import AskOperator, FixInput, TryAgain

_TIMEOUT_S: Final = 10
_BUSY: Final = frozenset({"InternalServerError", "InternalError", "ServiceUnavailable", "SlowDown"})


def aws_client(service: str, region: str | None, *, address: str | None = None) -> Any:
    """A client of one service.

    region:  None: as AWS's own settings say. address: of a server other than Amazon's.
    Raises:  FixInput without the extra, and where nothing says which region.
    """
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import NoRegionError
    except ImportError as error:
        raise extra_missing("aws", error) from error
    config = Config(
        connect_timeout=_TIMEOUT_S,
        read_timeout=_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    try:
        return boto3.session.Session().client(
            service, region_name=region, endpoint_url=address, config=config
        )
    except NoRegionError as error:
        raise FixInput(
            f"AWS cannot be asked: {error}",
            next_step="set the region in magellan.toml, or AWS_DEFAULT_REGION",
        ) from None


@contextmanager
def refusals(place: str, *, kept: str, next_step: str) -> Iterator[None]:
    """Turn what a client raises inside the block into our errors.

    place: what was asked, for the message. next_step: where AWS says no for good.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        verb = error.operation_name
        if "Throttl" in code or code in _BUSY:
            raise TryAgain(f"{place} does not answer {verb}: {code}", kept=kept) from None
        raise AskOperator(f"{place} refuses {verb}: {code}", kept=kept, next_step=next_step) from None
    except (NoCredentialsError, NoRegionError) as error:
        raise FixInput(
            f"{place} cannot be asked: {error}",
            kept=kept,
            next_step="give this process AWS credentials and a region",
        ) from None
    except BotoCoreError as error:
        raise TryAgain(f"{place} cannot be reached: {type(error).__name__}", kept=kept) from None


def refusal_code(error: Exception) -> str:
    """The code of a ClientError, for the few that are answers."""
    response: dict[str, Any] = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))
