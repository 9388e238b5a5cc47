"""Variables that cannot have changed since the last savepoint are not pickled again.

A savepoint of a dozen small variables is mostly picklers that are made and thrown away: modules, functions,
numbers and the kernel's own books, the same each time. What is known of each is enough to see that it would
be pickled to the same stream: for a module, that it is still what its name leads to; for a function of the
flow without defaults and cells, that its code and names are what they were; for plain values, and containers
and handles of the Flow API that hold a few of them, that every object in them is the same one in the same
place. What is *private*, of which no part is an object of any variable, is compared by value.

The stream's memo is used again with it, so that sharing with other variables is found as ever. It keeps the
objects alive, so that no other one comes to have the id of one of them.
"""

from __future__ import annotations

import marshal
import sys
import types
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, islice
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import reducer as of_users
from ..resumable import Continuation, is_own
from .process_state import ProcessState
from .references import MAIN, is_importable, module_name

if TYPE_CHECKING:
    from .pickling import Pickled

_PLAIN = frozenset({int, float, complex, bool, type(None), str, bytes})
#: What containers of these kinds hold, in the order in which it is pickled.
_PARTS: dict[type[Any], Callable[[Any], Iterator[Any]]] = {
    list: iter,
    tuple: iter,
    set: iter,
    frozenset: iter,
    dict: lambda container: chain.from_iterable(container.items()),
}
#: Where all objects keep what they are in their own attributes.
_HANDLES = "jupyter_flows.flow_api"
#: Objects in one variable that are looked at: more are pickled in the time that this takes.
_MOST_PARTS = 64
#: Of longer streams (bytes) the memo would keep much alive, and one pickler more costs little beside them.
_MOST_BYTES = 16 * 1024
#: Lists shared objects once, but marks which are shared by how many refer to them; without, it is a function
#: of the value alone.
_MARSHAL_VERSION = 2


class _Known(NamedTuple):
    roots: tuple[Any, ...]
    traits: Any
    pickled: Pickled


class Traits(NamedTuple):
    """What decides to what a variable is pickled; `parts` are objects that live as long as it is known.

    `is_private`: which object it is makes no difference.
    """

    value: Any
    parts: tuple[Any, ...] = ()
    is_private: bool = False


class Unchanging:
    """What was pickled last of each variable of `namespace`, or of those that are one group, where that can
    be used again."""

    _of_process: Unchanging | None = None

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._known: dict[tuple[str, ...], _Known] = {}

    @classmethod
    def forget(cls) -> None:
        """Everything is pickled once more: the flow's author says how from now on."""
        cls._of_process = None

    @classmethod
    def of(cls, namespace: dict[str, Any]) -> Unchanging:
        """That of this process; it begins anew with another namespace."""
        if cls._of_process is None or cls._of_process._namespace is not namespace:
            cls._of_process = cls(namespace)
        return cls._of_process

    def find(
        self, names: tuple[str, ...], roots: Sequence[Any], private: Collection[str]
    ) -> tuple[Pickled | None, Traits | None]:
        """Their stream, if they are as they were; and their traits for `learn`, None where they may change
        unseen."""
        known = self._known.get(names)
        if len(roots) == 1:
            if type(roots[0]) in _PLAIN and known is not None and known.roots[0] is roots[0]:
                return known.pickled, known.traits
            traits = self._traits(roots[0], names[0] in private)
        else:
            every = [self._traits(root, False) for root in roots]
            whole = [one for one in every if one is not None]
            if len(whole) < len(every):
                return None, None
            parts = tuple(part for one in whole for part in one.parts)
            traits = Traits(tuple(one.value for one in whole), parts)
        if traits is None or known is None or traits.value != known.traits.value:
            return None, traits
        is_same = traits.is_private or all(map(is_, roots, known.roots))
        return (known.pickled if is_same else None), traits

    def learn(
        self, names: tuple[str, ...], roots: Sequence[Any], traits: Traits | None, pickled: Pickled
    ) -> None:
        """What they were pickled to."""
        is_whole = not (pickled.missing or pickled.buffers or pickled.memories)
        if traits is not None and is_whole and pickled.size <= _MOST_BYTES:
            pickled.extend = None  # it stays what it is, for the savepoints to come
            self._known[names] = _Known(tuple(roots), traits, pickled)
        else:
            self._known.pop(names, None)

    def keep_only(self, names: Collection[str]) -> None:
        """Variables that are gone are not kept alive."""
        for known in [known for known in self._known if not all(map(names.__contains__, known))]:
            del self._known[known]

    def _traits(self, value: Any, is_private: bool) -> Traits | None:
        """What decides, besides which object it is, to what it is pickled."""
        kind = type(value)
        if kind in _PLAIN:
            return Traits(kind)
        if is_private or kind is Continuation:
            known = _value_of(value)
            if known is not None:
                return Traits(known, is_private=True)
            if is_private:
                return None
        if kind in _PARTS or module_name(kind) == _HANDLES:
            return _identity_of(value)
        if kind is types.ModuleType:
            name = value.__dict__.get("__name__")
            is_known = type(name) is str and sys.modules.get(name) is value and not is_own(value)
            return Traits(name) if is_known else None
        if kind is types.FunctionType:
            traits = self._traits_of_function(value)
            return None if traits is None else Traits(traits)
        return None

    def _traits_of_function(self, function: types.FunctionType) -> Any:
        has_more = function.__closure__ or function.__defaults__ or function.__kwdefaults__
        if has_more or function.__dict__ or function.__globals__ is not self._namespace:
            return None
        annotations = tuple(function.__annotations__.items())
        if function.__module__ != MAIN or not all(_is_of_library(one) for _, one in annotations):
            return None
        named = (function.__name__, function.__qualname__, function.__doc__)
        code = function.__code__  # kept alive, so that no other one comes to have its id
        return id(code), code, named, annotations, getattr(function, "__type_params__", ()) or None


def _is_of_library(annotation: Any) -> bool:
    return type(annotation) is str or (type(annotation) is type and is_importable(annotation))


def _value_of(value: Any) -> Any:
    """The value of an object of plain ones, exact to their types; None for anything else."""
    if type(value) is ProcessState:
        return value.fingerprint()
    if type(value) is Continuation:  # the values of its variables travel by themselves
        state: Any = value.structure()
    else:
        state = value if type(value) is dict else getattr(value, "__dict__", None)
    try:
        return type(value).__qualname__.encode() + marshal.dumps(state, _MARSHAL_VERSION)
    except ValueError:
        return None


def _identity_of(value: Any) -> Traits | None:
    """Each object in it and where it is; None where there are many, or one that may change unseen."""
    seen: list[int] = []
    parts: list[Any] = [value]
    for part in parts:  # which grows
        kind = type(part)
        seen.append(id(part))
        if kind in _PLAIN:
            continue
        inside = _PARTS.get(kind)
        if inside is not None:
            seen.append(len(part))
            parts.extend(islice(inside(part), _MOST_PARTS))
        elif module_name(kind) == _HANDLES and type(state := getattr(part, "__dict__", None)) is dict:
            seen.append(len(state))
            parts.extend(islice(chain.from_iterable(state.items()), _MOST_PARTS))
        else:
            return None
        if len(parts) > _MOST_PARTS:
            return None
    return Traits(tuple(seen), tuple(parts))


of_users.listen(Unchanging.forget)
