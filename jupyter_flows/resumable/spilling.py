"""Values that wait on Python's value stack across a call get a name: ``a.x + f()`` -> ``(.1 := a.x) + f()``.

The expression keeps its shape, order and positions, and computes exactly what it did; the name is only a
second reference, read by a savepoint, gone with the statement. Nothing is kept for constants and for
variables that only this function's own statements can rebind, so most code stays as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from . import build
from .implicit import operation_of
from .operands import BRANCHING, Stable, Suspension, needs_keeping, slots
from .walking import walk

#: Methods that run a generator: what they belong to must be known for sure.
_DRIVING = frozenset({"send", "throw", "close", "__next__"})


class Spiller:
    """Rewrites the expressions of one statement."""

    def __init__(self, suspends: Suspension, is_stable: Stable, new_name: Callable[[], str]) -> None:
        self._suspends = suspends
        self._is_stable = is_stable
        self._new_name = new_name
        self._depth = 0  # inside how many parts that may not be evaluated at all
        self.names: list[str] = []
        self.uncertain: list[str] = []

    def keep(self, value: ast.expr) -> ast.expr:
        """The same value, with a name."""
        name = self._new_name()
        (self.uncertain if self._depth else self.names).append(name)
        return ast.copy_location(ast.NamedExpr(build.store(name, value), value), value)

    def cleanup(self, at: ast.AST) -> list[ast.stmt]:
        """Let the values go. In a namespace that others can change, a name may be gone already."""
        certain = [name for name in self.names if not _is_shared(name)]
        statements: list[ast.stmt] = [build.delete(certain, at)] if certain else []
        for name in [*self.names, *self.uncertain]:
            if name not in certain:
                statements += build.forget(name, at)
        return statements

    def parts(self, node: ast.AST) -> None:
        """Rewrite the parts of a node in place, keeping those that wait for a later one."""
        found = slots(node)
        waits = not isinstance(node, BRANCHING)
        for number, slot in enumerate(found):
            part = slot.get(node)
            uncertain = (
                number > 0
                and isinstance(node, (*BRANCHING, ast.Compare))
                and (number > 1 or not isinstance(node, ast.Compare))
            )
            self._depth += uncertain
            part = self.expression(part)
            later = any(self._suspends(one.get(node)) for one in found[number + 1 :])
            if waits and later and needs_keeping(part, self._is_stable):
                part = self._kept_part(part)
            self._depth -= uncertain
            slot.put(node, part)

    def _kept_part(self, part: ast.AST) -> ast.AST:
        if isinstance(part, ast.Starred):
            spread = ast.copy_location(ast.List([part], ast.Load()), part)
            return ast.copy_location(ast.Starred(self.keep(spread), part.ctx), part)
        if isinstance(part, ast.keyword):
            if part.arg is None:
                part.value = self.keep(ast.copy_location(ast.Dict([None], [part.value]), part.value))
            else:
                part.value = self.keep(part.value)
            return part
        if isinstance(part, ast.FormattedValue):
            text = ast.copy_location(ast.JoinedStr([part]), part)
            return ast.copy_location(ast.FormattedValue(self.keep(text), -1, None), part)
        if isinstance(part, ast.Slice):
            for name in ("lower", "upper", "step"):
                one = getattr(part, name)
                if one is not None and needs_keeping(one, self._is_stable):
                    setattr(part, name, self.keep(one))
            return part
        assert isinstance(part, ast.expr)
        return self.keep(part)

    def expression(self, node: ast.AST) -> ast.AST:
        """Rewrite an expression in place; gives the node to use for it."""
        if not self._suspends(node):
            return node
        if isinstance(node, ast.Lambda):
            self.parts(node.args)
            return node
        if isinstance(node, ast.Dict):
            self._dict(node)
            return node
        self.parts(node)
        if isinstance(node, ast.YieldFrom):
            node.value = self.keep(build.helper("iter", node.value, at=node.value))
        if isinstance(node, ast.Await) and needs_keeping(node.value, self._is_stable):
            node.value = self.keep(node.value)
        if operation_of(node) is not None:
            assert isinstance(node, ast.Call)
            node.args = [self.keep(one) if needs_keeping(one, self._is_stable) else one for one in node.args]
        elif isinstance(node, ast.Call) and not self._suspends.is_safe_call(node):
            self._keep_callee(node)
        return node

    def perhaps(self, node: ast.AST) -> ast.AST:
        """The same for an expression that may not be evaluated at all, as the message of an assertion."""
        self._depth += 1
        rewritten = self.expression(node)
        self._depth -= 1
        return rewritten

    def waiting(self, part: ast.AST, later: bool) -> ast.AST:
        """A part that may have to wait for a later one."""
        return self._kept_part(part) if later and needs_keeping(part, self._is_stable) else part

    def _is_doubtful(self, name: ast.Name) -> bool:
        return name.id in self._suspends.rebound and needs_keeping(name, self._is_stable)

    def _dict(self, node: ast.Dict) -> None:
        found = slots(node)
        for number, slot in enumerate(found):
            part = self.expression(slot.get(node))
            assert isinstance(part, ast.expr)
            later = any(self._suspends(one.get(node)) for one in found[number + 1 :])
            if later and needs_keeping(part, self._is_stable):
                if slot.field == "values" and node.keys[slot.index or 0] is None:
                    part = ast.copy_location(ast.Dict([None], [part]), part)
                part = self.keep(part)
            slot.put(node, part)

    def _keep_callee(self, node: ast.Call) -> None:
        """Give what is called a name where a savepoint could not find it again, to check the call site."""
        function = node.func
        if isinstance(function, ast.Name) and function.id == "next" and node.args:
            if needs_keeping(node.args[0], self._is_stable) and not isinstance(node.args[0], ast.Starred):
                node.args[0] = self.keep(node.args[0])
            return
        if isinstance(function, ast.Name | ast.NamedExpr | ast.Constant):
            if isinstance(function, ast.Name) and self._is_doubtful(function):
                node.func = self.keep(function)
            return
        if not isinstance(function, ast.Attribute) or function.attr in self._suspends.data_attributes:
            node.func = self.keep(function)
            return
        if function.attr in _DRIVING and needs_keeping(function.value, self._is_stable):
            function.value = self.keep(function.value)
            return
        receiver = function.value
        while isinstance(receiver, ast.Attribute) and not _spreads(node):
            receiver = receiver.value
        if not isinstance(receiver, ast.Name | ast.NamedExpr | ast.Constant) and not _is_super(receiver):
            function.value = self.keep(function.value)


def _is_shared(name: str) -> bool:
    return name.count(".") > 1


def _spreads(node: ast.Call) -> bool:
    return any(isinstance(one, ast.Starred) for one in node.args) or any(
        one.arg is None for one in node.keywords
    )


def _is_super(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def bound_in(node: ast.AST) -> set[str]:
    """Names that assignment expressions in these expressions bind."""
    return {
        one.target.id
        for one in walk(node)
        if isinstance(one, ast.NamedExpr) and not one.target.id.startswith(".")
    }
