"""What is known of the scope that is being lowered, and the words that all of the lowering shares."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from ..matching import Position, position_of
from ..scopes import Scope
from ..walking import children

#: How a protected block is being left: kept in its `.w` variable. Returns are RETURN + their number.
RAISED, THROUGH, BREAK, CONTINUE, RETURN = 0, 1, 2, 3, 1000

CELLS = ".cells"

#: A temporary's letter, the position of what it was made for, and its number among equals.
Birth = tuple[str, Position | None, int]


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


def is_held(scope: Scope) -> bool:
    """Whether all shared cells of a function can be had from the function, which its caller holds.

    So it is with a lifted comprehension that makes no functions: it is called where it was made.
    """
    name = getattr(scope.node, "name", "")
    return name.startswith((".listcomp", ".setcomp", ".dictcomp")) and not scope.captured_names()


def own_nodes(statements: list[ast.stmt]) -> list[ast.AST]:
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
