"""Where the kernels of a worker find it: a directory of its own, which only its user may look into.

A worker that stops takes its directory along. One that is killed cannot; the next worker that starts on the
machine removes what it left.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path

_PREFIX = "flows-"
#: So many abandoned directories are removed by one worker that starts: the others are left for the next.
_MOST_AT_ONCE = 100


def own_directory(given: str | os.PathLike[str] | None) -> Path:
    """A new directory, or the `given` one, with mode 0700."""
    if given is None:
        root = _root()
        _remove_abandoned(root)
        return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
    directory = Path(given)
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.chmod(directory, 0o700)
    return directory


def remove(directory: Path) -> None:
    """Remove a directory that `own_directory` made."""
    shutil.rmtree(directory, ignore_errors=True)


def _root() -> str:
    # Short, since a Unix socket's path may have 107 bytes.
    return "/tmp" if os.path.isdir("/tmp") else tempfile.gettempdir()


def _remove_abandoned(root: str) -> None:
    removed = 0
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX) and removed < _MOST_AT_ONCE and _is_abandoned(entry.path):
                shutil.rmtree(entry.path, ignore_errors=True)
                removed += 1


def _is_abandoned(path: str) -> bool:
    """Whether it is a directory of this user's in which a worker listened, and none does any more."""
    try:
        facts = os.lstat(path)
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o077:
            return False
        sockets = [name for name in os.listdir(path) if name.endswith(".sock")]
        return bool(sockets) and not any(_is_heard(f"{path}/{name}") for name in sockets)
    except OSError:
        return False


def _is_heard(path: str) -> bool:
    """Whether a process listens there, even one that is stopped or has no time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        trial.setblocking(False)
        try:
            trial.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True
