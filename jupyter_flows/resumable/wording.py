"""Calls of functions of C that run a flow's code become calls of words (`borrowed`).

    sum(price(one) for one in order)    .consume_sum(sum, (price(one) for one in order))
    a, b = numbers()                    a, b = .consume_unpacked(numbers(), 2)
    one in numbers()                    .consume_contains(one, numbers())
    a += numbers()                      a = .consume_added(a, numbers())
    for n, x in enumerate(numbers()):   for n, x in .consume_enumerate(enumerate, numbers()):
    @cache                              @.consume_cached(cache)

This is done only where `knowledge` foresees it. The words get the function that the author's name means, and
call it wherever it is not the one they know, or runs nothing of the flow.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable

from . import build
from .borrowed.words import CACHES, words_of
from .implicit import operation_of
from .knowledge import by_key, consumed, last_name, of_new, runs, taken_apart
from .operands import Suspension
from .temporaries import CONSUMER, OPERATION
from .walking import children

_OF_CONTAINS = frozenset({"__iter__", "__next__", "__eq__"})


class Wording:
    """Puts words in their places for one unit; `used` gets the foreseen names that it depended on."""

    def __init__(self, suspends: Suspension, foreseen: frozenset[str], used: set[str]) -> None:
        self._suspends = suspends
        self._foreseen = foreseen
        self._used = used

    def call(self, node: ast.Call) -> ast.Call | None:
        """The call of words for a function that does at once what it does; None if it stays."""
        operation = operation_of(node)
        if operation == "iter":
            node.args = [self.passing(one) for one in node.args]
        if operation == "contains" and self._is_foreseen(_OF_CONTAINS):
            return _of_words("contains", node.args[::-1], node)
        if operation == "iadd" and not awaits(node.args[1]) and self._is_gone_through(node.args[1]):
            return _of_words("added", [node.args[0], self.passing(node.args[1])], node)
        return self._in_words(node, is_lazy=False)

    def _is_gone_through(self, made: ast.expr) -> bool:
        return self._is_foreseen(of_new(made)) or operates(made)

    def passing(self, node: ast.expr) -> ast.expr:
        """``enumerate(numbers())`` that only a loop or words see: a generator in words stands for it."""
        found = self._in_words(node, is_lazy=True) if isinstance(node, ast.Call) else None
        return node if found is None else found

    def _in_words(self, node: ast.Call, is_lazy: bool) -> ast.Call | None:
        name = last_name(node.func) or ""
        words = words_of(node, name)
        if words is None or words.is_lazy is not is_lazy or not words.fits(node):
            return None
        if words.module == "builtins" and not self._suspends.is_builtin(name):
            return None
        if not words.module and name in self._suspends.methods:
            return None
        given = words.iterables(node.args)
        if any(map(awaits, node.args)) or not (
            self._is_foreseen(consumed(node) | by_key(node)) or any(map(operates, given))
        ):
            return None
        node.args = [self.passing(one) if one in given else one for one in node.args]
        function = build.constant(CONSUMER + (words.named or name), node.func)
        return ast.copy_location(ast.Call(function, [node.func, *node.args], node.keywords), node)

    def unpacking(self, node: ast.Assign) -> None:
        """``a, b = numbers()``: it is gone through before anything is assigned."""
        if awaits(node.value) or not self._is_foreseen(taken_apart(node)):
            return
        names: list[ast.expr] = node.targets[0].elts  # type: ignore[attr-defined]
        if any(isinstance(one, ast.Starred) for one in names):
            node.value = self._starred(node.value)
        else:
            count = build.constant(len(names), node.value)
            node.value = _of_words("unpacked", [self.passing(node.value), count], node.value)

    def search(self, node: ast.Compare) -> ast.expr:
        """``x in numbers()``."""
        if awaits(node.comparators[0]) or not self._is_foreseen(taken_apart(node)):
            return node
        found: ast.expr = _of_words("contains", [node.left, self.passing(node.comparators[0])], node)
        if isinstance(node.ops[0], ast.NotIn):
            found = ast.copy_location(ast.UnaryOp(ast.Not(), found), node)
        return found

    def star(self, node: ast.Starred) -> None:
        """``[*numbers()]``: it is gone through before the display or the call goes on."""
        is_load = isinstance(node.ctx, ast.Load)
        if is_load and not awaits(node.value) and self._is_foreseen(runs(node.value)):
            node.value = self._starred(node.value)

    def _starred(self, value: ast.expr) -> ast.expr:
        return _of_words("starred", [self.passing(value)], value)

    def decorators(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """``@cache``: the results of a function that may reach the Flow API are kept by words."""
        for index, one in enumerate(node.decorator_list):
            if last_name(one) in CACHES and self._is_foreseen({f"@{node.name}"}):
                node.decorator_list[index] = _of_words("cached", [one], one)

    def is_wanted_in(self, node: ast.AST) -> bool:
        """Whether something inside is about to become words."""
        if not self._foreseen:
            return False
        for one in at_once(node):
            names: set[str] = set()
            if isinstance(one, ast.Call):
                names = consumed(one) | by_key(one)
                words = words_of(one, last_name(one.func))
                if words is not None and any(map(operates, words.iterables(one.args))):
                    return True
                if operation_of(one) == "iadd":
                    names = of_new(one.args[1])
            elif isinstance(one, ast.Compare):
                names = taken_apart(one)
            elif isinstance(one, ast.Starred):
                names = runs(one.value)
            if self._is_foreseen(names):
                return True
        return False

    def _is_foreseen(self, names: Iterable[str]) -> bool:
        found = self._foreseen.intersection(names)
        self._used |= found
        return bool(found)


def _of_words(name: str, arguments: list[ast.expr], at: ast.AST) -> ast.Call:
    function = build.constant(CONSUMER + name, at)
    return ast.copy_location(ast.Call(function, arguments, []), at)


def operates(node: ast.expr) -> bool:
    """Whether it is a generator with an operator that is a call (`implicit`)."""
    calls = (one for one in at_once(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Constant))
    return isinstance(node, ast.GeneratorExp) and any(
        str(one.func.value).startswith(OPERATION)  # type: ignore[attr-defined]
        for one in calls
    )


def at_once(node: ast.AST) -> list[ast.AST]:
    """The node and what it evaluates itself, functions inside left out."""
    found = [node]
    for child in children(node):
        if not isinstance(child, ast.Lambda):
            found += at_once(child)
    return found


def awaits(node: ast.AST) -> bool:
    """Whether to evaluate this awaits; a generator expression awaits later, but for its first iterable."""
    if isinstance(node, ast.Await):
        return True
    if isinstance(node, ast.Lambda):
        return awaits(node.args)
    if isinstance(node, ast.GeneratorExp):
        return awaits(node.generators[0].iter)
    if isinstance(node, ast.comprehension) and node.is_async:
        return True
    return any(map(awaits, children(node)))
