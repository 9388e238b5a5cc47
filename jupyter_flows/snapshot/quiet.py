"""Whether no other thread has run since an instant, by what Linux counts of their CPU time.

A thread that did not run changed nothing. So two looks at the same objects, one after the other, were at the
same state if all other threads stood still in between: a change that is undone again would show in no
comparison of what was seen.

Only a thread that the interpreter has a state for may touch an object. Where each of these states belongs to
a thread that `threading` knows, and no state was made meanwhile, only those threads are looked at: what works
in C alone (pools of BLAS and Arrow, an allocator's thread that tidies up every now and then, ZeroMQ's) may
go on. Else all threads of the process are.

Where the flow handles signals, its handler may run in this thread between any two steps of a save, and no
clock would tell: there it is never quiet.

Threads of the machinery are left out: those of the kernel's own, which send and sort messages, touch no
variable. The one that answers a debugger's questions does, and is looked at.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import ctypes
import os
import signal
import sys
import threading
import time
from typing import Any

_HARMLESS = (
    *("jupyter_flows.kernel.", "ipykernel.heartbeat", "ipykernel.iostream", "ipykernel.shellchannel"),
    *("ipykernel.parentpoller", "IPython.core.history"),
)
_NATIVE = b"ZMQbg/"
# Whose handlers of signals touch no variable.
_HANDLERS = (
    "jupyter_flows.",
    "ipykernel.",
    "IPython.",
    "asyncio.",
    "tornado.",
    "multiprocessing.",
    "pytest_timeout",
)


def from_now_on(at_any_price: bool) -> Quiet | None:
    """Whether it is quiet, to be asked later; None where that cannot be told, or has its price."""
    if sys.platform != "linux":
        return None
    states = _States.now()
    is_cheap = states is not None and states.are_known  # no thread has to be looked up
    return Quiet(states) if is_cheap or at_any_price else None


class Quiet:
    """Made at an instant; tells whether only this thread has run since."""

    def __init__(self, states: _States | None = None) -> None:
        self._states = _States.now() if states is None else states
        #: Whether no thread can run Python but those of `threading`.
        self._is_known = self._states is not None and self._states.are_known
        self._clocks = _clocks_of(_threads_of_python()) if self._is_known else _clocks_of(_all_threads())
        self._holds = not _handles_signals()

    def holds(self) -> bool:
        self._holds = self._holds and self._still_holds()
        return self._holds

    def _still_holds(self) -> bool:
        before, self._states = self._states, _States.now()
        if before is not None and (self._states is None or not self._states.follow(before)):
            return False
        now = _clocks_of(self._clocks if self._is_known else _all_threads())
        if any(now.get(task) != clock for task, clock in self._clocks.items()):
            return False
        started = now.keys() - self._clocks.keys()
        return not any(thread.native_id in started for thread in threading.enumerate())


class _States:
    """The interpreter's states of threads: the number of the next one, and whether all are known."""

    _functions: Any = None

    def __init__(self, number: int, are_known: bool) -> None:
        self.number = number
        self.are_known = are_known

    def follow(self, earlier: _States) -> bool:
        """Whether no state was made between that look and this one."""
        return self.number == earlier.number + 1

    @classmethod
    def now(cls) -> _States | None:
        """None where the interpreter does not tell."""
        if cls._functions is None:
            cls._functions = _functions_of_interpreter()
        if not cls._functions:
            return None
        interpreter_of_this, head, following, create, number_of, clear, delete = cls._functions
        interpreter = interpreter_of_this()
        count, state = 0, head(interpreter)
        while state:
            count, state = count + 1, following(state)
        # They are numbered in order: one that is made to be looked at tells what was made before it.
        state = create(interpreter)
        if not state:
            return None
        number = number_of(state)
        clear(state)
        delete(state)
        known = threading.enumerate()
        return cls(number, count == len(known) and all(map(_is_running, known)))


def _functions_of_interpreter() -> Any:
    """What C extensions are offered; nothing where it is not all there."""
    if sys.implementation.name != "cpython":
        return ()
    pointer, number = ctypes.c_void_p, ctypes.c_uint64
    wanted = (
        *(("PyInterpreterState_Get", pointer, 0), ("PyInterpreterState_ThreadHead", pointer, 1)),
        *(("PyThreadState_Next", pointer, 1), ("PyThreadState_New", pointer, 1)),
        *(("PyThreadState_GetID", number, 1), ("PyThreadState_Clear", None, 1)),
        ("PyThreadState_Delete", None, 1),
    )
    try:
        found = []
        for name, result, arguments in wanted:
            prototype = ctypes.PYFUNCTYPE(result, *[pointer] * arguments)
            found.append(prototype((name, ctypes.pythonapi)))
    except (AttributeError, OSError):
        return ()
    return tuple(found)


def _handles_signals() -> bool:
    """Whether a signal could have code of the flow run in this thread at any time."""
    return any(
        callable(handler)
        and handler is not signal.default_int_handler
        and not _module_of(handler).startswith(_HANDLERS)
        for handler in map(_signal.getsignal, range(1, signal.NSIG))  # without making an enum of each
    )


def _module_of(handler: Any) -> str:
    return str(getattr(handler, "__module__", None))


def _threads_of_python() -> list[int]:
    """Those of `threading` that might touch a variable."""
    mine = threading.get_native_id()
    return [
        thread.native_id
        for thread in threading.enumerate()
        if thread.native_id is not None and thread.native_id != mine and not _is_harmless(thread)
    ]


def _all_threads() -> list[int]:
    """All of this process that might touch a variable."""
    mine = threading.get_native_id()
    machinery = {thread.native_id for thread in threading.enumerate() if _is_harmless(thread)}
    tasks = map(int, os.listdir("/proc/self/task"))
    return [task for task in tasks if task != mine and task not in machinery and not _is_native(task)]


def _clocks_of(tasks: Any) -> dict[int, int]:
    """Nanoseconds of CPU time of these threads, as far as they run still."""
    clocks = {}
    for task in tasks:
        try:
            clocks[task] = time.clock_gettime_ns((~task << 3) | 6)
        except OSError:  # it has just ended
            continue
    return clocks


def _is_native(task: int) -> bool:
    """Whether it is one of ZeroMQ's, which never run Python."""
    try:
        with open(f"/proc/self/task/{task}/comm", "rb") as name:
            return name.read().startswith(_NATIVE)
    except OSError:
        return False


def _is_running(thread: threading.Thread) -> bool:
    """Whether it has a state for sure: not what stands for a foreign thread, nor what only begins."""
    return type(thread).__name__ != "_DummyThread" and thread.native_id is not None


def _is_harmless(thread: threading.Thread) -> bool:
    if type(thread) is not threading.Thread:
        module = type(thread).__module__
    else:
        module = str(getattr(getattr(thread, "_target", None), "__module__", None))
    return module.startswith(_HARMLESS)
