"""How many frames may lie on each other: what we do on top of a flow's frames must not need the flow's room.

A flow near Python's recursion limit calls the Flow API, and in plain Python that call would be one frame
more. And frames that go on lie on other frames than those they were saved on.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager

_ROOM = 500  # frames; a savepoint needs less than a hundred
_lent = 0


@contextmanager
def room() -> Iterator[None]:
    """Work of ours on top of the flow's frames, with frames to spare."""
    global _lent
    if _lent:
        yield
        return
    before = sys.getrecursionlimit()
    _lent = _ROOM
    sys.setrecursionlimit(before + _ROOM)
    try:
        yield
    finally:
        _lent = 0
        sys.setrecursionlimit(before)


def limit() -> int:
    """The flow's own recursion limit."""
    return sys.getrecursionlimit() - _lent


def make_room_for(frames: int) -> None:
    """Let so many saved frames go on upon those that are here, with a little more room than they had."""
    depth = 0
    frame: types.FrameType | None = sys._getframe(1)
    while frame is not None:
        depth, frame = depth + 1, frame.f_back
    needed = depth + frames + _ROOM // 2
    if needed > sys.getrecursionlimit():
        sys.setrecursionlimit(needed)
