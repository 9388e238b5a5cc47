"""What `functools` does where it runs functions of a flow, in words that all versions of Python share.

Never imported, see `from_contextlib`. On Python 3.11 a cached property lets one thread in at a time; for the
getters of a flow that lock is left out, as later versions do: it could not be held across a savepoint.
"""

from __future__ import annotations

from functools import _NOT_FOUND  # type: ignore[attr-defined]
from typing import Any


class cached_property:
    def __get__(self: Any, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        if self.attrname is None:
            raise TypeError("Cannot use cached_property instance without calling __set_name__ on it.")
        kind, name = type(instance).__name__, self.attrname
        try:
            cache = instance.__dict__
        except AttributeError:
            message = f"No '__dict__' attribute on {kind!r} instance to cache {name!r} property."
            raise TypeError(message) from None
        value = cache.get(name, _NOT_FOUND)
        if value is not _NOT_FOUND:
            return value
        lock = getattr(self, "lock", None)
        if lock is not None:
            from jupyter_flows.resumable import unit_of

            if unit_of(getattr(self.func, "__code__", unit_of.__code__)) is None:
                lock.acquire()
            else:
                lock = None
        try:
            value = cache.get(name, _NOT_FOUND)  # another thread may have been first
            if value is _NOT_FOUND:
                del cache  # after a savepoint the instance has another
                value = self.func(instance)
                try:
                    instance.__dict__[name] = value
                except TypeError:
                    what = f"The '__dict__' attribute on {kind!r} instance"
                    message = f"{what} does not support item assignment for caching {name!r} property."
                    raise TypeError(message) from None
        finally:
            if lock is not None:
                lock.release()
        return value


def _gt_from_lt(self: Any, other: Any) -> Any:
    result = type(self).__lt__(self, other)
    return result if result is NotImplemented else not result and self != other


def _le_from_lt(self: Any, other: Any) -> Any:
    result = type(self).__lt__(self, other)
    return result if result is NotImplemented else result or self == other


def _ge_from_lt(self: Any, other: Any) -> Any:
    result = type(self).__lt__(self, other)
    return result if result is NotImplemented else not result


def _ge_from_le(self: Any, other: Any) -> Any:
    result = type(self).__le__(self, other)
    return result if result is NotImplemented else not result or self == other


def _lt_from_le(self: Any, other: Any) -> Any:
    result = type(self).__le__(self, other)
    return result if result is NotImplemented else result and self != other


def _gt_from_le(self: Any, other: Any) -> Any:
    result = type(self).__le__(self, other)
    return result if result is NotImplemented else not result


def _lt_from_gt(self: Any, other: Any) -> Any:
    result = type(self).__gt__(self, other)
    return result if result is NotImplemented else not result and self != other


def _ge_from_gt(self: Any, other: Any) -> Any:
    result = type(self).__gt__(self, other)
    return result if result is NotImplemented else result or self == other


def _le_from_gt(self: Any, other: Any) -> Any:
    result = type(self).__gt__(self, other)
    return result if result is NotImplemented else not result


def _le_from_ge(self: Any, other: Any) -> Any:
    result = type(self).__ge__(self, other)
    return result if result is NotImplemented else not result or self == other


def _gt_from_ge(self: Any, other: Any) -> Any:
    result = type(self).__ge__(self, other)
    return result if result is NotImplemented else result and self != other


def _lt_from_ge(self: Any, other: Any) -> Any:
    result = type(self).__ge__(self, other)
    return result if result is NotImplemented else not result
