"""Assignments: each target is stored to for itself where one of them makes a call."""

from __future__ import annotations

import ast

from .. import build
from ..spilling import Spiller
from .expressions import Expressions


class Assignments(Expressions):
    def _Assign(self, node: ast.Assign) -> list[ast.stmt]:
        if not any(self._suspends(target) for target in node.targets):
            return self._simple(node)
        spiller = self._spiller(node)
        value = spiller.keep(self._spilled(spiller, node.value))
        assert isinstance(value, ast.NamedExpr)
        lowered: list[ast.stmt] = [build.assign(value.target.id, value.value, node)]
        for target in node.targets:
            lowered += self._store(spiller, target, build.load(value.target.id, node), node)
        return [*lowered, *spiller.cleanup(node)]

    def _store(self, spiller: Spiller, target: ast.expr, value: ast.expr, at: ast.stmt) -> list[ast.stmt]:
        """Assign a kept value to one target, part by part where a part of the target suspends."""
        if not self._suspends(target) or not isinstance(target, ast.Tuple | ast.List):
            target = self._spilled(spiller, target) if self._suspends(target) else target
            return [ast.copy_location(ast.Assign([target], value), at)]
        parts: list[ast.expr] = []
        stores: list[ast.stmt] = []
        for element in target.elts:
            inner = element.value if isinstance(element, ast.Starred) else element
            kept = spiller.keep(inner)
            assert isinstance(kept, ast.NamedExpr)
            name = build.store(kept.target.id, element)
            parts.append(
                ast.copy_location(ast.Starred(name, ast.Store()), element)
                if isinstance(element, ast.Starred)
                else name
            )
            stores += self._store(spiller, inner, build.load(kept.target.id, element), at)
        unpack = ast.copy_location(ast.Assign([replaced_elements(target, parts)], value), at)
        return [unpack, *stores]

    def _AnnAssign(self, node: ast.AnnAssign) -> list[ast.stmt]:
        if node.value is not None and isinstance(node.target, ast.Name) and self._suspends(node.annotation):
            assign = ast.copy_location(ast.Assign([node.target], node.value), node)  # Python's own order
            node.value = None
            return [*self._Assign(assign), *self._AnnAssign(node)]
        if node.value is None and self._frame.scope.kind != "function":
            return self._simple(node)
        if node.value is None or not self._suspends(node.value):
            return [node]
        spiller = self._spiller(node)
        node.value = self._spilled(spiller, node.value)
        return [node, *spiller.cleanup(node)]

    def _AugAssign(self, node: ast.AugAssign) -> list[ast.stmt]:
        if not self._suspends(node.value) and not self._suspends(node.target):
            return self._simple(node)
        spiller = self._spiller(node)
        target, read = self._target_twice(spiller, node.target)
        if target is None:
            node.value = self._spilled(spiller, node.value)
            return [node, *spiller.cleanup(node)]
        kept = spiller.keep(read)
        assert isinstance(kept, ast.NamedExpr)
        name = kept.target.id
        value = self._spilled(spiller, node.value)
        return [
            build.assign(name, kept.value, node),
            ast.copy_location(ast.AugAssign(build.store(name, node), node.op, value), node),
            ast.copy_location(ast.Assign([target], build.load(name, node)), node),
            *spiller.cleanup(node),
        ]

    def _target_twice(self, spiller: Spiller, target: ast.expr) -> tuple[ast.expr | None, ast.expr]:
        """A target for storing and one for reading it before, its parts evaluated once."""
        if isinstance(target, ast.Name):
            rebound = not self._frame.scope.is_stable(target.id)
            return (target if rebound else None), build.load(target.id, target)
        assert isinstance(target, ast.Attribute | ast.Subscript)
        kept: dict[str, ast.expr] = {}
        again: dict[str, ast.expr] = {}
        fields = ("value", "slice") if isinstance(target, ast.Subscript) else ("value",)
        for name in fields:
            part = getattr(target, name)
            if isinstance(part, ast.Constant):
                kept[name] = again[name] = part
                continue
            if isinstance(part, ast.Slice):
                ends = [one or build.constant(None, part) for one in (part.lower, part.upper, part.step)]
                part = ast.copy_location(ast.Call(build.constant("\0resumable slice", part), ends, []), part)
            named = spiller.keep(self._spilled(spiller, part))
            assert isinstance(named, ast.NamedExpr)
            kept[name], again[name] = named, build.load(named.target.id, part)
        if isinstance(target, ast.Attribute):
            read: ast.expr = ast.Attribute(kept["value"], target.attr, ast.Load())
            write: ast.expr = ast.Attribute(again["value"], target.attr, ast.Store())
        else:
            read = ast.Subscript(kept["value"], kept["slice"], ast.Load())
            write = ast.Subscript(again["value"], again["slice"], ast.Store())
        return ast.copy_location(write, target), ast.copy_location(read, target)


def replaced_elements(target: ast.Tuple | ast.List, elements: list[ast.expr]) -> ast.expr:
    return ast.copy_location(type(target)(elements, ast.Store()), target)
