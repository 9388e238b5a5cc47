"""The project's one tree of errors, and the life-cycle signals.

Each message says what happened, to which execution, and what to do; the ids are attributes. An error
crosses processes as an `ErrorInfo` (`to_info`, `from_info`) and survives pickling.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "ConflictError",
    "ConnectorError",
    "DependencyFailedError",
    "DependencyTimeoutError",
    "EngineException",
    "ExecutionCancel",
    "ExecutionError",
    "ExecutionSuccess",
    "ExtraInputError",
    "InternalError",
    "InvalidFlowError",
    "InvalidInputError",
    "KernelDiedError",
    "LifecycleSignal",
    "LockTimeoutError",
    "MessageResponseTimeoutError",
    "MissingInputError",
    "PermissionDenied",
    "ResourceNotFoundError",
    "SavepointError",
    "SchemaValidationError",
    "StaleLeaseError",
    "StoreError",
    "TimeoutExceededError",
    "from_parts",
    "parts",
]


class EngineException(Exception):
    """The root of the errors a flow can catch.

    Arguments: `message` for a person; keyword arguments are ids (``execution_id="…"``), kept in `ids`
    and readable as attributes.
    """

    def __init__(self, message: str = "", **ids: str) -> None:
        super().__init__(message)
        self.message = message
        self.ids = ids

    def __getattr__(self, name: str) -> str:
        ids = self.__dict__.get("ids", {})
        if name in ids:
            return str(ids[name])
        raise AttributeError(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.message, self.ids), _extra_state(self))


def _rebuild(cls: type[EngineException], message: str, ids: dict[str, str]) -> EngineException:
    return cls(message, **ids)


def _extra_state(error: EngineException) -> dict[str, Any] | None:
    known = {"message", "ids"}
    return {key: value for key, value in error.__dict__.items() if key not in known} or None


class InternalError(EngineException):
    """The engine itself failed; the execution stays as it was at its newest savepoint."""


class PermissionDenied(EngineException):
    """The user may not do this."""


class ResourceNotFoundError(EngineException):
    """No flow, execution, savepoint or setting of that name or id."""


class ConflictError(EngineException):
    """The thing is not in a state that allows this, or the name is taken."""


class DependencyFailedError(EngineException):
    """An execution that was waited for did not end in success; `execution_id` names it."""


class TimeoutExceededError(EngineException):
    """Something took longer than it was allowed to."""


class LockTimeoutError(TimeoutExceededError):
    """A lock was not free in time."""


class DependencyTimeoutError(TimeoutExceededError):
    """The executions waited for did not end in time."""


class MessageResponseTimeoutError(TimeoutExceededError):
    """Nobody answered a message in time."""


class MissingInputError(EngineException):
    """A required input is missing."""


class InvalidInputError(EngineException):
    """An input cannot be used: of a wrong type, out of range, or it cannot be pickled."""


class ExtraInputError(EngineException):
    """An input that the flow or connector does not know."""


class SchemaValidationError(EngineException):
    """Inputs do not match the declared schema."""


class SavepointError(EngineException):
    """A savepoint cannot be made, read or gone on from; also what a placeholder raises on any use."""


class InvalidFlowError(EngineException):
    """A flow's file is missing, or is not a notebook or Python script that can be run."""


class ConnectorError(EngineException):
    """The service that a connection talks to refused, failed or could not be reached."""


class StoreError(EngineException):
    """The store cannot be opened, is of a newer version, or refused a write."""


class StaleLeaseError(EngineException):
    """A write came with an old epoch: another worker holds the execution now."""


class KernelDiedError(EngineException):
    """The kernel of an execution did not start, or died."""


class LifecycleSignal(BaseException):
    """Unwinds a flow that ends; no `except` of a flow catches it, `finally` blocks run."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message)
        self.message = message


class ExecutionCancel(LifecycleSignal):
    """The execution was cancelled."""


class ExecutionError(LifecycleSignal):
    """The flow ended itself with `this.error(…)`."""


class ExecutionSuccess(LifecycleSignal):
    """The flow ended itself with `this.success(…)`."""


def _tree(root: type[Any]) -> dict[str, type[Any]]:
    found = {root.__name__: root}
    for child in root.__subclasses__():
        found |= _tree(child)
    return found


def parts(error: BaseException) -> tuple[str, str, dict[str, str]]:
    """Class name, message and ids of an error: what an `ErrorInfo` is made of."""
    message = getattr(error, "message", None)
    ids = error.ids if isinstance(error, EngineException) else {}
    return type(error).__name__, str(error) if message is None else message, ids


def from_parts(type_name: str, message: str, ids: dict[str, str]) -> EngineException | LifecycleSignal:
    """The error or signal of our tree with that class name; an unknown name gives InternalError."""
    if signal := _tree(LifecycleSignal).get(type_name):
        return signal(message)  # type: ignore[no-any-return]
    error = _tree(EngineException).get(type_name)
    if error is None:
        return InternalError(f"{type_name}: {message}", **ids)
    return error(message, **ids)  # type: ignore[no-any-return]
