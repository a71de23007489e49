"""Secrets in AWS SSM Parameter Store, as SecureString parameters. Needs the extra `aws`.

An account's keys are /magellan/alpaca/NUMBER/API_KEY and API_SECRET; a secret with a plain name is /magellan/NAME.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import SecretStr

from magellan.adapters.missing_extra import extra_missing
from magellan.errors import AskOperator, FixInput, TryAgain

_TIMEOUT_S = 10


class ParameterStore:
    """Keeps `ports.secrets.SecretStore`.

    region: None: as AWS's own settings say. address: of a server other than Amazon's.
    """

    def __init__(self, region: str | None = None, *, address: str | None = None) -> None:
        self._region = region
        self._address = address
        self._opened: Any = None

    @property
    def source(self) -> Literal["ssm"]:
        """See the port."""
        return "ssm"

    @property
    def place(self) -> str:
        """See the port."""
        return f"AWS SSM{f' in {self._region}' if self._region else ''}"

    def secret(self, name: str) -> SecretStr | None:
        """See the port."""
        answer = self._ask("get_parameter", name, WithDecryption=True)
        value = None if answer is None else answer["Parameter"]["Value"]
        return SecretStr(value) if value else None

    def put(self, values: dict[str, SecretStr | None]) -> None:
        """See the port. One by one: Parameter Store has no way to change two at once."""
        for name, value in values.items():
            if value is None:
                self._ask("delete_parameter", name)
            else:
                self._ask(
                    "put_parameter", name, Value=value.get_secret_value(), Type="SecureString", Overwrite=True
                )

    def _ask(self, verb: str, name: str, **terms: Any) -> Any:
        """The answer; None: there is no such parameter."""
        client = self._client()
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

        path = name if name.startswith("/") else f"/magellan/{name}"
        try:
            return getattr(client, verb)(Name=path, **terms)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ParameterNotFound":
                return None
            if "Throttl" in code or code == "InternalServerError":
                raise TryAgain(f"{self.place} does not answer about {path}: {code}") from None
            raise AskOperator(
                f"{self.place} refuses {verb} of {path}: {code}",
                next_step=f"allow this host's role ssm:{_permission(verb)} on {path}",
            ) from None
        except (NoCredentialsError, NoRegionError) as error:
            raise FixInput(
                f"{self.place} cannot be asked: {error}",
                next_step="give this process AWS credentials and a region, or set secrets.aws_region",
            ) from None
        except BotoCoreError as error:
            raise TryAgain(f"{self.place} cannot be reached: {type(error).__name__}") from None

    def _client(self) -> Any:
        if self._opened is None:
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
                self._opened = boto3.session.Session().client(
                    "ssm", region_name=self._region, endpoint_url=self._address, config=config
                )
            except NoRegionError as error:
                raise FixInput(
                    f"{self.place} cannot be asked: {error}",
                    next_step="set secrets.aws_region in magellan.toml, or AWS_DEFAULT_REGION",
                ) from None
        return self._opened


def _permission(verb: str) -> str:
    return "".join(word.capitalize() for word in verb.split("_"))
