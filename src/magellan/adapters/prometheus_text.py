"""Metrics in Prometheus's text format: for a file, and over HTTP on this machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Literal, Protocol

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from magellan.errors import AskOperator, MagellanError

_PREFIX: Final = "magellan_"


class Sampled(Protocol):
    """One metric and its samples."""

    @property
    def name(self) -> str:
        """Without the prefix that all of ours have."""
        ...

    @property
    def help(self) -> str:
        """What it says, in a sentence."""
        ...

    @property
    def kind(self) -> Literal["gauge", "counter"]:
        """Whether it may fall."""
        ...

    @property
    def samples(self) -> Sequence[tuple[Mapping[str, str], float]]:
        """Labels and values; all samples have the same labels."""
        ...


def exposition(families: Sequence[Sampled]) -> bytes:
    """The text."""
    registry = CollectorRegistry()
    registry.register(_Families(lambda: families))
    return generate_latest(registry)


@contextmanager
def served(
    measure: Callable[[], Sequence[Sampled]], port: int, *, failed: Callable[[str], None]
) -> Iterator[int]:
    """Serve what `measure` finds, measured anew for each request, on loopback; the port. 0: any that is free.

    failed: told why there was nothing to serve. Then a request gets no samples, and an alert is raised elsewhere.
    Raises: AskOperator for a port that is taken.
    """
    registry = CollectorRegistry()
    one_at_a_time = threading.Lock()

    def measured() -> Sequence[Sampled]:
        with one_at_a_time:
            try:
                return measure()
            except MagellanError as error:
                failed(error.message)
                return ()

    registry.register(_Families(measured))
    try:
        server, thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as error:
        raise AskOperator(
            f"port {port} cannot be listened on: {error.strerror}", next_step="choose another one with --port"
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Families(Collector):
    def __init__(self, measure: Callable[[], Sequence[Sampled]]) -> None:
        self._measure = measure

    def describe(self) -> list[Metric]:
        """Nothing beforehand: which metrics there are depends on what runs."""
        return []

    def collect(self) -> Iterator[Metric]:
        for family in self._measure():
            made = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            labels = list(family.samples[0][0])
            metric = made(_PREFIX + family.name, family.help, labels=labels)
            for values, value in family.samples:
                metric.add_metric([values[label] for label in labels], value)
            yield metric
