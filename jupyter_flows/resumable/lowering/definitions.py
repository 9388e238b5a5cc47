"""Functions, classes and the module: where variables live, and what a definition evaluates."""

from __future__ import annotations

import ast

from .. import build
from ..classes import CLASS
from ..operands import definition_parts, is_annotation, part_at, put_at
from ..spilling import Spiller
from ..temporaries import is_temporary
from ..walking import children
from .frames import CELLS, Frame, is_held, own_nodes
from .handlers import Handlers


class Lowering(Handlers):
    """All of it: ``Lowering(suspends, scopes, prefix).module(tree)``."""

    def module(self, tree: ast.Module) -> None:
        self._frame = Frame(self._scopes[tree], f"{self._prefix}.")
        start = 0
        while start < len(tree.body) and _belongs_first(tree.body[start]):
            start += 1
        body = self.block(tree.body[start:])
        if any(isinstance(one, ast.Name) and one.id.startswith(".") for one in own_nodes(body)):
            body = [self._swept(body, tree.body[start], tree.body[-1])]
        tree.body = [*tree.body[:start], *body]

    def _swept(self, body: list[ast.stmt], first: ast.stmt, last: ast.stmt) -> ast.Try:
        """A module's temporaries go at its end: where a debugger stands anyway, and no line seems to run."""

        def sweep(at: ast.stmt) -> ast.stmt:
            return build.expression(build.helper("sweep", build.constant(f".{self._prefix}.", at), at=at))

        again: ast.stmt = ast.copy_location(ast.Raise(None, None), first)
        failed = ast.copy_location(ast.ExceptHandler(None, None, [sweep(first), again]), first)
        return ast.copy_location(ast.Try(body, [failed], [sweep(last)], []), first)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outer, self._frame = self._frame, Frame(self._scopes[node], "")
        scope = self._frame.scope
        start = 1 if _is_docstring(node.body[0]) else 0
        declared = [one for one in own_nodes(node.body) if isinstance(one, ast.Global | ast.Nonlocal)]
        body = self.block(node.body[start:])
        first: list[ast.stmt] = []
        run = [one for one in node.body[start:] if not isinstance(one, ast.Global | ast.Nonlocal)]
        at = run[0] if run else node  # a line that runs in plain Python too
        for kind in (ast.Global, ast.Nonlocal):
            names = sorted({name for one in declared if isinstance(one, kind) for name in one.names})
            first += [ast.copy_location(kind(names), at)] if names else []
        exposed = scope.exposed_names()
        if exposed and not is_held(scope) and any(self._suspends(one) for one in node.body):
            values = ast.copy_location(ast.Tuple([build.load(name, at) for name in exposed], ast.Load()), at)
            nothing = ast.arguments([], [], None, [], [], None, [])
            first.append(build.assign(CELLS, ast.copy_location(ast.Lambda(nothing, values), at), at))
        node.body = [*node.body[:start], *first, *body] or [ast.copy_location(ast.Pass(), at)]
        self._frame = outer

    def _class(self, node: ast.ClassDef) -> None:
        """A class's namespace may be watched (enum): temporaries of its body live in the function around.

        So a savepoint takes the body as a part of that function (`classes`).
        """
        outer = self._frame
        around = outer.around or outer
        around.classes += 1
        prefix = f"{around.prefix}c{around.classes}."
        node.temporaries = f".{prefix}"  # type: ignore[attr-defined]
        self._frame = Frame(self._scopes[node], prefix, around=around)
        start = 1 if _is_docstring(node.body[0]) else 0
        declared = [one for one in own_nodes(node.body) if isinstance(one, ast.Global | ast.Nonlocal)]
        has_cell = self._scopes[node].has_class_cell() and any(self._suspends(one) for one in node.body)
        body = self.block(node.body[start:])
        if has_cell:
            at = body[0]
            nothing = ast.arguments([], [], None, [], [], None, [])
            cell = ast.copy_location(ast.Lambda(nothing, build.load("__class__", at)), at)
            body.insert(0, build.assign(f".{prefix}{CLASS}", cell, at))
        names = temporaries_in(body)
        around.class_names |= names
        shared = ast.Nonlocal if around.scope.kind == "function" else ast.Global
        for kind in (ast.Global, ast.Nonlocal):
            theirs = {name for one in declared if isinstance(one, kind) for name in one.names}
            theirs |= names if kind is shared else set()
            if theirs:
                body.insert(0, ast.copy_location(kind(sorted(theirs)), node.body[0]))
        node.body = [*node.body[:start], *body] or [ast.copy_location(ast.Pass(), node)]
        self._frame = outer

    # --- definitions -----------------------------------------------------------------------------

    def _FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
        spiller = self._defined(node, False)
        self._function(node)
        return [node, *spiller.cleanup(node)]

    _AsyncFunctionDef = _FunctionDef

    def _defined(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, waits: bool) -> Spiller:
        """Keep what a definition evaluates; `waits`: all of it waits for the body of a class.

        Decorators wait until they are applied, which is a call too.
        """
        has_annotations = bool(self._suspends.annotations(node))
        parts = [one for one in definition_parts(node) if has_annotations or not is_annotation(one)]
        if isinstance(node, ast.ClassDef) and getattr(node, "type_params", None):
            parts = [one for one in parts if one[0][0] == "decorator_list"]  # Python allows no `:=` there
        values = [part_at(node, one) for one in parts]
        rebound = [one.value if isinstance(one, ast.keyword) else one for one in values]
        spiller = self._spiller(ast.Tuple(rebound, ast.Load()))
        applies = any(self._suspends.applies(one) for one in node.decorator_list)
        for number, (steps, part) in enumerate(zip(parts, values, strict=True)):
            later = waits or any(self._suspends(one) for one in values[number + 1 :])
            later = later or (applies and steps[0][0] == "decorator_list")
            put_at(node, steps, spiller.waiting(self._spilled(spiller, part), later))
        return spiller

    def _ClassDef(self, node: ast.ClassDef) -> list[ast.stmt]:
        spiller = self._defined(node, any(self._suspends(one) for one in node.body))
        self._class(node)
        frame = self._frame
        names = sorted(frame.class_names)
        if frame.around is not None:
            names = []  # the function around lets them go
        elif frame.scope.kind != "function":
            names = [name for name in names if name.endswith(CLASS)]
        frame.class_names = set() if frame.around is None else frame.class_names
        gone = [one for name in names for one in build.forget(name, node)]
        return [node, *spiller.cleanup(node), *gone]


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _belongs_first(node: ast.stmt) -> bool:
    is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
    return is_future or _is_docstring(node)


def temporaries_in(statements: list[ast.stmt]) -> set[str]:
    """Temporaries that a body binds itself, lifted functions among them."""
    found: set[str] = set()
    waiting: list[ast.AST] = [*statements]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found |= {node.name} if is_temporary(node.name) else set()
            waiting += [part_at(node, one) for one in definition_parts(node)]
        elif isinstance(node, ast.Name):
            found |= {node.id} if is_temporary(node.id) and not isinstance(node.ctx, ast.Load) else set()
        else:
            waiting += node.args.defaults if isinstance(node, ast.Lambda) else children(node)
    return found
