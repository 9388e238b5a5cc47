"""Going on inside of a class's body.

C's `__build_class__` runs the body as a frame whose variables are the class's namespace, and then calls the
metaclass with it. A savepoint takes such a frame as a part of the function around: the class statement is
run again with what is left of its body, and a stand-in for the metaclass, which gives the namespace that
was there (`under_way`). So all that comes after the body (`__set_name__`, decorators) is done by C, as ever.

Two things need care. What Python stores when a body begins (`__module__`, `__qualname__`) is stored once
more; `settled` undoes it. And functions that were made before know the class by a cell, which functions made
afterwards must share: they are compiled with a variable of the function around in the place of `__class__`.
"""

from __future__ import annotations

import ast
import collections
import copy
import functools
import sys
import types
from typing import Any

from . import build
from .operands import Refused, definition_parts, part_at, put_at
from .scopes import Scope
from .temporaries import CELL_OF_CLASS, SUPER, WRAPPER, is_temporary
from .walking import children, walk

NAMESPACE = "namespace"
CLASS = "class"  # the last part of the name of a function that knows the cell of the class being made

# --- while it is compiled ------------------------------------------------------------------------


def has_cell(node: ast.ClassDef) -> bool:
    """Whether functions of this class know it by a cell: the lowering has then made it known."""
    name = node.temporaries + CLASS  # type: ignore[attr-defined]
    firsts = [one.targets[0] for one in node.body if isinstance(one, ast.Assign)]
    return any(isinstance(one, ast.Name) and one.id == name for one in firsts)


def declarations(node: ast.ClassDef, body: list[ast.stmt], is_module: bool) -> list[ast.stmt]:
    """What a body declares, and that its temporaries live in the function around."""
    found: dict[type[Any], set[str]] = {ast.Global: set(), ast.Nonlocal: set()}
    for one in node.body:
        if isinstance(one, ast.Global | ast.Nonlocal):
            found[type(one)].update(name for name in one.names if not is_temporary(name))
    found[ast.Global if is_module else ast.Nonlocal] |= temporaries_of(body)
    at = node.body[0]
    return [ast.copy_location(kind(sorted(names)), at) for kind, names in found.items() if names]


def temporaries_of(body: list[ast.stmt]) -> set[str]:
    """Temporaries that a class's body itself names."""
    found: set[str] = set()
    waiting: list[ast.AST] = [*body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            waiting += [part_at(node, one) for one in definition_parts(node)]
        elif not isinstance(node, ast.Lambda):
            waiting += children(node)
        else:
            waiting += [one for one in (*node.args.defaults, *node.args.kw_defaults) if one is not None]
    return {name for name in found if is_temporary(name)}


def keywords_of(node: ast.ClassDef, names: ast.expr) -> ast.keyword:
    """``**under_way(NAMESPACE, {"metaclass": …})``."""
    keys = [None if one.arg is None else build.constant(one.arg, one.value) for one in node.keywords]
    given = ast.copy_location(ast.Dict(list(keys), [one.value for one in node.keywords]), node)
    return ast.keyword(None, build.helper("class under way", names, given, at=node))


def with_cell(body: list[ast.stmt], cell: str, maker: ast.Name) -> list[ast.stmt]:
    """The body with functions that know their class by the cell that those before have."""
    stored = build.assign("__classcell__", build.helper("class cell", maker, at=maker), maker)
    return [*_with_own_class(body, cell), stored]


def _with_own_class(body: list[ast.stmt], cell: str) -> list[ast.stmt]:
    for node in (one for statement in body for one in walk(statement)):
        is_bound = isinstance(node, ast.Name) and node.id == "super" and not isinstance(node.ctx, ast.Load)
        if is_bound or (isinstance(node, ast.arg) and node.arg == "super"):
            raise Refused(
                "a class that gives `super` a meaning of its own cannot be gone on with in its body"
            )
    own = _OwnClass(cell)
    return [own.visit(copy.deepcopy(one)) for one in body]


def unreached(node: ast.ClassDef, around: Scope) -> list[ast.stmt]:
    """What says, and is never run, which names are the class's own: statements that are gone have bound some.

    It is the whole body on Python 3.13, which lists the attributes that all functions of a class assign.
    """
    if sys.version_info < (3, 13):
        names = next(one.local_names for one in around.inside() if one.node is node)
        own = sorted(name for name in names if not is_temporary(name))
        body: list[ast.stmt] = [build.assign(name, build.constant(None, node), node) for name in own]
    else:
        body = [one for one in node.body if not isinstance(one, ast.Global | ast.Nonlocal)]
        if has_cell(node):
            body = _with_own_class(body[1:], node.temporaries + CELL_OF_CLASS)  # type: ignore[attr-defined]
    return [ast.copy_location(ast.If(build.constant(False, node), body, []), node)] if body else []


def within_function(node: ast.ClassDef, owned: list[str]) -> list[ast.stmt]:
    """A class statement of a module in a function of ours, which has the cells."""
    outer = owned[-1] + "outer"
    inner: list[ast.stmt] = [ast.copy_location(ast.Global([node.name]), node), node]
    bound: list[ast.stmt] = [
        build.assign(own + CELL_OF_CLASS, build.constant(None, node), node) for own in owned
    ]
    give = ast.copy_location(ast.Return(build.load(WRAPPER, node)), node)
    made = _function(outer, [*bound, _function(WRAPPER, inner, node), give], node)
    known = [(build.constant(own + CELL_OF_CLASS, node), build.load(own + CLASS, node)) for own in owned]
    cells = [one for pair in known for one in pair]
    closed = build.helper("class closed", build.call(outer, at=node), *cells, at=node)
    gone = ast.NamedExpr(build.store(outer, node), build.constant(None, node))
    first = ast.copy_location(ast.Tuple([closed, ast.copy_location(gone, node)], ast.Load()), node)
    run = ast.Call(ast.copy_location(ast.Subscript(first, build.constant(0, node), ast.Load()), node), [], [])
    return [made, build.expression(ast.copy_location(run, node)), build.delete([outer], node)]


def _function(name: str, body: list[ast.stmt], at: ast.AST) -> ast.stmt:
    function = ast.FunctionDef(name, ast.arguments([], [], None, [], [], None, []), body, [], None)
    if "type_params" in ast.FunctionDef._fields:
        function.type_params = []  # type: ignore[attr-defined]
    return ast.copy_location(function, at)


class _OwnClass(ast.NodeTransformer):
    """``__class__`` in the functions of a class becomes a variable of the function around the class."""

    def __init__(self, cell: str) -> None:
        self._cell = cell
        self._is_function = False
        self._is_other_class = False

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if not self._is_function or node.id not in ("__class__", "super"):
            return node
        own = build.load(self._cell, node)
        if node.id == "__class__":
            return own
        # Named only to be a variable of the function: C looks for it when it runs `super()`.
        return ast.copy_location(ast.IfExp(build.constant(False, node), own, build.load(SUPER, node)), node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        for part in definition_parts(node):
            put_at(node, part, self.visit(part_at(node, part)))
        if not self._is_other_class:
            self._inside(node, ["body"])
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        node.args = self.visit(node.args)
        if not self._is_other_class:
            self._inside(node, ["body"])
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        for part in definition_parts(node):
            put_at(node, part, self.visit(part_at(node, part)))
        before = self._is_function, self._is_other_class
        self._is_function, self._is_other_class = True, True
        node.body = [self.visit(one) for one in node.body]
        self._is_function, self._is_other_class = before
        return node

    def _comprehension(self, node: Any) -> ast.AST:
        first = node.generators[0].iter = self.visit(node.generators[0].iter)
        if not self._is_other_class:
            self._inside(node, node._fields)
        node.generators[0].iter = first
        return node  # type: ignore[no-any-return]

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _inside(self, node: ast.AST, fields: Any) -> None:
        before, self._is_function = self._is_function, True
        for name in fields:
            value = getattr(node, name)
            setattr(node, name, [*map(self.visit, value)] if isinstance(value, list) else self.visit(value))
        self._is_function = before


# --- while it is gone on with --------------------------------------------------------------------


class Namespace:
    """A class's namespace that is no plain dict, so that a savepoint keeps it without running its methods."""

    def __init__(self, names: Any) -> None:
        self.names = names

    def __reduce__(self) -> tuple[Any, ...]:
        kind = type(self.names)
        return (
            _empty,
            (kind,),
            (list(_base(kind).items(self.names)), dict(vars(self.names))),
            None,
            None,
            _filled,
        )


def _base(kind: type) -> Any:
    return collections.OrderedDict if issubclass(kind, collections.OrderedDict) else dict


def _empty(kind: type) -> Namespace:
    return Namespace(_base(kind).__new__(kind))


def _filled(namespace: Namespace, state: tuple[list[tuple[Any, Any]], dict[str, Any]]) -> None:
    items, attributes = state
    base = _base(type(namespace.names))
    for name, value in items:
        base.__setitem__(namespace.names, name, value)
    vars(namespace.names).update(attributes)


def kept_namespace(names: Any) -> Any:
    """A class's namespace as a savepoint keeps it. Raises Refused."""
    if type(names) is dict:
        return names
    if not isinstance(names, dict):
        raise Refused("the namespace of the class is no dict, and what has happened to it cannot be told")
    has_slots = any("__slots__" in vars(one) and vars(one)["__slots__"] for one in type(names).__mro__)
    is_builtin = not hasattr(names, "__dict__")
    if has_slots or (is_builtin and type(names) is not collections.OrderedDict):
        raise Refused(f"the namespace of the class is a {type(names).__name__}, which cannot be kept")
    return names if is_builtin else Namespace(names)


class _StandIn(functools.partial):  # type: ignore[type-arg]
    """Calls the metaclass, by C: no frame of ours is seen from it. Gives the namespace that is there."""


def under_way(kept: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    """The keywords of a class statement that goes on with a namespace."""
    keywords = dict(keywords)
    stated = keywords.pop("metaclass", None)
    stand_in = _StandIn(type)

    def prepare(_: str, bases: tuple[Any, ...], **__: Any) -> Any:
        state: tuple[Any, ...] = _metaclass(stated, bases), (), {}, {}
        stand_in.__setstate__(state)  # type: ignore[attr-defined]
        return _entered(kept)

    stand_in.__prepare__ = prepare  # type: ignore[attr-defined]
    return {**keywords, "metaclass": stand_in}


def _metaclass(stated: Any, bases: tuple[Any, ...]) -> Any:
    """The metaclass as C finds it."""
    found = stated if stated is not None else (type(bases[0]) if bases else type)
    if isinstance(found, type):
        for base in bases:
            found = type(base) if issubclass(type(base), found) else found
    return found


_as_they_were: dict[int, Any] = {}


def _entered(kept: Any) -> Any:
    names = kept.names if isinstance(kept, Namespace) else kept
    kind = type(names)
    if isinstance(kind.__setitem__, types.FunctionType):  # it would hear of what is stored once more
        names.__class__ = type(kind.__name__, (kind,), {"__setitem__": lambda *_: None, "__slots__": ()})
        _as_they_were[id(names)] = kind
    else:
        _as_they_were[id(names)] = list(names.items())
    return names


def settled(kept: Any) -> None:
    """The namespace as it was, before Python stored again what it stores when a body begins."""
    names = kept.names if isinstance(kept, Namespace) else kept
    before = _as_they_were.pop(id(names))
    if isinstance(before, type):
        names.__class__ = before
    else:
        names.clear()
        names.update(before)


def cell_of(maker: types.FunctionType) -> types.CellType:
    """The cell of a class being made, from the function that knows it."""
    assert maker.__closure__ is not None
    return maker.__closure__[0]


def closed(function: types.FunctionType, *known: Any) -> types.FunctionType:
    """The function over cells of classes: their names, and the functions that know them, in turn."""
    cells = dict(zip(known[::2], map(cell_of, known[1::2]), strict=True))
    closure = tuple(cells[name] for name in function.__code__.co_freevars)
    return types.FunctionType(function.__code__, function.__globals__, "<module>", None, closure or None)
