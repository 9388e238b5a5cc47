"""Handles of executions: `this`, children, and what was looked up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NoReturn

from .. import model
from ..errors import ConflictError, InvalidInputError, MissingInputError
from ..model import LogLevel, ReturnWhen, Status
from .arguments import (
    as_instant,
    as_seconds,
    as_text,
    check_fields,
    encoded,
    loggable,
    plain_options,
    return_when,
)
from .pending import Pending
from .runtime import current, plugged
from .views import Savepoint


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
            inputs=encoded({**(inputs or {}), **kwargs}),
            name=name,
            run=run,
            wait=run and bool(wait),
            return_when=return_when(wait),
            is_orphan=bool(orphan),
            options=plain_options(options),
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
            inputs=encoded({**(inputs or {}), **kwargs}),
            name=name,
            run=run,
            wait=run and bool(wait),
            return_when=return_when(wait),
            is_orphan=bool(orphan),
            options=plain_options(options),
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
            inputs=encoded(inputs),
            name=name,
            run=run,
            wait=run and bool(wait),
            return_when=return_when(wait),
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
            timeout=as_seconds(timeout, "timeout"),
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
            timeout=as_seconds(timeout, "timeout"),
        )
        return self._perform(self.wait, call, Pending("subject", self))  # type: ignore[no-any-return]

    def sleep(self, seconds: float) -> None:
        """Sleep; no slot and, when long, no memory is held meanwhile."""
        if seconds is None:
            raise InvalidInputError("sleep takes a number of seconds")
        self._own()._perform(
            self.sleep, model.Sleep(seconds=as_seconds(seconds, "seconds")), Pending("nothing")
        )

    def sleep_until(self, until: datetime | float) -> None:
        """Sleep until an instant: an aware datetime (a naive one is UTC) or a Unix timestamp in seconds."""
        if until is None:
            raise InvalidInputError("sleep_until takes an instant")
        self._own()._perform(self.sleep_until, model.Sleep(until=as_instant(until)), Pending("nothing"))

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
        check_fields(fields)
        self._staged.update(fields)
        return self

    def save(self, **fields: Any) -> Execution:
        """Write ``name``, ``message`` or ``output_value`` (a dict, replaces all outputs). Returns itself."""
        check_fields(fields)
        staged = {**self._staged, **fields}
        outputs = staged.get("output_value")
        if outputs is not None and not isinstance(outputs, Mapping):
            raise InvalidInputError("output_value is a dict of outputs by name")
        call = model.Save(
            execution_id=self.id,
            name=as_text(staged.get("name")),
            message=as_text(staged.get("message")),
            outputs=None if outputs is None else encoded(outputs),
        )
        self._staged = {}
        return self._perform(self.save, call, Pending("subject", self))  # type: ignore[no-any-return]

    def set_output(self, *pair: Any, **values: Any) -> None:
        """`set_output(key, value)` or `set_output(key=value, …)`: add to the outputs of `this`."""
        if len(pair) not in (0, 2) or (pair and not isinstance(pair[0], str)):
            raise InvalidInputError("set_output takes a key and its value, or keywords")
        outputs = {**({pair[0]: pair[1]} if pair else {}), **values}
        self._own()._perform(self.set_output, model.SetOutput(outputs=encoded(outputs)), Pending("nothing"))

    def log(self, *values: Any, level: LogLevel | str = LogLevel.INFO, **named: Any) -> None:
        """A line in the log of `this`: the values as text, the named ones as fields."""
        if level not in [known.value for known in LogLevel]:
            known_levels = ", ".join(known.value for known in LogLevel)
            raise InvalidInputError(f"{level!r} is not a level; take one of {known_levels}")
        call = model.Log(
            text=" ".join(str(value) for value in values),
            level=LogLevel(level),
            fields={name: loggable(value) for name, value in named.items()},
        )
        self._own()._perform(self.log, call, Pending("nothing"))

    # --- savepoints ------------------------------------------------------------------------------

    def create_savepoint(self, name: str | None = None) -> None:
        """Make a named savepoint here. Restoring it means that this call returns again."""
        self._own()._perform(
            self.create_savepoint, model.CreateSavepoint(name=as_text(name)), Pending("nothing")
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
            execution_id=self.id, name=as_text(name), inputs=encoded({**(inputs or {}), **overrides})
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
        return current().perform(callee, call, pending)

    def _own(self) -> Execution:
        """Itself if it is `this`; a call on behalf of another execution would act in the wrong place."""
        if self.id != current().execution_id:
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
        runtime = plugged()
        if runtime is not None and runtime.is_saving and self.id == runtime.execution_id:
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


def _own_handle() -> Execution:
    return Execution(current().execution_id)


def handle_of(view: model.ExecutionView) -> Execution:
    handle = Execution(view.id)
    handle._fields = _plain(view)
    return handle


def _plain(view: model.ExecutionView) -> dict[str, Any]:
    return {"name": view.name, "flow": view.flow, "status": view.status, "message": view.message}
