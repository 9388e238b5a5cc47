"""What may be different when an execution goes on from a savepoint: its code, and variables.

A savepoint tells the flow version that it was made under. Going on under another one (`code="current"`)
changes the execution's version; the kernel that claims it sees that the two differ, and finds the place in
the new code again or says why it cannot. Changed variables are written beside the savepoint's state, in a
savepoint of their own, so that they are not lost when a kernel dies before it made the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from ..errors import ConflictError, InvalidInputError, SavepointError
from ..model import Execution, ExecutionType, FlowSource, Savepoint, Value
from ..store import Transaction
from .flows import FlowLibrary

#: As it was at the savepoint, or as the flow's file is now.
SAVED, CURRENT = "saved", "current"


def checked_code(code: str) -> str:
    """Raises InvalidInputError for what names no code."""
    if code not in (SAVED, CURRENT):
        raise InvalidInputError(f"the code can be {SAVED!r} or {CURRENT!r}, not {code!r}", code=code)
    return code


def current_source(library: FlowLibrary, transaction: Transaction, execution: Execution) -> FlowSource:
    """The flow's file as it is now, under the name that the execution knows it by.

    Raises ConflictError for what has no file, and what `FlowLibrary.read` raises.
    """
    if execution.type is not ExecutionType.FLOW or execution.flow_version is None:
        raise ConflictError(
            f"execution {execution.id} is no run of a flow's file, so it has no current code: restore its "
            "savepoint as it was",
            execution_id=execution.id,
        )
    known = transaction.flow_version(execution.flow_version, execution.flow or "")
    path = known.path if known is not None else execution.flow or ""
    found = library.read(path.rsplit("/", 1)[-1], execution.directory)
    return replace(found, name=execution.flow or found.name, path=path)


def with_changes(savepoint: Savepoint, changes: Mapping[str, Value], *, any_name: bool) -> Savepoint:
    """The savepoint with other values for variables.

    Arguments: `changes` by name; with `any_name` they may be variables that it does not have. Raises
    InvalidInputError for a name that is none, SavepointError for a damaged savepoint.
    """
    if not changes:
        return savepoint
    for name in changes:
        if not name.isidentifier():
            raise InvalidInputError(f"{name!r} is not the name of a variable", input=name)
    known = _names(savepoint) | set(savepoint.draft.changes)
    unknown = [name for name in changes if name not in known]
    if unknown and not any_name:
        raise InvalidInputError(
            f"there is no variable {unknown[0]} in savepoint {savepoint.id}: `jupyter flows variables "
            f"{savepoint.id}` lists them",
            savepoint_id=savepoint.id,
            input=unknown[0],
        )
    draft = replace(savepoint.draft, changes={**savepoint.draft.changes, **changes})
    return replace(savepoint, draft=draft)


def _names(savepoint: Savepoint) -> set[str]:
    from ..snapshot import Manifest  # only here: nothing is unpickled

    if not savepoint.draft.manifest:
        raise SavepointError(f"savepoint {savepoint.id} has no variables", savepoint_id=savepoint.id)
    variables: list[Any] = list(Manifest.from_bytes(savepoint.draft.manifest).variables())
    return {variable.name for variable in variables}
