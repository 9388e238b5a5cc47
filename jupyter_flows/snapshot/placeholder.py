"""What a name holds after a restore when its object could not be kept.

Every use raises SavepointError with the object's path and the reason, so that nothing goes on with half
a state unnoticed. Only `repr()`, `type()` and `hash()` stay harmless: a variable viewer must be able to
list it, and a dict that has it as a key must be able to load.
"""

from __future__ import annotations

import re
from typing import Any

from ..errors import SavepointError

# What the interpreter and viewers ask of any object, before anybody uses it.
_HARMLESS = frozenset({"__class__", "__doc__", "__module__", "__repr__", "__hash__", "__reduce_ex__"})


class Placeholder:
    """Stands for the object at `path`, of type `kind`, that could not be kept for `reason`."""

    __slots__ = ("__weakref__", "_kind", "_path", "_reason")

    def __init__(self, path: str, kind: str, reason: str) -> None:
        object.__setattr__(self, "_path", path)
        object.__setattr__(self, "_kind", kind)
        object.__setattr__(self, "_reason", reason)

    def __repr__(self) -> str:
        path, kind, reason = facts(self)
        return f"<not kept: {path} ({kind}): {reason}>"

    def __getattribute__(self, name: str) -> Any:
        if name in _HARMLESS:
            return object.__getattribute__(self, name)
        raise _error(self)

    __hash__ = object.__hash__

    def __reduce_ex__(self, protocol: Any) -> Any:
        return Placeholder, facts(self)


#: The path of a temporary of a frame: nobody should see its name.
_WAITING = re.compile(r"kept \d+ \.\S+$")


def facts(placeholder: Placeholder) -> tuple[str, str, str]:
    """Path, type and reason of the object that it stands for."""
    read = object.__getattribute__
    return read(placeholder, "_path"), read(placeholder, "_kind"), read(placeholder, "_reason")


def _error(placeholder: Placeholder) -> SavepointError:
    path, kind, reason = facts(placeholder)
    if _WAITING.match(path):
        path = "a value that a statement waits with (what a loop goes over, for one)"
    return SavepointError(
        f"{path} was not kept in the savepoint: {reason} (its type was {kind}). Make it again, "
        "or register a reducer for its type"
    )


def _refuse(self: Placeholder, *_: Any, **__: Any) -> Any:
    raise _error(self)


_USES = """
    call getitem setitem delitem contains iter next reversed len length_hint bool int float complex index
    round trunc floor ceil str bytes format fspath enter exit aenter aexit await aiter anext
    lt le eq ne gt ge neg pos abs invert setattr delattr dir
    add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor or
    radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift rand rxor ror
    iadd isub imul imatmul itruediv ifloordiv imod ipow ilshift irshift iand ixor ior
    instancecheck subclasscheck array copy deepcopy missing
"""
for _use in _USES.split():
    setattr(Placeholder, f"__{_use}__", _refuse)
