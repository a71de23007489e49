"""How regions and places in S3 are written in magellan.toml."""

from __future__ import annotations

import re
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import Field

BUCKET_PATH: Final = r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*'()-]+)*$"
AwsRegion = Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")]


def bucket_path(address: str) -> tuple[str, str]:
    """Bucket and prefix of an address that fits BUCKET_PATH; the prefix may be empty."""
    bucket, _, prefix = address.removeprefix("s3://").partition("/")
    return bucket, prefix


def bucket_on_server(address: str) -> tuple[str, str, str, str | None]:
    """Server, bucket, prefix and region of s3:https://s3.us-east-2.amazonaws.com/bucket/prefix, as restic writes it.

    The region is None where the server's name does not say it.
    """
    parts = urlsplit(address.removeprefix("s3:"))
    bucket, _, prefix = parts.path.removeprefix("/").partition("/")
    named = re.fullmatch(r"s3[.-]([a-z0-9-]+)\.amazonaws\.com", parts.netloc)
    return f"{parts.scheme}://{parts.netloc}", bucket, prefix, named and named.group(1)
