"""Processes of one machine that share an SQLite store ring for each other when there is work.

SQLite has no messages, and asking it often costs each worker some of its processor. So each process that
listens binds a Unix datagram socket in a directory of its user's, named after the store; whoever commits
something that concerns workers sends a byte to each of them. A lost byte does no harm: everybody still asks
the database now and then. Where there are no such sockets (Windows), asking is all there is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import socket
import tempfile
from pathlib import Path
from uuid import uuid4


class Bells:
    """The bells of the store at `path` (an SQLite file). `wait` is for one thread, `ring` for any."""

    def __init__(self, path: str) -> None:
        name = hashlib.sha256(os.path.realpath(path).encode()).hexdigest()[:16]
        # Short, since a Unix socket's path may have 107 bytes.
        root = Path("/tmp") if os.path.isdir("/tmp") else Path(tempfile.gettempdir())
        self._directory = root / f"flows-bells-{os.getuid() if hasattr(os, 'getuid') else 0}" / name
        self._own = self._directory / f"{os.getpid()}-{uuid4().hex[:8]}"
        self._ear: socket.socket | None = None
        self._voice: socket.socket | None = None
        self._known: tuple[int, list[str]] = (0, [])

    def hang(self) -> None:
        """Begin to hear. Where that is not possible, `wait` is a mere pause."""
        if not hasattr(socket, "AF_UNIX") or not self._is_ours():
            return
        ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            ear.setblocking(False)
            ear.bind(str(self._own))
        except OSError:
            ear.close()
            return
        self._ear = ear

    def _is_ours(self) -> bool:
        """Whether the directory is there and nobody else can put anything into it."""
        try:
            self._directory.parent.mkdir(mode=0o700, exist_ok=True)
            self._directory.mkdir(mode=0o700, exist_ok=True)
            facts = os.lstat(self._directory.parent)
        except OSError:
            return False
        return facts.st_uid == os.getuid() and not facts.st_mode & 0o077

    def wait(self, seconds: float) -> bool:
        """Return at the first ring, or after `seconds`; whether it rang."""
        ear = self._ear
        rang = bool(select.select([ear] if ear else [], [], [], seconds)[0])
        with contextlib.suppress(OSError):
            while rang and ear is not None:
                ear.recv(64)
        return rang

    def ring(self) -> None:
        """Tell every other process that listens."""
        for name in self._others():
            if self._voice is None:
                self._voice = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._voice.setblocking(False)
            bell = self._directory / name
            try:
                self._voice.sendto(b"!", str(bell))
            except ConnectionRefusedError:  # its process is dead
                bell.unlink(missing_ok=True)
            except OSError:  # it has not heard the last ones yet, or it is gone
                pass

    def _others(self) -> list[str]:
        """Looked up again only when somebody came or went."""
        try:
            changed_at = os.stat(self._directory).st_mtime_ns
            if changed_at != self._known[0]:
                self._known = (changed_at, os.listdir(self._directory))
        except OSError:
            return []
        return [name for name in self._known[1] if name != self._own.name]

    def take_down(self) -> None:
        for end in (self._ear, self._voice):
            if end is not None:
                end.close()
        if self._ear is not None:
            self._own.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # others listen still
                self._directory.rmdir()
        self._ear = self._voice = None
