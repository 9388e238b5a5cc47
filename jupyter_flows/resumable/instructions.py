"""What the instruction that a frame stands at tells: which operation it is, and what it runs directly.

Python shows no frames of C code. Whether one stands between two frames of Python can be told all the same:
the interpreter calls a Python function without leaving its loop, and links the two frames at once. Where C
calls it, there is an entry frame between (CPython 3.12 and 3.13), or the frame is marked as an entry (3.11).
Only memory shows that: a few words, read through `ctypes`, checked once against calls that are known (one
through C, and one by a finalizer), and not used where that check fails.

`runs_directly` is proof when it says True. When it says False the call may still be a plain one (a class, an
object with `__call__`, ``f(*args)``), and `callsites` looks the callee up; `is_over` tells of a call that
has returned, while what it let go is finalized.
"""

from __future__ import annotations

import dis
import sys
import types
from typing import Any

CALLS = frozenset({"CALL", "PRECALL", "CALL_FUNCTION_EX", "CALL_KW"})


def start_of(code: types.CodeType, offset: int) -> int:
    """The instruction that an offset belongs to: it may point into the instruction's inline caches."""
    while offset > 0 and code.co_code[offset] == 0:
        offset -= 2
    return offset


def operation_at(code: types.CodeType, offset: int) -> str:
    return dis.opname[code.co_code[start_of(code, offset)]]


def runs_directly(frame: types.FrameType, inner: types.FrameType) -> bool:
    """Whether the instruction at which `frame` stands itself runs `inner`, with nothing of C between."""
    return inner.f_back is frame and _direct(frame, inner)


def is_over(frame: types.FrameType) -> bool:
    """Whether the call at which `frame` stands has returned, if it does not run the next frame directly.

    That frame runs then because of what the call let go.

    CPython 3.11 and 3.12 have the position at the end of the call's inline caches once they called a function
    of Python. Where that cannot be told, False.
    """
    return _IS_TOLD and _has_called(frame)


def must_run_directly(frame: types.FrameType) -> bool:
    """Whether the call at which `frame` stands runs a plain function of Python directly, if it runs one.

    Before CPython 3.13 a debugger may have the interpreter leave its loop for every call.
    """
    return _IS_KNOWN and operation_at(frame.f_code, frame.f_lasti) == "CALL"


def _has_called(frame: types.FrameType) -> bool:
    return frame.f_lasti > 0 and frame.f_code.co_code[frame.f_lasti] == 0


_FRAME_OF_OBJECT, _PREVIOUS = 24, 8
_PREVIOUS_311, _IS_ENTRY_311 = 48, 68


def _by_link(frame: types.FrameType, inner: types.FrameType) -> bool:
    return _word(_word(id(inner) + _FRAME_OF_OBJECT) + _PREVIOUS) == _word(id(frame) + _FRAME_OF_OBJECT)


def _by_mark(frame: types.FrameType, inner: types.FrameType) -> bool:
    if not _has_called(frame):
        return False
    address = _word(id(inner) + _FRAME_OF_OBJECT)
    is_entry = _word(address + _IS_ENTRY_311) & 0xFF
    return not is_entry and _word(address + _PREVIOUS_311) == _word(id(frame) + _FRAME_OF_OBJECT)


_at: Any = None  # reads a word at an address


def _word(address: int) -> int:
    word: int = _at(address).value
    return word


def _never(_: types.FrameType, __: types.FrameType) -> bool:
    return False


def _seen(is_direct: Any) -> bool:
    return bool(is_direct(sys._getframe(1), sys._getframe(0)))


class _Finalized:
    def __init__(self, is_direct: Any) -> None:
        self.is_direct = is_direct

    def __del__(self) -> None:
        _finalized.append(_seen_below(self.is_direct))


_finalized: list[bool] = []


def _seen_below(is_direct: Any) -> bool:
    return bool(is_direct(sys._getframe(2), sys._getframe(1)))


def _lets_go(is_direct: Any) -> None:
    made = _Finalized(is_direct)
    del is_direct
    assert made


def _is_right(is_direct: Any) -> bool:
    """Whether this way of telling is right about a direct call, one through C, and one by a finalizer."""
    _finalized.clear()
    try:
        _lets_go(is_direct)
        return _seen(is_direct) and not any(map(_seen, [is_direct])) and _finalized == [False]
    except Exception:
        return False


def _chosen() -> Any:
    is_usual = sys.implementation.name == "cpython" and object.__basicsize__ == 16 and sys.maxsize > 2**32
    if not is_usual or hasattr(sys, "getobjects"):
        return _never
    global _at
    import ctypes

    _at = ctypes.c_size_t.from_address
    way = {11: _by_mark, 12: _by_link, 13: _by_link}.get(sys.version_info.minor, _never)
    return way if _is_right(way) else _never


_direct = _chosen()
_IS_TOLD = sys.version_info < (3, 13) and _direct is not _never
_IS_KNOWN = sys.version_info >= (3, 13) and _direct is not _never
