"""What pickles but would not load is found when it is saved, while the object is still there.

A class of the flow's own may say how it is pickled (``__reduce__``, ``__setstate__`` …), or get in the way of
being made again (a ``__getattr__`` that needs an attribute, a ``__hash__`` that needs the state). When such a
class turns up for the first time, the group is loaded at once in a forked child: nothing of that reaches this
process, and what it would print goes nowhere. An object that fails there, or comes back as one of another
class, becomes a named placeholder in the savepoint itself, and all others are kept whole. Classes that passed
are not tried again, so this costs some milliseconds once per class; those of the standard library and of the
libraries that the tests try kind by kind are taken as good.

Of a large group the nearest objects are compared, and a few of each class that sits deeper. A class of which
nothing was heard, since its child took too long, is tried again after two savepoints, four, eight …

Not found: an object that fails although others of its class did not; groups above `MOST_BYTES` (their classes
are tried when they turn up in a smaller one); where processes cannot be forked, nothing.
"""

from __future__ import annotations

import contextlib
import copyreg
import os
import select
import signal
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from ..model import Missing
from . import registry
from .paths import Paths
from .placeholder import Placeholder, facts
from .references import module_name

#: Larger groups are not tried.
MOST_BYTES = 32 << 20
#: How long a child may take, in seconds, and how long the next one, if that one said nothing: it may have
#: been forked while a thread held a lock that nobody gives back in the child.
_SECONDS = (2.0, 8.0)
_MANY_DIGESTS = 1000
# So many objects of a group are compared, the nearest ones; of kinds that sit deeper some samples.
_MOST_COMPARED = 5000
_SAMPLES = 20
_HOOKS = frozenset(
    {
        *("__reduce__", "__reduce_ex__", "__getstate__", "__setstate__", "__getnewargs__"),
        *("__getnewargs_ex__", "__new__", "__getattr__", "__getattribute__", "__setattr__", "__hash__"),
    }
)
# What may run code of the flow while an object is pickled.
_HOOKS_OF_PICKLING = frozenset(
    {
        *("__reduce__", "__reduce_ex__", "__getstate__", "__getnewargs__", "__getnewargs_ex__", "__class__"),
        *("__getattr__", "__getattribute__", "__iter__", "items", "keys", "__len__", "__getitem__"),
    }
)
_HOOKS_OF_CONTAINERS = frozenset({"__setitem__", "append", "extend", "add"})
_TRIED_LIBRARIES = frozenset(
    {
        *("jupyter_flows", "flow_api", "numpy", "pandas", "scipy", "sklearn", "matplotlib", "polars"),
        *("pyarrow", "torch", "networkx", "plotly", "sqlalchemy", "pydantic", "pydantic_core", "httpx"),
        *("requests", "PIL", "IPython", "ipywidgets", "traitlets", "msgspec", "attr", "attrs", "dateutil"),
    }
)


class Failure(msgspec.Struct, frozen=True, array_like=True):
    """An object that did not come back."""

    path: str
    reason: str


class _Known:
    #: Whether a class is to be tried; False once it passed.
    suspects: WeakKeyDictionary[type[Any], bool] = WeakKeyDictionary()  # noqa: RUF012 - of this process
    #: Of classes of which nothing was heard: how often, and how many savepoints to wait.
    waits: WeakKeyDictionary[type[Any], tuple[int, int]] = WeakKeyDictionary()  # noqa: RUF012
    #: What failed in a group, by the group's digest.
    failures: dict[str, tuple[Failure, ...]] = {}  # noqa: RUF012 - of this process


def is_suspect(kind: type[Any]) -> bool:
    """Whether objects of this class must be seen to load before that is taken for granted."""
    try:
        return _Known.suspects[kind]
    except KeyError:
        found = _Known.suspects[kind] = _has_hooks(kind)
        return found
    except TypeError:
        return False


def runs_code_of_the_flow(kind: type[Any]) -> bool:
    """Whether to pickle objects of this class may run code of the flow, or of a library that is not known."""
    reducer = registry.find(kind)
    if reducer is not None and registry.is_of_users(reducer):
        return True
    by_table: Any = copyreg.dispatch_table.get(kind)
    if by_table is not None and not _is_known_library(str(getattr(by_table, "__module__", ""))):
        return True
    return any(
        isinstance(base.__dict__.get("__dict__"), property)
        or any(_is_of_the_flow(base.__dict__[name]) for name in _HOOKS_OF_PICKLING & base.__dict__.keys())
        for base in _of_the_flow(kind)
    )


def _is_of_the_flow(hook: Any) -> bool:
    """Not what named tuples, enums and dataclasses get from those who make them."""
    if hook is None or isinstance(hook, types.BuiltinFunctionType | types.MethodDescriptorType):
        return False
    written_in = getattr(hook, "__globals__", {}).get("__name__", "")
    return not _is_known_library(str(written_in))


def is_of_known_libraries(kind: type[Any]) -> bool:
    """Whether the class and all its bases are of the standard library or of libraries tried kind by kind."""
    return next(_of_the_flow(kind), None) is None


def _of_the_flow(kind: type[Any]) -> Iterator[type[Any]]:
    """The class and its bases, without those of libraries that are tried kind by kind."""
    for base in type.__dict__["__mro__"].__get__(kind):
        if not _is_known_library(module_name(base)):
            yield base


def _is_known_library(module: str) -> bool:
    library = module.partition(".")[0]
    return library in _TRIED_LIBRARIES or (library in sys.stdlib_module_names and library != "__main__")


def _has_hooks(kind: type[Any]) -> bool:
    reducer = registry.find(kind)
    if reducer is not None:
        return registry.is_of_users(reducer)
    hooks = _HOOKS | _HOOKS_OF_CONTAINERS if issubclass(kind, list | dict | set) else _HOOKS
    for base in _of_the_flow(kind):
        own = {name for name in hooks if base.__dict__.get(name) is not None}
        if "__dataclass_params__" in base.__dict__:  # dataclass() wrote these
            own -= {"__hash__", "__setattr__"}
        if own:
            return True
    return False


def failures(
    digest: str,
    kinds: set[type[Any]],
    names: Sequence[str],
    roots: Sequence[Any],
    already: Sequence[Missing],
    load: Callable[[], list[Any]],
) -> tuple[Failure, ...]:
    """What of a group with objects of these suspect `kinds` does not load.

    Arguments: `already`, what could not even be pickled; `load`, called in the child, gives the roots as
    they are after a restore.
    """
    known = _Known.failures.get(digest)
    if known is not None:
        return known
    if not hasattr(os, "fork"):
        return ()
    found = _heard(lambda: _compared(names, roots, load(), kinds, {one.path for one in already}))
    if found is None:  # it took too long, or ended the child: it is not tried at every savepoint
        for kind in kinds:
            tries = _Known.waits.get(kind, (0, 0))[0] + 1
            _Known.waits[kind] = tries, 1 << tries
        return ()
    if len(_Known.failures) >= _MANY_DIGESTS:
        _Known.failures.clear()
    bad = {type(subject) for _, subject in located(names, roots, found)}
    for kind in kinds - bad:
        _Known.suspects[kind] = False
    _Known.failures[digest] = found
    return found


def due(kinds: set[type[Any]]) -> set[type[Any]]:
    """Those of these suspects that are to be tried now: where nothing was heard, later and later again."""
    found = set()
    for kind in kinds:
        tries, wait = _Known.waits.get(kind, (0, 0))
        if wait:
            _Known.waits[kind] = tries, wait - 1
        else:
            found.add(kind)
    return found


def with_samples(
    names: Sequence[str], roots: Sequence[Any], kinds: set[type[Any]], objects: Callable[[], Iterator[Any]]
) -> tuple[list[str], list[Any]]:
    """The variables, and objects of those suspect kinds that sit too deep in them to be met on the way.

    Arguments: `objects` gives all objects of the group.
    """
    within = Paths(names, roots, _MOST_COMPARED)
    deep = kinds - {type(subject) for subject in within.by_path().values()}
    names, roots = list(names), list(roots)
    if deep and not within.is_whole:
        taken = dict.fromkeys(deep, 0)
        for subject in objects():
            kind = type(subject)
            if taken.get(kind, _SAMPLES) < _SAMPLES:
                taken[kind] += 1
                names.append(f"rehearsal/{kind.__name__} {taken[kind]} (somewhere inside)")
                roots.append(subject)
    return names, roots


def located(
    names: Sequence[str], roots: Sequence[Any], found: Sequence[Failure]
) -> list[tuple[Failure, Any]]:
    """The objects at the paths of these failures."""
    if not found:
        return []
    at = Paths(names, roots, _MOST_COMPARED).by_path()
    return [(failure, at[failure.path]) for failure in found if failure.path in at]


def _compared(
    names: Sequence[str], roots: Sequence[Any], loaded: list[Any], kinds: set[type[Any]], already: set[str]
) -> tuple[Failure, ...]:
    before = Paths(names, roots, _MOST_COMPARED).by_path()
    paths = Paths(names, loaded, 2 * _MOST_COMPARED)  # a little further, should they be met in another order
    after = paths.by_path()
    found = [
        Failure(path, facts(subject)[2])
        for path, subject in after.items()
        if type(subject) is Placeholder
        and path in before
        and type(before[path]) is not Placeholder
        and facts(subject)[0] not in already
    ]
    for path, original in before.items():
        if type(original) not in kinds or _is_up_to_the_author(original):
            continue
        if path not in after and not paths.is_whole:
            continue
        subject = after.get(path)  # paths lead to no plain values
        if type(subject) is not Placeholder and _name(original) != _name(subject):
            what = "something else" if subject is None else _name(subject)
            found.append(Failure(path, f"it would be loaded as {what}"))
    return tuple(found)


def _is_up_to_the_author(subject: Any) -> bool:
    """Whether a reducer that the flow registered may make something else of it."""
    return registry.find(type(subject)) is not None


def _name(subject: Any) -> str:
    kind = type(subject)
    return (
        kind.__qualname__
        if kind.__module__ in ("builtins", "__main__")
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _heard(work: Callable[[], tuple[Failure, ...]]) -> tuple[Failure, ...] | None:
    for seconds in _SECONDS:
        if (found := _from_child(work, seconds)) is not None:
            return found
    return None


def _from_child(work: Callable[[], tuple[Failure, ...]], seconds: float) -> tuple[Failure, ...] | None:
    """What `work` returns in a forked child; None where that came to nothing in so many seconds."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of forking beside threads: the child takes no lock but the import's
        child = os.fork()
    if child == 0:
        _be_the_child(work, writing)
    os.close(writing)
    try:
        data = _read_all(reading, time.monotonic() + seconds)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
    try:
        return msgspec.msgpack.decode(data, type=tuple[Failure, ...])
    except msgspec.MsgspecError:
        return None


def _be_the_child(work: Callable[[], tuple[Failure, ...]], writing: int) -> None:
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nowhere, descriptor)
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - the child's, for good
        os.write(writing, msgspec.msgpack.encode(work()))
    finally:
        os._exit(0)


def _read_all(descriptor: int, until: float) -> bytes:
    parts = []
    while (left := until - time.monotonic()) > 0:
        if not select.select([descriptor], [], [], left)[0]:
            break
        part = os.read(descriptor, 1 << 16)
        if not part:
            break
        parts.append(part)
    return b"".join(parts)
