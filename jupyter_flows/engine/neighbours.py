"""The other workers of the store: which are dead, and word of a death on this machine the moment it happens.

A worker on this machine is dead as soon as its process is; where the system has descriptors for processes
(Linux), one is watched for each, so that nobody waits for the next look. One elsewhere is dead when it has
said nothing for long.

Clocks differ between machines, jump when they are set, and stand on after a laptop slept. So an instant that
another worker wrote is compared with other instants of the same worker only; how long it has been silent is
measured here, by a clock that neither jumps nor runs while the machine sleeps.
"""

from __future__ import annotations

import asyncio
import os
import time
from datetime import datetime, timedelta

from ..model import Execution
from ..store import WorkerRecord
from . import processes
from .ledger import Ledger


class Neighbours:
    """Of the worker `own_id`; `silence` is how long one elsewhere may say nothing. Made in the event loop.

    `alarm` is set when one on this machine died; `are_there` says whether others lived at the last look.
    """

    def __init__(self, own_id: str, silence: timedelta) -> None:
        self.alarm = asyncio.Event()
        self.are_there = False
        self.own_id = own_id
        self._silence = silence
        self._loop = asyncio.get_running_loop()
        self._watched: dict[str, int] = {}
        #: For each: what it said last (its `seen_at`), and when that was heard, by the monotonic clock.
        self._heard: dict[str, tuple[datetime, float]] = {}
        self._has_looked = False

    def is_over(self, execution: Execution) -> bool:
        """Whether who runs it has been silent for as long as it claimed the execution, at the last look."""
        if execution.worker_id not in self._heard or execution.lease_until is None:
            return True
        said, heard = self._heard[execution.worker_id]
        return time.monotonic() - heard > (execution.lease_until - said).total_seconds()

    def sorted(self, ledger: Ledger) -> tuple[list[str], list[WorkerRecord]]:
        """Ids of those that are dead, and those that live on this machine."""
        dead, living = [], []
        others = [worker for worker in ledger.transaction.workers() if worker.id != self.own_id]
        self._hear(others, ledger.now)
        for worker in others:
            if worker.host != processes.host():
                if time.monotonic() - self._heard[worker.id][1] > self._silence.total_seconds():
                    dead.append(worker.id)
            elif processes.identity(worker.pid) == worker.process:
                living.append(worker)
            else:
                dead.append(worker.id)
        self.are_there = len(others) > len(dead)
        return dead, living

    def _hear(self, others: list[WorkerRecord], now: datetime) -> None:
        heard = {}
        for worker in others:
            said, at = self._heard.get(worker.id, (None, 0.0))
            if said != worker.seen_at:
                at = time.monotonic()
                # Only of those who were there before us, the calendar must tell how long they are silent.
                if not self._has_looked:
                    at -= max(0.0, (now - worker.seen_at).total_seconds())
            heard[worker.id] = worker.seen_at, at
        self._heard, self._has_looked = heard, True

    def watch(self, living: list[WorkerRecord]) -> None:
        """Have `alarm` set when one of these dies; those watched before and not named are let go."""
        if not hasattr(os, "pidfd_open"):
            return
        names = {worker.id for worker in living}
        for worker_id in self._watched.keys() - names:
            self._forget(worker_id)
        for worker in living:
            if worker.id in self._watched or worker.pid == os.getpid():
                continue
            try:
                descriptor = os.pidfd_open(worker.pid)
            except OSError:  # it is dead by now: the next look finds it
                self.alarm.set()
                continue
            self._watched[worker.id] = descriptor
            self._loop.add_reader(descriptor, self._died, worker.id)

    def _died(self, worker_id: str) -> None:
        self._forget(worker_id)
        self.alarm.set()

    def _forget(self, worker_id: str) -> None:
        descriptor = self._watched.pop(worker_id)
        self._loop.remove_reader(descriptor)
        os.close(descriptor)

    def close(self) -> None:
        for worker_id in list(self._watched):
            self._forget(worker_id)
