"""The closed vocabularies."""

from enum import StrEnum


class Status(StrEnum):
    """What an execution is doing. A wish ("cancel requested") is never a status: see `Wish`."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    PAUSED = "PAUSED"
    ENDED_SUCCESS = "ENDED_SUCCESS"
    ENDED_ERROR = "ENDED_ERROR"
    ENDED_CANCELLED = "ENDED_CANCELLED"

    @property
    def is_final(self) -> bool:
        return self.value.startswith("ENDED")


class ExecutionType(StrEnum):
    """FLOW runs a flow version, CONNECTION talks to a service, NOTEBOOK is driven by a person."""

    FLOW = "FLOW"
    CONNECTION = "CONNECTION"
    NOTEBOOK = "NOTEBOOK"


class Wish(StrEnum):
    CANCEL = "CANCEL"
    PAUSE = "PAUSE"


class ReturnWhen(StrEnum):
    """When a wait for several executions is over."""

    ALL_SUCCEEDED = "ALL_SUCCEEDED"
    ALL_ENDED = "ALL_ENDED"
    FIRST_ENDED = "FIRST_ENDED"


class SavepointKind(StrEnum):
    """IMPLICIT comes with a Flow-API call, NAMED from `create_savepoint`, CELL after a finished cell."""

    IMPLICIT = "IMPLICIT"
    NAMED = "NAMED"
    CELL = "CELL"


class FlowKind(StrEnum):
    NOTEBOOK = "notebook"
    SCRIPT = "script"


class CellKind(StrEnum):
    CODE = "code"
    MARKDOWN = "markdown"
    RAW = "raw"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
