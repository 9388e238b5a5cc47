"""What code sees of its own variables: the author's names, while temporaries lie among them."""

from __future__ import annotations

import ast

from . import build
from .walking import walk

#: Methods and functions that only look at a dict.
_LOOKING = frozenset({"items", "keys", "values", "copy"})
_LOOKERS = frozenset(
    {"list", "sorted", "tuple", "set", "frozenset", "dict", "len", "iter", "enumerate", "filter", "map"}
    | {"print", "repr", "str", "pprint", "pp", "display"}
)


_NAMESPACES = frozenset({"globals", "locals", "vars"})
_FUNCTIONS = frozenset({"locals", "vars", "dir"})


def mentions_namespaces(tree: ast.AST) -> bool:
    """Whether a unit names any of the functions that show variables: few do."""
    mentioned = _NAMESPACES | _FUNCTIONS
    return any(isinstance(one, ast.Name) and one.id in mentioned for one in walk(tree))


class Visible(ast.NodeTransformer):
    """``locals()``, ``vars()`` and ``dir()`` do not show temporaries.

    Nor does a cell's namespace where it is only looked at: ``list(globals())``, ``vars().items()``.
    """

    def __init__(self, bound: set[str]) -> None:
        self._names = _FUNCTIONS - bound
        self._namespaces = _NAMESPACES - bound
        self._lookers = _LOOKERS - bound

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in _LOOKING:
            function.value = self._shown(function.value)
        elif isinstance(function, ast.Name) and function.id in self._lookers:
            node.args = [self._shown(one) for one in node.args]
        for keyword in node.keywords:
            keyword.value = self._shown(keyword.value) if keyword.arg is None else keyword.value
        is_bare = isinstance(function, ast.Name) and not node.args and not node.keywords
        if is_bare and function.id in self._names:  # type: ignore[attr-defined]
            return build.helper("visible", node, at=node)
        return node

    def _iterating(self, node: ast.For | ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        node.iter = self._shown(node.iter)
        return node

    visit_For = visit_comprehension = _iterating

    def visit_Starred(self, node: ast.Starred) -> ast.AST:
        self.generic_visit(node)
        node.value = self._shown(node.value)
        return node

    def visit_Dict(self, node: ast.Dict) -> ast.AST:
        self.generic_visit(node)
        pairs = zip(node.keys, node.values, strict=True)
        node.values = [self._shown(value) if key is None else value for key, value in pairs]
        return node

    def _shown(self, node: ast.expr) -> ast.expr:
        call = node
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Constant) and call.args:
            call = call.args[0]  # of the helper that is there already
        is_bare = isinstance(call, ast.Call) and not call.args and not call.keywords
        function = call.func if is_bare else None  # type: ignore[attr-defined]
        is_namespace = isinstance(function, ast.Name) and function.id in self._namespaces
        return build.helper("shown", node, at=node) if is_namespace else node
