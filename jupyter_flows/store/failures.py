"""What a database or a disk refuses, as one error of ours that says what to do.

Some refusals pass: a full disk, a lock, a database that is being restarted or has become a replica for a
while. Those are `is_temporary`; a worker tries again until they are over, and says meanwhile what it waits
for. A lost connection, and a transaction that was taken back for another's sake, is done again at once.
"""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, SQLAlchemyError

from ..errors import StoreError
from .connections import READ_ONLY
from .port import TransactionAborted

#: PostgreSQL took the transaction back for another one's sake.
_TAKEN_BACK = ("40001", "40P01")
#: The connection was lost, perhaps after the commit: psycopg's words, and those of the server that goes.
_LOST = (
    "server closed the connection",
    "the connection is lost",
    "the connection is closed",
    "terminating connection",
    "consuming input failed",
    "sending query failed",
    "cannot exit pipeline mode",
)

_ADVICE = (
    ("locked", "another program keeps it locked; close that, or wait and try again"),
    ("readonly", "it is read-only; give this user the right to write the file and its directory"),
    ("read-only", "the database is read-only; use one that can be written"),
    ("disk is full", "the disk is full; free some space and try again"),
    ("No space left", "the disk is full; free some space and try again"),
    ("disk I/O error", "the disk refuses; look at its health, its space and your limits for files"),
    ("not a database", "the file is not an SQLite database; name another file"),
    ("malformed", "the file is damaged; put back a copy of it"),
    ("unable to open", "the file cannot be opened; check that its directory exists and may be written"),
    ("password authentication", "the password or user is wrong; correct the URL"),
    ("onnection refused", "nobody listens there; start PostgreSQL or correct the URL"),
)


def explained(error: SQLAlchemyError, what: str, file: str | None = None) -> StoreError:
    """The store's error for a failure of the database. `file` is where an SQLite database lies."""
    original = getattr(error, "orig", None)
    reason = str(original or error).strip()
    code = getattr(original, "sqlstate", None)
    is_lost = isinstance(error, DBAPIError) and (
        error.connection_invalidated or any(sign in reason for sign in _LOST)
    )
    if code in _TAKEN_BACK or is_lost:
        return TransactionAborted(f"{what}: {reason}")
    if isinstance(error, IntegrityError):
        return StoreError(f"{what}: it refused a write that must never be ({reason})")
    hint = next((advice for sign, advice in _ADVICE if sign in reason), "")
    if file is not None and "locked" in reason and (culprit := lock_holder(file)):
        hint = culprit
    if not hint and isinstance(error, OperationalError):
        hint = "is the database running, and is the URL right?"
    failure = StoreError(f"{what}: {hint} ({reason})" if hint else f"{what}: {reason}")
    # Its driver calls a database that is read-only for now an internal error.
    is_temporary = isinstance(error, OperationalError) or code == READ_ONLY
    return _temporary(failure) if is_temporary else failure


def of_disk(error: OSError, what: str) -> StoreError:
    """The same for a file that could not be written."""
    return _temporary(StoreError(f"{what}: {error.strerror or error}; free some space, or let it be written"))


def _temporary(failure: StoreError) -> StoreError:
    # An attribute and no class of its own: what is shown, and to whom, is the same.
    failure.is_temporary = True  # type: ignore[attr-defined]
    return failure


def lock_holder(file: str) -> str | None:
    """Who keeps the SQLite database locked and what to do about it; None where that cannot be known.

    A process that was stopped (SIGSTOP, a debugger, a frozen container) in the middle of a write keeps
    its lock, and no other process can take it away: all that helps is to say which one it is.
    """
    try:
        status = os.stat(file + "-shm")  # where SQLite keeps the locks of a database in WAL mode
        place = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
        lines = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    except OSError:
        return None
    for _, kind, _, mode, pid, where, first, *_ in (line for line in lines if "->" not in line):
        if kind == "POSIX" and mode == "WRITE" and where == place and first == "120":
            return _described(int(pid))
    return None


def _described(pid: int) -> str | None:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return None
    who = f"another program keeps it locked: process {pid} ({command.strip()[:80]})"
    if state in ("T", "t"):
        return f"{who}, which was stopped while it wrote; let it go on (kill -CONT {pid}) or end it"
    return f"{who}; close that, or wait and try again"
