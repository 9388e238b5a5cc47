"""Normalise: every value that a frame needs to go on later gets a name, before the code is compiled.

The passes follow each other in `normalise`; the last one, a method per construct, is `lowering`. What stays
on Python's value stack across a call, and what it becomes here:

    operands of an expression          assignment expressions (`spilling`)
    iterator of a `for`                a variable, cleared in a `finally`
    manager of a `with`                a variable, and how the block is being left
    exception being handled            a variable
    pending `return`, `break` and so on through `finally`
                                       a number and the value, in variables
    half-made list of a comprehension  a function of its own (`lifting`)
    cells of closures                  one tiny closure that refers to all of them

Code without calls stays as it is. Nothing is reordered and nothing is evaluated twice.
"""

from __future__ import annotations

import ast

from . import build
from .implicit import Implicit
from .lifting import Lifter
from .lowering import Lowering
from .operands import Suspension
from .scopes import Scope, analyse
from .visible import Visible, mentions_namespaces
from .walking import located, walk


def normalise(
    tree: ast.Module,
    prefix: str,
    interactive: bool,
    foreseen: frozenset[str] = frozenset(),
    is_library: bool = False,
) -> tuple[ast.Module, frozenset[str]]:
    """The tree that is compiled and run instead of the author's, and the foreseen names it depends on.

    Arguments: `tree` is used up; `prefix` keeps temporaries of module level apart from other units';
    `interactive` sends the value of a last expression to `sys.displayhook`; `foreseen`: special methods and
    attributes that may reach the Flow API (`knowledge`); `is_library`: borrowed code; its handlers may catch
    life-cycle signals, for they pass on what they catch, and no words stand in it for other functions.
    """
    for node in walk(tree) if is_library else ():
        if isinstance(node, ast.ExceptHandler):
            node.is_ours = True  # type: ignore[attr-defined]
    bound = _bound_names(analyse(tree))
    implicit = Implicit(foreseen, bound, prefix)
    if foreseen or any(isinstance(one, ast.AsyncWith | ast.AsyncFor) for one in walk(tree)):
        tree = implicit.visit(tree)
    tree.births_in_unit = implicit.births  # type: ignore[attr-defined]
    suspends = Suspension(bound, tree)
    tree = Visible(bound).visit(tree) if mentions_namespaces(tree) else tree
    if interactive and tree.body and isinstance(tree.body[-1], ast.Expr):
        last = tree.body[-1]
        last.value = build.helper("display", last.value, at=last.value)
    tree.body = Lifter(suspends, foreseen, implicit, not is_library).block(tree.body)
    scopes = analyse(tree)
    suspends = Suspension(_bound_names(scopes), tree)
    Lowering(suspends, scopes, prefix).module(tree)
    return located(tree), frozenset(implicit.used)


def _bound_names(scopes: dict[ast.AST, Scope]) -> set[str]:
    found: set[str] = set()
    for scope in scopes.values():
        found |= set(scope.bound) | scope.parameters
    return found
