"""A flow that computes hears of its cancellation: ExecutionCancel is raised where it is, as Ctrl-C would.

The worker's message comes in another thread, which sends this process a signal: only a signal ends a
`time.sleep` or a read from a socket. Its handler runs in the main thread, between two instructions of
whatever runs there. That must be the flow: in the middle of a savepoint the handler only takes note, and the
end of the Flow-API call raises what it noted; while a savepoint is loaded and its frames are built again (the
flow's `finally` blocks could not run yet) it asks again a moment later. The flow hears once: its `finally`
blocks may compute and make calls.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

from .. import model, resumable
from ..errors import ExecutionCancel

_SIGNAL = signal.SIGUSR1
_MESSAGE = "the execution was cancelled"
#: Until the flow's own code is looked for again: seconds.
_AGAIN = 0.02


class Cancellation:
    """`was_told`: ExecutionCancel was raised in the flow, here or before it went on here."""

    def __init__(self, execution_id: str, was_told: bool) -> None:
        self.was_told = was_told
        self._execution_id = execution_id
        self._is_wished = False
        self._is_noted = False
        self._calls = 1  # no flow code runs yet

    def listen(self) -> None:
        """Take the signal. Called in the main thread."""
        signal.signal(_SIGNAL, self._on_signal)

    def wish(self, execution_id: str) -> None:
        """From any thread. A wish that comes late concerns the execution that this process ran before."""
        if execution_id == self._execution_id:
            self._is_wished = True
            self._ring()

    def _ring(self) -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, _SIGNAL)

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Around the flow's own code."""
        self._calls -= 1
        try:
            if self._is_noted:
                self._ring()
            yield
        finally:
            self._calls += 1

    @contextlib.contextmanager
    def put_off(self) -> Iterator[None]:
        """Around what must not be torn apart; what came meanwhile is raised at its end."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
        self._raise_noted()

    def heard(self, answer: model.Answer) -> None:
        """An answer may carry the cancellation itself."""
        if answer.error is not None and answer.error.type == ExecutionCancel.__name__:
            self.was_told = True

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number
        self._is_noted = self._is_wished
        if not self._is_noted or self.was_told or self._calls > 0:
            return
        if _is_in_flow(frame):
            self._raise_noted()
        else:
            again = threading.Timer(_AGAIN, self._ring)
            again.daemon = True
            again.start()

    def _raise_noted(self) -> None:
        if not self._is_noted or self.was_told or self._calls > 0:
            return
        if threading.current_thread() is not threading.main_thread():
            self._ring()  # a thread of the flow made the call that put it off
            return
        self.was_told = True
        raise ExecutionCancel(_MESSAGE)


def _is_in_flow(frame: FrameType | None) -> bool:
    """Whether a flow's code runs there, or what it called; not what calls it."""
    while frame is not None:
        unit = resumable.unit_of(frame.f_code)
        if unit is not None and not unit.library:  # what a flow borrows runs for others too
            return True
        if str(frame.f_globals.get("__name__")).startswith("jupyter_flows."):
            return False
        frame = frame.f_back
    return False
