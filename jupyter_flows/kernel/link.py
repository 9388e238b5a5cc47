"""The kernel's end of the socket to its worker.

A reader thread takes what comes and hands each answer to whoever waits for its `seq`. The flow itself
runs in the main thread and blocks while it waits, so that Ctrl-C (a notebook's *interrupt*) reaches it
there and leaves the frames on the wire whole.

A call whose answer is known before it is made (a log line, an output) need not be waited for: `send_ahead`
lets the flow go on while it is committed. How far the flow may be ahead is bounded in calls and in time, and
`wait_until_committed` is the fence before whatever must not happen ahead of them.
"""

from __future__ import annotations

import itertools
import os
import queue
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from .. import protocol
from ..errors import InternalError

Reply = TypeVar("Reply", bound=protocol.WorkerMessage)

#: How far a flow may be ahead of its commits: in calls, and in seconds since the oldest of them was made.
MOST_AHEAD = 64
LONGEST_AHEAD = 0.05


class Link:
    """A connection to the worker at `path` (a Unix socket).

    `on_lost` is called, in the reader thread, when the worker is gone; `on_stop` with a reason when it
    takes the execution away. Raises InternalError if nobody listens at `path`.
    """

    def __init__(
        self,
        path: str,
        kernel_id: str | None,
        on_stop: Callable[[str], None],
        on_lost: Callable[[], None],
    ) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise InternalError(
                f"no Flows worker listens at {path} ({error.strerror}): start JupyterLab with the Flows "
                "server extension, or `jupyter flows worker`"
            ) from error
        self._on_stop = on_stop
        self._on_lost = on_lost
        self._sending = threading.Lock()
        self._seq = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[protocol.WorkerMessage | None]] = {}
        self._begun: queue.SimpleQueue[protocol.Begin] = queue.SimpleQueue()
        #: Called, in the reader thread, when the flow is to be told of its cancellation at once.
        self.on_cancel: Callable[[str], None] = lambda _: None
        self._ahead: deque[tuple[int, float]] = deque()
        self._sent_seq = 0
        self._committed = threading.Condition()
        self._waiting_for_commits = 0  # threads
        #: Whether the worker allows `send_ahead` now.
        self.may_go_on = False
        self.is_open = True
        python = ".".join(map(str, sys.version_info[:3]))
        self.send(protocol.Hello(pid=os.getpid(), python=python, kernel_id=kernel_id))
        self._reader = threading.Thread(target=self._read, name="flows-link", daemon=True)
        self._reader.start()

    def next_seq(self) -> int:
        return next(self._seq)

    def send(self, message: protocol.KernelMessage) -> None:
        data = protocol.encode(message)
        try:
            with self._sending:
                self._socket.sendall(data)
        except OSError as error:
            self.is_open = False
            raise InternalError("the connection to the Flows worker is lost") from error

    def request(
        self,
        message: protocol.OpenNotebook
        | protocol.CallMade
        | protocol.FetchChunks
        | protocol.Ended
        | protocol.Magic,
        reply: type[Reply],
        meanwhile: Callable[[], None] | None = None,
    ) -> Reply:
        """Send a message and block until its answer comes; `meanwhile` is done before that.

        Raises InternalError when the worker is gone.
        """
        inbox: queue.SimpleQueue[protocol.WorkerMessage | None] = queue.SimpleQueue()
        self._waiting[message.seq] = inbox
        try:
            self.send(message)
            if meanwhile is not None:
                meanwhile()
            answer = inbox.get()
        finally:
            self._waiting.pop(message.seq, None)
        if answer is None:
            raise InternalError("the connection to the Flows worker was lost while it was asked something")
        assert isinstance(answer, reply), f"{type(answer).__name__} is no answer to {message}"
        return answer

    @property
    def is_ahead(self) -> bool:
        """Whether something was sent that is not committed yet."""
        oldest = self._oldest_ahead()
        return oldest is not None and oldest[0] <= self._sent_seq

    def _oldest_ahead(self) -> tuple[int, float] | None:
        try:  # the reader takes them away at any moment
            return self._ahead[0]
        except IndexError:
            return None

    def send_ahead(self, message: protocol.CallMade) -> None:
        """Send a call that is not waited for; while the flow is too far ahead, wait for the oldest."""
        if self._is_far_ahead():
            self._wait_while(self._is_far_ahead)
        self._ahead.append((message.seq, time.monotonic()))
        self.send(message)
        self._sent_seq = message.seq

    def wait_until_committed(self) -> None:
        """Return when all that was sent ahead is on the disk. Raises InternalError without a worker."""
        if self.is_ahead and threading.current_thread() is not self._reader:
            self._wait_while(lambda: self.is_ahead)

    def _is_far_ahead(self) -> bool:
        oldest = self._oldest_ahead()
        return oldest is not None and (
            len(self._ahead) >= MOST_AHEAD or time.monotonic() - oldest[1] > LONGEST_AHEAD
        )

    def _wait_while(self, holds: Callable[[], bool]) -> None:
        """Whether it holds changes only with what the worker says. Raises InternalError without a worker."""
        with self._committed:
            self._waiting_for_commits += 1
            try:
                self._committed.wait_for(lambda: not (holds() and self.is_open))
            finally:
                self._waiting_for_commits -= 1
        if not self.is_open:
            raise InternalError("the connection to the Flows worker is lost")

    def wait_for_work(self) -> protocol.Begin:
        return self._begun.get()

    def close(self) -> None:
        self.is_open = False
        self._socket.close()

    def _read(self) -> None:
        try:
            while True:
                self._take(protocol.read_blocking(self._socket))
        except OSError:
            pass
        self.is_open = False
        with self._committed:
            self._committed.notify_all()
        for inbox in list(self._waiting.values()):
            inbox.put(None)
        self._on_lost()

    def _take(self, message: protocol.WorkerMessage) -> None:
        if isinstance(message, protocol.Stop):
            self._on_stop(message.reason)
        elif isinstance(message, protocol.CancelNow):
            self.on_cancel(message.execution_id)
        elif isinstance(message, protocol.Begin):
            self._begun.put(message)
        elif isinstance(message, protocol.Committed):
            self.may_go_on = message.may_go_on
            with self._committed:
                while self._ahead and self._ahead[0][0] <= message.seq:
                    self._ahead.popleft()
                if self._waiting_for_commits:
                    self._committed.notify_all()
        elif inbox := self._waiting.get(message.seq):
            inbox.put(message)
