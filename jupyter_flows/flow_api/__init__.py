"""What the author of a flow sees: `this`, `system`, handles of other executions, and the errors.

    import flow_api                                 # inside a flow
    from jupyter_flows import flow_api              # elsewhere

Every method here is a Flow-API call: the kernel's runtime makes a savepoint, the engine commits it
together with the call's effect, and the call returns, in this process or, after a crash or a restore,
in another one. So a method only says what is asked (a `model.Call`) and what its answer becomes
(`Pending`); both are kept in the savepoint.
"""

from __future__ import annotations

from ..errors import (
    ConflictError,
    DependencyFailedError,
    DependencyTimeoutError,
    EngineException,
    ExecutionCancel,
    ExecutionError,
    ExecutionSuccess,
    ExtraInputError,
    InternalError,
    InvalidFlowError,
    InvalidInputError,
    KernelDiedError,
    LifecycleSignal,
    LockTimeoutError,
    MessageResponseTimeoutError,
    MissingInputError,
    PermissionDenied,
    ResourceNotFoundError,
    SavepointError,
    SchemaValidationError,
    TimeoutExceededError,
)
from ..model import ExecutionType, ReturnWhen, Status
from ..reducer import reducer
from . import answers
from .execution import Execution, _own_handle
from .pending import Pending as Pending
from .pending import add_return as add_return
from .resources import File, Setting
from .runtime import Runtime as Runtime
from .runtime import use_runtime as use_runtime
from .system import System
from .views import Flow, Savepoint, User

__all__ = [
    "ConflictError",
    "DependencyFailedError",
    "DependencyTimeoutError",
    "EngineException",
    "Execution",
    "ExecutionCancel",
    "ExecutionError",
    "ExecutionSuccess",
    "ExecutionType",
    "ExtraInputError",
    "File",
    "Flow",
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
    "ReturnWhen",
    "Savepoint",
    "SavepointError",
    "SchemaValidationError",
    "Setting",
    "Status",
    "System",
    "TimeoutExceededError",
    "User",
    "reducer",
]

# Savepoints name these by their place here, wherever in this package they are written.
for _one in (Execution, File, Flow, Pending, Savepoint, Setting, System, User, _own_handle):
    _one.__module__ = __name__
del _one

answers.register()
