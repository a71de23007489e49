"""How regions and places in S3 are written in magellan.toml."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

BUCKET_PATH: Final = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*'()-]+)*$"
AwsRegion = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]


def bucket_path(address: str) -> tuple[str, str]:
    """Bucket and prefix of an address that fits BUCKET_PATH; the prefix may be empty."""
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    return bucket, prefix
