"""Whether a function of C would run a flow's code: words ask this of what they are given.

Told by types alone, so nothing of the flow is run to find out. What is not sure to run none counts as running
some: then words do it, which is right in any case and only slower. Functions of libraries in Python count
like the flow's.
"""

from __future__ import annotations

import functools
import types
from collections import deque
from collections.abc import Iterable
from typing import Any

#: Going through these runs nothing, and it does not use them up: their items can be looked at.
_CONTAINERS = frozenset(
    {list, tuple, set, frozenset, dict, deque, type({}.keys()), type({}.values()), type({}.items())}
)
_PLAIN = frozenset({str, bytes, bytearray, range})
_HEAP_TYPE = 1 << 9  # of `__flags__`: made by a class statement, or by C in the same way
_GENERATORS = (types.GeneratorType,)


def runs_when_iterated(iterable: Any, *methods: str) -> bool:
    """Whether to go through this may run a flow's code, or one of these special methods of its items."""
    kind = type(iterable)
    if kind in _PLAIN:
        return False
    if kind in _CONTAINERS:
        return bool(methods) and any(has_method(one, *methods) for one in {*map(type, iterable)})
    return bool(methods) or kind in _GENERATORS or has_method(kind, "__iter__", "__next__")


def some_run(iterables: Iterable[Any], *methods: str) -> bool:
    return any(runs_when_iterated(one, *methods) for one in iterables)


def runs_when_called(called: Any) -> bool:
    """Whether to call this may run a flow's code."""
    if isinstance(called, types.FunctionType | types.MethodType):
        return True
    if isinstance(called, functools.partial):
        return runs_when_called(called.func)
    if isinstance(called, type):
        return has_method(called, "__init__", "__new__", "__post_init__")
    return has_method(type(called), "__call__")


def has_method(kind: type, *names: str) -> bool:
    """Whether a class has one of these special methods in Python."""
    if not kind.__flags__ & _HEAP_TYPE:
        return False
    for name in names:
        for owner in kind.__mro__:
            if name in owner.__dict__:
                method = owner.__dict__[name]
                if isinstance(method, types.FunctionType | staticmethod):
                    return True
                break
    return False
