"""Reducers: how objects are pickled that pickle itself cannot do, or does wrongly.

A reducer gets an object and returns what `object.__reduce__` may return (a callable, its arguments, perhaps
a state). Reducers are found by the object's class and its bases. Those of libraries are registered by name
and cost nothing until an object of such a class turns up: no library is imported for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakSet

from .. import reducer as of_users
from .references import module_name

if TYPE_CHECKING:
    from .pickling import Saving

Reduced = Any
#: NotImplemented: leave the object to pickle.
Reducer = Callable[[Any, "Saving"], Reduced]

# Our own: for a class and its subclasses, and for exactly that class.
_inherited: dict[type[Any] | str, Reducer] = {}
_exact: dict[type[Any] | str, Reducer] = {}
# What was found for a class, weakly: a class of a notebook must be able to go.
_found: WeakKeyDictionary[type[Any], Reducer | None] = WeakKeyDictionary()
_of_users: WeakSet[Any] = WeakSet()
of_users.listen(_found.clear)


def builtin(*types: type[Any] | str, subclasses: bool = False) -> Callable[[Reducer], Reducer]:
    """Register one of our own reducers, which also gets the save it is part of."""

    def register(function: Reducer) -> Reducer:
        for one in types:
            (_inherited if subclasses else _exact)[one] = function
        _found.clear()
        return function

    return register


def find(kind: type[Any]) -> Reducer | None:
    """The reducer for objects of this class, or None."""
    try:
        return _found[kind]
    except KeyError:
        found = _found[kind] = _search(kind)
        return found


def _search(kind: type[Any]) -> Reducer | None:
    bases = [base for base in type.__dict__["__mro__"].__get__(kind) if base is not object]
    for base in bases:
        given = of_users.find(base) or of_users.find(f"{module_name(base)}.{base.__qualname__}")
        if given is not None:
            return _as_ours(given)
    for base in bases:
        name = f"{module_name(base)}.{base.__qualname__}"
        found = _inherited.get(base) or _inherited.get(name)
        if found is None and base is kind:
            found = _exact.get(base) or _exact.get(name)
        if found is not None:
            return found
    return None


def _as_ours(given: of_users.UserReducer) -> Reducer:
    def reduce(subject: Any, _: Saving) -> Reduced:
        return given(subject)

    _of_users.add(reduce)
    return reduce


def is_of_users(reducer: Reducer) -> bool:
    """Whether the flow's author registered it."""
    return reducer in _of_users
