"""Which names belong to which scope of a syntax tree, and which of them can change behind a frame's back.

Python's own `symtable` speaks of source text; the trees here are normalised ones, so it is done again, with
the two questions that matter for resuming:

- is a name *stable* in a function: can only the function's own statements rebind it? Then a value read
  before a call may be read again after it, and needs no temporary.
- must a variable's cell be *exposed*: is it shared with closures that may rebind it, so that a restored
  frame needs the very same cell and not only its value?

The answers must not depend on the Python version: a savepoint made on one is restored on another.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .walking import children

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
ScopeNode = ast.Module | ast.ClassDef | FunctionNode
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(eq=False)
class Scope:
    """Names of one module, class, function or comprehension."""

    node: ast.AST
    parent: Scope | None
    kind: str  # "module", "class", "function" or "comprehension"
    bound: dict[str, int] = field(default_factory=dict)  # name -> how many bindings are not parameters
    parameters: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    global_names: set[str] = field(default_factory=set)
    nonlocal_names: set[str] = field(default_factory=set)
    children: list[Scope] = field(default_factory=list)
    is_generator: bool = False
    _exposed: list[str] | None = None  # computed once, when the tree is complete

    @property
    def local_names(self) -> set[str]:
        return (set(self.bound) | self.parameters) - self.global_names - self.nonlocal_names

    def owner_of(self, name: str) -> Scope | None:
        """The function scope that a free name of this scope lives in; None for globals."""
        if name in self.global_names:
            return None
        if self.kind in ("function", "comprehension") and name in self.local_names:
            return self
        scope = self.parent
        while scope is not None:
            if scope.kind in ("function", "comprehension") and name in scope.local_names:
                return scope
            if scope.kind != "class" and name in scope.global_names:
                return None
            scope = scope.parent
        return None

    def inside(self) -> Iterator[Scope]:
        for child in self.children:
            yield child
            yield from child.inside()

    def is_rebound_inside(self, name: str) -> bool:
        """Whether a function in this one rebinds this scope's variable (`nonlocal`)."""
        return any(name in inner.nonlocal_names and inner.owner_of(name) is self for inner in self.inside())

    def is_stable(self, name: str) -> bool:
        if self.kind != "function" or name not in self.local_names:
            return False
        return not self.is_rebound_inside(name)

    def is_constant(self, name: str) -> bool:
        """A parameter that nothing rebinds: its cell can be told by its value alone."""
        return name in self.parameters and name not in self.bound and not self.is_rebound_inside(name)

    def captured_names(self) -> set[str]:
        """Own variables that functions inside use (comprehensions that run at once do not count)."""
        found: set[str] = set()
        for inner in self.inside():
            is_passing = inner.kind == "comprehension" and not isinstance(inner.node, ast.GeneratorExp)
            if is_passing or inner.kind == "class":
                continue
            found |= {name for name in inner.used if inner.owner_of(name) is self}
        return found & self.local_names

    def exposed_names(self) -> list[str]:
        """Variables whose cells a savepoint of this function needs, sorted."""
        if self._exposed is None:
            self._exposed = self._find_exposed()
        return self._exposed

    def _find_exposed(self) -> list[str]:
        if self.kind != "function":
            return []
        found = {name for name in self.captured_names() if not self.is_constant(name)}
        for name in self.free_names():
            owner = self.owner_of(name)
            if owner is not None and name != "__class__" and not owner.is_constant(name):
                found.add(name)
        return sorted(found)

    def has_class_cell(self) -> bool:
        """Whether functions in a class's body refer to the class itself: `__class__`, or `super()`."""
        return any(_asks_for_class(one) for one in self.children)

    def free_names(self) -> set[str]:
        """Names of enclosing functions that this function, or one inside it, uses."""
        found: set[str] = set()
        for scope in (self, *self.inside()):
            for name in scope.used:
                owner = scope.owner_of(name)
                if owner is not None and owner is not self and not _is_within(owner, self):
                    found.add(name)
        return found


def _asks_for_class(scope: Scope) -> bool:
    if "__class__" in scope.used and "__class__" not in scope.local_names:
        return True
    return scope.kind != "class" and any(_asks_for_class(one) for one in scope.children)


def _is_within(scope: Scope | None, outer: Scope) -> bool:
    while scope is not None:
        if scope is outer:
            return True
        scope = scope.parent
    return False


def analyse(tree: ast.Module) -> dict[ast.AST, Scope]:
    """The scope of each module, class, function, lambda and comprehension node."""
    builder = _Builder()
    builder.enter(tree, None, "module")
    return builder.scopes


_VISITORS: dict[type[ast.AST], Any] = {}  # methods of _Builder by the node they are for


class _Builder(ast.NodeVisitor):
    def __init__(self) -> None:
        self.scopes: dict[ast.AST, Scope] = {}
        self.scope: Scope = Scope(ast.Module([], []), None, "module")

    def visit(self, node: ast.AST) -> None:
        visitor = _VISITORS.get(node.__class__)
        if visitor is None:
            name = f"visit_{node.__class__.__name__}"
            visitor = _VISITORS[node.__class__] = getattr(_Builder, name, _Builder.generic_visit)
        visitor(self, node)

    def generic_visit(self, node: ast.AST) -> None:
        for child in children(node):
            self.visit(child)

    def enter(self, node: ast.AST, parent: Scope | None, kind: str) -> None:
        scope = Scope(node, parent, kind)
        if parent is not None:
            parent.children.append(scope)
        self.scopes[node] = scope
        before, self.scope = self.scope, scope
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            arguments = node.args
            every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
            scope.parameters = {one.arg for one in every}
            body = [node.body] if isinstance(node, ast.Lambda) else node.body
            for statement in body:
                self.visit(statement)
        elif isinstance(node, COMPREHENSIONS):
            self._comprehension_inside(node)
        else:
            assert isinstance(node, ast.Module | ast.ClassDef)
            for statement in node.body:
                self.visit(statement)
        self.scope = before

    def _bind(self, name: str) -> None:
        self.scope.bound[name] = self.scope.bound.get(name, 0) + 1
        self.scope.used.add(name)

    def visit_Name(self, node: ast.Name) -> None:
        self.scope.used.add(node.id)
        if not isinstance(node.ctx, ast.Load):
            self._bind(node.id)
        elif node.id == "super":
            self.scope.used.add("__class__")

    def visit_Global(self, node: ast.Global) -> None:
        self.scope.global_names.update(node.names)

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        self.scope.nonlocal_names.update(node.names)
        self.scope.used.update(node.names)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self._bind(alias.asname or alias.name.split(".")[0])

    visit_ImportFrom = visit_Import

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bind(node.name)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs | ast.MatchStar) -> None:
        if node.name:
            self._bind(node.name)
        self.generic_visit(node)

    visit_MatchStar = visit_MatchAs

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self._bind(node.rest)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        holder = self.scope
        while holder.kind == "comprehension" and holder.parent is not None:
            holder = holder.parent
        holder.bound[node.target.id] = holder.bound.get(node.target.id, 0) + 1
        holder.used.add(node.target.id)
        self.scope.used.add(node.target.id)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._bind(node.name)
        for decorator in node.decorator_list:
            self.visit(decorator)
        self._arguments_outside(node.args)
        if node.returns is not None:
            self.visit(node.returns)
        self.enter(node, self.scope, "function")

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._arguments_outside(node.args)
        self.enter(node, self.scope, "function")

    def _arguments_outside(self, arguments: ast.arguments) -> None:
        for default in (*arguments.defaults, *arguments.kw_defaults):
            if default is not None:
                self.visit(default)
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for one in (*every, arguments.vararg, arguments.kwarg):
            if one is not None and one.annotation is not None:
                self.visit(one.annotation)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node.name)
        for part in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(part)
        self.enter(node, self.scope, "class")

    def _comprehension(self, node: ast.AST) -> None:
        self.visit(node.generators[0].iter)  # type: ignore[attr-defined]
        self.enter(node, self.scope, "comprehension")

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _comprehension_inside(self, node: ast.AST) -> None:
        for number, generator in enumerate(node.generators):  # type: ignore[attr-defined]
            if number:
                self.visit(generator.iter)
            self.visit(generator.target)
            for condition in generator.ifs:
                self.visit(condition)
        if isinstance(node, ast.DictComp):
            self.visit(node.key)
            self.visit(node.value)
        else:
            self.visit(node.elt)  # type: ignore[attr-defined]

    def visit_Yield(self, node: ast.Yield | ast.YieldFrom) -> None:
        self.scope.is_generator = True
        self.generic_visit(node)

    visit_YieldFrom = visit_Yield
