"""What a cached function gave, by its arguments (`from_collections.cached`).

A dict would do, but for savepoints: a key may be an object of a class that is still being restored when the
dict is, and its hash cannot be had yet. So what was kept comes back as pairs, which wait for the first use.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any


class Results:
    """Results by key; what was used last comes last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Any, Any] = OrderedDict()
        self._waiting: list[tuple[Any, Any]] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return Results, (), [*self._kept.items(), *self._waiting]

    def __setstate__(self, pairs: list[tuple[Any, Any]]) -> None:
        self._waiting = pairs

    def _settled(self) -> OrderedDict[Any, Any]:
        if self._waiting:
            pairs, self._waiting = self._waiting, []
            self._kept.update(pairs)
        return self._kept

    def get(self, key: Any, missing: Any) -> Any:
        """The result for a key, which counts as used now; `missing` if there is none."""
        kept = self._settled()
        value = kept.get(key, missing)
        if value is not missing:
            kept.move_to_end(key)
        return value

    def put(self, key: Any, value: Any, most: int | None) -> None:
        """Keep a result, and let go the one that was not used for longest if there are as many as `most`.

        A bounded cache leaves what has come there meanwhile, an unbounded one puts it anew.
        """
        kept = self._settled()
        if most is not None and key in kept:
            return
        if most is not None and len(kept) >= most:
            kept.popitem(last=False)
        kept[key] = value

    def clear(self) -> None:
        self._waiting = []
        self._kept.clear()

    def __len__(self) -> int:
        return len(self._kept) + len(self._waiting)
