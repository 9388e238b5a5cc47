"""The chunks of this execution, as the kernel sees them.

Large chunks are written as files where the worker's store keeps them, if it is on this machine; the others
travel with the next message, so that they are committed in the same transaction as the savepoint.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Protocol

from ..errors import SavepointError
from ..protocol import Chunks, FetchChunks
from ..snapshot import DirectoryChunks
from .link import Link

#: From this size on (bytes) a chunk is a file of its own, if there is a directory.
LARGE = 64 * 1024
#: For so long (seconds) a chunk that was written is there, whether anything refers to it or not.
_SURELY_THERE = 1200.0


class _Readable(Protocol):
    def __len__(self) -> int: ...


class KernelChunks:
    """A chunk store (`write`, `read`, `has`) over the link and, where there is one, the directory.

    `before`: that of an execution that ended well in this kernel; what it wrote is there for a while.
    """

    def __init__(self, link: Link, directory: str | None, before: KernelChunks | None = None) -> None:
        self._link = link
        self._files = DirectoryChunks(directory, fsync=True) if directory else None
        # Of the savepoint that the execution stands at, which the store never lets go of.
        self._current: frozenset[str] = frozenset()
        # When others were written: the store may remove them once they are old and nothing refers to them.
        self._written: dict[str, float] = dict(before._written) if before is not None else {}
        self._unsent: dict[str, bytes] = {}
        self._fetched: dict[str, bytes] = {}

    def has(self, digest: str) -> bool:
        if digest in self._current:
            return True
        written = self._written.get(digest)
        return written is not None and time.monotonic() - written < _SURELY_THERE

    def write(self, digest: str, data: bytes | bytearray | memoryview) -> None:
        if self.has(digest):
            return
        if self._files is None or memoryview(data).nbytes < LARGE or not self._is_written(digest, data):
            self._unsent[digest] = bytes(data)
        self._written.pop(digest, None)  # the oldest stand first
        self._written[digest] = time.monotonic()

    def _is_written(self, digest: str, data: bytes | bytearray | memoryview) -> bool:
        """Whether it is a file now. What a full disk refuses goes to the worker, which can wait for space."""
        assert self._files is not None
        try:
            self._files.write(digest, data)
        except OSError:
            return False
        return True

    def read(self, digest: str) -> bytes:
        """Raises SavepointError when the store does not have it."""
        for kept in (self._fetched, self._unsent):
            if digest in kept:
                return kept[digest]
        if self._files is not None and self._files.has(digest):
            return bytes(self._files.read(digest))
        self.fetch([digest])
        if digest not in self._fetched:
            raise SavepointError(f"the store has lost the chunk {digest}: go on from an older savepoint")
        return self._fetched[digest]

    def read_into(self, digest: str, target: memoryview) -> bool:
        """Fill `target` with a chunk of exactly that size; False where it is no file at hand."""
        return self._files is not None and self._files.read_into(digest, target)

    def fetch(self, digests: Iterable[str]) -> None:
        """Ask the worker, in one message, for those that are not at hand."""
        wanted = tuple(
            digest
            for digest in dict.fromkeys(digests)
            if digest not in self._fetched
            and digest not in self._unsent
            and not (self._files is not None and self._files.has(digest))
        )
        if wanted:
            message = FetchChunks(seq=self._link.next_seq(), hashes=wanted)
            self._fetched.update(self._link.request(message, Chunks).chunks)

    def take_in(self, chunks: dict[str, bytes]) -> None:
        """Chunks that came without being asked for."""
        self._fetched.update(chunks)

    def assume_stored(self, digests: Iterable[str]) -> None:
        """What the savepoint that the execution stands at refers to need not be sent again."""
        self._current = frozenset(digests)
        limit = time.monotonic() - _SURELY_THERE
        while self._written and self._written[oldest := next(iter(self._written))] <= limit:
            del self._written[oldest]

    def forget_fetched(self) -> None:
        self._fetched.clear()

    def take_unsent(self) -> dict[str, bytes]:
        unsent, self._unsent = self._unsent, {}
        return unsent

    def put_back(self, unsent: dict[str, bytes]) -> None:
        """The message that carried them was not committed."""
        self._unsent = {**unsent, **self._unsent}
