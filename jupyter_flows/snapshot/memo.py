"""Which objects a pickle stream holds, by id: read where C's pickler keeps it.

After a million objects were pickled, a copy of the memo (a dictionary of tuples) costs as much time as half
of the pickling and more memory than the objects. Its table is looked at in place instead: pairs of an
object's address and its number, open addressing, free places zero. Where a look at a small memo, taken once
per process, does not agree with what the pickler says itself, the copy is used.
"""

from __future__ import annotations

import ctypes
import io
import pickle
import platform
from array import array
from collections.abc import Collection, Iterable, Mapping, Set
from typing import Any

_WORD = 8
_MASK = (1 << 64) - 1
# So many times larger must one side be before its table is asked for each id of the other one.
_ASK_EACH = 16


class Memo:
    """The objects of one stream. They live as long as this does, so no two have the same id.

    Arguments: `pickler`, which has just pickled them; `outside`, ids that do not count; `by_value`, classes,
    functions and cells that are kept by value, which count in any case; `is_small`: a copy is cheaper.
    """

    def __init__(
        self,
        pickler: Any,
        outside: Iterable[int] = (),
        by_value: Mapping[int, Any] | None = None,
        is_small: bool = False,
    ) -> None:
        self._pickler = pickler
        self._outside = frozenset(outside)
        self.by_value = dict(by_value or {})
        self._table: memoryview | None = None
        self._copy: dict[int, Any] = {}
        self._ids: frozenset[int] | None = None
        if not is_small and isinstance(pickler, pickle.Pickler) and _Layout.is_known():
            self._table, self._size = _table_of(pickler)
        else:
            known = pickler.memo if isinstance(pickler.memo, dict) else pickler.memo.copy()
            self._copy = {identity: subject for identity, (_, subject) in known.items()}
            self._size = len(self._copy)
            self._ids = frozenset((self._copy.keys() - self._outside) | self.by_value.keys())

    def give_up(self) -> Any:
        """The pickler, to go on with; this memo must not be asked any more."""
        pickler, self._pickler = self._pickler, None
        if self._table is not None:
            self._table.release()  # the pickler moves it when it grows
        return pickler

    @classmethod
    def empty(cls) -> Memo:
        """Of a stream without any."""
        return cls(_Nothing)

    def __len__(self) -> int:
        return self._size

    def __contains__(self, identity: int) -> bool:
        if identity in self.by_value:
            return True
        if identity in self._outside:
            return False
        if self._table is None:
            return identity in self._copy
        return _is_in(self._table, identity)

    def ids(self) -> Set[int]:
        """All of them, in a set of their own."""
        if self._ids is not None:
            return self._ids
        assert self._table is not None
        found = set(array("Q", self._table.tobytes())[::2])
        found.discard(0)
        return (found - self._outside) | self.by_value.keys()

    def words(self) -> memoryview | None:
        """The table as it lies in memory, every other word an id or zero; None where there is a copy."""
        return self._table

    def shared_with(self, ids: Collection[int]) -> list[int]:
        """Those of `ids` that are here."""
        if self._ids is not None and self._size < len(ids):
            return [identity for identity in self._ids if identity in ids]
        if len(ids) * _ASK_EACH < self._size:
            return [identity for identity in ids if identity in self]
        mine = self.ids()
        return [identity for identity in ids if identity in mine]

    def subject(self, identity: int) -> Any:
        """The object with this id, which must be one of them."""
        if identity in self.by_value:
            return self.by_value[identity]
        return self._copy[identity] if self._table is None else _object_at(identity)


class _Nothing:
    """Stands for a pickler that has met no object."""

    memo: dict[int, Any] = {}  # noqa: RUF012 - nobody adds to it


def _object_at(address: int) -> Any:
    return ctypes.cast(address, ctypes.py_object).value


def _table_of(pickler: Any) -> tuple[memoryview, int]:
    """The table, as words, and how many objects are in it."""
    at = ctypes.c_uint64.from_address(id(pickler) + object.__basicsize__).value
    _, used, allocated, entries = (ctypes.c_uint64 * 4).from_address(at)
    words = (ctypes.c_uint64 * (2 * allocated)).from_address(entries)
    return memoryview(words).cast("B").cast("Q"), used


def _is_in(table: memoryview, identity: int) -> bool:
    mask = len(table) // 2 - 1
    perturb = identity >> 3
    place = perturb & mask
    while True:
        found = table[2 * (place & mask)]
        if found == identity:
            return True
        if not found:
            return False
        place = (place * 5 + perturb + 1) & _MASK
        perturb >>= 5


class _Layout:
    _is_known: bool | None = None

    @classmethod
    def is_known(cls) -> bool:
        """Whether a memo here is laid out as this module takes it to be."""
        if cls._is_known is None:
            cls._is_known = (
                platform.python_implementation() == "CPython" and ctypes.sizeof(ctypes.c_void_p) == _WORD
            ) and _agrees()
        return cls._is_known


def _agrees() -> bool:
    pickler = pickle.Pickler(io.BytesIO(), 5)
    pickler.dump([[number, {"a": (number,)}] for number in range(1000)])
    expected = pickler.memo.copy()
    at = ctypes.c_uint64.from_address(id(pickler) + object.__basicsize__).value
    mask, used, allocated, entries = (ctypes.c_uint64 * 4).from_address(at)
    if used != len(expected) or allocated != mask + 1 or not entries:
        return False
    table, _ = _table_of(pickler)
    found = set(table.tolist()[::2]) - {0}
    return found == set(expected) and all(one in found and _is_in(table, one) for one in expected)
