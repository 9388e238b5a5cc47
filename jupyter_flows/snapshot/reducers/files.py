"""Open files, locks, threads pools and other things of the operating system.

A file is opened again at its position. Its content is the outside world and not part of the state: one that
was opened for writing is opened again without being emptied, and what was written since stays.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import io
import logging
import mmap
import os
import queue
import tempfile
import threading
from typing import Any

from ...errors import SavepointError
from ..pickling import Saving
from ..registry import builtin


@builtin(io.TextIOWrapper)
def _reduce_text_file(file: io.TextIOWrapper, _: Saving) -> Any:
    name, mode = _opened(file)
    if file.closed:
        return _closed_text_file, ()
    if file.writable():
        file.flush()  # not when reading: it makes tell() forget that it must refuse
    options = (file.encoding, file.errors, getattr(file, "_newline", None))
    return _open_text_file, (name, _again(mode), _position(file), options)


def _position(file: Any) -> int:
    try:
        return int(file.tell())
    except OSError:
        # After next() a text file does not tell. What it has read ahead but not handed out is the rest of
        # the buffer; reading it, and seeking back, finds the place.
        rest = file.read()
        end = file.buffer.tell()
        place = end - len(rest.encode(file.encoding, file.errors or "strict"))
        file.seek(place)
        return int(place)


@builtin(io.BufferedReader, io.BufferedWriter, io.BufferedRandom, io.FileIO)
def _reduce_binary_file(file: Any, _: Saving) -> Any:
    name, mode = _opened(file)
    if file.closed:
        return _closed_binary_file, ()
    file.flush()
    buffering = 0 if isinstance(file, io.FileIO) else -1
    return _open_binary_file, (name, _again(mode), file.tell(), buffering)


def _opened(file: Any) -> tuple[str, str]:
    """Name and mode of a file that can be opened again. Raises TypeError for pipes and terminals."""
    name = getattr(file, "name", None)
    if not isinstance(name, str | bytes | os.PathLike) or not (file.closed or file.seekable()):
        raise TypeError(f"the file {name!r} has no place on disk to open it from again")
    path = os.path.abspath(os.fsdecode(name))
    if not os.path.exists(path):
        raise TypeError(f"the file {path} is gone: it cannot be opened again")
    return path, str(file.mode)


def _again(mode: str) -> str:
    """The mode that goes on with what is there instead of emptying it."""
    plain = mode.replace("x", "w")
    return plain.replace("w", "r+").replace("++", "+") if "w" in plain else plain


def _checked_place(name: str) -> None:
    if not os.path.exists(name):
        raise SavepointError(f"the file {name} that was open is not there any more")


def _open_text_file(name: str, mode: str, position: int, options: tuple[Any, ...]) -> Any:
    _checked_place(name)
    encoding, errors, newline = options
    mode = mode.replace("b", "")
    file = open(name, mode, encoding=encoding, errors=errors, newline=newline)  # noqa: SIM115 - it stays open
    file.seek(position)
    return file


def _open_binary_file(name: str, mode: str, position: int, buffering: int) -> Any:
    _checked_place(name)
    mode = mode if "b" in mode else mode + "b"
    file = open(name, mode.replace("rb+", "r+b"), buffering)  # noqa: SIM115 - it stays open
    file.seek(position)
    return file


def _closed_text_file() -> Any:
    file = io.TextIOWrapper(io.BytesIO())
    file.close()
    return file


def _closed_binary_file() -> Any:
    file = io.BufferedReader(io.BytesIO())
    file.close()
    return file


@builtin("tempfile.TemporaryDirectory", "tempfile._TemporaryFileWrapper")
def _reduce_temporary(subject: Any, _: Saving) -> Any:
    name = subject.name
    if not isinstance(name, str) or not os.path.exists(name):
        raise TypeError("a temporary file that has no name cannot be opened again")
    if isinstance(subject, tempfile.TemporaryDirectory):
        return _adopt_directory, (name,)
    subject.file.flush()
    # The file belongs to this process, which removes it at its end: its content is kept.
    with open(name, "rb") as stream:
        content = stream.read()
    return _make_temporary_file, (
        str(subject.file.mode),
        subject.file.tell(),
        content,
        os.path.basename(name),
    )


def _make_temporary_file(mode: str, position: int, content: bytes, name: str) -> Any:
    suffix = os.path.splitext(name)[1]
    mode = mode.replace("r", "w") if "+" in mode else mode
    made: Any = tempfile.NamedTemporaryFile(mode, suffix=suffix)  # noqa: SIM115 - it stays open
    with open(made.name, "wb") as stream:
        stream.write(content)
    made.seek(position)
    return made


def _adopt_directory(name: str) -> Any:
    made = tempfile.TemporaryDirectory()
    if os.path.isdir(name):
        os.rmdir(made.name)
        made._finalizer.detach()  # type: ignore[attr-defined]
        made.name = name
        return made
    raise SavepointError(f"the temporary directory {name} is gone with the process that made it")


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


@builtin(logging.Logger, logging.RootLogger)
def _reduce_logger(logger: logging.Logger, _: Saving) -> Any:
    if logging.getLogger(logger.name) is not logger and logger is not logging.getLogger():
        return NotImplemented
    name = "" if logger is logging.getLogger() else logger.name
    return _get_logger, (name, logger.level, logger.propagate, logger.disabled)


def _get_logger(name: str, level: int, propagate: bool, disabled: bool) -> logging.Logger:
    """Handlers belong to the process; level and switches are the flow's."""
    logger = logging.getLogger(name or None)
    logger.setLevel(level)
    logger.propagate, logger.disabled = propagate, disabled
    return logger


@builtin(memoryview)
def _reduce_memoryview(view: memoryview, _: Saving) -> Any:
    owner = view.obj
    if view.nbytes == memoryview(owner).nbytes:
        return _make_memoryview, (owner, view.format, view.shape, view.readonly)
    raise TypeError("a memoryview of a part of its object cannot be kept: keep the object and slice again")


def _make_memoryview(owner: Any, form: str, shape: Any, readonly: bool) -> memoryview:
    view = memoryview(owner)
    if (view.format, view.shape) != (form, shape):
        view = view.cast("B").cast(form, shape)  # type: ignore[call-overload]
    return view.toreadonly() if readonly else view


@builtin(mmap.mmap)
def _reduce_memory_map(memory: mmap.mmap, _: Saving) -> Any:
    place = memory.tell()
    memory.seek(0)
    content = memory.read()
    memory.seek(place)
    # A map does not tell its file: the restored one holds the bytes and belongs to no file.
    return _make_memory_map, (content, place)


def _make_memory_map(content: bytes, place: int) -> mmap.mmap:
    memory = mmap.mmap(-1, len(content))
    memory.write(content)
    memory.seek(place)
    return memory


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
