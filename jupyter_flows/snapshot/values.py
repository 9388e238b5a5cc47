"""Inputs, outputs and arguments: as JSON where that is exact, else as a small snapshot of their own."""

from __future__ import annotations

import math
from typing import Any

from ..errors import InvalidInputError
from ..model import Value
from ..model.sayable import sayable
from .chunks import Chunks
from .loading import load
from .manifest import Manifest
from .saving import save

_SCOPE = "value"
_MAX_DEPTH = 100


def encode_value(value: Any, chunks: Chunks, name: str = "value") -> Value:
    """Raises InvalidInputError, naming the path below `name`, for what cannot be pickled."""
    if _is_exact_in_json(value, _MAX_DEPTH, set()):
        return Value(json=value)
    manifest = save({f"{_SCOPE}/{name}": value}, chunks, {})
    if manifest.missing:
        first = manifest.missing[0]
        raise InvalidInputError(
            f"{first.path} cannot be handed over: {first.reason} (its type is {first.type}). "
            "Hand over what it is made from instead"
        )
    view = manifest.variables()[0]
    return Value(manifest=manifest.to_bytes(), chunks=manifest.chunks, type=view.type, text=view.text)


def decode_value(value: Value, chunks: Chunks, namespace: dict[str, Any] | None = None) -> Any:
    """The value itself; functions in it get `namespace` (the running flow's, or an empty one) as globals."""
    if value.manifest is None:
        return value.json
    objects = load(Manifest.from_bytes(value.manifest), chunks, {} if namespace is None else namespace)
    return next(iter(objects.values()))


def _is_exact_in_json(value: Any, depth: int, above: set[int]) -> bool:
    """Whether JSON gives back the same: no tuples, no NaN, no keys but texts, nothing shared in a cycle."""
    kind = type(value)
    if kind is str:
        return bool(sayable(value) == value)
    if kind in (bool, type(None)):
        return True
    if kind is int:
        return bool(-(2**63) <= value < 2**63)
    if kind is float:
        return math.isfinite(value)
    if kind not in (list, dict) or not depth or id(value) in above:
        return False
    above.add(id(value))
    parts: Any = value if kind is list else value.values()
    exact = kind is list or all(type(key) is str and sayable(key) == key for key in value)
    exact = exact and all(_is_exact_in_json(part, depth - 1, above) for part in parts)
    above.discard(id(value))
    return bool(exact)
