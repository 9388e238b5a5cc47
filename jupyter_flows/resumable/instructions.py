"""What the instruction that a frame stands at tells: which operation it is, and what it runs directly.

Python shows no frames of C code. Whether one stands between two frames of Python can be told all the same:
the interpreter calls a Python function without leaving its loop, and leaves a trace of having done so.
CPython 3.11 and 3.12 move the caller's position to the end of the call instruction's inline caches; 3.13
links the two frames without an entry frame between, which only memory shows (two pointers, read through
`ctypes`; checked once against calls that are known, and not used where that check fails).

`runs_directly` is proof when it says True. When it says False the call may still be a plain one (a class, an
object with `__call__`, ``f(*args)``), and `callsites` looks the callee up.
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


def _by_position(frame: types.FrameType, _: types.FrameType) -> bool:
    return frame.f_lasti > 0 and frame.f_code.co_code[frame.f_lasti] == 0


_FRAME_OF_OBJECT, _PREVIOUS, _WORD = 24, 8, 8


def _by_link(frame: types.FrameType, inner: types.FrameType) -> bool:
    return _word(_word(id(inner) + _FRAME_OF_OBJECT) + _PREVIOUS) == _word(id(frame) + _FRAME_OF_OBJECT)


def _word(address: int) -> int:
    import ctypes

    return int.from_bytes(ctypes.string_at(address, _WORD), sys.byteorder)


def _never(_: types.FrameType, __: types.FrameType) -> bool:
    return False


def _seen(is_direct: Any) -> bool:
    return bool(is_direct(sys._getframe(1), sys._getframe(0)))


def _is_right(is_direct: Any) -> bool:
    """Whether this way of telling is right about a direct call and one through C."""
    try:
        return _seen(is_direct) and not any(map(_seen, [is_direct]))
    except Exception:
        return False


def _chosen() -> Any:
    is_usual = sys.implementation.name == "cpython" and object.__basicsize__ == 16 and sys.maxsize > 2**32
    if not is_usual or hasattr(sys, "getobjects"):
        return _never
    way = {11: _by_position, 12: _by_position, 13: _by_link}.get(sys.version_info.minor, _never)
    return way if _is_right(way) else _never


_direct = _chosen()
