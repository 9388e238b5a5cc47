"""What is kept by reference: classes and functions that a new process finds under their module and name."""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Mapping
from typing import Any

from ..resumable import is_own

#: The flow's own module: what is defined there is kept by value.
MAIN = "__main__"


def module_name(kind: type[Any]) -> str:
    """Where a class says it is from; asked of `type`, for a metaclass may answer otherwise, or raise."""
    found = type.__dict__["__module__"].__get__(kind)
    if type(found) is not str:  # Cython's own types have a descriptor there, which their metaclass resolves
        try:
            found = kind.__module__
        except Exception:
            found = ""
    return found if type(found) is str else ""


def is_importable(subject: Any) -> bool:
    """Whether `subject` (a class or function) is what its module and qualified name lead to.

    What a module of the flow's own defines is not: the module may have been edited since.
    """
    module = module_name(subject) if isinstance(subject, type) else getattr(subject, "__module__", None)
    if not isinstance(module, str) or module == MAIN:
        return False
    found: Any = sys.modules.get(module)
    if found is None or is_own(found):
        return False
    for part in str(getattr(subject, "__qualname__", subject.__name__)).split("."):
        found = getattr(found, part, None)
        if found is None:
            return False
    return found is subject


def module_of_globals(global_names: Mapping[str, Any]) -> str | None:
    """The name of the imported module whose namespace this is."""
    name = global_names.get("__name__")
    module = sys.modules.get(name) if isinstance(name, str) else None
    if isinstance(module, types.ModuleType) and module.__dict__ is global_names:
        return str(name)
    return None


def module_globals(name: str) -> dict[str, Any]:
    """The live namespace of a module; it is imported if need be."""
    __import__(name)
    return sys.modules[name].__dict__


class ModuleGlobals:
    """Stands in a pickle for the namespace of an imported module."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return module_globals, (self.name,)


# --- dictionaries that every process has: the memo knows them before anything is pickled ---------------


class _Live:
    namespace: dict[str, Any] = {}  # noqa: RUF012 - set for the time of one load


def live_namespace() -> dict[str, Any]:
    """The namespace that the load under way puts functions into."""
    return _Live.namespace


def live_builtins() -> dict[str, Any]:
    return builtins.__dict__


def live_modules() -> dict[str, Any]:
    return sys.modules


def set_live_namespace(namespace: dict[str, Any]) -> dict[str, Any]:
    """Returns the one before."""
    before, _Live.namespace = _Live.namespace, namespace
    return before


def memo_of_known(namespace: dict[str, Any]) -> dict[int, tuple[int, Any]]:
    """A pickler's memo in which these dictionaries are known already, at numbers 0, 1 and 2."""
    return {
        id(known): (number, known) for number, known in enumerate((namespace, builtins.__dict__, sys.modules))
    }


def _call(name: str) -> bytes:
    return f"c{__name__}\n{name}\n)R\x94.".encode("latin-1")


#: Streams that, loaded first by the same unpickler, put them under the same numbers.
PREAMBLE = tuple(b"\x80\x05" + _call(known) for known in ("live_namespace", "live_builtins", "live_modules"))
