"""Going on under new code: frames, functions and suspended generators of old units move to edited ones.

A frame moves if the statement that it waits in is still there (`matching`). Its values stay; temporaries get
the names that the new source gives them, found by what each was made for. Then the two normalised ways to
the place must agree in every loop, `with` and `try`, and the statement itself in every temporary: what
cannot be proved to mean the same is refused, and nothing has run by then.

Functions go to the definition of the same qualified name, when a savepoint is loaded: every reference to
one sees the new code. A function whose definition is gone, and a lambda, keeps the code it had.
"""

from __future__ import annotations

import ast
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from . import units
from .borrowed import library_of
from .continuing import GENERATOR, Continuation, Frame, NotResumable, Place, check_variant
from .lowering import CELLS, Birth
from .matching import Match, Position, SourceTree, Unmatched, find_function, header, match_place, position_of
from .operands import Refused, Steps
from .rebuilding import START
from .temporaries import MARK, is_temporary


class CodeChanged(NotResumable):
    """A savepoint does not fit the new code. `function` says where; `old` and `new` are what is written."""

    def __init__(self, function: str, reason: str, old: str, new: str) -> None:
        self.function, self.reason, self.old, self.new = function, reason, old, new
        where = "the cell" if function == "<module>" else f"the function {function}"
        message = f"the new code does not fit the savepoint: in {where}, the place where it waits {reason}."
        if reason.startswith(("is not defined", "is defined", "was a")):
            message = f"the new code does not fit the savepoint: {where} {reason}."
        message += f"\nIt was:\n{_indented(old)}\nNow it is:\n{_indented(new or '(nothing like it)')}"
        super().__init__(message + "\nBring it back, or restore without the current code.")

    def __reduce__(self) -> tuple[Any, ...]:
        return CodeChanged, (self.function, self.reason, self.old, self.new)


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())


@dataclass(frozen=True)
class Moved:
    """Where a frame goes on, and what becomes of its variables' names."""

    frame: Frame
    names: dict[str, str]
    shared: tuple[str, ...]  # plain variables that are shared with closures now
    defaults: Mapping[str, Any] = field(default_factory=dict)  # of parameters that it did not have

    def put_in(self, frame: Frame, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The variables as the moved frame has them; those that are shared now go into its cells."""
        kept = {**self.defaults, **renamed(variables, self.names)}
        for name in self.shared:
            if name in kept:
                frame.cells[name].cell_contents = kept.pop(name)
        return kept


@dataclass
class Move:
    """From old units to new ones, both known in this process.

    Arguments: `pairs`, the digest of the new unit by that of the old one (or of its source), for each cell
    or module that is still there; `new`, the digests of all units of the new code, in order; `alone`, digests
    of old units whose functions can only be found in their new one, since they have a namespace of their
    own: modules.
    """

    pairs: Mapping[str, str]
    new: Sequence[str]
    alone: frozenset[str] = frozenset()
    _trees: dict[str, SourceTree] = field(default_factory=dict)
    _refusals: list[NotResumable] = field(default_factory=list)

    # --- what is asked ---------------------------------------------------------------------------

    def continuation(self, continuation: Continuation) -> Continuation:
        """The same state, waiting in the new code. Raises CodeChanged; nothing of the flow has run."""
        frames = [self.with_values(frame, self.frame(frame)) for frame in continuation.frames]
        for frame in frames:
            try:
                check_variant(frame)
            except (Refused, LookupError) as reason:
                raise NotResumable(f"{frame.function} cannot go on in the new code: {reason}") from None
        site = continuation.site
        if frames and frames[-1].unit in self.new:
            site = self._site(frames[-1], site)
        return replace(continuation, frames=frames, site=site)

    def frame(self, frame: Frame) -> Moved:
        """The frame in the new code; of its variables only the names are looked at. Raises CodeChanged."""
        is_library = bool(library_of(units.unit_source(frame.unit).source))
        if frame.unit in self.new or self._paired(frame.unit) == frame.unit or is_library:
            return Moved(frame, {}, ())
        if not units.is_as_saved(frame.unit, frame.rules):
            raise self._refused(
                NotResumable(
                    f"{frame.function} was saved by an older version of jupyter_flows and can only go on in "
                    "the code that it had: restore without the current code"
                )
            )
        try:
            return self._moved(frame)
        except Unmatched as reason:
            changed = CodeChanged(frame.function, reason.reason, reason.old, reason.new)
            raise self._refused(changed) from None

    def _paired(self, digest: str) -> str | None:
        """The new unit of an old one, whatever either was normalised with."""
        source = units.source_digest(digest)
        same = (new for old, new in self.pairs.items() if units.source_digest(old) == source)
        return self.pairs.get(digest) or next(same, None)

    def _refused(self, error: NotResumable) -> NotResumable:
        self._refusals.append(error)
        return error

    def function(self, digest: str, place: str, free_names: Sequence[str]) -> tuple[str, str]:
        """Unit and place of a function's code now; its own where it has no definition any more.

        Arguments: `free_names`, the variables of enclosing functions whose cells were kept. Raises
        CodeChanged if the new definition needs others.
        """
        if digest in self.new or "<lambda>" in place or "." in place.split("."):
            return digest, place
        unit = units.unit(digest)
        scope = unit.by_place.get(place) if not unit.library else None
        if scope is None or not isinstance(scope.node, ast.FunctionDef | ast.AsyncFunctionDef):
            return digest, place
        if scope.node.name.startswith("."):
            return digest, place
        found = self._new_place(digest, place)
        if found is None:
            return digest, place
        target, new_place = found
        code = units.unit(target).code_at(new_place)
        lacking = set(code.co_freevars) - set(free_names) - {"__class__"}
        if lacking:
            name = ", ".join(sorted(lacking))
            old, new = (self._header_text(*one) for one in ((digest, place), found))
            reason = f"uses {name} of the function around it, which it did not when it was made"
            name = place.partition("#")[0]
            raise self._refused(CodeChanged(name, "was a function that " + reason, old, new))
        return found

    @contextmanager
    def active(self) -> Iterator[None]:
        """While a savepoint is loaded: its functions and generators come to the new code.

        Raises CodeChanged at the end if one of them could not, whatever became of it meanwhile.
        """
        before, _current.move = _current.move, self
        self._refusals.clear()
        try:
            yield
        finally:
            _current.move = before
        if self._refusals:
            raise self._refusals[0]

    def tree(self, digest: str) -> SourceTree:
        found = self._trees.get(digest)
        if found is None:
            source = units.unit_source(digest)
            found = self._trees[digest] = SourceTree(source.source, source.filename)
        return found

    # --- functions -------------------------------------------------------------------------------

    def _new_place(self, digest: str, place: str) -> tuple[str, str] | None:
        name, _, number = place.partition("#")
        occurrence = int(number or 1)
        paired = self._paired(digest)
        for candidates in ([paired] if paired else [], self._others(digest)):
            found = [
                (one, other)
                for one in candidates
                for other in units.unit(one).by_place
                if other.partition("#")[0] == name
            ]
            if found:
                # A later definition of the same name is the one that counts, as when cells are run again.
                return found[min(occurrence, len(found)) - 1]
        return None

    def _others(self, digest: str) -> list[str]:
        return [] if digest in self.alone else [one for one in self.new if one != self._paired(digest)]

    def _header_text(self, digest: str, place: str) -> str:
        node = units.unit(digest).by_place[place].node
        tree = self.tree(digest)
        position = position_of(node)
        author = tree.at.get(position) if position is not None else None
        return tree.text(author) if author is not None else place

    # --- frames ----------------------------------------------------------------------------------

    def _moved(self, frame: Frame) -> Moved:
        old_unit = units.unit(frame.unit)
        old_scope = old_unit.by_place[frame.place]
        old = self.tree(frame.unit)
        site = old_unit.node_at(old_scope, frame.steps)
        author = _author_node(old, site)
        new_unit, match = self._matched(frame, old, author)
        if frame.role == START and not frame.steps:
            new_scope = _scope_like(new_unit, old_scope, match)
            steps: Steps = ()
        else:
            target = _counterpart(old_unit, site, new_unit, match)
            new_scope, steps = new_unit.locate(target.number)  # type: ignore[attr-defined]
        births = _births(old_unit, old_scope), _births(new_unit, new_scope)
        names = _temporaries(old_scope, new_scope, births, match, frame.variables)
        if frame.steps:
            text = _statement(old, author)
            _check_way(text, (old_scope, frame.steps), (new_scope, steps), names)
        moved = replace(frame, unit=new_unit.digest, place=new_scope.place, steps=steps)
        exposed = new_scope.names.exposed_names()
        free = new_scope.names.free_names()
        lacking = [one for one in exposed if one in free and one not in frame.cells]
        if lacking:
            text = _statement(old, author)
            raise Unmatched(f"uses {lacking[0]} of the function around it, which was not kept", text, text)
        shared = tuple(one for one in exposed if one not in frame.cells)
        defaults = _new_parameters(old_scope, new_scope, old, author)
        return Moved(moved, names, shared, defaults)

    def _matched(self, frame: Frame, old: SourceTree, author: ast.AST) -> tuple[units.Unit, Match]:
        paired = self._paired(frame.unit)
        others = [self.tree(one) for one in self._others(frame.unit)]
        nowhere = SourceTree("")
        new = self.tree(paired) if paired is not None else nowhere
        function = author if frame.role == START and not frame.steps else old.function_around(author)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            tree, found = find_function(old, function, new, others)
            match = Match()
            if author is not function:
                match = match_place(old, author, function, tree, found)
            match.pair(function, found)
            return self._unit_of(tree), match
        if paired is None:
            raise Unmatched("is gone with its cell", _statement(old, author), "")
        return units.unit(paired), match_place(old, author, old.tree, new, new.tree)

    def _unit_of(self, tree: SourceTree) -> units.Unit:
        digest = next(one for one, known in self._trees.items() if known is tree)
        return units.unit(digest)

    @staticmethod
    def with_values(frame: Frame, moved: Moved) -> Frame:
        """The moved frame with the values of the one that it was."""
        new = replace(moved.frame, cells=frame.cells | {name: types.CellType() for name in moved.shared})
        new.variables = moved.put_in(new, frame.variables)
        return new

    def _site(self, frame: Frame, site: Place) -> Place:
        from .capturing import statement_at

        unit = units.unit(frame.unit)
        node = unit.node_at(unit.by_place[frame.place], frame.steps)
        return statement_at(unit, node, getattr(node, "lineno", site.line), site.function)


def renamed(variables: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Temporaries by the names that the new code gives them; those that mean nothing there are left out."""
    return {names.get(name, name): value for name, value in variables.items() if names.get(name, name)}


class _Current:
    move: Move | None = None


_current = _Current()


def current() -> Move | None:
    """The move under way, if a savepoint is being loaded for new code."""
    return _current.move


# --- finding -------------------------------------------------------------------------------------


def _author_node(tree: SourceTree, node: ast.AST) -> ast.AST:
    position = position_of(node)
    found = tree.at.get(position) if position is not None else None
    if found is None:
        raise NotResumable(f"`{ast.unparse(node)}` stands for nothing that the author wrote")
    if type(found) is not type(node):  # several nodes may cover the same text: a statement and its expression
        inner = [one for one in ast.walk(found) if position_of(one) == position and type(one) is type(node)]
        found = inner[0] if inner else found
    return found


def _statement(tree: SourceTree, author: ast.AST) -> str:
    node = next((one for one in tree.around(author) if isinstance(one, ast.stmt)), author)
    return tree.text(node)


def _kind(node: ast.AST) -> tuple[str, str]:
    """What a normalised node is: its type, and which of our helpers it calls, if any."""
    helper = ""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Constant):
        helper = str(node.func.value).removeprefix(MARK)
    return type(node).__name__, helper


def _at(unit: units.Unit, kind: tuple[str, str], position: Position | None) -> list[ast.AST]:
    return [node for node in unit.nodes if position_of(node) == position and _kind(node) == kind]


def _counterpart(old: units.Unit, site: ast.AST, new: units.Unit, match: Match) -> ast.AST:
    position = position_of(site)
    assert position is not None
    before = _at(old, _kind(site), position)
    after = _at(new, _kind(site), match.positions.get(position))
    number = next(index for index, node in enumerate(before) if node is site)
    if len(before) != len(after):
        text = ast.unparse(site)
        raise Unmatched("is compiled in another way, since other parts of the code changed", text, text)
    return after[number]


def _scope_like(unit: units.Unit, scope: units.Scope, match: Match) -> units.Scope:
    position = position_of(scope.node)
    wanted = match.positions.get(position) if position is not None else None
    return next(one for one in unit.by_place.values() if position_of(one.node) == wanted)


def _new_parameters(
    before: units.Scope, after: units.Scope, old: SourceTree, author: ast.AST
) -> dict[str, Any]:
    """A parameter that the function did not have gets its default, which must be a constant."""
    node = after.node
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return {}
    values: dict[str, Any] = {}
    for name in sorted(after.names.parameters - before.names.local_names):
        default = _constant_default(node.args, name)
        if default is None:
            text = _statement(old, author)
            raise Unmatched(f"has no value for the new parameter {name}", text, ast.unparse(node.args))
        values[name] = default.value
    return values


def _constant_default(arguments: ast.arguments, name: str) -> ast.Constant | None:
    positional = [*arguments.posonlyargs, *arguments.args]
    with_defaults = positional[len(positional) - len(arguments.defaults) :]
    pairs = [*zip(with_defaults, arguments.defaults, strict=True)]
    pairs += [
        (one, default)
        for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
        if default is not None
    ]
    for one, default in pairs:
        if one.arg == name and isinstance(default, ast.Constant):
            return default
    return None


# --- temporaries ---------------------------------------------------------------------------------


def _births(unit: units.Unit, scope: units.Scope) -> dict[str, Birth]:
    """What each temporary of a scope was made for."""
    births: dict[str, Birth] = getattr(unit.tree, "births_in_unit", {})
    return births | getattr(scope.node, "births", {})


def _temporaries(
    old: units.Scope,
    new: units.Scope,
    all_births: tuple[dict[str, Birth], dict[str, Birth]],
    match: Match,
    variables: Mapping[str, Any],
) -> dict[str, str]:
    """The new name of each temporary of the frame or its code; "" where the new code has none like it."""
    births, new_births = all_births
    by_birth = {birth: name for name, birth in new_births.items()}
    names: dict[str, str] = {}
    for name in variables.keys() | births.keys():
        if not is_temporary(name) or name in (GENERATOR, CELLS):
            continue
        birth = births.get(name)
        if birth is not None:
            letter, position, number = birth
            moved = match.positions.get(position) if position is not None else None
            names[name] = by_birth.get((letter, moved, number), "") if moved is not None else ""
        elif name.startswith(f".{old.prefix}."):
            names[name] = f".{new.prefix}." + name.removeprefix(f".{old.prefix}.")
    return names


def _check_way(
    text: str, before: tuple[units.Scope, Steps], after: tuple[units.Scope, Steps], names: Mapping[str, str]
) -> None:
    """Both ways go through the same loops, blocks and handlers to the same statement. Raises Unmatched."""
    (old_scope, old_steps), (new_scope, new_steps) = before, after
    old_way, new_way = _way(old_scope.node, old_steps), _way(new_scope.node, new_steps)
    if [_shape(one) for one in old_way] != [_shape(one) for one in new_way]:
        new_text = "; ".join(type(one[0]).__name__.lower() for one in new_way if isinstance(one[0], ast.stmt))
        raise Unmatched("has other loops, `with` or `try` blocks around it", text, new_text)
    old_statement = next(node for node, _, _ in reversed(old_way) if isinstance(node, ast.stmt))
    new_statement = next(node for node, _, _ in reversed(new_way) if isinstance(node, ast.stmt))
    if _renamed_header(old_statement, names, old_scope, new_scope) != header(new_statement):
        raise Unmatched("keeps other values, since other parts of the code changed", text, text)


Way = list[tuple[ast.AST, str, int | None]]


def _way(root: ast.AST, steps: Steps) -> Way:
    way: Way = []
    node: Any = root
    for name, index in steps:
        way.append((node, name, index))
        node = getattr(node, name) if index is None else getattr(node, name)[index]
    return way


def _shape(step: tuple[ast.AST, str, int | None]) -> tuple[str, str, int | None]:
    node, name, index = step
    value = getattr(node, name)
    in_block = isinstance(value, list) and isinstance(value[0], ast.stmt | ast.excepthandler | ast.match_case)
    return type(node).__name__, name, None if in_block else index


class _Renaming(ast.NodeTransformer):
    def __init__(self, names: Mapping[str, str], old_prefix: str, new_prefix: str) -> None:
        self._names = names
        self._prefixes = old_prefix, new_prefix

    def visit_Name(self, node: ast.Name) -> ast.AST:
        old, new = self._prefixes
        name = self._names.get(node.id) or node.id
        if name == node.id and node.id.startswith(old):
            name = new + node.id.removeprefix(old)
        return ast.Name(name, node.ctx)


def _renamed_header(node: ast.AST, names: Mapping[str, str], old: units.Scope, new: units.Scope) -> str:
    import copy

    bare = copy.copy(node)
    for name, value in ast.iter_fields(node):
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            setattr(bare, name, [])
    fresh = copy.deepcopy(bare)
    return header(_Renaming(names, f".{old.prefix}.", f".{new.prefix}.").visit(fresh))
