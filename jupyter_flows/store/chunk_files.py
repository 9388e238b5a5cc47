"""Large chunks as files beside an SQLite database: kernels of this machine read and map them themselves.

A file is complete or absent: it is written under another name, flushed to the disk and then renamed. The
savepoint that refers to it is committed afterwards, so a crash leaves at most a file that nothing refers
to, which the upkeep removes.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from .failures import of_disk

_IS_HASH = re.compile(r"[0-9a-zA-Z_-]{8,128}")


class ChunkFiles:
    """Chunks in the directory `path` (made with mode 0700), in one directory per first two digits."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _file(self, digest: str) -> Path:
        return self.path / digest.removeprefix(".")[:2] / digest

    def write(self, digest: str, content: bytes) -> None:
        """Raises StoreError when the disk refuses."""
        try:
            self._write(self._file(digest), digest, content)
        except OSError as error:
            raise of_disk(error, f"cannot write to {self.path}") from error

    def _write(self, file: Path, digest: str, content: bytes) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.utime(file)  # it is there: young again, so that nobody removes it
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

    def sizes(self) -> dict[str, int]:
        """The size of each chunk, in bytes."""
        found = {}
        for directory in os.scandir(self.path):
            if not directory.is_dir():
                continue
            for entry in os.scandir(directory.path):
                with contextlib.suppress(FileNotFoundError):
                    found[entry.name] = entry.stat().st_size
        return found

    def remove(self, hashes: Iterable[str], before: float) -> set[str]:
        """Remove those files whose last writing was before an instant (seconds since 1970); return which.

        A writer that finds a file makes it young again. So it is first put aside, where no writer finds it,
        and put back if it turns out to be young.
        """
        removed = set()
        for digest in hashes:
            file = self._file(digest)
            aside = file.with_name(f".{digest.lstrip('.')}.{uuid4().hex}")
            try:
                if file.stat().st_mtime >= before:
                    continue
                os.replace(file, aside)
                if aside.stat().st_mtime >= before:
                    os.replace(aside, file)
                    continue
                aside.unlink()
            except FileNotFoundError:
                continue
            removed.add(digest)
        return removed
