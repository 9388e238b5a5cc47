"""Where chunks are kept, and how bytes become chunks.

A chunk is named by the hash of what it holds: xxh3_128 in hex, with a ``z`` behind it when the stored bytes
are compressed. XXH3 is faster than memory is copied, which decides here: every byte of a large state passes
it at each savepoint. It is no cryptographic hash, so what is *unpickled* has a seal of its own in the signed
manifest (see `manifest`).
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from pathlib import Path
from typing import Protocol, runtime_checkable
from uuid import uuid4

import xxhash
import zstandard

from ..errors import SavepointError
from .written import WATCHED_BYTES, Reference, address, tracker

BytesLike = bytes | bytearray | memoryview

#: The size that large buffers are cut into, in bytes.
CHUNK_BYTES = 1 << 20
# Compressing pays from this size on (bytes), and when a sample shrinks to this share.
_COMPRESS_FROM = 256
_SAMPLE_BYTES = 16 * 1024
_WORTH_IT = 0.7

_compressor = zstandard.ZstdCompressor(level=1)
_decompressor = zstandard.ZstdDecompressor()


class Chunks(Protocol):
    """A chunk store: bytes by name, never changed once written."""

    def write(self, digest: str, data: BytesLike) -> None:
        """Keep a copy of `data`; a name that is known already is not an error."""

    def read(self, digest: str) -> bytes:
        """Raises SavepointError (or KeyError) when there is no such chunk."""

    def has(self, digest: str) -> bool: ...


@runtime_checkable
class ChunksReadInPlace(Protocol):
    """What a store may offer besides: a copy less for each large buffer."""

    def read_into(self, digest: str, target: memoryview) -> bool:
        """Fill `target` with a chunk of exactly that size; False where it is not at hand, or of another."""


class MemoryChunks:
    """Chunks in a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def write(self, digest: str, data: BytesLike) -> None:
        self.kept[digest] = bytes(data)

    def read(self, digest: str) -> bytes:
        try:
            return self.kept[digest]
        except KeyError:
            raise SavepointError(f"the chunk {digest} is missing") from None

    def has(self, digest: str) -> bool:
        return digest in self.kept


class DirectoryChunks:
    """Chunks as files below `path`, one directory per first two digits.

    A file is complete or absent: it is written under another name and renamed. With `fsync` it is on the
    disk before `write` returns.
    """

    def __init__(self, path: str | Path, *, fsync: bool = False) -> None:
        self.path = Path(path)
        self._fsync = fsync

    def _file(self, digest: str) -> str:
        return os.path.join(self.path, digest[:2], digest)

    def write(self, digest: str, data: BytesLike) -> None:
        file = self._file(digest)
        with contextlib.suppress(FileNotFoundError):
            os.utime(file)  # it is there: young again, so that nobody removes it as unused
            return
        unfinished = os.path.join(os.path.dirname(file), f".{digest}.{uuid4().hex}")
        try:
            stream = open(unfinished, "xb")  # noqa: SIM115 - two ways to open, one way to close
        except FileNotFoundError:
            os.makedirs(os.path.dirname(file), mode=0o700, exist_ok=True)
            stream = open(unfinished, "xb")  # noqa: SIM115
        try:
            with stream:
                stream.write(data)
                if self._fsync:
                    stream.flush()
                    os.fsync(stream.fileno())
            os.replace(unfinished, file)
        except BaseException:
            Path(unfinished).unlink(missing_ok=True)
            raise

    def read(self, digest: str) -> bytes:
        try:
            with open(self._file(digest), "rb") as stream:
                return stream.read()
        except FileNotFoundError:
            raise SavepointError(f"the chunk {digest} is missing in {self.path}") from None

    def read_into(self, digest: str, target: memoryview) -> bool:
        """Whether `target` has now the content of a chunk of exactly that size."""
        try:
            with open(self._file(digest), "rb", buffering=0) as stream:
                return os.fstat(stream.fileno()).st_size == len(target) == stream.readinto(target)
        except OSError:
            return False

    def has(self, digest: str) -> bool:
        return os.path.exists(self._file(digest))


class ChunkWriter:
    """Writes bytes as chunks for one save; what is there already is not written again.

    `known` maps names that an earlier savepoint holds to their stored sizes. Afterwards `sizes` has the
    stored size of every chunk named, and `bytes_new` what was written, in bytes.
    """

    def __init__(self, chunks: Chunks, known: dict[str, int]) -> None:
        self._chunks = chunks
        self._known = known
        self.sizes: dict[str, int] = {}
        self.bytes_new = 0

    def put(self, data: BytesLike) -> Reference:
        """Keep `data` as one chunk."""
        length = memoryview(data).nbytes
        digest = xxhash.xxh3_128_hexdigest(data)
        return self._already(digest) or self._write(digest, data), 0, length

    def put_lines(self, data: memoryview, line_bytes: int) -> tuple[Reference, ...]:
        """Keep a large buffer, cut where its lines (rows, or columns of a frame) end.

        So a frame of which one column changed shares the chunks of all the others.
        """
        ends = _ends_of_parts(data.nbytes, line_bytes)
        pages = tracker() if data.nbytes >= WATCHED_BYTES else None
        start = address(data) if pages is not None else None
        if pages is None or start is None:
            return tuple(self.put(data[begin:end]) for begin, end in itertools.pairwise((0, *ends)))
        known = pages.known(start, ends)
        if self._are_stored(known):
            return tuple(known)  # type: ignore[arg-type]
        references = tuple(
            before if before is not None and self._is_stored(before[0]) else self.put(data[begin:end])
            for before, (begin, end) in zip(known, itertools.pairwise((0, *ends)), strict=True)
        )
        pages.learn(start, ends, references)
        return references

    def reuse(self, references: tuple[Reference, ...]) -> None:
        """Count chunks of an earlier savepoint as part of this one."""
        for name, _, _ in references:
            self.sizes[name] = self._known[name]

    def _already(self, digest: str) -> str | None:
        return next((name for name in (digest, digest + "z") if self._is_stored(name)), None)

    def _is_stored(self, name: str) -> bool:
        """Whether it is there already; then it counts as part of this save."""
        if name in self.sizes:
            return True
        if name in self._known and self._chunks.has(name):
            self.sizes[name] = self._known[name]
            return True
        return False

    def _are_stored(self, references: list[Reference | None]) -> bool:
        """The same for all of them at once: a buffer that nothing was written to may have thousands."""
        sizes, known, has = self.sizes, self._known, self._chunks.has
        for reference in references:
            if reference is None:
                return False
            name = reference[0]
            if name not in sizes:
                if name not in known or not has(name):
                    return False
                sizes[name] = known[name]
        return True

    def _write(self, digest: str, data: BytesLike) -> str:
        packed = _compressed(data)
        stored, name = (data, digest) if packed is None else (packed, digest + "z")
        size = memoryview(stored).nbytes
        if not self._chunks.has(name):
            self._chunks.write(name, stored)
            self.bytes_new += size
        self.sizes[name] = size
        return name


class ChunkReader:
    """Reads what references name; every chunk is checked against its name."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._last: tuple[str, bytes] = ("", b"")
        #: Why chunks could not be read, by name.
        self.damaged: dict[str, str] = {}

    def check_has(self, name: str) -> None:
        """Raises SavepointError when there is no such chunk."""
        if not self._chunks.has(name):
            self._content(name)  # a store may be able to fetch what it does not have at hand

    def try_to_read(self, name: str) -> None:
        """Afterwards `damaged` tells whether it can be read."""
        with contextlib.suppress(SavepointError):
            self._content(name)

    def bytes_of(self, references: tuple[Reference, ...]) -> bytes:
        parts = [self._part(reference) for reference in references]
        return bytes(parts[0]) if len(parts) == 1 else b"".join(parts)

    def read_into(self, references: tuple[Reference, ...], target: memoryview) -> None:
        at = 0
        for reference in references:
            place = target[at : at + reference[2]]
            at += reference[2]
            if not self._is_read_in_place(reference, place):
                place[:] = self._part(reference)  # which says what is wrong with it, if anything is

    def _is_read_in_place(self, reference: Reference, place: memoryview) -> bool:
        """Whether a whole chunk went to where it belongs, without a copy in between."""
        name, start, _ = reference
        if start or name.endswith("z") or not isinstance(self._chunks, ChunksReadInPlace):
            return False
        return self._chunks.read_into(name, place) and xxhash.xxh3_128_hexdigest(place) == name

    def _part(self, reference: Reference) -> memoryview:
        name, start, length = reference
        if self._last[0] != name:
            self._last = (name, self._content(name))
        part = memoryview(self._last[1])[start : start + length]
        if len(part) != length:
            raise self._damage(name, f"the chunk {name} is shorter than the savepoint says")
        return part

    def _damage(self, name: str, reason: str) -> SavepointError:
        self.damaged[name] = reason
        return SavepointError(reason)

    def _content(self, name: str) -> bytes:
        try:
            stored = self._chunks.read(name)
        except SavepointError as error:
            raise self._damage(name, str(error)) from error
        except (KeyError, OSError) as error:
            raise self._damage(name, f"the chunk {name} cannot be read: {error}") from error
        try:
            content = _decompressor.decompress(stored) if name.endswith("z") else stored
        except zstandard.ZstdError as error:
            raise self._damage(name, f"the chunk {name} is damaged: {error}") from error
        if xxhash.xxh3_128_hexdigest(content) != name.removesuffix("z"):
            raise self._damage(name, f"the chunk {name} is damaged: its content does not match its name")
        return content


@functools.lru_cache(maxsize=256)
def _ends_of_parts(total: int, line_bytes: int) -> tuple[int, ...]:
    """Where the parts of so many bytes end."""
    if line_bytes >= CHUNK_BYTES // 16:
        lines = ((line, min(line + line_bytes, total)) for line in range(0, total, line_bytes))
        return tuple(
            min(start + CHUNK_BYTES, end) for line, end in lines for start in range(line, end, CHUNK_BYTES)
        )
    step = CHUNK_BYTES // line_bytes * line_bytes if line_bytes else CHUNK_BYTES
    return tuple(min(start + step, total) for start in range(0, total, step))


def _compressed(data: BytesLike) -> bytes | None:
    """`data` compressed, or None where that does not pay."""
    view = memoryview(data).cast("B") if memoryview(data).nbytes else memoryview(b"")
    if len(view) < _COMPRESS_FROM:
        return None
    if len(view) > 4 * _SAMPLE_BYTES:
        middle = len(view) // 2
        sample = _compressor.compress(view[middle : middle + _SAMPLE_BYTES])
        if len(sample) > _WORTH_IT * _SAMPLE_BYTES:
            return None
    packed = _compressor.compress(view)
    return packed if len(packed) < _WORTH_IT * len(view) else None
