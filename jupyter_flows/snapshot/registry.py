"""Reducers: how objects are pickled that pickle itself cannot do, or does wrongly.

A reducer gets an object and returns what `object.__reduce__` may return (a callable, its arguments, perhaps
a state). Reducers are found by the object's class and its bases. Those of libraries are registered by name
and cost nothing until an object of such a class turns up: no library is imported for them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from .pickling import Saving

Reduced = Any
#: NotImplemented: leave the object to pickle.
Reducer = Callable[[Any, "Saving"], Reduced]
_UserReducer = TypeVar("_UserReducer", bound=Callable[[Any], Any])

# For a class and its subclasses: what users register. For exactly that class: our own, mostly.
_inherited: dict[type[Any] | str, Reducer] = {}
_exact: dict[type[Any] | str, Reducer] = {}
# What was found for a class, weakly: a class of a notebook must be able to go.
_found: WeakKeyDictionary[type[Any], Reducer | None] = WeakKeyDictionary()


def reducer(*types: type[Any] | str) -> Callable[[_UserReducer], _UserReducer]:
    """Register how objects of these types (and of their subclasses) are kept in savepoints.

    Arguments: `types`, classes or their full names ("package.module.Class"). The decorated function gets
    the object and returns a tuple as `object.__reduce__` does: a function that can be imported (or is
    defined in the flow) and its arguments, then perhaps a state. A reducer for a class goes before
    everything else that is known of it.
    """

    def register(function: _UserReducer) -> _UserReducer:
        def reduce(subject: Any, _: Saving) -> Reduced:
            return function(subject)

        for one in types:
            _inherited[one] = reduce
        _found.clear()
        return function

    return register


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
    for base in type.__dict__["__mro__"].__get__(kind):
        if base is object:
            break
        name = f"{base.__module__}.{base.__qualname__}"
        found = _inherited.get(base) or _inherited.get(name)
        if found is None and base is kind:
            found = _exact.get(base) or _exact.get(name)
        if found is not None:
            return found
    return None
