"""Liveness, readiness and metrics for whoever watches the server.

Probes come without a token, as those of Kubernetes do, and say no more than "ok" or a reason in a word;
metrics need the right to read.
"""

from __future__ import annotations

import asyncio
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from tornado import web

from ..engine.metrics import CONTENT_TYPE, Metrics
from ..errors import EngineException
from .endpoint import PREFIX, RESOURCE, Refusing


class LiveProbe(Refusing):
    """Whether the server should be restarted: the worker that it hosts has ended."""

    @allow_unauthenticated
    def get(self) -> None:
        worker = self.service.worker
        self.tell(None if worker is None else worker.what_is_dead())

    def tell(self, trouble: str | None) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_status(200 if trouble is None else 503)
        self.finish("ok\n" if trouble is None else f"{trouble}\n")


class ReadyProbe(LiveProbe):
    """Whether executions can be started: the store is open, and the worker, if any, takes work."""

    @allow_unauthenticated
    async def get(self) -> None:  # type: ignore[override]
        try:
            await self.service.engine()
        except EngineException:
            self.tell("the store is not open")
            return
        worker = self.service.worker
        trouble = None if worker is None else worker.what_is_missing()
        self.tell("the worker takes no work now" if trouble else None)


class MetricsCall(Refusing):
    """Prometheus's text format."""

    async def _tell(self) -> None:
        try:
            engine = await self.service.engine()
        except EngineException as error:
            self.refuse(error)
            return
        worker = self.service.worker
        metrics = Metrics(engine.store, engine.clock) if worker is None else worker.metrics
        self.set_header("Content-Type", CONTENT_TYPE)
        self.finish(await asyncio.to_thread(metrics.exposition))

    get = web.authenticated(authorized("read", RESOURCE)(_tell))


def health_routes() -> list[tuple[str, type[Any]]]:
    """Paths beside those of REST: they speak no JSON."""
    calls: dict[str, type[Any]] = {
        "health/live": LiveProbe,
        "health/ready": ReadyProbe,
        "metrics": MetricsCall,
    }
    return [(f"/{PREFIX}/{path}", call) for path, call in calls.items()]
