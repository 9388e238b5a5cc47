"""A TCP proxy before PostgreSQL that loses connections at the worst instant: after the COMMIT went through.

The client hears that its connection is gone and cannot know that its transaction is done.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable


class Proxy:
    """Listens on `port`. `loses(n)` says whether the connection of the n-th COMMIT (from 1) is lost after
    the server has done it. `pause` and `go_on` hold back all that is under way, as a slow network does."""

    def __init__(self, server_port: int, loses: Callable[[int], bool] = lambda _: False) -> None:
        self.commits = 0
        self.lost = 0
        #: How often a client was sent something after it had sent something.
        self.answers = 0
        self._loses = loses
        self._server_port = server_port
        self._guard = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def pause(self) -> None:
        self._flows.clear()

    def go_on(self) -> None:
        self._flows.set()

    def close(self) -> None:
        self._listener.close()
        self.go_on()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server_port))
                _Line(self, client, server)

    def is_to_lose(self) -> bool:
        with self._guard:
            self.commits += 1
            loses = self._loses(self.commits)
            self.lost += loses
        return loses

    def wait(self) -> None:
        self._flows.wait()


class _Line:
    """One connection, with a thread for each direction."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client, self._server = client, server
        self._is_losing = False
        self._has_asked = False
        for work in (self._upward, self._downward):
            threading.Thread(target=work, daemon=True).start()

    def _upward(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._client.recv(65536):
                self._proxy.wait()
                if b"COMMIT\0" in data and self._proxy.is_to_lose():
                    self._is_losing = True
                self._has_asked = True
                self._server.sendall(data)
        self._close()

    def _downward(self) -> None:
        with contextlib.suppress(OSError):
            while data := self._server.recv(65536):
                self._proxy.wait()
                if self._is_losing and b"COMMIT\0" in data:
                    break  # it is done, and nobody hears of it
                self._proxy.answers += self._has_asked
                self._has_asked = False
                self._client.sendall(data)
        self._close()

    def _close(self) -> None:
        for side in (self._client, self._server):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()
