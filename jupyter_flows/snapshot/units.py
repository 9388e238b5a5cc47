"""The units that kept objects refer to: sources and forms are part of the snapshot, made known at load."""

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
    """Store the sources and forms of these units; those of an earlier savepoint are there already."""
    kept = []
    for digest in sorted(digests):
        source = earlier.get(digest)
        if source is None:
            unit = _resumable.kept_unit(digest)
            text = (writer.put(unit.source.encode()),)
            form = (writer.put(unit.form),) if unit.form else ()
            source = UnitSource(digest, unit.filename, text, unit.interactive, form)
        else:
            writer.reuse(source.source)
            writer.reuse(source.form)
        kept.append(source)
    return tuple(kept)


def make_known(units: tuple[UnitSource, ...], reader: ChunkReader) -> None:
    for unit in units:
        source = reader.bytes_of(unit.source).decode()
        form = reader.bytes_of(unit.form) if unit.form else b""
        _resumable.register_source(unit.digest, source, unit.filename, unit.interactive, form)


def reduce_continuation(continuation: Any, saving: Any) -> Any:
    """How a continuation is pickled: its units are the snapshot's, kept once for all savepoints."""
    saving.units.update(continuation.units)
    return type(continuation).from_structure, (continuation.structure(),)


def reduce_function(function: types.FunctionType) -> Any:
    """How a function of a unit is pickled: by the unit's digest and its place there."""
    return _resumable.reduce_function(function)


def reduce_generator(generator: Any) -> Any:
    """How a generator of a unit is pickled. Raises with the reason where it cannot be kept exactly."""
    return _resumable.reduce_generator(generator)
