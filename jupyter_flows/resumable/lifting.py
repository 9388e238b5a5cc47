"""Comprehensions with a call inside become functions, so that their half-made results have names.

``[f(x) for x in xs]`` becomes ``.listcomp1(iter(xs))`` after ``def .listcomp1(.0): …``, which is what Python
3.11 does by itself, with the list and the iterator in variables instead of on the value stack. All versions
get the same functions, so a savepoint does not depend on where Python inlines. What awaits becomes a
coroutine function, which is awaited, or an asynchronous generator.

A lambda has no statement to put a function before. One with such a comprehension inside becomes a function
too, made where the lambda stood by a call that gets its defaults:

    f(lambda x, y=g(): [h(x) for x in y])

    def .lambda1(.default0):
        def <lambda>(x, y=.default0):
            def .listcomp100(.0): …
            return .listcomp100(iter(y))
        return <lambda>
    f(.lambda1(g()))
"""

from __future__ import annotations

import ast
import copy
from typing import Any

from . import build
from .implicit import Implicit
from .knowledge import GENERATORS, runs
from .matching import own_nodes
from .operands import Suspension
from .temporaries import is_temporary
from .walking import located, walk
from .wording import Wording, at_once, awaits, operates

ITERATOR = ".0"  # the parameter of a lifted function: the iterator that its first loop goes over
_RESULT = ".result"
_KEY = ".key"
_EMPTY: dict[type[ast.AST], ast.expr] = {
    ast.ListComp: ast.List([], ast.Load()),
    ast.SetComp: ast.Call(ast.Constant("\0resumable set"), [], []),
    ast.DictComp: ast.Dict([], []),
}
_LAMBDA = "<lambda>"
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_LABEL = {
    ast.ListComp: "listcomp",
    ast.SetComp: "setcomp",
    ast.DictComp: "dictcomp",
    ast.GeneratorExp: "genexpr",
}


class Lifter(ast.NodeTransformer):
    """Lifts comprehensions of one unit; the functions come just before the statement that uses them."""

    def __init__(
        self, suspends: Suspension, foreseen: frozenset[str], implicit: Implicit, has_words: bool
    ) -> None:
        self._suspends = suspends
        self._foreseen = foreseen
        self._implicit = implicit
        self._used = implicit.used
        self._has_words = has_words
        self._wording = Wording(suspends, foreseen if has_words else frozenset(), implicit.used)
        self._count = 0
        self._before: list[ast.stmt] = []
        self._kind = "module"
        self._self_name: str | None = None
        self._globals: set[str] = set()  # that the function declares
        self._classes: list[str] = []  # of a module, that the code is in
        self._consumed: set[ast.AST] = set()

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        lifted: list[ast.stmt] = []
        for statement in statements:
            outer, self._before = self._before, []
            new = self.visit(statement)
            made, self._before = self._before, outer
            lifted += [*made, new]
            if not isinstance(statement, ast.Return | ast.Raise):
                for one in made:
                    if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
                        lifted += build.forget(one.name, statement)
        return lifted

    def generic_visit(self, node: ast.AST) -> ast.AST:
        for field, value in ast.iter_fields(node):
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                setattr(node, field, self.block(value))
            elif isinstance(value, list):
                value[:] = [self.visit(one) if isinstance(one, ast.AST) else one for one in value]
            elif isinstance(value, ast.AST):
                setattr(node, field, self.visit(value))
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """``any(x.y for x in xs)``: no one but a function of C ever sees the generator, so it stays.

        If it may reach the Flow API, a function in words goes through it (`wording`).
        """
        in_words = self._wording.call(node)
        if in_words is not None:
            return self.generic_visit(in_words)
        if _consumes(node.func, self._suspends) and node.args and isinstance(node.args[0], ast.GeneratorExp):
            generator, others = node.args[0], [*node.args[1:], *node.keywords]
            first = generator.generators[0].iter
            is_plain = not self._suspends(first) and not operates(generator)
            if is_plain and not any(self._suspends(one) for one in others):
                self._consumed.add(generator)
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self._wording.unpacking(node)
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        return self.generic_visit(self._wording.search(node))

    def visit_Starred(self, node: ast.Starred) -> ast.AST:
        self._wording.star(node)
        return self.generic_visit(node)

    def visit_For(self, node: ast.For) -> ast.AST:
        node.iter = self._wording.passing(node.iter)
        return self.generic_visit(node)

    # --- lambdas ---------------------------------------------------------------------------------

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        node.args = self.visit(node.args)
        if not self._is_lifted(node):
            return node
        self._count += 1
        name = f".lambda{self._count}"
        arguments = node.args
        given = [*arguments.defaults, *(one for one in arguments.kw_defaults if one is not None)]
        parameters = [f".default{number}" for number in range(len(given))]
        names = iter([build.load(name, one) for name, one in zip(parameters, given, strict=True)])
        arguments.defaults = [next(names) for _ in arguments.defaults]
        arguments.kw_defaults = [one and next(names) for one in arguments.kw_defaults]
        statement = ast.copy_location(ast.Return(node.body), node.body)
        body = self._inside(_first_parameter(arguments)).block([statement])
        made = ast.copy_location(_definition(ast.FunctionDef, _LAMBDA, arguments, body), node)
        give = ast.copy_location(ast.Return(build.load(_LAMBDA, node)), node)
        statements = [made, *self._qualified(node), give]
        outer = _definition(ast.FunctionDef, name, _parameters(*parameters), statements)
        self._before.append(located(ast.copy_location(outer, node)))
        return build.call(name, *given, at=node)

    def _qualified(self, node: ast.Lambda) -> list[ast.stmt]:
        """In the class of a module: what lies there for a while is a global name, which tells no class."""
        if not self._classes:
            return []
        name = ast.Attribute(build.load(_LAMBDA, node), "__qualname__", ast.Store())
        value = build.constant(".".join([*self._classes, _LAMBDA]), node)
        return [ast.copy_location(ast.Assign([ast.copy_location(name, node)], value), node)]

    def _is_lifted(self, node: ast.Lambda) -> bool:
        """Whether there is a comprehension in a lambda that must become a function."""
        if not any(isinstance(one, Comprehension) for one in walk(node.body)):
            return False
        trial = self._inside(None)
        trial.visit(copy.deepcopy(node.body))
        return bool(trial._before)

    def _inside(self, self_name: str | None) -> Lifter:
        """Lifts what is in a function that is being made."""
        inside = Lifter(self._suspends, self._foreseen, self._implicit, self._has_words)
        inside._kind, inside._self_name, inside._count = "function", self_name, self._count * 100
        return inside

    # --- definitions -----------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        self._wording.decorators(node)
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.args = self.visit(node.args)
        before = self._kind, self._self_name, self._globals, self._classes
        self._kind, self._self_name, self._classes = "function", _first_parameter(node.args), []
        declared = [one for one in own_nodes(node) if isinstance(one, ast.Global)]
        self._globals = {name for one in declared for name in one.names}
        node.body = self.block(node.body)
        self._kind, self._self_name, self._globals, self._classes = before
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.bases = [self.visit(one) for one in node.bases]
        node.keywords = [self.visit(one) for one in node.keywords]
        before = self._kind, self._self_name, self._classes
        self._classes = [*self._classes, node.name] if self._kind == "module" or self._classes else []
        self._kind, self._self_name = "class", None
        node.body = self.block(node.body)
        self._kind, self._self_name, self._classes = before
        return node

    # --- comprehensions --------------------------------------------------------------------------

    def _comprehension(self, node: Comprehension) -> ast.AST:
        for generator in node.generators:
            generator.iter = self._wording.passing(generator.iter)
        first = node.generators[0]
        if node in self._consumed or not self._is_wanted(node):
            return self.generic_visit(node)
        iterable = self.visit(first.iter)
        self._count += 1
        name = f".{_LABEL[type(node)]}{self._count}"
        awaits = _is_async(node)
        self._before += self._functions(name, node, awaits)
        makes = build.async_iterator if first.is_async else self._implicit.iterator
        call: ast.expr = build.call(name, makes(iterable), at=node)
        is_awaited = awaits and not isinstance(node, ast.GeneratorExp)
        return ast.copy_location(ast.Await(call), node) if is_awaited else call

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _is_wanted(self, node: Comprehension) -> bool:
        inner = _inner_parts(node)
        if isinstance(node, ast.GeneratorExp) or _is_async(node) or self._implicit.may_iterate():
            return True
        if any(map(self._suspends, [node.generators[0].iter, *inner])):
            return True
        # A function for a lambda in it must see its variables.
        lambdas = (one for part in inner for one in at_once(part) if isinstance(one, ast.Lambda))
        if any(self._is_lifted(one) for one in lambdas):
            return True
        runs_one = GENERATORS in self._foreseen and any(
            GENERATORS in runs(generator.iter) for generator in node.generators
        )
        self._used |= {GENERATORS} if runs_one else set()
        return runs_one or any(map(self._wording.is_wanted_in, inner))

    def _functions(self, name: str, node: Comprehension, awaits: bool) -> list[ast.stmt]:
        """The function that a comprehension becomes, after what makes sure of the names that it binds."""
        body: list[ast.stmt] = [build.expression(self._produce(node))]
        if isinstance(node, ast.DictComp):
            target = ast.Subscript(build.load(_RESULT, node), build.load(_KEY, node), ast.Store())
            put = ast.Assign([ast.copy_location(target, node)], node.value)
            body = [build.assign(_KEY, node.key, node.key), ast.copy_location(put, node)]
        for number, generator in reversed(list(enumerate(node.generators))):
            for condition in reversed(generator.ifs):
                body = [ast.copy_location(ast.If(condition, body, []), condition)]
            body = self._loop(generator, number, body, node)
        if not isinstance(node, ast.GeneratorExp):
            empty = ast.copy_location(_copied(_EMPTY[type(node)], node), node)
            result = ast.copy_location(ast.Return(build.load(_RESULT, node)), node)
            body = [build.assign(_RESULT, empty, node), *body, result]
        before, declared = self._declarations(node)
        inside = self._inside(self._self_name)
        body = [_Super(self._self_name).visit(one) for one in inside.block([*declared, *body])]
        kind = ast.AsyncFunctionDef if awaits else ast.FunctionDef
        function = _definition(kind, name, _parameters(ITERATOR), body)
        return [*before, located(ast.copy_location(function, node))]

    def _loop(
        self, generator: ast.comprehension, number: int, body: list[ast.stmt], at: ast.expr
    ) -> list[ast.stmt]:
        """One `for` of a comprehension; the first one's iterator is the function's parameter."""
        source = build.load(ITERATOR, generator.iter) if number == 0 else generator.iter
        kind = ast.AsyncFor if generator.is_async else ast.For
        loop = ast.copy_location(kind(generator.target, source, body, []), at)
        return self._implicit.of_comprehension(loop, number == 0)

    @staticmethod
    def _produce(node: Comprehension) -> ast.expr:
        if isinstance(node, ast.DictComp):
            return node.key
        if isinstance(node, ast.GeneratorExp):
            return ast.copy_location(ast.Yield(node.elt), node.elt)
        method = "append" if isinstance(node, ast.ListComp) else "add"
        function = ast.Attribute(build.load(_RESULT, node), method, ast.Load())
        return ast.copy_location(ast.Call(ast.copy_location(function, node), [node.elt], []), node)

    def _declarations(self, node: ast.AST) -> tuple[list[ast.stmt], list[ast.stmt]]:
        """Assignment expressions in a comprehension bind in the scope around it.

        What stands before the function, so that the scope has the variable, and in it.
        """
        bound = {one.target.id for one in at_once(node) if isinstance(one, ast.NamedExpr)}
        names = {name for name in bound if not is_temporary(name)}
        shared = names - self._globals if self._kind == "function" else set()  # Python allows none in a class
        before: list[ast.stmt] = []
        declared: list[ast.stmt] = []
        if shared:
            values: list[ast.stmt] = [
                build.assign(name, build.constant(None, node), node) for name in sorted(shared)
            ]
            before = [ast.copy_location(ast.If(build.constant(False, node), values, []), node)]
            declared.append(ast.copy_location(ast.Nonlocal(sorted(shared)), node))
        if names - shared:
            declared.append(ast.copy_location(ast.Global(sorted(names - shared)), node))
        return before, declared


def _first_parameter(arguments: ast.arguments) -> str | None:
    return next((one.arg for one in (*arguments.posonlyargs, *arguments.args)), None)


def _parameters(*names: str) -> ast.arguments:
    return ast.arguments([ast.arg(name) for name in names], [], None, [], [], None, [])


def _definition(kind: Any, name: str, arguments: ast.arguments, body: list[ast.stmt]) -> Any:
    function = kind(name, arguments, body, [], None)
    if hasattr(ast, "TypeAlias"):
        function.type_params = []
    return function


def _inner_parts(node: Comprehension) -> list[ast.expr]:
    """What runs in the comprehension itself: all but its first iterable."""
    parts: list[ast.expr] = [*node.generators[0].ifs]
    for generator in node.generators[1:]:
        parts += [generator.iter, *generator.ifs]
    return [*parts, *([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])]


def _is_async(node: Comprehension) -> bool:
    return any(one.is_async for one in node.generators) or any(map(awaits, _inner_parts(node)))


_CONSUMERS = frozenset(
    {"all", "any", "bytes", "dict", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple"}
)


def _consumes(function: ast.expr, suspends: Suspension) -> bool:
    """Whether a callee is a function of C that goes through its first argument at once and keeps it not."""
    if isinstance(function, ast.Name):
        return function.id in _CONSUMERS and suspends.is_builtin(function.id)
    is_text = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant)
    return is_text and function.attr == "join"  # type: ignore[attr-defined]


def _copied(node: ast.expr, at: ast.AST) -> ast.expr:
    fresh = copy.deepcopy(node)
    for part in ast.walk(fresh):
        if isinstance(part, ast.expr):
            ast.copy_location(part, at)
    return fresh


class _Super(ast.NodeTransformer):
    """``super()`` in a lifted function means the method's, not the function's."""

    def __init__(self, self_name: str | None) -> None:
        self._self_name = self_name

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        is_super = isinstance(node.func, ast.Name) and node.func.id == "super"
        if is_super and not node.args and self._self_name is not None:
            node.args = [build.load("__class__", node), build.load(self._self_name, node)]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self.generic_visit(node) if node.name.startswith(".") else node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return node
