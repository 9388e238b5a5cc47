"""What an operator sees of a worker and its store, in Prometheus's text format.

Counts of executions come from the store when somebody asks, so they are the same on every worker; slots and
savepoints are this worker's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from ..errors import StoreError
from ..model import Status
from ..store import Store

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
_BYTES = tuple(10.0**power for power in range(2, 11))


class Metrics:
    """The metrics of `store`, and of a worker if `slots` gives its slots: (all, used now)."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        slots: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._slots = slots
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._seconds: Histogram | None = None
        if slots is not None:
            self._seconds = Histogram(
                "flows_savepoint_seconds",
                "From a Flow-API call's arrival to the commit of its savepoint",
                buckets=_SECONDS,
                registry=self._registry,
            )
            self._bytes = Histogram(
                "flows_savepoint_bytes",
                "New bytes that a savepoint stored",
                buckets=_BYTES,
                registry=self._registry,
            )

    def savepoint(self, seconds: float, size: int) -> None:
        """A savepoint of `size` new bytes was committed."""
        if self._seconds is not None:
            self._seconds.observe(seconds)
            self._bytes.observe(size)

    def exposition(self) -> bytes:
        """All of them as text. Asks the store."""
        return generate_latest(self._registry)

    def describe(self) -> Iterator[Metric]:
        """Nothing: who registers a collector need not open the store for it."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """What is true at this moment; called by `prometheus_client`."""
        if self._slots is not None:
            slots, used = self._slots()
            yield GaugeMetricFamily("flows_slots", "Executions that this worker may run at once", slots)
            yield GaugeMetricFamily("flows_slots_used", "Executions that compute here now", used)
        up = GaugeMetricFamily("flows_store_up", "Whether the store can be read", 1)
        try:
            with self._store.reading() as transaction:
                counts, queued_at = transaction.status_counts(), transaction.oldest_queued()
        except StoreError:
            yield GaugeMetricFamily("flows_store_up", up.documentation, 0)
            return
        yield up
        executions = GaugeMetricFamily("flows_executions", "Executions by status", labels=["status"])
        for status in Status:
            executions.add_metric([status.value], counts.get(status, 0))
        yield executions
        age = 0.0 if queued_at is None else max(0.0, (self._clock() - queued_at).total_seconds())
        yield GaugeMetricFamily("flows_queue_age_seconds", "How long the oldest one is queued", age)
