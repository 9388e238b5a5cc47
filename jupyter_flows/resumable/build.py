"""Small pieces of syntax tree, each at the position of the author's node that it stands for."""

from __future__ import annotations

import ast
from typing import Any

from .temporaries import MARK


def load(name: str, at: ast.AST) -> ast.Name:
    return ast.copy_location(ast.Name(name, ast.Load()), at)


def store(name: str, at: ast.AST) -> ast.Name:
    return ast.copy_location(ast.Name(name, ast.Store()), at)


def constant(value: Any, at: ast.AST) -> ast.Constant:
    return ast.copy_location(ast.Constant(value), at)


def helper(name: str, *arguments: ast.expr, at: ast.AST) -> ast.Call:
    """A call of one of our functions (`temporaries.HELPERS`)."""
    return ast.copy_location(ast.Call(constant(MARK + name, at), list(arguments), []), at)


def call(function: str, *arguments: ast.expr, at: ast.AST) -> ast.Call:
    return ast.copy_location(ast.Call(load(function, at), list(arguments), []), at)


def item(values: list[ast.expr], index: int, at: ast.AST) -> ast.expr:
    """One of several values that are evaluated one after the other."""
    every = ast.copy_location(ast.Tuple(values, ast.Load()), at)
    return ast.copy_location(ast.Subscript(every, constant(index, at), ast.Load()), at)


def async_iterator(source: ast.expr) -> ast.expr:
    """What gives the items of an `async for`. The flow's own frame calls its `__aiter__`."""
    begin = ast.copy_location(ast.Call(helper("async begin", source, at=source), [], []), source)
    return helper("async following", begin, at=source)


def assign(name: str, value: ast.expr, at: ast.AST) -> ast.Assign:
    return ast.copy_location(ast.Assign([store(name, at)], value), at)


def expression(value: ast.expr) -> ast.Expr:
    return ast.copy_location(ast.Expr(value), value)


def delete(names: list[str], at: ast.AST) -> ast.Delete:
    targets: list[ast.expr] = [ast.copy_location(ast.Name(name, ast.Del()), at) for name in names]
    return ast.copy_location(ast.Delete(targets), at)


def forget(name: str, at: ast.AST) -> list[ast.stmt]:
    """Remove a variable, whether it is bound or not."""
    return [assign(name, constant(None, at), at), delete([name], at)]


def finally_(body: list[ast.stmt], final: list[ast.stmt], at: ast.AST) -> ast.Try:
    return ast.copy_location(ast.Try(body, [], [], final), at)
