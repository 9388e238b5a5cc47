"""Which variables share something: they become one group, that is one pickle stream.

Every variable is pickled by itself first. What the pickler's memo then holds of two variables at once is
shared between them, and if that is more than a constant they are pickled again together. A group found
earlier is tried as a whole first, unless it is known to change, and taken as it is when not a byte of it
changed, so a steady state is pickled once. Where one variable of a group has many objects, the others are put
behind its stream, which is made once; behind that of an untouched group, so that its bytes are as they were.
A link too many costs little: large buffers and pieces are chunks of their own anyway.

Groups that are watched and were not touched (see `watching`) are not pickled at all. What is pickled is
looked for in them by address, so new sharing is found. Small variables that share objects with such a group
(one row of many) are a group of their own, whose stream refers to the objects of the other one by number.
"""

from __future__ import annotations

import datetime
import decimal
import fractions
import pathlib
import re
import sys
import types
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import is_
from typing import TYPE_CHECKING, Any, NamedTuple

from ..model import Missing
from . import registry
from .manifest import Group
from .memo import Memo
from .pickling import PROTOCOL, GroupPickler, Pickled
from .references import is_importable, module_name
from .standing import is_seen_by_nobody, look_again
from .unchanging import Unchanging
from .untouched import MANY_OBJECTS, watching

if TYPE_CHECKING:
    from .watching import Watched

# Sharing one of these cannot be seen: they never change, and nobody asks which of two equal ones it is.
_CONSTANTS: frozenset[type[Any]] = frozenset(
    {
        *(int, float, complex, bool, type(None), type(...), type(NotImplemented), slice, range),
        *(type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType, types.MethodDescriptorType),
        *(types.WrapperDescriptorType, types.GenericAlias, re.Pattern, decimal.Decimal, fractions.Fraction),
        *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone, uuid.UUID),
        *(pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePosixPath, pathlib.PureWindowsPath),
    }
)
_CONTAINERS = frozenset({list, dict, set, frozenset, tuple, bytearray})
_CONSTANTS_OF_LIBRARIES = (
    "numpy.dtype",
    "numpy.generic",
    "pandas.core.dtypes.base.ExtensionDtype",
    "pandas.core.indexes.base.Index",
    "datetime.tzinfo",
    "pyarrow.lib.DataType",
    "pyarrow.lib.Schema",
)
# The scope of the continuation, which comes before all variables.
_LOADED_FIRST = "state/"
# Shorter texts are cheaper to keep twice than to look after.
_LONG_TEXT = 4096


class Alone(NamedTuple):
    """One variable pickled by itself; `bytes` counts stream and buffers."""

    digest: str
    bytes: int
    missing: tuple[Missing, ...]


@dataclass
class Found:
    """One group: its variables, its stream, and what each variable is by itself."""

    names: tuple[str, ...]
    pickled: Pickled
    alone: dict[str, Alone] = field(default_factory=dict)
    #: Whether it is as it was in the savepoint before.
    is_same: bool = False
    #: The names of the group whose objects the stream refers to.
    base: tuple[str, ...] = ()

    @property
    def objects(self) -> int:
        """How many it has."""
        return len(self.pickled.memo)


@dataclass
class Kept:
    """A group of the savepoint before that nothing has touched."""

    group: Group
    watched: Watched

    @property
    def names(self) -> tuple[str, ...]:
        return self.group.names

    @property
    def objects(self) -> int:
        """How many it has whose sharing can be seen."""
        return len(self.watched.links)


def find_groups(
    objects: Mapping[str, Any],
    pickler: GroupPickler,
    earlier: Sequence[Group],
    is_stored: Callable[[Group], bool],
    is_quiet: Callable[[], bool],
    private: Collection[str] = (),
) -> tuple[list[Found], list[Kept]]:
    """The groups of these variables: those that were pickled, and those that are as they were.

    Arguments: `earlier`, the groups of the savepoint before; `is_stored`, whether one's bytes are there;
    `is_quiet`, whether nothing can have changed since the save began;
    `private`, names of variables no part of which is an object of another one.
    """
    look_again()
    looking = watching() if earlier else None
    untouched = looking.untouched(objects, pickler, earlier, is_stored) if looking is not None else []
    kept = [Kept(group, watched) for group, watched in untouched]
    same = {name for one in kept for name in one.names}
    others = {name: value for name, value in objects.items() if name not in same}
    likely = [
        group
        for group in earlier
        if same.isdisjoint(group.names)
        and not group.base
        and not (looking and looking.has_changed(group.names, pickler))
    ]
    found = _pickled(others, pickler, likely, private)
    order = {name: number for number, name in enumerate(objects)}
    groups: list[Found] = []
    remaining: list[Kept] = []
    for members in _linked(found, kept, _Links.of(pickler.namespace)):
        if len(members) == 1:
            (remaining if isinstance(members[0], Kept) else groups).append(members[0])
            continue
        beside = _beside(members, objects, pickler, is_quiet)
        if beside is not None:
            remaining += [member for member in members if isinstance(member, Kept)]
            groups.append(beside)
        else:
            groups.append(_together(members, objects, order, pickler, is_quiet))
    return groups, remaining


def _pickled(
    objects: Mapping[str, Any], pickler: GroupPickler, earlier: Iterable[Group], private: Collection[str]
) -> list[Found]:
    """Each of these variables, or each group found earlier, by itself."""
    unchanging = Unchanging.of(pickler.namespace)
    unchanging.keep_only(objects.keys())

    def pickled_of(names: tuple[str, ...], roots: list[Any], parts: Sequence[int] = ()) -> Found:
        known, traits = unchanging.find(names, roots, private)
        if known is not None:
            return Found(names, known, is_same=True)
        pickled = pickler.dump(names, roots, parts)
        unchanging.learn(names, roots, traits, pickled)
        return Found(names, pickled)

    found = []
    # Groups of several variables that are still the same, to the byte.
    for group in earlier:
        if len(group.names) > 1 and all(name in objects for name in group.names):
            one = pickled_of(group.names, [objects[name] for name in group.names], group.parts)
            if one.pickled.digest == group.digest:
                found.append(one)
    seen = {name for one in found for name in one.names}
    for name, value in objects.items():
        if name not in seen:
            one = pickled_of((name,), [value])
            one.alone[name] = Alone(one.pickled.digest, one.pickled.size, one.pickled.missing)
            found.append(one)
    return found


def _beside(
    members: Sequence[Found | Kept],
    objects: Mapping[str, Any],
    pickler: GroupPickler,
    is_quiet: Callable[[], bool],
) -> Found | None:
    """A few small objects that refer to those of an untouched group: that one stays as it is."""
    bases = [member for member in members if isinstance(member, Kept)]
    others = [member for member in members if isinstance(member, Found)]
    names = tuple(name for member in others for name in member.names)
    if (
        len(bases) != 1
        or sum(member.objects for member in others) >= MANY_OBJECTS
        or any(member.pickled.missing for member in others)
        or any(name.startswith(_LOADED_FIRST) for name in names)
        or not is_quiet()
    ):
        return None
    base = bases[0].watched
    numbers = base.numbers([member.pickled.memo for member in others])
    pickled = pickler.dump_beside(numbers, [objects[name] for name in names])
    if pickled is None or not is_quiet():
        return None
    if any(_links(pickled.memo, identity) for identity in base.shared_with(pickled.memo)):
        return None
    alone = {name: one for member in others for name, one in member.alone.items()}
    return Found(names, pickled, alone, base=bases[0].names)


def _together(
    members: Sequence[Found | Kept],
    objects: Mapping[str, Any],
    order: Mapping[str, int],
    pickler: GroupPickler,
    is_quiet: Callable[[], bool],
) -> Found:
    alone: dict[str, Alone] = {}
    for member in members:
        if isinstance(member, Found):
            alone |= member.alone
    names = tuple(sorted((name for member in members for name in member.names), key=order.__getitem__))
    largest = _largest(members) if is_quiet() else None
    if largest is not None:
        others = tuple(name for name in names if name not in largest.names)
        if isinstance(largest, Found):
            pickled = largest.pickled
        else:  # the same bytes as before, which are stored already
            roots = [objects[name] for name in largest.names]
            pickled = pickler.dump(largest.names, roots, largest.group.parts)
        if is_quiet() and pickler.extended(pickled, [objects[name] for name in others]):
            return Found((*largest.names, *others), pickled, alone)
    return Found(names, pickler.dump(names, [objects[name] for name in names]), alone)


def _largest(members: Sequence[Found | Kept]) -> Found | Kept | None:
    """The one that is so large that the others are better put behind it."""
    if any(isinstance(member, Found) and member.pickled.missing for member in members):
        return None
    largest = max(members, key=lambda member: member.objects)
    return largest if largest.objects >= MANY_OBJECTS or isinstance(largest, Kept) else None


class _Links:
    """What the variables that are as they were share with each other: that is as it was, too.

    `owners` tells for each of their objects which of them has it, `pairs` which share something. Both go by
    the place in `streams`, which also keeps all these objects alive, so that their ids stay theirs.
    """

    _of_process: tuple[dict[str, Any], _Links] | None = None

    def __init__(self) -> None:
        self.streams: list[Pickled] = []
        self.owners: dict[int, int] = {}
        self.pairs: list[tuple[int, int]] = []
        self._modules = 0

    @classmethod
    def of(cls, namespace: dict[str, Any]) -> _Links:
        """That of this process; it begins anew with another namespace."""
        if cls._of_process is None or cls._of_process[0] is not namespace:
            cls._of_process = namespace, cls()
        return cls._of_process[1]

    def look_at(self, streams: list[Pickled]) -> None:
        """Find them anew where these are others, or a module may have come to hold one of their objects."""
        is_known = len(streams) == len(self.streams) and all(map(is_, streams, self.streams))
        if is_known and self._modules == len(sys.modules):
            return
        self.streams, self.owners, self.pairs, self._modules = streams, {}, [], len(sys.modules)
        for place, pickled in enumerate(streams):
            memo = pickled.memo
            for identity in memo.shared_with(self.owners.keys()):
                if _links(memo, identity):
                    self.pairs.append((self.owners[identity], place))
            self.owners.update(dict.fromkeys(memo.ids(), place))


def _linked(found: Sequence[Found], kept: Sequence[Kept], links: _Links) -> list[list[Any]]:
    """The connected ones; what a memo holds stays alive until this is done, so that ids are unique."""
    leaders = list(range(len(found) + len(kept)))

    def leader(index: int) -> int:
        while leaders[index] != index:
            leaders[index] = leaders[leaders[index]]
            index = leaders[index]
        return index

    same = [index for index, one in enumerate(found) if one.is_same]
    links.look_at([found[index].pickled for index in same])
    for one, other in links.pairs:
        leaders[leader(same[other])] = leader(same[one])
    # The smallest first: only ids of smaller ones are looked up, and the largest is never copied.
    others = [index for index, one in enumerate(found) if not one.is_same]
    by_size = sorted(others, key=lambda index: len(found[index].pickled.memo))
    owners: dict[int, int] = {}
    told: dict[int, bool] = {}  # what many of them refer to is asked about once
    for place, index in enumerate(by_size):
        memo = found[index].pickled.memo
        for identity in memo.shared_with(links.owners.keys()):
            if _links(memo, identity):
                leaders[leader(index)] = leader(same[links.owners[identity]])
        for identity in memo.shared_with(owners.keys()):
            one, other = leader(owners[identity]), leader(index)
            if one == other:
                continue
            if identity not in told:
                told[identity] = _links(memo, identity)
            if told[identity]:
                leaders[other] = one
        if place < len(by_size) - 1:
            owners.update(dict.fromkeys(memo.ids(), index))
    # Those that nothing touched have not come together with each other since.
    for number, untouched in enumerate(kept, start=len(found)):
        for index, pickled in enumerate(found):
            memo = pickled.pickled.memo
            if any(_links(memo, identity) for identity in untouched.watched.shared_with(memo)):
                leaders[leader(index)] = leader(number)
    linked: dict[int, list[Any]] = {}
    for index, group in enumerate((*found, *kept)):
        linked.setdefault(leader(index), []).append(group)
    return list(linked.values())


def _links(memo: Memo, identity: int) -> bool:
    if identity in memo.by_value:
        return True  # a class, function or cell that is kept by value
    subject = memo.subject(identity)
    if is_seen_by_nobody(subject):
        return False
    kind = type(subject)
    if kind in _CONTAINERS:
        return bool(subject) or kind not in (tuple, frozenset)
    if kind is str or kind is bytes:
        return len(subject) >= _LONG_TEXT
    if kind in _CONSTANTS or isinstance(subject, type) or _is_library_constant(kind):
        return False
    if not is_importable(kind) or registry.find(kind) is not None:
        return True
    try:
        return not isinstance(subject.__reduce_ex__(PROTOCOL), str)
    except Exception:
        return True


def _is_library_constant(kind: type[Any]) -> bool:
    return any(f"{module_name(base)}.{base.__qualname__}" in _CONSTANTS_OF_LIBRARIES for base in kind.__mro__)
