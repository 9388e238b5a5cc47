"""Frames of libraries that only have to pass on what the next frame gives: they are left out.

A generated `__init__` of a dataclass ends with ``self.__post_init__()``; what `functools.singledispatch`
makes ends with ``return dispatch(…)(…)``. When the flow's function there has returned, so has the frame below
it. So a savepoint need not keep that frame, if it is certain which function it runs, and from its end.
"""

from __future__ import annotations

import dataclasses
import functools
import types
from typing import Any

#: Functions of `functools` that end with a call of the function that was registered for a class.
_DISPATCHING = {"singledispatch.<locals>.wrapper", "singledispatchmethod.__get__.<locals>._method"}


def passes_on(frame: types.FrameType, inner: types.FrameType) -> bool:
    """Whether `frame`, which is not of the flow, only waits to return what `inner` gives."""
    return _is_generated_init(frame, inner) or _is_dispatching(frame, inner)


def _is_generated_init(frame: types.FrameType, inner: types.FrameType) -> bool:
    code, called = frame.f_code, inner.f_code
    if code.co_qualname != "__create_fn__.<locals>.__init__" or not code.co_argcount:
        return False
    made = frame.f_locals.get(code.co_varnames[0])
    kind = type(made)
    hook = _own(kind, "__post_init__")
    made_by = [getattr(vars(one).get("__init__"), "__code__", None) for one in kind.__mro__]
    is_its = dataclasses.is_dataclass(kind) and any(one is code for one in made_by)
    first = inner.f_locals.get(called.co_varnames[0]) if called.co_argcount else None
    return is_its and isinstance(hook, types.FunctionType) and hook.__code__ is called and first is made


def _is_dispatching(frame: types.FrameType, inner: types.FrameType) -> bool:
    code = frame.f_code
    if code.co_qualname not in _DISPATCHING or code.co_filename != functools.__file__:
        return False
    names = frame.f_locals
    dispatch = names.get("dispatch") or getattr(
        getattr(names.get("self"), "dispatcher", None), "dispatch", None
    )
    arguments = names.get("args")
    if not isinstance(dispatch, types.FunctionType) or not arguments:
        return False
    cells = dict(zip(dispatch.__code__.co_freevars, dispatch.__closure__ or (), strict=True))
    known: Any = cells["dispatch_cache"].cell_contents if "dispatch_cache" in cells else {}
    chosen = known.get(arguments[0].__class__)
    return isinstance(chosen, types.FunctionType) and chosen.__code__ is inner.f_code


def _own(kind: type, name: str) -> Any:
    for owner in kind.__mro__:
        if name in owner.__dict__:
            return owner.__dict__[name]
    return None
