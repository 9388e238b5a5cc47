"""The runtime that the kernel plugs in: it makes savepoints and speaks with the worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from .. import model
from ..errors import InternalError

if TYPE_CHECKING:
    from .pending import Pending


class Runtime(Protocol):
    """What the kernel plugs in: makes the savepoint, speaks with the worker, encodes values."""

    @property
    def execution_id(self) -> str: ...

    @property
    def is_saving(self) -> bool:
        """Whether a savepoint of this execution is being pickled in this thread."""

    def perform(self, callee: Callable[..., Any], call: model.Call, pending: Pending) -> Any:
        """Make `call` for the flow frame that called `callee`; return what `pending` makes of the answer."""

    def encode(self, value: Any, name: str) -> model.Value: ...

    def decode(self, value: model.Value) -> Any: ...


_runtime: Runtime | None = None


def use_runtime(runtime: Runtime | None) -> None:
    """Plug in the runtime of this process; only the kernel calls this."""
    global _runtime
    _runtime = runtime


def plugged() -> Runtime | None:
    """The runtime, if a flow is running in this process."""
    return _runtime


def current() -> Runtime:
    """The runtime. Raises InternalError where no flow is running."""
    if _runtime is None:
        raise InternalError(
            "no flow is running in this process: open the notebook with the Flows kernel, "
            "or run the flow with `jupyter flows run`"
        )
    return _runtime
