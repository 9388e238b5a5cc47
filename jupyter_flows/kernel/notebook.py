"""The Jupyter kernel behind a notebook that a person drives.

The notebook is an execution of its own, of type NOTEBOOK: every Flow-API call and every finished cell makes
a savepoint, and ``%flow restore`` puts the kernel back to one. Without a worker the kernel is a plain
IPython kernel that says so once.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from ipykernel.ipkernel import IPythonKernel
from ipykernel.kernelapp import IPKernelApp
from ipykernel.zmqshell import ZMQInteractiveShell
from traitlets import Type

from .. import flow_api, model, protocol
from ..errors import EngineException, InternalError, LifecycleSignal, SavepointError, from_parts, parts
from ..snapshot import begin_here
from .link import Link
from .live import LiveChildren
from .magics import FlowCommands
from .new_code import NewCode
from .own_modules import KernelModules
from .runtime import FlowRuntime
from .shell import UnitShellMixin, flow_traceback

SOCKET_VARIABLE = "JUPYTER_FLOWS_SOCKET"


class FlowsNotebookShell(UnitShellMixin, ZMQInteractiveShell):
    """The notebook's shell; see `UnitShellMixin`."""


class NotebookSession:
    """The execution that this notebook is, from the first call on that needs it."""

    def __init__(self, shell: FlowsNotebookShell) -> None:
        self._shell = shell
        self._link: Link | None = None
        self._runtime: FlowRuntime | None = None
        self._has_warned = False
        self._path = _notebook_path()
        self._modules = KernelModules(os.getcwd())

    # --- connecting ------------------------------------------------------------------------------

    def runtime(self) -> FlowRuntime:
        """The execution's runtime; connects to the worker if need be. Raises InternalError."""
        if self._runtime is None or self._link is None or not self._link.is_open:
            self._open(None)
        assert self._runtime is not None
        return self._runtime

    def link(self) -> Link:
        self.runtime()
        assert self._link is not None
        return self._link

    def _open(self, savepoint_id: str | None) -> protocol.Begin:
        link = self._link
        if link is None or not link.is_open:
            link = self._connect()
        opened = link.request(
            protocol.OpenNotebook(seq=link.next_seq(), path=self._path, savepoint_id=savepoint_id),
            protocol.Opened,
        )
        if opened.error is not None:
            raise from_parts(opened.error.type, opened.error.message, opened.error.ids)
        assert opened.begin is not None
        self._link = link
        self._runtime = FlowRuntime(link, opened.begin, self._shell, None, self._modules)
        return opened.begin

    def _connect(self) -> Link:
        path = os.environ.get(SOCKET_VARIABLE)
        if not path:
            raise InternalError(
                "this kernel was not started by a server with the Flows extension, so no savepoints can be "
                "kept: check `jupyter server extension list`, then restart the kernel"
            )
        return Link(path, None, on_stop=lambda _: None, on_lost=lambda: None)

    # --- what the shell tells --------------------------------------------------------------------

    def note_unit(self, unit: Any) -> None:
        """A unit of this cell is about to run."""
        self._cell = max(0, self._shell.execution_count - 2)
        if self._runtime is not None:
            self._runtime.progress.cell = self._cell
            self._runtime.progress.cell_of_unit[unit.digest] = self._cell

    def cell_finished(self, result: Any) -> None:
        """After each cell that a person ran: keep the state. Never fails the cell."""
        info = result.info
        if info.silent or not info.store_history or threading.current_thread() is not _MAIN:
            return
        try:
            self.runtime().save_cell(max(0, (result.execution_count or 1) - 1), info.raw_cell or "")
        except EngineException as error:
            if not self._has_warned:
                self._has_warned = True
                print(f"No savepoint was made: {error}", file=sys.stderr)

    # --- restore ---------------------------------------------------------------------------------

    def restore(self, ref: str, code: str = "saved") -> Any:
        """Put this kernel back to a savepoint (id or name) and go on from it, within the present cell.

        With `code` "current", in the cells of the notebook's file as they are saved now.
        """
        cells = read_cells(self._path) if code == "current" else None
        begin = self._open(ref)
        runtime, resume = self._runtime, begin.resume
        assert runtime is not None
        assert resume is not None
        new_code = self._new_code(resume, cells) if cells is not None else None
        try:
            restored = runtime.load(resume, new_code)
        except SavepointError as error:  # nothing was changed: the kernel goes on with what it has
            raise self._with_offer(error) from None
        return runtime.go_on(resume, restored)

    def _with_offer(self, error: SavepointError) -> SavepointError:
        """The same error, which names the newest whole savepoint if this one has lost bytes."""
        link = self.link()
        name, message, ids = parts(error)
        told = model.ErrorInfo(type=name, message=message, ids=ids)
        answer = link.request(
            protocol.Magic(seq=link.next_seq(), action="offer", error=told), protocol.Acknowledged
        )
        text = str(answer.result or message).replace("`jupyter flows restore", "`%flow restore")
        return SavepointError(text, **ids)

    def _new_code(self, resume: protocol.Resume, cells: list[model.Cell]) -> NewCode:
        """A notebook's cells run in any order: the old ones are those whose code the savepoint refers to."""
        assert self._runtime is not None
        old = [
            model.Cell(id="", kind=model.CellKind.CODE, source=source)
            for source in self._runtime.sources_of(resume)
        ]
        name = os.path.basename(self._path)
        return NewCode(old, cells, self._shell.transform_cell, lambda index: f"<{name}, cell {index + 1}>")


def read_cells(path: str) -> list[model.Cell]:
    """The code cells of a notebook's file. Raises SavepointError for a file that is no notebook."""
    try:
        with open(path, encoding="utf-8") as file:
            cells = json.load(file)["cells"]
        return [
            model.Cell(
                id=str(cell.get("id") or f"cell-{index}"),
                kind=model.CellKind.CODE,
                source="".join(cell["source"]),
                tags=tuple(cell.get("metadata", {}).get("tags", ())),
            )
            for index, cell in enumerate(cells)
            if cell["cell_type"] == "code"
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SavepointError(
            f"the current code cannot be read from {path or 'a notebook without a file'}: save the notebook "
            f"({type(error).__name__}: {error})"
        ) from None


_MAIN = threading.main_thread()


class _SessionRuntime:
    """The runtime that `flow_api` gets: connects when first used, and when the worker was restarted."""

    def __init__(self, session: NotebookSession) -> None:
        self._session = session

    @property
    def execution_id(self) -> str:
        return self._session.runtime().execution_id

    @property
    def is_saving(self) -> bool:
        return self._session.runtime().is_saving

    def perform(self, callee: Callable[..., Any], call: model.Call, pending: flow_api.Pending) -> Any:
        return self._session.runtime().perform(callee, call, pending)

    def encode(self, value: Any, name: str) -> model.Value:
        return self._session.runtime().encode(value, name)

    def decode(self, value: model.Value) -> Any:
        return self._session.runtime().decode(value)


class _This(flow_api.Execution):
    """`this` in a notebook: knows its id once the worker has given one."""

    def __init__(self, session: NotebookSession) -> None:
        super().__init__("")
        self._session = session

    @property
    def id(self) -> str:
        return self._session.runtime().execution_id

    @id.setter
    def id(self, _: str) -> None:
        pass


class FlowsKernel(IPythonKernel):
    """IPython's kernel with savepoints. Owns `%flow`; ipyflow's kernel has another magic of that name."""

    implementation = "jupyter_flows"
    shell_class = Type(FlowsNotebookShell)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        sys.modules.setdefault("flow_api", flow_api)
        shell = self.shell
        assert isinstance(shell, FlowsNotebookShell)
        shell.adopt_flow_rules()
        session = NotebookSession(shell)
        flow_api.use_runtime(_SessionRuntime(session))
        shell.flow_commands = FlowCommands(session.runtime, session.link, session.restore, LiveChildren)
        shell.on_unit = session.note_unit
        shell.register_magic_function(shell.flow, "line", "flow")  # type: ignore[arg-type]
        shell.set_custom_exc((LifecycleSignal,), _show_end)
        shell.events.register("post_run_cell", session.cell_finished)
        shell.user_ns.update(this=_This(session), system=flow_api.System(), inputs={}, flow_api=flow_api)


def _show_end(
    shell: Any,
    _: type[BaseException],
    signal: LifecycleSignal,
    traceback: types.TracebackType,
    tb_offset: int | None = None,  # noqa: ARG001 - IPython's signature
) -> None:
    """A life-cycle signal in a notebook ends the cell; the notebook itself goes on."""
    line = (flow_traceback(signal.with_traceback(traceback)) or traceback).tb_lineno
    what = type(signal).__name__.removeprefix("Execution").lower()
    message = f": {signal.message}" if signal.message else ""
    print(f"The flow ended here (line {line}) with {what}{message}")
    shell.last_execution_succeeded = True


def _notebook_path() -> str:
    """The notebook's file as Jupyter's server tells its kernels; absolute if it can be found."""
    name = os.environ.get("JPY_SESSION_NAME", "")
    candidate = os.path.join(os.getcwd(), os.path.basename(name)) if name else os.getcwd()
    return candidate if os.path.exists(candidate) else name


def launch(on_bound: Callable[[], None] = lambda: None) -> None:
    """Start the kernel that a connection file on the command line describes.

    Arguments: `on_bound` is called when clients can connect: one that came earlier would wait for
    ZeroMQ's next try.
    """
    app = IPKernelApp.instance(kernel_class=FlowsKernel)
    app.initialize()
    begin_here()  # what IPython sets in the environment is no change that the notebook made
    on_bound()
    app.start()
