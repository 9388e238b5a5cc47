"""The calls of REST, each one line of the engine, and the table of their paths."""

from __future__ import annotations

from typing import Any

import msgspec

from .. import __version__
from ..engine import upkeep
from ..engine.many import Outcome, act_on, ids_of
from ..engine.service import Engine
from ..errors import InvalidInputError
from ..model import ExecutionView, SavepointView
from ..store import ExecutionFilter
from . import messages
from .endpoint import PREFIX, FlowsHandler, UnknownCall, endpoint
from .events import EventsHandler
from .health import health_routes


class FlowsCall(FlowsHandler):
    @endpoint("read", "All flows below the server's root", messages.Flows)
    def get(self, engine: Engine) -> messages.Flows:
        return messages.Flows(flows=engine.flows())


class ExecutionsCall(FlowsHandler):
    @endpoint("read", "Executions, newest first", messages.Executions, query=messages.ExecutionsQuery)
    def get(self, engine: Engine, query: messages.ExecutionsQuery) -> messages.Executions:
        page = engine.executions(
            status=query.status,
            flow=query.flow,
            parent_id=query.parent_id,
            roots_only=query.roots,
            text=query.text,
            type=query.type,
            name=query.name,
            owner=query.owner,
            created_after=query.created_after,
            created_before=query.created_before,
            limit=query.limit,
            cursor=query.cursor,
        )
        return messages.Executions(executions=list(page.executions), next=page.next)

    @endpoint("execute", "Start a flow", ExecutionView, status=201, body=messages.StartBody)
    def post(self, engine: Engine, body: messages.StartBody) -> ExecutionView:
        return engine.start(
            body.flow,
            body.inputs,
            name=body.name,
            key=body.key,
            options=body.options,
            owner=self.person,
        )


class ManyCall(FlowsHandler):
    @endpoint("execute", "Do something to many executions", Outcome, body=messages.ManyBody)
    def post(self, engine: Engine, body: messages.ManyBody) -> Outcome:
        if (body.ids is None) == (body.filter is None):
            raise InvalidInputError("Give either ids or a filter.")
        if body.filter is None:
            return act_on(engine, body.action, body.ids or (), owner=self.person)
        fields = msgspec.structs.asdict(body.filter)
        wanted = ExecutionFilter(roots_only=fields.pop("roots"), **fields)
        return act_on(engine, body.action, list(ids_of(engine, wanted)), owner=self.person)


class ExecutionCall(FlowsHandler):
    @endpoint("read", "One execution", ExecutionView)
    def get(self, engine: Engine, execution_id: str) -> ExecutionView:
        return engine.execution(execution_id)


class ChildrenCall(FlowsHandler):
    @endpoint("read", "The executions that it started, in order", messages.Children)
    def get(self, engine: Engine, execution_id: str) -> messages.Children:
        return messages.Children(executions=engine.children(execution_id))


class SavepointsCall(FlowsHandler):
    @endpoint("read", "Its savepoints, in order", messages.Savepoints)
    def get(self, engine: Engine, execution_id: str) -> messages.Savepoints:
        return messages.Savepoints(savepoints=engine.savepoints(execution_id))


class LogCall(FlowsHandler):
    @endpoint("read", "Its log, in order", messages.Log, query=messages.LogQuery)
    def get(self, engine: Engine, execution_id: str, query: messages.LogQuery) -> messages.Log:
        limit = max(1, min(query.limit, 10_000))
        return messages.Log(log=engine.log(execution_id, after=query.after, limit=limit))


class NotebookCall(FlowsHandler):
    @endpoint("read", "The executed notebook, in nbformat 4", dict[str, Any])
    def get(self, engine: Engine, execution_id: str) -> dict[str, Any]:
        return engine.notebook(execution_id)


class CancelCall(FlowsHandler):
    @endpoint("write", "Wish that it ends", ExecutionView, body=messages.EmptyBody)
    def post(self, engine: Engine, execution_id: str, body: messages.EmptyBody) -> ExecutionView:  # noqa: ARG002
        return engine.cancel(execution_id)


class PauseCall(FlowsHandler):
    @endpoint("write", "Wish that it rests from its next call on", ExecutionView, body=messages.EmptyBody)
    def post(self, engine: Engine, execution_id: str, body: messages.EmptyBody) -> ExecutionView:  # noqa: ARG002
        return engine.pause(execution_id)


class ResumeCall(FlowsHandler):
    @endpoint("execute", "Let it go on after a pause", ExecutionView, body=messages.EmptyBody)
    def post(self, engine: Engine, execution_id: str, body: messages.EmptyBody) -> ExecutionView:  # noqa: ARG002
        return engine.resume(execution_id)


class ArchiveCall(FlowsHandler):
    @endpoint("write", "Delete its savepoints, after its end", ExecutionView, body=messages.EmptyBody)
    def post(self, engine: Engine, execution_id: str, body: messages.EmptyBody) -> ExecutionView:  # noqa: ARG002
        return engine.archive(execution_id)


class AgainCall(FlowsHandler):
    @endpoint(
        "execute",
        "Start a new execution with its inputs",
        ExecutionView,
        status=201,
        body=messages.AgainBody,
    )
    def post(self, engine: Engine, execution_id: str, body: messages.AgainBody) -> ExecutionView:
        return engine.again(execution_id, same_code=body.same_code, name=body.name, owner=self.person)


class DeleteCall(FlowsHandler):
    @endpoint(
        "write", "Remove it and its descendants, after its end", messages.Deleted, body=messages.EmptyBody
    )
    def post(self, engine: Engine, execution_id: str, body: messages.EmptyBody) -> messages.Deleted:  # noqa: ARG002
        engine.delete(execution_id)
        return messages.Deleted(id=execution_id)


class SavepointCall(FlowsHandler):
    @endpoint("read", "One savepoint", SavepointView)
    def get(self, engine: Engine, savepoint_id: str) -> SavepointView:
        return engine.savepoint(savepoint_id)


class VariablesCall(FlowsHandler):
    @endpoint("read", "Its variables, without loading any", messages.Variables)
    def get(self, engine: Engine, savepoint_id: str) -> messages.Variables:
        return messages.Variables(variables=engine.variables(savepoint_id))


class DifferenceCall(FlowsHandler):
    @endpoint("read", "What its variables became in another one, without loading any", messages.Difference)
    def get(self, engine: Engine, savepoint_id: str, other_id: str) -> messages.Difference:
        found = engine.difference(savepoint_id, other_id)
        changes = [change for change in found if change.kind != "same"]
        return messages.Difference(changes=changes, same=len(found) - len(changes))


class RestoreCall(FlowsHandler):
    @endpoint("execute", "Put its execution back to it and go on", ExecutionView, body=messages.RestoreBody)
    def post(self, engine: Engine, savepoint_id: str, body: messages.RestoreBody) -> ExecutionView:
        return engine.restore(savepoint_id, code=body.code, changes=body.changes)


class ForkCall(FlowsHandler):
    @endpoint("execute", "Start a new execution from it", ExecutionView, status=201, body=messages.ForkBody)
    def post(self, engine: Engine, savepoint_id: str, body: messages.ForkBody) -> ExecutionView:
        return engine.fork(
            savepoint_id, inputs=body.inputs, name=body.name, code=body.code, changes=body.changes
        )


class StorageCall(FlowsHandler):
    @endpoint("read", "What takes the room in the store", upkeep.StorageView)
    def get(self, engine: Engine) -> upkeep.StorageView:
        return upkeep.storage(engine)


class CollectCall(FlowsHandler):
    @endpoint(
        "write",
        "Free what nothing refers to and nobody wrote for an hour",
        upkeep.Collected,
        body=messages.EmptyBody,
    )
    def post(self, engine: Engine, body: messages.EmptyBody) -> upkeep.Collected:  # noqa: ARG002
        return upkeep.collect(engine)


class StatusCall(FlowsHandler):
    @endpoint("read", "The server's version, store and worker", messages.ServerStatus)
    def get(self, engine: Engine) -> messages.ServerStatus:
        worker, shown = self.service.worker, None
        if worker is not None:
            shown = messages.WorkerStatus(id=worker.id, slots=worker.slots, running=list(worker.running))
        return messages.ServerStatus(
            version=__version__,
            store=engine.store.url,
            worker=shown,
            trouble=None if worker is None else worker.trouble,
        )


class OpenAPICall(FlowsHandler):
    @endpoint("read", "This description", dict[str, Any])
    def get(self, engine: Engine) -> dict[str, Any]:  # noqa: ARG002
        from .openapi import description

        return description(ROUTES, self.base_url)


ROUTES: dict[str, type[Any]] = {
    "flows": FlowsCall,
    "executions": ExecutionsCall,
    "executions/many": ManyCall,
    "executions/{execution_id}": ExecutionCall,
    "executions/{execution_id}/children": ChildrenCall,
    "executions/{execution_id}/savepoints": SavepointsCall,
    "executions/{execution_id}/log": LogCall,
    "executions/{execution_id}/notebook": NotebookCall,
    "executions/{execution_id}/cancel": CancelCall,
    "executions/{execution_id}/pause": PauseCall,
    "executions/{execution_id}/resume": ResumeCall,
    "executions/{execution_id}/archive": ArchiveCall,
    "executions/{execution_id}/again": AgainCall,
    "executions/{execution_id}/delete": DeleteCall,
    "savepoints/{savepoint_id}": SavepointCall,
    "savepoints/{savepoint_id}/variables": VariablesCall,
    "savepoints/{savepoint_id}/diff/{other_id}": DifferenceCall,
    "savepoints/{savepoint_id}/restore": RestoreCall,
    "savepoints/{savepoint_id}/fork": ForkCall,
    "storage": StorageCall,
    "storage/collect": CollectCall,
    "status": StatusCall,
    "openapi.json": OpenAPICall,
    "events": EventsHandler,
}


def tornado_routes() -> list[tuple[str, type[Any]]]:
    """The table as Tornado's patterns, with an answer for all other paths at its end."""
    routes = [(f"/{PREFIX}/{_pattern(path)}", handler) for path, handler in ROUTES.items()]
    return [*routes, *health_routes(), (rf"/{PREFIX}(/.*)?", UnknownCall)]


def _pattern(path: str) -> str:
    parts = ["([^/]+)" if part.startswith("{") else part.replace(".", r"\.") for part in path.split("/")]
    return "/".join(parts)
