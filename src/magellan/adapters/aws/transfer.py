"""What is too large for a call, on its way to a host: objects in S3 that are named by their SHA-256."""

from __future__ import annotations

import base64
import hashlib
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, Final

from magellan.adapters.aws.client import aws_client, refusal_code, refusals
from magellan.errors import AskOperator

_KEPT: Final = "the host as it is"


class Transfer:
    """A place in a bucket. prefix: of every key; may be empty. region, address: as `aws_client` takes them."""

    def __init__(self, bucket: str, prefix: str, *, region: str | None, address: str | None = None) -> None:
        self._bucket = bucket
        self._top = f"{prefix}/" if prefix else ""
        self._region = region
        self._address = address

    def put(self, content: bytes) -> str:
        """Lay it there, and give its SHA-256. Content that lies there already is left."""
        from botocore.exceptions import ClientError

        digest = hashlib.sha256(content)
        with self._refusals("s3:PutObject"):
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._key(digest.hexdigest()),
                    Body=content,
                    IfNoneMatch="*",
                    ChecksumSHA256=base64.b64encode(digest.digest()).decode(),
                )
            except ClientError as error:
                if refusal_code(error) not in ("PreconditionFailed", "ConditionalRequestConflict"):
                    raise
        return digest.hexdigest()

    def content(self, sha256: str) -> bytes:
        """What lies there under that name. Raises AskOperator where it is something else, or nothing."""
        with self._refusals("s3:GetObject"):
            answer = self._client.get_object(Bucket=self._bucket, Key=self._key(sha256))
            content: bytes = answer["Body"].read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise AskOperator(
                f"s3://{self._bucket}/{self._key(sha256)} is not what its name says",
                kept=_KEPT,
                next_step="somebody else writes into that bucket: look who may",
            )
        return content

    @cached_property
    def _client(self) -> Any:
        return aws_client("s3", self._region, address=self._address)

    def _key(self, sha256: str) -> str:
        return f"{self._top}calls/{sha256}"

    def _refusals(self, action: str) -> AbstractContextManager[None]:
        return refusals(
            f"s3://{self._bucket}",
            kept=_KEPT,
            next_step=f"allow {action} there; `magellan host files` shows the policy",
        )
