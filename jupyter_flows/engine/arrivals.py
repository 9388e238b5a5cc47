"""Executions that begin at once: claimed in the transaction that makes them, by a worker of the same process.

Else a start request is committed, told to the worker and claimed in a second transaction: one more commit
and two more threads between the request and the flow's first line. Only what a look at the queue would have
claimed at this moment begins so: a slot is free, nothing else is queued, no limit applies, no look is under
way that may use the slot, and no other worker, perhaps a less busy one, is about to be told of it.
"""

from __future__ import annotations

import contextlib
import threading
from datetime import datetime
from typing import Protocol

from ..model import Execution, ExecutionType, FlowSource, Status
from .events import Begin
from .ledger import Claim, Ledger
from .limits import limits_of

#: How long a worker that stops waits for transactions that are under way: seconds.
_LAST = 5.0


class Host(Protocol):
    """What a worker tells `Arrivals`; all but `begin_soon` from any thread."""

    id: str

    def may_take(self) -> bool:
        """Whether a slot is free, beside those that are reserved, and nobody else should have the work."""

    def lease(self) -> datetime:
        """The end of a lease that is taken now."""

    def commits(self) -> int:
        """How many works were committed: see `Committer.number`."""

    def begin_soon(self, claim: Claim, number: int, is_news_missing: bool) -> None:
        """Run it. `is_news_missing`: what a look with a lower number saw may concern it too."""


class Arrivals:
    """The slots of `host` that are promised to executions which are being made. Safe in any thread."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._settled = threading.Condition()
        self._reserved: set[str] = set()
        self._is_looking = self._is_closed = False

    @property
    def ids(self) -> frozenset[str]:
        """The executions that may be claimed by now, and are not begun."""
        with self._settled:
            return frozenset(self._reserved)

    @property
    def is_looking(self) -> bool:
        return self._is_looking

    def look(self, free: int) -> int:
        """A look at the queue begins: how many of the `free` slots it may use. Say `looked` at its end."""
        with self._settled:
            self._is_looking = True
            return max(0, free - len(self._reserved))

    def looked(self) -> None:
        with self._settled:
            self._is_looking = False

    def reserve(self, execution: Execution) -> Arrival | None:
        """A slot for an execution that is about to be made; None when it must queue."""
        if execution.type is not ExecutionType.FLOW or execution.status is not Status.QUEUED:
            return None
        if limits_of(execution):
            return None
        with self._settled:
            if self._is_looking or self._is_closed or self._reserved or not self._host.may_take():
                return None
            self._reserved.add(execution.id)
        return Arrival(self, self._host, execution.id)

    def begun(self, execution_id: str) -> None:
        """The slot is not only promised any more, but used, or free again."""
        with self._settled:
            self._reserved.discard(execution_id)
            self._settled.notify_all()

    def close(self) -> None:
        """No more arrive; returns when those under way are committed or not."""
        with self._settled:
            self._is_closed = True
            self._settled.wait_for(lambda: not self._reserved, _LAST)


class Arrival:
    """The promise of a slot. Say `settle` after the transaction, whatever became of it."""

    def __init__(self, arrivals: Arrivals, host: Host, execution_id: str) -> None:
        self._arrivals = arrivals
        self._host = host
        self._execution_id = execution_id
        self._claim: Claim | None = None
        self._seen = 0

    def insert(self, ledger: Ledger, execution: Execution, source: FlowSource) -> bool:
        """Make it, claimed; False when it is not made and must queue. May be called again for a repeat."""
        self._claim, self._seen = None, self._host.commits()
        if ledger.transaction.has_claimable(self._host.id, (ExecutionType.FLOW,), ledger.now):
            return False
        self._claim = ledger.insert_claimed(execution, source, self._host.id, self._host.lease())
        return True

    def is_there(self, execution: Execution, source: FlowSource) -> None:
        """It was made by a transaction that was committed, of which only the word was lost."""
        self._seen = self._host.commits()
        is_ours = execution.status is Status.RUNNING and execution.worker_id == self._host.id
        begin = Begin(savepoint_id=None, mode=execution.resume_mode)
        self._claim = Claim(execution=execution, begin=begin, source=source) if is_ours else None

    def settle(self, is_committed: bool) -> None:
        """After the transaction."""
        claim = self._claim if is_committed else None
        if claim is not None:
            number = self._host.commits()
            with contextlib.suppress(RuntimeError):  # the loop is closed: the claim is given back with all
                self._host.begin_soon(claim, number, number != self._seen)
                return
        self._arrivals.begun(self._execution_id)
