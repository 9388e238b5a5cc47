"""Where in a variable an object sits, as a person would write it: ``state['model'].client._socket``.

Looks through containers, attributes, slots and closures without running anybody's code, and gives up after
so many objects: a path is worth some milliseconds, not seconds.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import types
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from ..model.sayable import sayable
from .placeholder import Placeholder

_LIMIT = 50_000
_IS_HEAP_TYPE = 1 << 9
_ATOMS = (str, bytes, int, float, complex, bool, type(None))


class Paths:
    """Finds objects below the variables `names`, whose values are `roots`; looks at `most` objects."""

    def __init__(self, names: Sequence[str], roots: Sequence[Any], most: int = _LIMIT) -> None:
        self._most = most
        #: Once it was looked: whether there was nothing more.
        self.is_whole = True
        self._names = [readable_name(name) for name in names]
        self._roots = roots
        self._known: dict[int, str] | None = None
        self._stand_ins: list[tuple[str, Any]] = []
        self._found: dict[str, Any] = {}

    def knows(self, subject: Any) -> bool:
        """Whether there is a path to this object, as far as it was looked."""
        if self._known is None:
            self._known = self._explored()
        return id(subject) in self._known

    def of(self, subject: Any) -> str:
        """The shortest path found, or the variables' names where there is none."""
        if self._known is None:
            self._known = self._explored()
        return self._known.get(id(subject)) or f"{' or '.join(self._names[:3])} (somewhere inside)"

    def by_path(self) -> dict[str, Any]:
        """What was found, by path; as many objects as are looked at for a path."""
        self._known = self._explored()
        return self._found

    def placeholders(self) -> Iterator[tuple[str, Any]]:
        """The placeholders found, with their paths."""
        self._known = self._explored()
        yield from self._stand_ins

    def _explored(self) -> dict[int, str]:
        known: dict[int, str] = {}
        self._found = {}
        waiting: deque[tuple[str, Any]] = deque(zip(self._names, self._roots, strict=True))
        while waiting:
            if len(known) >= self._most:
                self.is_whole = False
                break
            path, subject = waiting.popleft()
            if id(subject) in known:
                continue
            path = sayable(path)
            known[id(subject)] = path
            self._found[path] = subject
            if type(subject) is Placeholder:
                self._stand_ins.append((path, subject))
                continue
            for step in _steps_of(path, subject, self._most):
                if issubclass(type(step[1]), _ATOMS):
                    continue
                if len(waiting) >= self._most:  # further ones would hardly have their turn
                    self.is_whole = False
                    break
                waiting.append(step)
        return known


def readable_name(name: str) -> str:
    """ "globals/x" -> "x", "0 handler/x" -> "x"."""
    return name.partition("/")[2] or name


def _steps_of(path: str, subject: Any, most: int) -> list[tuple[str, Any]]:
    """What can be seen of an object that is not what it seems, or that is changed meanwhile, is enough."""
    found: list[tuple[str, Any]] = []
    with contextlib.suppress(Exception):
        found.extend(itertools.islice(_steps(path, subject), most + 1))
    return found


def _steps(path: str, subject: Any) -> Iterator[tuple[str, Any]]:
    kind = type(subject)  # isinstance would ask the object for its __class__, which a proxy computes
    if issubclass(kind, dict):
        for key, value in list(dict.items(subject)):
            yield f"{path}[{_key(key)}]", value
            if not issubclass(type(key), _ATOMS):
                yield f"{path}: the key {_key(key)}", key
    elif issubclass(kind, list | tuple | deque):
        own: Any = next(base for base in (list, tuple, deque) if issubclass(kind, base))
        for index, value in enumerate(list(own.__iter__(subject))):
            yield f"{path}[{index}]", value
    elif issubclass(kind, set | frozenset):
        own = set if issubclass(kind, set) else frozenset
        for value in list(own.__iter__(subject)):
            yield f"{path}: an element", value
    elif issubclass(kind, types.FunctionType):
        yield from _inside_function(path, subject)
    elif issubclass(kind, types.MethodType):
        yield f"{path}.__self__", subject.__self__
        yield f"{path}.__func__", subject.__func__
    elif issubclass(kind, types.ModuleType):
        return
    elif not kind.__flags__ & _IS_HEAP_TYPE:  # one of C's: iterators, partials, cells …
        for value in gc.get_referents(subject):
            if not issubclass(type(value), type | types.ModuleType):
                yield f"{path} (inside)", value
    yield from _attributes(path, subject)


def _inside_function(path: str, function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield f"{path}: its variable {name}", cell.cell_contents
        except ValueError:
            continue
    for index, value in enumerate(function.__defaults__ or ()):
        yield f"{path}: default {index}", value
    for name, value in (function.__kwdefaults__ or {}).items():
        yield f"{path}: default {name}", value


def _attributes(path: str, subject: Any) -> Iterator[tuple[str, Any]]:
    try:
        own = object.__getattribute__(subject, "__dict__")
    except AttributeError:
        own = {}
    for name, value in dict(own).items():
        yield f"{path}.{name}", value
    if issubclass(type(subject), type):
        return
    for base in type.__dict__["__mro__"].__get__(type(subject)):
        for name, member in base.__dict__.items():
            if isinstance(member, types.MemberDescriptorType):
                try:
                    yield f"{path}.{name}", member.__get__(subject)
                except (AttributeError, TypeError):
                    continue


def _key(key: Any) -> str:
    return repr(key) if type(key) in _ATOMS else f"<{type(key).__name__}>"
