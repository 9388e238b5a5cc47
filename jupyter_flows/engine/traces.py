"""OpenTelemetry spans of executions, their Flow-API calls and savepoints; nothing without that package.

A span "execution" lasts as long as a kernel has the execution; below it is one "call" for each Flow-API
call from its arrival to its commit, and below that its "savepoint". Which of them are kept, and where, is
the business of the OpenTelemetry SDK that the operator sets up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..model import Call, Execution, SavepointDraft

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer


class ExecutionTrace:
    """The span of one run of an execution on a worker; `tracer` None: nothing is told."""

    def __init__(self, tracer: Tracer | None, execution: Execution) -> None:
        self._tracer = tracer
        self._context: Any = None
        self._span: Any = None
        if tracer is None:
            return
        from opentelemetry.trace import set_span_in_context

        facts: dict[str, str | int] = {
            "flows.execution.id": execution.id,
            "flows.execution.parent_id": execution.parent_id or "",
            "flows.flow": execution.flow or "",
            "flows.epoch": execution.epoch,
            "flows.resumes_from": execution.savepoint_id or "",
        }
        self._span = tracer.start_span(f"execution {execution.name}", attributes=facts)
        if not self._span.is_recording():  # nobody set up where spans go, or this one is not wanted
            self._tracer = None
            return
        self._context = set_span_in_context(self._span)

    def call(
        self, call: Call, draft: SavepointDraft | None, savepoint_id: str | None, began: int, ended: int
    ) -> None:
        """A call was committed; instants in nanoseconds since 1970."""
        if self._tracer is None:
            return
        from opentelemetry.trace import set_span_in_context

        name = f"call {type(call).__name__}"
        span = self._tracer.start_span(name, self._context, start_time=began)
        if draft is not None:
            facts: dict[str, str | int] = {
                "flows.savepoint.id": savepoint_id or "",
                "flows.savepoint.bytes_new": draft.bytes_new,
                "flows.savepoint.bytes_total": draft.bytes_total,
                "flows.savepoint.exact": draft.exact,
                "flows.line": draft.site.line,
            }
            within = set_span_in_context(span)
            self._tracer.start_span("savepoint", within, attributes=facts, start_time=began).end(ended)
        span.end(ended)

    def end(self, status: str | None = None) -> None:
        """The kernel has it no more; `status` if it ended. A second time does nothing."""
        if self._span is None:
            return
        span, self._span = self._span, None
        if status is not None:
            span.set_attribute("flows.status", status)
            if status == "ENDED_ERROR":
                from opentelemetry.trace import StatusCode

                span.set_status(StatusCode.ERROR)
        span.end()


def tracer() -> Tracer | None:
    """OpenTelemetry's tracer, if the package is there."""
    try:
        from opentelemetry import trace
    except ModuleNotFoundError:
        return None
    return trace.get_tracer("jupyter_flows")
