"""The Flow-API calls: what a flow can ask of the engine, one frozen value each.

A call is kept in the savepoint made for it, so these are a storage format too: add fields with
defaults, never rename or remove one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from .execution import ErrorInfo
from .value import Value
from .words import ExecutionType, LogLevel, ReturnWhen, Status

_SIGNALS = {
    Status.ENDED_SUCCESS: "ExecutionSuccess",
    Status.ENDED_ERROR: "ExecutionError",
    Status.ENDED_CANCELLED: "ExecutionCancel",
}


class StartFlow(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`this.flow(…)`: create a child, run it unless `run` is False, wait for it if `wait`.

    An `is_orphan` outlives the cancellation of its parent; `options` are FlowOptions that replace the flow's.
    """

    flow: str
    inputs: dict[str, Value] = {}
    name: str | None = None
    run: bool = True
    wait: bool = True
    return_when: ReturnWhen = ReturnWhen.ALL_SUCCEEDED
    is_orphan: bool = False
    options: dict[str, Any] = {}


class RunScript(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`this.script(text, …)`: a child whose source is `text`; all else as for StartFlow."""

    text: str
    inputs: dict[str, Value] = {}
    name: str | None = None
    run: bool = True
    wait: bool = True
    return_when: ReturnWhen = ReturnWhen.ALL_SUCCEEDED
    is_orphan: bool = False
    options: dict[str, Any] = {}


class Connect(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`this.connect(…)`: a connection execution that the worker runs itself."""

    connector_type: str
    inputs: dict[str, Value] = {}
    name: str | None = None
    run: bool = True
    wait: bool = True
    return_when: ReturnWhen = ReturnWhen.ALL_SUCCEEDED


class RunExecution(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`child.run()` and `child.run_async()` of one created with ``run=False``."""

    execution_id: str
    wait: bool
    return_when: ReturnWhen = ReturnWhen.ALL_SUCCEEDED


class WaitFor(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`this.wait_for(…)`; `timeout` in seconds, None: no limit."""

    execution_ids: tuple[str, ...]
    return_when: ReturnWhen = ReturnWhen.ALL_SUCCEEDED
    timeout: float | None = None


class Sleep(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`this.sleep(seconds)` (the engine's clock counts) or `this.sleep_until(instant)`."""

    seconds: float | None = None
    until: datetime | None = None


class End(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`this.success/error/end(…)`; the answer is the signal that unwinds the flow."""

    status: Status
    message: str | None = None

    @property
    def signal(self) -> ErrorInfo:
        """Its answer, known before it is made."""
        return ErrorInfo(type=_SIGNALS[self.status], message=self.message or "")


class Get(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`get` and `load` of an execution's fields."""

    execution_id: str
    fields: tuple[str, ...]


class Save(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`this.save(name=…, message=…, output_value=…)`; `outputs` replaces all outputs when not None."""

    execution_id: str
    name: str | None = None
    message: str | None = None
    outputs: dict[str, Value] | None = None


class SetOutput(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`this.set_output(…)`: merges into the outputs of the calling execution."""

    outputs: dict[str, Value]


class Log(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`this.log(…)`; `fields` are the named values, as JSON or their text."""

    text: str
    level: LogLevel = LogLevel.INFO
    fields: dict[str, Any] = {}


class CreateSavepoint(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`this.create_savepoint(name)`; without a name an implicit one."""

    name: str | None = None


class LoadSavepoint(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`this.load_savepoint(ref, by='id' | 'name')`."""

    ref: str
    by: str = "id"
    max_restores: int = 100


class ListSavepoints(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    execution_id: str


class FindExecutions(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`system.execution(id)` (one id) and `system.executions(…)`."""

    execution_id: str | None = None
    flow: str | None = None
    status: Status | None = None
    parent_id: str | None = None
    limit: int = 1000
    execution_type: ExecutionType | None = None
    text: str | None = None
    name: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    execution_id: str


class Pause(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`pause()`: of itself at once, of another one from its next call on."""

    execution_id: str


class Clone(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`clone(…)`: a new execution of the same flow version; `inputs` replace those of the same name."""

    execution_id: str
    inputs: dict[str, Value] = {}
    name: str | None = None


class Archive(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    execution_id: str


class Delete(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    execution_id: str


class FindFlows(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`system.flow(name)` (with `name`) and `system.flows()`; in a `pattern` a ``*`` stands for any text."""

    name: str | None = None
    pattern: str | None = None


class GetSetting(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    name: str
    fields: tuple[str, ...] = ("value",)


class SaveSetting(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`value` is JSON."""

    name: str
    value: Any


class DeleteSetting(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    name: str


class AcquireLock(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The lock of a setting's name; `timeout` in seconds, None: no limit."""

    name: str
    timeout: float | None = None


class ReleaseLock(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    name: str


class GetFile(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    name: str


class SaveFile(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`inputs` has the content, as bytes, under the name ``content``; `size` counts them."""

    name: str
    inputs: dict[str, Value]
    size: int


class DeleteFile(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    name: str


class GetOwnUser(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """`system.get_own_user()`"""


class CellFinished(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Not a method: a person's cell ended, and its state is kept."""

    cell: int


Call = (
    StartFlow
    | RunScript
    | Connect
    | RunExecution
    | WaitFor
    | Sleep
    | End
    | Get
    | Save
    | SetOutput
    | Log
    | CreateSavepoint
    | LoadSavepoint
    | ListSavepoints
    | FindExecutions
    | Cancel
    | Pause
    | Clone
    | Archive
    | Delete
    | FindFlows
    | GetSetting
    | SaveSetting
    | DeleteSetting
    | AcquireLock
    | ReleaseLock
    | GetFile
    | SaveFile
    | DeleteFile
    | GetOwnUser
    | CellFinished
)
