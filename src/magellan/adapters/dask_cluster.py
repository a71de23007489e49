"""Dask: the same work on a cluster of machines, or on a small cluster of processes here."""

from __future__ import annotations

import importlib
import importlib.metadata
import logging
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from magellan.adapters.local.batches import batches
from magellan.adapters.missing_extra import extra_missing
from magellan.errors import FixInput, TryAgain
from magellan.ports.executor import Answer, Given, Item, Work, answers

CONNECT_TIMEOUT_S: Final = 10
_PACKAGE: Final = "magellan-trading"


class DaskExecutor:
    """Keeps `ports.executor.Executor` on a Dask cluster.

    address: of a scheduler that is running, `tcp://host:8786`; or `local:2` for that many processes of this
             machine, on the loopback interface, for the time of the work.
    Raises:  FixInput for another address, and when the extra `cluster` is not installed.
    """

    def __init__(self, address: str) -> None:
        try:
            self._dask: Any = importlib.import_module("distributed")
        except ImportError as error:
            raise extra_missing("cluster", error) from error
        scheme, _, rest = address.partition(":")
        if scheme == "local" and rest.isdigit() and int(rest) >= 1:
            self._local_workers: int | None = int(rest)
        elif scheme in ("tcp", "tls") and rest.startswith("//"):
            self._local_workers = None
        else:
            raise FixInput(
                f"'{address}' is not the address of a cluster",
                next_step="write tcp://HOST:8786 as Dask's scheduler shows it, or local:2 for two processes here",
            )
        self._address = address

    @property
    def place(self) -> str:
        """See the port."""
        if self._local_workers is not None:
            return f"a Dask cluster of {self._local_workers} processes on this machine"
        return f"the Dask cluster at {self._address}"

    def map(
        self,
        work: Work[Given, Item, Answer],
        items: Sequence[Item],
        *,
        on_done: Callable[[int, Answer], None] | None = None,
    ) -> list[Answer]:
        """See the port. Raises TryAgain when no scheduler answers, FixInput when its workers lack Magellan."""
        found: dict[int, Answer] = {}
        token = uuid.uuid4().hex
        with self._client() as client:
            workers = sum(client.nthreads().values())
            # One copy per worker, sent once; batches only name it.
            given = client.scatter(work, broadcast=True, hash=False)
            pending = {
                client.submit(
                    _carry_out, token, given, [items[number] for number in batch], pure=False, retries=0
                ): batch
                for batch in batches(len(items), workers)
            }
            told: set[Any] = set()

            def tell(future: Any) -> None:
                told.add(future)
                for number, answer in zip(pending[future], _result(future), strict=True):
                    found[number] = answer
                    if on_done is not None:
                        on_done(number, answer)

            try:
                for future in self._dask.as_completed(pending):
                    tell(future)
            except BaseException as stopped:
                client.cancel([future for future in pending if not future.done()])
                if isinstance(stopped, KeyboardInterrupt):
                    for future in pending:
                        if future not in told and future.status == "finished":
                            tell(future)
                raise
            finally:
                client.run(_forget, token, on_error="ignore")
        return [found[number] for number in range(len(items))]

    @contextmanager
    def _client(self) -> Iterator[Any]:
        if self._local_workers is not None:
            with local_cluster(self._local_workers) as cluster, self._dask.Client(cluster) as client:
                yield client
            return
        try:
            client = self._dask.Client(self._address, timeout=CONNECT_TIMEOUT_S)
        except OSError as error:
            raise TryAgain(
                f"no Dask scheduler answers at {self._address}: {error}",
                next_step="start one (`dask scheduler`, `dask worker ADDRESS`), or leave out --cluster",
            ) from error
        with client:
            _must_have_workers(client, self._address)
            yield client


def local_cluster(workers: int) -> Any:
    """A Dask cluster of so many processes of this machine, to be used in a `with`.

    It listens on the loopback interface only, on ports that are free, and without Dask's dashboard.
    """
    dask = importlib.import_module("distributed")
    return dask.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        # A scheduler always has a small HTTP server; on its usual port it would collide with another cluster.
        dashboard_address="127.0.0.1:0",
        worker_dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        silence_logs=logging.ERROR,
    )


def _must_have_workers(client: Any, address: str) -> None:
    if not client.nthreads():
        raise TryAgain(
            f"the cluster at {address} has no worker", next_step=f"start one: dask worker {address}"
        )
    try:
        client.run(importlib.metadata.version, _PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        raise FixInput(
            f"a worker of the cluster at {address} has no {_PACKAGE} installed",
            next_step="install the same version there as here",
        ) from None


def _result(future: Any) -> list[Any]:
    from distributed.scheduler import KilledWorker

    try:
        answers: list[Any] = future.result()
    except KilledWorker as error:
        raise TryAgain(
            f"workers of the cluster ended before their work was done, out of memory or killed: {error}",
            next_step="give the workers more memory, then run it again",
        ) from error
    return answers


# On a worker: the function of each of its threads, with the token of the work that it belongs to.
_functions: dict[int, tuple[str, Callable[[Any], Any]]] = {}


def _carry_out(token: str, work: Work[Any, Any, Any], items: list[Any]) -> list[Any]:
    thread = threading.get_ident()
    if thread not in _functions or _functions[thread][0] != token:
        _functions[thread] = token, work.begin(work.given)
    function = _functions[thread][1]
    return answers(work, function, items)


def _forget(token: str) -> None:
    """Let the worker's memory go: it may live on for weeks."""
    for thread in [thread for thread, (theirs, _) in _functions.items() if theirs == token]:
        del _functions[thread]
