"""What an operator sees of a worker: probes and metrics over HTTP, and spans."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from jupyter_flows.engine import worker as worker_module
from jupyter_flows.engine.health import HealthServer
from jupyter_flows.engine.metrics import Metrics
from jupyter_flows.model import Status

from .house import House


def asked(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def value_of(text: str, name: str) -> float:
    return float(next(line for line in text.splitlines() if line.startswith(name)).rsplit(" ", 1)[1])


def test_a_worker_tells_its_health_and_metrics(house: House) -> None:
    house.flow("talk", "Log(text='a')", "Log(text='b')")

    async def main() -> None:
        async with house.worker() as worker:
            health = HealthServer(worker.metrics, worker.what_is_dead, worker.what_is_missing)
            port = await health.start(0)

            async def ask(path: str) -> tuple[int, str]:
                return await asyncio.to_thread(asked, port, path)

            assert await ask("/health/live") == (200, "ok\n")
            assert await ask("/health/ready") == (200, "ok\n")
            assert (await ask("/nothing"))[0] == 404
            view = await house.until(house.engine.start("talk").id)
            assert view.status is Status.ENDED_SUCCESS
            _, text = await ask("/metrics")
            assert value_of(text, "flows_savepoint_seconds_count") == view.savepoints
            assert value_of(text, 'flows_executions{status="ENDED_SUCCESS"}') == 1
            assert value_of(text, "flows_slots_used") == 0
            await worker.stop()
            assert await ask("/health/ready") == (503, "the worker has stopped\n")
            await health.stop()

    asyncio.run(main())


def test_the_age_of_the_queue_is_told(house: House) -> None:
    house.flow("talk", "Log(text='a')")
    view = house.engine.start("talk")
    later = datetime.fromtimestamp(view.created_at.timestamp() + 90, UTC)
    text = Metrics(house.store, lambda: later).exposition().decode()
    assert value_of(text, "flows_queue_age_seconds") == pytest.approx(90)
    assert value_of(text, 'flows_executions{status="QUEUED"}') == 1


def test_executions_calls_and_savepoints_are_spans(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(worker_module, "tracer", lambda: provider.get_tracer("test"))
    house.flow("talk", "Log(text='a')")
    view = house.run("talk")
    spans = {span.name: span for span in exporter.get_finished_spans()}
    execution, call, savepoint = spans["execution talk"], spans["call Log"], spans["savepoint"]
    assert execution.attributes is not None
    assert execution.attributes["flows.execution.id"] == view.id
    assert execution.attributes["flows.status"] == "ENDED_SUCCESS"
    assert call.parent is not None
    assert call.parent.span_id == execution.context.span_id
    assert savepoint.parent is not None
    assert savepoint.context.trace_id == execution.context.trace_id
