"""How a flow's author tells what becomes of objects that no savepoint can keep by itself.

A register between `flow_api`, where authors find it, and `snapshot`, which asks it: it knows neither. What is
registered is state of the flow: it is kept in every savepoint, so that it holds after a restore too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

#: Gets the object, returns what `object.__reduce__` may return.
UserReducer = Callable[[Any], Any]
_Given = TypeVar("_Given", bound=UserReducer)

_registered: dict[type[Any] | str, UserReducer] = {}
_listeners: list[Callable[[], object]] = []


def reducer(*types: type[Any] | str) -> Callable[[_Given], _Given]:
    """Register how objects of these types (and of their subclasses) are kept in savepoints.

        @flow_api.reducer(Camera)
        def reduce_camera(camera):
            return Camera, (camera.port,)

    Arguments: `types`, classes or their full names ("package.module.Class"; the library need not be
    imported). The decorated function gets the object and returns a tuple as `object.__reduce__` does: a
    function or class that can be imported or is defined in the flow, its arguments, then perhaps a state
    for `__setstate__`. It may raise, with the reason why this object cannot be kept: then it becomes a
    placeholder. A reducer goes before everything else that is known of a class.
    """

    def register(function: _Given) -> _Given:
        put_back((one, function) for one in types)
        return function

    return register


def registered() -> tuple[tuple[type[Any] | str, UserReducer], ...]:
    """What was registered in this process, in order."""
    return tuple(_registered.items())


def put_back(pairs: Any) -> None:
    """Register pairs of a type and its reducer."""
    _registered.update(pairs)
    for listener in _listeners:
        listener()


def forget(*types: type[Any] | str) -> None:
    """Undo `reducer` for these types."""
    for one in types:
        _registered.pop(one, None)
    put_back(())


def find(kind: type[Any] | str) -> UserReducer | None:
    """The reducer of exactly this class or name."""
    return _registered.get(kind)


def listen(listener: Callable[[], object]) -> None:
    """Have `listener` called whenever something is registered."""
    _listeners.append(listener)
