"""What the author of a flow sees: `this`, `system`, handles of other executions, and the errors.

    import flow_api                                 # inside a flow
    from jupyter_flows import flow_api              # elsewhere

Every method here is a Flow-API call: the kernel's runtime makes a savepoint, the engine commits it
together with the call's effect, and the call returns, in this process or, after a crash or a restore,
in another one. So a method only says what is asked (a `model.Call`) and what its answer becomes
(`Pending`); both are kept in the savepoint.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NoReturn, Protocol, TypeVar

from . import model
from .errors import (
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
    from_parts,
)
from .model import ExecutionType, LogLevel, ReturnWhen, Status
from .reducer import reducer

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


def _current() -> Runtime:
    if _runtime is None:
        raise InternalError(
            "no flow is running in this process: open the notebook with the Flows kernel, "
            "or run the flow with `jupyter flows run`"
        )
    return _runtime


class Pending:
    """What becomes of a call's answer: `returns` names it, `subjects` are the handles concerned.

    Pickled with the savepoint, together with the flow's variables, so that the handle that comes back
    from ``child.wait()`` is the very object that the flow holds.
    """

    def __init__(self, returns: str, *subjects: Execution | _Resource) -> None:
        self.returns = returns
        self.subjects = subjects

    def outcome(self, call: model.Call, answer: model.Answer) -> Any:
        """The value that the call returns. Raises the answer's error, or the signal that ends the flow."""
        for subject in self.subjects:
            subject._learn(answer)
        if answer.error is not None and not self._expects(answer.error):
            info = answer.error
            raise from_parts(info.type, info.message, info.ids)
        return _RETURNS[self.returns](self, call, answer)

    def _expects(self, error: model.ErrorInfo) -> bool:
        return self.returns in ("existence", "presence") and error.type == ResourceNotFoundError.__name__


def _returns_new_handle(_: Pending, __: model.Call, answer: model.Answer) -> Execution:
    return _handle(answer.executions[0])


def _returns_handles(_: Pending, __: model.Call, answer: model.Answer) -> list[Execution]:
    return [_handle(view) for view in answer.executions]


def _returns_subject(pending: Pending, _: model.Call, __: model.Answer) -> Execution | _Resource:
    return pending.subjects[0]


def _returns_nothing(_: Pending, __: model.Call, ___: model.Answer) -> None:
    return None


def _returns_field(pending: Pending, call: model.Call, answer: model.Answer) -> Any:
    return next(iter(_returns_fields(pending, call, answer).values()))


def _returns_fields(_: Pending, call: model.Call, answer: model.Answer) -> dict[str, Any]:
    assert isinstance(call, model.Get)
    found: dict[str, Any] = {}
    for field in call.fields:
        if field in ("output_value", "outputs"):
            found[field] = _decoded(answer.outputs or {})
        elif field in ("input_value", "inputs"):
            found[field] = _decoded(answer.inputs or {})
        else:
            found[field] = _typed(field, answer.fields[field])
    return found


def _returns_savepoints(_: Pending, __: model.Call, answer: model.Answer) -> list[Savepoint]:
    return [Savepoint(view) for view in answer.savepoints]


def _returns_existence(_: Pending, __: model.Call, answer: model.Answer) -> bool:
    return bool(answer.executions)


def _returns_setting(_: Pending, call: model.Call, answer: model.Answer) -> Any:
    assert isinstance(call, model.GetSetting)
    found = {field: _typed(field, answer.fields[field]) for field in call.fields}
    return found if len(found) > 1 else next(iter(found.values()))


def _returns_bytes(_: Pending, __: model.Call, answer: model.Answer) -> bytes:
    content = _decoded(answer.outputs or {})["content"]
    assert isinstance(content, bytes)
    return content


def _returns_text(pending: Pending, call: model.Call, answer: model.Answer) -> str:
    try:
        return _returns_bytes(pending, call, answer).decode()
    except UnicodeDecodeError:
        assert isinstance(call, model.GetFile)
        raise InvalidInputError(
            f"the file {call.name!r} is no text in UTF-8: take get_bytes_content()", file=call.name
        ) from None


def _returns_base64(pending: Pending, call: model.Call, answer: model.Answer) -> str:
    return base64.b64encode(_returns_bytes(pending, call, answer)).decode()


def _returns_flow(_: Pending, __: model.Call, answer: model.Answer) -> Flow:
    return Flow(answer.flows[0])


def _returns_flows(_: Pending, __: model.Call, answer: model.Answer) -> list[Flow]:
    return [Flow(view) for view in answer.flows]


def _returns_user(_: Pending, __: model.Call, answer: model.Answer) -> User:
    return User(answer.fields["name"])


def _returns_presence(_: Pending, __: model.Call, answer: model.Answer) -> bool:
    return answer.error is None


def _raises_signal(_: Pending, call: model.Call, __: model.Answer) -> NoReturn:
    assert isinstance(call, model.End)
    raise {
        Status.ENDED_SUCCESS: ExecutionSuccess,
        Status.ENDED_ERROR: ExecutionError,
        Status.ENDED_CANCELLED: ExecutionCancel,
    }[call.status](call.message)


_RETURNS: dict[str, Callable[[Pending, model.Call, model.Answer], Any]] = {
    "new handle": _returns_new_handle,
    "handles": _returns_handles,
    "subject": _returns_subject,
    "nothing": _returns_nothing,
    "field": _returns_field,
    "fields": _returns_fields,
    "savepoints": _returns_savepoints,
    "existence": _returns_existence,
    "presence": _returns_presence,
    "setting": _returns_setting,
    "bytes": _returns_bytes,
    "text": _returns_text,
    "base64": _returns_base64,
    "flow": _returns_flow,
    "flows": _returns_flows,
    "user": _returns_user,
    "signal": _raises_signal,
}


def add_return(name: str, returns: Callable[[Pending, model.Call, model.Answer], Any]) -> None:
    """Teach `Pending` one more way to turn an answer into a value; for the kernel's own commands."""
    _RETURNS[name] = returns


def _decoded(values: Mapping[str, model.Value]) -> dict[str, Any]:
    runtime = _current()
    return {name: runtime.decode(value) for name, value in values.items()}


def _typed(field: str, value: Any) -> Any:
    if value is None:
        return None
    if field.endswith("_at") and isinstance(value, str):
        return datetime.fromisoformat(value)
    if field == "status":
        return Status(value)
    if field == "type":
        return ExecutionType(value)
    return value


def _own_handle() -> Execution:
    return Execution(_current().execution_id)


def _handle(view: model.ExecutionView) -> Execution:
    handle = Execution(view.id)
    handle._fields = _plain(view)
    return handle


def _plain(view: model.ExecutionView) -> dict[str, Any]:
    return {"name": view.name, "flow": view.flow, "status": view.status, "message": view.message}


class Execution:
    """A handle of an execution: `this`, or one that a call gave back. Equal and hashed by its id.

    The methods that end, wait, log or make savepoints act on the running execution and are called on
    `this`; the others act on whatever execution the handle is of.
    """

    id: str

    def __init__(self, id: str) -> None:
        self.id = id
        self._fields: dict[str, Any] = {}
        self._staged: dict[str, Any] = {}

    # --- children --------------------------------------------------------------------------------

    def flow(
        self,
        flow: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        name: str | None = None,
        run: bool = True,
        wait: bool | ReturnWhen = True,
        orphan: bool = False,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Execution:
        """Start a flow as a child.

        Arguments:
            flow: its name or path, beside this flow or under the flows' root.
            inputs: what the child gets as inputs; unknown keywords are added to them.
            name: the child's name in the panels, by default the flow's.
            run: False only creates the child; start it with `run()` or `run_async()`.
            wait: False starts it in the background; a `return_when` says when the wait is over.
            orphan: True lets it go on when this execution is cancelled.
            options: what replaces the options that the flow declares (`retries`, `max_runtime` …).

        Returns a handle of the child. Raises DependencyFailedError when it was waited for and did not
        end in success, ResourceNotFoundError and InvalidFlowError for a flow that cannot be run, and
        InvalidInputError for inputs that cannot be kept.
        """
        call = model.StartFlow(
            flow=flow,
            inputs=_encoded({**(inputs or {}), **kwargs}),
            name=name,
            run=run,
            wait=run and bool(wait),
            return_when=_return_when(wait),
            is_orphan=bool(orphan),
            options=_plain_options(options),
        )
        return self._own()._perform(self.flow, call, Pending("new handle"))  # type: ignore[no-any-return]

    def script(
        self,
        text: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        name: str | None = None,
        run: bool = True,
        wait: bool | ReturnWhen = True,
        orphan: bool = False,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Execution:
        """Start a child whose source is `text`: a script with `handler(system, this)`, or plain statements.

        All else is as for `flow`. It runs in the directory of this flow. Raises InvalidFlowError when
        `text` is not Python.
        """
        if not isinstance(text, str):
            raise InvalidInputError(f"script takes the text of a script, not {type(text).__name__}")
        call = model.RunScript(
            text=text,
            inputs=_encoded({**(inputs or {}), **kwargs}),
            name=name,
            run=run,
            wait=run and bool(wait),
            return_when=_return_when(wait),
            is_orphan=bool(orphan),
            options=_plain_options(options),
        )
        return self._own()._perform(self.script, call, Pending("new handle"))  # type: ignore[no-any-return]

    def connect(
        self,
        connector: str | None = None,
        *,
        connector_type: str | None = None,
        name: str | None = None,
        run: bool = True,
        wait: bool | ReturnWhen = True,
        **inputs: Any,
    ) -> Execution:
        """Talk to a service outside through a connection execution, which the worker runs.

        Arguments: `connector_type` ("SQL", "REST", or one that a package adds) or `connector`, which
        means the same; `name`, `run` and `wait` as in `flow`; everything else is the connector's.

        Returns a handle; ``.get('output_value')`` has the result. Raises DependencyFailedError when the
        connection failed, ResourceNotFoundError for an unknown type.
        """
        kind = connector_type or connector
        if not kind:
            raise MissingInputError("connect needs a connector_type, for example connector_type='SQL'")
        call = model.Connect(
            connector_type=kind,
            inputs=_encoded(inputs),
            name=name,
            run=run,
            wait=run and bool(wait),
            return_when=_return_when(wait),
        )
        return self._own()._perform(self.connect, call, Pending("new handle"))  # type: ignore[no-any-return]

    def run(self) -> Execution:
        """Start an execution created with ``run=False`` and wait for it. Returns itself."""
        call = model.RunExecution(execution_id=self.id, wait=True)
        return self._perform(self.run, call, Pending("subject", self))  # type: ignore[no-any-return]

    def run_async(self) -> Execution:
        """Start an execution created with ``run=False`` in the background. Returns itself."""
        call = model.RunExecution(execution_id=self.id, wait=False)
        return self._perform(self.run_async, call, Pending("subject", self))  # type: ignore[no-any-return]

    # --- waiting ---------------------------------------------------------------------------------

    def wait_for(
        self,
        *executions: Execution,
        return_when: ReturnWhen = ReturnWhen.ALL_SUCCEEDED,
        timeout: float | None = None,
    ) -> None:
        """Wait for other executions; `timeout` in seconds.

        Raises DependencyFailedError as soon as one did not end in success (ALL_SUCCEEDED only) and
        DependencyTimeoutError when the time is over.
        """
        for execution in executions:
            if not isinstance(execution, Execution):
                raise InvalidInputError(
                    f"wait_for takes handles of executions, not {type(execution).__name__}; "
                    "put an asterisk before a list of them"
                )
        call = model.WaitFor(
            execution_ids=tuple(dict.fromkeys(execution.id for execution in executions)),
            return_when=ReturnWhen(return_when),
            timeout=_seconds(timeout, "timeout"),
        )
        self._own()._perform(self.wait_for, call, Pending("nothing", *executions))

    def wait(
        self,
        *,
        return_when: ReturnWhen = ReturnWhen.ALL_SUCCEEDED,
        timeout: float | None = None,
    ) -> Execution:
        """Wait for this execution to end; as `wait_for`. Returns itself."""
        call = model.WaitFor(
            execution_ids=(self.id,),
            return_when=ReturnWhen(return_when),
            timeout=_seconds(timeout, "timeout"),
        )
        return self._perform(self.wait, call, Pending("subject", self))  # type: ignore[no-any-return]

    def sleep(self, seconds: float) -> None:
        """Sleep; no slot and, when long, no memory is held meanwhile."""
        if seconds is None:
            raise InvalidInputError("sleep takes a number of seconds")
        self._own()._perform(
            self.sleep, model.Sleep(seconds=_seconds(seconds, "seconds")), Pending("nothing")
        )

    def sleep_until(self, until: datetime | float) -> None:
        """Sleep until an instant: an aware datetime (a naive one is UTC) or a Unix timestamp in seconds."""
        if until is None:
            raise InvalidInputError("sleep_until takes an instant")
        self._own()._perform(self.sleep_until, model.Sleep(until=_instant(until)), Pending("nothing"))

    # --- ending ----------------------------------------------------------------------------------

    def success(self, message: str | None = None) -> NoReturn:
        """End this execution in success. Never returns; `finally` blocks run."""
        self._end(self.success, Status.ENDED_SUCCESS, message)

    def error(self, message: str | None = None) -> NoReturn:
        """End this execution with an error. Never returns; `finally` blocks run."""
        self._end(self.error, Status.ENDED_ERROR, message)

    def end(self, status: Status | str, message: str | None = None) -> NoReturn:
        """End this execution with a final status. Never returns; `finally` blocks run."""
        known = [final.value for final in Status if final.is_final]
        if status not in known:
            raise InvalidInputError(f"{status!r} is not a final status; take one of {', '.join(known)}")
        self._end(self.end, Status(status), message)

    def _end(self, callee: Callable[..., Any], status: Status, message: str | None) -> NoReturn:
        call = model.End(status=status, message=None if message is None else str(message))
        self._own()._perform(callee, call, Pending("signal"))
        raise AssertionError("the engine let an ended flow go on")

    # --- data ------------------------------------------------------------------------------------

    def get(self, *fields: str) -> Any:
        """Fields of this execution: one gives its value, several a dict by name.

        Known are ``input_value`` and ``output_value`` (dicts of real objects) and the fields of an
        execution (``name``, ``status``, ``message``, ``error``, ``created_at`` …). What is known of an
        execution that has ended is not asked for again. Raises InvalidInputError for an unknown field.
        """
        return self._get(self.get, fields)

    def load(self, *fields: str) -> Any:
        """As `get`, always read from the store."""
        return self._get(self.load, fields)

    def _get(self, callee: Callable[..., Any], fields: tuple[str, ...]) -> Any:
        if not fields:
            raise MissingInputError("get and load take the names of fields, for example 'output_value'")
        call = model.Get(execution_id=self.id, fields=fields)
        return self._perform(callee, call, Pending("field" if len(fields) == 1 else "fields"))

    def set(self, **fields: Any) -> Execution:
        """Note fields for the next `save`. Returns itself. Makes no savepoint: nothing leaves the flow."""
        _check_fields(fields)
        self._staged.update(fields)
        return self

    def save(self, **fields: Any) -> Execution:
        """Write ``name``, ``message`` or ``output_value`` (a dict, replaces all outputs). Returns itself."""
        _check_fields(fields)
        staged = {**self._staged, **fields}
        outputs = staged.get("output_value")
        if outputs is not None and not isinstance(outputs, Mapping):
            raise InvalidInputError("output_value is a dict of outputs by name")
        call = model.Save(
            execution_id=self.id,
            name=_text(staged.get("name")),
            message=_text(staged.get("message")),
            outputs=None if outputs is None else _encoded(outputs),
        )
        self._staged = {}
        return self._perform(self.save, call, Pending("subject", self))  # type: ignore[no-any-return]

    def set_output(self, *pair: Any, **values: Any) -> None:
        """`set_output(key, value)` or `set_output(key=value, …)`: add to the outputs of `this`."""
        if len(pair) not in (0, 2) or (pair and not isinstance(pair[0], str)):
            raise InvalidInputError("set_output takes a key and its value, or keywords")
        outputs = {**({pair[0]: pair[1]} if pair else {}), **values}
        self._own()._perform(self.set_output, model.SetOutput(outputs=_encoded(outputs)), Pending("nothing"))

    def log(self, *values: Any, level: LogLevel | str = LogLevel.INFO, **named: Any) -> None:
        """A line in the log of `this`: the values as text, the named ones as fields."""
        if level not in [known.value for known in LogLevel]:
            known_levels = ", ".join(known.value for known in LogLevel)
            raise InvalidInputError(f"{level!r} is not a level; take one of {known_levels}")
        call = model.Log(
            text=" ".join(str(value) for value in values),
            level=LogLevel(level),
            fields={name: _loggable(value) for name, value in named.items()},
        )
        self._own()._perform(self.log, call, Pending("nothing"))

    # --- savepoints ------------------------------------------------------------------------------

    def create_savepoint(self, name: str | None = None) -> None:
        """Make a named savepoint here. Restoring it means that this call returns again."""
        self._own()._perform(
            self.create_savepoint, model.CreateSavepoint(name=_text(name)), Pending("nothing")
        )

    def load_savepoint(self, ref: str | Savepoint, by: str = "id", max_restores: int = 100) -> NoReturn:
        """Put this execution back to one of its savepoints. Never returns.

        Arguments: `ref`, an id or, with ``by='name'``, a name (the newest savepoint of that name);
        `max_restores`: how often the same savepoint may be restored this way before SavepointError
        says that the flow goes round in circles. Timeouts of the execution are cleared.
        """
        if by not in ("id", "name"):
            raise InvalidInputError(f"by={by!r}: a savepoint is found by 'id' or by 'name'")
        wanted = ref.id if isinstance(ref, Savepoint) else str(ref)
        call = model.LoadSavepoint(ref=wanted, by=by, max_restores=max_restores)
        self._own()._perform(self.load_savepoint, call, Pending("nothing"))
        raise AssertionError("the engine let a restored flow go on")

    def savepoints(self) -> list[Savepoint]:
        """The savepoints of this execution, oldest first."""
        return self._perform(  # type: ignore[no-any-return]
            self.savepoints, model.ListSavepoints(execution_id=self.id), Pending("savepoints")
        )

    # --- life ------------------------------------------------------------------------------------

    def cancel(self) -> Execution:
        """Ask for this execution to be cancelled. Returns itself; `wait` for it if need be."""
        return self._perform(  # type: ignore[no-any-return]
            self.cancel, model.Cancel(execution_id=self.id), Pending("subject", self)
        )

    def pause(self) -> Execution:
        """Let this execution rest: `this` at once, another one from its next call on. Returns itself.

        A person goes on with it (panel, ``jupyter flows resume``), or another flow by `run()` or
        `run_async()`. Raises ConflictError when it has ended.
        """
        return self._perform(  # type: ignore[no-any-return]
            self.pause, model.Pause(execution_id=self.id), Pending("subject", self)
        )

    def clone(
        self, *, name: str | None = None, inputs: Mapping[str, Any] | None = None, **overrides: Any
    ) -> Execution:
        """A new child of `this` with the flow version and the inputs of this execution; `run()` starts it.

        Arguments: `name`; `inputs`, and unknown keywords, replace inputs of the same name. Raises
        ConflictError for the execution of a notebook.
        """
        call = model.Clone(
            execution_id=self.id, name=_text(name), inputs=_encoded({**(inputs or {}), **overrides})
        )
        return self._perform(self.clone, call, Pending("new handle"))  # type: ignore[no-any-return]

    def archive(self) -> Execution:
        """Delete the savepoints of this execution. Returns itself. Raises ConflictError before its end."""
        return self._perform(  # type: ignore[no-any-return]
            self.archive, model.Archive(execution_id=self.id), Pending("subject", self)
        )

    def delete(self) -> None:
        """Remove this execution and its descendants for ever. Raises ConflictError before their end."""
        self._perform(self.delete, model.Delete(execution_id=self.id), Pending("nothing"))

    def exists(self) -> bool:
        """Whether the store knows this execution."""
        call = model.FindExecutions(execution_id=self.id)
        return self._perform(self.exists, call, Pending("existence"))  # type: ignore[no-any-return]

    # --- how it is done --------------------------------------------------------------------------

    def _perform(self, callee: Callable[..., Any], call: model.Call, pending: Pending) -> Any:
        return _current().perform(callee, call, pending)

    def _own(self) -> Execution:
        """Itself if it is `this`; a call on behalf of another execution would act in the wrong place."""
        if self.id != _current().execution_id:
            raise ConflictError(
                "this method acts on the running execution: call it on `this`", execution_id=self.id
            )
        return self

    def _learn(self, answer: model.Answer) -> None:
        for view in answer.executions:
            if view.id == self.id:
                self._fields = _plain(view)

    def __reduce__(self) -> tuple[Any, ...]:
        state = {"_fields": self._fields, "_staged": self._staged}
        if _runtime is not None and _runtime.is_saving and self.id == _runtime.execution_id:
            # In its own savepoint it is "the execution that this is": in a fork, the new one.
            return _own_handle, (), state
        return Execution, (self.id,), state

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Execution) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        known = self._fields
        about = f" {known['name']!r} {known['status']}" if known else ""
        return f"<Execution {self.id}{about}>"


class Savepoint:
    """A savepoint in a list: its fields are those of the panels (`created_at`, `action`, `line` …)."""

    def __init__(self, view: model.SavepointView) -> None:
        self._view = view

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._view, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Savepoint) and other._view.id == self._view.id

    def __hash__(self) -> int:
        return hash(self._view.id)

    def __repr__(self) -> str:
        view = self._view
        label = f" {view.name!r}" if view.name else ""
        return f"<Savepoint {view.id}{label} {view.action} line {view.line}>"


class Flow:
    """A flow as `system.flow(name)` finds it: `name`, `path`, `kind`, `title`, `parameters`, `options`."""

    def __init__(self, view: model.FlowView) -> None:
        self._view = view

    def get(self, *fields: str) -> Any:
        """Fields by name: one gives its value, several a dict. Raises InvalidInputError for others."""
        known = self._view.__struct_fields__
        for field in fields:
            if field not in known:
                raise InvalidInputError(f"a flow has no field {field!r}; it has {', '.join(known)}")
        found = {field: getattr(self._view, field) for field in fields}
        return found if len(found) != 1 else next(iter(found.values()))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._view, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Flow) and other._view.path == self._view.path

    def __hash__(self) -> int:
        return hash(self._view.path)

    def __repr__(self) -> str:
        return f"<Flow {self._view.name}>"


class User:
    """The person who started the execution or its ancestor; `name` is None when nobody said."""

    def __init__(self, name: str | None) -> None:
        self.name = name

    def get(self, field: str) -> Any:
        """The only field is ``name``."""
        if field != "name":
            raise InvalidInputError(f"a user has no field {field!r}; it has name")
        return self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, User) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"<User {self.name}>"


class _Resource:
    """What all executions of a store share, by name."""

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name or "\0" in name:
            raise InvalidInputError(f"{name!r} is not a name")
        self.name = name

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.name == self.name

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def _learn(self, answer: model.Answer) -> None:
        """It keeps nothing but its name."""


class Setting(_Resource):
    """A named JSON value that all flows share, and the lock of that name, which needs no value.

    Several flows that read a setting, change it and save it hold its lock meanwhile.
    """

    def get(self, *fields: str) -> Any:
        """``get('value')``; also ``version`` (counts the saves), ``saved_at`` and ``saved_by``.

        Raises ResourceNotFoundError for a setting that was never saved.
        """
        call = model.GetSetting(name=self.name, fields=fields or ("value",))
        return _current().perform(self.get, call, Pending("setting"))

    def save(self, *, value: Any) -> Setting:
        """Write the value, which must be JSON. Returns itself. Raises InvalidInputError for other values."""
        try:
            plain = json.loads(json.dumps(value, allow_nan=False))
        except (TypeError, ValueError, RecursionError) as error:
            raise InvalidInputError(
                f"the setting {self.name!r} can only keep JSON: {error}", setting=self.name
            ) from None
        call = model.SaveSetting(name=self.name, value=plain)
        saved: Setting = _current().perform(self.save, call, Pending("subject", self))
        return saved

    def exists(self) -> bool:
        """Whether it was ever saved."""
        found: bool = _current().perform(self.exists, model.GetSetting(name=self.name), Pending("presence"))
        return found

    def delete(self) -> None:
        """Forget the value. One that is not there stays so."""
        _current().perform(self.delete, model.DeleteSetting(name=self.name), Pending("nothing"))

    def acquire(self, timeout: float | None = None) -> Setting:
        """Take the lock; wait for it, without a slot, in the order of asking. Returns itself.

        It is released by `release` and when the execution ends; one that holds it gets it again. Raises
        LockTimeoutError when it is not free within `timeout` seconds.
        """
        call = model.AcquireLock(name=self.name, timeout=_seconds(timeout, "timeout"))
        acquired: Setting = _current().perform(self.acquire, call, Pending("subject", self))
        return acquired

    def release(self) -> Setting:
        """Let the next one have the lock. Returns itself. Raises ConflictError when it is not held here."""
        call = model.ReleaseLock(name=self.name)
        released: Setting = _current().perform(self.release, call, Pending("subject", self))
        return released


class File(_Resource):
    """Named bytes that all flows share; they lie in the store, not on a disk."""

    def save_text_content(self, content: str) -> File:
        """As UTF-8. Returns itself."""
        if not isinstance(content, str):
            raise InvalidInputError(f"a text is wanted, not {type(content).__name__}", file=self.name)
        return self._save(self.save_text_content, content.encode())

    def save_bytes_content(self, content: bytes | bytearray | memoryview) -> File:
        """Returns itself."""
        if not isinstance(content, bytes | bytearray | memoryview):
            raise InvalidInputError(f"bytes are wanted, not {type(content).__name__}", file=self.name)
        return self._save(self.save_bytes_content, bytes(content))

    def save_base64_content(self, content: str | bytes) -> File:
        """Decodes `content`. Returns itself. Raises InvalidInputError for what is not base64."""
        try:
            decoded = base64.b64decode(content, validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise InvalidInputError(f"this is not base64: {error}", file=self.name) from None
        return self._save(self.save_base64_content, decoded)

    def _save(self, callee: Callable[..., Any], content: bytes) -> File:
        encoded = {"content": _current().encode(content, self.name)}
        call = model.SaveFile(name=self.name, inputs=encoded, size=len(content))
        # What it returns is handed in by the call's outcome: after a restore this line is not run.
        saved: File = _current().perform(callee, call, Pending("subject", self))
        return saved

    def get_text_content(self) -> str:
        """Raises ResourceNotFoundError, and InvalidInputError when it is not UTF-8."""
        text: str = _current().perform(self.get_text_content, model.GetFile(name=self.name), Pending("text"))
        return text

    def get_bytes_content(self) -> bytes:
        """Raises ResourceNotFoundError."""
        content: bytes = _current().perform(
            self.get_bytes_content, model.GetFile(name=self.name), Pending("bytes")
        )
        return content

    def get_base64_content(self) -> str:
        """Raises ResourceNotFoundError."""
        text: str = _current().perform(
            self.get_base64_content, model.GetFile(name=self.name), Pending("base64")
        )
        return text

    def exists(self) -> bool:
        found: bool = _current().perform(self.exists, model.GetFile(name=self.name), Pending("presence"))
        return found

    def delete(self) -> None:
        """One that is not there stays so."""
        _current().perform(self.delete, model.DeleteFile(name=self.name), Pending("nothing"))


class System:
    """What is not one execution: flows, executions, settings, files, and the vocabulary of waits."""

    return_when = ReturnWhen

    def flow(self, name: str) -> Flow:
        """The flow of that name or path. Raises ResourceNotFoundError."""
        found: Flow = _current().perform(self.flow, model.FindFlows(name=str(name)), Pending("flow"))
        return found

    def flows(self, filter: Mapping[str, Any] | None = None) -> list[Flow]:
        """All flows below the root, or those whose ``name`` is as the filter says: ``{'name': 'etl/*'}``."""
        wanted = _filter(filter, {"name": ("eq", "like")})
        pattern = wanted.get("name")
        if isinstance(pattern, _Like):
            pattern = pattern.replace("%", "*")
        call = model.FindFlows(pattern=pattern)
        return _current().perform(self.flows, call, Pending("flows"))  # type: ignore[no-any-return]

    def setting(self, name: str) -> Setting:
        """The setting of that name, which need not exist. Makes no savepoint."""
        return Setting(name)

    def file(self, name: str) -> File:
        """The file of that name, which need not exist. Makes no savepoint."""
        return File(name)

    def get_own_user(self) -> User:
        """The person who started this execution or its ancestor."""
        found: User = _current().perform(self.get_own_user, model.GetOwnUser(), Pending("user"))
        return found

    def execution(self, id: str) -> Execution:
        """A handle of the execution with that id. Raises ResourceNotFoundError."""
        return _current().perform(  # type: ignore[no-any-return]
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
        wanted = _filter(filter, _EXECUTION_FIELDS)
        if flow is not None:
            wanted["flow"] = flow
        if status is not None:
            wanted["status"] = status
        if parent is not None:
            wanted["parent_id"] = parent.id
        kind = wanted.get("type")
        call = model.FindExecutions(
            flow=_text(wanted.get("flow")),
            status=_word(Status, wanted.get("status")),
            parent_id=_text(wanted.get("parent_id")),
            execution_type=_word(ExecutionType, kind),
            text=_text(wanted.get("text")),
            name=_text(wanted.get("name")),
            created_after=_instant(wanted.get("created_at gte")),
            created_before=_instant(wanted.get("created_at lt")),
            limit=limit,
        )
        return _current().perform(self.executions, call, Pending("handles"))  # type: ignore[no-any-return]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, System)

    def __hash__(self) -> int:
        return hash(System)


def _encoded(values: Mapping[str, Any]) -> dict[str, model.Value]:
    runtime = _current()
    for name in values:
        if not isinstance(name, str):
            raise InvalidInputError(f"inputs and outputs are named by strings, not by {name!r}")
    return {name: runtime.encode(value, name) for name, value in values.items()}


_EXECUTION_FIELDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("flow", "status", "type", "name", "parent_id"), ("eq",)),
    "text": ("eq", "like"),
    "created_at": ("gte", "lt"),
}
Word = TypeVar("Word", bound=StrEnum)


class _Like(str):
    """A pattern whose ``%`` stands for any text."""


def _filter(filter: Mapping[str, Any] | None, known: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """The conditions of a filter by field; by field and operator where a field takes only comparisons."""
    if filter is None:
        return {}
    if not isinstance(filter, Mapping):
        raise InvalidInputError("a filter is a mapping of fields to values")
    if set(filter) == {"and"}:
        found: dict[str, Any] = {}
        for part in filter["and"]:
            found |= _filter(part, known)
        return found
    if "field" in filter:
        conditions = [(filter["field"], filter.get("op", "eq"), filter.get("value"))]
    else:
        conditions = [(field, "eq", value) for field, value in filter.items()]
    found = {}
    for field, operator, value in conditions:
        if field not in known:
            raise InvalidInputError(f"a filter knows no field {field!r}; known are {', '.join(known)}")
        if operator not in known[field]:
            raise InvalidInputError(
                f"a filter cannot compare {field} by {operator!r}; it can by {', '.join(known[field])}"
            )
        key = field if "eq" in known[field] else f"{field} {operator}"
        found[key] = _Like(value) if operator == "like" else value
    if isinstance(found.get("text"), _Like):
        found["text"] = found["text"].strip("%")
    return found


def _word(words: type[Word], value: Any) -> Word | None:
    if value is None:
        return None
    try:
        return words(value)
    except ValueError:
        raise InvalidInputError(f"{value!r} is none of {', '.join(words)}") from None


def _instant(value: Any) -> datetime | None:
    """An aware datetime (a naive one is UTC), its text in ISO 8601, or a Unix timestamp in seconds."""
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidInputError(f"{value!r} is not an instant in ISO 8601") from None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    return datetime.fromtimestamp(_number(value, "an instant"), UTC)


def _plain_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(options or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"options are plain values by name: {error}") from None
    return plain


def _return_when(wait: bool | ReturnWhen) -> ReturnWhen:
    return ReturnWhen.ALL_SUCCEEDED if isinstance(wait, bool) else ReturnWhen(wait)


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise InvalidInputError(f"{name} is a number, not {value!r}")
    return value


def _seconds(value: float | None, name: str) -> float | None:
    if value is None:
        return None
    if _number(value, name) < 0:
        raise InvalidInputError(f"{name} is a number of seconds from now, not {value!r}")
    return float(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _check_fields(fields: Mapping[str, Any]) -> None:
    known = ("name", "message", "output_value")
    for field in fields:
        if field not in known:
            raise InvalidInputError(f"{field!r} cannot be set; known are {', '.join(known)}")


def _loggable(value: Any) -> Any:
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return repr(value)
