"""Releases as objects in an S3 bucket, each written once.

PREFIX/bear_trap/0007-20260121T213000Z-1f3a90c2...e5.tar    a release: number, time and id stand in the key
PREFIX/bear_trap/claims/number/0007                         whose number it is; stays when the release is removed
PREFIX/bear_trap/claims/release/1f3a90c2...e5               under which key the release lies

Two that store at the same moment settle it by the claims, which S3 lets only one of them write. An object that does not
bear such a name is not ours, and is passed over. Needs the extra `aws`.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from magellan.adapters.aws.client import aws_client, refusal_code, refusals
from magellan.errors import AskOperator
from magellan.release.stored import StoredRelease

_NAME: Final = re.compile(r"(\d{4,})-(\d{8}T\d{6}Z)-([0-9a-f]{64})\.tar")
_TIME: Final = "%Y%m%dT%H%M%SZ"
_KEPT: Final = "all releases that were there"
_TAKEN: Final = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
_MISSING: Final = frozenset({"NoSuchKey", "404"})


class ReleaseBucket:
    """Keeps `ports.release_store.ReleaseStore`.

    prefix: of every key, without a slash at its ends; may be empty. region, address: as `aws_client` takes them.
    """

    def __init__(
        self, bucket: str, prefix: str = "", *, region: str | None = None, address: str | None = None
    ) -> None:
        self._bucket = bucket
        self._top = f"{prefix}/" if prefix else ""
        self._region = region
        self._address = address

    @property
    def place(self) -> str:
        """See the port."""
        return f"s3://{self._bucket}/{self._top}".rstrip("/")

    def put(self, strategy: str, release_id: str, content: bytes, *, at: datetime) -> StoredRelease:
        """See the port."""
        with self._refusals():
            found = self._found(strategy)
            if release_id in found:
                return found[release_id]
            name = self._claimed_name(strategy, release_id, at)
            self._write_once(self._key(strategy, name), content)
            return _stored(strategy, name, len(content))

    def releases(self, strategy: str) -> tuple[StoredRelease, ...]:
        """See the port."""
        with self._refusals():
            return tuple(self._found(strategy).values())

    def strategies(self) -> tuple[str, ...]:
        """See the port."""
        with self._refusals():
            names = {
                each["Prefix"].removeprefix(self._top).rstrip("/")
                for page in self._pages("list_objects_v2", Prefix=self._top, Delimiter="/")
                for each in page.get("CommonPrefixes", ())
            }
            return tuple(sorted(name for name in names if self._found(name)))

    def content(self, release: StoredRelease) -> bytes:
        """See the port. Held against the SHA-256 that S3 keeps with the object."""
        with self._refusals(
            next_step="restore it from another version of the object, or build the release again"
        ):
            answer = self._client.get_object(
                Bucket=self._bucket, Key=self._key(release.strategy, _name(release)), ChecksumMode="ENABLED"
            )
            content: bytes = answer["Body"].read()
        return content

    def remove(self, release: StoredRelease) -> None:
        """See the port. Every version of the object goes, where the bucket keeps versions."""
        with self._refusals():
            # The release first: one without its claim would be listed, one without its object is not.
            for key in (
                self._key(release.strategy, _name(release)),
                self._key(release.strategy, f"claims/release/{release.release_id}"),
            ):
                for page in self._pages("list_object_versions", Prefix=key):
                    for version in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                        self._client.delete_object(
                            Bucket=self._bucket, Key=version["Key"], VersionId=version["VersionId"]
                        )

    @cached_property
    def _client(self) -> Any:
        return aws_client("s3", self._region, address=self._address)

    def _claimed_name(self, strategy: str, release_id: str, at: datetime) -> str:
        """The one name of that release, with a number of its own."""
        claim = self._key(strategy, f"claims/release/{release_id}")
        if (told := self._read(claim)) is not None:
            return told.decode()
        number = max((int(each) for each in self._claimed_numbers(strategy)), default=0) + 1
        while not self._write_once(self._key(strategy, f"claims/number/{number:04}"), release_id.encode()):
            number += 1
        name = f"{number:04}-{at.astimezone(UTC).strftime(_TIME)}-{release_id}.tar"
        if self._write_once(claim, name.encode()):
            return name
        told = self._read(claim)  # another process stores the same release; our number stays unused
        assert told is not None, "what could not be written is there"
        return told.decode()

    def _claimed_numbers(self, strategy: str) -> Iterator[str]:
        prefix = self._key(strategy, "claims/number/")
        for page in self._pages("list_objects_v2", Prefix=prefix):
            for each in page.get("Contents", ()):
                yield each["Key"].removeprefix(prefix)

    def _found(self, strategy: str) -> dict[str, StoredRelease]:
        """By id, oldest first."""
        prefix = self._key(strategy, "")
        found = []
        for page in self._pages("list_objects_v2", Prefix=prefix, Delimiter="/"):
            for each in page.get("Contents", ()):
                name = each["Key"].removeprefix(prefix)
                if _NAME.fullmatch(name):
                    found.append(_stored(strategy, name, each["Size"]))
        return {each.release_id: each for each in sorted(found, key=lambda each: each.number)}

    def _key(self, strategy: str, name: str) -> str:
        return f"{self._top}{strategy}/{name}"

    def _read(self, key: str) -> bytes | None:
        from botocore.exceptions import ClientError

        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if refusal_code(error) in _MISSING:
                return None
            raise
        content: bytes = answer["Body"].read()
        return content

    def _write_once(self, key: str, content: bytes) -> bool:
        """False: it is there already, and left as it is."""
        from botocore.exceptions import ClientError

        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=key,
                Body=content,
                IfNoneMatch="*",
                ChecksumSHA256=base64.b64encode(hashlib.sha256(content).digest()).decode(),
            )
        except ClientError as error:
            if refusal_code(error) in _TAKEN:
                return False
            raise
        return True

    def _pages(self, verb: str, **terms: Any) -> Iterator[dict[str, Any]]:
        yield from self._client.get_paginator(verb).paginate(Bucket=self._bucket, **terms)

    def _refusals(self, next_step: str = "") -> AbstractContextManager[None]:
        return refusals(
            self.place,
            kept=_KEPT,
            next_step=next_step
            or "look whether the bucket is there, and what `magellan host files` says of its policy",
        )


def _stored(strategy: str, name: str, size: int) -> StoredRelease:
    named = _NAME.fullmatch(name)
    if named is None:
        raise AskOperator(
            f"a claim of {strategy} names {name!r}, which is no release's name",
            kept=_KEPT,
            next_step="somebody has written into the bucket; look who may",
        )
    number, at, release_id = named.groups()
    return StoredRelease(
        strategy=strategy,
        number=int(number),
        release_id=release_id,
        stored_at=datetime.strptime(at, _TIME).replace(tzinfo=UTC),
        size=size,
    )


def _name(release: StoredRelease) -> str:
    return f"{release.number:04}-{release.stored_at.strftime(_TIME)}-{release.release_id}.tar"
