"""The ground behind AWS Systems Manager: moto over loopback, whose SendCommand runs what it is sent on this machine."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from amazon.cloud import cloud
from amazon.warm_python import warm_python
from benchmarks.faults.ground import ACCOUNTS, NAME, Ground, ground_of, supervised
from magellan.wiring.hosts import supervisor
from release.conftest import Bench

_REGION = "us-east-2"


@contextmanager
def aws() -> Iterator[Ground]:
    """Each call a process there, `magellan host call`; releases through S3."""
    bench = Bench()
    with tempfile.TemporaryDirectory(prefix="magellan-faults-") as folder:
        tools = Path(folder) / "tools"
        tools.mkdir()
        with (
            warm_python(tools) as python,
            cloud(Path(folder), bench.key.public_key, os.environ.__setitem__) as here,
        ):
            here.bucket(f"magellan-calls-{_REGION}", _REGION)
            place = here.place(NAME, _REGION, "i-0123456789abcdef0", python=str(python), accounts=ACCOUNTS)
            with supervised(place.machine.folder) as (workspace, truth):
                keeper = supervisor(workspace)
                yield ground_of(
                    workspace, place.host, truth, bench, end_keeper=keeper.shut_down, heal=keeper.start_all
                )
