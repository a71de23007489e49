"""Systems Manager's documents of one region."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, Final

from magellan.adapters.aws.client import aws_client, refusal_code, refusals

_KEPT: Final = "the document as it was"
_FORMAT: Final = "JSON"


class SsmDocuments:
    """Keeps `deploy.call_document.Documents`. region, address: as `aws_client` takes them."""

    def __init__(self, region: str, *, address: str | None = None) -> None:
        self._region = region
        self._address = address

    async def text(self, name: str) -> str | None:
        """See the port."""
        return await asyncio.to_thread(self._text, name)

    async def put(self, name: str, text: str) -> None:
        """See the port. Amazon refuses a version that equals another one: that one is then made the default."""
        await asyncio.to_thread(self._put, name, text)

    async def remove(self, name: str) -> None:
        """See the port."""
        await asyncio.to_thread(self._remove, name)

    def _text(self, name: str) -> str | None:
        from botocore.exceptions import ClientError

        with self._refusals():
            try:
                told = self._client.get_document(Name=name, DocumentFormat=_FORMAT)
            except ClientError as error:
                if refusal_code(error) == "InvalidDocument":
                    return None
                raise
        text: str = told["Content"]
        return text

    def _put(self, name: str, text: str) -> None:
        if self._text(name) is None:
            with self._refusals():
                self._client.create_document(
                    Name=name, Content=text, DocumentType="Command", DocumentFormat=_FORMAT
                )
            return
        with self._refusals():
            version = self._version_of(name, text)
            if version is None:
                told = self._client.update_document(
                    Name=name, Content=text, DocumentVersion="$LATEST", DocumentFormat=_FORMAT
                )
                version = told["DocumentDescription"]["DocumentVersion"]
            self._client.update_document_default_version(Name=name, DocumentVersion=version)

    def _version_of(self, name: str, text: str) -> str | None:
        """The version that says so, as on the way back to an earlier one; None: there is none."""
        version = "$LATEST"
        while True:
            told = self._client.get_document(Name=name, DocumentVersion=version, DocumentFormat=_FORMAT)
            number = int(told["DocumentVersion"])
            if told["Content"] == text:
                return str(number)
            if number == 1:
                return None
            version = str(number - 1)

    def _remove(self, name: str) -> None:
        from botocore.exceptions import ClientError

        with self._refusals():
            try:
                self._client.delete_document(Name=name)
            except ClientError as error:
                if refusal_code(error) != "InvalidDocument":
                    raise

    @cached_property
    def _client(self) -> Any:
        return aws_client("ssm", self._region, address=self._address)

    def _refusals(self) -> AbstractContextManager[None]:
        return refusals(
            f"Systems Manager in {self._region}",
            kept=_KEPT,
            next_step="see the policy of whoever prepares with `magellan host files`",
        )
