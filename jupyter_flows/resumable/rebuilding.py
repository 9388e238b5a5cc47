"""Rebuild: from a syntax tree and a place in it to the function that starts at that place.

The variant keeps the rest of the author's code as it was and replaces only the way to the place: earlier
statements are gone, values that waited are read from their temporaries, loops go on with the saved iterator,
`with` does not enter again, handlers are entered with the saved exception. What is not known exactly is
refused (`Refused`), never guessed.
"""

from __future__ import annotations

import ast
from typing import Any

from . import build, classes
from .implicit import operation_of
from .lowering import BREAK, CONTINUE, RAISED, RETURN, THROUGH
from .operands import Refused, Slot, Steps, definition_parts, part_at, put_at, replaced, reread, resumed
from .temporaries import CELL_OF_CLASS
from .units import Scope
from .walking import located

NEXT = ".next"  # what the site calls: the next inner frame, or what hands over the value
STATE = ".state"
VARIANT_NAME = "<variant>"
#: How a frame waits: at a call, at one that gives nothing whatever the next frame returns, in a class's
#: `__init__`, at a `yield`, at a `yield from`, before its first statement; or it iterates a generator that is
#: under way, by `for` or by `yield from`.
CALL, NOTHING, INIT, YIELDED, DELEGATED, START = "call", "nothing", "init", "yielded", "delegated", "start"
FOR, DELEGATES, AWAITS = "for", "delegates", "awaits"
#: Or it closes a generator that is under way, by its `close`, or awaits its `aclose`.
CLOSES, AWAITS_END = "closes", "awaits end"
#: Or it takes the next item for ``next(iterator, default)``, or runs an operand's method ("op INDEX METHOD").
PULLS, OPERATES = "pulls", "op "
MADE = ".made"  # the object that an `__init__` under way makes


class Variant:
    """Builds the statements that go on from one place of one scope."""

    def __init__(self, scope: Scope, steps: Steps, kept: dict[str, Any], role: str = "call") -> None:
        self._scope = scope
        self._kept = kept
        self._loops = 0
        self._role = role
        self._classes = 0  # that are under way around
        self._owned: list[str] = []  # temporaries of classes of a module that have a cell
        self.inside: set[str] = set()  # temporaries in the body of a class that is under way
        self.flags: list[str] = []
        self.needed: set[str] = set()
        self.statements: list[ast.stmt]
        node = scope.node
        if role == START:
            assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            skipped = (ast.Global, ast.Nonlocal)
            self.statements = [one for one in node.body if not isinstance(one, skipped)]
        elif isinstance(node, ast.Lambda):
            value = self._expression(node.body, steps[1:])
            self.statements = [ast.copy_location(ast.Return(value), node.body)]
        else:
            assert isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef)
            self.statements = self._block(node.body, steps)

    # --- expressions -----------------------------------------------------------------------------

    def _expression(self, node: ast.AST, steps: Steps) -> Any:
        site = ast.Call(ast.Name(NEXT, ast.Load()), [], [])
        target = node
        for field, index in steps:
            target = Slot(field, index).get(target)
        ast.copy_location(site, target)
        ast.copy_location(site.func, target)
        site.number = target.number  # type: ignore[attr-defined]
        # The next frame, and what it holds, must go as soon as Python would let it go.
        drop: list[ast.expr] = [_dropped(NEXT, target)]
        made: list[ast.expr] = [build.constant(None, target)] if self._role == NOTHING else []
        if self._role == INIT:  # a class gives the object, whatever its `__init__` returns
            made = [build.load(MADE, target)]
            drop.append(_dropped(MADE, target))
            self.needed.add(MADE)
        values = ast.copy_location(ast.Tuple([site, *made, *drop], ast.Load()), target)
        at_site: ast.expr = ast.Subscript(values, build.constant(len(made), target), ast.Load())
        if self._role in (YIELDED, DELEGATED, DELEGATES, AWAITS, AWAITS_END):
            at_site = self._at_yield(target)
        if self._role.startswith(OPERATES):
            at_site = self._operation(target, at_site)
        if self._role == PULLS:
            at_site = self._pull(target)
        return resumed(node, steps, at_site, self._scope.is_stable, self.needed)

    def _operation(self, target: ast.AST, site: ast.expr) -> ast.expr:
        """What an operator makes of the result of the method that it runs."""
        _, index, name = self._role.split(" ")
        operation = operation_of(target)
        assert isinstance(target, ast.Call)
        assert operation is not None
        what = [build.constant(one, target) for one in (operation, int(index), name)]
        operands = [reread(one, self._scope.is_stable, self.needed) for one in target.args]
        return build.helper("finished", site, *what, *operands, at=target)

    def _pull(self, target: ast.AST) -> ast.expr:
        """``next(iterator, default)`` under way: the first item comes from the frame above."""
        assert isinstance(target, ast.Call)
        once = build.helper("calling", build.load(NEXT, target), at=target)
        rest = [reread(one, self._scope.is_stable, self.needed) for one in target.args[1:]]
        call = build.helper("op next", once, *rest, at=target)
        call.number = target.number  # type: ignore[attr-defined]
        return call

    def _at_yield(self, target: ast.AST) -> ast.expr:
        """A `yield` that waits where the author's does; `yield from` goes on with its iterator."""
        if isinstance(target, ast.Yield):
            return replaced(target, value=None)  # type: ignore[no-any-return]
        assert isinstance(target, ast.YieldFrom | ast.Await)
        iterator = reread(target.value, self._scope.is_stable, self.needed)
        if self._role in (AWAITS, AWAITS_END):
            helper = "awaitable" if self._role == AWAITS else "awaitable end"
            iterator = build.helper(helper, iterator, at=target)
        if self._role == DELEGATED:
            iterator = build.helper("delegated", iterator, at=target)
        return replaced(target, value=iterator)  # type: ignore[no-any-return]

    # --- statements ------------------------------------------------------------------------------

    def _block(self, statements: list[ast.stmt], steps: Steps) -> list[ast.stmt]:
        (_, index), rest = steps[0], steps[1:]
        assert index is not None
        return [*self._statement(statements[index], rest), *statements[index + 1 :]]

    def _statement(self, node: ast.stmt, steps: Steps) -> list[ast.stmt]:
        method = getattr(self, "_" + type(node).__name__, None)
        if method is None or (not steps and not isinstance(node, ast.For)):
            raise Refused(f"a call inside {_described(node)} cannot be gone on from")
        found: list[ast.stmt] = method(node, steps)
        return found

    def _one_part(self, node: ast.stmt, steps: Steps) -> list[ast.stmt]:
        (field, index), rest = steps[0], steps[1:]
        if index is not None:
            raise Refused(f"a call inside {_described(node)} cannot be gone on from")
        return [replaced(node, **{field: self._expression(getattr(node, field), rest)})]

    _Expr = _Return = _one_part

    def _AnnAssign(self, node: ast.AnnAssign, steps: Steps) -> list[ast.stmt]:
        if steps[0][0] == "target" or (steps[0][0] == "annotation" and not isinstance(node.target, ast.Name)):
            raise Refused(f"a call in the target or the annotation of `{_text(node)}` cannot be gone on from")
        return self._one_part(node, steps)

    def _AugAssign(self, node: ast.AugAssign, steps: Steps) -> list[ast.stmt]:
        if not steps or steps[0][0] != "value" or not isinstance(node.target, ast.Name):
            raise Refused(f"a call inside the target of `{_text(node)}` cannot be gone on from")
        name = node.target.id
        if not (name.startswith(".") or self._scope.is_stable(name)):
            raise Refused(f"the old value of `{name}` in `{_text(node)}` was not kept")
        return self._one_part(node, steps)

    def _Assign(self, node: ast.Assign, steps: Steps) -> list[ast.stmt]:
        if steps[0][0] == "value":
            return self._one_part(node, steps)
        _, index = steps[0]
        assert index is not None
        target = self._expression(node.targets[index], steps[1:])
        if isinstance(node.targets[index], ast.Tuple | ast.List):
            raise Refused(f"a call inside the targets of `{_text(node)}` cannot be gone on from")
        value = reread(node.value, self._scope.is_stable, self.needed)
        return [replaced(node, targets=[target, *node.targets[index + 1 :]], value=value)]

    def _Delete(self, node: ast.Delete, steps: Steps) -> list[ast.stmt]:
        _, index = steps[0]
        assert index is not None
        target = self._expression(node.targets[index], steps[1:])
        return [replaced(node, targets=[target, *node.targets[index + 1 :]])]

    def _Raise(self, node: ast.Raise, steps: Steps) -> list[ast.stmt]:
        if steps[0][0] == "cause":
            exc = reread(node.exc, self._scope.is_stable, self.needed) if node.exc is not None else None
            return [replaced(node, exc=exc, cause=self._expression(node.cause, steps[1:]))]  # type: ignore[arg-type]
        return self._one_part(node, steps)

    def _Assert(self, node: ast.Assert, steps: Steps) -> list[ast.stmt]:
        if steps[0][0] == "msg" and node.msg is not None:
            message = self._expression(node.msg, steps[1:])
            return [replaced(node, test=build.constant(False, node), msg=message)]
        return self._one_part(node, steps)

    # --- definitions -----------------------------------------------------------------------------

    def _definition(self, node: Any, steps: Steps) -> list[ast.stmt]:
        (field, index), rest = steps[0], steps[1:]
        if field == "decorator_list" and not rest:
            assert index is not None
            return self._decorated(node, index)
        fresh = replaced(node, **_lists(node))
        if not isinstance(node, ast.ClassDef):
            fresh.args = replaced(
                node.args,
                **{
                    name: [*map(replaced, value)]
                    for name, value in _lists(node.args).items()
                    if "default" not in name
                },
            )
            fresh.args.defaults, fresh.args.kw_defaults = [*node.args.defaults], [*node.args.kw_defaults]
            for name in ("vararg", "kwarg"):
                one = getattr(node.args, name)
                setattr(fresh.args, name, one and replaced(one))
        for part in definition_parts(node):
            if steps[: len(part)] == part:
                put_at(fresh, part, self._expression(part_at(node, part), steps[len(part) :]))
                return [fresh]
            put_at(fresh, part, reread(part_at(node, part), self._scope.is_stable, self.needed))
        if isinstance(node, ast.ClassDef) and field == "body":
            return self._class_body(fresh, node, steps)
        raise Refused(f"a call while `{node.name}` is being defined cannot be gone on from")

    def _decorated(self, node: Any, index: int) -> list[ast.stmt]:
        """A decorator is being applied: what it gives goes through those above it, and gets the name."""
        value = self._expression(node.decorator_list[index], ())
        for decorator in reversed(node.decorator_list[:index]):
            function = reread(decorator, self._scope.is_stable, self.needed)
            value = ast.copy_location(ast.Call(function, [value], []), decorator)
            value.number = decorator.number  # type: ignore[attr-defined]
        return [build.assign(node.name, value, node)]

    def _class_body(self, fresh: ast.ClassDef, node: ast.ClassDef, steps: Steps) -> list[ast.stmt]:
        """The class statement again, with the namespace that it had and the rest of its body (`classes`)."""
        own = node.temporaries  # type: ignore[attr-defined]
        is_module = not isinstance(self._scope.node, ast.FunctionDef | ast.AsyncFunctionDef)
        has_cell = classes.has_cell(node)
        names = build.load(own + classes.NAMESPACE, node)
        self.needed.add(names.id)
        self._classes += 1
        body = self._block(node.body, steps)
        self._classes -= 1
        if has_cell:
            maker = build.load(own + classes.CLASS, node)
            self.needed.add(maker.id)
            body = classes.with_cell(body, own + CELL_OF_CLASS, maker)
        settle = build.expression(build.helper("class settled", names, at=node))
        unreached = classes.unreached(node, self._scope.names)
        body = [*classes.declarations(node, body, is_module), settle, *unreached, *body]
        self.inside |= classes.temporaries_of(body)
        fresh.keywords = [classes.keywords_of(fresh, names)]
        fresh.body = body
        self._owned += [own] if has_cell and is_module else []
        return classes.within_function(fresh, self._owned) if self._owned and not self._classes else [fresh]

    _FunctionDef = _AsyncFunctionDef = _ClassDef = _definition

    # --- branches and loops ----------------------------------------------------------------------

    def _If(self, node: ast.If, steps: Steps) -> list[ast.stmt]:
        field = steps[0][0]
        if field == "test":
            return self._one_part(node, steps)
        return self._block(getattr(node, field), steps)

    def _first_pass(self) -> str:
        self._loops += 1
        name = f".first{self._loops}"
        self.flags.append(name)
        return name

    def _either(self, flag: str, first: list[ast.stmt], later: list[ast.stmt], at: ast.AST) -> list[ast.stmt]:
        """The body of a loop: on the first pass the rest of the one under way."""
        lower = build.assign(flag, build.constant(False, at), at)
        return [ast.copy_location(ast.If(build.load(flag, at), [lower, *first], later), at)]

    def _While(self, node: ast.While, steps: Steps) -> list[ast.stmt]:
        field = steps[0][0]
        if field == "orelse":
            return self._block(node.orelse, steps)
        flag = self._first_pass()
        if field == "test":
            test = ast.IfExp(build.load(flag, node.test), self._expression(node.test, steps[1:]), node.test)
            lower = build.assign(flag, build.constant(False, node.test), node.test)
            body = [lower, *node.body]
            return [replaced(node, test=ast.copy_location(test, node.test), body=body)]
        first = self._block(node.body, steps)
        either = [build.load(flag, node.test), node.test]
        test_or = ast.copy_location(ast.BoolOp(ast.Or(), either), node.test)
        return [replaced(node, test=test_or, body=self._either(flag, first, node.body, node.test))]

    def _For(self, node: ast.For | ast.AsyncFor, steps: Steps) -> list[ast.stmt]:
        if steps and steps[0][0] == "orelse":
            return self._block(node.orelse, steps)
        if not steps:  # the iterator is a generator that is under way
            return [replaced(node, iter=reread(node.iter, self._scope.is_stable, self.needed))]
        if not isinstance(node.iter, ast.Name) or not node.iter.id.startswith("."):
            raise Refused("the iterator of a `for` loop was not kept: only calls can be gone on from there")
        if isinstance(node, ast.AsyncFor):
            raise Refused("a call inside `async for` cannot be gone on from")
        at = node.iter
        flag, value = self._first_pass(), f".item{self._loops}"
        self.needed.add(node.iter.id)
        first = self._block(node.body, steps)
        bind = ast.copy_location(ast.Assign([node.target], build.load(value, at)), at)
        later = [bind, *build.forget(value, at), *node.body]
        iterator = build.helper("after first", build.load(node.iter.id, at), at=at)
        body = self._either(flag, first, later, at)
        return [replaced(node, target=build.store(value, at), iter=iterator, body=body)]

    _AsyncFor = _For

    # --- with ------------------------------------------------------------------------------------

    def _With(self, node: ast.With | ast.AsyncWith, steps: Steps) -> list[ast.stmt]:
        item = node.items[0]
        if steps[0][0] != "body" or isinstance(node, ast.AsyncWith):
            raise Refused("a call while a `with` block is entered or left cannot be gone on from")
        at = item.context_expr
        assert isinstance(at, ast.Name)
        self.needed.add(at.id)
        entered = ast.withitem(build.helper("entered", at, at=at), None)
        return [replaced(node, items=[entered], body=self._block(node.body, steps))]

    _AsyncWith = _With

    # --- try -------------------------------------------------------------------------------------

    def _Try(self, node: ast.Try, steps: Steps) -> list[ast.stmt]:
        field = steps[0][0]
        if field == "body":
            return [replaced(node, body=self._block(node.body, steps))]
        if field == "orelse":
            body = self._block(node.orelse, steps)
            if not node.finalbody:
                return body
            return [build.finally_(body, node.finalbody, node)]
        if field == "handlers":
            return self._in_handler(node, steps)
        return self._in_final(node, steps)

    _TryStar = _Try

    def _in_handler(self, node: ast.Try, steps: Steps) -> list[ast.stmt]:
        """``except E as e: .e = exception(); try: BODY finally: …`` entered with the saved exception."""
        (_, number), (inner_field, index) = steps[0], steps[1] if len(steps) > 1 else ("", None)
        assert number is not None
        if isinstance(node, ast.TryStar) or inner_field != "body":
            raise Refused(
                "a call in an `except*` clause, or in the type of an `except`, cannot be gone on from"
            )
        handler = node.handlers[number]
        kept = handler.body[0]
        name = (
            kept.targets[0].id
            if isinstance(kept, ast.Assign) and isinstance(kept.targets[0], ast.Name)
            else ""
        )
        if not name.startswith(".") or not index:
            raise Refused("the exception being handled was not kept: only calls can be gone on from here")
        body = self._block(handler.body, steps[1:])
        if handler.name:
            body = [build.finally_(body, build.forget(handler.name, handler), handler)]
        at = kept
        self.needed.add(name)
        settle = build.expression(build.helper("settle", build.load(name, at), at=at))
        again = build.expression(build.helper("raise again", build.load(name, at), at=at))
        entered = ast.copy_location(ast.ExceptHandler(None, None, [settle, *body]), handler)
        return [replaced(node, body=[again], handlers=[entered], orelse=[])]

    def _in_final(self, node: ast.Try, steps: Steps) -> list[ast.stmt]:
        """``finally`` under way: why it was entered is established again, then it goes on."""
        flag = self._flag_of(node)
        if flag is None:
            raise Refused(
                "why a `finally` block was entered was not kept: only calls can be gone on from here"
            )
        how = self._kept.get(flag)
        body = self._block(node.finalbody, steps)
        at = node.finalbody[0]
        if how == THROUGH:
            return body
        if how == RAISED:
            error = build.load(
                flag[: flag.rindex("w")] + "e" + str(int(flag[flag.rindex("w") + 1 :]) + 1), at
            )
            start: ast.stmt = build.expression(build.helper("raise again", error, at=at))
            body = [build.expression(build.helper("settle", error, at=at)), *body]
        elif how == BREAK:
            start = ast.copy_location(ast.Break(), at)
        elif how == CONTINUE:
            start = ast.copy_location(ast.Continue(), at)
        elif isinstance(how, int) and how > RETURN:
            name = f"{flag[: flag.rindex('w')]}r{how - RETURN}"
            start = ast.copy_location(ast.Return(build.load(name, at)), at)
        else:
            raise Refused(
                "why a `finally` block was entered was not kept: only calls can be gone on from here"
            )
        return [build.finally_([start], body, node)]

    @staticmethod
    def _flag_of(node: ast.Try) -> str | None:
        """The `.w` variable of ``try: try: …; .w = 1 except: … finally: try: FINAL finally: …``."""
        inner = node.body[0]
        if len(node.body) == 1 and isinstance(inner, ast.Try) and inner.handlers and inner.body:
            last = inner.body[-1]
            if isinstance(last, ast.Assign) and isinstance(last.targets[0], ast.Name):
                name = last.targets[0].id
                return name if name.startswith(".") and "w" in name.rpartition(".")[2] else None
        return None

    # --- match -----------------------------------------------------------------------------------

    def _Match(self, node: ast.Match, steps: Steps) -> list[ast.stmt]:
        if steps[0][0] == "subject":
            return self._one_part(node, steps)
        (_, number), (field, _) = steps[0], steps[1]
        assert number is not None
        case = node.cases[number]
        if field == "body":
            return self._block(case.body, steps[1:])
        if not isinstance(node.subject, ast.Name) or not node.subject.id.startswith("."):
            raise Refused("the subject of a `match` was not kept: only calls can be gone on from its guards")
        assert case.guard is not None
        others = node.cases[number + 1 :]
        otherwise: list[ast.stmt] = [replaced(node, cases=others)] if others else []
        test = self._expression(case.guard, steps[2:])
        return [ast.copy_location(ast.If(test, case.body, otherwise), case.guard)]


def _lists(node: ast.AST) -> dict[str, list[Any]]:
    return {name: [*value] for name, value in ast.iter_fields(node) if isinstance(value, list)}


def _text(node: ast.AST) -> str:
    return ast.unparse(node).replace("\n", " ")[:60]


def _dropped(name: str, at: ast.AST) -> ast.expr:
    """An expression that lets a variable's value go."""
    return ast.copy_location(ast.NamedExpr(build.store(name, at), build.constant(None, at)), at)


def _described(node: ast.AST) -> str:
    words = {"ClassDef": "a class body", "FunctionDef": "a definition", "For": "a `for` header"}
    return words.get(type(node).__name__, f"`{type(node).__name__.lower()}`")


def function_tree(
    scope: Scope, variant: Variant, names: list[str], exposed: list[str], is_generator: bool
) -> ast.Module:
    """A module that defines the variant as a function in a factory (and in a class, for private names)."""
    node = scope.node
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    at = variant.statements[0]
    nothing = ast.arguments([], [], None, [], [], None, [])
    body: list[ast.stmt] = []
    if not isinstance(node, ast.Lambda):
        body += [one for one in node.body if isinstance(one, ast.Global)]
    if exposed:
        body.append(ast.copy_location(ast.Nonlocal(exposed), at))
    own = (scope.names.local_names | scope.names.free_names() | variant.inside) - {*names, *exposed}
    if own:  # unbound here, but still variables of this function
        unbound: list[ast.stmt] = [build.assign(one, build.constant(None, at), at) for one in sorted(own)]
        body.append(ast.copy_location(ast.If(build.constant(False, at), unbound, []), at))
    # `super()` looks at the first parameter, so the variant has the same one.
    first = [one.arg for one in [*node.args.posonlyargs, *node.args.args][:1] if one.arg not in exposed]
    body += [build.delete([one], at) for one in first if one not in names]
    body.append(unpacking(names, at))
    body += [_entry(at)] if is_generator else []
    body += [build.delete([STATE], at), *variant.statements]
    if is_generator:
        give = ast.copy_location(ast.Yield(None), at)
        body.append(ast.copy_location(ast.If(build.constant(False, at), [build.expression(give)], []), at))
    kind = ast.AsyncFunctionDef if isinstance(node, ast.AsyncFunctionDef) else ast.FunctionDef
    parameters = [ast.copy_location(ast.arg(one), at) for one in (*first, STATE)]
    arguments = ast.arguments([], parameters, None, [], [], None, [])
    inner: ast.stmt = _definition(kind(VARIANT_NAME, arguments, body, [], None), at)
    if scope.class_name is not None:
        owner = ast.ClassDef(scope.class_name, [], [], [inner], [])
        inner = _definition(owner, at)
    bound: list[ast.stmt] = [build.assign(one, build.constant(None, at), at) for one in exposed]
    if scope.class_name is not None and scope.class_name not in exposed:
        # The class is there for private names alone: its own name means what it means around it.
        bound.insert(0, ast.copy_location(ast.Global([scope.class_name]), at))
    factory = _definition(ast.FunctionDef(".factory", nothing, [*bound, inner], [], None), at)
    return located(ast.Module([factory], []))


def _entry(at: ast.AST) -> ast.stmt:
    """``if STATE: try: yield …``: one that goes on while it is being closed is closed here, by C."""
    wait = build.expression(ast.copy_location(ast.Yield(None), at))
    caught = ast.copy_location(ast.ExceptHandler(None, None, [ast.copy_location(ast.Pass(), at)]), at)
    protected = ast.copy_location(ast.Try([wait], [caught], [], []), at)
    return ast.copy_location(ast.If(build.load(STATE, at), [protected], []), at)


def _definition(node: Any, at: ast.AST) -> ast.stmt:
    if "type_params" in node._fields:
        node.type_params = []
    placed: ast.stmt = ast.copy_location(node, at)
    return placed


def unpacking(names: list[str], at: ast.AST) -> ast.stmt:
    targets: list[ast.expr] = [build.store(name, at) for name in names]
    pop = ast.copy_location(ast.Attribute(build.load(STATE, at), "pop", ast.Load()), at)
    value = ast.copy_location(ast.Call(pop, [], []), at)
    return ast.copy_location(ast.Assign([ast.copy_location(ast.Tuple(targets, ast.Store()), at)], value), at)
