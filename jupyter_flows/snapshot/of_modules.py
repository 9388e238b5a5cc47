"""Objects that an imported module holds for all who use it are kept by the name that they have there.

A sentinel (``functools._NOT_FOUND``, httpx's ``USE_CLIENT_DEFAULT``, traitlets' ``Undefined``) is compared
by identity: a copy of it would be another value, and nobody would be told. The same goes for what libraries
act upon: after ``from os import environ`` or ``from random import random`` the flow's name must lead to the
one mapping and generator of the process, not to a copy that changes nothing. The state of those that
count is kept with the process (`process_state`); a change made to any other object of a library is not state.

What is only *stored* in a module is not taken for the module's own: names that its functions assign
(``global _client``), names that others put there, the flow's own modules, and ``sys`` and ``builtins``, where
everybody stores things. Objects of classes that have a reducer are left to it, and plain values to pickle.
"""

from __future__ import annotations

import builtins
import decimal
import dis
import enum
import fractions
import importlib
import pathlib
import re
import sys
import types
import uuid
from collections.abc import Callable, Iterator
from datetime import date, time, timedelta, tzinfo
from typing import Any, NamedTuple

from ..errors import SavepointError
from ..resumable import is_own
from .references import is_importable, module_name

# Of these nobody asks which of two equal ones it is, or pickle knows best.
_VALUES = (
    *(type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, property),
    *(int, float, complex, str, bytes, bytearray, tuple, frozenset, type(None), re.Pattern, enum.Enum),
    *(date, time, timedelta, tzinfo, decimal.Decimal, fractions.Fraction, uuid.UUID, pathlib.PurePath),
    *(types.GenericAlias, types.UnionType, BaseException),
)
_PLAIN_CONTAINERS = frozenset({list, dict, set})
_OTHERS_STORE_HERE = frozenset({"sys", "builtins", "__main__", "__mp_main__"})


class Place(NamedTuple):
    """Where an object is found: the name of a module, and the name that it has there."""

    module: str
    name: str


def place_of(subject: Any) -> Place | None:
    """Where an imported module holds this object as its own; None for all others."""
    kind = type(subject)
    if not may_be_held(kind):
        return None
    # The same object from the same place each time: what it is pickled as should not change.
    for place in sorted(_Index.of(kind).get(id(subject), ()), key=_preference):
        if vars(sys.modules.get(place.module, builtins)).get(place.name) is subject and _is_its_own(place):
            return place
    return None


def reducer(kind: type[Any]) -> Callable[[Any, object], Any] | None:
    """Keeps those objects of this class by reference that modules hold; None where they hold none."""
    held = _Index.of(kind) if may_be_held(kind) else {}
    if not held:
        return None

    def reduce(subject: Any, _: object) -> Any:
        if id(subject) not in held:
            return NotImplemented
        place = place_of(subject)
        if place is None:
            return NotImplemented
        return taken_from, (*place, _described(subject))

    return reduce


def may_be_held(kind: type[Any]) -> bool:
    return kind not in _PLAIN_CONTAINERS and not issubclass(kind, _VALUES) and is_importable(kind)


def taken_from(module: str, name: str, expected: str) -> Any:
    """The object at this place. Raises SavepointError where something else is there now."""
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:
        raise SavepointError(f"{module}.{name} is not there: {type(error).__name__}: {error}") from error
    if _described(found) != expected:
        raise SavepointError(f"{module}.{name} is now a {_described(found)}, and was a {expected}")
    return found


def _described(subject: Any) -> str:
    return f"{module_name(type(subject))}.{type(subject).__qualname__}"


def _preference(place: Place) -> tuple[Any, ...]:
    """Public and short places live longest."""
    parts = (*place.module.split("."), place.name)
    return sum(part.startswith("_") for part in parts), len(parts), place


class _Index:
    """What the modules of a library hold, by class and id, looked up when a class of it first turns up."""

    _packages: dict[str, _Index] = {}  # noqa: RUF012 - of this process

    def __init__(self, package: str) -> None:
        self._package = package
        self._count = 0
        self._seen: set[str] = set()
        self._found: dict[type[Any], dict[int, list[Place]]] = {}

    @classmethod
    def of(cls, kind: type[Any]) -> dict[int, list[Place]]:
        # A bare object() says nothing of where it was made: for those all modules are looked at.
        package = "" if kind is object else module_name(kind).partition(".")[0]
        index = cls._packages.get(package)
        if index is None:
            index = cls._packages[package] = cls(package)
        if index._count != len(sys.modules):
            index._count = len(sys.modules)
            index._look(kind)
        return index._found.get(kind, {})

    def _look(self, kind: type[Any]) -> None:
        for name in list(sys.modules):
            if name in self._seen or not (name + ".").startswith(
                self._package + "." if self._package else ""
            ):
                continue
            module = sys.modules.get(name)
            spec = getattr(module, "__spec__", None) if type(module) is types.ModuleType else None
            if spec is not None and getattr(spec, "_initializing", False):
                continue
            self._seen.add(name)
            if spec is None or name in _OTHERS_STORE_HERE or is_own(module):
                continue
            for attribute, value in list(vars(module).items()):
                held = type(value)
                if held is object if kind is object else may_be_held(held):
                    places = self._found.setdefault(held, {}).setdefault(id(value), [])
                    places.append(Place(name, attribute))


class _Assigned:
    by_place: dict[Place, bool] = {}  # noqa: RUF012 - of this process


def _is_its_own(place: Place) -> bool:
    """Whether the module's own statements give this name to an object, once and for all."""
    found = _Assigned.by_place.get(place)
    if found is None:
        found = _Assigned.by_place[place] = _assigns_once_and_for_all(place)
    return found


def _assigns_once_and_for_all(place: Place) -> bool:
    spec = getattr(sys.modules.get(place.module), "__spec__", None)
    get_code = getattr(getattr(spec, "loader", None), "get_code", None)
    try:
        code = get_code(spec.name) if get_code is not None and spec is not None else None
    except Exception:
        return False
    if code is None:  # written in C, or built in
        return get_code is not None
    inner = list(_codes_inside(code))
    return _stores(code, "STORE_NAME", place.name) and not any(
        _stores(one, "STORE_GLOBAL", place.name) for one in inner
    )


def _codes_inside(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _codes_inside(constant)


def _stores(code: types.CodeType, operation: str, name: str) -> bool:
    return name in code.co_names and any(
        step.opname == operation and step.argval == name for step in dis.get_instructions(code)
    )
