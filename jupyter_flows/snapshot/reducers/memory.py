"""Memory seen from elsewhere: memoryviews, which stay views of their object, and memory maps."""

from __future__ import annotations

import ctypes
import mmap
import os
from typing import Any

from ...errors import SavepointError
from ..pickling import Saving
from ..registry import builtin


class _Buffer(ctypes.Structure):
    """Python's `Py_buffer`, of which only the address is read."""

    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    ]


_STRIDED = 0x0118  # PyBUF_FULL_RO


def address_of(subject: Any) -> int:
    """Where the first item of a buffer lies."""
    found = _Buffer()
    pointer = ctypes.byref(found)
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(subject), pointer, ctypes.c_int(_STRIDED))
    try:
        return int(found.buf or 0)
    finally:
        ctypes.pythonapi.PyBuffer_Release(pointer)


@builtin(memoryview)
def _reduce_memoryview(view: memoryview, _: Saving) -> Any:
    owner = view.obj
    strides, shape = view.strides, view.shape
    assert strides is not None
    assert shape is not None
    if view.ndim > 1 and not view.c_contiguous:
        raise TypeError("a memoryview with steps in several dimensions cannot be kept: keep its object")
    start = address_of(view) - address_of(owner) if view.nbytes else 0
    step = strides[0] // view.itemsize if view.ndim == 1 and shape[0] > 1 else 1
    if step * view.itemsize != strides[0] and view.ndim == 1 and shape[0] > 1:
        raise TypeError("a memoryview of fields within items cannot be kept: keep its object")
    return _make_memoryview, (owner, start, step, view.format, shape, view.readonly)


def _make_memoryview(
    owner: Any, start: int, step: int, form: str, shape: tuple[int, ...], readonly: bool
) -> memoryview:
    whole = memoryview(owner)
    if (whole.format, whole.shape, start, step) == (form, shape, 0, 1):
        return whole.toreadonly() if readonly else whole
    size = whole.itemsize if form == whole.format else memoryview(bytearray(16)).cast(form).itemsize  # type: ignore[call-overload]
    flat = whole if (whole.format, whole.ndim) == ("B", 1) else whole.cast("B")
    count = 1
    for length in shape:
        count *= length
    span = (abs(step) * (count - 1) + 1) * size if count else 0
    first = start if step > 0 else start - span + size
    part = flat[first : first + span]
    if form != "B" or len(shape) != 1:
        part = part.cast(form, shape) if step == 1 else part.cast(form)  # type: ignore[call-overload]
    if step != 1:
        part = part[::step]
    return part.toreadonly() if readonly else part


@builtin(mmap.mmap)
def _reduce_memory_map(memory: mmap.mmap, _: Saving) -> Any:
    place, length = memory.tell(), len(memory)
    found = _file_behind(memory)
    if found is None:
        return _make_memory_map, (memory[:], place)
    path, offset, is_shared, is_writable = found
    if is_shared:
        return _open_memory_map, (path, offset, length, is_writable, None, place)
    return _open_memory_map, (path, offset, length, is_writable, memory[:], place)


def _file_behind(memory: mmap.mmap) -> tuple[str, int, bool, bool] | None:
    """Path, offset, whether shared and writable, of the file that is mapped; None without one.

    A map does not tell its file; the system's table of this process does (Linux).
    """
    address = address_of(memory)
    try:
        with open("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as table:
            lines = table.readlines()
    except OSError:
        return None
    for line in lines:
        parts = line.rstrip("\n").split(maxsplit=5)
        begin, _, end = parts[0].partition("-")
        if int(begin, 16) <= address < int(end, 16):
            path = parts[5] if len(parts) == 6 else ""
            if not os.path.isfile(path):
                return None
            offset = int(parts[2], 16) + address - int(begin, 16)
            return path, offset, "s" in parts[1], "w" in parts[1]
    return None


def _make_memory_map(content: bytes, place: int) -> mmap.mmap:
    memory = mmap.mmap(-1, len(content))
    memory.write(content)
    memory.seek(place)
    return memory


def _open_memory_map(
    path: str, offset: int, length: int, is_writable: bool, content: bytes | None, place: int
) -> mmap.mmap:
    """The same part of the same file; `content` is what a private copy of it held."""
    if not os.path.isfile(path) or os.path.getsize(path) < offset + length:
        raise SavepointError(f"the file {path} that was mapped into memory is not there any more, or shorter")
    shared = mmap.ACCESS_WRITE if is_writable else mmap.ACCESS_READ
    access = shared if content is None else mmap.ACCESS_COPY
    with open(path, "r+b" if access == mmap.ACCESS_WRITE else "rb") as file:
        memory = mmap.mmap(file.fileno(), length, access=access, offset=offset)
    if content is not None:
        memory[:] = content
    memory.seek(place)
    return memory
