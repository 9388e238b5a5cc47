"""Units: compiled pieces of flow source, and the way from an instruction back to its syntax tree.

To find the node that a frame stands at, the same tree is compiled once more, when first needed, with node
numbers in the place of columns. Columns never influence the bytecode, so both codes have the same
instructions (this is checked), and the position of an instruction in the second one is a node's number:
exact, where line and column could be ambiguous.
"""

from __future__ import annotations
import __future__

import ast
import dis
import hashlib
import linecache
import os
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any

from . import borrowed, forms, scopes
from .borrowed.words import HOMES
from .knowledge import KNOWN
from .normalising import normalise
from .operands import Steps
from .temporaries import UnknownHelper, with_helpers
from .walking import children

#: Changes whenever the same source would be normalised differently. A unit's digest names the rules that it
#: was normalised by; a savepoint brings its normalised form along, for those who have others (`forms`).
RULES = 15

_NUMBER_BASE = 1_000_000
_PLACED = (ast.expr, ast.stmt, ast.excepthandler, ast.pattern, ast.arg, ast.keyword, ast.alias)


class UnknownUnit(LookupError):
    """No unit of that digest is known here; `register_source` makes it known."""


@dataclass(frozen=True)
class UnitSource:
    """What must be kept of a unit to go on in another process, and by another version of jupyter_flows.

    `form`: the normalised tree (`forms`); empty where it is not needed or not known.
    """

    source: str
    filename: str
    interactive: bool
    form: bytes = b""


@dataclass(frozen=True)
class Scope:
    """A function, class or module of a unit: its node, its place and the names analysis."""

    node: ast.AST
    place: str
    names: scopes.Scope
    class_name: str | None
    prefix: str  # of temporaries at module level

    def is_stable(self, name: str) -> bool:
        return self.names.is_stable(name)


class Unit:
    """One compiled piece of flow source: run it with ``exec(unit.code, namespace)``.

    Attributes: `source`, `filename`, `interactive` as given; `digest` names the unit, the same for the same
    source everywhere; `code`; `library`, the module of the standard library that it is borrowed for, or "";
    `is_normalised` is False for the rare source that Python compiles but its
    normalised form not (nested too deep): it runs, and its savepoints are inexact.
    `known_as`: the digest of a unit that other rules normalised; with its `form` it is made as it was.
    """

    def __init__(
        self,
        source: str,
        filename: str,
        interactive: bool,
        foreseen: frozenset[str] | None = None,
        known_as: str = "",
        form: bytes = b"",
    ) -> None:
        self.source = source
        self.filename = filename
        self.interactive = interactive
        self.digest = digest_of(source, interactive)
        original = ast.parse(source, filename)
        self.library = borrowed.library_of(source)
        if not self.library:
            KNOWN.learn(original)
            borrowed.install(original, _borrowed_unit)
        if foreseen is None:
            foreseen = KNOWN.foreseen()
        # The author's own errors and warnings, exactly as Python gives them.
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if interactive else 0
        plain = compile(source, filename, "exec", flags, dont_inherit=True)
        self.flags = flags | (plain.co_flags & _future_flags())
        self.is_normalised = True
        self.tree: ast.Module
        if form:
            self.digest = known_as
            self._take(form)
        else:
            try:
                author = ast.parse(source, filename)
                tree, used = normalise(author, self.digest[:6], interactive, foreseen, bool(self.library))
                self.tree = tree
                self.digest = named(self.digest, used, RULES)
                self.code = self.compiled(self.tree)
            except (SyntaxError, RecursionError):
                self.is_normalised = False
                self.tree = original
                self.code = plain
        _register_codes(self.code, self, None)
        _show_source(filename, source)

    def _take(self, form: bytes) -> None:
        """Compile the tree that other rules made. Raises UnknownUnit."""
        try:
            self.tree = forms.tree_of(form)
            self.code = self.compiled(self.tree)
        except (forms.UnknownForm, UnknownHelper, SyntaxError, RecursionError) as reason:
            raise UnknownUnit(
                f"{self.filename} was compiled by version {rules_in(self.digest)} of the rules: {reason}"
            ) from None

    @cached_property
    def form(self) -> bytes:
        """The normalised tree as bytes; empty for a source that cannot be gone on from."""
        return forms.form_of(self.tree) if self.is_normalised else b""

    def compiled(self, tree: ast.Module) -> types.CodeType:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            code: types.CodeType = compile(tree, self.filename, "exec", self.flags, dont_inherit=True)
        return with_helpers(code)

    def __repr__(self) -> str:
        return f"<Unit {self.digest[:8]} {self.filename}>"

    # --- the tree --------------------------------------------------------------------------------

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All nodes of the normalised tree; each knows its `number` in this list."""
        found: list[ast.AST] = []
        for number, node in enumerate(_preorder(self.tree)):
            node.number = number  # type: ignore[attr-defined]
            found.append(node)
        return found

    @cached_property
    def _parents(self) -> dict[int, tuple[ast.AST, str, int | None]]:
        parents: dict[int, tuple[ast.AST, str, int | None]] = {}
        for node in self.nodes:
            for field, value in ast.iter_fields(node):
                for index, child in enumerate(value) if isinstance(value, list) else ((None, value),):
                    if isinstance(child, ast.AST) and hasattr(child, "number"):
                        parents[child.number] = (node, field, index)
        return parents

    @cached_property
    def scopes(self) -> dict[int, Scope]:
        """Scopes by the number of their node."""
        analysed = scopes.analyse(self.tree)
        assert self.nodes
        found: dict[int, Scope] = {}
        seen: dict[str, int] = {}
        for node, names in analysed.items():
            if names.kind == "comprehension":
                continue
            place = _place(names)
            seen[place] = seen.get(place, 0) + 1
            if seen[place] > 1:
                place += f"#{seen[place]}"
            found[node.number] = Scope(node, place, names, _class_around(names), self.digest[:6])  # type: ignore[attr-defined]
        return found

    @cached_property
    def by_place(self) -> dict[str, Scope]:
        return {scope.place: scope for scope in self.scopes.values()}

    def parent(self, number: int) -> tuple[ast.AST, str, int | None] | None:
        return self._parents.get(number)

    def locate(self, number: int) -> tuple[Scope, Steps]:
        """The scope whose code evaluates this node, and the way from the scope to the node."""
        steps: list[tuple[str, int | None]] = []
        while True:
            found = self.parent(number)
            if found is None:
                return self.scopes[number], tuple(reversed(steps))
            parent, field, index = found
            steps.append((field, index))
            number = parent.number  # type: ignore[attr-defined]
            if number in self.scopes and field == "body" and not isinstance(parent, ast.Module):
                return self.scopes[number], tuple(reversed(steps))

    def around_classes(self, scope: Scope, steps: Steps) -> tuple[Scope, Steps]:
        """The function or module that runs a class's body, and the way from there."""
        while scope.names.kind == "class":
            scope, way = self.locate(scope.node.number)  # type: ignore[attr-defined]
            steps = way + steps
        return scope, steps

    def node_at(self, scope: Scope, steps: Steps) -> ast.AST:
        node: Any = scope.node
        for field, index in steps:
            node = getattr(node, field)
            node = node if index is None else node[index]
        assert isinstance(node, ast.AST)
        return node

    # --- the code --------------------------------------------------------------------------------

    @cached_property
    def _codes_by_place(self) -> dict[str, types.CodeType]:
        found: dict[str, types.CodeType] = {}
        for code, place in self._placed(self.code, self.numbered(self.tree), "<module>"):
            found.setdefault(place, code)
        return found

    def _placed(
        self, code: types.CodeType, numbered: types.CodeType, place: str | None
    ) -> Iterator[tuple[types.CodeType, str]]:
        """Code objects with the places of the functions that they belong to.

        A function's code is known by the instruction that loads it: its position is the definition's.
        """
        if place is not None:
            yield code, place
        loads = _loaded_constants(numbered)
        for index, constant in enumerate(code.co_consts):
            if not isinstance(constant, types.CodeType):
                continue
            number = loads.get(index)
            scope = self.scopes.get(number) if number is not None else None
            is_wrapper = constant.co_name.startswith("<generic parameters")
            inner = scope.place if scope is not None and not is_wrapper else None
            yield from self._placed(constant, numbered.co_consts[index], inner)

    def code_at(self, place: str) -> types.CodeType:
        """The code of the function at a place. Raises LookupError if there is none."""
        code = self._codes_by_place.get(place)
        if code is None:
            raise LookupError(f"{self.filename} has no function at {place}")
        return code

    @cached_property
    def places(self) -> dict[int, str]:
        """Places by the id of the code object."""
        return self.places_in(self.tree, self.code)

    def places_in(self, tree: ast.Module, code: types.CodeType) -> dict[int, str]:
        numbered = self.numbered(tree)
        start = "<module>" if tree is self.tree else None
        return {id(mine): place for mine, place in self._placed(code, numbered, start)}

    def numbered(self, tree: ast.Module) -> types.CodeType:
        """The tree compiled with node numbers in the place of columns."""
        assert self.nodes
        return self.compiled(_with_numbers(tree))

    def positions(self, tree: ast.Module, code: types.CodeType) -> dict[int, list[int | None]]:
        """For each code object (by id) the node number of every instruction."""
        found: dict[int, list[int | None]] = {}
        for mine, numbered in pairs(code, self.numbered(tree)):
            if mine.co_code != numbered.co_code:
                continue
            found[id(mine)] = [_number(position) for position in numbered.co_positions()]
        return found

    @cached_property
    def _own_positions(self) -> dict[int, list[int | None]]:
        return self.positions(self.tree, self.code)


def _future_flags() -> int:
    return __future__.annotations.compiler_flag


def digest_of(source: str, interactive: bool = False) -> str:
    """What names the unit of a source."""
    return hashlib.sha256(f"{int(interactive)}\0{source}".encode()).hexdigest()[:32]


def named(digest: str, foreseen: frozenset[str], rules: int) -> str:
    """The digest with what else decides how the unit is normalised: names that are foreseen, and rules."""
    return f"{digest}~{','.join(sorted(foreseen))}~{rules}"


def source_digest(digest: str) -> str:
    """The part of a unit's digest that tells its source: equal for whatever it was normalised with."""
    return digest.partition("~")[0]


def foreseen_in(digest: str) -> frozenset[str]:
    names = [*digest.split("~"), ""][1]
    return frozenset(names.split(",")) if names else frozenset()


@cache
def rules_in(digest: str) -> int:
    """The rules that a unit was normalised by; 0 for digests of savepoints that did not name them yet."""
    rules = [*digest.split("~"), "", ""][2]
    return int(rules) if rules else 0


def _preorder(node: ast.AST) -> Iterator[ast.AST]:
    yield node
    for child in children(node):
        if isinstance(child, _PLACED) or children(child):
            yield from _preorder(child)


def _place(names: scopes.Scope) -> str:
    parts: list[str] = []
    scope: scopes.Scope | None = names
    while scope is not None and scope.kind != "module":
        if scope.kind != "comprehension":
            parts.append(getattr(scope.node, "name", "<lambda>"))
            if scope.parent is not None and scope.parent.kind in ("function", "comprehension"):
                parts.append("<locals>")
        scope = scope.parent
    return ".".join(reversed(parts)) or "<module>"


def _class_around(names: scopes.Scope) -> str | None:
    scope: scopes.Scope | None = names
    while scope is not None:
        if isinstance(scope.node, ast.ClassDef):
            return scope.node.name
        scope = scope.parent
    return None


def pairs(first: types.CodeType, second: types.CodeType) -> Iterator[tuple[types.CodeType, types.CodeType]]:
    """Corresponding code objects of two compilations of the same tree."""
    yield first, second
    inner = [one for one in first.co_consts if isinstance(one, types.CodeType)]
    other = [one for one in second.co_consts if isinstance(one, types.CodeType)]
    for one, two in zip(inner, other, strict=True):
        yield from pairs(one, two)


def _with_numbers(node: Any) -> Any:
    copy = node.__class__.__new__(node.__class__)
    old, new = node.__dict__, copy.__dict__
    for name in node._fields:
        value = old.get(name)
        if value.__class__ is list:
            new[name] = [_with_numbers(one) if isinstance(one, ast.AST) else one for one in value]
        elif isinstance(value, ast.AST) and value._fields:
            new[name] = _with_numbers(value)
        elif name in old:
            new[name] = value
    if "lineno" in old:
        new["lineno"], new["end_lineno"], new["col_offset"] = old["lineno"], old["end_lineno"], 0
        new["end_col_offset"] = _NUMBER_BASE + old.get("number", -2)
    return copy


def _number(position: tuple[int | None, int | None, int | None, int | None]) -> int | None:
    end = position[3]
    return end - _NUMBER_BASE if end is not None and end >= _NUMBER_BASE else None  # below: a node of ours


def _loaded_constants(numbered: types.CodeType) -> dict[int, int]:
    """For each constant that is loaded, the number of the node that loads it first."""
    found: dict[int, int] = {}
    argument = 0
    instructions = numbered.co_code
    for index, position in enumerate(numbered.co_positions()):
        operation, low = instructions[2 * index], instructions[2 * index + 1]
        argument = argument << 8 | low
        if operation == dis.EXTENDED_ARG:
            continue
        number = _number(position)
        if operation == _LOAD_CONST and number is not None:
            found.setdefault(argument, number)
        argument = 0
    return found


_LOAD_CONST = dis.opmap["LOAD_CONST"]


# --- what is known in this process ---------------------------------------------------------------

_units: dict[str, Unit] = {}
_sources: dict[str, UnitSource] = {}
_codes: dict[int, tuple[types.CodeType, Unit, Any]] = {}


def _register_codes(code: types.CodeType, unit: Unit, variant: Any) -> None:
    _codes[id(code)] = (code, unit, variant)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            _register_codes(constant, unit, variant)


register_codes = _register_codes


def _show_source(filename: str, source: str) -> None:
    """Let tracebacks and `inspect` find the author's text, where no file of that name has it."""
    if filename not in linecache.cache and not os.path.exists(filename):
        lines = [line + "\n" for line in source.splitlines()]
        linecache.cache[filename] = (len(source), None, lines, filename)


def compile_unit(source: str, filename: str, interactive: bool = False) -> Unit:
    """Compile a cell or script so that it can be gone on from anywhere.

    Arguments: `source` is Python (magics already transformed); `filename` is what tracebacks show;
    `interactive` sends the value of a last expression to `sys.displayhook` and allows `await` at top level.
    Raises SyntaxError, and ValueError for source with null bytes, as Python's own `compile` does.
    """
    return _known(Unit(source, filename, interactive))


def _borrowed_unit(source: str, filename: str) -> Unit:
    return _known(Unit(source, filename, False, borrowed.FORESEEN[borrowed.library_of(source)]))


def consumer(name: str) -> types.FunctionType:
    """What normalised code calls in the place of a function of C that runs code of the flow."""
    if name not in HOMES:
        raise UnknownHelper("its code needs a newer version of jupyter_flows")
    return borrowed.consumer(name, _borrowed_unit)


def _known(unit: Unit) -> Unit:
    _units[unit.digest] = unit
    _sources[unit.digest] = UnitSource(unit.source, os.path.basename(unit.filename), unit.interactive)
    return unit


def register_source(
    digest: str, source: str, filename: str, interactive: bool = False, form: bytes = b""
) -> None:
    """Make a unit known again in this process; it is compiled when first needed.

    Arguments: `form`, its normalised form, as a savepoint brings it. Raises ValueError if the source is not
    the one that the digest names.
    """
    if digest_of(source, interactive) != source_digest(digest):
        raise ValueError(f"the source kept for {filename} is not the one that ran: its digest differs")
    known = _sources.get(digest)
    if known is None or not known.form:
        _sources[digest] = UnitSource(source, known.filename if known else filename, interactive, form)


def unit_source(digest: str) -> UnitSource:
    """The source of this unit, without its form. Raises UnknownUnit."""
    try:
        return _sources[digest]
    except KeyError:
        raise UnknownUnit(f"no unit {digest} is known in this process") from None


def kept_unit(digest: str) -> UnitSource:
    """All that must be kept for this unit. Raises UnknownUnit."""
    known = unit_source(digest)
    if not known.form:
        made = unit(digest)
        if made.digest == digest:  # else it was normalised anew, and is not what the digest names
            known = _sources[digest] = replace(known, form=made.form)
    return known


def unit(digest: str) -> Unit:
    """The compiled unit, normalised as it was where it was made. Raises UnknownUnit."""
    found = _units.get(digest)
    if found is None:
        kept = unit_source(digest)
        is_of_now = rules_in(digest) in (0, RULES)
        form = b"" if is_of_now else kept.form
        filename = kept.filename if is_of_now else _path_of(digest) or kept.filename
        found = Unit(kept.source, filename, kept.interactive, foreseen_in(digest), digest, form)
        _units[digest] = found
        if found.digest != digest:
            _units.setdefault(found.digest, found)
            _sources.setdefault(found.digest, kept)
    return found


def _path_of(digest: str) -> str | None:
    """Where the same source was compiled here by the present rules."""
    same = (one for known, one in _units.items() if source_digest(known) == source_digest(digest))
    return next((one.filename for one in same), None)


def is_as_saved(digest: str, rules: int) -> bool:
    """Whether the unit is here as the rules normalised it that a savepoint names."""
    made_by = rules_in(digest)
    return rules == RULES if made_by in (0, RULES) else rules == made_by and bool(unit_source(digest).form)


def unit_of(code: types.CodeType) -> Unit | None:
    """The unit that this code was compiled from, or None for code that is not a flow's."""
    known = _codes.get(id(code))
    return known[1] if known is not None else None


def place_of(code: types.CodeType) -> tuple[str, str] | None:
    """Digest and place of the function that a code object belongs to, also while it is being gone on with."""
    known = _codes.get(id(code))
    if known is None:
        return None
    _, owner, variant = known
    if variant is not None and code is variant.code:
        return owner.digest, variant.scope.place
    place = owner.places.get(id(code)) if variant is None else variant.places.get(id(code))
    return (owner.digest, place) if place is not None else None


def role_in(code: types.CodeType) -> str:
    """How the frame that a variant goes on with had waited: the role of its site, while that is under way."""
    known = _codes.get(id(code))
    return known[2].role if known is not None and known[2] is not None else "call"


def position_of(code: types.CodeType, offset: int) -> int | None:
    """The number of the node that the instruction at `offset` belongs to."""
    known = _codes.get(id(code))
    if known is None:
        return None
    _, owner, variant = known
    table = (owner._own_positions if variant is None else variant.positions).get(id(code))
    number = table[offset // 2] if table is not None and offset >= 0 else None
    return number if number is not None and number >= 0 else None
