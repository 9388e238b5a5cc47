"""Locks, queues, pools and threads: as they stand where nothing runs in them; what runs is named.

A lock held by the flow's own thread is held again after loading. Work that a thread or a pool is doing lives
on a stack of the interpreter that cannot be kept: such an object is refused with advice.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import queue
import subprocess
import threading
from typing import Any

from ..pickling import Saving
from ..registry import builtin


@builtin(type(threading.Lock()))
def _reduce_lock(lock: Any, _: Saving) -> Any:
    return _make_lock, (lock.locked(),)


def _make_lock(is_locked: bool) -> Any:
    lock = threading.Lock()
    if is_locked:
        lock.acquire()
    return lock


@builtin(type(threading.RLock()))
def _reduce_reentrant_lock(lock: Any, _: Saving) -> Any:
    count = 0
    if lock._is_owned():
        while lock._is_owned():
            lock.release()
            count += 1
        for _time in range(count):
            lock.acquire()
    return _make_reentrant_lock, (count,)


def _make_reentrant_lock(count: int) -> Any:
    lock = threading.RLock()
    for _ in range(count):
        lock.acquire()
    return lock


@builtin(
    threading.Event, threading.Condition, threading.Semaphore, threading.BoundedSemaphore, threading.Barrier
)
def _reduce_signal(subject: Any, _: Saving) -> Any:
    # Those who wait are threads of this process, and not kept.
    state = {name: value for name, value in subject.__dict__.items() if name not in _OF_CONDITIONS}
    if isinstance(subject, threading.Condition):
        return type(subject), (subject._lock,)  # type: ignore[attr-defined]
    return _make_bare, (type(subject),), state, None, None, _set_attributes


_OF_CONDITIONS = frozenset(
    {"acquire", "release", "_release_save", "_acquire_restore", "_is_owned", "_waiters"}
)


def _make_bare(cls: type[Any]) -> Any:
    return object.__new__(cls)


def _set_attributes(subject: Any, state: dict[str, Any]) -> None:
    subject.__dict__.update(state)


@builtin(queue.Queue, queue.LifoQueue, queue.PriorityQueue)
def _reduce_queue(subject: Any, _: Saving) -> Any:
    return (
        _make_queue,
        (type(subject), subject.maxsize),
        (subject.queue, subject.unfinished_tasks),
        None,
        None,
        _fill,
    )


def _make_queue(cls: type[Any], maxsize: int) -> Any:
    return cls(maxsize)


def _fill(subject: Any, state: tuple[Any, int]) -> None:
    subject.queue, subject.unfinished_tasks = state


@builtin(queue.SimpleQueue)
def _reduce_simple_queue(subject: Any, _: Saving) -> Any:
    if not subject.empty():
        raise TypeError("a SimpleQueue with something in it cannot be looked into: use queue.Queue")
    return queue.SimpleQueue, ()


@builtin(threading.local)
def _reduce_thread_local(subject: Any, _: Saving) -> Any:
    return threading.local, (), dict(subject.__dict__), None, None, _set_attributes


@builtin(concurrent.futures.ThreadPoolExecutor)
def _reduce_thread_pool(pool: Any, _: Saving) -> Any:
    if not pool._work_queue.empty():
        raise TypeError("a ThreadPoolExecutor with work that is not done cannot be kept: wait for it first")
    options = (pool._max_workers, pool._thread_name_prefix, pool._initializer, pool._initargs, pool._shutdown)
    return _make_thread_pool, options


def _make_thread_pool(workers: int, prefix: str, initializer: Any, arguments: Any, is_shut_down: bool) -> Any:
    pool = concurrent.futures.ThreadPoolExecutor(workers, prefix, initializer, arguments)
    if is_shut_down:
        pool.shutdown()
    return pool


@builtin(concurrent.futures.ProcessPoolExecutor)
def _reduce_process_pool(pool: Any, _: Saving) -> Any:
    if pool._pending_work_items:
        raise TypeError("a ProcessPoolExecutor with work that is not done cannot be kept: wait for it first")
    return concurrent.futures.ProcessPoolExecutor, (pool._max_workers,)


@builtin(concurrent.futures.Future)
def _reduce_future(future: Any, _: Saving) -> Any:
    if not future.done():
        raise TypeError("a Future that is not done belongs to threads that are not kept: wait for it first")
    error = None if future.cancelled() else future.exception()
    result = None if future.cancelled() or error is not None else future.result()
    return _make_future, (future.cancelled(), result, error)


def _make_future(is_cancelled: bool, result: Any, error: BaseException | None) -> Any:
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()
    if is_cancelled:
        future.cancel()
    elif error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)
    return future


# --- threads ------------------------------------------------------------------------------------------

_OF_ANY_THREAD = frozenset(threading.Thread().__dict__)


@builtin(threading.Thread, subclasses=True)
def _reduce_thread(thread: threading.Thread, _: Saving) -> Any:
    if thread is threading.main_thread():
        return threading.main_thread, ()
    if thread.is_alive():
        raise TypeError("a thread that runs cannot be kept: join it first")
    has_ended = thread._started.is_set()  # type: ignore[attr-defined]
    options = {
        "target": getattr(thread, "_target", None),  # a thread that ended let go of these
        "args": getattr(thread, "_args", ()),
        "kwargs": getattr(thread, "_kwargs", {}),
        "name": thread.name,
        "daemon": thread.daemon,
    }
    own = {name: value for name, value in thread.__dict__.items() if name not in _OF_ANY_THREAD}
    return _make_bare, (type(thread),), (has_ended, options, own), None, None, _set_thread


def _set_thread(thread: threading.Thread, state: tuple[bool, dict[str, Any], dict[str, Any]]) -> None:
    has_ended, options, own = state
    threading.Thread.__init__(thread, **options)
    if has_ended:  # a thread that does nothing runs to its end, and leaves it behind as it was
        thread.run = _do_nothing  # type: ignore[method-assign]
        thread.start()
        thread.join()
        del thread.run
    thread.__dict__.update(own)


def _do_nothing() -> None:
    """What a thread does that had ended already."""


@builtin(subprocess.Popen)
def _reduce_process(process: subprocess.Popen[Any], _: Saving) -> Any:
    if process.returncode is None and process.poll() is None:
        raise TypeError("a process that runs cannot be kept: wait for it first")
    return NotImplemented


@builtin(contextvars.Context)
def _reduce_context(context: contextvars.Context, _: Saving) -> Any:
    return _make_context, (tuple(context.items()),)


def _make_context(values: tuple[tuple[contextvars.ContextVar[Any], Any], ...]) -> contextvars.Context:
    context = contextvars.Context()
    for variable, value in values:
        context.run(variable.set, value)
    return context


@builtin(contextvars.ContextVar)
def _reduce_context_variable(variable: Any, _: Saving) -> Any:
    missing = object()
    value = variable.get(missing)
    return _make_context_variable, (variable.name, value is not missing, None if value is missing else value)


def _make_context_variable(name: str, is_set: bool, value: Any) -> Any:
    variable: contextvars.ContextVar[Any] = contextvars.ContextVar(name)
    if is_set:
        variable.set(value)
    return variable
