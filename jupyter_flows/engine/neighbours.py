"""The other workers of the store: which are dead, and word of a death on this machine the moment it happens.

A worker on this machine is dead as soon as its process is; where the system has descriptors for processes
(Linux), one is watched for each, so that nobody waits for the next look. One elsewhere is dead when its
leases are over and it has said nothing for long.
"""

from __future__ import annotations

import asyncio
import os
from datetime import timedelta

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
        self._own_id = own_id
        self._silence = silence
        self._loop = asyncio.get_running_loop()
        self._watched: dict[str, int] = {}

    def sorted(self, ledger: Ledger) -> tuple[list[str], list[WorkerRecord]]:
        """Ids of those that are dead, and those that live on this machine."""
        dead, living = [], []
        others = [worker for worker in ledger.transaction.workers() if worker.id != self._own_id]
        for worker in others:
            if worker.host != processes.host():
                if worker.seen_at < ledger.now - self._silence:
                    dead.append(worker.id)
            elif processes.identity(worker.pid) == worker.process:
                living.append(worker)
            else:
                dead.append(worker.id)
        self.are_there = len(others) > len(dead)
        return dead, living

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
