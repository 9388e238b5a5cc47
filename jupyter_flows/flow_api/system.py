"""What is not one execution."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .. import model
from ..model import ExecutionType, ReturnWhen, Status
from .arguments import Like, as_instant, as_text, as_word, conditions
from .execution import Execution
from .pending import Pending
from .resources import File, Setting
from .runtime import current
from .views import Flow, User

_EXECUTION_FIELDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("flow", "status", "type", "name", "parent_id"), ("eq",)),
    "text": ("eq", "like"),
    "created_at": ("gte", "lt"),
}


class System:
    """What is not one execution: flows, executions, settings, files, and the vocabulary of waits."""

    return_when = ReturnWhen

    def flow(self, name: str) -> Flow:
        """The flow of that name or path. Raises ResourceNotFoundError."""
        found: Flow = current().perform(self.flow, model.FindFlows(name=str(name)), Pending("flow"))
        return found

    def flows(self, filter: Mapping[str, Any] | None = None) -> list[Flow]:
        """All flows below the root, or those whose ``name`` is as the filter says: ``{'name': 'etl/*'}``."""
        wanted = conditions(filter, {"name": ("eq", "like")})
        pattern = wanted.get("name")
        if isinstance(pattern, Like):
            pattern = pattern.replace("%", "*")
        call = model.FindFlows(pattern=pattern)
        return current().perform(self.flows, call, Pending("flows"))  # type: ignore[no-any-return]

    def setting(self, name: str) -> Setting:
        """The setting of that name, which need not exist. Makes no savepoint."""
        return Setting(name)

    def file(self, name: str) -> File:
        """The file of that name, which need not exist. Makes no savepoint."""
        return File(name)

    def get_own_user(self) -> User:
        """The person who started this execution or its ancestor."""
        found: User = current().perform(self.get_own_user, model.GetOwnUser(), Pending("user"))
        return found

    def execution(self, id: str) -> Execution:
        """A handle of the execution with that id. Raises ResourceNotFoundError."""
        return current().perform(  # type: ignore[no-any-return]
            self.execution, model.FindExecutions(execution_id=str(id)), Pending("new handle")
        )

    def executions(
        self,
        filter: Mapping[str, Any] | None = None,
        *,
        flow: str | None = None,
        status: Status | str | None = None,
        parent: Execution | None = None,
        limit: int = 1000,
    ) -> list[Execution]:
        """Handles of executions, newest first, at most `limit`.

        `filter` is a mapping of fields to values, ``{'flow': 'score', 'status': 'RUNNING'}``, one condition
        ``{'field': 'created_at', 'op': 'gte', 'value': instant}``, or several under ``{'and': [...]}``.
        Fields: `flow`, `status`, `type`, `name`, `parent_id`, `created_at` (``gte`` and ``lt``), and `text`
        for what is said in id, name, flow, message and log.
        """
        wanted = conditions(filter, _EXECUTION_FIELDS)
        if flow is not None:
            wanted["flow"] = flow
        if status is not None:
            wanted["status"] = status
        if parent is not None:
            wanted["parent_id"] = parent.id
        kind = wanted.get("type")
        call = model.FindExecutions(
            flow=as_text(wanted.get("flow")),
            status=as_word(Status, wanted.get("status")),
            parent_id=as_text(wanted.get("parent_id")),
            execution_type=as_word(ExecutionType, kind),
            text=as_text(wanted.get("text")),
            name=as_text(wanted.get("name")),
            created_after=as_instant(wanted.get("created_at gte")),
            created_before=as_instant(wanted.get("created_at lt")),
            limit=limit,
        )
        return current().perform(self.executions, call, Pending("handles"))  # type: ignore[no-any-return]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, System)

    def __hash__(self) -> int:
        return hash(System)
