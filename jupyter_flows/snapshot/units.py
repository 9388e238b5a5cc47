"""Sources of the units that kept objects refer to: part of the snapshot, made known again at load."""

from __future__ import annotations

import types
from typing import Any

from .. import resumable
from .chunks import ChunkReader, ChunkWriter
from .manifest import UnitSource

_resumable: Any = resumable


def unit_of(code: types.CodeType) -> Any:
    """The unit that this code was compiled from, None for other code."""
    finder = getattr(_resumable, "unit_of", None)
    return None if finder is None else finder(code)


def keep(digests: set[str], writer: ChunkWriter, earlier: dict[str, UnitSource]) -> tuple[UnitSource, ...]:
    """Store the sources of these units; those of an earlier savepoint are there already."""
    kept = []
    for digest in sorted(digests):
        source = earlier.get(digest)
        if source is None:
            text = _resumable.unit_source(digest)
            source = UnitSource(digest, text.filename, (writer.put(text.source.encode()),), text.interactive)
        else:
            writer.reuse(source.source)
        kept.append(source)
    return tuple(kept)


def make_known(units: tuple[UnitSource, ...], reader: ChunkReader) -> None:
    for unit in units:
        source = reader.bytes_of(unit.source).decode()
        _resumable.register_source(unit.digest, source, unit.filename, interactive=unit.interactive)


def reduce_function(function: types.FunctionType) -> Any:
    """How a function of a unit is pickled: by the unit's digest and its place there."""
    return _resumable.reduce_function(function)


def reduce_generator(generator: Any) -> Any:
    """How a generator of a unit is pickled. Raises with the reason where it cannot be kept exactly."""
    return _resumable.reduce_generator(generator)
