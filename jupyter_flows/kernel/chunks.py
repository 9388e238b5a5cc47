"""The chunks of this execution, as the kernel sees them.

Large chunks are written as files where the worker's store keeps them, if it is on this machine; the others
travel with the next message, so that they are committed in the same transaction as the savepoint.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from ..errors import SavepointError
from ..protocol import Chunks, FetchChunks
from ..snapshot import DirectoryChunks
from .link import Link

#: From this size on (bytes) a chunk is a file of its own, if there is a directory.
LARGE = 64 * 1024


class _Readable(Protocol):
    def __len__(self) -> int: ...


class KernelChunks:
    """A chunk store (`write`, `read`, `has`) over the link and, where there is one, the directory."""

    def __init__(self, link: Link, directory: str | None) -> None:
        self._link = link
        self._files = DirectoryChunks(directory, fsync=True) if directory else None
        self._known: set[str] = set()
        self._unsent: dict[str, bytes] = {}
        self._fetched: dict[str, bytes] = {}

    def has(self, digest: str) -> bool:
        return digest in self._known

    def write(self, digest: str, data: bytes | bytearray | memoryview) -> None:
        if digest in self._known:
            return
        if self._files is None or memoryview(data).nbytes < LARGE or not self._is_written(digest, data):
            self._unsent[digest] = bytes(data)
        self._known.add(digest)

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

    def assume_stored(self, digests: Iterable[str]) -> None:
        """What a committed savepoint refers to need not be sent again."""
        self._known.update(digests)

    def forget_fetched(self) -> None:
        self._fetched.clear()

    def take_unsent(self) -> dict[str, bytes]:
        unsent, self._unsent = self._unsent, {}
        return unsent

    def put_back(self, unsent: dict[str, bytes]) -> None:
        """The message that carried them was not committed."""
        self._unsent = {**unsent, **self._unsent}
