"""A trail in an S3 bucket, whose objects nobody can add to: each batch is one of its own, and many become one.

PREFIX/0000000257                  what one `append` brought, written once
PREFIX/0000000001-0000000256       the same bytes as those 256, which were removed after it was there

Needs the extra `aws`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from magellan.adapters.aws.client import aws_client, refusal_code, refusals
from magellan.errors import AskOperator, TryAgain

_NAME: Final = re.compile(r"(\d{10})(?:-(\d{10}))?")
_KEPT: Final = "the ledger; the copy lacks what was being sent"
_READS_AT_ONCE: Final = 8
_LOOKS: Final = 3  # at what is there, where objects were joined while they were read


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """An object of the trail: the batches from `first` to `last`."""

    first: int
    last: int

    @property
    def name(self) -> str:
        return f"{self.first:010}" + (f"-{self.last:010}" if self.last > self.first else "")


class S3Place:
    """Keeps `place.TrailPlace`.

    prefix: of every key; not empty. region, address: as `aws_client` takes them. joined_at: so many batches that lie
    by themselves become one object, so that a ledger of years is read in seconds; at least 2.
    """

    def __init__(
        self,
        bucket: str,
        prefix: str,
        *,
        region: str | None,
        address: str | None = None,
        joined_at: int = 256,
    ) -> None:
        self._bucket, self._prefix = bucket, prefix
        self._region, self._address = region, address
        self._joined_at = joined_at
        self._next: int | None = None  # number of the next batch; None: nobody has looked
        self._loose: list[bytes] = []  # the newest batches, each an object by itself
        self._joined: list[_Piece] = []  # objects that a larger one holds as well

    @property
    def name(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def read(self) -> bytes:
        """See `TrailPlace`."""
        from botocore.exceptions import ClientError

        with self._refusals():
            for looks in range(1, _LOOKS + 1):
                pieces, self._joined = _in_order(self._pieces(), self.name)
                try:
                    with ThreadPoolExecutor(_READS_AT_ONCE) as readers:
                        contents = list(readers.map(self._content, pieces))
                    break
                except ClientError as error:  # whoever writes has joined some meanwhile
                    if refusal_code(error) != "NoSuchKey" or looks == _LOOKS:
                        raise
        self._next = pieces[-1].last + 1 if pieces else 1
        self._loose = [
            each for piece, each in zip(pieces, contents, strict=True) if piece.first == piece.last
        ]
        return b"".join(contents)

    def append(self, content: bytes) -> None:
        """See `TrailPlace`."""
        if self._next is None:
            self.read()
        assert self._next is not None, "it was read"
        with self._refusals():
            self._write_once(_Piece(first=self._next, last=self._next), content)
            self._next += 1
            self._loose.append(content)
            if len(self._loose) >= self._joined_at:
                self._join()

    def _join(self) -> None:
        """The batches that lie by themselves, as one object. After a kill in between they are passed over."""
        assert self._next is not None, "something was written"
        first, last = self._next - len(self._loose), self._next - 1
        self._write_once(_Piece(first=first, last=last), b"".join(self._loose))
        self._loose = []
        self._joined += [_Piece(first=number, last=number) for number in range(first, last + 1)]
        while self._joined:
            some = self._joined[:1000]  # as many as S3 removes at once
            answer = self._client.delete_objects(
                Bucket=self._bucket,
                Delete={"Objects": [{"Key": self._key(each)} for each in some], "Quiet": True},
            )
            for refused in answer.get("Errors", ()):
                raise AskOperator(
                    f"{self.name} refuses to remove {refused['Key']}: {refused['Code']}",
                    kept="the copy, whole",
                    next_step="allow s3:DeleteObject there: what was joined is removed",
                )
            del self._joined[:1000]

    @cached_property
    def _client(self) -> Any:
        return aws_client("s3", self._region, address=self._address)

    def _pieces(self) -> Iterator[_Piece]:
        """Every object of the trail; what bears another name is not ours."""
        for page in self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=f"{self._prefix}/"
        ):
            for each in page.get("Contents", ()):
                if named := _NAME.fullmatch(each["Key"].removeprefix(f"{self._prefix}/")):
                    first, last = named.groups()
                    yield _Piece(first=int(first), last=int(last or first))

    def _content(self, piece: _Piece) -> bytes:
        answer = self._client.get_object(Bucket=self._bucket, Key=self._key(piece), ChecksumMode="ENABLED")
        content: bytes = answer["Body"].read()
        return content

    def _write_once(self, piece: _Piece, content: bytes) -> None:
        """Raises AskOperator where something else lies there."""
        from botocore.exceptions import ClientError

        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=self._key(piece),
                Body=content,
                IfNoneMatch="*",
                ChecksumSHA256=base64.b64encode(hashlib.sha256(content).digest()).decode(),
            )
        except ClientError as error:
            if refusal_code(error) == "ConditionalRequestConflict":
                raise TryAgain(f"somebody else writes to {self.name} right now", kept=_KEPT) from None
            if refusal_code(error) != "PreconditionFailed":
                raise
            # Ours, where the first answer was lost and the client asked again.
            if self._content(piece) != content:
                raise AskOperator(
                    f"somebody else adds to {self.name}",
                    kept="all that lies there",
                    next_step="end the other `magellan backup follow`, or name another place in backup.follow_to",
                ) from None

    def _key(self, piece: _Piece) -> str:
        return f"{self._prefix}/{piece.name}"

    def _refusals(self) -> AbstractContextManager[None]:
        return refusals(
            self.name,
            kept=_KEPT,
            next_step="look whether the bucket is there, and which rights docs/guides/backup.md asks for",
        )


def _in_order(found: Iterator[_Piece], place: str) -> tuple[list[_Piece], list[_Piece]]:
    """What has to be read, one behind the other, and what is in a larger one already."""
    pieces: list[_Piece] = []
    joined: list[_Piece] = []
    following = 1
    for piece in sorted(found, key=lambda each: (each.first, -each.last)):
        if piece.last < following:
            joined.append(piece)
            continue
        if piece.first != following:
            raise AskOperator(
                f"{place} lacks what was sent as {following} to {piece.first - 1}",
                kept="what lies there",
                next_step="restore it from another version of the object, or name a new place for a whole copy",
            )
        pieces.append(piece)
        following = piece.last + 1
    return pieces, joined
