"""Goes through a graph of plain objects as it lies in memory, a generation of objects at a time.

What a pickle of lists, dicts, sets, tuples, texts, numbers and plain instances says is decided by the bytes
read here: which types, which items in which order, which values. Reference counts, hashes, the collector's
heads, spare room and the index tables of dicts are not read, so they may change.

The layouts are those of CPython 3.11, 3.12 and 3.13. Before the first use they are tried on objects of every
kind (see `layouts_are_known`); where anything is not found as it must be, nothing is ever watched.

An instance is *plain* if `object.__reduce_ex__` pickles it from its dict alone. What is neither plain nor one
of the known kinds is *opaque*: it is remembered, and whoever asked for the walk has to look after it.
"""

from __future__ import annotations

import abc
import copyreg
import ctypes
import datetime
import mmap
import sys
import sysconfig
import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy

from . import registry
from .image import Image, Memory, Unfit, expanded
from .references import is_importable

_MANAGED_DICT = 1 << 4
_HEAP_TYPE = 1 << 9
_IS_311 = sys.version_info < (3, 12)
_IS_313 = sys.version_info >= (3, 13)
_ASCII_AT = 6 if _IS_311 else 5  # words from the start of a text to its content
_TEXT_AT = 9 if _IS_311 else 7
_GENERAL, _UNICODE, _SPLIT = 0, 1, 2
_MOST_OPAQUE = 200
_MOST_TYPES = 100
_LONG_TEXT = 4096
_TRIES = 3
# Attributes of an instance with such names change how it is pickled: "__reduce", "__getsta", "__getnew".
_TELLING = tuple(int.from_bytes(name, "little") for name in (b"__reduce", b"__getsta", b"__getnew"))


class Known(Protocol):
    """The objects that were pickled; they are alive."""

    def __contains__(self, identity: int) -> bool: ...

    def subject(self, identity: int) -> Any: ...


class Walk:
    """One walk. Afterwards `links` has the sorted addresses of all objects whose sharing can be seen.

    Arguments: `roots`, addresses of objects; `ends_by`, an instant of `time.thread_time`.
    `opaque` are the objects to be looked after, `classes` those of plain instances.
    """

    def __init__(self, image: Image, known: Known, ends_by: float) -> None:
        self._image = image
        self._known = known
        self._ends_by = ends_by
        self.opaque: dict[int, Any] = {}
        self.classes: list[type[Any]] = []
        self._handlers: dict[int, Callable[[Any], list[Any]] | None] = {
            id(kind): getattr(self, f"_{name}") for name, kinds in _KINDS.items() for kind in kinds
        }
        self._links: list[Any] = []
        self._key_tables: set[int] = set()
        self.links: Any = None

    def run(self, roots: list[int]) -> None:
        """Raises Unfit if the graph cannot be described, or not in time."""
        addresses = numpy.array(roots, "u8")
        while len(addresses):
            if time.thread_time() > self._ends_by:
                raise Unfit("it takes too long to go through")
            addresses = self._generation(self._new(addresses))
        found = numpy.concatenate([*self._links, numpy.empty(0, "i8")])
        self.links = numpy.sort(self._image.addresses(found))

    def _new(self, addresses: Any) -> Any:
        """Places of those objects that were not met before, in order."""
        places = self._image.places(addresses)
        seen = self._image.seen
        places = numpy.sort(places[seen[places] == 0])
        if len(places):
            places = places[numpy.concatenate([[True], places[1:] != places[:-1]])]
            seen[places] = 1
        return places

    def _generation(self, places: Any) -> Any:
        """What these objects refer to."""
        found: list[Any] = [numpy.empty(0, "u8")]
        types = self._image.read(places + 1) if len(places) else places
        for _ in range(_MOST_TYPES):
            if not len(places):
                break
            kind = int(types[0])
            of_kind = types == kind
            found += self._handler(kind)(places[of_kind])
            places, types = places[~of_kind], types[~of_kind]
        else:
            raise Unfit("there are too many types of objects")
        children = numpy.concatenate(found)
        return children[children != 0]

    def _handler(self, kind: int) -> Callable[[Any], list[Any]]:
        handler = self._handlers.get(kind)
        if handler is None:
            handler = self._opaque
            if kind in self._known:
                cls = self._known.subject(kind)
                if isinstance(cls, type) and facts_of(cls) is not None:
                    self.classes.append(cls)
                    handler = self._instance
                    if not is_importable(cls):
                        self._remember_opaque(kind)
            self._handlers[kind] = handler
        return handler

    # --- kinds of objects: each takes their places and says which addresses they refer to -----------

    def _opaque(self, places: Any) -> list[Any]:
        if len(places) > _MOST_OPAQUE:
            raise Unfit("there is too much in it that is not plain")
        for address in self._image.addresses(places).tolist():
            self._remember_opaque(address)
        return []

    def _remember_opaque(self, address: int) -> None:
        if address not in self._known:
            raise Unfit("there is something in it that was not pickled")
        self.opaque[address] = self._known.subject(address)
        if len(self.opaque) > _MOST_OPAQUE:
            raise Unfit("there is too much in it that is not plain")

    def _nothing(self, places: Any) -> list[Any]:  # noqa: ARG002 - which one it is says all
        return []

    def _int(self, places: Any) -> list[Any]:
        size = self._image.read(places + 2).astype("i8")
        self._image.mark((places + 3) * 2, numpy.abs(size) if _IS_311 else size >> 3)
        return []

    def _float(self, places: Any) -> list[Any]:
        self._image.read(places + 2)
        return []

    def _complex(self, places: Any) -> list[Any]:
        self._image.read(places + 2)
        self._image.read(places + 3)
        return []

    def _date(self, places: Any) -> list[Any]:
        self._image.mark((places + 3) * 2, numpy.full(len(places), 3))
        return []

    def _datetime(self, places: Any) -> list[Any]:
        self._image.mark((places + 3) * 2, numpy.full(len(places), 4))
        zones = places[(self._image.read(places + 3) & 0xFF) != 0]
        return [self._image.read(zones + 5)] if len(zones) else []

    def _bytes(self, places: Any) -> list[Any]:
        size = self._image.read(places + 2).astype("i8")
        self._image.mark((places + 4) * 2, (size + 3) // 4)
        self._links.append(places[size >= _LONG_TEXT])
        return []

    def _text(self, places: Any) -> list[Any]:
        length = self._image.read(places + 2).astype("i8")
        state = self._image.read_half((places + 4) * 2)
        if not (state & 0x20).all():
            raise Unfit("a text of an old kind")
        is_ascii = (state & 0x40) != 0
        width = ((state >> 2) & 7).astype("i8")
        begins = places + numpy.where(is_ascii, _ASCII_AT, _TEXT_AT)
        self._image.mark(begins * 2, (length * width + 3) // 4)
        long_enough = begins[is_ascii & (length >= 10) & (length <= 20)]
        if len(long_enough) and numpy.isin(self._image.words[long_enough], _TELLING).any():
            raise Unfit("an attribute may change how an object is pickled")
        self._links.append(places[length >= _LONG_TEXT])
        return []

    def _tuple(self, places: Any) -> list[Any]:
        self._links.append(places)
        return [self._image.read(expanded(places + 3, self._image.read(places + 2)))]

    def _list(self, places: Any) -> list[Any]:
        self._links.append(places)
        size, items = self._image.read(places + 2), self._image.read(places + 3)
        filled = size != 0
        return [self._image.read(expanded(self._image.places(items[filled]), size[filled]))]

    def _set(self, places: Any) -> list[Any]:
        self._links.append(places)
        room = self._image.read(places + 4).astype("i8") + 1
        table = self._image.places(self._image.read(places + 5))
        entries = expanded(numpy.zeros_like(room), room) * 2 + numpy.repeat(table, room)
        keys = self._image.read(entries)
        return [keys[keys != _dummy()]]

    def _dict(self, places: Any) -> list[Any]:
        self._links.append(places)
        keys = self._image.places(self._image.read(places + 4))
        values = self._image.read(places + 5)
        split = values != 0
        found = self._combined(keys[~split])
        if split.any():
            found += self._split(keys[split], self._image.places(values[split]))
        return found

    def _kinds_of_tables(self, keys: Any) -> tuple[Any, Any]:
        """Which kind of table of keys each is, and where its entries begin."""
        facts = self._image.read_half(keys * 2 + 2)
        return (facts >> 16) & 0xFF, keys + 4 + ((1 << ((facts >> 8) & 0xFF).astype("i8")) >> 3)

    def _combined(self, keys: Any) -> list[Any]:
        kinds, begins = self._kinds_of_tables(keys)
        counts = self._image.read(keys + 3).astype("i8")
        found = []
        for kind, width, key_at in ((_GENERAL, 3, 1), (_UNICODE, 2, 0)):
            mine = kinds == kind
            if not mine.any():
                continue
            number = expanded(numpy.zeros_like(counts[mine]), counts[mine])
            entries = number * width + numpy.repeat(begins[mine], counts[mine])
            value = self._image.read(entries + key_at + 1)
            key = self._image.read(entries[value != 0] + key_at)
            found += [key, value]
        if (kinds > _UNICODE).any():
            raise Unfit("a table of keys of an unknown kind")
        return found

    def _split(self, keys: Any, values: Any) -> list[Any]:
        """Dicts of instances: the keys belong to the class, the values say in which order they came."""
        kinds, begins = self._kinds_of_tables(keys)
        if (kinds != _SPLIT).any():
            raise Unfit("a shared table of keys of an unknown kind")
        if _IS_313:
            head = self._image.read_half(values * 2).astype("i8")
            capacity, used, first = head & 0xFF, (head >> 8) & 0xFF, values + 1
            order_at = (first + capacity) * 8
            step = 1
        else:
            used, first = self._used(values), values
            order_at = values * 8 - 3
            step = -1
        found = []
        for number in range(int(used.max(initial=0))):
            mine = used > number
            byte = order_at[mine] + step * number
            index = (self._image.read(byte >> 3) >> ((byte & 7) * 8).astype("u8")) & 0xFF
            found.append(self._image.read(first[mine] + index.astype("i8")))
            entries = numpy.unique(begins[mine] + 2 * index.astype("i8"))
            found.append(self._image.read(entries))
        return found

    def _used(self, values: Any) -> Any:
        """How many attributes there are (up to 3.12): a byte right before the values."""
        return ((self._image.read(values - 1) >> 48) & 0xFF).astype("i8")

    def _instance(self, places: Any) -> list[Any]:
        """Pickling made a dict of its own for each instance that has attributes."""
        self._links.append(places)
        own = self._image.read(places - 3)
        bare = own == 0
        if _IS_313:
            if bare.any() and (self._image.read_half((places[bare] + 2) * 2) & 0xFF00).any():
                raise Unfit("an instance whose dict was not looked at")
            return [own]
        if _IS_311:
            values = self._image.read(places - 4)
        else:
            bare = (own & 1) == 1
            values = own + 1
        bare &= values != 0
        if bare.any() and self._used(self._image.places(values[bare])).any():
            raise Unfit("an instance whose dict was not looked at")
        return [own[(own & 1) == 0]]


_KINDS: dict[str, tuple[type[Any], ...]] = {
    "nothing": (type(None), bool, type(...), type(NotImplemented)),
    "int": (int,),
    "float": (float,),
    "complex": (complex,),
    "bytes": (bytes,),
    "text": (str,),
    "tuple": (tuple,),
    "list": (list,),
    "dict": (dict,),
    "set": (set, frozenset),
    "date": (datetime.date, datetime.timedelta),
    "datetime": (datetime.datetime,),
}


def facts_of(cls: type[Any]) -> tuple[Any, ...] | None:
    """What makes instances of a class plain, to be compared later; None if they are not."""
    if not (
        type(cls) in (type, abc.ABCMeta)
        and cls.__flags__ & _MANAGED_DICT
        and cls.__basicsize__ == (24 if _IS_311 else 16)
        and not cls.__itemsize__
        and all(
            base.__flags__ & _HEAP_TYPE and type.__getattribute__(base, "__dict__").get("__slots__", ()) == ()
            for base in cls.__mro__[:-1]
        )
        and all(getattr(cls, name) is getattr(object, name) for name in _FROM_OBJECT)
        and not any(hasattr(cls, name) for name in ("__getnewargs__", "__getnewargs_ex__", "__getattr__"))
        and "__class__" not in _names_of(cls)
        and "__dict__" not in {name for base in cls.__mro__[:-1] for name in _odd(base)}
        and not getattr(cls, "__slotnames__", None)
        and cls not in copyreg.dispatch_table
        and registry.find(cls) is None
    ):
        return None
    return cls.__module__, cls.__qualname__, is_importable(cls)


_FROM_OBJECT = ("__reduce_ex__", "__reduce__", "__getstate__", "__getattribute__")


def _names_of(cls: type[Any]) -> set[str]:
    return {name for base in cls.__mro__[:-1] for name in base.__dict__}


def _odd(base: type[Any]) -> list[str]:
    """Whether a class says itself what the dict of an instance is."""
    own = base.__dict__.get("__dict__")
    return ["__dict__"] if own is not None and type(own).__name__ != "getset_descriptor" else []


class _Dummy:
    address: int | None = None


def _dummy() -> int:
    """The address of what stands in a set's table where something was taken out."""
    if _Dummy.address is None:
        taken = {1, 2}
        taken.discard(1)
        fill, _, mask, table = (ctypes.c_uint64 * 4).from_address(id(taken) + 16)
        words = (ctypes.c_uint64 * (2 * (mask + 1))).from_address(table)
        others = {word for word in words[::2] if word} - {id(2)}
        _Dummy.address = others.pop() if len(others) == 1 and fill == 2 else 0
    return _Dummy.address


# --- are the layouts what this module takes them to be? ------------------------------------------------


class _Sample:
    """An instance with attributes."""


class _Everything:
    def __init__(self, ids: set[int]) -> None:
        self._ids = ids

    def __contains__(self, identity: int) -> bool:
        return identity in self._ids

    def subject(self, identity: int) -> Any:
        return ctypes.cast(identity, ctypes.py_object).value


class _Layouts:
    are_known: bool | None = None


def layouts_are_known() -> bool:
    """Whether this interpreter keeps its objects as this module reads them; found out once."""
    if _Layouts.are_known is None:
        _Layouts.are_known = (
            sys.implementation.name == "cpython"
            and (3, 11) <= sys.version_info[:2] <= (3, 13)
            and sys.maxsize == 2**63 - 1
            and sys.byteorder == "little"
            and mmap.PAGESIZE == 4096
            and not sysconfig.get_config_var("Py_GIL_DISABLED")
            and not hasattr(sys, "gettotalrefcount")
            and not hasattr(sys, "getobjects")
            and bool(_dummy())
            # Another thread may give back memory that is just looked at: that says nothing of layouts.
            and any(_try_layouts() for _ in range(_TRIES))
        )
    return _Layouts.are_known


def _try_layouts() -> bool:
    try:
        memory = Memory()
    except OSError:
        return False
    try:
        return all(_is_read_rightly(memory, make) for make in _SAMPLES)
    except (Unfit, OSError, ValueError):
        return False
    finally:
        memory.close()


def _is_read_rightly(memory: Memory, make: Callable[[], tuple[Any, list[Callable[[], Any]]]]) -> bool:
    """Every object of the sample is met, and each of its changes is noticed."""
    subject, changes = make()
    expected = _reachable(subject)
    for change in [None, *changes]:
        image = Image(memory, 1 << 26)
        try:
            walk = Walk(image, _Everything({*expected, id(_Sample)}), time.thread_time() + 60)
            walk.run([id(subject)])
            places = image.places(numpy.array(list(expected), "u8"))
            if not image.seen[places].all() or numpy.count_nonzero(image.seen[places]) != len(expected):
                return False
            footprint = image.footprint()
        finally:
            image.close()
        every = numpy.arange(len(footprint))
        if not footprint.is_same(memory, every):
            return False
        if change is not None:
            change()
            if footprint.is_same(memory, every):
                return False
            expected = _reachable(subject)
    return True


def _reachable(subject: Any) -> dict[int, Any]:
    """All objects below, as Python's own means show them."""
    found: dict[int, Any] = {}
    waiting = [subject]
    while waiting:
        one = waiting.pop()
        if id(one) in found:
            continue
        found[id(one)] = one
        if isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, list | tuple | set | frozenset):
            waiting += one
        elif isinstance(one, _Sample) and vars(one):
            waiting.append(vars(one))
    return found


def _sample_list() -> tuple[Any, list[Callable[[], Any]]]:
    one: list[Any] = [
        10**6,
        2**70,
        -(2**40),
        1.5,
        "text",
        "täxt €",
        "\U0001f600" * 3,
        b"bytes",
        (1, "two"),
        3j,
    ]
    return one, [
        lambda: one.__setitem__(0, 10**6 + 1),
        lambda: one.append([]),
        lambda: one.pop(),
        lambda: one.reverse(),
        lambda: one.sort(key=str),
        lambda: one.extend(range(1000, 1500)),
        lambda: one.clear(),
    ]


def _sample_dict() -> tuple[Any, list[Callable[[], Any]]]:
    one: dict[Any, Any] = {"a": 1000, "b": [2000]}
    return one, [
        lambda: one.update(a=1001),
        lambda: one["b"].append(5),
        lambda: one.update(c={}),
        lambda: one.pop("a"),
        lambda: one.update(a=3000),
        lambda: one.update({(1, 2): "general"}),
        lambda: one.update({f"k{number}": number * 1000 for number in range(300)}),
        lambda: one.pop((1, 2)),
        lambda: one.popitem(),
        lambda: one.clear(),
    ]


def _sample_set() -> tuple[Any, list[Callable[[], Any]]]:
    one: set[Any] = {1000, "x"}
    return [one, frozenset({5000, "y", (1, 2)}), frozenset()], [
        lambda: one.add((7, 8)),
        lambda: one.discard(1000),
        lambda: one.update(range(2000, 2300)),
        lambda: one.clear(),
    ]


def _sample_instance() -> tuple[Any, list[Callable[[], Any]]]:
    ones: list[Any] = [_Sample() for _ in range(4)]
    for number, one in enumerate(ones[1:]):
        one.a, one.b = 1000 + number, [number]
        vars(one)
    ones[3].c = ones[0]
    many = _Sample()
    for number in range(40):
        setattr(many, f"name{number}", 1000 * number)
    vars(many)
    ones.append(many)
    return ones, [
        lambda: setattr(ones[1], "a", 5000),
        lambda: ones[2].b.append(1),
        lambda: setattr(ones[1], "d", 7000),
        lambda: delattr(ones[1], "a"),
        lambda: setattr(ones[1], "a", 7001),
        lambda: vars(ones[0]).update(z=8000),
        lambda: setattr(many, "name3", None),
        lambda: setattr(ones[2], "__dict__", {"e": 4000}),
        lambda: vars(ones[2]).update(f=1),
    ]


def _sample_dates() -> tuple[Any, list[Callable[[], Any]]]:
    zone = datetime.timedelta(hours=2)
    ones: list[Any] = [datetime.datetime(2020, 1, 2, 3, 4, 5, 6), datetime.date(2020, 1, 2), zone]
    return ones, [
        lambda: ones.__setitem__(0, datetime.datetime(2020, 1, 2, 3, 4, 5, 7)),
        lambda: ones.__setitem__(1, datetime.date(2020, 1, 3)),
    ]


_SAMPLES = (_sample_list, _sample_dict, _sample_set, _sample_instance, _sample_dates)
