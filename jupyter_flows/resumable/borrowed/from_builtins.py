"""What `builtins` does where it runs functions of a flow, in words that all versions of Python share.

``sum(price(one) for one in order)``: a function of C goes through a generator, and no savepoint can hold its
half-made result. Where such a generator may reach the Flow API, the call goes to the function of the same
name here (`wording`), whose frame is kept like any other. Each does what the one of C does, in its order; an
item is let go before the next is asked for. Inside, a builtin's name means the function of C. What runs no
code of the flow is left to that (`telling`), and to `function`, what the author's name means, where that is
another (``from numpy import sum``).
"""

from __future__ import annotations

from typing import Any

from jupyter_flows.resumable.borrowed.telling import (
    has_method,
    runs_when_called,
    runs_when_iterated,
    some_run,
)


def all(function: Any, iterable: Any, /) -> Any:
    if function is not all or not runs_when_iterated(iterable, "__bool__", "__len__"):
        return function(iterable)
    for item in iterable:
        if not item:
            return False
        del item
    return True


def any(function: Any, iterable: Any, /) -> Any:
    if function is not any or not runs_when_iterated(iterable, "__bool__", "__len__"):
        return function(iterable)
    for item in iterable:
        if item:
            return True
        del item
    return False


def list(function: Any, iterable: Any, /) -> Any:
    if function is not list or not runs_when_iterated(iterable):
        return function(iterable)
    kept: Any = []
    for item in iterable:
        kept.append(item)
        del item
    return kept


def tuple(function: Any, iterable: Any, /) -> Any:
    if function is not tuple or not runs_when_iterated(iterable):
        return function(iterable)
    kept: Any = []
    for item in iterable:
        kept.append(item)
        del item
    return tuple(kept)


def set(function: Any, iterable: Any, /) -> Any:
    if function is not set or not runs_when_iterated(iterable):
        return function(iterable)
    kept: Any = set()
    for item in iterable:
        kept.add(item)
        del item
    return kept


def frozenset(function: Any, iterable: Any, /) -> Any:
    if function is not frozenset or not runs_when_iterated(iterable):
        return function(iterable)
    kept: Any = set()  # type: ignore[call-arg]
    for item in iterable:
        kept.add(item)
        del item
    return frozenset(kept)


def bytes(function: Any, iterable: Any, /) -> Any:
    is_known = function is bytes and not has_method(type(iterable), "__bytes__", "__index__")
    if not is_known or not runs_when_iterated(iterable):
        return function(iterable)
    kept: Any = bytearray()  # type: ignore[call-arg]
    for item in iterable:
        kept += function((item,))  # it says what is wrong with one that is none
        del item
    return function(kept)


def bytearray(function: Any, iterable: Any, /) -> Any:
    is_known = function is bytearray and not has_method(type(iterable), "__index__")
    if not is_known or not runs_when_iterated(iterable):
        return function(iterable)
    kept: Any = bytearray()  # type: ignore[call-arg]
    for item in iterable:
        kept.append(item)
        del item
    return kept


def dict(function: Any, iterable: Any, /) -> Any:
    if function is not dict or hasattr(type(iterable), "keys") or not runs_when_iterated(iterable):
        return function(iterable)
    kept: Any = {}
    count = 0
    for item in iterable:
        if type(item) is not tuple or len(item) != 2:
            item = tuple(  # type: ignore[call-arg]
                dict([(0, 0)] * count + [item]).items()  # it says what is wrong with which
            )[-1]
        kept[item[0]] = item[1]
        count += 1  # noqa: SIM113 - `enumerate` would stand between
        del item
    return kept


def sorted(function: Any, iterable: Any, /, **options: Any) -> Any:
    key: Any = options.get("key")
    if function is not sorted or not (runs_when_called(key) or runs_when_iterated(iterable)):
        return function(iterable, **options)
    kept: Any = []
    for item in iterable:
        kept.append(item)
        del item
    if not runs_when_called(key):
        kept.sort(**options)
        return kept
    keys: Any = []
    for item in kept:
        keys.append(key(item))
        del item
    order = sorted(range(len(kept)), key=keys.__getitem__, reverse=options.get("reverse", False))
    return [kept[at] for at in order]


def sort(function: Any, /, **options: Any) -> Any:
    """`function`: the method of a list, which is empty while it is sorted."""
    kept: Any = getattr(function, "__self__", None)
    key: Any = options.get("key")
    if type(kept) is not list or not runs_when_called(key):
        return function(**options)
    items: Any = kept[:]
    kept.clear()
    was_changed = False
    try:
        keys: Any = []
        for item in items:
            keys.append(key(item))
            del item
        order: Any = sorted(range(len(items)), key=keys.__getitem__, reverse=options.get("reverse", False))  # type: ignore[call-arg]
        items = [items[at] for at in order]
    finally:
        was_changed = len(kept) > 0
        kept[:] = items
    if was_changed:
        raise ValueError("list modified during sort")
    return None


def reduce(function: Any, called: Any, iterable: Any, /, *first: Any) -> Any:
    is_known = getattr(function, "__module__", "") == "_functools" and hasattr(iterable, "__iter__")
    if not is_known or not (runs_when_called(called) or runs_when_iterated(iterable)):
        return function(called, iterable, *first)
    iterator, end = iter(iterable), object()
    del iterable
    total = first[0] if first else next(iterator, end)
    del first
    if total is end:
        return function(called, ())  # it says what is wrong
    for item in iterator:
        total = called(total, item)
        del item
    return total


def join(function: Any, iterable: Any, /) -> Any:
    is_known = type(getattr(function, "__self__", None)) in (str, bytes)
    if not is_known or not runs_when_iterated(iterable):
        return function(iterable)
    kept: Any = []
    for item in iterable:
        kept.append(item)
        del item
    return function(kept)


def sum(function: Any, iterable: Any, /, *first: Any, **options: Any) -> Any:
    """Numbers are added by C at the end, which is more exact than one by one from Python 3.12 on."""
    if function is not sum or not runs_when_iterated(iterable, "__add__", "__radd__"):
        return function(iterable, *first, **options)
    start = first[0] if first else options.get("start", 0)
    total = sum((), start)
    numbers: Any = [] if type(start) in (int, bool, float) else None
    for item in iterable:
        if numbers is not None and (type(item) is int or type(item) is float or type(item) is bool):
            numbers.append(item)
        elif numbers is not None:
            total = sum(numbers, start) + item
            numbers = None
        else:
            total = total + item
        del item
    return total if numbers is None else sum(numbers, start)


def max(function: Any, iterable: Any, /, *others: Any, **options: Any) -> Any:
    key = options.get("key")
    given = (iterable, *others) if others else iterable
    is_known = runs_when_called(key) or runs_when_iterated(given, "__lt__", "__gt__")
    if function is not max or not is_known:
        return function(iterable, *others, **options)
    iterable = given
    del given, others
    options.pop("key", None)
    best: Any = []
    for item in iterable:
        value = item if key is None else key(item)
        if not best or value > best[1]:
            best = [item, value]
        del item, value
    return best[0] if best else max((), **options)


def min(function: Any, iterable: Any, /, *others: Any, **options: Any) -> Any:
    key = options.get("key")
    given = (iterable, *others) if others else iterable
    is_known = runs_when_called(key) or runs_when_iterated(given, "__lt__", "__gt__")
    if function is not min or not is_known:
        return function(iterable, *others, **options)
    iterable = given
    del given, others
    options.pop("key", None)
    best: Any = []
    for item in iterable:
        value = item if key is None else key(item)
        if not best or value < best[1]:
            best = [item, value]
        del item, value
    return best[0] if best else min((), **options)


def enumerate(function: Any, iterable: Any, /, *first: Any, **options: Any) -> Any:
    start = first[0] if first else options.get("start", 0)
    is_known = function is enumerate and type(start) is int
    if not is_known or not runs_when_iterated(iterable):
        return function(iterable, *first, **options)

    def items(iterable: Any, number: int) -> Any:
        for item in iterable:
            given = [(number, item)]
            del item
            yield given.pop()
            number += 1

    return items(iterable, start)


def zip(function: Any, /, *iterables: Any, **options: Any) -> Any:
    if function is not zip or not some_run(iterables):
        return function(*iterables, **options)

    def items(iterators: Any, strict: Any) -> Any:
        end = object()
        while True:
            given = []
            for iterator in iterators:
                item = next(iterator, end)
                if item is end:
                    break
                given.append(item)
                del item
            if len(given) < len(iterators):
                break
            given = [tuple(given)]  # type: ignore[call-arg]
            yield given.pop()
        if not strict:
            return
        ended, which = len(given), "shorter"
        if not ended:
            which = "longer"
            for iterator in iterators[1:]:
                ended += 1
                item = next(iterator, end)
                if item is not end:
                    break
            else:
                return
        before = "argument 1" if ended == 1 else f"arguments 1-{ended}"
        raise ValueError(f"zip() argument {ended + 1} is {which} than {before}")

    return items([iter(one) for one in iterables], options.get("strict", False))


def chain(function: Any, /, *iterables: Any) -> Any:
    is_known = getattr(function, "__module__", "") == "itertools" and function.__name__ == "chain"
    if not is_known or not some_run(iterables):
        return function(*iterables)

    def items(iterables: Any) -> Any:
        for iterable in iterables:
            for item in iterable:
                given = [item]
                del item
                yield given.pop()

    return items(iterables)


def map(function: Any, called: Any, /, *iterables: Any) -> Any:
    runs_code = runs_when_called(called) or some_run(iterables)
    if function is not map or not runs_code or not iterables:
        return function(called, *iterables)

    def items(called: Any, iterators: Any) -> Any:
        end = object()
        while True:
            given = []
            for iterator in iterators:
                item = next(iterator, end)
                if item is end:
                    return
                given.append(item)
                del item
            try:
                given = [called(*given)]
            except StopIteration:
                return
            yield given.pop()

    return items(called, [iter(one) for one in iterables])


def filter(function: Any, called: Any, iterable: Any, /) -> Any:
    runs_code = runs_when_called(called) or runs_when_iterated(iterable, "__bool__", "__len__")
    if function is not filter or not runs_code:
        return function(called, iterable)

    def items(called: Any, iterator: Any) -> Any:
        for item in iterator:
            try:
                is_good = item if called is None else called(item)
            except StopIteration:
                return
            if is_good:
                given = [item]
                del item, is_good
                yield given.pop()
            else:
                del item, is_good

    return items(called, iter(iterable))


def starred(iterable: Any, /) -> Any:
    """What ``*`` in a display or a call takes."""
    if not runs_when_iterated(iterable):
        return iterable
    kept: Any = []
    for item in iterable:
        kept.append(item)
        del item
    return kept


def unpacked(iterable: Any, count: Any, /) -> Any:
    """What ``a, b =`` takes: it asks for one more item than it has names, and says what is wrong."""
    if not runs_when_iterated(iterable):
        return iterable
    kept: Any = []
    for item in iterable:
        kept.append(item)
        del item
        if len(kept) > count:
            break
    return kept


def contains(value: Any, iterable: Any, /) -> Any:
    """``value in iterable``."""
    kind = type(iterable)
    if hasattr(kind, "__contains__"):
        is_compared = kind in (list, tuple)
        is_gone_through = is_compared and (
            has_method(type(value), "__eq__") or runs_when_iterated(iterable, "__eq__")
        )
    else:
        is_gone_through = runs_when_iterated(iterable)
    if not is_gone_through:
        return value in iterable
    for item in iterable:
        if item is value or item == value:
            return True
        del item
    return False


def added(left: Any, right: Any, /) -> Any:
    """What ``left += right`` leaves: a list takes what the other gives, one by one."""
    is_list = isinstance(left, list) and not has_method(type(left), "__iadd__")  # type: ignore[arg-type]
    if not is_list or not runs_when_iterated(right):
        left += right
        return left
    for item in right:
        list.append(left, item)  # type: ignore[attr-defined]
        del item
    return left
