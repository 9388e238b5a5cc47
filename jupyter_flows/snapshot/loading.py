"""`load`: a manifest and chunks become live objects."""

from __future__ import annotations

import hashlib
import io
import pickle
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ..errors import SavepointError
from . import reducers, units
from .careful import CarefulUnpickler, reason_of
from .chunks import ChunkReader, Chunks
from .manifest import Buffer, Group, Manifest
from .memories import check_memories, set_memories
from .paths import Paths
from .pickling import Pickled
from .placeholder import Placeholder, facts
from .references import PREAMBLE, set_live_namespace

assert reducers  # imported for what it registers


def load(
    manifest: Manifest,
    chunks: Chunks,
    namespace: dict[str, Any],
    first: str = "",
    prepare: Callable[[Any], None] = lambda _: None,
    needs_all: bool = False,
) -> dict[str, Any]:
    """The objects of a savepoint by their names, in the order in which they were saved.

    Arguments: `namespace`, the live dict that the flow's functions get as globals; it is not changed;
    `prepare` is called with the object named `first`, if there is one, before any other is loaded.
    An object that cannot be loaded becomes a placeholder, and so do the variables of a group whose chunks
    are damaged or missing; the others are as they were. If the load `needs_all`, bytes that were lost raise
    SavepointError instead, which names the chunks and the variables.
    """
    reader = ChunkReader(chunks)
    units.make_known(manifest.body.units, reader)
    before = set_live_namespace(namespace)
    objects: dict[str, Any] = {}
    lost: list[str] = []
    try:
        for group in sorted(manifest.body.groups, key=lambda group: first not in group.names):
            known = len(reader.damaged)
            objects.update(zip(group.names, _load_group(group, reader), strict=True))
            if len(reader.damaged) > known:
                lost += group.names
            if first in group.names:
                prepare(objects[first])
    finally:
        set_live_namespace(before)
    if lost and needs_all:
        names = ", ".join(name.partition("/")[2] for name in lost[:5]) + (" …" if len(lost) > 5 else "")
        raise SavepointError(
            f"the savepoint is damaged: {'; '.join(reader.damaged.values())}; lost are {names}"
        )
    return {name: objects[name] for name in manifest.names}


def load_again(
    names: Sequence[str], pickled: Pickled, chunks: Chunks, namespace: dict[str, Any]
) -> list[Any]:
    """The roots of a stream that was just made, as `load` would give them."""
    reader = ChunkReader(chunks)
    group = Group(tuple(names), (), tuple(pickled.buffers), b"", pickled.digest, memories=pickled.memories)
    before = set_live_namespace(namespace)
    try:
        return _objects(group, b"".join(pickled.pieces), reader)
    finally:
        set_live_namespace(before)


def damage(manifest: Manifest, chunks: Chunks) -> tuple[str, ...]:
    """Why chunks of a savepoint cannot be read, each with its name; reads all of them, unpickles nothing."""
    reader = ChunkReader(chunks)
    for name in manifest.chunks:
        reader.try_to_read(name)
    return tuple(reader.damaged.values())


def _load_group(group: Group, reader: ChunkReader) -> list[Any]:
    try:
        stream = reader.bytes_of(group.stream)
        if hashlib.sha256(stream).digest() != group.seal:
            raise SavepointError("its bytes are not those that were signed")
        buffers = [_memory(buffer, reader) for buffer in group.buffers]
        check_memories(group.memories, reader)
    except SavepointError as error:
        return [Placeholder(name.partition("/")[2], "unknown", str(error)) for name in group.names]
    return _objects(group, stream, reader, buffers)


def _objects(group: Group, stream: bytes, reader: ChunkReader, buffers: list[Any] | None = None) -> list[Any]:
    set_memories(group.memories, reader)
    try:
        if buffers is None:
            buffers = [_memory(buffer, reader) for buffer in group.buffers]
        found: list[Any] = _unpickle(pickle.Unpickler, stream, buffers)
    except Exception:
        buffers = [_memory(buffer, reader) for buffer in group.buffers]
        found = _load_carefully(group, stream, buffers)
    return found


def _unpickle(kind: Any, stream: bytes, buffers: list[Any]) -> Any:
    unpickler = kind(io.BytesIO(b"".join(PREAMBLE) + stream), buffers=buffers)
    for _ in PREAMBLE:
        unpickler.load()
    return unpickler.load()


def _memory(buffer: Buffer, reader: ChunkReader) -> Any:
    """Writable memory with the content of a buffer."""
    numpy = sys.modules.get("numpy")
    memory: Any = numpy.empty(buffer.bytes, "u1") if numpy is not None else bytearray(buffer.bytes)
    with memoryview(memory) as view:
        reader.read_into(buffer.references, view)
    return memory


def _load_carefully(group: Group, stream: bytes, buffers: list[Any]) -> list[Any]:
    try:
        found: list[Any] = _unpickle(CarefulUnpickler, stream, buffers)
    except Exception as error:
        return [Placeholder(name.partition("/")[2], "unknown", reason_of(error)) for name in group.names]
    paths = Paths(group.names, found)
    for path, stand_in in paths.placeholders():
        if facts(stand_in)[0] == "":
            object.__setattr__(stand_in, "_path", path)
    return found
