"""Continuation: a captured call stack, and how it goes on."""

from __future__ import annotations

import ast
import contextlib
import inspect
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass, field, replace
from functools import cached_property
from typing import Any

from . import borrowed, units
from .coroutines import SUSPENDABLE
from .depth import make_room_for
from .lowering import CELLS
from .operands import Refused, Steps
from .rebuilding import (
    AWAITS,
    AWAITS_END,
    CLOSES,
    DELEGATES,
    FOR,
    MADE,
    NEXT,
    VARIANT_NAME,
    Variant,
    function_tree,
)
from .temporaries import is_temporary, shown_name
from .walking import located

GENERATOR = ".generator"  # the generator object that a frame belongs to
#: How a frame waits that has the inner frame's generator in a variable.
_ITERATING = (FOR, DELEGATES, AWAITS, AWAITS_END)


class NotResumable(RuntimeError):
    """This continuation cannot be gone on from; the message says why."""


@dataclass(frozen=True)
class Place:
    """Where the innermost frame waits: `line` from 1, the statement's `source`, the qualified `function`."""

    line: int
    source: str
    function: str
    unit: str


@dataclass
class Frame:
    """One frame: the unit's digest, the function's place in it, the way to the call site, and all values.

    `variables` are those of the author and our temporaries; `cells` holds the cells of variables that
    closures share, whose values are not in `variables`. `module` names the module of the flow's own whose
    namespace it has; "" is the flow's namespace itself.
    """

    unit: str
    place: str
    steps: Steps
    role: str = "call"
    rules: int = 0
    variables: dict[str, Any] = field(default_factory=dict)
    cells: dict[str, types.CellType] = field(default_factory=dict)
    module: str = ""

    def __post_init__(self) -> None:
        self.rules = self.rules or units.rules_in(self.unit)

    @property
    def function(self) -> str:
        return self.place.partition("#")[0]

    @property
    def line(self) -> int:
        """The line of the call that it waits in."""
        unit = units.unit(self.unit)
        node = unit.node_at(unit.by_place[self.place], self.steps)
        return getattr(node, "lineno", 1)


@dataclass
class Continuation:
    """The frames from the base (first) to the one that made the Flow-API call (last).

    An inexact continuation has no frames; `inexact_reason` is one plain sentence. Pickling leaves the
    values out: they travel by `locals` and come back by `with_locals`.
    """

    frames: list[Frame]
    site: Place
    inexact_reason: str | None = None

    @property
    def exact(self) -> bool:
        return self.inexact_reason is None

    @property
    def units(self) -> set[str]:
        """Digests of the units that the frames belong to."""
        return {frame.unit for frame in self.frames}

    def locals(self) -> dict[str, Any]:
        """All values of the frames: ``"1 handler/data"``; temporaries and cells in the scope ``state``."""
        found: dict[str, Any] = {}
        for index, frame in enumerate(self.frames):
            for name, value in frame.variables.items():
                found[_key(index, frame, name)] = value
            for name, cell in frame.cells.items():
                found[f"state/cell {index} {name}"] = cell
                with contextlib.suppress(ValueError):
                    found[_key(index, frame, name)] = cell.cell_contents
        return found

    def with_locals(self, values: Mapping[str, Any]) -> Continuation:
        """The same place with these values, as `locals` named them; a name that is missing is unbound."""
        frames = []
        for index, frame in enumerate(self.frames):
            cells, variables = {}, {}
            for name in frame.cells:
                cell = values.get(f"state/cell {index} {name}")
                cells[name] = cell if isinstance(cell, types.CellType) else types.CellType()
                key = _key(index, frame, name)
                if key in values:
                    cells[name].cell_contents = values[key]
            for name in frame.variables:
                key = _key(index, frame, name)
                if key in values:
                    variables[name] = values[key]
                elif is_temporary(name):
                    raise NotResumable(f"a value that {frame.function} needs to go on is missing")
            frames.append(replace(frame, variables=variables, cells=cells))
        return replace(self, frames=frames)

    def set_variable(self, name: str, value: Any) -> bool:
        """Change a variable of the outermost frame; False if it has none of that name."""
        frame = self.frames[0] if self.frames else None
        if frame is None or frame.place == "<module>":
            return False
        names = units.unit(frame.unit).by_place[frame.place].names
        if name not in names.local_names | names.free_names():
            return False
        if name in frame.cells:
            frame.cells[name].cell_contents = value
        else:
            frame.variables[name] = value
        return True

    def structure(self) -> dict[str, Any]:
        """The continuation without values and without its units, as plain data."""
        frames = [
            (
                *(one.unit, one.place, one.steps, one.role, one.rules),
                *(tuple(one.variables), tuple(one.cells), one.module),
            )
            for one in self.frames
        ]
        site = self.site
        return {
            "frames": frames,
            "site": (site.line, site.source, site.function, site.unit),
            "inexact_reason": self.inexact_reason,
        }

    @classmethod
    def from_structure(cls, structure: dict[str, Any]) -> Continuation:
        """What `structure` was made of, its values missing; its units are made known by somebody else."""
        made = cls.__new__(cls)
        made.__setstate__({**structure, "units": {}})
        return made

    def __getstate__(self) -> dict[str, Any]:
        kept = {digest: units.kept_unit(digest) for digest in self.units}
        return {**self.structure(), "units": {digest: astuple(one) for digest, one in kept.items()}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for digest, unit in state["units"].items():
            units.register_source(digest, *unit)
        self.frames = [
            Frame(unit, place, steps, role, rules, dict.fromkeys(names), dict.fromkeys(cells), *module)  # type: ignore[arg-type]
            for unit, place, steps, role, rules, names, cells, *module in state["frames"]
        ]
        self.site = Place(*state["site"])
        self.inexact_reason = state["inexact_reason"]

    def resume(
        self, *, namespace: dict[str, Any], value: Any = None, error: BaseException | None = None
    ) -> Any:
        """Run from the call on to the end of the base frame.

        Arguments: `namespace`, the dict that the flow's functions have as globals; `value`, what the call
        returns, or `error`, what it raises. Returns what the base frame returns, raises what it raises.
        The values are handed over to the frames, so a continuation can be resumed once.
        A base that is a coroutine function, or a cell that awaits, gives a coroutine, as calling it does.
        Raises NotResumable, before any code runs, if the continuation is inexact or a value is missing.
        """
        if self.inexact_reason is not None:
            raise NotResumable(self.inexact_reason)

        frames, self.frames = self.frames, []
        if not frames:
            raise NotResumable("it was gone on with already: load the savepoint again")

        make_room_for(len(frames))
        # Nothing may be held here while the frames run: what they let go must go.
        inner = _delivery(value, error)
        del value, error
        frame = frames[0]
        roles = [frame.role for frame in frames]
        for frame in reversed(frames[1:]):
            roles.pop()
            if GENERATOR in frame.variables:
                inner = _started_later(frame, inner, roles[-1])
            else:
                inner = revived(frame, inner, namespace)
        base = frames[0]
        del frames[:], frame
        if GENERATOR in base.variables:
            inner = _started_later(base, inner, "")
        elif base.place != "<module>":
            inner = revived(base, inner, namespace)
        else:
            waiting = [inner]
            del inner
            return _run_module(base, waiting, namespace)
        return inner()


def _delivery(value: Any, error: BaseException | None) -> Callable[[], Any]:
    """What the innermost call site calls: gives the value, or raises."""

    def deliver() -> Any:
        if error is not None:
            raise error
        return value

    return deliver


def _key(index: int, frame: Frame, name: str) -> str:
    return f"state/kept {index} {name}" if is_temporary(name) else f"{index} {frame.function}/{name}"


@dataclass
class Compiled:
    """A variant's code with what a second capture in it needs."""

    unit: units.Unit
    scope: units.Scope
    code: types.CodeType
    tree: Any
    flags: list[str]
    made: types.CodeType
    role: str = "call"

    def arguments(self, state: list[Any]) -> tuple[Any, ...]:
        """What the variant is called with: its state comes last."""
        return (*[None] * (self.code.co_argcount - 1), state)

    @cached_property
    def positions(self) -> dict[int, list[int | None]]:
        """Node numbers of all instructions, by the id of the code object."""
        found = self.unit.positions(self.tree, self.made)
        for mine, _ in units.pairs(self.made, self.made):
            if mine.co_name == VARIANT_NAME and mine.co_code == self.code.co_code:
                found[id(self.code)] = found[id(mine)]
        return found

    @cached_property
    def places(self) -> dict[int, str]:
        return self.unit.places_in(self.tree, self.made)


_variants: dict[tuple[Any, ...], Compiled] = {}
#: What was found to be good, by the identity of the steps too: hashing them takes longer than all the rest.
_checked: dict[tuple[Any, ...], Steps] = {}


def _reasons(frame: Frame) -> tuple[tuple[str, Any], ...]:
    """Values that decide how a variant looks: how its `finally` blocks were entered."""
    return tuple(
        [
            (name, value)
            for name, value in frame.variables.items()
            if name[0] == "." and "w" in name and isinstance(value, int)
        ]
    )


def check_variant(frame: Frame) -> None:
    """Raises Refused if there is no code that goes on from where this frame waits.

    Its steps should be `the_one` of their value, so that the next check of the place is quick.
    """
    key = (
        *(id(frame.steps), frame.unit, frame.place, frame.role, frame.rules, _reasons(frame)),
        *(*frame.variables, None, *frame.cells),
    )
    if key in _checked:
        return
    if _key_of(frame) not in _variants:
        variant = _variant(frame)
        if not _is_shallow(frame.steps):
            _compiled(frame, variant)
    _checked[key] = frame.steps


def compiled_variant(frame: Frame) -> Compiled:
    """The code that goes on from where this frame waits. Raises Refused."""
    return _variants.get(_key_of(frame)) or _compiled(frame, _variant(frame))


def _key_of(frame: Frame) -> tuple[Any, ...]:
    return (
        *(frame.unit, frame.place, frame.steps, frame.role, frame.rules, _reasons(frame)),
        *(tuple(_names(frame)), tuple(frame.cells)),
    )


def _names(frame: Frame) -> list[str]:
    return [name for name in frame.variables if name != GENERATOR]


def _variant(frame: Frame) -> Variant:
    if not units.is_as_saved(frame.unit, frame.rules):
        raise Refused(
            f"it was saved by version {frame.rules} of the rules without the form that its code had; this "
            f"version of jupyter_flows knows {units.RULES}"
        )
    scope = units.unit(frame.unit).by_place[frame.place]
    variant = Variant(scope, frame.steps, frame.variables, frame.role)
    if variant.needed - {*_names(frame), CELLS}:
        raise Refused("a value that waits in the middle of an expression was not kept")
    return variant


def _compiled(frame: Frame, variant: Variant) -> Compiled:
    unit = units.unit(frame.unit)
    try:
        found = _compile(unit, unit.by_place[frame.place], variant, frame, _names(frame))
    except (SyntaxError, RecursionError):
        raise Refused(
            "it is nested so deep that Python refuses the code that would go on from there"
        ) from None
    _variants[_key_of(frame)] = found
    return found


def _is_shallow(steps: Steps) -> bool:
    """Whether so few blocks lie around a place that Python surely compiles what goes on from it."""
    return sum(name in _BLOCKS for name, _ in steps) <= _FEW_BLOCKS and len(steps) < _FEW_STEPS


_BLOCKS = frozenset({"body", "orelse", "handlers", "finalbody"})
_FEW_BLOCKS, _FEW_STEPS = 9, 100


def _compile(
    unit: units.Unit, scope: units.Scope, variant: Variant, frame: Frame, names: list[str]
) -> Compiled:
    if frame.place == "<module>":
        tree = located(ast.Module(variant.statements, []))
        code = unit.compiled(tree)
        main = code
    else:
        unpacked = [*names, *variant.flags, NEXT, *([CELLS] if frame.cells else [])]
        tree = function_tree(scope, variant, unpacked, list(frame.cells), scope.names.is_generator)
        code = unit.compiled(tree)
        inside = f"{_main(code).co_qualname}.<locals>."
        code = _renamed(code, inside, f"{shown_name(frame.function)}.<locals>.")
        main = _main(code)
    compiled = Compiled(unit, scope, main, tree, variant.flags, code, frame.role)
    units.register_codes(code, unit, compiled)
    if main is not code:
        qualified = shown_name(frame.function)
        compiled.code = main.replace(co_name=qualified.rpartition(".")[2], co_qualname=qualified)
        units.register_codes(compiled.code, unit, compiled)
    return compiled


def _main(code: types.CodeType) -> types.CodeType:
    while code.co_name != VARIANT_NAME:
        code = next(one for one in code.co_consts if isinstance(one, types.CodeType))
    return code


def _renamed(code: types.CodeType, prefix: str, new: str) -> types.CodeType:
    """The code with the author's qualified names for functions and classes that the variant defines."""
    constants: list[Any] = []
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            constants.append(_renamed(constant, prefix, new))
        elif isinstance(constant, str) and constant.startswith(prefix):  # `__qualname__` of a class
            constants.append(new + constant.removeprefix(prefix))
        else:
            constants.append(constant)
    name = code.co_qualname
    if name.startswith(prefix):
        name = new + name.removeprefix(prefix)
    return code.replace(co_consts=tuple(constants), co_qualname=name)


def values_of(frame: Frame, compiled: Compiled, inner: Any) -> tuple[Any, ...]:
    """What the variant unpacks when it starts."""
    values = [value for name, value in frame.variables.items() if name != GENERATOR]
    cells = [frame.cells] if frame.cells else []
    frame.variables = {}
    if frame.role in _ITERATING:  # its iterator is the inner frame
        inner = None
    return (*values, *(True for _ in compiled.flags), inner, *cells)


def revived(frame: Frame, inner: Any, namespace: dict[str, Any]) -> types.FunctionType:
    """A function that, called without arguments, is this frame going on."""
    try:
        compiled = compiled_variant(frame)
    except (Refused, KeyError, LookupError) as reason:
        raise NotResumable(f"{frame.function} cannot go on: {reason}") from None
    if compiled.unit.library:
        namespace = borrowed.names_of(compiled.unit.library)
    elif frame.module:
        module = sys.modules.get(frame.module)
        if module is None:
            raise NotResumable(f"the module {frame.module}, which {frame.function} belongs to, is missing")
        namespace = module.__dict__
    state = values_of(frame, compiled, inner)
    cells = frame.cells
    closure = tuple(cells[name] if name in cells else types.CellType() for name in compiled.code.co_freevars)
    function = types.FunctionType(
        compiled.code, namespace, compiled.code.co_name, compiled.arguments([state]), closure or None
    )
    function.__qualname__ = compiled.code.co_qualname
    return function


def _started_later(frame: Frame, inner: Any, role: str) -> Any:
    """Fill in the generator that the frame below iterates; what its `next` gives is the site's value.

    `role`: how the frame below runs it. One that is being closed is brought to where C can close it.
    """
    from .generators import fill, holder_of, step

    generator = frame.variables[GENERATOR]
    if not isinstance(generator, SUSPENDABLE):
        raise NotResumable(f"the generator {frame.function} is missing")
    holder_of(generator).frame = frame
    fill(generator, inner)
    if role in (CLOSES, AWAITS_END):
        holder_of(generator).insert(0, True)
        step(generator)
        return getattr(generator, "close", None)  # of an asynchronous one nothing is called
    return generator.__next__ if isinstance(generator, types.GeneratorType) else None


def _run_module(frame: Frame, waiting: list[Any], namespace: dict[str, Any]) -> Any:
    """`waiting` holds the inner frame, and loses it."""
    try:
        compiled = compiled_variant(frame)
    except (Refused, KeyError, LookupError) as reason:
        raise NotResumable(f"the cell cannot go on: {reason}") from None
    unit = compiled.unit
    prefix = f".{unit.digest[:6]}."
    namespace.update(frame.variables)
    frame.variables = {}
    namespace |= dict.fromkeys(compiled.flags, True)
    inner = waiting.pop()
    namespace[NEXT] = None if frame.role in _ITERATING else inner
    del inner
    if compiled.code.co_flags & inspect.CO_COROUTINE:
        return _swept_after(eval(compiled.code, namespace), prefix, namespace)
    try:
        return exec(compiled.code, namespace)
    finally:
        _sweep(prefix, namespace)


async def _swept_after(cell: Any, prefix: str, namespace: dict[str, Any]) -> Any:
    try:
        return await cell
    finally:
        _sweep(prefix, namespace)


def _sweep(prefix: str, namespace: dict[str, Any]) -> None:
    passing = (prefix, ".first", ".item", NEXT, MADE)
    for name in [name for name in namespace if name.startswith(passing)]:
        del namespace[name]
