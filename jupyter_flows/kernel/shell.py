"""The shell that runs cells as units, so that every statement in them can be gone on from.

IPython compiles a cell statement by statement. Here the whole cell is one unit of `resumable`: the mixin
replaces that step and nothing else, so magics, hooks, displays and tracebacks stay IPython's. It serves
the headless shell below and the one behind a notebook (`notebook.FlowsNotebookShell`).
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError
from IPython.core.getipython import get_ipython
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Instance, Type

from .. import resumable
from ..errors import LifecycleSignal
from .outputs import CellRecorder, RecordedStream, as_text

if TYPE_CHECKING:
    from .magics import FlowCommands

_OUR_MODULES = __name__.partition(".")[0] + "."
_MAGIC_CALL = re.compile(r"get_ipython\(\)\.run_line_magic\('flow', ")
_HISTORY_NAME = re.compile(r"_+|_i+|_i?\d+|_[iod]h|In|Out|__(?:builtins?|name|doc|package|loader|spec)__")

# What the kernel puts into the namespace itself belongs to the flow, though IPython hides it as its own.
_FLOW_NAMES = frozenset({"this", "system", "inputs", "flow_api"})


def _nobody_asked(_: resumable.Unit) -> None:
    """The default of `on_unit`."""


class _Hidden(dict[str, Any]):
    """What IPython's lists of variables leave out: its own names, and our temporaries.

    A variable is left out where it is the very value that this dict gives for its name.
    """

    def __init__(self, hidden: dict[str, Any], names: dict[str, Any]) -> None:
        super().__init__(hidden)
        self._names = names

    def get(self, name: str, default: Any = None) -> Any:
        return self._names[name] if resumable.is_temporary(name) else super().get(name, default)


class UnitShellMixin:
    """Cells become units; `%flow` becomes a call that `resumable` can see."""

    #: Answers `%flow …`; set by whoever makes the shell.
    flow_commands: FlowCommands
    #: Told of every unit that is about to run.
    on_unit: Callable[[resumable.Unit], None] = staticmethod(_nobody_asked)

    #: Whether what was compiled is kept for the time when the same source runs again.
    keeps_units = False
    _units: dict[tuple[str, str, bool], resumable.Unit]

    def adopt_flow_rules(self) -> None:
        """Call once after the shell is made."""
        self._units = {}
        resumable.set_uncatchable(LifecycleSignal)
        resumable.hide_temporaries()
        shell: Any = self
        shell.user_ns_hidden = _Hidden(shell.user_ns_hidden, shell.user_ns)
        self.input_transformers_post.append(_rewrite_flow_magic)  # type: ignore[attr-defined]

    def __reduce__(self) -> tuple[Any, ...]:
        """In a savepoint it is the shell of whatever kernel goes on: it waits in every `%flow`."""
        return get_ipython, ()

    def flow(self, line: str) -> Any:
        """What `%flow LINE` calls.

        A magic runs under IPython's own frames, which no savepoint can hold; a plain call does not.
        """
        return self.flow_commands.run(self.flow, line)

    async def run_ast_nodes(
        self,
        nodelist: list[Any],
        cell_name: str,
        interactivity: str = "last_expr",
        compiler: Any = compile,  # noqa: ARG002 - IPython's signature
        result: Any = None,
    ) -> bool:
        """IPython's step from syntax tree to execution; True when the cell raised."""
        if not nodelist:
            return False
        source = "".join(linecache.cache[cell_name][2])  # type: ignore[misc]
        key = (source, cell_name, interactivity != "none")
        try:
            # The next execution of a flow in this process runs the same units.
            unit = self._units.get(key) or resumable.compile_unit(source, cell_name, interactive=key[2])
        except (SyntaxError, ValueError, OverflowError, RecursionError) as error:
            if result is not None:
                result.error_before_exec = error
            self.showtraceback()  # type: ignore[attr-defined]
            return True
        if self.keeps_units:
            self._units[key] = unit
        self.on_unit(unit)
        is_async = bool(unit.code.co_flags & inspect.CO_COROUTINE)
        return await self.run_code(unit.code, result, async_=is_async)  # type: ignore[attr-defined,no-any-return]

    def flow_variables(self) -> dict[str, Any]:
        """The namespace without what IPython keeps there for itself: history, `exit`, `open` …"""
        hidden: dict[str, Any] = self.user_ns_hidden  # type: ignore[attr-defined]
        return {
            name: value
            for name, value in self.user_ns.items()  # type: ignore[attr-defined]
            if name in _FLOW_NAMES
            or not (
                _HISTORY_NAME.fullmatch(name)
                or resumable.is_temporary(name)
                or (name in hidden and hidden[name] is value)
            )
        }

    def replace_flow_variables(self, variables: dict[str, Any]) -> None:
        """Put a restored namespace in the place of the present one."""
        namespace = self.user_ns  # type: ignore[attr-defined]
        for name in self.flow_variables():
            del namespace[name]
        namespace.update(variables)


def _rewrite_flow_magic(lines: list[str]) -> list[str]:
    return [_MAGIC_CALL.sub("get_ipython().flow(", line) for line in lines]


def flow_traceback(error: BaseException) -> types.TracebackType | None:
    """The error's traceback from the first frame of flow code on; all of it if there is none.

    Where a Flow-API call raised, it ends at the author's line: our own frames below are cut off.
    """
    position = error.__traceback__
    while position is not None and resumable.unit_of(position.tb_frame.f_code) is None:
        position = position.tb_next
    if position is None:
        return error.__traceback__
    last = below = position
    while below.tb_next is not None:
        below = below.tb_next
        if not below.tb_frame.f_globals.get("__name__", "").startswith(_OUR_MODULES):
            last = below
    last.tb_next = None
    return position


class _FlowCompiler(CachingCompiler):
    """Names cells after their flow, so that a traceback says where to look."""

    #: The name of the cell that runs next; None: IPython's own.
    cell_name: str | None = None
    _tree: tuple[tuple[str, int], ast.AST] | None = None

    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:
        if self.cell_name is not None:
            return self.cell_name
        name: str = super().get_code_name(raw_code, transformed_code, number)
        return name

    def ast_parse(self, source: str, filename: str = "<unknown>", symbol: str = "exec") -> ast.AST:
        """IPython asks whether there is anything to run, and if it can be: the unit is compiled of the
        source. So the tree of the same source as before will do, whatever its file is called."""
        key = source, self.flags
        if self._tree is not None and self._tree[0] == key:
            return self._tree[1]
        tree: ast.AST = super().ast_parse(source, filename, symbol)
        self._tree = key, tree
        return tree


class _RecordingPublisher(DisplayPublisher):
    recorder: CellRecorder

    def publish(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        source: Any = None,  # noqa: ARG002 - IPython's signature
        *,
        transient: dict[str, Any] | None = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        display_id = (transient or {}).get("display_id")
        if update and display_id is not None:
            self.recorder.update(display_id, as_text(data), metadata or {})
            return
        output = {"output_type": "display_data", "data": as_text(data), "metadata": metadata or {}}
        self.recorder.show(output, display_id)

    def clear_output(self, wait: bool = False) -> None:
        self.recorder.clear(wait)


class _RecordingDisplayHook(DisplayHook):
    recorder: CellRecorder

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        self.recorder.show(
            {
                "output_type": "execute_result",
                "data": as_text(format_dict),
                "metadata": md_dict or {},
                "execution_count": self.prompt_count,
            }
        )

    def finish_displayhook(self) -> None:
        self._is_active = False

    def forget(self) -> None:
        """`flush` for a namespace that is cleared anyway, and without a collection of garbage."""
        shell: Any = self.shell
        shell.user_ns.get("_oh", {}).clear()
        self._, self.__, self.___ = "", "", ""


class HeadlessShell(UnitShellMixin, InteractiveShell):
    """IPython without a terminal and without sockets: outputs go to a recorder."""

    displayhook_class = Type(_RecordingDisplayHook)
    display_pub_class = Type(_RecordingPublisher)
    recorder = Instance(CellRecorder)
    #: Whether it has the flows' rules and has run a cell.
    is_prepared = False
    keeps_units = True
    compiler_class = Type(_FlowCompiler)
    _aliases: list[Any] | None = None
    #: What the cell that ran last became: a script has one, which the next execution runs again.
    _transformed: tuple[tuple[Any, ...], str] | None = None
    _awaits: tuple[str, bool] | None = None

    def attach(self, recorder: CellRecorder) -> None:
        """Send everything that cells print and show to `recorder`."""
        self.recorder = recorder
        publisher, hook = self.display_pub, self.displayhook
        assert isinstance(publisher, _RecordingPublisher)
        assert isinstance(hook, _RecordingDisplayHook)
        publisher.recorder = hook.recorder = recorder
        sys.stdout = RecordedStream(recorder, "stdout")
        sys.stderr = RecordedStream(recorder, "stderr")
        # Signals end the flow; they are no error to be shown.
        self.set_custom_exc((LifecycleSignal,), lambda *_, **__: None)
        self.builtin_trap.activate()

    def empty(self) -> None:
        """`reset` between two executions: what has not changed is not made again, and who calls this
        collects the garbage."""
        aliases: Any = self.alias_manager
        if aliases.aliases != self._aliases:
            self.reset(new_session=True)
            self._aliases = aliases.aliases
            return
        hook = self.displayhook
        assert isinstance(hook, _RecordingDisplayHook)
        history: Any = self.history_manager
        history.reset(True)
        self.execution_count = 1
        self.last_execution_succeeded, self.last_execution_result = True, None
        hook.forget()
        namespace = self.user_ns
        for name in namespace.keys() - {"__builtin__", "__builtins__", "__name__"}:
            del namespace[name]
        self.user_ns_hidden.clear()
        self.init_user_ns()
        self.clear_main_mod_cache()

    def transform_cell(self, raw_cell: str) -> str:
        """What IPython makes of a single line depends on the variables; of more, on its rules alone."""
        manager = self.input_transformer_manager
        rules = (
            *manager.cleanup_transforms,
            *manager.line_transforms,
            *manager.token_transformers,
            *self.input_transformers_post,
        )
        key = raw_cell, rules
        if self._transformed is not None and self._transformed[0] == key:
            return self._transformed[1]
        transformed: str = super().transform_cell(raw_cell)
        self._transformed = (key, transformed) if len(transformed.splitlines()) > 1 else None
        return transformed

    def should_run_async(self, raw_cell: str, **facts: Any) -> bool:
        cell = facts.get("transformed_cell")
        if cell is None or facts.get("preprocessing_exc_tuple") is not None or not self.autoawait:
            return bool(super().should_run_async(raw_cell, **facts))
        if self._awaits is None or self._awaits[0] != cell:
            self._awaits = cell, bool(super().should_run_async(raw_cell, **facts))
        return self._awaits[1]

    def name_next_cell(self, name: str) -> None:
        """What tracebacks call the cell that runs next."""
        compiler = self.compile
        assert isinstance(compiler, _FlowCompiler)
        compiler.cell_name = name

    def show_error(self, error: BaseException) -> None:
        """Show an error that came out of flow code as a notebook would."""
        self.showtraceback((type(error), error, flow_traceback(error)))

    def _showtraceback(self, etype: type[BaseException], evalue: BaseException, stb: list[str]) -> None:
        self.recorder.show(
            {
                "output_type": "error",
                "ename": getattr(etype, "__name__", str(etype)),
                "evalue": str(evalue),
                "traceback": list(stb),
            }
        )

    def raw_input(self, *_: Any, **__: Any) -> str:
        raise StdinNotImplementedError("a flow runs without a person: give it inputs instead of input()")

    def init_history(self) -> None:
        # No database of past cells: a flow's history is its savepoints.
        self.config.HistoryManager.enabled = False
        super().init_history()

    def ask_exit(self) -> None:
        raise SystemExit(0)
