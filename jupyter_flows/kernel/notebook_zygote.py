"""A process from which the kernels of notebooks are forked: what they import is imported already.

`python -m jupyter_flows.kernel.notebook_zygote` imports what a notebook's kernel needs and waits. On its
standard input, a Unix socket of type SOCK_SEQPACKET, each packet is one order, a line of JSON ``{"argv",
"env", "cwd"}`` with one end of another such socket, over which everything about that kernel goes:

- from here ``{"pid"}`` at once, ``{"ready": true}`` when it can be used, ``{"returncode"}`` at its end;
- nothing comes back, but when the other end is closed, the server is gone and the kernel ends itself.

So the kernels live on when only this process dies, and none outlives its server. As for `zygote`, nothing
is started here that a fork would break: no thread, no event loop, no ZeroMQ context.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
from typing import Any

#: The largest order: an environment of this many bytes fits.
ORDER_BYTES = 131072

#: What a kernel imports only while it starts, besides the modules that `notebook` names.
_PRELOADED = (
    "jupyter_flows.kernel.notebook",
    "IPython.core.completer",
    "IPython.core.debugger",
    "IPython.core.historyapp",
    "IPython.core.profiledir",
    "IPython.extensions.storemagic",
    "IPython.paths",
    "ipykernel.connect",
    "ipykernel.debugger",
    "ipykernel.gui",
    "ipykernel.heartbeat",
    "ipykernel.inprocess",
    "jupyter_client.connect",
    "jupyter_client.session",
    "multiprocessing.resource_tracker",
    "sqlite3",
    "tornado.platform.asyncio",
    "zmq.eventloop.zmqstream",
)


def main() -> None:
    """Serve until the server is gone; in a forked process, be a kernel."""
    # The debugger would complain about the standard library's frozen modules, once for all kernels.
    os.environ.setdefault("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    for name in _PRELOADED:
        with contextlib.suppress(Exception):  # one that this version of a package has no more
            importlib.import_module(name)
    if threading.active_count() > 1:
        raise RuntimeError(f"kernels cannot be forked: importing started threads: {threading.enumerate()}")
    gc.collect()
    gc.freeze()  # a collection in a kernel need not copy the pages that all share
    order = _Zygote(socket.socket(fileno=os.dup(0))).serve()
    if order is not None:
        _be_kernel(*order)


class _Zygote:
    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self._kernels: dict[int, socket.socket] = {}
        self._woken, self._waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C in the server's terminal is not for us
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waker)

    def serve(self) -> tuple[dict[str, Any], socket.socket] | None:
        """None when the server has closed; in a forked process, its order and its socket."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._server, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            _tell(self._server, ready=os.getpid())
            while True:
                ready = {key.fd for key, _ in selector.select()}
                if self._woken in ready:
                    os.read(self._woken, 4096)
                self._reap()
                if self._server.fileno() not in ready:
                    continue
                packet, descriptors, _, _ = socket.recv_fds(self._server, ORDER_BYTES, 1)
                if not packet:
                    return None
                kernel = socket.socket(fileno=descriptors[0])
                kernel.set_inheritable(False)
                if self._fork(kernel):
                    return json.loads(packet), kernel

    def _fork(self, kernel: socket.socket) -> bool:
        """Whether this is the new process."""
        pid = os.fork()
        if pid:
            self._kernels[pid] = kernel
            _tell(kernel, pid=pid)
            return False
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        for descriptor in (self._woken, self._waker):
            os.close(descriptor)
        for other in (self._server, *self._kernels.values()):
            other.close()
        self._kernels.clear()
        return True

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            with self._kernels.pop(pid) as kernel:
                _tell(kernel, returncode=os.waitstatus_to_exitcode(status))


def _tell(receiver: socket.socket, **message: Any) -> None:
    with contextlib.suppress(OSError):  # whoever waited for it is gone
        receiver.send(json.dumps(message).encode(), socket.MSG_NOSIGNAL)


def _be_kernel(order: dict[str, Any], server: socket.socket) -> None:
    """Become what ``python -m jupyter_flows.kernel`` is, with the arguments and the environment ordered."""
    os.setsid()
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.environ.clear()
    os.environ.update(order["env"])
    os.chdir(order["cwd"])
    # It looks after its socket to the server instead of its parent process.
    sys.argv[1:] = [*order["argv"], "--IPKernelApp.parent_handle=1"]
    threading.Thread(target=_end_with, args=(server,), name="server-watch", daemon=True).start()
    from .notebook import launch

    launch(lambda: _tell(server, ready=True))


def _end_with(server: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while server.recv(1):
            pass
    os._exit(1)


if __name__ == "__main__":
    main()
