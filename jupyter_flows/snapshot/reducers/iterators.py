"""Iterators at their place, where pickle would make a list of what is left.

An iterator of a dictionary goes on over the *same* dictionary: it sees values that are changed later, and
raises when keys come or go. Its place is how many entries lie before it. What a new iterator at that place
would give is compared with what this one will give, so a place that changes of the dictionary have made
unclear is refused, never guessed.

A set has no order that another process would share. What is left is kept in the order in which this process
would have given it, by an iterator that still belongs to its set.
"""

from __future__ import annotations

import csv
import ctypes
import gc
import itertools
import sys
import warnings
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Any

from ..pickling import PROTOCOL, Saving
from ..registry import builtin

_OTHER = "an iterator whose dictionary has got or lost keys since it began cannot be kept: begin a new one"

_ORDERED: OrderedDict[Any, Any] = OrderedDict()
_WAYS: dict[str, Callable[[Any], Iterator[Any]]] = {
    "keys": lambda mapping: iter(mapping.keys()),
    "values": lambda mapping: iter(mapping.values()),
    "items": lambda mapping: iter(mapping.items()),
    "reversed keys": lambda mapping: reversed(mapping.keys()),
    "reversed values": lambda mapping: reversed(mapping.values()),
    "reversed items": lambda mapping: reversed(mapping.items()),
}
#: Those of dict itself, whatever a subclass says.
_PLAIN_WAYS: dict[str, Callable[[Any], Iterator[Any]]] = {
    "keys": dict.__iter__,
    "values": lambda mapping: iter(dict.values(mapping)),
    "items": lambda mapping: iter(dict.items(mapping)),
    "reversed keys": dict.__reversed__,
    "reversed values": lambda mapping: reversed(dict.values(mapping)),
    "reversed items": lambda mapping: reversed(dict.items(mapping)),
}
_KINDS = {type(make({})): way for way, make in _PLAIN_WAYS.items()}


@builtin(*_KINDS)
def _reduce_dict_iterator(iterator: Any, _: Saving) -> Any:
    return _reduced(iterator, dict, {_KINDS[type(iterator)]: _PLAIN_WAYS[_KINDS[type(iterator)]]})


@builtin(type(iter(_ORDERED)))
def _reduce_ordered_iterator(iterator: Any, _: Saving) -> Any:
    return _reduced(iterator, OrderedDict, _WAYS)


def _reduced(iterator: Any, kind: type[Any], ways: dict[str, Callable[[Any], Iterator[Any]]]) -> Any:
    found = [one for one in gc.get_referents(iterator) if isinstance(one, kind)]
    if not found:
        return iter, ((),)
    mapping = found[0]
    try:
        _, (left,) = iterator.__reduce__()
    except RuntimeError:
        raise TypeError(_OTHER) from None
    passed = len(mapping) - len(left)
    fitting = [
        way for way, make in ways.items() if passed >= 0 and _are_same(_at(make(mapping), passed), left)
    ]
    # At the same place over equal keys and values several ways give the same, until a value is changed.
    if not fitting or (len(fitting) > 1 and left):
        raise TypeError(_OTHER)
    return _make_iterator, (mapping, fitting[0], kind is dict, passed)


def _at(iterator: Iterator[Any], place: int) -> Iterator[Any]:
    next(itertools.islice(iterator, place, place), None)
    return iterator


def _are_same(iterator: Iterator[Any], left: list[Any]) -> bool:
    """Whether it gives exactly these objects; pairs are made anew each time."""
    following = list(iterator)
    return len(following) == len(left) and all(
        one is other
        or (
            type(one) is tuple
            and type(other) is tuple
            and len(one) == 2 == len(other)
            and one[0] is other[0]
            and one[1] is other[1]
        )
        for one, other in zip(following, left, strict=True)
    )


def _make_iterator(mapping: Any, way: str, is_plain: bool, passed: int) -> Iterator[Any]:
    if passed > len(mapping):
        raise TypeError("a dictionary that holds an iterator over itself cannot be kept with it")
    return _at((_PLAIN_WAYS if is_plain else _WAYS)[way](mapping), passed)


class SetIterator:
    """What is left of a set that was iterated in another process, in the order it had there."""

    def __init__(self, subject: Any, left: list[Any]) -> None:
        self._subject: Any = subject
        self._size = len(subject)
        self._left = left[::-1]

    def __iter__(self) -> SetIterator:
        return self

    def __next__(self) -> Any:
        if self._subject is None:
            raise StopIteration
        if len(self._subject) != self._size:
            self._size = -1  # as Python: it raises from now on, even if the size fits again
            raise RuntimeError("Set changed size during iteration")
        if not self._left:
            self._subject = None
            raise StopIteration
        return self._left.pop()

    def __length_hint__(self) -> int:
        return len(self._left) if self._subject is not None else 0


@builtin(type(iter(set())))
def _reduce_set_iterator(iterator: Any, _: Saving) -> Any:
    found = [one for one in gc.get_referents(iterator) if isinstance(one, set | frozenset)]
    if not found:
        return iter, ((),)
    try:
        _, (left,) = iterator.__reduce__()
    except RuntimeError:
        raise TypeError("an iterator whose set has grown or shrunk since it began cannot be kept") from None
    return SetIterator, (found[0], left)


@builtin(type(reversed(deque())))
def _reduce_reversed_deque(iterator: Any, _: Saving) -> Any:
    _, (subject, passed) = iterator.__reduce__()
    return _make_reversed_deque, (subject, passed)


@builtin(type(iter(deque())))
def _reduce_deque_iterator(iterator: Any, _: Saving) -> Any:
    _, (subject, passed) = iterator.__reduce__()
    return _make_deque_iterator, (subject, passed)  # its class has another name on Python 3.11


def _make_deque_iterator(subject: deque[Any], passed: int) -> Iterator[Any]:
    return _at(iter(subject), passed)


def _make_reversed_deque(subject: deque[Any], passed: int) -> Iterator[Any]:
    return _at(reversed(subject), passed)


# --- itertools: up to Python 3.13 they can be pickled, which warns; later ones are named as missing -----


_OWN_WAY = ("pairwise", "batched")


@builtin(*(one for name, one in vars(itertools).items() if isinstance(one, type) and name not in _OWN_WAY))
def _reduce_itertool(iterator: Any, _: Saving) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        reduced = iterator.__reduce_ex__(PROTOCOL)
    if len(reduced) > 2 and reduced[2] is not None:
        return *reduced[:2], reduced[2], None, None, _set_place
    return reduced


def _set_place(iterator: Any, state: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        iterator.__setstate__(state)


@builtin(itertools.pairwise)
def _reduce_pairs(pairs: Any, _: Saving) -> Any:
    source, *before = [one for one in gc.get_referents(pairs) if one is not type(pairs)]
    if sys.version_info >= (3, 13):
        del before[-1]  # the tuple that is used again for each pair
    return _make_pairs, (source, *before)


def _make_pairs(source: Any, *before: Any) -> Any:
    return itertools.pairwise(itertools.chain(before, source) if before else source)


@builtin("itertools.batched")
def _reduce_batches(batches: Any, _: Saving) -> Any:
    """Python tells the size to nobody; it stands behind the pointer to the iterator, which is checked."""
    sources = [one for one in gc.get_referents(batches) if one is not type(batches)]
    if not sources:
        return iter, ((),)
    pointer = ctypes.sizeof(ctypes.c_void_p)
    start = id(batches) + object.__basicsize__
    if ctypes.c_void_p.from_address(start).value != id(sources[0]):
        raise TypeError("the size of its batches cannot be told")
    size = ctypes.c_ssize_t.from_address(start + pointer).value
    has_strict = type(batches).__basicsize__ > object.__basicsize__ + 2 * pointer
    is_strict = has_strict and ctypes.c_bool.from_address(start + 2 * pointer).value
    return _make_batches, (sources[0], size, is_strict)


def _make_batches(source: Any, size: int, is_strict: bool) -> Any:
    make: Any = vars(itertools).get("batched")
    if make is None:
        raise TypeError("this Python has no itertools.batched: go on with 3.12 or later")
    return make(source, size, strict=True) if is_strict else make(source, size)


@builtin("_csv.reader")
def _reduce_csv_reader(reader: Any, _: Saving) -> Any:
    lines = [one for one in gc.get_referents(reader) if hasattr(one, "__next__")]
    if not lines:
        raise TypeError("a csv reader that has come to its end cannot be kept: make a new one")
    return _make_csv_reader, (lines[0], reader.dialect, reader.line_num)


def _make_csv_reader(lines: Any, dialect: Any, line_number: int) -> Any:
    # The number cannot be set: as many empty lines are read.
    reader = csv.reader(itertools.chain(itertools.repeat("", line_number), lines), dialect)
    next(itertools.islice(reader, line_number, line_number), None)
    return reader
