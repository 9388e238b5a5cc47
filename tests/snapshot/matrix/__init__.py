"""The matrix: kinds of objects from real libraries, and what becomes of each in a savepoint.

Every kind is an expression. One process evaluates it and saves the object, another one loads it, evaluates
the expression anew and compares. `outcome` says what must come of it:

- ``equal``: the same, with all sharing inside, down to flags, memory order and positions;
- ``rebuilt``: made anew by a reducer; the check says what of it goes on;
- ``named``: a placeholder, whose reason has the text `reason` in it.

``python -m tests.snapshot.matrix`` writes the table in the docs from this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec
from typing import Literal

Outcome = Literal["equal", "rebuilt", "named"]


@dataclass(frozen=True)
class Kind:
    """`source` makes the object; `check` compares `a`, made by it here, with `b`, which was loaded.

    A check is an expression: true (or an empty text) when they are the same; a text says what differs.
    """

    name: str
    source: str
    check: str = "same(a, b)"
    outcome: Outcome = "equal"
    reason: str = ""


@dataclass(frozen=True)
class Library:
    """Kinds of one library. `prelude` is flow code that runs first, in both processes."""

    name: str
    modules: tuple[str, ...]
    prelude: str
    kinds: list[Kind] = field(default_factory=list)

    @property
    def is_installed(self) -> bool:
        return all(find_spec(module) is not None for module in self.modules)


_FILES = ("plain", "outside", "arrays", "frames", "learning", "drawing", "services")


def libraries() -> list[Library]:
    """All libraries of the matrix, in the order of the docs."""
    return [library for name in _FILES for library in import_module(f"{__name__}.{name}").LIBRARIES]
