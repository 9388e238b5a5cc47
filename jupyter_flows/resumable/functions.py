"""How functions of a flow are pickled: by unit and place, never as bytecode."""

from __future__ import annotations

import types
from typing import Any

from . import borrowed, moving, units


def reduce_function(function: types.FunctionType) -> tuple[Any, ...]:
    """The reduce tuple of a function that was defined in a unit.

    Its globals dict is one of the arguments: a pickler maps the flow's namespace to the live one by a
    persistent id. Cells travel as they are (see `reduce_cell`), so closures keep sharing them.
    Raises UnknownUnit for a function of other code.
    """
    place = units.place_of(function.__code__)
    if place is None:
        raise units.UnknownUnit(f"{function.__qualname__} was not defined in a flow")
    names = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    state = {
        "name": function.__name__,
        "qualname": function.__qualname__,
        "defaults": function.__defaults__,
        "kwdefaults": function.__kwdefaults__,
        "annotations": function.__annotations__,
        "doc": function.__doc__,
        "module": function.__module__,
        "dict": dict(function.__dict__),
    }
    digest, where = place
    namespace = globals_of(function.__code__, function.__globals__)
    return _rebuilt, (digest, where, namespace, names), state, None, None, _restore


def globals_of(code: types.CodeType, namespace: dict[str, Any]) -> Any:
    """How the globals of a unit's code are pickled: as they are, or by the name of the library's module."""
    unit = units.unit_of(code)
    return borrowed.Names(unit.library) if unit is not None and unit.library else namespace


def _rebuilt(
    digest: str, place: str, namespace: dict[str, Any], cells: dict[str, types.CellType]
) -> types.FunctionType:
    move = moving.current()
    if move is not None:
        digest, place = move.function(digest, place, tuple(cells))
    code = units.unit(digest).code_at(place)
    closure = tuple(cells.get(name) or types.CellType() for name in code.co_freevars)
    return types.FunctionType(code, namespace, code.co_name, None, closure or None)


def _restore(function: types.FunctionType, state: dict[str, Any]) -> None:
    function.__name__ = state["name"]
    function.__qualname__ = state["qualname"]
    function.__defaults__ = state["defaults"]
    function.__kwdefaults__ = state["kwdefaults"]
    function.__annotations__ = state["annotations"]
    function.__doc__ = state["doc"]
    function.__module__ = state["module"]
    function.__dict__.update(state["dict"])


def reduce_builtin_method(method: Any) -> Any:
    """The reduce tuple of a bound method of C, or NotImplemented where Python's own does.

    Python keeps such a method by its name: ``super().append``, which waits while its arguments are computed,
    would come back as the subclass's own `append`.
    """
    receiver, name = method.__self__, method.__name__
    kind = type(receiver)
    if isinstance(receiver, type | types.ModuleType):
        return NotImplemented
    owners = [owner for owner in kind.__mro__ if name in owner.__dict__]
    for owner in owners[1:]:
        found = owner.__dict__[name]
        is_builtin = isinstance(found, types.MethodDescriptorType | types.WrapperDescriptorType)
        if is_builtin and found.__get__(receiver, kind) == method:
            return _builtin_method, (owner, name, receiver)
    return NotImplemented


def _builtin_method(owner: type, name: str, receiver: Any) -> Any:
    return owner.__dict__[name].__get__(receiver, type(receiver))


def reduce_cell(cell: types.CellType) -> tuple[Any, ...]:
    """The reduce tuple of a closure's cell: one object, however many functions share it."""
    try:
        content = (cell.cell_contents,)
    except ValueError:
        return types.CellType, ()
    return types.CellType, (), content, None, None, _fill


def _fill(cell: types.CellType, content: tuple[Any]) -> None:
    cell.cell_contents = content[0]
