"""Groups of many small objects that nothing has touched are not pickled again: they are *watched*.

After a large group was pickled, a `Walk` goes through its objects as they lie in memory. It gives the
footprint: all bytes that decide what the pickle says, and what it met that those bytes do not describe
(*opaque* objects: classes and functions of the notebook, and up to some hundred others of any type). At the
next savepoint the group has the stream that it had, if

1. its variables are bound to objects at the same addresses,
2. the classes of its instances are still plain, under the same names,
3. the opaque objects are alive, pickle to the same bytes by themselves, and share nothing with the rest,
4. every byte of the footprint is what it was.

Why that is sound: the walk is a function of the bytes that it read, which are those of the footprint. If they
are equal, a walk now would go the same way, from the same addresses, and meet the same objects of the same
types, with the same items and values. Whether an object was freed and another one came to its place does not
matter, since what is there is what counts. For the fourth point only pages are read that were written
since (`written` tells which); where it cannot tell, all are.

What must not happen is that the stream and the footprint were taken from different states. Both are taken
one after the other, and only this thread may have run in between (`Quiet`), else the group is not watched
this time. Where this thread itself ran code of the flow (the hooks of classes that say how they are pickled),
that may have changed what was pickled before. Such a group is not *sure*: found as it was, it is pickled once
more, and left alone from then on if that gave the same stream and it is still as it was.

Opaque objects are pickled *before* the bytes are compared, since pickling them may run code of the flow that
changes the rest. Only weak references to them are kept.

What it cannot see, besides devices that write by themselves (see `written`): a class in C whose instances
hide state from pickle's view is opaque, so it is as exact as its pickling.

It costs something like a third of the time of pickling, once, and then a fault for each page that is written
the first time after a savepoint, as for large buffers. A group that was found changed several times in a row
is pickled without being watched, until it is found as it was.
"""

from __future__ import annotations

import gc
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy

from .image import Footprint, Image, Memory, Unfit
from .manifest import Group
from .quiet import Quiet
from .walking import Walk, facts_of
from .written import PageSet, WrittenPages

if TYPE_CHECKING:
    from .memo import Memo
    from .pickling import GroupPickler, Pickled

# Pickled by themselves at each savepoint, so they must be few.
_MOST_BESIDE = 20_000
# With a larger share of its objects pickled at each savepoint, a group is better pickled as a whole.
_SHARE_BESIDE = 0.5
_SHARE_OF_MEMORY = 0.4
# After so many changes in a row a group is not watched until it is found unchanged.
_PATIENCE = 3
_SMALL = 4096


class Watched:
    """One group as it was: see the module's text."""

    def __init__(self, names: tuple[str, ...], digest: str, roots: tuple[int, ...]) -> None:
        self.names = names
        self.digest = digest
        self.roots = roots
        self.footprint: Footprint
        self.pages: PageSet
        #: Addresses of what others might share with it, sorted.
        self.links: Any = None
        self.classes: list[tuple[Any, Any]] = []
        self.opaque: list[tuple[int, Any]] = []
        self.opaque_digest = ""
        #: Ids of what was pickled by itself, sorted.
        self.beside: Any = None
        self.is_sure = True
        # The memo of its stream: ids and numbers, which keep nothing alive.
        self._ids: Any = None
        self._numbers: Any = None
        self._are_sorted = False

    def remember(self, memo: Memo) -> None:
        """The numbers that its objects have in its stream."""
        words = memo.words()
        if words is not None:
            table = numpy.frombuffer(words, "u8").reshape(-1, 2)
            table = table[table[:, 0] != 0]
            self._ids, self._numbers = table[:, 0].copy(), table[:, 1].astype("u4")

    def numbers(self, memos: Iterable[Memo]) -> dict[int, int]:
        """The numbers of those of its objects that these memos have, too, by id.

        Only of what the walk met, which is still there: ids of what was made for the pickler alone may have
        come to others.
        """
        if self._ids is None:
            return {}
        if not self._are_sorted:
            order = numpy.argsort(self._ids)
            self._ids, self._numbers, self._are_sorted = self._ids[order], self._numbers[order], True
        wanted = numpy.unique(numpy.concatenate([_ids_of(memo) for memo in memos]))
        wanted = wanted[_is_in(wanted, self.links) & _is_in(wanted, self._ids)]
        found = self._numbers[numpy.searchsorted(self._ids, wanted)]
        return dict(zip(wanted.tolist(), found.tolist(), strict=True))

    def shared_with(self, memo: Memo) -> list[int]:
        """Ids of the objects of a stream that are objects of this group too."""
        ids = _ids_of(memo)
        found = ids[_is_in(ids, self.links) | _is_in(ids, self.beside)]
        return [identity for identity in found.tolist() if identity in memo]


class Watching:
    """The watched groups of this process."""

    def __init__(self, pages: WrittenPages) -> None:
        self._pages = pages
        self._memory = Memory()
        self._groups: dict[tuple[int, tuple[str, ...]], Watched] = {}
        self._changes: dict[tuple[int, tuple[str, ...]], int] = {}
        self._not_worth_it: set[tuple[int, tuple[str, ...]]] = set()
        # Found as they were by the save under way, which pickles them nevertheless.
        self._unsure: dict[tuple[int, tuple[str, ...]], Watched] = {}

    def close(self) -> None:
        self._memory.close()

    def untouched(
        self,
        objects: Mapping[str, Any],
        pickler: GroupPickler,
        earlier: Iterable[Group],
        is_stored: Callable[[Group], bool],
    ) -> list[tuple[Group, Watched]]:
        """The groups of an earlier savepoint whose streams say what they would say now."""
        found = []
        self._unsure.clear()
        place = id(pickler.namespace)
        mine = {key: watched for key, watched in self._groups.items() if key[0] == place}
        for group in earlier:
            watched = mine.pop((place, group.names), None)
            if watched is None:
                continue
            is_known = watched.digest == group.digest and is_stored(group)
            if is_known and self._is_as_it_was(watched, objects, pickler):
                if watched.is_sure:
                    found.append((group, watched))
                else:
                    self._unsure[place, group.names] = watched
            else:
                self._drop((place, group.names))
        for key in mine:  # they are no groups any more
            self._drop(key)
            self._changes.pop(key, None)
        return found

    def _drop(self, key: tuple[int, tuple[str, ...]]) -> None:
        del self._groups[key]
        self._changes[key] = self._changes.get(key, 0) + 1

    def has_changed(self, names: tuple[str, ...], pickler: GroupPickler) -> bool:
        """Whether it was another one when it was last looked at: then it is likely to be again."""
        return (id(pickler.namespace), names) in self._changes

    def is_worth_it(
        self, names: tuple[str, ...], pickled: Pickled, pickler: GroupPickler, before: str
    ) -> bool:
        """Whether to watch a group. Arguments: `before`, its digest at the savepoint before."""
        if pickled.missing:
            return False
        self._not_worth_it = {one for one in self._not_worth_it if one[0] == id(pickler.namespace)}
        key = (id(pickler.namespace), names)
        if pickled.digest == before:
            self._changes.pop(key, None)
        if key in self._not_worth_it:
            return False
        return self._changes.get(key, 0) < _PATIENCE

    def watch(
        self,
        names: tuple[str, ...],
        roots: Sequence[Any],
        pickled: Pickled,
        pickler: GroupPickler,
        quiet: Quiet,
    ) -> None:
        """Look after a group that has just been pickled, if that can be done."""
        key = (id(pickler.namespace), names)
        unsure = self._unsure.pop(key, None)
        if unsure is not None and unsure.digest == pickled.digest:
            objects = dict(zip(names, roots, strict=True))
            if self._is_as_it_was(unsure, objects, pickler) and quiet.holds():
                unsure.is_sure = True
                return
        self._groups.pop(key, None)
        watched = Watched(names, pickled.digest, tuple(map(id, roots)))
        try:
            walk = self._walked(watched, pickled)
            self._look_beside(watched, walk, pickler, len(pickled.memo))
        except Unfit:
            return
        watched.is_sure = not pickler.ran_code_of_the_flow
        if quiet.holds():
            self._groups[key] = watched

    def _walked(self, watched: Watched, pickled: Pickled) -> Walk:
        image = Image(self._memory, int(_available_bytes() * _SHARE_OF_MEMORY))
        try:
            walk = Walk(image, pickled.memo, time.thread_time() + 0.3 + 2 * pickled.seconds)
            walk.run(list(watched.roots))
            watched.footprint, watched.links = image.footprint(), walk.links
            watched.remember(pickled.memo)
        finally:
            image.close()
        # Watched from here on: nobody wrote since they were read, if it was quiet until `quiet.holds`.
        watched.pages = self._pages.watch(watched.footprint.pages)
        return walk

    def _look_beside(self, watched: Watched, walk: Walk, pickler: GroupPickler, objects: int) -> None:
        watched.classes = [(weakref.ref(cls), facts_of(cls)) for cls in walk.classes]
        watched.opaque = [(address, _reference_to(subject)) for address, subject in walk.opaque.items()]
        found = self._beside(watched, pickler)
        if found is None:
            raise Unfit("what is not plain in it cannot be kept apart")
        if len(found[1]) > _SHARE_BESIDE * objects:
            self._not_worth_it.add((id(pickler.namespace), watched.names))
            raise Unfit("there is little in it that need not be pickled")
        watched.opaque_digest, watched.beside = found

    def _beside(self, watched: Watched, pickler: GroupPickler) -> tuple[str, Any] | None:
        """The opaque objects by themselves: their digest and ids. None if they are not apart."""
        if not watched.opaque:
            return "", numpy.empty(0, "u8")
        subjects = [reference() for _, reference in watched.opaque]
        if [id(subject) for subject in subjects] != [address for address, _ in watched.opaque]:
            return None
        names = [f"{name}/{number}" for number, name in enumerate(["beside"] * len(subjects))]
        pickled = pickler.dump(names, subjects)
        if pickled.missing or len(pickled.memo) > _MOST_BESIDE:
            return None
        ids = numpy.sort(numpy.fromiter(pickled.memo.ids(), "u8"))
        return None if _is_in(ids, watched.links).any() else (pickled.digest, ids)

    def _is_as_it_was(self, watched: Watched, objects: Mapping[str, Any], pickler: GroupPickler) -> bool:
        if any(name not in objects for name in watched.names):
            return False
        if tuple(id(objects[name]) for name in watched.names) != watched.roots:
            return False
        for reference, facts in watched.classes:
            cls = reference()
            if cls is None or facts_of(cls) != facts:
                return False
        found = self._beside(watched, pickler)
        if found is None or found[0] != watched.opaque_digest:
            return False
        watched.beside = found[1]
        written = self._pages.written(watched.pages)
        return watched.footprint.is_same(self._memory, written)


def _ids_of(memo: Memo) -> Any:
    """All ids in a memo, and some that do not count; sorted, so that to look for them goes along memory."""
    words = memo.words()
    if words is None:
        return numpy.sort(numpy.fromiter(memo.ids(), "u8"))
    ids = numpy.sort(numpy.frombuffer(words, "u8")[::2])
    return ids[numpy.searchsorted(ids, 0, side="right") :]


def _is_in(ids: Any, links: Any) -> Any:
    """For each id whether it is among the sorted ones."""
    if not len(links):
        return numpy.zeros(len(ids), "?")
    places = numpy.minimum(numpy.searchsorted(links, ids), len(links) - 1)
    return links[places] == ids


def _reference_to(subject: Any) -> Any:
    """A weak reference; a strong one to what is small, refers to nothing, and tells nobody when it goes."""
    try:
        return weakref.ref(subject)
    except TypeError:
        is_small = not gc.is_tracked(subject) and sys.getsizeof(subject) < _SMALL
        if not is_small or hasattr(type(subject), "__del__"):
            raise Unfit("something in it can only be kept alive") from None
        return lambda: subject


def _available_bytes() -> int:
    with open("/proc/meminfo", "rb") as lines:
        for line in lines:
            if line.startswith(b"MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0
