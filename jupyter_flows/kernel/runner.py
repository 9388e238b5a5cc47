"""Runs executions in a process of its own, one at a time: from the start, or on from a savepoint.

After one that ended well the process may be used again for the same version of the same flow (`pristine`).
The worker takes the process away (`Stop`) whenever the execution is restored, evicted or claimed elsewhere;
it ends at once, without running any more of the flow: everything that counts is committed.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from functools import cache
from typing import Any

from .. import flow_api, model, protocol, resumable, snapshot
from ..errors import (
    ExecutionCancel,
    ExecutionError,
    ExecutionSuccess,
    InvalidFlowError,
    LifecycleSignal,
    parts,
)
from . import fence
from .link import Link
from .magics import FlowCommands
from .new_code import NewCode
from .outputs import CellRecorder
from .own_modules import KernelModules
from .pristine import Pristine
from .runtime import FlowRuntime
from .shell import HeadlessShell, flow_traceback

#: How often outputs are sent while no Flow-API call carries them, in seconds.
OUTPUT_INTERVAL = 0.5
#: How long the process may take to end after its execution has, in seconds.
EXIT_GRACE = 5.0


class FlowFailed(Exception):
    """Flow code raised; the error is already shown in its cell."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


def prepare() -> HeadlessShell:
    """Make the shell, which is most of a kernel's start, and run a cell, which fills its caches.

    No thread, event loop or socket comes of it: a zygote does it once for all kernels that it forks.
    """
    sys.modules.setdefault("flow_api", flow_api)
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    snapshot.begin_here()  # that is no change that a flow made
    shell = HeadlessShell.instance()
    if not shell.is_prepared:
        shell.adopt_flow_rules()
        shell.attach(CellRecorder())
        shell.name_next_cell("<prepared>")
        shell.run_cell("def handler(system, this):\n    return None", store_history=True)
        shell.reset(new_session=True)
        shell.is_prepared = True
    return shell


def main(socket_path: str, kernel_id: str) -> None:
    """Wait for work, run it, and be made fresh for the next; leave when that cannot be."""
    shell = prepare()
    link = Link(socket_path, kernel_id, on_stop=lambda _: os._exit(0), on_lost=lambda: os._exit(3))
    fence.put_up(link)
    pristine = Pristine(shell)
    try:
        runtime: FlowRuntime | None = None
        while (runtime := run(link, link.wait_for_work(), shell, pristine, runtime)) is not None:
            link.send(protocol.Ready())
    except BaseException:
        # Not to the flow's own outputs: the worker tells what a kernel said when it died.
        traceback.print_exc(file=sys.__stderr__)
        raise
    _leave_soon()


def _leave_soon() -> None:
    """Let the interpreter end as usual (open files are flushed), but not wait for threads of the flow."""

    def end_anyway() -> None:
        threading.Event().wait(EXIT_GRACE)
        os._exit(0)

    threading.Thread(target=end_anyway, daemon=True).start()


def run(
    link: Link,
    begin: protocol.Begin,
    shell: HeadlessShell,
    pristine: Pristine,
    before: FlowRuntime | None,
) -> FlowRuntime | None:
    """Run the execution to its end and report it; returns its runtime if the process is as before.

    `before` is the runtime of the execution that ended here last.
    """
    recorder = CellRecorder()
    shell.attach(recorder)
    modules = KernelModules(begin.source.directory if begin.source is not None else os.getcwd())
    runtime = FlowRuntime(link, begin, shell, recorder, modules, before)
    shell.flow_commands = FlowCommands(lambda: runtime, link)
    flow_api.use_runtime(runtime)
    if begin.source is not None:
        _enter(begin.source.directory)
    _OutputSender.of_process().runtime = runtime
    runtime.cancellation.listen()
    link.on_cancel = runtime.cancellation.wish
    status, message, error = _outcome(lambda: _run_flow(runtime, begin, shell, recorder), shell)
    sys.stdout.flush()
    _OutputSender.of_process().runtime = None
    may_stay = status is model.Status.ENDED_SUCCESS
    is_back = False

    def put_back() -> None:
        nonlocal is_back
        is_back = modules.leave() and may_stay and pristine.is_back()

    runtime.end(status, message, error, may_stay, meanwhile=put_back)
    return runtime if is_back else None


def _run_flow(
    runtime: FlowRuntime, begin: protocol.Begin, shell: HeadlessShell, recorder: CellRecorder
) -> None:
    flow_run = FlowRun(runtime, begin, shell, recorder)
    with runtime.cancellation.run():
        flow_run.run()


def _enter(directory: str) -> None:
    if os.path.isdir(directory):
        os.chdir(directory)
        sys.path.insert(0, directory)


class _OutputSender:
    """A thread that sends the outputs of the execution at work, one for the life of the process."""

    def __init__(self) -> None:
        self.runtime: FlowRuntime | None = None
        threading.Thread(target=self._run, name="flows-outputs", daemon=True).start()

    @staticmethod
    @cache
    def of_process() -> _OutputSender:
        return _OutputSender()

    def _run(self) -> None:
        while True:
            time.sleep(OUTPUT_INTERVAL)
            if (runtime := self.runtime) is not None:
                runtime.send_outputs()


def _outcome(
    run_flow: Callable[[], None], shell: HeadlessShell
) -> tuple[model.Status, str | None, model.ErrorInfo | None]:
    try:
        run_flow()
    except ExecutionSuccess as signal:
        return model.Status.ENDED_SUCCESS, signal.message, None
    except ExecutionCancel as signal:
        return model.Status.ENDED_CANCELLED, signal.message, None
    except ExecutionError as signal:
        info = model.ErrorInfo(type="ExecutionError", message=signal.message or "")
        return model.Status.ENDED_ERROR, signal.message, info
    except FlowFailed as failed:
        return _failure(failed.error)
    except BaseException as error:
        shell.show_error(error)
        return _failure(error)
    return model.Status.ENDED_SUCCESS, None, None


def _failure(error: BaseException) -> tuple[model.Status, str, model.ErrorInfo]:
    type_name, message, ids = parts(error)
    shown = "".join(traceback.format_exception(type(error), error, flow_traceback(error)))
    info = model.ErrorInfo(type=type_name, message=message, ids=ids, traceback=shown)
    return model.Status.ENDED_ERROR, f"{type_name}: {message}", info


def _assigned_names(source: str) -> list[str]:
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a magic among them: then it only runs, and gives no defaults
        return []
    targets: list[ast.expr] = []
    for statement in body:
        if isinstance(statement, ast.Assign):
            targets += statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets.append(statement.target)
    return [target.id for target in targets if isinstance(target, ast.Name)]


class FlowRun:
    """The cells of a flow in order, then its handler if it has one."""

    def __init__(
        self,
        runtime: FlowRuntime,
        begin: protocol.Begin,
        shell: HeadlessShell,
        recorder: CellRecorder,
    ) -> None:
        self._runtime = runtime
        self._begin = begin
        self._shell = shell
        self._recorder = recorder
        self._cells = begin.source.cells if begin.source is not None else ()
        shell.on_unit = self._note_unit

    def run(self) -> None:
        """Raises a life-cycle signal, FlowFailed, or returns when the flow came to its end."""
        resume = self._begin.resume
        if resume is None:
            self._define()
            self._run_cells(0)
        else:
            self._go_on(resume)
        self._run_handler()

    def _define(self) -> None:
        inputs = {name: self._runtime.decode(value) for name, value in self._begin.inputs.items()}
        self._shell.user_ns.update(
            this=self._runtime.this, system=flow_api.System(), inputs=inputs, flow_api=flow_api
        )

    def _go_on(self, resume: protocol.Resume) -> None:
        # Functions and classes of the flow are found in the namespace of `__main__` again.
        restored = self._runtime.load(resume, self._new_code(resume))
        progress = self._runtime.progress
        self._shell.execution_count = 1 + sum(
            cell.kind is model.CellKind.CODE for cell in self._cells[: progress.cell + 1]
        )
        with self._shell.builtin_trap, self._shell.display_trap:
            self._guarded(lambda: self._runtime.go_on(resume, restored))
        self._shell.events.trigger("post_execute")
        if progress.phase == "cells":
            self._take_parameters(progress.cell)
            self._run_cells(progress.cell + 1)
        else:
            progress.phase = "done"

    def _new_code(self, resume: protocol.Resume) -> NewCode | None:
        if resume.previous is None:
            return None
        old = resume.previous.cells
        return NewCode(old, self._cells, self._shell.transform_cell, self._name_of)

    def _run_cells(self, first: int) -> None:
        for index, cell in enumerate(self._cells):
            if index < first or cell.kind is not model.CellKind.CODE or "dev" in cell.tags:
                continue
            self._run_cell(index, cell)
            self._take_parameters(index)

    def _take_parameters(self, index: int) -> None:
        """After the cell tagged `parameters`: its variables are default inputs, and given inputs win."""
        if index >= len(self._cells) or "parameters" not in self._cells[index].tags:
            return
        namespace = self._shell.user_ns
        inputs = namespace["inputs"]
        for name in _assigned_names(self._cells[index].source):
            if name in namespace:
                inputs.setdefault(name, namespace[name])
        namespace.update(inputs)

    def _run_cell(self, index: int, cell: model.Cell) -> None:
        self._runtime.progress.cell = index
        # A script has one cell, and nobody asks whether it has run.
        is_news = not self._is_script or bool(self._begin.cells)
        self._recorder.begin_cell(index, self._shell.execution_count, is_news)
        self._shell.name_next_cell(self._name_of(index))
        result = self._shell.run_cell(cell.source, store_history=True, cell_id=cell.id)
        error = result.error_before_exec or result.error_in_exec
        if isinstance(error, LifecycleSignal):
            raise error
        if error is not None:
            raise FlowFailed(error)

    @property
    def _is_script(self) -> bool:
        return self._begin.source is not None and self._begin.source.kind is model.FlowKind.SCRIPT

    def _name_of(self, index: int) -> str:
        assert self._begin.source is not None
        path = os.path.basename(self._begin.source.path)
        return f"<{path}>" if self._is_script else f"<{path}, cell {index + 1}>"

    def _note_unit(self, unit: Any) -> None:
        self._runtime.progress.cell_of_unit[unit.digest] = self._runtime.progress.cell

    def _run_handler(self) -> None:
        handler = self._shell.user_ns.get("handler")
        if self._runtime.progress.phase != "cells" or not callable(handler):
            return
        self._runtime.progress.phase = "handler"
        self._runtime.progress.cell = self._handler_cell()
        self._recorder.cell = self._runtime.progress.cell
        arguments = self._handler_arguments(handler)
        with self._shell.builtin_trap, self._shell.display_trap:
            self._guarded(lambda: handler(*arguments))
        self._shell.events.trigger("post_execute")

    def _guarded(self, flow_code: Callable[[], Any]) -> None:
        try:
            outcome = flow_code()
            if inspect.iscoroutine(outcome):
                resumable.finish_coroutine(outcome)
        except LifecycleSignal:
            raise
        except BaseException as error:
            self._shell.show_error(error)
            raise FlowFailed(error) from error

    def _handler_cell(self) -> int:
        code_cells = [index for index, cell in enumerate(self._cells) if cell.kind is model.CellKind.CODE]
        defining = [index for index in code_cells if "def handler" in self._cells[index].source]
        return (defining or code_cells or [0])[-1]

    def _handler_arguments(self, handler: Callable[..., Any]) -> tuple[Any, ...]:
        namespace = self._shell.user_ns
        available = (
            flow_api.System(),
            namespace.get("this", self._runtime.this),
            namespace.get("inputs", {}),
        )
        parameters = inspect.signature(handler).parameters.values()
        positional = [
            parameter
            for parameter in parameters
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        ]
        required = [parameter for parameter in positional if parameter.default is parameter.empty]
        takes_any = any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
        count = 3 if takes_any else min(3, len(positional))
        if len(required) > 3 or count < 2:
            raise InvalidFlowError(
                f"handler takes (system, this) or (system, this, inputs), not {inspect.signature(handler)}"
            )
        return available[:count]
