"""Coroutines of a flow: what generators, coroutines and asynchronous generators have in common, and the loop.

A Flow-API call is synchronous, so when one is made in a coroutine all the frames below it are running, linked
by `await`. They are kept and rebuilt as generators are. A coroutine that waits for something of asyncio's
cannot be kept; so a savepoint in a coroutine is exact only while no other task of the flow is pending.
"""

from __future__ import annotations

import asyncio
import dis
import gc
import inspect
import sys
import types
import weakref
from collections.abc import Coroutine
from typing import Any

from . import units
from .operands import Refused

#: Whatever has a frame of its own that others run.
SUSPENDABLE = (types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
ASYNC_FLAGS = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
#: Code whose frames belong to such an object.
FLAGS = ASYNC_FLAGS | inspect.CO_GENERATOR

_own_loops: weakref.WeakSet[asyncio.AbstractEventLoop] = weakref.WeakSet()


def _attribute(suspendable: Any, name: str) -> Any:
    for prefix in ("gi", "cr", "ag"):
        if hasattr(suspendable, f"{prefix}_{name}"):
            return getattr(suspendable, f"{prefix}_{name}")
    return None


def frame_of(suspendable: Any) -> types.FrameType | None:
    found: types.FrameType | None = _attribute(suspendable, "frame")
    return found


def code_of(suspendable: Any) -> types.CodeType:
    found: types.CodeType = _attribute(suspendable, "code")
    return found


def is_running(suspendable: Any) -> bool:
    return bool(_attribute(suspendable, "running"))


def is_unstarted(suspendable: Any) -> bool:
    """Whether no statement of it has run: it stands where its function made it."""
    frame = frame_of(suspendable)
    if frame is None or is_running(suspendable):
        return False
    code, last = frame.f_code.co_code, frame.f_lasti
    return any(code[at] == _MADE for at in (last, last - 2) if at >= 0)


_MADE = dis.opmap["RETURN_GENERATOR"]


def awaited(value: Any, inner: types.FrameType) -> Any:
    """The coroutine or asynchronous generator whose frame an awaited object runs; None if it is another."""
    if isinstance(value, types.CoroutineType):
        return value if value.cr_frame is inner else None
    for one in gc.get_referents(value):  # `__anext__` gives an object that refers to its generator
        if isinstance(one, types.AsyncGeneratorType) and one.ag_frame is inner:
            return one
    return None


def is_step(value: Any) -> bool:
    """Whether it is what `anext`, `asend`, `athrow` or `aclose` of an asynchronous generator give."""
    return type(value).__name__ in ("async_generator_asend", _THROWING)


def is_closing(value: Any) -> bool:
    """Whether it is what `aclose` gives: a step that has an exception to throw, and none was named."""
    return type(value).__name__ == _THROWING and len(gc.get_referents(value)) == 1


_THROWING = "async_generator_athrow"


def finish_coroutine(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine of a flow to its end, in an event loop of its own; gives what it returns.

    A loop that runs already (a notebook's) stands still meanwhile, as it does while any cell computes.
    """
    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        with asyncio.Runner() as runner:
            _own_loops.add(runner.get_loop())
            return runner.run(coroutine)
    finally:
        asyncio._set_running_loop(outer)


def refuse_other_tasks() -> None:
    """Raises Refused while another task of the flow is pending in the running event loop."""
    loop = asyncio._get_running_loop() if "asyncio" in sys.modules else None
    if loop is None:
        return
    current = asyncio.current_task(loop)
    others = [task for task in asyncio.all_tasks(loop) if task is not current]
    if loop not in _own_loops:  # a notebook's: the kernel has tasks of its own there
        others = [task for task in others if _is_of_flow(task.get_coro())]
    if others:
        raise Refused("another task is pending on the event loop; only one that is alone can be gone on with")


def _is_of_flow(coroutine: Any) -> bool:
    while coroutine is not None:
        frame = frame_of(coroutine)
        if frame is not None and units.unit_of(frame.f_code) is not None:
            return True
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return False
