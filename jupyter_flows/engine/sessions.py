"""Which kernel has which execution, as this worker knows it. Lives in the event loop; is no truth.

The truth is the store: a session says with which epoch and savepoint a kernel holds an execution, and each
write is refused when the store knows a newer epoch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..model import NO_OPTIONS, Execution, ExecutionType, FlowOptions, ResumeMode
from .committer import Chain
from .events import Begin
from .kernels import Kernel, Kind
from .ledger import Heard
from .traces import ExecutionTrace


@dataclass
class Session:
    """`waiting_seq` is the call that waits for its answer while the execution is parked.

    `number` is that of the committer's work which it is as new as. `is_leaving`: its kernel is about to be
    stopped, so it cannot go on in place. `timer` evicts a parked one, `grace` ends a cancelled one.
    """

    execution_id: str
    type: ExecutionType
    directory: str
    epoch: int
    savepoint_id: str | None
    number: int
    #: What its kernel may be used again for.
    kind: Kind = ()
    kernel: Kernel | None = None
    waiting_seq: int | None = None
    is_exact: bool = True
    #: What its flow was told last: it may have to be told so again (`Savepoint.heard`).
    heard: Heard | None = None
    is_leaving: bool = False
    parked_at: float = 0.0
    timer: asyncio.TimerHandle | None = None
    grace: asyncio.TimerHandle | None = None
    options: FlowOptions = NO_OPTIONS
    #: What is told of it to who watches; None: nobody does.
    trace: ExecutionTrace | None = None
    #: The calls that its flow makes without waiting for their answers.
    ahead: Chain = field(default_factory=Chain)
    committed_seq: int = 0
    told_seq: int = 0

    @property
    def is_notebook(self) -> bool:
        return self.type is ExecutionType.NOTEBOOK

    @property
    def is_parked(self) -> bool:
        return self.waiting_seq is not None

    def keeps(self, execution: Execution) -> bool:
        """Whether the execution, if it is claimed now, can go on in this kernel."""
        return (
            self.is_parked
            and not self.is_leaving
            and self.kernel is not None
            and not self.kernel.gone.done()
            and self.epoch == execution.epoch
            and self.savepoint_id == execution.savepoint_id
            and execution.resume_mode is ResumeMode.JOIN
        )

    def goes_on_with(self, execution: Execution, begin: Begin) -> bool:
        """Whether the answer of a claim is for the call that waits in this kernel. It is not when the claim
        was decided before this was known to wait, and went back to an older savepoint."""
        return (
            self.is_parked
            and self.epoch == execution.epoch - 1
            and begin.mode is ResumeMode.JOIN
            and begin.savepoint_id == self.savepoint_id
        )

    def end_timers(self) -> None:
        for timer in (self.timer, self.grace):
            if timer is not None:
                timer.cancel()
        self.timer = self.grace = None


@dataclass
class Sessions:
    """All sessions of a worker, by execution."""

    _by_id: dict[str, Session] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Session]:
        return iter(list(self._by_id.values()))

    def get(self, execution_id: str) -> Session | None:
        return self._by_id.get(execution_id)

    def of_kernel(self, kernel: Kernel) -> Session | None:
        return next((session for session in self._by_id.values() if session.kernel is kernel), None)

    def add(self, session: Session) -> None:
        self._by_id[session.execution_id] = session

    def remove(self, session: Session) -> bool:
        """Whether it was still there."""
        session.end_timers()
        if session.trace is not None:
            session.trace.end()
        if self._by_id.get(session.execution_id) is not session:
            return False
        del self._by_id[session.execution_id]
        return True

    def keeps(self, execution: Execution) -> bool:
        session = self._by_id.get(execution.id)
        return session is not None and session.keeps(execution)

    @property
    def evictable(self) -> list[Session]:
        """Those whose kernels can be given up, the longest parked first."""
        parked = (
            session
            for session in self._by_id.values()
            if session.is_parked and session.is_exact and not session.is_notebook and not session.is_leaving
        )
        return sorted(parked, key=lambda session: session.parked_at)

    @property
    def slots_used(self) -> int:
        # A copy: other threads ask, too.
        return sum(
            not session.is_notebook and not session.is_parked for session in list(self._by_id.values())
        )

    @property
    def is_idle(self) -> bool:
        return all(session.is_notebook for session in self._by_id.values())
