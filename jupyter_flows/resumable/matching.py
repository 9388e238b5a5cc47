"""Where a statement of one source is found again in a later one: by its text and place, never by its line.

Both are compared as syntax trees of what the author wrote, so comments and formatting do not exist. A place
is a qualified function and the blocks around the statement; in each block the statement is sought by
aligning what was there with what is there now, so that statements may come and go around it. What is not
unique is refused: nothing is guessed.
"""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .walking import children

Definition = ast.FunctionDef | ast.AsyncFunctionDef
Position = tuple[int, int, int, int]

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ELEMENTS = (ast.stmt, ast.excepthandler, ast.match_case)
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
#: Around the place only these may be rewritten: which branch was taken, or is taken next, needs no memory.
_FREE_HEADERS = (ast.If, ast.While)


class Unmatched(Exception):
    """The place is not there any more: `reason`, and what was written `old` and is written `new`."""

    def __init__(self, reason: str, old: str, new: str) -> None:
        super().__init__(reason)
        self.reason, self.old, self.new = reason, old, new


def position_of(node: ast.AST) -> Position | None:
    """First line and column, last line and column."""
    if not hasattr(node, "lineno"):
        return None
    return node.lineno, node.col_offset, node.end_lineno or 0, node.end_col_offset or 0  # type: ignore[attr-defined]


class SourceTree:
    """The syntax tree of an author's source, with parents, definitions and positions.

    `label` tells people which source it is.
    """

    def __init__(self, source: str, label: str = "") -> None:
        self.source = source
        self.label = label
        self.tree = ast.parse(source)
        self.parents: dict[ast.AST, tuple[ast.AST, str, int | None]] = {}
        self.at: dict[Position, ast.AST] = {}
        for node in ast.walk(self.tree):
            position = position_of(node)
            if position is not None:
                self.at.setdefault(position, node)
            for name, value in ast.iter_fields(node):
                for index, child in enumerate(value) if isinstance(value, list) else ((None, value),):
                    if isinstance(child, ast.AST):
                        self.parents[child] = (node, name, index)

    def text(self, node: ast.AST) -> str:
        """What the author wrote for a node, the blocks of a compound statement left out."""
        if isinstance(node, ast.Module):
            return ""
        if isinstance(node, ast.match_case):
            return f"case {ast.unparse(node.pattern)}:"
        whole = ast.get_source_segment(self.source, node) or ast.unparse(node)
        first = next(
            (one.lineno for name in _BLOCKS for one in getattr(node, name, []) if hasattr(one, "lineno")),
            None,
        )
        lines = whole.splitlines()
        if first is not None and isinstance(node, _ELEMENTS):
            lines = lines[: max(1, first - node.lineno)]  # type: ignore[union-attr]
        return "\n".join(line.strip() for line in lines).strip()

    def qualified(self, node: ast.AST) -> str:
        """The qualified name of a definition or class."""
        names = [node.name]  # type: ignore[attr-defined]
        found = self.parents.get(node)
        while found is not None:
            node = found[0]
            if isinstance(node, (*_DEFINITIONS, ast.ClassDef)):
                names += ["<locals>", node.name] if isinstance(node, _DEFINITIONS) else [node.name]
            found = self.parents.get(node)
        return ".".join(reversed(names))

    def definitions(self, qualified: str, kinds: tuple[type[Any], ...] = _DEFINITIONS) -> list[Any]:
        """All definitions of that qualified name, in the order of the source."""
        name = qualified.rpartition(".")[2]
        found = [node for node in self.parents if isinstance(node, kinds) and node.name == name]
        return sorted(
            (node for node in found if self.qualified(node) == qualified), key=lambda node: node.lineno
        )

    def around(self, node: ast.AST) -> list[ast.AST]:
        """The node and all that it is in, innermost first, the module last."""
        chain = [node]
        while chain[-1] in self.parents:
            chain.append(self.parents[chain[-1]][0])
        return chain

    def function_around(self, node: ast.AST) -> Definition | None:
        """The function in whose body a node is (a lambda is part of its statement)."""
        while node in self.parents:
            parent, name, _ = self.parents[node]
            if isinstance(parent, _DEFINITIONS) and name == "body":
                return parent
            node = parent
        return None


@dataclass
class Match:
    """What belongs to what: positions in the new source by those in the old one."""

    positions: dict[Position, Position] = field(default_factory=dict)

    def pair(self, old: ast.AST, new: ast.AST) -> None:
        before, after = position_of(old), position_of(new)
        if before is not None and after is not None:
            self.positions.setdefault(before, after)

    def pair_all(self, old: ast.AST, new: ast.AST) -> None:
        """Two trees of the same shape."""
        for one, other in zip(ast.walk(old), ast.walk(new), strict=True):
            self.pair(one, other)


def match_place(old: SourceTree, node: ast.AST, root: ast.AST, new: SourceTree, new_root: ast.AST) -> Match:
    """Find `node`, which is somewhere in the blocks of `root`, in those of `new_root`. Raises Unmatched."""
    chain = old.around(node)
    inside = chain[: chain.index(root)]
    elements = [one for one in inside if isinstance(one, _ELEMENTS)]
    return _match_blocks(old, root, list(reversed(elements)), node, new, new_root)


def _match_blocks(
    old: SourceTree,
    parent: ast.AST,
    elements: list[ast.AST],
    node: ast.AST,
    new: SourceTree,
    new_parent: ast.AST,
) -> Match:
    """`elements` lead from the parent to the node, outermost first."""
    element, rest = elements[0], elements[1:]
    _, name, _ = old.parents[element]
    before: list[ast.AST] = getattr(parent, name)
    after: list[ast.AST] = getattr(new_parent, name, [])
    found: dict[int, Match] = {}
    failure: Unmatched | None = None
    for index, candidate in enumerate(after):
        if type(candidate) is not type(element):
            continue
        try:
            found[index] = _match_element(old, element, rest, node, new, candidate)
        except Unmatched as reason:
            is_nearer = failure is None or _alike(reason.old, reason.new) > _alike(failure.old, failure.new)
            failure = reason if is_nearer else failure
    if not found:
        if failure is not None and rest:
            raise failure
        raise Unmatched("is not there any more", old.text(element), _nearest(old, element, new, after))
    chosen = _chosen(before, before.index(element), after, sorted(found))
    if chosen is None:
        text = old.text(element)
        raise Unmatched(f"is there {len(found)} times, and which one is meant cannot be told", text, text)
    return found[chosen]


def _match_element(
    old: SourceTree, element: ast.AST, rest: list[ast.AST], node: ast.AST, new: SourceTree, candidate: ast.AST
) -> Match:
    is_same = header(element) == header(candidate)
    may_differ = rest and isinstance(element, _FREE_HEADERS)
    if not is_same and not may_differ:
        raise Unmatched("was changed", old.text(element), new.text(candidate))
    match = Match()
    if rest:
        match = _match_blocks(old, element, rest, node, new, candidate)
    if is_same:
        for one, other in zip(header_parts(element), header_parts(candidate), strict=True):
            match.pair_all(one, other)
    match.pair(element, candidate)
    return match


def _is_blocks(element: ast.AST, name: str, value: object) -> bool:
    return name in _BLOCKS and isinstance(value, list) and isinstance(element, (*_ELEMENTS, ast.Module))


def header_parts(element: ast.AST) -> list[ast.AST]:
    """What a statement consists of without its blocks."""
    parts: list[ast.AST] = []
    for name, value in ast.iter_fields(element):
        if not _is_blocks(element, name, value):
            parts += [
                one for one in (value if isinstance(value, list) else [value]) if isinstance(one, ast.AST)
            ]
    return parts


def header(element: ast.AST) -> str:
    """A statement's text in a form that knows no formatting, without its blocks."""
    fields = [
        f"{name}={[_dumped(one) for one in value] if isinstance(value, list) else _dumped(value)}"
        for name, value in ast.iter_fields(element)
        if not _is_blocks(element, name, value)
    ]
    return f"{type(element).__name__}({', '.join(fields)})"


def _dumped(value: Any) -> str:
    return ast.dump(value) if isinstance(value, ast.AST) else repr(value)


def _chosen(
    before: Sequence[ast.AST], index: int, after: Sequence[ast.AST], candidates: list[int]
) -> int | None:
    """The candidate that keeps most of the statements around; None if several do."""
    if len(candidates) == 1:
        return candidates[0]
    old, new = [header(one) for one in before], [header(one) for one in after]
    same = [one for one in candidates if new[one] == old[index]] or candidates
    scores = {
        one: _common(old[:index], new[:one]) + _common(old[index + 1 :], new[one + 1 :]) for one in same
    }
    best = [one for one in same if scores[one] == max(scores.values())]
    if len(best) == 1:
        return best[0]
    equals = [number for number, one in enumerate(old) if one == old[index]]
    return same[equals.index(index)] if len(equals) == len(same) else None


def _common(old: list[str], new: list[str]) -> int:
    """The length of the longest common subsequence."""
    lengths = [0] * (len(new) + 1)
    for one in old:
        diagonal = 0
        for column, other in enumerate(new, 1):
            above = lengths[column]
            lengths[column] = diagonal + 1 if one == other else max(above, lengths[column - 1])
            diagonal = above
    return lengths[-1]


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _nearest(old: SourceTree, element: ast.AST, new: SourceTree, after: Sequence[ast.AST]) -> str:
    """The statement of the new block that is most like the one that is gone."""
    text = old.text(element)
    texts = [new.text(one) for one in after]
    return max(texts, key=lambda one: _alike(text, one), default="")


def find_function(
    old: SourceTree, function: Definition, new: SourceTree, others: Sequence[SourceTree]
) -> tuple[SourceTree, Definition]:
    """A definition of the same qualified name, wherever it was moved. Raises Unmatched."""
    qualified = old.qualified(function)
    text = old.text(function)
    twins = old.definitions(qualified)
    for trees in ([new], others):
        found = [(tree, one) for tree in trees for one in tree.definitions(qualified)]
        if len(found) == 1 and len(twins) == 1:
            return _same_kind(old, function, *found[0])
        if len(found) == len(twins) and found:
            return _same_kind(old, function, *found[twins.index(function)])
        if found:
            raise Unmatched(
                f"is defined {len(found)} times now, so which one is meant cannot be told", text, text
            )
    raise Unmatched("is not defined any more", text, "")


def _same_kind(
    old: SourceTree, function: Definition, tree: SourceTree, found: Definition
) -> tuple[SourceTree, Definition]:
    if type(found) is not type(function) or is_generator(found) != is_generator(function):
        words = [
            f"{'an async ' if isinstance(one, ast.AsyncFunctionDef) else 'a '}"
            f"{'generator' if is_generator(one) else 'function'}"
            for one in (function, found)
        ]
        reason = f"was {words[0]} and is {words[1]} now"
        raise Unmatched(reason, old.text(function), tree.text(found))
    return tree, found


def own_nodes(function: Definition | ast.Lambda) -> Iterator[ast.AST]:
    """The nodes that run in the function itself, not in functions inside it."""
    waiting: list[ast.AST] = list(function.body) if isinstance(function.body, list) else [function.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, (*_DEFINITIONS, ast.ClassDef, ast.Lambda)):
            waiting += children(node)


def is_generator(function: Definition) -> bool:
    return any(isinstance(one, ast.Yield | ast.YieldFrom) for one in own_nodes(function))
