"""What a debugger shows of a frame: the author's variables, without our temporaries.

A frame's variables are Python's own to give, so `pdb`, which reads them in one place, is shown a view of
them. Reading and assigning go through to the frame as before; frames of other code are left alone. IPython's
debugger and `%debug` are `pdb` too.
"""

from __future__ import annotations

import pdb
from collections.abc import Iterator, MutableMapping
from typing import Any

from . import units
from .temporaries import is_temporary

_ATTRIBUTE = "curframe_locals"  # what `pdb` calls the variables of the frame that it stands in


class ShownVariables(MutableMapping[str, Any]):
    """A frame's variables as its author knows them."""

    def __init__(self, variables: Any) -> None:
        self._variables = variables

    def __getitem__(self, name: str) -> Any:
        return self._variables[name]

    def __setitem__(self, name: str, value: Any) -> None:
        self._variables[name] = value

    def __delitem__(self, name: str) -> None:
        del self._variables[name]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name in self._variables if not is_temporary(name)])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __or__(self, other: Any) -> dict[str, Any]:
        return dict(self) | dict(other)

    def __ror__(self, other: Any) -> dict[str, Any]:
        return dict(other) | dict(self)

    def __repr__(self) -> str:
        return repr(dict(self))


def _get(debugger: Any) -> Any:
    try:
        variables = debugger.__dict__[_ATTRIBUTE]
    except KeyError:
        raise AttributeError(_ATTRIBUTE) from None
    frame = getattr(debugger, "curframe", None)
    if frame is None or units.unit_of(frame.f_code) is None:
        return variables
    return ShownVariables(variables)


def _set(debugger: Any, variables: Any) -> None:
    debugger.__dict__[_ATTRIBUTE] = variables


def hide_temporaries() -> None:
    """From now on `pdb` shows no temporaries in this process."""
    if not hasattr(pdb.Pdb, _ATTRIBUTE):
        setattr(pdb.Pdb, _ATTRIBUTE, property(_get, _set))
