"""In which order Python evaluates the parts of an expression, and which parts wait on its value stack.

`slots(node)` gives the parts that are evaluated one after the other while the earlier ones wait. An operator
that evaluates only some of its parts (`and`, `if … else`) keeps none waiting; `resumed` knows how to go on in
the middle of each kind.
"""

from __future__ import annotations

import ast
import builtins
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from .temporaries import CONSUMER, MARK, OPERATION, is_temporary
from .walking import children, walk

# Builtins of C whose frames could not be resumed anyway: a Flow-API call below them is inexact in any case.
C_BUILTINS = frozenset(
    name
    for name, value in vars(builtins).items()
    if not name.startswith("_") and name not in ("next", "exec", "eval", "super") and callable(value)
)


Steps = tuple[tuple[str, int | None], ...]
_steps: dict[Steps, Steps] = {}


def the_one(steps: Steps) -> Steps:
    """The same steps as one object for as long as the process lives, which can be known by its identity."""
    return _steps.setdefault(steps, steps)


@dataclass(frozen=True)
class Slot:
    """One part of a node: a field, or one item of a list field."""

    field: str
    index: int | None = None

    def get(self, node: ast.AST) -> Any:
        value = getattr(node, self.field)
        return value if self.index is None else value[self.index]

    def put(self, node: ast.AST, part: ast.AST) -> None:
        if self.index is None:
            setattr(node, self.field, part)
        else:
            getattr(node, self.field)[self.index] = part


def _listed(node: ast.AST, field: str) -> list[Slot]:
    return [Slot(field, index) for index in range(len(getattr(node, field)))]


def slots(node: ast.AST) -> list[Slot]:
    """The parts of an expression, target or keyword in the order of evaluation."""
    found: list[Slot]
    if isinstance(node, ast.Dict):
        found = []
        for index, key in enumerate(node.keys):
            found += [Slot("keys", index)] if key is not None else []
            found.append(Slot("values", index))
        return found
    fields = _ORDER.get(type(node))
    if fields is None:
        return []
    found = []
    for field in fields:
        value = getattr(node, field)
        if isinstance(value, list):
            found += [one for one in _listed(node, field) if one.get(node) is not None]
        elif value is not None:
            found.append(Slot(field))
    return found


_ORDER: dict[type[ast.AST], tuple[str, ...]] = {
    ast.BoolOp: ("values",),
    ast.NamedExpr: ("value",),
    ast.BinOp: ("left", "right"),
    ast.UnaryOp: ("operand",),
    ast.IfExp: ("test", "body", "orelse"),
    ast.Set: ("elts",),
    ast.List: ("elts",),
    ast.Tuple: ("elts",),
    ast.Await: ("value",),
    ast.Yield: ("value",),
    ast.YieldFrom: ("value",),
    ast.Compare: ("left", "comparators"),
    ast.Call: ("func", "args", "keywords"),
    ast.keyword: ("value",),
    ast.FormattedValue: ("value", "format_spec"),
    ast.JoinedStr: ("values",),
    ast.Attribute: ("value",),
    ast.Subscript: ("value", "slice"),
    ast.Starred: ("value",),
    ast.Lambda: ("args",),
    ast.arguments: ("defaults", "kw_defaults"),
    ast.Slice: ("lower", "upper", "step"),
}

#: Of these at most one part is under way, and none waits.
BRANCHING = (ast.BoolOp, ast.IfExp)


class Suspension:
    """Knows which nodes contain a call that may suspend, for one unit.

    `shadowed`: names that the unit binds anywhere, so that a builtin's name may mean something else.
    `rebound`: global names that its functions rebind. `data_attributes`: attributes that it assigns and does
    not define as methods. What is called by such a name could not be looked up again after the call.
    """

    def __init__(self, shadowed: set[str], tree: ast.AST) -> None:
        self._safe = C_BUILTINS - shadowed
        self.rebound: set[str] = set()
        self.data_attributes: set[str] = set()
        self.methods: set[str] = set()  # of the unit's classes, and its functions
        self._has_lazy_annotations = False
        for node in walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module == "__future__":
                self._has_lazy_annotations |= any(one.name == "annotations" for one in node.names)
            elif isinstance(node, ast.Global):
                self.rebound.update(node.names)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                self.data_attributes.add(node.attr)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self.methods.add(node.name)
        self.data_attributes -= self.methods
        self._known: dict[int, tuple[ast.AST, bool]] = {}

    def is_builtin(self, name: str) -> bool:
        """Whether this name means Python's own function of C everywhere in the unit."""
        return name in self._safe

    def is_safe_call(self, node: ast.Call) -> bool:
        function = node.func
        if isinstance(function, ast.Constant):
            value = function.value
            if not isinstance(value, str) or not value.startswith(MARK):
                return False
            return not value.startswith((OPERATION, CONSUMER))
        if isinstance(function, ast.Name):
            is_super = function.id == "super" and not node.args
            makes_one = function.id.startswith((".genexpr", ".lambda"))
            return function.id in self._safe or is_super or makes_one
        return False

    def __call__(self, node: ast.AST | None) -> bool:
        """Whether evaluating this node may run a Flow-API call (or yield)."""
        if node is None:
            return False
        known = self._known.get(id(node))
        if known is None:
            known = (node, self._look(node))
            self._known[id(node)] = known
        return known[1]

    def _look(self, node: ast.AST) -> bool:
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom):
            return True
        if isinstance(node, ast.Call) and not self.is_safe_call(node):
            return True
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp):
            if any(generator.is_async for generator in node.generators):
                return True
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            if any(self.applies(one) for one in getattr(node, "decorator_list", ())):
                return True
            return any(self(part) for part in (*outside_parts(node), *self.annotations(node)))
        elif isinstance(node, ast.GeneratorExp):
            return self(node.generators[0].iter)
        return any(self(child) for child in children(node))

    def forget(self, node: ast.AST) -> None:
        self._known.pop(id(node), None)

    def applies(self, decorator: ast.expr) -> bool:
        """Whether applying this decorator may run a Flow-API call."""
        return not (isinstance(decorator, ast.Name) and decorator.id in self._safe)

    def annotations(self, node: ast.AST) -> list[ast.expr]:
        """What a function definition evaluates for its annotations, in that order."""
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if not is_function or self._has_lazy_annotations or getattr(node, "type_params", None):
            return []
        return [part_at(node, one) for one in definition_parts(node) if is_annotation(one)]


def definition_parts(node: ast.AST) -> list[Steps]:
    """The ways to what a definition evaluates one after the other, all waiting for the last."""
    parts: list[Steps] = [((one.field, one.index),) for one in _listed(node, "decorator_list")]
    if isinstance(node, ast.ClassDef):
        return parts + [
            ((one.field, one.index),) for name in ("bases", "keywords") for one in _listed(node, name)
        ]
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    inside: list[tuple[Slot, str]] = [(one, "") for one in _listed(node.args, "defaults")]
    inside += [(one, "") for one in _listed(node.args, "kw_defaults") if one.get(node.args) is not None]
    for field in ("args", "posonlyargs", "vararg", "kwonlyargs", "kwarg"):
        is_list = isinstance(getattr(node.args, field), list)
        found = _listed(node.args, field) if is_list else [Slot(field)]
        inside += [(one, "annotation") for one in found if getattr(one.get(node.args), "annotation", None)]
    for slot, field in inside:
        step = (slot.field, slot.index)
        parts.append((("args", None), step, (field, None)) if field else (("args", None), step))
    return [*parts, *([(("returns", None),)] if node.returns is not None else [])]


def is_annotation(steps: Steps) -> bool:
    return steps[-1][0] in ("annotation", "returns")


def part_at(node: ast.AST, steps: Steps) -> Any:
    for field, index in steps:
        node = Slot(field, index).get(node)
    return node


def put_at(node: ast.AST, steps: Steps, part: ast.AST) -> None:
    Slot(*steps[-1]).put(part_at(node, steps[:-1]), part)


def outside_parts(node: ast.AST) -> Iterator[ast.AST]:
    """What a definition evaluates where it stands: decorators, defaults, bases, the body of a class."""
    yield from getattr(node, "decorator_list", ())
    yield from getattr(node, "bases", ())
    yield from getattr(node, "keywords", ())
    if isinstance(node, ast.ClassDef):
        yield from node.body
    arguments = getattr(node, "args", None)
    if isinstance(arguments, ast.arguments):
        yield from arguments.defaults
        yield from (default for default in arguments.kw_defaults if default is not None)


class Refused(Exception):
    """Going on from here could not be exact; the text says why, in one plain sentence."""


Stable = Callable[[str], bool]


def needs_keeping(node: ast.AST, is_stable: Stable) -> bool:
    """Whether a value that waits must be kept by name, rather than be read once more."""
    if isinstance(node, ast.Constant):
        return False
    if isinstance(node, ast.UnaryOp):
        return not isinstance(node.operand, ast.Constant)
    if isinstance(node, ast.Name):
        return not (is_temporary(node.id) or is_stable(node.id))
    if isinstance(node, ast.NamedExpr):
        return not is_temporary(node.target.id)
    if isinstance(node, ast.Starred | ast.keyword):
        return needs_keeping(node.value, is_stable)
    if isinstance(node, ast.Attribute):  # `.list.append` of a lifted comprehension
        return not (isinstance(node.value, ast.Name) and is_temporary(node.value.id))
    if isinstance(node, ast.Slice):
        return any(
            needs_keeping(part, is_stable) for part in (node.lower, node.upper, node.step) if part is not None
        )
    return True


def reread(node: ast.AST, is_stable: Stable, needed: set[str]) -> Any:
    """An expression for a value that was waiting; its temporary is noted in `needed`. Raises Refused."""
    if isinstance(node, ast.Name) and is_temporary(node.id):
        needed.add(node.id)
    if isinstance(node, ast.NamedExpr) and is_temporary(node.target.id):
        needed.add(node.target.id)
        return ast.copy_location(ast.Name(node.target.id, ast.Load()), node)
    if isinstance(node, ast.Starred | ast.keyword):
        return replaced(node, value=reread(node.value, is_stable, needed))
    if isinstance(node, ast.FormattedValue):
        return replaced(node, value=reread(node.value, is_stable, needed))
    if isinstance(node, ast.Slice):
        parts = {
            name: reread(getattr(node, name), is_stable, needed)
            for name in ("lower", "upper", "step")
            if getattr(node, name) is not None
        }
        return replaced(node, **parts)
    if needs_keeping(node, is_stable):
        text = text_of(node)
        raise Refused(
            f"the value of `{text}` waits in the middle of an expression where only calls can be gone on "
            "from; assign it to a variable first"
        )
    return node


class _Readable(ast.NodeTransformer):
    def visit_NamedExpr(self, node: ast.NamedExpr) -> ast.AST:
        self.generic_visit(node)
        return node.value if is_temporary(node.target.id) else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Calls of ours as what they stand for, as far as words can tell it."""
        self.generic_visit(node)
        function = node.func
        if isinstance(function, ast.Name) and function.id.startswith(".") and node.args:
            kind = function.id.strip(".0123456789")
            return ast.Name(f"<{kind}>", ast.Load())
        if not isinstance(function, ast.Constant) or not str(function.value).startswith(MARK):
            return node
        _, _, name = str(function.value).removeprefix(MARK).rpartition(" ")
        if str(function.value).startswith(CONSUMER):
            if name in ("starred", "unpacked"):
                return node.args[0]
            if name == "contains":
                return ast.Compare(node.args[0], [ast.In()], [node.args[1]])
            return ast.Call(node.args[0], node.args[1:], node.keywords)
        return ast.Call(ast.Name(name, ast.Load()), node.args, node.keywords)


def text_of(node: ast.AST) -> str:
    """The author's expression, short, for a message."""
    return ast.unparse(_Readable().visit(copy.deepcopy(node))).replace("\n", " ")[:60]


def replaced(node: ast.AST, **fields: Any) -> Any:
    """A shallow copy with other parts; position and number stay."""
    fresh = type(node)(**{name: getattr(node, name) for name in node._fields if hasattr(node, name)} | fields)
    ast.copy_location(fresh, node)
    number = getattr(node, "number", None)
    if number is not None:
        fresh.number = number  # type: ignore[attr-defined]
    return fresh


def resumed(node: ast.AST, steps: Steps, at_site: ast.expr, is_stable: Stable, needed: set[str]) -> Any:
    """The expression that finishes `node` when the part at `steps` is under way.

    `at_site` stands for the value of that innermost part. Raises Refused.
    """
    if not steps:
        return ast.copy_location(at_site, node)
    (field, index), rest = steps[0], steps[1:]
    slot = Slot(field, index)
    inner = resumed(slot.get(node), rest, at_site, is_stable, needed)
    if isinstance(node, ast.BoolOp):
        assert index is not None
        left = [inner, *node.values[index + 1 :]]
        return left[0] if len(left) == 1 else replaced(node, values=left)
    if isinstance(node, ast.IfExp) and field != "test":
        return inner
    if isinstance(node, ast.Compare) and field == "comparators":
        assert index is not None
        before = node.left if index == 0 else node.comparators[index - 1]
        comparators = [inner, *node.comparators[index + 1 :]]
        return replaced(
            node, left=reread(before, is_stable, needed), ops=node.ops[index:], comparators=comparators
        )
    if isinstance(node, ast.IfExp):
        return replaced(node, test=inner)
    order = slots(node)
    if slot not in order:
        raise Refused(f"a call inside {type(node).__name__} cannot be gone on from")
    fresh = replaced(
        node, **{name: list(value) for name, value in ast.iter_fields(node) if isinstance(value, list)}
    )
    for earlier in order[: order.index(slot)]:
        earlier.put(fresh, reread(earlier.get(node), is_stable, needed))
    slot.put(fresh, inner)
    return fresh
