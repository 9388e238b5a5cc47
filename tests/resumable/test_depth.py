"""Deep recursion: where Python goes no deeper, a call of the Flow API is one frame more, and exact."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from jupyter_flows import resumable

from .harness import compare

SOURCE = """
def down(n):
    if n == 0:
        return point("bottom")
    for x in (n,):
        try:
            return [x, down(n - 1)][0] + kept
        finally:
            count.append(n)
count, kept = [], 1
found = down(depth)
"""


def depth_of_here() -> int:
    depth, frame = 0, sys._getframe(1)
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    return depth


def upon(frames: int, action: Any) -> Any:
    return upon(frames - 1, action) if frames else action()


def test_recursion_200_deep_goes_on_from_each_call() -> None:
    source = (
        "def down(n):\n"
        "    if n == 0 or n == 150: point(n)\n"
        "    return 1 + down(n - 1) + (n if n % 100 else len(point([n]))) if n else 0\n"
        "print(down(200))\n"
    )
    assert compare(source) >= 4


def test_a_call_at_the_recursion_limit_is_exact_and_is_gone_on_from_upon_more_frames() -> None:
    found: list[resumable.Continuation] = []

    def point(value: Any) -> Any:
        found.append(resumable.capture(sys._getframe(1), point))
        return value

    limit = sys.getrecursionlimit()
    depth = limit - depth_of_here() - 60  # Python 3.11 counts calls by C too
    namespace: dict[str, Any] = {"__name__": "__main__", "point": point, "depth": depth}
    unit = resumable.compile_unit(SOURCE, "deep.py")
    exec(unit.code, namespace)
    assert namespace["found"] == depth + 1
    assert found[0].exact, found[0].inexact_reason
    assert sys.getrecursionlimit() == limit
    values = found[0].locals()
    again = found[0].with_locals(values)
    fresh = {**namespace, "count": [], "found": None}
    try:
        upon(50, lambda: again.resume(namespace=fresh, value="bottom"))
        assert fresh["found"] == depth + 1
        assert fresh["count"] == list(range(1, depth + 1))
    finally:
        sys.setrecursionlimit(limit)


def test_what_goes_deeper_than_python_allows_raises_what_python_raises() -> None:
    def point(value: Any) -> Any:
        resumable.capture(sys._getframe(1), point)
        return value

    namespace: dict[str, Any] = {"__name__": "__main__", "point": point, "depth": 10**6}
    limit = sys.getrecursionlimit()
    with pytest.raises(RecursionError):
        exec(resumable.compile_unit(SOURCE, "deep.py").code, namespace)
    assert sys.getrecursionlimit() == limit
