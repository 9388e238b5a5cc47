"""Normalise: every value that a frame needs to go on later gets a name, before the code is compiled.

One method per construct, each a page at most. What stays on Python's value stack across a call, and what it
becomes here:

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
from dataclasses import dataclass, field

from . import build
from .classes import CLASS
from .implicit import Implicit
from .lifting import ITERATOR, Lifter
from .matching import Position, position_of
from .operands import Suspension, definition_parts, is_annotation, needs_keeping, part_at, put_at
from .scopes import Scope, analyse
from .spilling import Spiller, bound_in
from .temporaries import is_temporary
from .visible import Visible, mentions_namespaces
from .walking import children, located, walk

#: How a protected block is being left: kept in its `.w` variable. Returns are RETURN + their number.
RAISED, THROUGH, BREAK, CONTINUE, RETURN = 0, 1, 2, 3, 1000

CELLS = ".cells"

#: A temporary's letter, the position of what it was made for, and its number among equals.
Birth = tuple[str, Position | None, int]

_SAFE_EXCEPTIONS = frozenset(
    name
    for name, value in vars(__import__("builtins")).items()
    if isinstance(value, type) and issubclass(value, Exception)
)


@dataclass
class Frame:
    """What one scope's lowering needs to know."""

    scope: Scope
    prefix: str
    count: int = 0
    blocks: list[str | None] = field(default_factory=list)  # `.w` names, None for a loop
    global_temporaries: set[str] = field(default_factory=set)
    at: ast.AST | None = None  # what is being lowered
    around: Frame | None = None  # of a class's body: the function or module that its temporaries live in
    classes: int = 0
    class_names: set[str] = field(default_factory=set)  # temporaries of classes that were lowered in it

    def block_name(self, letter: str) -> str:
        self.count += 1
        name = f".{self.prefix}{letter}{self.count}"
        # Where it was born: an edited source numbers differently, and finds the name by this (`moving`).
        births: dict[str, Birth] = (self.around or self).scope.node.__dict__.setdefault("births", {})
        place = (letter, position_of(self.at) if self.at is not None else None)
        births[name] = (*place, sum(one[:2] == place for one in births.values()))
        return name


def normalise(
    tree: ast.Module,
    prefix: str,
    interactive: bool,
    foreseen: frozenset[str] = frozenset(),
    catches_all: bool = False,
) -> tuple[ast.Module, frozenset[str]]:
    """The tree that is compiled and run instead of the author's, and the foreseen names it depends on.

    Arguments: `tree` is used up; `prefix` keeps temporaries of module level apart from other units';
    `interactive` sends the value of a last expression to `sys.displayhook`; `foreseen`: special methods and
    attributes that may reach the Flow API (`knowledge`); `catches_all`: its handlers may catch life-cycle
    signals, for they pass on what they catch.
    """
    for node in walk(tree) if catches_all else ():
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
    tree.body = Lifter(suspends, foreseen, implicit).block(tree.body)
    scopes = analyse(tree)
    suspends = Suspension(_bound_names(scopes), tree)
    _Lowering(suspends, scopes, prefix).module(tree)
    return located(tree), frozenset(implicit.used)


def is_held(scope: Scope) -> bool:
    """Whether all shared cells of a function can be had from the function, which its caller holds.

    So it is with a lifted comprehension that makes no functions: it is called where it was made.
    """
    name = getattr(scope.node, "name", "")
    return name.startswith((".listcomp", ".setcomp", ".dictcomp")) and not scope.captured_names()


def _bound_names(scopes: dict[ast.AST, Scope]) -> set[str]:
    found: set[str] = set()
    for scope in scopes.values():
        found |= set(scope.bound) | scope.parameters
    return found


class _Lowering:
    def __init__(self, suspends: Suspension, scopes: dict[ast.AST, Scope], prefix: str) -> None:
        self._suspends = suspends
        self._scopes = scopes
        self._prefix = prefix
        self._frame = Frame(Scope(ast.Module([], []), None, "module"), "")
        self._keeping: set[ast.ExceptHandler] = set()  # that keep their exception already

    # --- scopes ----------------------------------------------------------------------------------

    def module(self, tree: ast.Module) -> None:
        self._frame = Frame(self._scopes[tree], f"{self._prefix}.")
        start = 0
        while start < len(tree.body) and _belongs_first(tree.body[start]):
            start += 1
        body = self.block(tree.body[start:])
        if any(isinstance(one, ast.Name) and one.id.startswith(".") for one in _own_nodes(body)):
            body = [self._swept(body, tree.body[start], tree.body[-1])]
        tree.body = [*tree.body[:start], *body]

    def _swept(self, body: list[ast.stmt], first: ast.stmt, last: ast.stmt) -> ast.Try:
        """A module's temporaries go at its end: where a debugger stands anyway, and no line seems to run."""

        def sweep(at: ast.stmt) -> ast.stmt:
            return build.expression(build.helper("sweep", build.constant(f".{self._prefix}.", at), at=at))

        again: ast.stmt = ast.copy_location(ast.Raise(None, None), first)
        failed = ast.copy_location(ast.ExceptHandler(None, None, [sweep(first), again]), first)
        return ast.copy_location(ast.Try(body, [failed], [sweep(last)], []), first)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        outer, self._frame = self._frame, Frame(self._scopes[node], "")
        scope = self._frame.scope
        start = 1 if _is_docstring(node.body[0]) else 0
        declared = [one for one in _own_nodes(node.body) if isinstance(one, ast.Global | ast.Nonlocal)]
        body = self.block(node.body[start:])
        first: list[ast.stmt] = []
        run = [one for one in node.body[start:] if not isinstance(one, ast.Global | ast.Nonlocal)]
        at = run[0] if run else node  # a line that runs in plain Python too
        for kind in (ast.Global, ast.Nonlocal):
            names = sorted({name for one in declared if isinstance(one, kind) for name in one.names})
            first += [ast.copy_location(kind(names), at)] if names else []
        exposed = scope.exposed_names()
        if exposed and not is_held(scope) and any(self._suspends(one) for one in node.body):
            values = ast.copy_location(ast.Tuple([build.load(name, at) for name in exposed], ast.Load()), at)
            nothing = ast.arguments([], [], None, [], [], None, [])
            first.append(build.assign(CELLS, ast.copy_location(ast.Lambda(nothing, values), at), at))
        node.body = [*node.body[:start], *first, *body] or [ast.copy_location(ast.Pass(), at)]
        self._frame = outer

    def _class(self, node: ast.ClassDef) -> None:
        """A class's namespace may be watched (enum): temporaries of its body live in the function around.

        So a savepoint takes the body as a part of that function (`classes`).
        """
        outer = self._frame
        around = outer.around or outer
        around.classes += 1
        prefix = f"{around.prefix}c{around.classes}."
        node.temporaries = f".{prefix}"  # type: ignore[attr-defined]
        self._frame = Frame(self._scopes[node], prefix, around=around)
        start = 1 if _is_docstring(node.body[0]) else 0
        declared = [one for one in _own_nodes(node.body) if isinstance(one, ast.Global | ast.Nonlocal)]
        has_cell = self._scopes[node].has_class_cell() and any(self._suspends(one) for one in node.body)
        body = self.block(node.body[start:])
        if has_cell:
            at = body[0]
            nothing = ast.arguments([], [], None, [], [], None, [])
            cell = ast.copy_location(ast.Lambda(nothing, build.load("__class__", at)), at)
            body.insert(0, build.assign(f".{prefix}{CLASS}", cell, at))
        names = temporaries_in(body)
        around.class_names |= names
        shared = ast.Nonlocal if around.scope.kind == "function" else ast.Global
        for kind in (ast.Global, ast.Nonlocal):
            theirs = {name for one in declared if isinstance(one, kind) for name in one.names}
            theirs |= names if kind is shared else set()
            if theirs:
                body.insert(0, ast.copy_location(kind(sorted(theirs)), node.body[0]))
        node.body = [*node.body[:start], *body] or [ast.copy_location(ast.Pass(), node)]
        self._frame = outer

    # --- statements ------------------------------------------------------------------------------

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

    def _Return(self, node: ast.Return) -> list[ast.stmt]:
        flags = [name for name in self._frame.blocks if name is not None]
        if not flags:
            return self._simple(node)[:1]
        number = self._frame.count = self._frame.count + 1
        name = f".{self._frame.prefix}r{number}"
        value = node.value or build.constant(None, node)
        kept = self._simple(build.assign(name, value, node))
        marks = [build.assign(flag, build.constant(RETURN + number, node), node) for flag in flags]
        return [*kept, *marks, ast.copy_location(ast.Return(build.load(name, node)), node)]

    def _leave(self, node: ast.stmt, how: int) -> list[ast.stmt]:
        marks: list[ast.stmt] = []
        for flag in reversed(self._frame.blocks):
            if flag is None:
                break
            marks.append(build.assign(flag, build.constant(how, node), node))
        return [*marks, node]

    def _Break(self, node: ast.Break) -> list[ast.stmt]:
        return self._leave(node, BREAK)

    def _Continue(self, node: ast.Continue) -> list[ast.stmt]:
        return self._leave(node, CONTINUE)

    # --- assignments -----------------------------------------------------------------------------

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

    # --- definitions -----------------------------------------------------------------------------

    def _FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.stmt]:
        spiller = self._defined(node, False)
        self._function(node)
        return [node, *spiller.cleanup(node)]

    _AsyncFunctionDef = _FunctionDef

    def _defined(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, waits: bool) -> Spiller:
        """Keep what a definition evaluates; `waits`: all of it waits for the body of a class.

        Decorators wait until they are applied, which is a call too.
        """
        has_annotations = bool(self._suspends.annotations(node))
        parts = [one for one in definition_parts(node) if has_annotations or not is_annotation(one)]
        if isinstance(node, ast.ClassDef) and getattr(node, "type_params", None):
            parts = [one for one in parts if one[0][0] == "decorator_list"]  # Python allows no `:=` there
        values = [part_at(node, one) for one in parts]
        rebound = [one.value if isinstance(one, ast.keyword) else one for one in values]
        spiller = self._spiller(ast.Tuple(rebound, ast.Load()))
        applies = any(self._suspends.applies(one) for one in node.decorator_list)
        for number, (steps, part) in enumerate(zip(parts, values, strict=True)):
            later = waits or any(self._suspends(one) for one in values[number + 1 :])
            later = later or (applies and steps[0][0] == "decorator_list")
            put_at(node, steps, spiller.waiting(self._spilled(spiller, part), later))
        return spiller

    def _ClassDef(self, node: ast.ClassDef) -> list[ast.stmt]:
        spiller = self._defined(node, any(self._suspends(one) for one in node.body))
        self._class(node)
        frame = self._frame
        names = sorted(frame.class_names)
        if frame.around is not None:
            names = []  # the function around lets them go
        elif frame.scope.kind != "function":
            names = [name for name in names if name.endswith(CLASS)]
        frame.class_names = set() if frame.around is None else frame.class_names
        gone = [one for name in names for one in build.forget(name, node)]
        return [node, *spiller.cleanup(node), *gone]

    # --- branches and loops ----------------------------------------------------------------------

    def _If(self, node: ast.If) -> list[ast.stmt]:
        spiller = self._spiller(node.test)
        node.test = self._spilled(spiller, node.test)
        node.body = [*spiller.cleanup(node.test), *self.block(node.body)]
        node.orelse = [*spiller.cleanup(node.test), *self.block(node.orelse)]
        return [node]

    def _looped(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        self._frame.blocks.append(None)
        lowered = self.block(statements)
        self._frame.blocks.pop()
        return lowered

    def _While(self, node: ast.While) -> list[ast.stmt]:
        spiller = self._spiller(node.test)
        node.test = self._spilled(spiller, node.test)
        node.body = [*spiller.cleanup(node.test), *self._looped(node.body)]
        node.orelse = [*spiller.cleanup(node.test), *self.block(node.orelse)]
        return [node]

    def _For(self, node: ast.For) -> list[ast.stmt]:
        """The iterator lives in a variable, and is let go exactly when Python would let it go."""
        inside = [*node.body, node.target]
        source = node.iter
        if isinstance(source, ast.Name) and source.id == ITERATOR:  # a lifted function has it in a variable
            node.body = [*self._loop_target(node), *self._looped(node.body)]
            return [node]
        if not any(self._suspends(one) for one in inside):
            spiller = self._spiller(source)
            name = self._frame.block_name("i")
            before: list[ast.stmt] = []
            may_run = isinstance(source, ast.Name | ast.Attribute | ast.Subscript)  # a generator, for one
            is_kept = may_run and needs_keeping(source, self._frame.scope.is_stable)
            if self._suspends(source):
                spilled = self._spilled(spiller, source)
                before = [build.assign(name, spilled, source), *spiller.cleanup(source)]
                node.iter = ast.copy_location(build.load(name, source), source)
            elif is_kept:
                node.iter = ast.copy_location(ast.NamedExpr(build.store(name, source), source), source)
            else:
                self._spilled(spiller, source)
            node.body, node.orelse = self._looped(node.body), self.block(node.orelse)
            return [*before, node, *(build.forget(name, source) if before or is_kept else [])]
        spiller = self._spiller(source)
        name = self._frame.block_name("i")
        iterator = build.helper("iter", self._spilled(spiller, source), at=source)
        before = [build.assign(name, iterator, source), *spiller.cleanup(source)]
        node.iter = build.load(name, source)
        node.body = [*self._loop_target(node), *self._looped(node.body)]
        node.orelse = self.block(node.orelse)
        return [*before, build.finally_([node], build.forget(name, source), node)]

    def _loop_target(self, node: ast.For) -> list[ast.stmt]:
        """The statements that bind a target with a call in it; the loop itself then binds a temporary."""
        if not self._suspends(node.target):
            return []
        source, value = node.iter, self._frame.block_name("v")
        target = ast.copy_location(ast.Assign([node.target], build.load(value, source)), node)
        node.target = build.store(value, source)
        return self._Assign(target)

    # --- with ------------------------------------------------------------------------------------

    def _With(self, node: ast.With | ast.AsyncWith) -> list[ast.stmt]:
        if len(node.items) > 1:
            first = type(node)(
                node.items[:1], [ast.copy_location(type(node)(node.items[1:], node.body), node)]
            )
            return self._With(ast.copy_location(first, node))
        item = node.items[0]
        source = item.context_expr
        spiller = self._spiller(source)
        name, flag = self._frame.block_name("m"), self._frame.block_name("w")
        kept = build.assign(name, self._spilled(spiller, source), source)
        item.context_expr = build.load(name, source)
        target: list[ast.stmt] = []
        if item.optional_vars is not None and self._suspends(item.optional_vars):
            value = self._frame.block_name("v")
            store = ast.Assign([item.optional_vars], build.load(value, source))
            target = self._Assign(ast.copy_location(store, node))
            item.optional_vars = build.store(value, source)
        self._frame.blocks.append(flag)
        body = [*target, *self.block(node.body)]
        self._frame.blocks.pop()
        node.body = self._marked(body, flag, node)
        final = [*build.forget(name, source), *build.forget(flag, source)]
        start = build.assign(flag, build.constant(THROUGH, source), source)
        return [kept, *spiller.cleanup(source), start, build.finally_([node], final, node)]

    _AsyncWith = _With

    def _marked(self, body: list[ast.stmt], flag: str, at: ast.stmt) -> list[ast.stmt]:
        """The body with the ways out of it told in `flag`, where anything but falling off its end occurs."""
        names = {one.id for one in _own_nodes(body) if isinstance(one, ast.Name)}
        if flag not in names:
            return body
        return [*body, build.assign(flag, build.constant(THROUGH, at), at)]

    # --- try -------------------------------------------------------------------------------------

    def _Try(self, node: ast.Try) -> list[ast.stmt]:
        if not any(self._suspends(one) for one in node.finalbody):
            return [self._try_without_final(node, node.finalbody)]
        flag, error = self._frame.block_name("w"), self._frame.block_name("e")
        self._frame.blocks.append(flag)
        final, node.finalbody = node.finalbody, []
        body: list[ast.stmt] = [self._try_without_final(node, [])] if node.handlers else self.block(node.body)
        self._frame.blocks.pop()
        start, end = final[0], final[-1]  # where a debugger stands next, and stood last
        body.append(build.assign(flag, build.constant(THROUGH, start), start))
        mark: list[ast.stmt] = [
            build.assign(flag, build.constant(RAISED, start), start),
            build.assign(error, build.helper("exception", at=start), start),
            ast.copy_location(ast.Raise(None, None), start),
        ]
        handler = ast.copy_location(ast.ExceptHandler(None, None, mark), start)
        protected = ast.copy_location(ast.Try(body, [handler], [], []), node)
        clear = [*build.forget(error, end), *build.forget(flag, end)]
        inner = build.finally_(self.block(final), clear, start)
        return [build.finally_([protected], [inner], node)]

    def _TryStar(self, node: ast.TryStar) -> list[ast.stmt]:
        parts = [part for one in node.handlers for part in (one.type, *one.body)]
        return self._Try(self._groups_written_out(node) if any(map(self._suspends, parts)) else node)  # type: ignore[arg-type]

    def _groups_written_out(self, node: ast.TryStar) -> ast.Try:
        """``except*`` clauses with a call inside as ordinary handlers (`groups`)."""
        first, last = node.handlers[0], node.handlers[-1].body[-1]
        kept, state, rest = (self._frame.block_name(letter) for letter in "egg")
        begun = build.helper("group begun", build.load(kept, first), at=first)
        clauses: list[ast.stmt] = [build.assign(state, begun, first)]
        clear: list[ast.stmt] = []
        for handler in node.handlers:
            matched = self._frame.block_name("e")
            clauses.append(self._clause(handler, state, matched))
            clear += build.forget(matched, last)
        clauses.append(build.assign(rest, build.helper("group left", build.load(state, last), at=last), last))
        clauses.append(
            ast.copy_location(ast.If(build.load(rest, last), self._raised_as_is(rest, last), []), last)
        )
        for name in (rest, state, kept):
            clear += build.forget(name, last)
        body: list[ast.stmt] = [_kept_exception(kept, first), build.finally_(clauses, clear, first)]
        caught = ast.copy_location(ast.ExceptHandler(None, None, body), first)
        self._keeping.add(caught)
        return ast.copy_location(ast.Try(node.body, [caught], node.orelse, node.finalbody), node)

    def _clause(self, handler: ast.ExceptHandler, state: str, name: str) -> ast.If:
        """One clause; no more blocks in each other than it needs: CPython allows about 20."""
        assert handler.type is not None
        kinds = build.helper("narrowed", handler.type, at=handler.type)
        test = build.helper("group matched", build.load(state, handler), kinds, at=handler)
        take = build.expression(build.helper("group taken", build.load(state, handler), at=handler))
        settle = build.expression(build.helper("settle", build.load(name, handler), at=handler))
        body = _catching_all(handler.name, [_kept_exception(name, handler), settle, *handler.body], handler)
        self._keeping.add(body)
        inner = ast.copy_location(ast.Try([take], [body], [], []), handler)
        at = handler.body[-1]
        error = build.helper("exception", at=at)
        keep = build.expression(build.helper("group collected", build.load(state, at), error, at=at))
        # A signal that a clause sends is not collected: it goes through at once (`_try_without_final`).
        collect = ast.copy_location(ast.ExceptHandler(None, None, [keep]), at)
        outer = ast.copy_location(ast.Try([inner], [collect], [], []), handler)
        return ast.copy_location(ast.If(test, [outer], []), handler)

    @staticmethod
    def _raised_as_is(name: str, at: ast.AST) -> list[ast.stmt]:
        """Raise what a variable holds without a trace of it: no line of its traceback, no context."""
        again = build.expression(build.helper("raise again", build.load(name, at), at=at))
        settle = build.expression(build.helper("settle", build.load(name, at), at=at))
        handler = _catching_all(None, [settle, ast.copy_location(ast.Raise(None, None), at)], at)
        return [ast.copy_location(ast.Try([again], [handler], [], []), at)]

    def _try_without_final(self, node: ast.Try, final: list[ast.stmt]) -> ast.Try:
        node.body = self.block(node.body)
        node.handlers = [self._handler(one) for one in node.handlers]
        if isinstance(node, ast.TryStar):
            for handler in node.handlers:
                assert handler.type is not None
                handler.type = build.helper("narrowed", handler.type, at=handler.type)
        elif not all(hasattr(one, "is_ours") or self._is_harmless(one) for one in node.handlers):
            signals = build.helper("uncatchable", at=node.handlers[0])
            passing = ast.ExceptHandler(signals, None, [ast.copy_location(ast.Raise(None, None), node)])
            node.handlers.insert(0, ast.copy_location(passing, node.handlers[0]))
        node.orelse = self.block(node.orelse)
        node.finalbody = self.block(final)
        return node

    def _is_harmless(self, handler: ast.ExceptHandler) -> bool:
        """Whether it can only catch ordinary exceptions, never a life-cycle signal."""
        types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
        return all(isinstance(one, ast.Name) and one.id in _SAFE_EXCEPTIONS for one in types)

    def _handler(self, handler: ast.ExceptHandler) -> ast.ExceptHandler:
        self._frame.at = handler
        if handler in self._keeping or not any(self._suspends(one) for one in handler.body):
            handler.body = self.block(handler.body)
            return handler
        at = handler.body[0]
        name = self._frame.block_name("e")
        kept = _kept_exception(name, at)
        handler.body = [kept, build.finally_(self.block(handler.body), build.forget(name, at), at)]
        return handler

    # --- match -----------------------------------------------------------------------------------

    def _Match(self, node: ast.Match) -> list[ast.stmt]:
        spiller = self._spiller(node.subject)
        subject = self._spilled(spiller, node.subject)
        name = self._frame.block_name("s")
        for case in node.cases:
            if case.guard is not None:
                guard = self._spiller(case.guard)
                case.guard = self._spilled(guard, case.guard)
                case.body = [*guard.cleanup(case.guard), *self.block(case.body)]
            else:
                case.body = self.block(case.body)
        if not any(self._suspends(case.guard) for case in node.cases):
            before = build.assign(name, subject, subject)
            if not spiller.names and not spiller.uncertain:
                node.subject = subject
                return [node]
            node.subject = build.load(name, subject)
            return [before, *spiller.cleanup(subject), node, *build.forget(name, node)]
        node.subject = build.load(name, subject)
        kept = build.assign(name, subject, subject)
        return [kept, *spiller.cleanup(subject), build.finally_([node], build.forget(name, node), node)]


def _kept_exception(name: str, at: ast.AST) -> ast.Assign:
    return build.assign(name, build.helper("exception", at=at), at)


def _catching_all(name: str | None, body: list[ast.stmt], at: ast.AST) -> ast.ExceptHandler:
    """A handler of ours, of what is known not to be a life-cycle signal."""
    handler = ast.ExceptHandler(build.constant("\0resumable any error", at), name, body)
    handler.is_ours = True  # type: ignore[attr-defined]
    return ast.copy_location(handler, at)


def replaced_elements(target: ast.Tuple | ast.List, elements: list[ast.expr]) -> ast.expr:
    return ast.copy_location(type(target)(elements, ast.Store()), target)


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _belongs_first(node: ast.stmt) -> bool:
    is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
    return is_future or _is_docstring(node)


def temporaries_in(statements: list[ast.stmt]) -> set[str]:
    """Temporaries that a body binds itself, lifted functions among them."""
    found: set[str] = set()
    waiting: list[ast.AST] = [*statements]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found |= {node.name} if is_temporary(node.name) else set()
            waiting += [part_at(node, one) for one in definition_parts(node)]
        elif isinstance(node, ast.Name):
            found |= {node.id} if is_temporary(node.id) and not isinstance(node.ctx, ast.Load) else set()
        else:
            waiting += node.args.defaults if isinstance(node, ast.Lambda) else children(node)
    return found


def _own_nodes(statements: list[ast.stmt]) -> list[ast.AST]:
    """All nodes of a body, those of functions and classes inside left out."""
    found: list[ast.AST] = []
    waiting: list[ast.AST] = list(reversed(statements))
    while waiting:
        node = waiting.pop()
        found.append(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            waiting += [*node.decorator_list, *(node.bases if isinstance(node, ast.ClassDef) else [])]
        elif not isinstance(node, ast.Lambda):
            waiting += reversed(children(node))
    return found
