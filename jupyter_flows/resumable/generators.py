"""Generators of a flow: pickled suspended where they stand, or as part of a stack that runs through them.

A rebuilt generator is made from a variant of its function (`rebuilding`). A suspended one is driven to its
`yield` at once: the variant's way there only enters blocks, no statement of the author runs. One that was
running when the savepoint was made starts when the frame below iterates it, and begins at its call site.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import types
from typing import Any

from . import moving, units
from .continuing import Frame, NotResumable, check_variant, compiled_variant, values_of
from .coroutines import code_of, frame_of, is_running, is_unstarted
from .functions import globals_of
from .operands import Refused, the_one
from .rebuilding import DELEGATED, START, STATE, YIELDED
from .variables import locals_of


def reduce_generator(generator: Any) -> tuple[Any, ...]:
    """The reduce tuple of a generator that was made by flow code.

    Its namespace dict is one of the arguments, as with `reduce_function`. Raises NotResumable, with one
    plain sentence, where the generator cannot be kept exactly.
    """
    standing = frame_of(generator)
    if standing is None:
        kind = type(generator).__name__
        return _exhausted, (generator.__name__, generator.__qualname__, kind)
    namespace = globals_of(standing.f_code, standing.f_globals)
    holder = locals_of(standing).get(STATE)
    if isinstance(holder, _Holder) and not holder:  # loaded, and still to be gone on with
        frame = holder.frame
        return _waiting, (
            _structure(frame),
            frame.cells,
            namespace,
            generator.__name__,
            generator.__qualname__,
        )
    try:
        if is_running(generator):
            from .capturing import running_frame

            frame = running_frame(standing)
            return _waiting, (
                _structure(frame),
                frame.cells,
                namespace,
                generator.__name__,
                generator.__qualname__,
            )
        frame = suspended_frame(generator)
        check_variant(frame)
    except Refused as reason:
        kind = type(generator).__name__.replace("_", " ")
        raise NotResumable(f"the {kind} {generator.__qualname__} cannot be kept: {reason}") from None
    arguments = (_structure(frame), frame.cells, namespace, generator.__name__, generator.__qualname__)
    return _waiting, arguments, frame.variables, None, None, _go_to_yield


def _frame_of(generator: Any) -> types.FrameType:
    frame = frame_of(generator)
    assert frame is not None
    return frame


def suspended_frame(generator: Any) -> Frame:
    """Where a generator that is not running stands. Raises Refused."""
    from .capturing import cells_of, variables_of

    code = code_of(generator)
    unit = units.unit_of(code)
    place = units.place_of(code)
    if unit is None or place is None:
        raise Refused("it was not made by the flow's own code")
    scope = unit.by_place[place[1]]
    if is_unstarted(generator):
        return _created(generator, unit, scope)
    number = units.position_of(code, _frame_of(generator).f_lasti)
    if number is None:
        raise Refused("the place where it stands cannot be told")
    node = unit.nodes[number]
    if not isinstance(node, ast.Yield | ast.YieldFrom):
        raise Refused("the place where it stands cannot be told")
    _, steps = unit.locate(number)
    steps = the_one(steps)
    frame = Frame(unit.digest, scope.place, steps, YIELDED if isinstance(node, ast.Yield) else DELEGATED)
    variables = variables_of(_frame_of(generator), scope)
    frame.cells = cells_of(variables, scope, _frame_of(generator))
    frame.variables = {name: value for name, value in variables.items() if _is_kept(name, frame)}
    return frame


def _is_kept(name: str, frame: Frame) -> bool:
    from .capturing import is_kept

    return is_kept(name) and name not in frame.cells


def _created(generator: Any, unit: units.Unit, scope: units.Scope) -> Frame:
    """A generator that was not started: its arguments, and the cells that its function brought."""
    frame = Frame(unit.digest, scope.place, (), START)
    code = code_of(generator)
    pending = locals_of(_frame_of(generator)).get(STATE)
    if isinstance(pending, _Holder):  # it was restored, and not started since
        if pending.unstarted is None:
            raise Refused("it is waiting for the rest of its savepoint")
        frame.variables, frame.cells = dict(pending.unstarted), dict(pending.frame.cells)
        return frame
    exposed = scope.names.exposed_names()
    made_by = [
        one
        for one in gc.get_referents(generator)
        if isinstance(one, types.FunctionType) and one.__code__ is code
    ]
    if code.co_freevars and not made_by:
        raise Refused("the variables that it shares with other functions cannot be told")
    closure = dict(zip(code.co_freevars, made_by[0].__closure__ or (), strict=True)) if made_by else {}
    values = locals_of(_frame_of(generator))
    for name in (*exposed, *(closure.keys() & {"__class__"})):
        frame.cells[name] = closure[name] if name in closure else _cell(values, name)
    frame.variables = {name: value for name, value in values.items() if _is_kept(name, frame)}
    return frame


def _cell(values: dict[str, Any], name: str) -> types.CellType:
    return types.CellType(values[name]) if name in values else types.CellType()


def _structure(frame: Frame) -> tuple[Any, ...]:
    reasons = {
        name: value for name, value in frame.variables.items() if name[0] == "." and isinstance(value, int)
    }
    return frame.unit, frame.place, frame.steps, frame.role, frame.rules, tuple(frame.variables), reasons


def _frame(structure: tuple[Any, ...], cells: dict[str, types.CellType]) -> Frame:
    unit, place, steps, role, rules, names, reasons = structure
    return Frame(unit, place, steps, role, rules, dict.fromkeys(names) | reasons, cells)


class _Holder(list[Any]):
    """The state that a rebuilt generator will start with, and what is needed to fill it in."""

    frame: Frame
    moved: moving.Moved | None = None
    unstarted: dict[str, Any] | None = None  # the arguments, where it waits before its first statement


def _waiting(
    structure: tuple[Any, ...],
    cells: dict[str, types.CellType],
    namespace: dict[str, Any],
    name: str,
    qualname: str,
) -> Any:
    frame = _frame(structure, cells)
    moved = None
    move = moving.current()
    if move is not None:
        moved = move.frame(frame)
        frame = move.with_values(frame, moved)
    try:
        compiled = compiled_variant(frame)
    except (Refused, LookupError) as reason:
        raise NotResumable(f"the generator {qualname} cannot go on: {reason}") from None
    holder = _Holder()
    holder.frame, holder.moved = frame, moved
    closure = tuple(cells.get(one) or types.CellType() for one in compiled.code.co_freevars)
    function = types.FunctionType(compiled.code, namespace, name, compiled.arguments(holder), closure or None)
    generator: Any = function()
    generator.__name__, generator.__qualname__ = name, qualname
    return generator


def holder_of(generator: Any) -> _Holder:
    holder = locals_of(_frame_of(generator))[STATE]
    assert isinstance(holder, _Holder)
    return holder


def _go_to_yield(generator: Any, variables: dict[str, Any]) -> None:
    holder = holder_of(generator)
    frame = holder.frame
    frame.variables = variables if holder.moved is None else holder.moved.put_in(frame, variables)
    if frame.role == START:
        holder.unstarted = frame.variables
    fill(generator, None)
    if frame.role != START:
        step(generator)


def step(generator: Any) -> None:
    """Drive a rebuilt generator to the place where it waits."""
    if isinstance(generator, types.GeneratorType):
        next(generator)
        return
    with contextlib.suppress(StopIteration):  # so an asynchronous generator gives its item
        generator.__anext__().send(None)


def fill(generator: Any, inner: Any) -> None:
    """Give a rebuilt generator its values and the next inner frame."""
    holder = holder_of(generator)
    compiled = compiled_variant(holder.frame)
    holder.append(values_of(holder.frame, compiled, inner))


def _exhausted(name: str, qualname: str, kind: str = "generator") -> Any:
    def nothing() -> Any:
        return
        yield

    async def coroutine() -> None:
        return

    async def async_generator() -> Any:
        return
        yield

    made = {"generator": nothing, "coroutine": coroutine, "async_generator": async_generator}[kind]
    generator: Any = made()
    step = generator.__anext__() if kind == "async_generator" else generator
    with contextlib.suppress(StopIteration, StopAsyncIteration):
        step.send(None)
    generator.__name__, generator.__qualname__ = name, qualname
    return generator
