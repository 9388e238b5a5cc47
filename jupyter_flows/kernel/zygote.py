"""A process from which kernels are forked: their imports are done already, and their memory is shared.

`python -m jupyter_flows.kernel.zygote` imports what a kernel needs and then waits. Each line of JSON on its
standard input, ``{"kernel_id", "socket", "stderr"}``, forks one kernel; on its standard output it tells
``{"started": kernel_id, "pid"}`` and, later, ``{"ended": pid, "returncode"}``. It ends with its input.

Forking is safe only from a process without threads, event loops and sockets, so nothing is started here:
modules are imported, and that is all. Libraries that start threads when they are imported (BLAS among
them) are left to the flows. A kernel of a user who is at work is never forked, for the same reason.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

Runner = Callable[[str, str], None]

#: Most of what a kernel and a small flow import.
_PRELOADED = (
    "asyncio",
    "concurrent.futures",
    "csv",
    "datetime",
    "decimal",
    "logging",
    "pathlib",
    "random",
    "uuid",
)


def main(runner: str = "jupyter_flows.kernel.runner:main") -> None:
    """Serve until the input ends; in a forked process, be a kernel and return when that is over."""
    module, _, function = runner.partition(":")
    for name in (*_PRELOADED, module):
        importlib.import_module(name)
    run: Runner = getattr(sys.modules[module], function)
    prepare = getattr(sys.modules[module], "prepare", None)
    if prepare is not None:
        prepare()
    if threading.active_count() > 1:
        names = [thread.name for thread in threading.enumerate()]
        raise RuntimeError(f"kernels cannot be forked: importing {module} started threads: {names}")
    gc.collect()
    gc.freeze()  # a collection in a kernel need not copy the pages that all share
    order = _Zygote().serve()
    if order is not None:
        run(order["socket"], order["kernel_id"])


class _Zygote:
    def __init__(self) -> None:
        self._unread = b""
        woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._woken = woken
        self._handler = signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker)

    def serve(self) -> dict[str, Any] | None:
        """None at the end of the input; in a forked process, what it is to do."""
        selector = selectors.DefaultSelector()
        selector.register(0, selectors.EVENT_READ)
        selector.register(self._woken, selectors.EVENT_READ)
        self._tell(ready=os.getpid())
        while True:
            ready = {key.fd for key, _ in selector.select()}
            if self._woken in ready:
                os.read(self._woken, 4096)
            self._reap()
            if 0 not in ready:
                continue
            received = os.read(0, 65536)
            if not received:
                return None
            *lines, self._unread = (self._unread + received).split(b"\n")
            for line in lines:
                order: dict[str, Any] = json.loads(line)
                if self._fork(order):
                    selector.close()
                    return order

    def _fork(self, order: dict[str, Any]) -> bool:
        """Whether this is the new process."""
        pid = os.fork()
        if pid:
            self._tell(started=order["kernel_id"], pid=pid)
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, self._handler)
        os.close(self._woken)
        os.close(self._waker)
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDONLY)
        said = os.open(order["stderr"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(nothing, 0)
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.close(nothing)
        os.close(said)
        return True

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._tell(ended=pid, returncode=os.waitstatus_to_exitcode(status))

    def _tell(self, **message: Any) -> None:
        # A worker that was killed hears nothing: the input has ended too, which is seen next.
        with contextlib.suppress(BrokenPipeError):
            os.write(1, json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main(*sys.argv[1:2])
