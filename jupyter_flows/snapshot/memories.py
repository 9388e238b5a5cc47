"""The memory of arrays at load: read from its chunks right to where it belongs, without a copy between."""

from __future__ import annotations

from .chunks import ChunkReader
from .manifest import Buffer


class _Loading:
    memories: tuple[Buffer, ...] = ()
    reader: ChunkReader | None = None


def set_memories(memories: tuple[Buffer, ...], reader: ChunkReader) -> None:
    """What `read_memory` reads from while the next group is loaded."""
    _Loading.memories = memories
    _Loading.reader = reader


def check_memories(memories: tuple[Buffer, ...], reader: ChunkReader) -> None:
    """Raises SavepointError, before anything is unpickled, if a chunk is not there."""
    for memory in memories:
        for name, _, _ in memory.references:
            reader.check_has(name)


def read_memory(number: int, target: memoryview) -> None:
    """Fill `target` with what was kept under this number. Raises SavepointError for a damaged chunk."""
    assert _Loading.reader is not None
    _Loading.reader.read_into(_Loading.memories[number].references, target)
