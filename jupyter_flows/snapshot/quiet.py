"""Whether no other thread has run since an instant, by what Linux counts of their CPU time.

A thread that did not run changed nothing. So two looks at the same objects, one after the other, were at the
same state if all other threads stood still in between: a change that is undone again would show in no
comparison of what was seen.

Threads of the machinery are left out: those of the kernel's own, which send messages, touch no variable.
What this thread started meanwhile (a library's pool, when it was imported) counts only if it runs Python.
"""

from __future__ import annotations

import os
import threading
import time

_HARMLESS = ("jupyter_flows.kernel.", "ipykernel.heartbeat", "ipykernel.iostream", "IPython.core.history")
_NATIVE = b"ZMQbg/"


class Quiet:
    """Made at an instant; tells whether only this thread has run since."""

    def __init__(self) -> None:
        self._clocks = _clocks_of_others()

    def holds(self) -> bool:
        now = _clocks_of_others()
        if any(now.get(task) != clock for task, clock in self._clocks.items()):
            return False
        started = now.keys() - self._clocks.keys()
        return not any(thread.native_id in started for thread in threading.enumerate())


def _clocks_of_others() -> dict[int, int]:
    """Nanoseconds of CPU time of every thread of this process that might touch a variable."""
    mine = threading.get_native_id()
    machinery = {
        thread.native_id for thread in threading.enumerate() if _module_of(thread).startswith(_HARMLESS)
    }
    clocks = {}
    for name in os.listdir("/proc/self/task"):
        task = int(name)
        if task == mine or task in machinery or _is_native(task):
            continue
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


def _module_of(thread: threading.Thread) -> str:
    if type(thread) is not threading.Thread:
        return type(thread).__module__
    return str(getattr(getattr(thread, "_target", None), "__module__", None))
