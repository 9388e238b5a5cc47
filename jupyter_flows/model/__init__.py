"""The words of the project as frozen values: what every layer speaks of.

Nothing here imports anything else of the package, opens a file or decides anything. The values are
``msgspec`` structs, so that they cross the socket (msgpack), the database and REST (JSON) without a
hand-written codec, and are checked where they are decoded.
"""

from .answers import Answer, ErrorInfo
from .calls import (
    Call,
    Cancel,
    CellFinished,
    Connect,
    CreateSavepoint,
    End,
    FindExecutions,
    Get,
    ListSavepoints,
    LoadSavepoint,
    Log,
    RunExecution,
    Save,
    SetOutput,
    Sleep,
    StartFlow,
    WaitFor,
)
from .execution import (
    CellOutput,
    Execution,
    ExecutionView,
    LogLine,
    ResumeMode,
    Wait,
)
from .flow import Cell, FlowSource, FlowView
from .options import NO_OPTIONS, FlowOptions
from .savepoint import Missing, Savepoint, SavepointDraft, SavepointView, Site, VariableView
from .value import Value
from .words import (
    CellKind,
    ExecutionType,
    FlowKind,
    LogLevel,
    ReturnWhen,
    SavepointKind,
    Status,
    Wish,
)

__all__ = [
    "NO_OPTIONS",
    "Answer",
    "Call",
    "Cancel",
    "Cell",
    "CellFinished",
    "CellKind",
    "CellOutput",
    "Connect",
    "CreateSavepoint",
    "End",
    "ErrorInfo",
    "Execution",
    "ExecutionType",
    "ExecutionView",
    "FindExecutions",
    "FlowKind",
    "FlowOptions",
    "FlowSource",
    "FlowView",
    "Get",
    "ListSavepoints",
    "LoadSavepoint",
    "Log",
    "LogLevel",
    "LogLine",
    "Missing",
    "ResumeMode",
    "ReturnWhen",
    "RunExecution",
    "Save",
    "Savepoint",
    "SavepointDraft",
    "SavepointKind",
    "SavepointView",
    "SetOutput",
    "Site",
    "Sleep",
    "StartFlow",
    "Status",
    "Value",
    "VariableView",
    "Wait",
    "WaitFor",
    "Wish",
]
