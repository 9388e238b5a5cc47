"""What the flow code of this process does, as far as it was compiled: a few sets of names.

Two questions need it. Could what a call site calls have been rebound while it ran (`rebound`, `stored`)? And
which operators, attributes and blocks may reach a Flow-API call (`foreseen`)? An operator that may becomes a
call (`implicit`), which costs speed, so it depends on what is known: a special method or property counts when
its body may reach the API, told by the names that it calls. What is not foreseen (a class that is defined
later than the code that uses it) works, and is inexact.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from .borrowed.words import CACHES, words_of
from .matching import own_nodes
from .walking import walk

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef

_BUILTINS = frozenset(vars(builtins))
_METHODS = frozenset(
    name for kind in (str, bytes, list, dict, set, tuple, int, float, frozenset) for name in vars(kind)
)
_API = frozenset({"this", "system"})
_PROPERTIES = frozenset({"property", "cached_property", "setter", "getter", "deleter"})
_MANAGERS = frozenset({"contextmanager", "asynccontextmanager"})
#: Managers of the standard library that call, when they are left, what the flow gave them.
_LEAVING = frozenset({"ExitStack", "AsyncExitStack", "closing"})
_ORDER = frozenset({"__lt__", "__le__", "__gt__", "__ge__", "__eq__"})
_UNKNOWN = "?"
#: Foreseen where a generator that was made before may reach the Flow API.
GENERATORS = "yield"
_ITERATORS = frozenset({"__iter__", "__next__"})
#: Who says one of these may reach a namespace under any name.
_REFLECTIVE = frozenset({"modules", "import_module", "__import__", "globals", "vars", "__dict__"})


@dataclass
class Knowledge:
    """Names, collected from every unit that was compiled here.

    `rebound`: global names that a function rebinds, also as attributes of a module. `stored`: attributes that
    are assigned. `_callees`: for
    each function or class what it calls, by name. `_candidates`: special methods and properties by the name
    they are used by (``__add__``, ``.price``), with what they call; ``price()``, called by a generator
    that a builtin goes through; and GENERATORS.
    """

    rebound: set[str] = field(default_factory=set)
    stored: set[str] = field(default_factory=set)
    _callees: dict[str, set[str]] = field(default_factory=dict)
    _candidates: dict[str, set[str]] = field(default_factory=dict)
    _imported: set[str] = field(default_factory=set)

    def learn(self, tree: ast.Module) -> None:
        """Take in one unit: the author's tree."""
        modules = _modules(tree)
        at_once = _consumed_at_once(tree)
        # What a generator was given to call is not foreseen: every builtin that goes through one would be
        # slower, for the rare one that is given something that makes savepoints.
        given = _parameters(tree)
        for node in walk(tree):
            if isinstance(node, ast.Name | ast.Attribute) and last_name(node) in _LEAVING:
                self._candidates.setdefault("__exit__", set()).add(_UNKNOWN)
            if isinstance(node, ast.Global):
                self.rebound.update(node.names)
            elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
                self.stored.add(node.attr)
                if modules is None or last_name(node.value) in modules:
                    self.rebound.add(node.attr)
            elif isinstance(node, ast.Call):
                self._learn_call(node, given)
            elif isinstance(node, ast.Assign | ast.AugAssign | ast.Compare):
                self._learn_called(taken_apart(node))
            elif modules is None and isinstance(node, ast.Constant) and isinstance(node.value, str):
                self.rebound.add(node.value)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self._imported.update(one.asname or one.name.partition(".")[0] for one in node.names)
            elif isinstance(node, ast.Starred):
                self._learn_called(runs(node.value))
            elif isinstance(node, ast.GeneratorExp) and node not in at_once:
                self._candidates.setdefault(GENERATORS, set()).update(callees([node]) - given)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if _yields(node):
                    self._candidates.setdefault(GENERATORS, set()).update(callees(node.body) - given)
                    self._candidates.setdefault(f"{GENERATORS} {node.name}", set()).update(callees(node.body))
                elif _decorators(node) & CACHES:
                    self._candidates.setdefault(f"@{node.name}", set()).update(callees(node.body))
                self._callees.setdefault(node.name, set()).update(callees(node.body))
                if _decorators(node) & _MANAGERS:
                    for name in ("__enter__", "__exit__"):
                        self._candidates.setdefault(name, set()).update(callees(node.body))
            elif isinstance(node, ast.ClassDef):
                self._learn_class(node)

    def _learn_call(self, node: ast.Call, given: set[str]) -> None:
        self._learn_called(consumed(node))
        self._learn_called({name for name in by_key(node) if name.removesuffix("()") not in given})
        is_setting = isinstance(node.func, ast.Name) and node.func.id in ("setattr", "delattr")
        if is_setting and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            self.stored.add(str(node.args[1].value))
            self.rebound.add(str(node.args[1].value))

    def _learn_called(self, names: set[str]) -> None:
        for name in names:
            if name.endswith("()") or name.startswith("."):
                self._candidates.setdefault(name, set()).add(name.removesuffix("()"))

    def _learn_class(self, node: ast.ClassDef) -> None:
        made = self._callees.setdefault(node.name, set())
        for item in node.body:
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                inside = callees(item.body)
                if item.name in ("__init__", "__new__", "__post_init__", "__init_subclass__"):
                    made |= inside
                if item.name == "__iter__" and _does_more_than_return_itself(item):
                    inside = inside | {_UNKNOWN}  # a loop over a kept iterator would ask it a second time
                if item.name.startswith("__") and item.name.endswith("__"):
                    self._candidates.setdefault(item.name, set()).update(inside)
                elif _decorators(item) & _PROPERTIES:
                    private = f"_{node.name.lstrip('_')}{item.name}"  # as other classes may name it
                    for name in (item.name, private):
                        self._candidates.setdefault(f".{name}", set()).update(inside)
                if item.name in _ORDER and "total_ordering" in _decorators(node):
                    for name in _ORDER - {"__eq__"}:
                        self._candidates.setdefault(name, set()).update(inside)
            elif isinstance(item, ast.Assign) and last_name(item.value) in _PROPERTIES:
                for one in item.targets:
                    if isinstance(one, ast.Name):
                        self._candidates.setdefault(f".{one.id}", set()).add(_UNKNOWN)

    def foreseen(self) -> frozenset[str]:
        """Special methods (``__add__``) and attributes (``.price``) that may reach a Flow-API call."""
        if not self._candidates:
            return frozenset()
        reaching: set[str] = set()
        while True:
            more = {name for name, inside in self._callees.items() if self._reaches(inside, reaching)}
            more |= {name for name, inside in self._candidates.items() if self._reaches(inside, reaching)}
            if more <= reaching:
                return frozenset(reaching & set(self._candidates))
            reaching |= more

    def _reaches(self, inside: Iterable[str], reaching: set[str]) -> bool:
        return any(self._may_reach(name, reaching) for name in inside)

    def _may_reach(self, name: str, reaching: set[str]) -> bool:
        if name == _UNKNOWN or name in reaching:
            return True
        if name.startswith("."):  # an attribute that is only read
            return False
        method, at, receiver = name.partition("@")
        if method in self._callees:
            return method in reaching
        if at:
            return method not in _METHODS and receiver not in self._imported
        return name not in _BUILTINS and name not in self._imported


def callees(body: Iterable[ast.AST]) -> set[str]:
    """What a function calls and reads: names, methods (``run@self``) and attributes (``.price``)."""
    found: set[str] = set()
    for node in _walk(body):
        if isinstance(node, ast.Attribute):
            found.add(f".{node.attr}")
        elif isinstance(node, ast.Await):
            found.add(_UNKNOWN)
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Name):
            found.add(function.id)
        elif isinstance(function, ast.Attribute):
            root = last_name(function.value)
            found.add(_UNKNOWN if root in _API else f"{function.attr}@{root}")
        else:
            found.add(_UNKNOWN)
    return found


def consumed(node: ast.Call) -> set[str]:
    """What a function of C may run that has words: ``price()``, ``__add__``, GENERATORS."""
    words = words_of(node, last_name(node.func))
    if words is None:
        return set()
    found = {one for given in words.iterables(node.args) for one in runs(given)}
    return found.union(words.methods, *map(_run_by, words.functions(node)))


def by_key(node: ast.Call) -> set[str]:
    """What the function runs that a call is given as ``key``, as far as it has a name or is a lambda."""
    words = words_of(node, last_name(node.func))
    named = [one.value for one in node.keywords if words is not None and one.arg in words.called]
    keys = [one for one in named if isinstance(one, ast.Lambda | ast.Name | ast.Attribute)]
    return set[str]().union(*map(_run_by, keys))


def _run_by(called: ast.expr) -> set[str]:
    """What runs when this function is called."""
    inside = callees([called if isinstance(called, ast.Lambda) else ast.Call(called, [], [])])
    return {name if name.startswith(".") else f"{name}()" for name in inside}


def taken_apart(node: ast.Assign | ast.AugAssign | ast.Compare) -> set[str]:
    """What may be called by ``a, b = numbers()``, ``x in numbers()`` and ``a += numbers()``.

    Here a generator's name is known.
    """
    if isinstance(node, ast.AugAssign):
        return of_new(node.value) if isinstance(node.op, ast.Add) else set()
    methods: set[str] = set()
    if isinstance(node, ast.Compare):
        source = node.comparators[0] if isinstance(node.ops[0], ast.In | ast.NotIn) else None
        source = source if len(node.ops) == 1 else None
        methods = {"__eq__"}
    else:
        is_unpacking = len(node.targets) == 1 and isinstance(node.targets[0], ast.Tuple | ast.List)
        source = node.value if is_unpacking else None
    if isinstance(source, ast.Name | ast.Attribute | ast.Subscript):
        return methods | _ITERATORS
    return set() if source is None else methods | of_new(source)


def of_new(given: ast.expr) -> set[str]:
    """What may be called by who goes through this value, a generator only if it is made on the spot."""
    if isinstance(given, ast.GeneratorExp):
        return runs(given)
    if not isinstance(given, ast.Call):
        return set()
    words = words_of(given, last_name(given.func))
    if words is not None and words.is_lazy:
        return consumed(given)
    return {f"{GENERATORS} {last_name(given.func)}", *_ITERATORS}


def runs(given: ast.expr) -> set[str]:
    """What may be called by who goes through this value."""
    if isinstance(given, ast.Name | ast.Attribute | ast.Subscript):
        return {GENERATORS, *_ITERATORS}
    if isinstance(given, ast.Call):
        name = last_name(given.func)
        words = words_of(given, name)
        if words is not None and words.is_lazy:
            return consumed(given)
        if isinstance(given.func, ast.Name) and name in _BUILTINS:
            return set()
        is_of_builtin = isinstance(given.func, ast.Attribute) and name in _METHODS
        return set() if is_of_builtin else {GENERATORS, *_ITERATORS}
    if not isinstance(given, ast.GeneratorExp):
        return set()
    first, *others = given.generators
    parts = [given.elt, *first.ifs, *(part for one in others for part in (one.iter, *one.ifs))]
    again = {one for generator in given.generators for one in runs(generator.iter)}
    return {name if name.startswith(".") else f"{name}()" for name in callees(parts)} | again


def _consumed_at_once(tree: ast.Module) -> set[ast.AST]:
    """Generator expressions that no one but a builtin ever sees."""
    found: set[ast.AST] = set()
    for node in walk(tree):
        words = words_of(node, last_name(node.func)) if isinstance(node, ast.Call) else None
        if words is not None and not words.is_lazy and isinstance(node, ast.Call):
            found.update(one for one in words.iterables(node.args) if isinstance(one, ast.GeneratorExp))
    return found


def _parameters(tree: ast.Module) -> set[str]:
    return {node.arg for node in walk(tree) if isinstance(node, ast.arg)}


def _does_more_than_return_itself(node: FunctionNode) -> bool:
    """Whether an iterator notices that it is asked for its iterator."""
    own = [one.arg for one in (*node.args.posonlyargs, *node.args.args)][:1]
    returns = [one.value for one in own_nodes(node) if isinstance(one, ast.Return)]
    gives_itself = any(isinstance(one, ast.Name) and [one.id] == own for one in returns)
    return gives_itself and len(node.body) > 1


def _yields(node: FunctionNode) -> bool:
    return any(isinstance(one, ast.Yield | ast.YieldFrom) for one in own_nodes(node))


def _modules(tree: ast.AST) -> set[str] | None:
    """Names of modules in a unit; None if it could have modules or namespaces under any name."""
    found: set[str] = set()
    for node in walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.update(one.asname or one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.Name | ast.Attribute) and last_name(node) in _REFLECTIVE:
            return None
    return found


def _walk(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    for statement in body:
        yield from walk(statement)


def last_name(node: ast.AST) -> str | None:
    """``price`` of ``price``, ``a.price`` and ``a.price(…)``."""
    if isinstance(node, ast.Call):
        return last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _decorators(node: FunctionNode | ast.ClassDef) -> set[Any]:
    return {last_name(one) for one in node.decorator_list}


#: What is known in this process.
KNOWN = Knowledge()
