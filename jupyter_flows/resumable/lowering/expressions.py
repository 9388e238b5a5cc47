"""Statements that evaluate one expression after the other: what waits in them gets a name (`spilling`)."""

from __future__ import annotations

import ast

from .. import build
from ..operands import Suspension
from ..scopes import Scope
from ..spilling import Spiller, bound_in
from ..walking import walk
from .frames import CELLS, Frame


class Expressions:
    """Lowers one statement after the other; `_frame` is the scope that it is in."""

    def __init__(self, suspends: Suspension, scopes: dict[ast.AST, Scope], prefix: str) -> None:
        self._suspends = suspends
        self._scopes = scopes
        self._prefix = prefix
        self._frame = Frame(Scope(ast.Module([], []), None, "module"), "")
        self._keeping: set[ast.ExceptHandler] = set()  # that keep their exception already

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        lowered: list[ast.stmt] = []
        for statement in statements:
            lowered += self.statement(statement)
        return lowered

    def statement(self, node: ast.stmt) -> list[ast.stmt]:
        method = getattr(self, "_" + type(node).__name__, None)
        if method is None:
            return self._simple(node)
        outer, self._frame.at = self._frame.at, node
        found: list[ast.stmt] = method(node)
        self._frame.at = outer
        return found

    def _spiller(self, node: ast.AST) -> Spiller:
        frame = self._frame
        rebound = bound_in(node)
        count = 0

        def new_name() -> str:
            nonlocal count
            count += 1
            return f".{frame.prefix}{count}"

        def is_stable(name: str) -> bool:
            return frame.scope.is_stable(name) and name not in rebound

        return Spiller(self._suspends, is_stable, new_name)

    def _spilled(self, spiller: Spiller, node: ast.expr, is_certain: bool = True) -> ast.expr:
        for inner in walk(node):
            if isinstance(inner, ast.Lambda):
                self._lambda(inner)
        return spiller.expression(node) if is_certain else spiller.perhaps(node)  # type: ignore[return-value]

    def _lambda(self, node: ast.Lambda) -> None:
        if getattr(node, "is_lowered", False):
            return
        node.is_lowered = True  # type: ignore[attr-defined]
        outer, self._frame = self._frame, Frame(self._scopes[node], "")
        node.body = self._spilled(self._spiller(node.body), node.body)
        exposed = self._frame.scope.exposed_names()
        if exposed and self._suspends(node.body):
            at = node.body
            values = ast.copy_location(ast.Tuple([build.load(name, at) for name in exposed], ast.Load()), at)
            nothing = ast.arguments([], [], None, [], [], None, [])
            cells = ast.copy_location(ast.Lambda(nothing, values), at)
            cells.is_lowered = True  # type: ignore[attr-defined]
            bound = ast.copy_location(ast.NamedExpr(build.store(CELLS, at), cells), at)
            pair = ast.copy_location(ast.Tuple([bound, node.body], ast.Load()), at)
            last = build.constant(1, at)
            node.body = ast.copy_location(ast.Subscript(pair, last, ast.Load()), at)
        self._frame = outer

    def _simple(self, node: ast.stmt) -> list[ast.stmt]:
        """A statement whose expressions are evaluated one after the other."""
        spiller = self._spiller(node)
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.expr):
                setattr(node, name, self._spilled(spiller, value))
            elif isinstance(value, list):
                value[:] = [
                    self._spilled(spiller, one) if isinstance(one, ast.expr) else one for one in value
                ]
        return [node, *spiller.cleanup(node)]

    def _Assert(self, node: ast.Assert) -> list[ast.stmt]:
        spiller = self._spiller(node)
        node.test = self._spilled(spiller, node.test)
        if node.msg is not None:
            node.msg = self._spilled(spiller, node.msg, is_certain=False)
        return [node, *spiller.cleanup(node)]

    def _Global(self, _: ast.Global) -> list[ast.stmt]:
        return []  # moved to the start of the function; a module needs none

    def _Nonlocal(self, _: ast.Nonlocal) -> list[ast.stmt]:
        return []

    def _Delete(self, node: ast.Delete) -> list[ast.stmt]:
        if not self._suspends(node):
            return [node]
        lowered: list[ast.stmt] = []
        for target in node.targets:
            lowered += self._simple(ast.copy_location(ast.Delete([target]), node))
        return lowered

    def _Raise(self, node: ast.Raise) -> list[ast.stmt]:
        if node.cause is not None and self._suspends(node.cause) and node.exc is not None:
            spiller = self._spiller(node)
            error = spiller.keep(self._spilled(spiller, node.exc))
            node.exc, node.cause = error, self._spilled(spiller, node.cause)
            return [node]
        return self._simple(node)[:1]
