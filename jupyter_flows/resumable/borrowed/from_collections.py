"""What `collections` does where it runs functions of a flow, in words that all versions of Python share.

And what methods of lists, dicts, sets and files do, and functions of further modules that go through what
they are given at once. A method's words look at what it is a method of: it may be a class of the flow's. Also
``iter(function, end)``, which would be in the way of the other words for iterators, and `functools.cache`.
Its words are slower than C, so they are only for functions that may reach the Flow API.
"""

from __future__ import annotations

import collections
import functools
from typing import Any

from jupyter_flows.resumable.borrowed.results import Results
from jupyter_flows.resumable.borrowed.telling import has_method, runs_when_called, runs_when_iterated


def iter(function: Any, called: Any, sentinel: Any, /) -> Any:
    is_known = getattr(function, "__module__", "") == "builtins" and function.__name__ == "iter"
    if not is_known or not runs_when_called(called):
        return function(called, sentinel)

    def items(called: Any, sentinel: Any) -> Any:
        while True:
            try:
                given = [called()]
            except StopIteration:
                return
            if sentinel is given[0] or sentinel == given[0]:
                return
            yield given.pop()

    return items(called, sentinel)


def extend(function: Any, iterable: Any, /) -> Any:
    kept: Any = getattr(function, "__self__", None)
    if type(kept) not in (list, collections.deque) or not runs_when_iterated(iterable):
        return function(iterable)
    for item in iterable:
        kept.append(item)
        del item
    return None


def extendleft(function: Any, iterable: Any, /) -> Any:
    kept: Any = getattr(function, "__self__", None)
    if type(kept) is not collections.deque or not runs_when_iterated(iterable):
        return function(iterable)
    for item in iterable:
        kept.appendleft(item)
        del item
    return None


def update(function: Any, iterable: Any, /) -> Any:
    kept: Any = getattr(function, "__self__", None)
    kind: Any = type(kept)
    is_known = kind in (dict, set, collections.defaultdict, collections.Counter)
    if not is_known or hasattr(type(iterable), "keys") or not runs_when_iterated(iterable):
        return function(iterable)
    count = 0
    for item in iterable:
        if kind is set:
            kept.add(item)
        elif kind is collections.Counter:
            kept[item] = kept.get(item, 0) + 1
        else:
            if type(item) is not tuple or len(item) != 2:
                item = tuple(dict([(0, 0)] * count + [item]).items())[-1]  # it says what is wrong with which
            kept[item[0]] = item[1]
        count += 1  # noqa: SIM113 - `enumerate` would stand between
        del item
    return None


def writelines(function: Any, lines: Any, /) -> Any:
    kept: Any = getattr(function, "__self__", None)
    if type(kept).__module__ != "_io" or not runs_when_iterated(lines):
        return function(lines)
    function(())  # it says whether the file is closed
    for line in lines:
        function((line,))
        del line
    return None


def index(function: Any, value: Any, /) -> Any:
    kept: Any = getattr(function, "__self__", None)
    is_compared = has_method(type(value), "__eq__") or runs_when_iterated(kept, "__eq__")
    if type(kept) not in (list, tuple) or not is_compared:
        return function(value)
    at = 0
    while at < len(kept):
        item = kept[at]
        if item is value or item == value:
            return at
        del item
        at += 1
    return type(kept)().index(value)  # it says what is missing


def count(function: Any, value: Any, /) -> Any:
    kept: Any = getattr(function, "__self__", None)
    is_compared = has_method(type(value), "__eq__") or runs_when_iterated(kept, "__eq__")
    if type(kept) not in (list, tuple) or not is_compared:
        return function(value)
    at, found = 0, 0
    while at < len(kept):
        item = kept[at]
        if item is value or item == value:
            found += 1
        del item
        at += 1
    return found


def remove(function: Any, value: Any, /) -> Any:
    kept: Any = getattr(function, "__self__", None)
    is_compared = has_method(type(value), "__eq__") or runs_when_iterated(kept, "__eq__")
    if type(kept) is not list or not is_compared:
        return function(value)
    at = 0
    while at < len(kept):
        item = kept[at]
        if item is value or item == value:
            kept[at : at + 1] = ()
            return None
        del item
        at += 1
    return [].remove(value)  # it says what is missing


def fromkeys(function: Any, iterable: Any, /, *value: Any) -> Any:
    if getattr(function, "__self__", None) is not dict or not runs_when_iterated(iterable):
        return function(iterable, *value)
    kept: Any = {}
    for item in iterable:
        kept[item] = value[0] if value else None
        del item
    return kept


def deque(function: Any, iterable: Any, /, *most: Any, **options: Any) -> Any:
    if function is not collections.deque or not runs_when_iterated(iterable):
        return function(iterable, *most, **options)
    kept: Any = function((), *most, **options)
    for item in iterable:
        kept.append(item)
        del item
    return kept


def Counter(function: Any, iterable: Any, /) -> Any:
    is_known = function is collections.Counter and not hasattr(type(iterable), "keys")
    if not is_known or not runs_when_iterated(iterable):
        return function(iterable)
    kept: Any = function()
    for item in iterable:
        kept[item] = kept.get(item, 0) + 1
        del item
    return kept


def nlargest(function: Any, number: Any, iterable: Any, /, *key: Any, **options: Any) -> Any:
    called: Any = key[0] if key else options.get("key")
    is_known = getattr(function, "__module__", "") == "heapq" and type(number) is int and number > 0
    if not is_known or not (runs_when_called(called) or runs_when_iterated(iterable)):
        return function(number, iterable, *key, **options)
    kept: Any = []
    keys: Any = []
    for item in iterable:
        kept.append(item)
        keys.append(item if called is None else called(item))
        del item
    return [kept[at] for at in function(number, range(len(kept)), key=keys.__getitem__)]


def nsmallest(function: Any, number: Any, iterable: Any, /, *key: Any, **options: Any) -> Any:
    called: Any = key[0] if key else options.get("key")
    is_known = getattr(function, "__module__", "") == "heapq" and type(number) is int and number > 0
    if not is_known or not (runs_when_called(called) or runs_when_iterated(iterable)):
        return function(number, iterable, *key, **options)
    kept: Any = []
    keys: Any = []
    for item in iterable:
        kept.append(item)
        keys.append(item if called is None else called(item))
        del item
    return [kept[at] for at in function(number, range(len(kept)), key=keys.__getitem__)]


def bisect_left(function: Any, items: Any, value: Any, /, *bounds: Any, **options: Any) -> Any:
    called: Any = options.get("key")
    if getattr(function, "__module__", "") != "_bisect" or not runs_when_called(called):
        return function(items, value, *bounds, **options)
    low: Any = bounds[0] if bounds else options.get("lo", 0)
    high: Any = bounds[1] if len(bounds) > 1 else options.get("hi")
    if low < 0:
        return function((), value, low)  # it says what is wrong
    high = len(items) if high is None else high
    while low < high:
        middle = (low + high) // 2
        if called(items[middle]) < value:
            low = middle + 1
        else:
            high = middle
    return low


def bisect_right(function: Any, items: Any, value: Any, /, *bounds: Any, **options: Any) -> Any:
    called: Any = options.get("key")
    if getattr(function, "__module__", "") != "_bisect" or not runs_when_called(called):
        return function(items, value, *bounds, **options)
    low: Any = bounds[0] if bounds else options.get("lo", 0)
    high: Any = bounds[1] if len(bounds) > 1 else options.get("hi")
    if low < 0:
        return function((), value, low)  # it says what is wrong
    high = len(items) if high is None else high
    while low < high:
        middle = (low + high) // 2
        if value < called(items[middle]):
            high = middle
        else:
            low = middle + 1
    return low


def prod(function: Any, iterable: Any, /, **options: Any) -> Any:
    is_known = getattr(function, "__module__", "") == "math"
    if not is_known or not runs_when_iterated(iterable, "__mul__", "__rmul__"):
        return function(iterable, **options)
    total: Any = options.get("start", 1)
    for item in iterable:
        total = total * item
        del item
    return total


def fsum(function: Any, iterable: Any, /) -> Any:
    if getattr(function, "__module__", "") != "math" or not runs_when_iterated(iterable):
        return function(iterable)
    kept: Any = []
    for item in iterable:
        function((item,))  # it says what is wrong with one that is no number
        kept.append(item)
        del item
    return function(kept)


def statistic(function: Any, data: Any, /) -> Any:
    """Any function of `statistics`: it makes a list of what it is given before it does anything."""
    if getattr(function, "__module__", "") != "statistics" or not runs_when_iterated(data):
        return function(data)
    kept: Any = []
    for item in data:
        kept.append(item)
        del item
    return function(kept)


def cached(decorator: Any, /) -> Any:
    """What `functools.cache` and `lru_cache` make of a function that may reach the Flow API."""

    def decorate(function: Any) -> Any:
        made = decorator(function)
        if type(made) is not functools._lru_cache_wrapper or not runs_when_called(function):
            return made
        maxsize: Any
        maxsize, typed = made.cache_parameters().values()
        kept, counts = Results(), [0, 0]

        def wrapper(*args: Any, **kwds: Any) -> Any:
            if maxsize == 0:
                counts[1] += 1
                return function(*args, **kwds)
            if typed or kwds or len(args) != 1 or type(args[0]) not in (int, str):
                kinds = [*map(type, args), *map(type, kwds.values())] if typed else ()
                key: Any = (args, tuple(kwds.items()), tuple(kinds))
            else:
                key = args[0]
            missing = object()
            value = kept.get(key, missing)
            if value is not missing:
                counts[0] += 1
                return value
            counts[1] += 1
            value = function(*args, **kwds)
            kept.put(key, value, maxsize)
            return value

        def cache_info() -> Any:
            make: Any = functools._CacheInfo
            return make(*counts, maxsize, len(kept))

        def cache_clear() -> None:
            kept.clear()
            counts[:] = [0, 0]

        def cache_parameters() -> Any:
            return {"maxsize": maxsize, "typed": typed}

        shown: Any = functools.update_wrapper(wrapper, function)
        shown.cache_info, shown.cache_clear = cache_info, cache_clear
        shown.cache_parameters = cache_parameters
        return shown

    return decorate
