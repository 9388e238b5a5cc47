"""A savepoint: durable state of one execution at one instruction."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from .calls import Call
from .execution import ErrorInfo
from .showing import masked_text
from .value import Value
from .words import SavepointKind

if TYPE_CHECKING:  # an answer may tell of savepoints
    from .answers import Answer


class Site(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the innermost frame of the flow waits.

    `cell` counts the cells of the notebook from 0 (None for a script), `line` from 1 within the cell
    or script, `source` is the text of the statement, `function` the qualified name ("handler").
    """

    cell: int | None = None
    line: int = 0
    source: str = ""
    function: str = ""


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """An object that could not be kept: a path a person can read, its type, and why."""

    path: str
    type: str
    reason: str


class SavepointDraft(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A savepoint as the kernel makes it; the engine gives it an id in the transaction of the call.

    `manifest` is opaque to all but `snapshot`; `chunks` are the hashes it refers to. With ``exact``
    False nothing can go on from here, for the `inexact_reason`. Sizes in bytes. `flow_version` is the
    digest of the code that it was made under; `changes` are variables, and `inputs` inputs, that get
    other values when it is gone on from. `outputs` are those that the execution had before the call: the
    engine keeps them with some savepoints, so that for any other a few calls back are all that must be read.
    """

    kind: SavepointKind
    site: Site
    manifest: bytes
    chunks: tuple[str, ...]
    name: str | None = None
    exact: bool = True
    inexact_reason: str | None = None
    bytes_new: int = 0
    bytes_total: int = 0
    missing: tuple[Missing, ...] = ()
    flow_version: str | None = None
    changes: dict[str, Value] = {}
    inputs: dict[str, Value] = {}
    outputs: dict[str, Value] | None = None


class Savepoint(msgspec.Struct, frozen=True, kw_only=True):
    """A stored savepoint.

    `number` counts the savepoints of its execution from 1; `parent_id` is the one before it in its
    branch. `call` is the Flow-API call it was made for, `effect_ids` the executions that call created,
    `error` why it had no effect (an unknown flow …), so that the same error is told again after a crash.
    `heard` is the answer that the flow was given to the call before, kept where this savepoint is not exact:
    its code is then run again after a crash, and must hear the same to make the same calls.
    """

    id: str
    execution_id: str
    parent_id: str | None
    number: int
    created_at: datetime
    call: Call
    draft: SavepointDraft
    effect_ids: tuple[str, ...] = ()
    restores: int = 0
    error: ErrorInfo | None = None
    heard: Answer | None = None

    def view(self) -> SavepointView:
        return SavepointView(
            id=self.id,
            execution_id=self.execution_id,
            parent_id=self.parent_id,
            number=self.number,
            name=self.draft.name,
            kind=self.draft.kind,
            created_at=self.created_at,
            action=_action(self.call),
            last_command=masked_text(self.draft.site.source),
            cell=self.draft.site.cell,
            line=self.draft.site.line,
            source=masked_text(self.draft.site.source),
            function=self.draft.site.function,
            exact=self.draft.exact,
            inexact_reason=self.draft.inexact_reason,
            bytes_new=self.draft.bytes_new,
            bytes_total=self.draft.bytes_total,
            missing=self.draft.missing,
        )


# What a person calls each Flow-API call, in the words of the author's API.
_ACTIONS = {
    "StartFlow": "flow",
    "Connect": "connect",
    "RunExecution": "run",
    "WaitFor": "wait_for",
    "Sleep": "sleep",
    "End": "end",
    "Get": "get",
    "Save": "save",
    "SetOutput": "set_output",
    "Log": "log",
    "CreateSavepoint": "create_savepoint",
    "LoadSavepoint": "load_savepoint",
    "ListSavepoints": "savepoints",
    "FindExecutions": "executions",
    "Cancel": "cancel",
    "RunScript": "script",
    "Pause": "pause",
    "Clone": "clone",
    "Archive": "archive",
    "Delete": "delete",
    "FindFlows": "flows",
    "GetSetting": "setting.get",
    "SaveSetting": "setting.save",
    "DeleteSetting": "setting.delete",
    "AcquireLock": "acquire",
    "ReleaseLock": "release",
    "GetFile": "file.get",
    "SaveFile": "file.save",
    "DeleteFile": "file.delete",
    "GetOwnUser": "get_own_user",
    "CellFinished": "cell",
}


def _action(call: Call) -> str:
    return _ACTIONS[type(call).__name__]


class SavepointView(msgspec.Struct, frozen=True, kw_only=True):
    """A savepoint as REST, the command line, `%flow` and `this.savepoints()` show it."""

    id: str
    execution_id: str
    parent_id: str | None
    number: int
    name: str | None
    kind: SavepointKind
    created_at: datetime
    action: str
    last_command: str
    cell: int | None
    line: int
    source: str
    function: str
    exact: bool
    inexact_reason: str | None
    bytes_new: int
    bytes_total: int
    missing: tuple[Missing, ...]


class VariableView(msgspec.Struct, frozen=True, kw_only=True):
    """A variable in a savepoint, known without unpickling anything.

    `scope` is ``globals`` or the function of the frame; `shape` is None where there is none;
    `bytes` counts what its group keeps; `digest` is equal exactly when the kept content is.
    """

    scope: str
    name: str
    type: str
    text: str
    shape: tuple[int, ...] | None = None
    bytes: int = 0
    digest: str = ""
    missing: str | None = None
    extra: dict[str, Any] = {}


class VariableChange(msgspec.Struct, frozen=True, kw_only=True):
    """One variable in two savepoints: `kind` is "added", "removed", "changed" or "same".

    `detail` says in a few words what changed; `before` and `after` are the views, None where it is not.
    """

    kind: str
    scope: str
    name: str
    detail: str = ""
    before: VariableView | None = None
    after: VariableView | None = None
