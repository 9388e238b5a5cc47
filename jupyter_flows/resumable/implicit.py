"""Operators, attributes, loops, blocks and truth tests that may run a method of the flow become calls.

    a + b                 .add(a, b)                    where an `__add__` may reach the Flow API
    a.price               .getattr(a, "price")          where a property `price` may
    if a:                 if .bool(a):                  where a `__bool__` or `__len__` may
    for x in a:           while (x := .next(i, end)) is not end:
    with m as x:          the `try` that the language reference gives for it

A call is what the rest of the compiler knows to stop at. It costs speed, so it is done only where `knowledge`
foresees it; which of its names were used is part of the unit's identity, so that the same is done again
elsewhere. `async with` and `async for` are always written out: their awaits are calls like others.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable
from typing import Any

from . import build
from .knowledge import taken_apart
from .matching import Position, position_of
from .operations import OPERATIONS, names_of
from .temporaries import MARK, OPERATION

_ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "truediv",
    ast.FloorDiv: "floordiv",
    ast.Mod: "mod",
    ast.Pow: "pow",
    ast.MatMult: "matmul",
    ast.LShift: "lshift",
    ast.RShift: "rshift",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "lt",
    ast.Gt: "gt",
    ast.LtE: "le",
    ast.GtE: "ge",
    ast.Eq: "eq",
    ast.NotEq: "ne",
}
_UNARY: dict[type[ast.unaryop], str] = {ast.USub: "neg", ast.UAdd: "pos", ast.Invert: "invert"}
_CONVERSIONS = {ord("s"): "str", ord("r"): "repr"}
#: How many arguments they must have, and what else than a property they may run.
_ACCESSING = {
    "getattr": (2, ("__getattr__", "__getattribute__")),
    "setattr": (3, ("__setattr__",)),
    "delattr": (2, ("__delattr__",)),
}
_BUILTINS = frozenset(_ACCESSING) | frozenset(
    {"len", "str", "repr", "bool", "abs", "int", "float", "format", "iter", "next", "hash"}
)


def operation_of(node: ast.AST) -> str | None:
    """The name of the operation that a call stands for, if it does."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Constant):
        value = node.func.value
        if isinstance(value, str) and value.startswith(OPERATION):
            return value.removeprefix(OPERATION)
    return None


def _as_it_is(node: ast.expr) -> ast.expr:
    return node


class Implicit(ast.NodeTransformer):
    """Rewrites one unit; `used` tells afterwards which of the foreseen names it depended on.

    `births`: what each of its temporaries was made for (`lowering.Birth`).
    """

    def __init__(self, foreseen: frozenset[str], shadowed: set[str], prefix: str) -> None:
        self._foreseen = foreseen
        self._builtins = _BUILTINS - shadowed
        self._prefix = prefix
        self._count = 0
        self._is_function = False
        self._class_name = ""
        self.used: set[str] = set()
        self.births: dict[str, tuple[str, Position | None, int]] = {}
        self._born: Counter[tuple[str, Position | None]] = Counter()

    def _may_run(self, *names: str) -> bool:
        found = self._foreseen.intersection(names)
        self.used |= found
        return bool(found)

    def _may_do(self, operation: str) -> bool:
        return self._may_run(*names_of(operation))

    def _new_name(self, letter: str, at: ast.AST) -> str:
        """A temporary made for `at`; its letter is a capital, so that none of `normalising` has its name."""
        self._count += 1
        name = f".{letter}{self._count}" if self._is_function else f".{self._prefix}.{letter}{self._count}"
        place = letter, position_of(at)
        self.births[name] = (*place, self._born[place])
        self._born[place] += 1
        return name

    @staticmethod
    def _operation(name: str, *operands: ast.expr, at: ast.AST) -> ast.Call:
        assert name in OPERATIONS
        return build.helper(f"op {name}", *operands, at=at)

    # --- scopes ----------------------------------------------------------------------------------

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        node.decorator_list = [self.visit(one) for one in node.decorator_list]
        node.args = self.visit(node.args)
        before, self._is_function = self._is_function, True
        node.body = self._block(node.body)
        self._is_function = before
        return node

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        before, self._is_function = self._is_function, True
        self.generic_visit(node)
        self._is_function = before
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        before = self._is_function, self._class_name
        self._is_function, self._class_name = False, node.name.lstrip("_")
        self.generic_visit(node)
        self._is_function, self._class_name = before
        return node

    def _block(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for statement in statements:
            new = self.visit(statement)
            found += new if isinstance(new, list) else [new]
        return found

    # --- expressions -----------------------------------------------------------------------------

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        name = _ARITHMETIC[type(node.op)]
        return self._operation(name, node.left, node.right, at=node) if self._may_do(name) else node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.Not):
            node.operand = self._tested(node.operand)
            return node
        self.generic_visit(node)
        name = _UNARY[type(node.op)]
        is_plain = isinstance(node.operand, ast.Constant) or not self._may_do(name)
        return node if is_plain else self._operation(name, node.operand, at=node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        parts = self._comparisons(node)
        return parts[0] if len(parts) == 1 else self._one_of(ast.And(), parts, node)

    def _comparisons(self, node: ast.Compare) -> list[ast.expr]:
        """``a < b < c`` as ``a < (.T := b)`` and ``.T < c``, where that may run a method."""
        self.generic_visit(node)
        names = [_COMPARISONS.get(type(one), "contains") for one in node.ops if not _is_identity(one)]
        is_hit = bool([name for name in names if self._may_do(name)])  # each counts as used
        if not is_hit and not (len(node.ops) > 1 and self._may_do("bool")):
            return [node]
        parts: list[ast.expr] = []
        left = node.left
        for number, (op, right) in enumerate(zip(node.ops, node.comparators, strict=True)):
            kept = right
            if number < len(node.ops) - 1:
                name = self._new_name("T", right)
                kept = ast.copy_location(ast.NamedExpr(build.store(name, right), right), right)
                parts.append(self._compared(left, op, kept, node))
                left = build.load(name, right)
            else:
                parts.append(self._compared(left, op, kept, node))
        return parts

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr, at: ast.AST) -> ast.expr:
        name = _COMPARISONS.get(type(op))
        if name is not None and self._may_do(name):
            return self._operation(name, left, right, at=at)
        if name is not None or _is_identity(op) or not self._may_do("contains"):
            return ast.copy_location(ast.Compare(left, [op], [right]), at)
        kept = self._new_name("T", left)  # `in` evaluates its left side first
        bound = ast.copy_location(ast.NamedExpr(build.store(kept, left), left), left)
        call = self._operation("contains", right, build.load(kept, left), at=at)
        first = ast.copy_location(ast.Tuple([bound], ast.Load()), left)
        found: ast.expr = ast.copy_location(ast.IfExp(first, call, build.constant(None, at)), at)
        if isinstance(op, ast.NotIn):
            found = ast.copy_location(ast.UnaryOp(ast.Not(), found), at)
        return found

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load) or not self._may_get(node.attr):
            return node
        return self._operation("getattr", node.value, build.constant(self._mangled(node.attr), node), at=node)

    def _may_get(self, name: str) -> bool:
        return self._may_run(f".{name}", "__getattr__", "__getattribute__")

    def _mangled(self, name: str) -> str:
        is_private = name.startswith("__") and not name.endswith("__") and self._class_name
        return f"_{self._class_name}{name}" if is_private else name

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load) or not self._may_do("getitem"):
            return node
        return self._operation("getitem", node.value, self._index(node.slice), at=node)

    @staticmethod
    def _index(node: ast.expr) -> ast.expr:
        if not isinstance(node, ast.Slice):
            return node
        ends = [one or build.constant(None, node) for one in (node.lower, node.upper, node.step)]
        return build.helper("slice", *ends, at=node)

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        self.generic_visit(node)
        name = _CONVERSIONS.get(node.conversion)
        if name is not None and self._may_do(name):
            node.value, node.conversion = self._operation(name, node.value, at=node.value), -1
        elif node.conversion == -1 and self._may_do("format"):
            spec = node.format_spec or build.constant("", node)
            node.value = self._operation("format", node.value, spec, at=node.value)
            node.format_spec = None
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        function = node.func
        is_plain = not node.keywords and not any(isinstance(one, ast.Starred) for one in node.args)
        is_known = isinstance(function, ast.Name) and function.id in self._builtins
        if is_known and node.args and is_plain and self._may_do_builtin(function.id, node.args):  # type: ignore[attr-defined]
            node.func = build.constant(OPERATION + function.id, function)  # type: ignore[attr-defined]
        return node

    def _may_do_builtin(self, name: str, arguments: list[ast.expr]) -> bool:
        if name not in _ACCESSING:
            return self._may_do(name) and not (name == "iter" and len(arguments) > 1)
        count, special = _ACCESSING[name]
        attribute = arguments[1] if len(arguments) == count else None
        known = str(attribute.value) if isinstance(attribute, ast.Constant) else ""
        return attribute is not None and self._may_run("." + known, *special)

    # --- truth -----------------------------------------------------------------------------------

    def _tested(self, node: ast.expr) -> ast.expr:
        """An expression of which only the truth counts."""
        if isinstance(node, ast.BoolOp):
            node.values = [self._tested(one) for one in node.values]
            return node
        if isinstance(node, ast.Compare):
            parts = [self._truth(one) for one in self._comparisons(node)]
            return parts[0] if len(parts) == 1 else ast.copy_location(ast.BoolOp(ast.And(), parts), node)
        new = self.visit(node)
        assert isinstance(new, ast.expr)
        return self._truth(new)

    def _truth(self, node: ast.expr) -> ast.expr:
        is_known = _is_bool(node) or not self._may_do("bool")
        return node if is_known else self._operation("bool", node, at=node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        if not self._may_do("bool"):
            return self.generic_visit(node)
        return self._one_of(node.op, node.values, node, self.visit)

    def _one_of(
        self,
        op: ast.boolop,
        values: list[ast.expr],
        at: ast.expr,
        rewritten: Callable[[Any], Any] = _as_it_is,
    ) -> ast.expr:
        """``a and b`` as a value: ``b if bool(.T := a) else .T``; `.T` is let go in both branches.

        As in CPython nothing is asked twice: in ``a and b or c`` the last that was asked is the value.
        """
        last = values[-1]
        if not self._may_do("bool"):
            return ast.copy_location(ast.BoolOp(op, values), at)
        name = self._new_name("T", values[0])
        asked = [self._asked(one, name, rewritten) for one in values[:-1]]
        test = asked[0] if len(asked) == 1 else ast.copy_location(ast.BoolOp(op, asked), at)

        def gone() -> ast.expr:
            return ast.copy_location(ast.NamedExpr(build.store(name, last), build.constant(None, last)), last)

        this = build.item([build.load(name, last), gone()], 0, last)
        other = build.item([gone(), rewritten(last)], 1, last)
        branches = (other, this) if isinstance(op, ast.And) else (this, other)
        return ast.copy_location(ast.IfExp(test, *branches), at)

    def _asked(self, node: ast.expr, name: str, rewritten: Callable[[Any], Any]) -> ast.expr:
        """A test that leaves in a variable what was asked last."""
        if isinstance(node, ast.BoolOp):
            node.values = [self._asked(one, name, rewritten) for one in node.values]
            return node
        value = rewritten(node)
        bound = ast.copy_location(ast.NamedExpr(build.store(name, node), value), node)
        return bound if _is_bool(value) else self._operation("bool", bound, at=node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        node.test = self._tested(node.test)
        node.body, node.orelse = self.visit(node.body), self.visit(node.orelse)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.target, node.iter = self.visit(node.target), self.visit(node.iter)
        node.ifs = [self._tested(one) for one in node.ifs]
        return node

    def visit_If(self, node: ast.If | ast.While) -> ast.AST:
        node.test = self._tested(node.test)
        node.body, node.orelse = self._block(node.body), self._block(node.orelse)
        return node

    visit_While = visit_If

    def visit_Assert(self, node: ast.Assert) -> ast.AST:
        node.test = self._tested(node.test)
        node.msg = self.visit(node.msg) if node.msg is not None else None
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        node.guard = self._tested(node.guard) if node.guard is not None else None
        node.body = self._block(node.body)
        return node

    # --- assignments -----------------------------------------------------------------------------

    def _is_hit(self, target: ast.AST) -> bool:
        if isinstance(target, ast.Attribute):
            setting = "__setattr__" if isinstance(target.ctx, ast.Store) else "__delattr__"
            return self._may_run(f".{target.attr}", setting)
        if isinstance(target, ast.Subscript):
            return self._may_do("setitem" if isinstance(target.ctx, ast.Store) else "delitem")
        if isinstance(target, ast.Tuple | ast.List):
            return any(self._is_hit(one) for one in target.elts)
        return isinstance(target, ast.Starred) and self._is_hit(target.value)

    def visit_Assign(self, node: ast.Assign) -> Any:
        self.generic_visit(node)
        if not any(self._is_hit(target) for target in node.targets):
            return node
        name = self._new_name("T", node)
        stores: list[ast.stmt] = [build.assign(name, node.value, node)]
        for target in node.targets:
            stores += self._stored(target, build.load(name, node), node)
        return [*stores, *build.forget(name, node)]

    def _stored(self, target: ast.expr, value: ast.expr, at: ast.AST) -> list[ast.stmt]:
        if not self._is_hit(target):
            return [ast.copy_location(ast.Assign([target], value), at)]
        if isinstance(target, ast.Attribute):
            attribute = build.constant(self._mangled(target.attr), target)
            return [build.expression(self._operation("setattr", target.value, attribute, value, at=at))]
        if isinstance(target, ast.Subscript):
            index = self._index(target.slice)
            return [build.expression(self._operation("setitem", target.value, index, value, at=at))]
        assert isinstance(target, ast.Tuple | ast.List)
        parts: list[ast.expr] = []
        stores: list[ast.stmt] = []
        for element in target.elts:
            name = self._new_name("T", element)
            is_starred = isinstance(element, ast.Starred)
            inner = element.value if isinstance(element, ast.Starred) else element
            part: ast.expr = build.store(name, element)
            parts.append(ast.copy_location(ast.Starred(part, ast.Store()), element) if is_starred else part)
            stores += [*self._stored(inner, build.load(name, element), at), *build.forget(name, at)]
        unpacked = ast.copy_location(ast.Tuple(parts, ast.Store()), target)
        return [ast.copy_location(ast.Assign([unpacked], value), at), *stores]

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        is_extended = self._may_run(*taken_apart(node))  # a list, by what a generator gives (`wording`)
        self.generic_visit(node)
        name = f"i{_ARITHMETIC[type(node.op)]}"
        reads = isinstance(node.target, ast.Attribute) and self._may_get(node.target.attr)
        reads = reads or (isinstance(node.target, ast.Subscript) and self._may_do("getitem"))
        if not any([reads, self._is_hit(node.target), self._may_do(name), is_extended]):
            return node
        first: list[ast.stmt] = []
        read: ast.expr
        if isinstance(node.target, ast.Name):
            read = build.load(node.target.id, node.target)
        else:
            read = self._read_once(node.target, first)
        kept = self._new_name("T", node)
        value = self._operation(name, read, node.value, at=node)
        store = self._stored(node.target, build.load(kept, node), node)
        return [*first, build.assign(kept, value, node), *store, *build.forget(kept, node)]

    def _read_once(self, target: ast.Attribute | ast.Subscript, first: list[ast.stmt]) -> ast.expr:
        """The old value of a target whose parts are evaluated here, and are names afterwards."""

        def named(part: ast.expr) -> ast.Name:
            name = self._new_name("T", part)
            first.append(build.assign(name, part, part))
            return build.load(name, part)

        target.value = named(target.value)
        if isinstance(target, ast.Attribute):
            if self._may_get(target.attr):
                name = build.constant(self._mangled(target.attr), target)
                return self._operation("getattr", target.value, name, at=target)
            return ast.copy_location(ast.Attribute(target.value, target.attr, ast.Load()), target)
        target.slice = named(self._index(target.slice))
        if self._may_do("getitem"):
            return self._operation("getitem", target.value, target.slice, at=target)
        return ast.copy_location(ast.Subscript(target.value, target.slice, ast.Load()), target)

    def visit_Delete(self, node: ast.Delete) -> Any:
        self.generic_visit(node)
        if not any(self._is_hit(target) for target in node.targets):
            return node
        found: list[ast.stmt] = []
        for target in node.targets:
            if isinstance(target, ast.Attribute) and self._is_hit(target):
                name = build.constant(self._mangled(target.attr), target)
                found.append(build.expression(self._operation("delattr", target.value, name, at=node)))
            elif isinstance(target, ast.Subscript) and self._is_hit(target):
                index = self._index(target.slice)
                found.append(build.expression(self._operation("delitem", target.value, index, at=node)))
            else:
                found.append(ast.copy_location(ast.Delete([target]), node))
        return found

    # --- loops -----------------------------------------------------------------------------------

    def visit_For(self, node: ast.For) -> Any:
        self.generic_visit(node)
        return self._loop(node)

    def may_iterate(self) -> bool:
        """Whether to go over anything may run a method of the flow."""
        return self._may_run("__iter__", "__next__")

    def _loop(self, node: ast.For, is_iterator: bool = False) -> Any:
        if not self.may_iterate() and not self._is_hit(node.target):
            return node
        source = node.iter
        iterator, item = self._new_name("I", node), self._new_name("V", node)
        following = self._operation("next", build.load(iterator, source), _end(source), at=source)
        bound = ast.copy_location(ast.NamedExpr(build.store(item, source), following), source)
        test = ast.copy_location(ast.Compare(bound, [ast.IsNot()], [_end(source)]), source)
        bind = self._stored(node.target, build.load(item, source), node.target)
        body = [*bind, *build.forget(item, source), *node.body]
        loop = ast.copy_location(ast.While(test, body, node.orelse), node)
        given = source if is_iterator else self._operation("iter", source, at=source)
        first = build.assign(iterator, given, source)
        return [first, build.finally_([loop], build.forget(iterator, source), node)]

    def visit_AsyncFor(self, node: ast.AsyncFor) -> Any:
        self.generic_visit(node)
        return self._asynchronous(node)

    def of_comprehension(self, node: ast.For | ast.AsyncFor, is_first: bool) -> list[ast.stmt]:
        """A loop in a function that was a comprehension; the first goes over what the function was given."""
        before, self._is_function = self._is_function, True
        if isinstance(node, ast.AsyncFor):
            loop: Any = self._asynchronous(node, is_first)
        else:
            loop = self._loop(node, is_first)
        self._is_function = before
        return loop if isinstance(loop, list) else [loop]

    def iterator(self, source: ast.expr) -> ast.expr:
        """What a comprehension goes over first: it is asked for where the comprehension stands."""
        if self._may_run("__iter__"):
            return self._operation("iter", source, at=source)
        return build.helper("iter", source, at=source)

    def _asynchronous(self, node: ast.AsyncFor, is_iterator: bool = False) -> list[ast.stmt]:
        at = node.iter
        following, item, goes_on = (self._new_name(letter, node) for letter in "IVO")
        if is_iterator:
            assert isinstance(at, ast.Name)
            following = at.id
        call = ast.copy_location(ast.Await(build.call(following, at=at)), at)
        over = ast.ExceptHandler(build.constant(MARK + "async end", at), None, [])
        over.body = [build.assign(goes_on, build.constant(False, at), at)]
        over.is_ours = True  # type: ignore[attr-defined]
        bind = self._stored(node.target, build.load(item, at), node.target)
        pull = ast.Try([build.assign(item, call, at)], [ast.copy_location(over, at)], [], [])
        pull.orelse = [*bind, *build.forget(item, at), *node.body]
        loop = ast.While(build.load(goes_on, at), [ast.copy_location(pull, node)], node.orelse)
        ends = [*build.forget(following, at), *build.forget(goes_on, at)]
        first = [] if is_iterator else [build.assign(following, build.async_iterator(at), at)]
        return [
            *first,
            build.assign(goes_on, build.constant(True, at), at),
            build.finally_([ast.copy_location(loop, node)], ends, node),
        ]

    # --- with ------------------------------------------------------------------------------------

    def visit_With(self, node: ast.With) -> Any:
        self.generic_visit(node)
        return self._written_out(node, "manager") if self._may_run("__enter__", "__exit__") else node

    def visit_AsyncWith(self, node: ast.AsyncWith) -> Any:
        self.generic_visit(node)
        return self._written_out(node, "async manager")

    def _written_out(self, node: ast.With | ast.AsyncWith, helper: str) -> list[ast.stmt]:
        """The language reference's own equivalent of a `with` statement."""
        item, rest = node.items[0], node.items[1:]
        at = item.context_expr
        enter, leave, value, is_left, error = (self._new_name(letter, node) for letter in "NXVLE")
        is_async = isinstance(node, ast.AsyncWith)

        def called(name: str, *arguments: ast.expr) -> ast.expr:
            call = build.call(name, *arguments, at=at)
            return ast.copy_location(ast.Await(call), at) if is_async else call

        body = self._written_out(_with(node, rest), helper) if rest else node.body
        if item.optional_vars is not None:
            body = [
                *self._stored(item.optional_vars, build.load(value, at), at),
                *build.forget(value, at),
                *body,
            ]
        kind = build.helper("type", build.load(error, at), at=at)
        trace = ast.copy_location(ast.Attribute(build.load(error, at), "__traceback__", ast.Load()), at)
        is_eaten = called(leave, kind, build.load(error, at), trace)
        signal = build.helper("is uncatchable", build.load(error, at), at=at)
        passed = ast.copy_location(ast.UnaryOp(ast.Not(), is_eaten), at)
        again = ast.copy_location(ast.BoolOp(ast.Or(), [passed, signal]), at)
        handler = ast.ExceptHandler(build.constant(MARK + "any error", at), error, [])
        handler.is_ours = True  # type: ignore[attr-defined]
        handler.body = [
            build.assign(is_left, build.constant(True, at), at),
            ast.copy_location(ast.If(again, [ast.copy_location(ast.Raise(None, None), at)], []), at),
        ]
        protected = ast.copy_location(ast.Try(body, [ast.copy_location(handler, at)], [], []), node)
        nothing = [build.constant(None, at) for _ in range(3)]
        leaving: list[ast.stmt] = [build.expression(called(leave, *nothing))]
        not_left = ast.copy_location(ast.UnaryOp(ast.Not(), build.load(is_left, at)), at)
        final: list[ast.stmt] = [ast.copy_location(ast.If(not_left, leaving, []), at)]
        both = ast.copy_location(ast.Tuple([build.store(enter, at), build.store(leave, at)], ast.Store()), at)
        entered = called(enter)
        keeps = (
            build.assign(value, entered, at) if item.optional_vars is not None else build.expression(entered)
        )
        start: list[ast.stmt] = [
            ast.copy_location(ast.Assign([both], build.helper(helper, at, at=at)), at),
            keeps,
            *build.forget(enter, at),
            build.assign(is_left, build.constant(False, at), at),
        ]
        clear = [*build.forget(leave, at), *build.forget(is_left, at)]
        return [*start, build.finally_([build.finally_([protected], final, node)], clear, node)]


def _with(node: ast.With | ast.AsyncWith, items: list[ast.withitem]) -> Any:
    return ast.copy_location(type(node)(items, node.body), node)


def _end(at: ast.AST) -> ast.Constant:
    return build.constant(MARK + "end", at)


def _is_bool(node: ast.expr) -> bool:
    """Whether its truth runs nothing: a constant, or what is surely a bool."""
    if isinstance(node, ast.Compare):
        return all(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops)
    is_test = operation_of(node) in ("bool", "contains")
    return is_test or isinstance(node, ast.Constant) or _is_not(node)


def _is_not(node: ast.expr) -> bool:
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)


def _is_identity(op: ast.cmpop) -> bool:
    return isinstance(op, ast.Is | ast.IsNot)
