"""Capture: walk the frames from a Flow-API call to the base, and keep what going on needs.

A continuation is exact only if every frame between is flow code, stands at a call that really calls the
next one, and everything that waits in it has a name. Otherwise it says in one sentence why not.
"""

from __future__ import annotations

import ast
import inspect
import sys
import threading
import types
from collections.abc import Callable
from typing import Any

from . import classes, coroutines, units
from .callsites import UNKNOWN, Site, attribute, role_of
from .continuing import GENERATOR, Continuation, Frame, Place, check_variant
from .depth import room
from .implicit import operation_of
from .importing import is_own
from .instructions import CALLS, is_over, must_run_directly, operation_at, runs_directly
from .knowledge import KNOWN
from .lowering import CELLS, is_held
from .operands import Refused, Steps, text_of, the_one
from .operations import running_method
from .passing import passes_on
from .rebuilding import (
    AWAITS,
    AWAITS_END,
    CALL,
    CLOSES,
    DELEGATES,
    FOR,
    INIT,
    MADE,
    NEXT,
    NOTHING,
    OPERATES,
    PULLS,
    STATE,
    Variant,
)
from .temporaries import CELL_OF_CLASS
from .variables import locals_of

_OURS = frozenset({CELLS, NEXT, STATE, MADE, GENERATOR})


def capture(frame: types.FrameType, callee: Callable[..., Any]) -> Continuation:
    """What remains to be done after a Flow-API call, as a value.

    Arguments: `frame`, the nearest Python frame outside of this package; `callee`, the function or bound
    method that it called. Never raises: where the exact state cannot be had, the continuation has no
    frames and says why in `inexact_reason`.
    """
    with room():
        try:
            frames = _chain(frame)
            captured = _captured(frames, callee)
        except Refused as reason:
            return Continuation([], _site(frame), str(reason))
        return Continuation(captured, _site(frame))


def _chain(frame: types.FrameType) -> list[types.FrameType]:
    """The frames from the base to `frame`. Raises Refused if one of them is not flow code."""
    every: list[types.FrameType] = []
    above: types.FrameType | None = frame
    base = -1
    while above is not None:
        unit = units.unit_of(above.f_code)
        if unit is not None and not unit.library:
            base = len(every)
        every.append(above)
        above = above.f_back
    if base < 0:
        raise Refused(f"the call comes from {_described(frame)}, which is not part of the flow")
    kept: list[types.FrameType] = []
    for between in every[: base + 1]:
        if units.unit_of(between.f_code) is not None:
            kept.append(between)
        elif not kept or kept[-1].f_back is not between or not passes_on(between, kept[-1]):
            raise Refused(f"{_described(between)} stands between the flow's code and the call")
    if threading.get_ident() != threading.main_thread().ident:
        raise Refused(
            "the call was made in a thread of its own; only the flow's main thread can be gone on with"
        )
    return kept[::-1]


def _described(frame: types.FrameType) -> str:
    module = frame.f_globals.get("__name__", "unknown code")
    return f"{frame.f_code.co_qualname} of {module}"


def _captured(frames: list[types.FrameType], callee: Callable[..., Any]) -> list[Frame]:
    captured: list[Frame] = []
    generator: Any = None
    rest = frames
    while rest:
        frame, bodies, rest = _with_bodies(rest)
        kept, iterated = _captured_frame(frame, bodies, rest[0] if rest else None, callee)
        flags = frame.f_code.co_flags & coroutines.FLAGS
        if flags & coroutines.ASYNC_FLAGS and not captured:
            coroutines.refuse_other_tasks()
        elif flags:
            if generator is None:
                raise Refused(f"what runs the generator {frame.f_code.co_qualname} cannot be gone on from")
            kept.variables[GENERATOR] = generator
        generator = iterated
        captured.append(kept)
    return captured


def _with_bodies(
    frames: list[types.FrameType],
) -> tuple[types.FrameType, list[types.FrameType], list[types.FrameType]]:
    """The first frame, those of classes' bodies that it runs, and the rest."""
    count = 1
    while count < len(frames) and (_is_body(frames[count]) or _is_around_class(frames, count)):
        count += 1
    return frames[0], [one for one in frames[1:count] if _is_body(one)], frames[count:]


def _is_body(frame: types.FrameType) -> bool:
    if frame.f_code.co_flags & inspect.CO_OPTIMIZED or frame.f_code.co_name == "<module>":
        return False
    place = units.place_of(frame.f_code)
    return place is not None and units.unit(place[0]).by_place[place[1]].names.kind == "class"


def _is_around_class(frames: list[types.FrameType], index: int) -> bool:
    """Whether it is the function of ours that a class of a module goes on in."""
    code = frames[index].f_code
    is_ours = code.co_name == "<module>" and bool(code.co_flags & inspect.CO_OPTIMIZED)
    return is_ours and index + 1 < len(frames) and _is_body(frames[index + 1])


def _captured_frame(
    frame: types.FrameType,
    bodies: list[types.FrameType],
    inner: types.FrameType | None,
    callee: Callable[..., Any],
) -> tuple[Frame, Any]:
    """The frame as it is kept, and the generator it iterates, if that is what it does.

    `bodies`: frames of the classes that it makes, which are kept as a part of it.
    """
    kept, node, scope, generator = _standing(frame, bodies, inner, callee)
    if kept.role in (AWAITS, AWAITS_END) and isinstance(generator, types.AsyncGeneratorType):
        kept.variables[_awaited_name(node)] = generator
    _forget_steps(kept, scope)
    check_variant(kept)
    return kept, generator


def _standing(
    frame: types.FrameType,
    bodies: list[types.FrameType],
    inner: types.FrameType | None,
    callee: Callable[..., Any] | None,
) -> tuple[Frame, ast.AST, units.Scope, Any]:
    """The frame, the node and the scope that it stands in, and the generator that it iterates.

    `callee` is None where it is known already that the Flow API was called.
    """
    last = bodies[-1] if bodies else frame
    unit, node, scope, steps = _where(last)
    outer, steps = unit.around_classes(scope, steps)
    if bodies:
        steps = the_one(steps)
    where = unit, node, outer, steps
    variables = variables_of(frame, outer)
    cells = _namespaces(frame, bodies, unit, outer, variables)
    role, generator = CALL, None
    if inner is not None or callee is not None:
        names = last.f_locals if bodies else None
        seen = variables | dict(dict.items(names)) if isinstance(names, dict) else variables
        role, generator = _role_and_generator(last, inner, callee, node, scope, seen)
    kept = _kept(frame, where, role, variables)
    kept.cells.update(cells)
    if role == INIT:
        assert inner is not None
        kept.variables[MADE] = _made(inner)
    return kept, node, where[2], generator


def _namespaces(
    frame: types.FrameType,
    bodies: list[types.FrameType],
    unit: units.Unit,
    scope: units.Scope,
    variables: dict[str, Any],
) -> dict[str, types.CellType]:
    """The cells of the classes that a frame makes; their namespaces become variables of its own."""
    if bodies and (units.place_of(frame.f_code) or ("", ""))[1] != scope.place:
        raise Refused("a class with type parameters is under way, which cannot be gone on with")
    cells: dict[str, types.CellType] = {}
    for body in bodies:
        place = units.place_of(body.f_code)
        assert place is not None
        node = unit.by_place[place[1]].node
        assert isinstance(node, ast.ClassDef)
        _refuse_twice_asked(node, Site(frame, variables, scope.class_name, scope.names))
        own = getattr(node, "temporaries", None)
        if own is None:
            raise Refused("the class was compiled by an older version of the rules, which kept no part of it")
        variables[own + classes.NAMESPACE] = classes.kept_namespace(body.f_locals)
        if classes.has_cell(node) and scope.names.kind == "function":
            cells[own + CELL_OF_CLASS] = classes.cell_of(variables[own + classes.CLASS])
    return cells


def _refuse_twice_asked(node: ast.ClassDef, site: Site) -> None:
    """Bases that are no classes say what they stand for; the flow's own code must not be asked again."""
    for base in (site.value(one) for one in node.bases):
        entries = None if isinstance(base, type) else attribute(type(base), "__mro_entries__")
        if isinstance(entries, types.FunctionType) and units.unit_of(entries.__code__) is not None:
            raise Refused(
                "a base of the class that is under way is no class itself (it has `__mro_entries__`)"
            )


def _forget_steps(kept: Frame, scope: units.Scope) -> None:
    """Steps of asynchronous generators that were awaited, and wait no more, keep nothing from going on."""
    steps = [name for name, value in kept.variables.items() if name[0] == "." and coroutines.is_step(value)]
    if steps:
        needed = Variant(scope, kept.steps, kept.variables, kept.role).needed
        kept.variables.update(dict.fromkeys([name for name in steps if name not in needed]))


def _role_and_generator(
    frame: types.FrameType,
    inner: types.FrameType | None,
    callee: Callable[..., Any] | None,
    node: ast.AST,
    scope: units.Scope,
    variables: dict[str, Any],
) -> tuple[str, Any]:
    """How a frame runs the next one, and the generator or coroutine that it runs so. Raises Refused."""
    flags = inner.f_code.co_flags if inner is not None else 0
    if inner is not None and flags & coroutines.ASYNC_FLAGS:
        return _awaiting(frame, inner, node, scope, variables)
    if inner is not None and flags & inspect.CO_GENERATOR:
        return _iterating(frame, inner, node, scope, variables)
    if isinstance(node, ast.Call | ast.Name | ast.NamedExpr):  # a name: a decorator that is being applied
        return _role(frame, inner, callee, node, scope, variables), None
    raise Refused(f"`{text_of(node)}` runs a method of the flow implicitly; only calls can be gone on from")


def running_frame(frame: types.FrameType) -> Frame:
    """The frame of a generator that is running, as `capture` keeps it. Raises Refused."""
    frame, bodies, rest = _with_bodies(_running_from(frame))
    return _standing(frame, bodies, rest[0] if rest else None, None)[0]


def _running_from(frame: types.FrameType) -> list[types.FrameType]:
    """The frames of flow code from this one to the one that called the Flow API."""
    every: list[types.FrameType] = []
    above: types.FrameType | None = sys._getframe(1)
    while above is not None:
        every.append(above)
        if above is frame:
            break
        above = above.f_back
    every.reverse()
    found: list[types.FrameType] = []
    for index, one in enumerate(every):
        if units.unit_of(one.f_code) is not None:
            found.append(one)
        elif index + 1 == len(every) or not passes_on(one, every[index + 1]):
            break
    return found


def _kept(frame: types.FrameType, where: Where, role: str, variables: dict[str, Any]) -> Frame:
    unit, _, scope, steps = where
    cells = cells_of(variables, scope, frame)
    values = {
        name: value
        for name, value in variables.items()
        if (name[0] != "." or is_kept(name)) and name not in cells
    }
    module = unit.library or _module_of(frame)
    return Frame(unit.digest, scope.place, steps, role, 0, values, cells, module)


def _module_of(frame: types.FrameType) -> str:
    """The module of the flow's own whose code a frame runs; "" for the flow's cells."""
    name = frame.f_globals.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    return str(name) if is_own(module) and vars(module) is frame.f_globals else ""


def is_kept(name: str) -> bool:
    return name not in _OURS and not name.startswith((".first", ".item"))


def _iterating(
    frame: types.FrameType,
    inner: types.FrameType,
    node: ast.AST,
    scope: units.Scope,
    variables: dict[str, Any],
) -> tuple[str, Any]:
    """How a frame runs the generator above it, and that generator. Raises Refused."""
    site = Site(frame, variables, scope.class_name, scope.names)
    role, found, called = CALL, None, None
    going_on = getattr(variables.get(NEXT), "__self__", None)
    if (
        isinstance(going_on, types.GeneratorType)
        and going_on.gi_frame is inner
        and isinstance(node, ast.Call)
    ):
        return units.role_in(frame.f_code), going_on
    if isinstance(node, ast.For):
        role, found = FOR, site.value(node.iter)
    elif isinstance(node, ast.YieldFrom):
        role, found = DELEGATES, site.value(node.value)
    elif isinstance(node, ast.Call):
        called = site.value(node.func)
        if called is next and len(node.args) in (1, 2):
            role = CALL if len(node.args) == 1 else PULLS
            found = site.value(node.args[0])
            is_firm = site.is_firm(node.func, node) and site.is_firm(node.args[0], node)
        else:
            found = getattr(called, "__self__", None)
            is_firm = isinstance(node.func, ast.Attribute) and site.is_firm(node.func.value, node)
        if not is_firm:
            found = None
    if not isinstance(found, types.GeneratorType) or found.gi_frame is not inner:
        raise Refused(f"`{text_of(node)}` runs a generator in a way that cannot be gone on from")
    if isinstance(node, ast.Call) and getattr(called, "__name__", "") == "close":
        role = CLOSES
    return role, found


def _awaiting(
    frame: types.FrameType,
    inner: types.FrameType,
    node: ast.AST,
    scope: units.Scope,
    variables: dict[str, Any],
) -> tuple[str, Any]:
    """How a frame awaits, and the coroutine or asynchronous generator that it awaits. Raises Refused."""
    found = value = None
    if isinstance(node, ast.Await):
        value = Site(frame, variables, scope.class_name, scope.names).value(node.value)
        found = value if coroutines.frame_of(value) is inner else coroutines.awaited(value, inner)
    if found is None or _awaited_name(node) is None:
        raise Refused(f"`{text_of(node)}` awaits in a way that cannot be gone on from")
    if value is found and isinstance(found, types.AsyncGeneratorType):  # it goes on after a savepoint
        return units.role_in(frame.f_code), found
    return AWAITS_END if coroutines.is_closing(value) else AWAITS, found


def _awaited_name(node: ast.AST) -> Any:
    """The variable that holds what is awaited: a temporary, or one that only this function rebinds."""
    value = node.value if isinstance(node, ast.Await) else None
    if isinstance(value, ast.NamedExpr):
        return value.target.id
    return value.id if isinstance(value, ast.Name) else None


Where = tuple[units.Unit, ast.AST, units.Scope, Steps]
_known_places: dict[tuple[int, int], Where] = {}


def _where(frame: types.FrameType) -> Where:
    """Unit, node, scope and way to the node of the instruction that a frame of flow code stands at."""
    key = (id(frame.f_code), frame.f_lasti)  # codes of units are never freed
    known = _known_places.get(key)
    if known is None:
        known = _known_places[key] = _look_up(frame)
    return known


def _look_up(frame: types.FrameType) -> Where:
    code = frame.f_code
    unit = units.unit_of(code)
    assert unit is not None
    if not unit.is_normalised:
        raise Refused(f"{unit.filename} is nested too deep to be gone on from")
    number = units.position_of(code, frame.f_lasti)
    if number is None:
        raise Refused(f"the place in {code.co_qualname} cannot be told")
    node = unit.nodes[number]
    operation = operation_at(code, frame.f_lasti)
    if isinstance(node, ast.Attribute) and operation in CALLS:
        parent = unit.parent(number)
        assert parent is not None
        node = parent[0]
    if operation.startswith("FOR_ITER"):
        node = _loop_of(unit, node)
    elif _is_decorator(unit, node):
        if operation not in CALLS:
            raise Refused("a decorator is being evaluated; only calls can be gone on from")
    elif not isinstance(node, ast.Call | ast.YieldFrom | ast.Await) or (
        isinstance(node, ast.Call) and operation not in CALLS
    ):
        raise Refused(
            f"`{text_of(node)}` runs a method of the flow implicitly; only calls can be gone on from"
        )
    scope, steps = unit.locate(node.number)  # type: ignore[attr-defined]
    if (scope.names.kind == "module" and code.co_name != "<module>") or _is_comprehension(code, scope):
        raise Refused("a call inside a comprehension cannot be gone on from here")
    return unit, node, scope, the_one(steps)


def _is_decorator(unit: units.Unit, node: ast.AST) -> bool:
    """Whether an instruction of this node applies a decorator: one that is a call is kept by a name."""
    found = unit.parent(node.number)  # type: ignore[attr-defined]
    return isinstance(node, ast.Name | ast.NamedExpr) and found is not None and found[1] == "decorator_list"


def _loop_of(unit: units.Unit, node: ast.AST) -> ast.AST:
    while not isinstance(node, ast.For):
        found = unit.parent(node.number)  # type: ignore[attr-defined]
        if found is None:
            raise Refused("the loop that runs a generator cannot be told")
        node = found[0]
    return node


def _is_comprehension(code: types.CodeType, scope: units.Scope) -> bool:
    place = units.place_of(code)
    return (
        place is None
        or place[1] != scope.place
        or (
            code.co_name in ("<listcomp>", "<setcomp>", "<dictcomp>")
            and ("comp" not in scope.place.rpartition(".")[2])
        )
    )


def variables_of(frame: types.FrameType, scope: units.Scope) -> dict[str, Any]:
    if scope.names.kind == "module":
        own = f".{scope.prefix}."
        return {
            name: value
            for name, value in frame.f_locals.items()
            if name.startswith(".") and (name.startswith(own) or name.count(".") == 1)
        }
    return locals_of(frame)


def cells_of(
    variables: dict[str, Any], scope: units.Scope, frame: types.FrameType
) -> dict[str, types.CellType]:
    """The cells of the variables that a function shares with others. Raises Refused."""
    cells: dict[str, types.CellType] = {}
    if "__class__" in frame.f_code.co_freevars and "__class__" in variables:  # what `super()` looks at
        cells["__class__"] = types.CellType(variables["__class__"])
    if not scope.names.exposed_names():
        return cells
    holder = variables.get(CELLS)
    if holder is None and is_held(scope.names) and frame.f_back is not None:
        holder = locals_of(frame.f_back).get(scope.node.name)  # type: ignore[attr-defined]
    if isinstance(holder, dict):
        return cells | holder
    if holder is None:
        raise Refused(f"the variables that {scope.place} shares with other functions were not kept")
    return cells | dict(zip(holder.__code__.co_freevars, holder.__closure__, strict=True))


def _role(
    frame: types.FrameType,
    inner: types.FrameType | None,
    callee: Callable[..., Any] | None,
    node: ast.AST,
    scope: units.Scope,
    variables: dict[str, Any],
) -> str:
    """How the call at the site runs the next frame. Raises Refused if it does not call it itself."""
    assert isinstance(node, ast.Call | ast.Name | ast.NamedExpr)
    function = node.func if isinstance(node, ast.Call) else node
    above = _frame_above(frame, inner)
    directly = above is not None and runs_directly(frame, above)
    if above is not None and not directly and is_over(frame):
        what = text_of(node)
        raise Refused(
            f"`{what}` has returned; the call comes from what Python runs while it lets go of values"
        )
    if inner is not None:
        going_on = variables.get(NEXT)
        if isinstance(going_on, types.FunctionType) and going_on.__code__ is inner.f_code:
            return units.role_in(frame.f_code)
    site = Site(frame, variables, scope.class_name, scope.names)
    operation = operation_of(node)
    if operation is not None and isinstance(node, ast.Call):
        return _operating(site, node, operation, inner)
    api = getattr(callee, "__func__", callee)
    passing = above if above is not inner else None
    is_init = inner is not None and passing is not None and passing.f_code.co_name == "__init__"
    if above is not None and directly and not is_init:
        is_its = inner is not None or above.f_code is getattr(api, "__code__", None)
        if is_its:
            return CALL
    called = site.value(function)
    if inner is None:
        role = role_of(called, lambda one: one is api)
    else:
        place = units.place_of(inner.f_code) if passing is None else None

        def matches(one: types.FunctionType) -> bool:
            if passing is not None:
                return one.__code__ is passing.f_code
            return units.place_of(one.__code__) == place

        role = role_of(called, matches) if passing or place is not None else None
        if is_init and role == CALL:  # called by name: it gives nothing
            role = NOTHING
            if directly:
                return role
    unit = units.unit_of(frame.f_code)
    what = frame.f_code.co_name if unit is not None and unit.library else text_of(function)
    if must_run_directly(frame) and isinstance(getattr(called, "__func__", called), types.FunctionType):
        role = None  # the call has returned: a finalizer runs the same function
    if role is None:
        kind = "cannot be told" if called is UNKNOWN else "is not the flow's function itself"
        raise Refused(f"what `{what}` calls {kind}: a library stands between the flow's code and the call")
    if not site.is_firm(function, node):
        raise Refused(f"what `{what}` calls may have been replaced since; give it a variable of its own")
    return role


def _operating(site: Site, node: ast.Call, operation: str, inner: types.FrameType | None) -> str:
    """The method that an operator runs. Raises Refused if that is not the next frame."""
    operands = [site.value(one) for one in node.args]
    place = units.place_of(inner.f_code) if inner is not None else None
    found = None
    if inner is not None and place is not None and not any(one is UNKNOWN for one in operands):
        given = [inner.f_locals.get(name) for name in inner.f_code.co_varnames[: inner.f_code.co_argcount]]
        found = running_method(operation, operands, lambda one: units.place_of(one.__code__) == place, given)
    if found is None or found[1] in KNOWN.stored or not all(site.is_firm(one, node) for one in node.args):
        raise Refused(f"what `{text_of(node)}` runs cannot be told: a library stands between")
    return PULLS if operation == "next" else f"{OPERATES}{found[0]} {found[1]}"


def _frame_above(frame: types.FrameType, inner: types.FrameType | None) -> types.FrameType | None:
    """The frame that `frame` called, on the way to here; `inner`: the next one that is kept."""
    if inner is not None:
        return inner if inner.f_back is frame else inner.f_back
    above: types.FrameType | None = sys._getframe(1)
    while above is not None and above.f_back is not frame:
        above = above.f_back
    return above


def _made(inner: types.FrameType) -> Any:
    """The object whose `__init__` runs: its first argument, unless that was rebound."""
    code = inner.f_code
    unit = units.unit_of(code)
    place = units.place_of(code)
    assert unit is not None
    assert place is not None
    scope = unit.by_place[place[1]]
    node = scope.node
    assert isinstance(node, ast.FunctionDef)
    first = [*node.args.posonlyargs, *node.args.args][:1]
    if not first or not scope.names.is_constant(first[0].arg):
        raise Refused(f"{place[1]} rebinds the object that it makes")
    found = locals_of(inner).get(first[0].arg, UNKNOWN)
    if found is UNKNOWN:
        raise Refused(f"{place[1]} rebinds the object that it makes")
    return found


def _site(frame: types.FrameType) -> Place:
    unit = units.unit_of(frame.f_code)
    while unit is not None and unit.library and frame.f_back is not None:  # what a person knows of
        frame = frame.f_back
        unit = units.unit_of(frame.f_code)
    line = frame.f_lineno or 0
    if unit is None:
        return Place(line, "", frame.f_code.co_qualname, "")
    function = frame.f_code.co_qualname
    number = units.position_of(frame.f_code, frame.f_lasti)
    if number is None:
        lines = unit.source.splitlines()
        return Place(line, lines[line - 1].strip() if 0 < line <= len(lines) else "", function, unit.digest)
    return statement_at(unit, unit.nodes[number], line, function)


def statement_at(unit: units.Unit, node: ast.AST, line: int, function: str) -> Place:
    """The statement that a node of the unit's tree is in, for people."""
    while not isinstance(node, ast.stmt):
        found = unit.parent(node.number)  # type: ignore[attr-defined]
        if found is None:
            break
        node = found[0]
    return Place(line, _statement_text(unit, node, line), function, unit.digest)


def _statement_text(unit: units.Unit, node: ast.AST, line: int) -> str:
    lines = unit.source.splitlines()
    first = min(getattr(node, "lineno", line), line)
    last = line if hasattr(node, "body") else max(getattr(node, "end_lineno", line) or line, line)
    return "\n".join(lines[first - 1 : last]).strip()
