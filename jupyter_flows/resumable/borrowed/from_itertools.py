"""What `itertools` does where it runs functions of a flow, in words that all versions of Python share.

Each is a function that gives a generator, as in `from_builtins`; an item
is let go before the next is asked for. Groups of `groupby` are generators too.
"""

from __future__ import annotations

import itertools
from typing import Any

from jupyter_flows.resumable.borrowed.telling import runs_when_called, runs_when_iterated, some_run


def from_iterable(function: Any, iterables: Any, /) -> Any:
    if getattr(function, "__self__", None) is not itertools.chain:
        return function(iterables)

    def items(iterables: Any) -> Any:
        for iterable in iterables:
            for item in iterable:
                given = [item]
                del item
                yield given.pop()

    return items(iter(iterables))


def islice(function: Any, iterable: Any, /, *limits: Any) -> Any:
    is_known = function is itertools.islice and runs_when_iterated(iterable)
    if not is_known or not {*map(type, limits)} <= {int, type(None)}:
        return function(iterable, *limits)
    function((), *limits)  # it says what is wrong with them
    start, stop, step = (None, *limits, None) if len(limits) == 1 else (*limits, None)[:3]

    def items(iterable: Any, following: int, stop: Any, step: int) -> Any:
        count, end = 0, object()
        while True:
            while count < following:
                if next(iterable, end) is end:
                    return
                count += 1
            if stop is not None and count >= stop:
                return
            item = next(iterable, end)
            if item is end:
                return
            count += 1
            following += step
            if stop is not None and following > stop:
                following = stop
            given = [item]
            del item
            yield given.pop()

    return items(iter(iterable), start or 0, stop, 1 if step is None else step)


def accumulate(function: Any, iterable: Any, /, *func: Any, **options: Any) -> Any:
    called = func[0] if func else options.get("func")
    is_known = function is itertools.accumulate and not (func and "func" in options)
    runs_code = runs_when_called(called) or runs_when_iterated(iterable, "__add__", "__radd__")
    if not is_known or not runs_code:
        return function(iterable, *func, **options)
    first = options.get("initial")

    def items(iterable: Any, called: Any, total: Any, is_begun: Any) -> Any:
        if is_begun:
            yield total
        for item in iterable:
            if not is_begun:
                total = item
                is_begun = True
            elif called is None:
                total = total + item
            else:
                total = called(total, item)
            del item
            yield total

    return items(iter(iterable), called, first, first is not None)


def starmap(function: Any, called: Any, iterable: Any, /) -> Any:
    runs_code = runs_when_called(called) or runs_when_iterated(iterable)
    if function is not itertools.starmap or not runs_code:
        return function(called, iterable)

    def items(called: Any, iterable: Any) -> Any:
        for arguments in iterable:
            try:
                given = [called(*arguments)]
            except StopIteration:
                return
            del arguments
            yield given.pop()

    return items(called, iter(iterable))


def takewhile(function: Any, called: Any, iterable: Any, /) -> Any:
    runs_code = runs_when_called(called) or runs_when_iterated(iterable)
    if function is not itertools.takewhile or not runs_code:
        return function(called, iterable)

    def items(called: Any, iterable: Any) -> Any:
        for item in iterable:
            try:
                is_good = called(item)
            except StopIteration:
                return
            if not is_good:
                return
            given = [item]
            del item, is_good
            yield given.pop()

    return items(called, iter(iterable))


def dropwhile(function: Any, called: Any, iterable: Any, /) -> Any:
    runs_code = runs_when_called(called) or runs_when_iterated(iterable)
    if function is not itertools.dropwhile or not runs_code:
        return function(called, iterable)

    def items(called: Any, iterable: Any) -> Any:
        is_dropping: Any = True
        for item in iterable:
            try:
                is_dropping = is_dropping and called(item)
            except StopIteration:
                return
            if is_dropping:
                del item
                continue
            is_dropping = False
            given = [item]
            del item
            yield given.pop()

    return items(called, iter(iterable))


def filterfalse(function: Any, called: Any, iterable: Any, /) -> Any:
    runs_code = runs_when_called(called) or runs_when_iterated(iterable, "__bool__", "__len__")
    if function is not itertools.filterfalse or not runs_code:
        return function(called, iterable)

    def items(called: Any, iterable: Any) -> Any:
        for item in iterable:
            try:
                is_good = item if called is None else called(item)
            except StopIteration:
                return
            if is_good:
                del item, is_good
                continue
            given = [item]
            del item, is_good
            yield given.pop()

    return items(called, iter(iterable))


def compress(function: Any, data: Any, selectors: Any, /) -> Any:
    if function is not itertools.compress or not some_run((data, selectors)):
        return function(data, selectors)

    def items(data: Any, selectors: Any) -> Any:
        end = object()
        while True:
            item = next(data, end)
            if item is end:
                return
            selector = next(selectors, end)
            if selector is end:
                return
            given = [item]
            del item
            if selector:
                del selector
                yield given.pop()

    return items(iter(data), iter(selectors))


def pairwise(function: Any, iterable: Any, /) -> Any:
    if function is not itertools.pairwise or not runs_when_iterated(iterable):
        return function(iterable)

    def items(iterable: Any) -> Any:
        before: Any = []
        for item in iterable:
            if before:
                given = [(before.pop(), item)]
                before.append(item)
                del item
                yield given.pop()
            else:
                before.append(item)
                del item

    return items(iter(iterable))


def cycle(function: Any, iterable: Any, /) -> Any:
    if function is not itertools.cycle or not runs_when_iterated(iterable):
        return function(iterable)

    def items(iterable: Any) -> Any:
        kept: Any = []
        for item in iterable:
            kept.append(item)
            del item
            yield kept[-1]
        at = 0
        while kept:
            yield kept[at]
            at = (at + 1) % len(kept)

    return items(iter(iterable))


def zip_longest(function: Any, /, *iterables: Any, **options: Any) -> Any:
    if function is not itertools.zip_longest or not some_run(iterables):
        return function(*iterables, **options)

    def items(iterators: Any, fill: Any) -> Any:
        end, left = object(), len(iterators)
        while True:
            given: Any = []
            for at, iterator in enumerate(iterators):
                item = end if iterator is None else next(iterator, end)
                if item is end:
                    item = fill
                    if iterator is not None:
                        iterators[at] = None
                        left -= 1
                        if not left:
                            return
                given.append(item)
                del item, iterator
            given = [tuple(given)]
            yield given.pop()

    return items([iter(one) for one in iterables], options.get("fillvalue"))


def batched(function: Any, iterable: Any, n: Any, /, **options: Any) -> Any:
    known: Any = getattr(itertools, "batched", None)  # from Python 3.12 on
    if function is not known or not runs_when_iterated(iterable):
        return function(iterable, n, **options)
    function((), n, **options)  # it says what is wrong with them

    def items(iterable: Any, count: int, strict: Any) -> Any:
        given: Any = []
        for item in iterable:
            given.append(item)
            del item
            if len(given) == count:
                given = [tuple(given)]
                yield given.pop()
        if given and strict:
            raise ValueError("batched(): incomplete batch")
        if given:
            given = [tuple(given)]
            yield given.pop()

    return items(iter(iterable), n, options.get("strict", False))


def groupby(function: Any, iterable: Any, /, *key: Any, **options: Any) -> Any:
    called: Any = key[0] if key else options.get("key")
    is_known = function is itertools.groupby and not (key and "key" in options)
    if not is_known or not (runs_when_called(called) or runs_when_iterated(iterable, "__eq__")):
        return function(iterable, *key, **options)

    def groups(iterator: Any, called: Any) -> Any:
        """In `held` and `at` lie the item that was asked for last, and its key, until they are taken."""
        held: Any = []
        at: Any = []
        wanted: Any = []
        end, turn = object(), [0]

        def group(wanted: Any, number: int) -> Any:
            while turn[0] == number:
                if not held:
                    item = next(iterator, end)
                    if item is end:
                        return
                    try:
                        at[:] = [item if called is None else called(item)]
                    except StopIteration:
                        return
                    held.append(item)
                    del item
                if wanted is at[0] or wanted == at[0]:
                    at.clear()
                    yield held.pop()
                else:
                    return

        while True:
            turn[0] += 1
            while not at or (wanted and (wanted[0] is at[0] or wanted[0] == at[0])):
                item = next(iterator, end)
                if item is end:
                    return
                try:
                    at[:] = [item if called is None else called(item)]
                except StopIteration:
                    return
                held[:] = [item]
                del item
            wanted = at[:]
            given = [(wanted[0], group(wanted[0], turn[0]))]
            yield given.pop()

    return groups(iter(iterable), called)


def product(function: Any, /, *iterables: Any, **options: Any) -> Any:
    if function is not itertools.product or not some_run(iterables):
        return function(*iterables, **options)
    pools = []
    for iterable in iterables:
        kept = []
        for item in iterable:
            kept.append(item)
            del item
        pools.append(kept)
    return function(*pools, **options)


def permutations(function: Any, iterable: Any, /, *count: Any) -> Any:
    is_known = function in (itertools.permutations,)
    if not is_known or not runs_when_iterated(iterable):
        return function(iterable, *count)
    kept = []
    for item in iterable:
        kept.append(item)
        del item
    return function(kept, *count)


def combinations(function: Any, iterable: Any, count: Any, /) -> Any:
    if function is not itertools.combinations or not runs_when_iterated(iterable):
        return function(iterable, count)
    kept = []
    for item in iterable:
        kept.append(item)
        del item
    return function(kept, count)


def combinations_with_replacement(function: Any, iterable: Any, count: Any, /) -> Any:
    if function is not itertools.combinations_with_replacement or not runs_when_iterated(iterable):
        return function(iterable, count)
    kept = []
    for item in iterable:
        kept.append(item)
        del item
    return function(kept, count)
