"""Reading a frame's variables without a trace.

Before Python 3.13 a frame keeps the dict that `f_locals` gave: values that the function lets go later would
live on in it until the function ends. So it is emptied again, unless the author's own `locals()` has it.
"""

from __future__ import annotations

import inspect
import sys
import types
from typing import Any

_KEEPS = sys.version_info < (3, 13)
_OURS_ALONE = 3  # references to the dict: the frame's, our variable's, the argument of getrefcount


def locals_of(frame: types.FrameType) -> dict[str, Any]:
    """The variables of a function's frame by name, as a dict of their own."""
    found = frame.f_locals
    values = dict(found)
    if _KEEPS and frame.f_code.co_flags & inspect.CO_OPTIMIZED and sys.getrefcount(found) <= _OURS_ALONE:
        found.clear()
    return values
