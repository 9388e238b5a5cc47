"""What of the new code counts at once, though it stands before the place where a savepoint waits.

Statements before that place are not run again: their effects are in the saved state. But a definition that
was changed is meant to hold, as when its cell is run again in a notebook. So definitions of functions and
classes, and imports, that are new or changed are carried out; the live objects stay the same ones:

- a function keeps its identity and gets the new code (`moving`), its new defaults and its new docstring;
- a class keeps its identity, so objects of it get its new methods; what it held as data stays;
- where a class's bases or decorators were changed, or a name is bound to something else, the new one is
  bound and old objects keep their old class.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import units
from .continuing import Compiled
from .matching import SourceTree, header
from .moving import Move

_IMPORTS = (ast.Import, ast.ImportFrom)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_OF_THE_CLASS_ITSELF = frozenset(
    {"__dict__", "__weakref__", "__module__", "__qualname__", "__abstractmethods__", "__static_attributes__"}
)
_CODE = (types.FunctionType, classmethod, staticmethod, property)


def redefine(
    move: Move, old: Sequence[str], before: Mapping[str, int | None], namespace: dict[str, Any]
) -> list[str]:
    """Carry out new and changed definitions and imports; returns their names.

    Arguments: `old`, digests of the old units; `before`, for the digest of each new unit the line where
    it waits (None: all of it lies before); `namespace`, the live one, as it
    was loaded. Raises whatever a definition raises.
    """
    known = _Known([move.tree(one) for one in old])
    names: list[str] = []
    for digest, line in before.items():
        tree = move.tree(digest)
        statements = [
            one
            for one in tree.tree.body
            if (line is None or (one.end_lineno or one.lineno) < line) and known.is_news(one)
        ]
        if statements:
            earlier = {name: namespace.get(name) for one in statements for name in _bound(one)}
            _run(units.unit(digest), statements, namespace)
            for one in statements:
                _settle(one, known, earlier, namespace)
            names += earlier
    return names


class _Known:
    """What the old sources define at their top level."""

    def __init__(self, trees: Sequence[SourceTree]) -> None:
        statements = [one for tree in trees for one in tree.tree.body]
        self._imports = {ast.dump(one) for one in statements if isinstance(one, _IMPORTS)}
        self.functions = {one.name: one for one in statements if isinstance(one, _FUNCTIONS)}
        self.classes = {one.name: one for one in statements if isinstance(one, ast.ClassDef)}

    def is_news(self, statement: ast.stmt) -> bool:
        if isinstance(statement, _IMPORTS):
            is_future = isinstance(statement, ast.ImportFrom) and statement.module == "__future__"
            return not is_future and ast.dump(statement) not in self._imports
        if isinstance(statement, _FUNCTIONS):  # a changed body needs nothing: the function has moved
            old = self.functions.get(statement.name)
            return (
                old is None
                or header(old) != header(statement)
                or ast.get_docstring(old) != ast.get_docstring(statement)
            )
        if isinstance(statement, ast.ClassDef):
            before = self.classes.get(statement.name)
            return before is None or ast.dump(before) != ast.dump(statement)
        return False


def _bound(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, _IMPORTS):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0]
    elif isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
        yield statement.name


def _run(unit: units.Unit, statements: Sequence[ast.stmt], namespace: dict[str, Any]) -> None:
    """Run some of a unit's top-level statements, as compiled for it."""
    spans = [_span(one) for one in statements]
    chosen = [
        node
        for node in _top_level(unit.tree)
        if any(first <= node.lineno and (node.end_lineno or node.lineno) <= last for first, last in spans)
    ]
    assert unit.nodes
    tree = ast.fix_missing_locations(ast.Module(chosen, []))
    code = unit.compiled(tree)
    scope = unit.by_place["<module>"]
    units.register_codes(code, unit, Compiled(unit, scope, code, tree, [], code))
    exec(code, namespace)


def _span(statement: ast.stmt) -> tuple[int, int]:
    decorators: list[ast.expr] = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(one.lineno for one in decorators)])
    return first, statement.end_lineno or statement.lineno


def _top_level(tree: ast.Module) -> Iterator[ast.stmt]:
    """The normalised statements of a module; those that are cleared up after too."""
    for node in tree.body:
        if isinstance(node, ast.Try) and node is tree.body[-1] and _sweeps(node):
            yield from node.body
        else:
            yield node


def _sweeps(node: ast.Try) -> bool:
    last = next(iter([*node.orelse, *node.finalbody]), None)
    is_call = isinstance(last, ast.Expr) and isinstance(last.value, ast.Call)
    return is_call and isinstance(last.value.func, ast.Constant)  # type: ignore[union-attr]


def _settle(
    statement: ast.stmt, known: _Known, earlier: Mapping[str, Any], namespace: dict[str, Any]
) -> None:
    """Keep the live object where it can take the new definition in."""
    if not isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
        return
    old, new = earlier[statement.name], namespace[statement.name]
    if isinstance(statement, ast.ClassDef):
        before = known.classes.get(statement.name)
        if before is not None and header(before) == header(statement) and _is_plain_class(old, new):
            _update_class(old, new)
            namespace[statement.name] = old
    elif _is_same_function(old, new):
        _update_function(old, new)
        namespace[statement.name] = old


def _is_same_function(old: Any, new: Any) -> bool:
    both = type(old) is types.FunctionType and type(new) is types.FunctionType
    return both and units.place_of(old.__code__) == units.place_of(new.__code__)


def _is_plain_class(old: Any, new: Any) -> bool:
    """Both made by `type` (or for abstract classes): others, as enumerations, do not bear being changed."""
    return isinstance(old, type) and isinstance(new, type) and type(old).__module__ in ("builtins", "abc")


def _update_function(old: types.FunctionType, new: types.FunctionType) -> None:
    for name in ("__defaults__", "__kwdefaults__", "__annotations__", "__doc__"):
        setattr(old, name, getattr(new, name))
    old.__dict__.update(new.__dict__)


def _update_class(old: type[Any], new: type[Any]) -> None:
    for name, value in list(vars(new).items()):
        if name in _OF_THE_CLASS_ITSELF or isinstance(value, types.GetSetDescriptorType):
            continue
        is_news = name not in vars(old)
        if isinstance(value, types.MemberDescriptorType):  # a slot: its place belongs to the new class
            continue
        if is_news or isinstance(value, _CODE) or (name.startswith("__") and name.endswith("__")):
            _belong_to(old, value)
            setattr(old, name, value)


def _belong_to(owner: type[Any], value: Any) -> None:
    """Zero-argument `super()` in the method means the class that it is put into."""
    parts = [getattr(value, name, None) for name in ("fget", "fset", "fdel", "__func__")]
    for function in (value, *parts):
        if isinstance(function, types.FunctionType):
            names = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
            for name, cell in names:
                if name == "__class__":
                    cell.cell_contents = owner
