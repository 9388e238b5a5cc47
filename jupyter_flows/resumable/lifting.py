"""Comprehensions with a call inside become functions, so that their half-made results have names.

``[f(x) for x in xs]`` becomes ``.listcomp1(iter(xs))`` after ``def .listcomp1(.0): …``, which is what Python
3.11 does by itself, with the list and the iterator in variables instead of on the value stack. All versions
get the same functions, so a savepoint does not depend on where Python inlines.
"""

from __future__ import annotations

import ast

from . import build
from .borrowed import CONSUMERS, PASSING
from .knowledge import GENERATORS, consumed, last_name, runs
from .operands import Suspension
from .temporaries import CONSUMER, OPERATION, is_temporary
from .walking import children, located

ITERATOR = ".0"  # the parameter of a lifted function: the iterator that its first loop goes over
_RESULT = ".result"
_KEY = ".key"
_EMPTY: dict[type[ast.AST], ast.expr] = {
    ast.ListComp: ast.List([], ast.Load()),
    ast.SetComp: ast.Call(ast.Constant("\0resumable set"), [], []),
    ast.DictComp: ast.Dict([], []),
}
_LABEL = {
    ast.ListComp: "listcomp",
    ast.SetComp: "setcomp",
    ast.DictComp: "dictcomp",
    ast.GeneratorExp: "genexpr",
}


class Lifter(ast.NodeTransformer):
    """Lifts comprehensions of one unit; the functions come just before the statement that uses them."""

    def __init__(self, suspends: Suspension, foreseen: frozenset[str], used: set[str]) -> None:
        self._suspends = suspends
        self._foreseen = foreseen
        self._used = used
        self._count = 0
        self._before: list[ast.stmt] = []
        self._kind = "module"
        self._self_name: str | None = None
        self._consumed: set[ast.AST] = set()

    def block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        lifted: list[ast.stmt] = []
        for statement in statements:
            outer, self._before = self._before, []
            new = self.visit(statement)
            made, self._before = self._before, outer
            lifted += [*made, new]
            if made and not isinstance(statement, ast.Return | ast.Raise):
                for one in made:
                    lifted += build.forget(one.name, statement)  # type: ignore[attr-defined]
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

        If it may reach the Flow API, a function in words goes through it (`borrowed`).
        """
        consumer = self._consumer_of(node)
        if consumer is not None:
            return self.generic_visit(consumer)
        if _consumes(node.func, self._suspends) and node.args and isinstance(node.args[0], ast.GeneratorExp):
            generator, others = node.args[0], [*node.args[1:], *node.keywords]
            first = generator.generators[0].iter
            if not self._suspends(first) and not any(self._suspends(one) for one in others):
                self._consumed.add(generator)
        return self.generic_visit(node)

    def _consumer_of(self, node: ast.Call) -> ast.Call | None:
        reaching = self._foreseen & consumed(node)
        if not node.args or not (reaching or _operates(node.args[0])):
            return None
        if not _consumes(node.func, self._suspends) or _awaits(node.args[0]):
            return None
        name = last_name(node.func) or ""
        known = CONSUMERS.get(name)
        count = 2 if name == "sum" else 1
        is_plain = len(node.args) <= count and not any(isinstance(one, ast.Starred) for one in node.args)
        is_plain = is_plain and not (len(node.args) > 1 and node.keywords)
        if known is None or not is_plain or not {one.arg for one in node.keywords} <= known:
            return None
        self._used |= reaching
        node.args[0] = self._passing(node.args[0])
        return _in_words(name, node)

    def _passing(self, node: ast.expr) -> ast.expr:
        """``enumerate(numbers())`` that only a loop or a builtin sees: a generator in words stands for it."""
        name = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if name not in PASSING or not self._suspends.is_builtin(name) or _awaits(node):
            return node
        assert isinstance(node, ast.Call)
        reaching = self._foreseen & consumed(node)
        is_starred = any(isinstance(one, ast.Starred) for one in node.args)
        if not reaching or is_starred or not {one.arg for one in node.keywords} <= PASSING[name]:
            return node
        most = {"enumerate": 2, "filter": 2}.get(name, len(node.args))
        least = {"enumerate": 1, "zip": 0}.get(name, 2)
        if not least <= len(node.args) + len(node.keywords) <= most:
            return node
        self._used |= reaching
        first = 1 if name in ("map", "filter") else 0
        node.args[first:] = [self._passing(one) for one in node.args[first:]]
        return _in_words(name, node)

    def visit_Starred(self, node: ast.Starred) -> ast.AST:
        """``[*numbers()]``: it is gone through before the display or the call goes on."""
        reaching = self._foreseen & runs(node.value) if isinstance(node.ctx, ast.Load) else None
        if reaching and not _awaits(node.value):
            self._used |= reaching
            function = build.constant(CONSUMER + "starred", node.value)
            value = self._passing(node.value)
            node.value = ast.copy_location(ast.Call(function, [value], []), node.value)
        return self.generic_visit(node)

    def visit_For(self, node: ast.For) -> ast.AST:
        node.iter = self._passing(node.iter)
        return self.generic_visit(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return node  # a lambda has no statement to put a function before

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.args = self.visit(node.args)
        before = self._kind, self._self_name
        self._kind = "function"
        first = [*node.args.posonlyargs, *node.args.args][:1]
        self._self_name = first[0].arg if first else None
        node.body = self.block(node.body)
        self._kind, self._self_name = before
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.bases = [self.visit(one) for one in node.bases]
        node.keywords = [self.visit(one) for one in node.keywords]
        before = self._kind, self._self_name
        self._kind, self._self_name = "class", None
        node.body = self.block(node.body)
        self._kind, self._self_name = before
        return node

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> ast.AST:
        for generator in node.generators:
            generator.iter = self._passing(generator.iter)
        first = node.generators[0]
        inner: list[ast.AST] = [*first.ifs]
        for generator in node.generators[1:]:
            inner += [generator.iter, *generator.ifs]
        inner += [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        is_async = any(generator.is_async for generator in node.generators)
        awaits = is_async or any(_awaits(part) for part in (*inner,))
        wanted = isinstance(node, ast.GeneratorExp) or any(map(self._suspends, [first.iter, *inner]))
        if not wanted and GENERATORS in self._foreseen:
            wanted = any(GENERATORS in runs(generator.iter) for generator in node.generators)
            self._used |= {GENERATORS} if wanted else set()
        if awaits or not wanted or node in self._consumed:
            return self.generic_visit(node)
        iterable = self.visit(first.iter)
        self._count += 1
        name = f".{_LABEL[type(node)]}{self._count}"
        self._before.append(self._function(name, node))
        return build.call(name, build.helper("iter", iterable, at=iterable), at=node)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension

    def _function(
        self, name: str, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> ast.stmt:
        body: list[ast.stmt] = [build.expression(self._produce(node))]
        if isinstance(node, ast.DictComp):
            target = ast.Subscript(build.load(_RESULT, node), build.load(_KEY, node), ast.Store())
            put = ast.Assign([ast.copy_location(target, node)], node.value)
            body = [build.assign(_KEY, node.key, node.key), ast.copy_location(put, node)]
        for number, generator in reversed(list(enumerate(node.generators))):
            for condition in reversed(generator.ifs):
                body = [ast.copy_location(ast.If(condition, body, []), condition)]
            source = build.load(ITERATOR, generator.iter) if number == 0 else generator.iter
            body = [ast.copy_location(ast.For(generator.target, source, body, []), node)]
        if not isinstance(node, ast.GeneratorExp):
            empty = ast.copy_location(_copied(_EMPTY[type(node)], node), node)
            result = ast.copy_location(ast.Return(build.load(_RESULT, node)), node)
            body = [build.assign(_RESULT, empty, node), *body, result]
        body = [*self._declarations(node), *body]
        inside = Lifter(self._suspends, self._foreseen, self._used)
        inside._kind, inside._self_name, inside._count = "function", self._self_name, self._count * 100
        body = [_Super(self._self_name).visit(statement) for statement in inside.block(body)]
        arguments = ast.arguments([ast.arg(ITERATOR)], [], None, [], [], None, [])
        function = ast.FunctionDef(name, arguments, body, [], None)
        if hasattr(ast, "TypeAlias"):
            function.type_params = []  # type: ignore[attr-defined]
        return located(ast.copy_location(function, node))

    @staticmethod
    def _produce(node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> ast.expr:
        if isinstance(node, ast.DictComp):
            return node.key
        if isinstance(node, ast.GeneratorExp):
            return ast.copy_location(ast.Yield(node.elt), node.elt)
        method = "append" if isinstance(node, ast.ListComp) else "add"
        function = ast.Attribute(build.load(_RESULT, node), method, ast.Load())
        return ast.copy_location(ast.Call(ast.copy_location(function, node), [node.elt], []), node)

    def _declarations(self, node: ast.AST) -> list[ast.stmt]:
        """Assignment expressions in a comprehension bind in the scope around it."""
        bound = {one.target.id for one in _at_once(node) if isinstance(one, ast.NamedExpr)}
        names = sorted(name for name in bound if not is_temporary(name))
        if not names:
            return []
        kind = ast.Nonlocal if self._kind == "function" else ast.Global  # Python allows none in a class
        return [ast.copy_location(kind(names), node)]


_CONSUMERS = frozenset(
    {"all", "any", "bytes", "dict", "frozenset", "list", "max", "min", "set", "sorted", "sum", "tuple"}
)


def _consumes(function: ast.expr, suspends: Suspension) -> bool:
    """Whether a callee is a function of C that goes through its first argument at once and keeps it not."""
    if isinstance(function, ast.Name):
        return function.id in _CONSUMERS and suspends.is_builtin(function.id)
    is_text = isinstance(function, ast.Attribute) and isinstance(function.value, ast.Constant)
    return is_text and function.attr == "join"  # type: ignore[attr-defined]


def _operates(node: ast.expr) -> bool:
    """Whether it is a generator with an operator that is a call (`implicit`)."""
    calls = (
        one for one in _at_once(node) if isinstance(one, ast.Call) and isinstance(one.func, ast.Constant)
    )
    return isinstance(node, ast.GeneratorExp) and any(
        str(one.func.value).startswith(OPERATION)  # type: ignore[attr-defined]
        for one in calls
    )


def _in_words(name: str, node: ast.Call) -> ast.Call:
    function = build.constant(CONSUMER + name, node.func)
    return ast.copy_location(ast.Call(function, [node.func, *node.args], node.keywords), node)


def _copied(node: ast.expr, at: ast.AST) -> ast.expr:
    import copy

    fresh = copy.deepcopy(node)
    for part in ast.walk(fresh):
        if isinstance(part, ast.expr):
            ast.copy_location(part, at)
    return fresh


def _at_once(node: ast.AST) -> list[ast.AST]:
    """The node and what it evaluates itself, functions inside left out."""
    found = [node]
    for child in children(node):
        if not isinstance(child, ast.Lambda):
            found += _at_once(child)
    return found


def _awaits(node: ast.AST) -> bool:
    return any(isinstance(one, ast.Await) for one in _at_once(node))


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
