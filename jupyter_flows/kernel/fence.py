"""The fence between a flow that is ahead of its commits and the world outside.

A log line or an output is committed while the flow goes on (`link.send_ahead`). If the machine fails in that
moment, the flow goes on from an older savepoint, and what it did since is done once more. So before Python
does something that others can see (a connection, a request, a file that is opened to be written, a process)
everything before it must be on the disk. CPython announces these by audit events.

What it does not announce (bytes on a connection that is open already and not HTTP's, what C code does) may
be ahead by as long as a commit takes; the next call waits when that is longer than `link.LONGEST_AHEAD`.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from .link import Link

_OUTSIDE = frozenset(
    {
        *("http.client.send", "ftplib.sendcmd", "imaplib.send", "poplib.putline", "smtplib.send"),
        *("socket.connect", "socket.sendto", "socket.sendmsg", "sqlite3.connect", "subprocess.Popen"),
        *("os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.kill", "os.killpg"),
        *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"),
        *("os.chmod", "os.chown", "os.utime"),
    }
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC


def put_up(link: Link) -> None:
    """From now on hold back what this process does outside until what it did before is committed."""

    def heard(event: str, arguments: tuple[Any, ...]) -> None:
        # Most events are of nothing outside, and there are many in each savepoint.
        if event in _OUTSIDE or (event == "open" and _opens_to_write(arguments)):
            link.wait_until_committed()

    sys.addaudithook(heard)


def _opens_to_write(arguments: tuple[Any, ...]) -> bool:
    flags = arguments[2] if len(arguments) > 2 else 0
    return isinstance(flags, int) and bool(flags & _WRITES)
