"""Variables that cannot have changed since the last savepoint are not pickled again.

A savepoint of a dozen small variables is mostly picklers that are made and thrown away: modules, functions,
numbers and the kernel's own books, the same each time. What is known of each is enough to see that it would
be pickled to the same stream: for a module, that it is still what its name leads to; for a function of the
flow without defaults and cells, that its code and names are what they were; for plain values, that it is the
same object. What is *private*, of which no part is an object of any variable, is compared by value.

The stream's memo is used again with it, so that sharing with other variables is found as ever. It keeps the
objects alive, so that no other one comes to have the id of one of them.
"""

from __future__ import annotations

import marshal
import sys
import types
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import reducer as of_users
from ..resumable import is_own
from .process_state import ProcessState
from .references import MAIN, is_importable

if TYPE_CHECKING:
    from .pickling import Pickled

_PLAIN = frozenset({int, float, complex, bool, type(None), str, bytes})
#: Of longer streams (bytes) the memo would keep much alive, and one pickler more costs little beside them.
_MOST_BYTES = 16 * 1024
#: Lists shared objects once, but marks which are shared by how many refer to them; without, it is a function
#: of the value alone.
_MARSHAL_VERSION = 2


class _Known(NamedTuple):
    value: Any
    traits: Any
    pickled: Pickled


class Unchanging:
    """What was pickled last of each variable of `namespace`, where that can be used again."""

    _of_process: Unchanging | None = None

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._known: dict[str, _Known] = {}

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

    def find(self, name: str, value: Any, private: Collection[str]) -> tuple[Pickled | None, Any]:
        """Its stream, if it is as it was; and its traits for `learn`, None where it may change unseen."""
        is_private = name in private
        traits = _value_of(value) if is_private else self._traits(value)
        known = self._known.get(name)
        if traits is None or known is None:
            return None, traits
        is_same = traits == known.traits and (value is known.value or is_private)
        return (known.pickled if is_same else None), traits

    def learn(self, name: str, value: Any, traits: Any, pickled: Pickled) -> None:
        """What it was pickled to."""
        is_whole = not (pickled.missing or pickled.buffers or pickled.memories)
        if traits is not None and is_whole and pickled.size <= _MOST_BYTES:
            pickled.extend = None  # it stays what it is, for the savepoints to come
            self._known[name] = _Known(value, traits, pickled)
        else:
            self._known.pop(name, None)

    def keep_only(self, names: Collection[str]) -> None:
        """Variables that are gone are not kept alive."""
        for name in [name for name in self._known if name not in names]:
            del self._known[name]

    def _traits(self, value: Any) -> Any:
        """What decides, besides which object it is, to what it is pickled."""
        kind = type(value)
        if kind in _PLAIN:
            return kind
        if kind is types.ModuleType:
            name = value.__dict__.get("__name__")
            return (
                name if type(name) is str and sys.modules.get(name) is value and not is_own(value) else None
            )
        if kind is types.FunctionType:
            return self._traits_of_function(value)
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
    state = value if type(value) is dict else getattr(value, "__dict__", None)
    try:
        return type(value).__qualname__.encode() + marshal.dumps(state, _MARSHAL_VERSION)
    except ValueError:
        return None


of_users.listen(Unchanging.forget)
