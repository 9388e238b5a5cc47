"""Large chunks as files beside an SQLite database: kernels of this machine read and map them themselves.

A file is complete or absent: it is written under another name, flushed to the disk and then renamed. The
savepoint that refers to it is committed afterwards, so a crash leaves at most a file that nothing refers
to, which `sweep` removes.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection
from pathlib import Path
from uuid import uuid4

from .failures import of_disk

#: A file that nothing refers to may belong to a savepoint which is about to be committed: seconds.
_YOUNG = 3600.0
_IS_HASH = re.compile(r"[0-9a-zA-Z_-]{8,128}")


class ChunkFiles:
    """Chunks in the directory `path` (made with mode 0700), in one directory per first two digits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _file(self, digest: str) -> Path:
        return self.path / digest[:2] / digest

    def write(self, digest: str, content: bytes) -> None:
        """Raises StoreError when the disk refuses."""
        try:
            self._write(self._file(digest), digest, content)
        except OSError as error:
            raise of_disk(error, f"cannot write to {self.path}") from error

    def _write(self, file: Path, digest: str, content: bytes) -> None:
        if file.exists():
            os.utime(file)
            return
        file.parent.mkdir(mode=0o700, exist_ok=True)
        unfinished = file.with_name(f".{digest}.{uuid4().hex}")
        try:
            with open(unfinished, "xb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(unfinished, file)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise

    def read(self, digest: str) -> bytes | None:
        if not _IS_HASH.fullmatch(digest):
            return None
        try:
            return self._file(digest).read_bytes()
        except FileNotFoundError:
            return None

    def sweep(self, used: Collection[str]) -> int:
        """Remove files that are not `used` and not young; return how many."""
        removed = 0
        limit = time.time() - _YOUNG
        for file in self.path.glob("??/*"):
            if file.name not in used and file.stat().st_mtime < limit:
                file.unlink(missing_ok=True)
                removed += 1
        return removed
