"""What many objects refer to without sharing it in a way that could be seen: it links no variables.

Members of imported enums are found again by their class, and what modules hold for all by its name there.
Short tuples of plain values never change. And some libraries hand the same object to everything they make:
each figure of matplotlib refers to lists of `rcParams` and to the paths of its markers, and would else be one
group with all the others, to be pickled whole whenever one of them changes.
"""

from __future__ import annotations

import enum
import sys
from typing import Any

from . import of_modules, registry
from .references import is_importable

_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
_SHORT = 32


def is_seen_by_nobody(subject: Any) -> bool:
    """Whether that two variables refer to this object, and not to equal ones, makes no difference."""
    kind = type(subject)
    if kind is tuple:
        return len(subject) <= _SHORT and all(type(part) in _PLAIN for part in subject)
    if isinstance(subject, enum.Enum):
        return is_importable(kind)
    if registry.find(kind) is None and of_modules.place_of(subject) is not None:
        return True
    return _OfMatplotlib.holds(subject, kind)


class _OfMatplotlib:
    """What matplotlib's modules, classes and options hold, by id."""

    options: dict[int, Any] = {}  # noqa: RUF012 - of this process
    in_modules: dict[int, Any] = {}  # noqa: RUF012
    is_looked_at = False

    @classmethod
    def holds(cls, subject: Any, kind: type[Any]) -> bool:
        if id(subject) in cls.options or id(subject) in cls.in_modules:
            return True
        if cls.is_looked_at or kind.__name__ not in ("Path", "ndarray", "dict") or not cls.options:
            return False
        cls.is_looked_at = True  # some are made when they are first asked for: once more, for this save
        modules = [module for name, module in sys.modules.copy().items() if name.startswith("matplotlib.")]
        cls.in_modules = _held_by(modules)
        return id(subject) in cls.in_modules


def look_again() -> None:
    """Ask the libraries what they hold now: once for each save."""
    matplotlib: Any = sys.modules.get("matplotlib")
    _OfMatplotlib.is_looked_at = False
    if matplotlib is not None and hasattr(matplotlib, "rcParams"):
        lists = (value for value in dict.values(matplotlib.rcParams) if type(value) is list)
        _OfMatplotlib.options = {id(value): value for value in lists}


def _held_by(modules: list[Any]) -> dict[int, Any]:
    """Paths and arrays that are attributes of modules and classes, with what makes up a path."""
    found: dict[int, Any] = {}
    for module in modules:
        own = list(vars(module).values())
        inside = [value for one in own if isinstance(one, type) for value in vars(one).values()]
        for value in (*own, *inside):
            kind = type(value)
            if kind.__module__ == "matplotlib.path" and kind.__name__ == "Path":
                parts = vars(value)
                found |= {id(one): one for one in (value, parts, *parts.values()) if one is not None}
            elif kind.__module__ == "numpy" and kind.__name__ == "ndarray":
                found[id(value)] = value
    return found
