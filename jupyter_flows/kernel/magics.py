"""`%flow`: the Flow API's daily use as short lines in a notebook.

The shell turns ``%flow LINE`` into ``get_ipython().flow('LINE')``, a call that a savepoint can hold, and that
comes here. The same name is registered as a magic too, for help and for lines that IPython runs itself.
"""

from __future__ import annotations

import html
import json
import shlex
from collections.abc import Callable, Sequence
from typing import Any

from .. import flow_api, model, protocol
from ..errors import InvalidInputError, from_parts
from .link import Link
from .live import LiveChildren
from .runtime import FlowRuntime

USAGE = """\
%flow run NAME [key=JSON …] [--background]   start a flow as a child of this notebook
%flow list                                   the flows that can be run
%flow children                               the executions this one started
%flow savepoint NAME                         make a named savepoint here
%flow savepoints                             the savepoints of this execution
%flow restore SAVEPOINT [--code current]     put this notebook back to a savepoint (id or name), and go on;
                                             with --code current in the notebook as it is saved now"""

# Notebooks set cells flush right, which suits numbers.
_LEFT = 'style="text-align: left"'


class Table:
    """Rows that show as a table in a notebook and as text elsewhere."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Sequence[str]], when_empty: str) -> None:
        self.columns = tuple(columns)
        self.rows = tuple(tuple(row) for row in rows)
        self._when_empty = when_empty

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        if not self.rows:
            return self._when_empty
        lines = (self.columns, *self.rows)
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        return "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        if not self.rows:
            return f"<p>{html.escape(self._when_empty)}</p>"
        head = "".join(f"<th {_LEFT}>{html.escape(column)}</th>" for column in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td {_LEFT}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _executions_table(_: flow_api.Pending, __: model.Call, answer: model.Answer) -> Table:
    rows = [
        (view.name, view.status, view.message or "", _when(view.created_at), view.id)
        for view in answer.executions
    ]
    return Table(("Name", "Status", "Message", "Created at", "Id"), rows, "no children yet")


def _savepoints_table(_: flow_api.Pending, __: model.Call, answer: model.Answer) -> Table:
    rows = [
        (
            _when(view.created_at),
            view.action,
            view.name or "",
            view.last_command,
            "" if view.cell is None else f"cell {view.cell + 1}, line {view.line}",
            view.id if view.exact else f"{view.id} (not exact: {view.inexact_reason})",
        )
        for view in answer.savepoints
    ]
    return Table(("Created at", "Action", "Name", "Last command", "Place", "Id"), rows, "no savepoints yet")


flow_api.add_return("executions table", _executions_table)
flow_api.add_return("savepoints table", _savepoints_table)


def _when(instant: Any) -> str:
    return str(instant.astimezone().strftime("%Y-%m-%d %H:%M:%S"))


class FlowCommands:
    """Carries out `%flow` lines. `runtime` gives the execution's runtime, connecting if need be."""

    def __init__(
        self,
        runtime: Callable[[], FlowRuntime],
        link: Callable[[], Link] | Link,
        restore: Callable[[str, str], Any] | None = None,
        watch: Callable[[Link], LiveChildren] | None = None,
    ) -> None:
        self._runtime = runtime
        self._link = link
        self._restore = restore
        self._watch = watch

    def run(self, callee: Callable[..., Any], line: str) -> Any:
        """Raises InvalidInputError for a line that is none of the commands."""
        try:
            words = shlex.split(line)
        except ValueError as error:
            raise InvalidInputError(f"%flow {line}: {error}") from error
        if not words or words[0] in ("help", "-h", "--help"):
            print(USAGE)
            return None
        command = {
            "run": self._run,
            "list": self._list,
            "children": self._children,
            "savepoint": self._savepoint,
            "savepoints": self._savepoints,
            "restore": self._restore_savepoint,
        }.get(words[0])
        if command is None:
            raise InvalidInputError(f"%flow knows no command {words[0]!r}:\n{USAGE}")
        return command(callee, words[1:])

    def _current_link(self) -> Link:
        return self._link() if callable(self._link) else self._link

    def _run(self, callee: Callable[..., Any], words: list[str]) -> Any:
        background = "--background" in words
        words = [word for word in words if word != "--background"]
        if not words:
            raise InvalidInputError("%flow run needs the name of a flow; %flow list shows them")
        runtime = self._runtime()
        inputs = {}
        for word in words[1:]:
            key, equals, text = word.partition("=")
            if not equals or not key:
                raise InvalidInputError(f"{word!r} is not an input: write key=JSON")
            inputs[key] = runtime.encode(_json_or_text(text), key)
        call = model.StartFlow(flow=words[0], inputs=inputs, wait=not background)
        watched = self._watch(self._current_link()) if self._watch else None
        try:
            return runtime.perform(callee, call, flow_api.Pending("new handle"))
        finally:
            if watched is not None and not background:
                watched.stop()

    def _list(self, _: Callable[..., Any], words: list[str]) -> Table:
        _none_of(words, "list")
        self._runtime()
        link = self._current_link()
        answer = link.request(protocol.Magic(seq=link.next_seq(), action="list"), protocol.Acknowledged)
        if answer.error is not None:
            raise from_parts(answer.error.type, answer.error.message, answer.error.ids)
        rows = [(flow["name"], flow["kind"], flow.get("error") or "") for flow in answer.result]
        return Table(("Flow", "Kind", "Why it cannot run"), rows, "no flows here")

    def _children(self, callee: Callable[..., Any], words: list[str]) -> Any:
        _none_of(words, "children")
        runtime = self._runtime()
        call = model.FindExecutions(parent_id=runtime.execution_id)
        return runtime.perform(callee, call, flow_api.Pending("executions table"))

    def _savepoint(self, callee: Callable[..., Any], words: list[str]) -> Any:
        if len(words) != 1:
            raise InvalidInputError("%flow savepoint takes one name; put it in quotes if it has blanks")
        call = model.CreateSavepoint(name=words[0])
        return self._runtime().perform(callee, call, flow_api.Pending("nothing"))

    def _savepoints(self, callee: Callable[..., Any], words: list[str]) -> Any:
        _none_of(words, "savepoints")
        runtime = self._runtime()
        call = model.ListSavepoints(execution_id=runtime.execution_id)
        return runtime.perform(callee, call, flow_api.Pending("savepoints table"))

    def _restore_savepoint(self, callee: Callable[..., Any], words: list[str]) -> Any:
        words, code = _with_code(words)
        if len(words) != 1:
            raise InvalidInputError("%flow restore takes the id or name of one savepoint")
        if self._restore is not None:
            return self._restore(words[0], code)
        if code != "saved":
            raise InvalidInputError(
                "%flow restore --code current is for a notebook at work; a flow is put back into its current "
                "code from outside: jupyter flows restore SAVEPOINT --code current"
            )
        call = model.LoadSavepoint(ref=words[0], by="id")
        return self._runtime().perform(callee, call, flow_api.Pending("nothing"))


def _with_code(words: list[str]) -> tuple[list[str], str]:
    """The words without ``--code CODE``, and the code."""
    if "--code" not in words:
        return words, "saved"
    at = words.index("--code")
    code = words[at + 1] if at + 1 < len(words) else ""
    if code not in ("saved", "current"):
        raise InvalidInputError("%flow restore --code takes saved or current")
    return [*words[:at], *words[at + 2 :]], code


def _none_of(words: list[str], command: str) -> None:
    if words:
        raise InvalidInputError(f"%flow {command} takes nothing more, not {' '.join(words)!r}")


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text
