"""What the columns of a frame and the values of a dictionary hold, by short digests: so that `diff` can name
the ones that changed.

A column's memory was hashed already when it was kept, so its chunks tell; what is small is hashed here. What
would be dear to look at (long columns of Python objects, large dictionaries) has no digest, and `diff` says
of it only what else it knows. Nothing of the flow runs for this.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import xxhash

from .frames import label
from .manifest import Buffer
from .references import module_name

_SMALL_BYTES = 1 << 20
_MOST_PARTS = 100
_MOST_OBJECTS = 2000
_LETTERS = 12


class Kept(NamedTuple):
    """`bytes` of the variable; `buffer` gives what a large array was kept as; `digest` that of any object."""

    bytes: int
    buffer: Callable[[Any], Buffer | None]
    digest: Callable[[Any], str]


def digests(value: Any, kept: Kept) -> dict[str, Any]:
    """An `extra` entry with digests by the names of columns or keys; empty where there are none."""
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and type(value) is getattr(pandas, "DataFrame", None):
        return {"digests": _of_pandas(value, kept)}
    if polars is not None and type(value) is getattr(polars, "DataFrame", None):
        names = value.columns[:_MOST_PARTS]
        return {"digests": _known({label(name): _of_arrow(value[name].to_arrow()) for name in names})}
    if type(value) is dict:
        return _of_dict(value, kept)
    own = getattr(value, "__dict__", None) if module_name(type(value)) == "__main__" else None
    if type(own) is dict and not isinstance(value, type):
        return _of_dict(own, kept, "attributes")
    return {}


def _known(found: dict[str, str]) -> dict[str, str]:
    return {name: digest for name, digest in found.items() if digest}


def _of_dict(value: dict[Any, Any], kept: Kept, what: str = "keys") -> dict[str, Any]:
    """Of each value by itself where all of them are small; else of the names only."""
    if not value or len(value) > _MOST_PARTS:
        return {}
    is_small = kept.bytes <= _SMALL_BYTES // 16
    found = {label(key): kept.digest(one)[:_LETTERS] if is_small else "" for key, one in value.items()}
    return {what: found} if len(found) == len(value) else {}


def _of_pandas(frame: Any, kept: Kept) -> dict[str, str]:
    found = {}
    names = list(frame.columns[:_MOST_PARTS])
    for block in frame._mgr.blocks:
        values = block.values
        for line, column in enumerate(block.mgr_locs):
            if column < len(names):
                found[label(names[column])] = _of_line(values, line, kept)
    return _known(found) if len({label(name) for name in names}) == len(names) else {}


def _of_line(values: Any, line: int, kept: Kept) -> str:
    numpy = sys.modules["numpy"]
    if not isinstance(values, numpy.ndarray):
        arrow = getattr(values, "_pa_array", None)
        if arrow is not None:
            return _of_arrow(arrow)
        values = getattr(values, "_ndarray", None)  # dates and the like
        if values is None:
            return ""
    one = values[line] if values.ndim == 2 else values
    if values.dtype.hasobject:
        return _of_objects(one)
    if one.nbytes <= _SMALL_BYTES:
        return xxhash.xxh3_64_hexdigest(numpy.ascontiguousarray(one).view("u1"))[:_LETTERS]
    owner, buffer = values, kept.buffer(values)
    if buffer is None and isinstance(values.base, numpy.ndarray):
        owner, buffer = values.base, kept.buffer(values.base)
    if buffer is None or buffer.bytes != owner.nbytes or not one.flags.c_contiguous:
        return ""
    start = one.__array_interface__["data"][0] - owner.__array_interface__["data"][0]
    return _of_chunks(buffer, start, start + one.nbytes)


def _of_chunks(buffer: Buffer, start: int, end: int) -> str:
    """By the names of the chunks that hold these bytes, if they hold no others."""
    names, at = [], 0
    for name, _, length in buffer.references:
        if at < end and at + length > start:
            if at < start or at + length > end:
                return ""
            names.append(name[:32])
        at += length
    return xxhash.xxh3_64_hexdigest("".join(names).encode())[:_LETTERS]


def _of_arrow(array: Any) -> str:
    pieces = getattr(array, "chunks", [array])
    if array.nbytes > _SMALL_BYTES or any(piece.offset for piece in pieces):
        return ""
    hasher = xxhash.xxh3_64(str(len(array)).encode())
    for piece in pieces:
        for buffer in piece.buffers():
            hasher.update(b"" if buffer is None else memoryview(buffer))
    return hasher.hexdigest()[:_LETTERS]


def _of_objects(values: Any) -> str:
    """Of plain Python values, if there are not too many."""
    if len(values) > _MOST_OBJECTS or not all(type(one) in _PLAIN for one in values):
        return ""
    return xxhash.xxh3_64_hexdigest(repr(list(values)).encode("utf-8", "surrogatepass"))[:_LETTERS]


_PLAIN = frozenset({str, float, bool, type(None)})
