"""One thread that writes for the whole worker, so that the event loop never waits for the disk.

What has queued up while the last commit went to the disk shares the next one: a hundred executions that
call at once cost a few commits, not a hundred. When one of them fails, all are taken back and done again
one by one, so that each answers for itself. A database that is away, full or locked is tried again until
it works: nothing is told as done that is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from ..errors import InternalError, StoreError
from ..store import Store, Transaction, TransactionAborted

Result = TypeVar("Result")
Work = Callable[[Transaction], Any]
_Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]

_MOST_IN_ONE = 64
#: How long work that nobody waits for may wait for more of its kind: seconds.
_GATHERING = 0.002
_LONGEST_PAUSE = 2.0  # seconds

logger = logging.getLogger(__name__)


class Chain:
    """Works of which each takes for granted that the links before it were done.

    `error` is why one was not: then none of those behind it is done, and they fail with the same error.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None


#: The work, who waits for it, its chain, and whether those behind it in the chain rely on it.
_Job = tuple[Work, "asyncio.Future[Any]", Chain | None, bool]


class Committer:
    """Does work given by `submit`, in order, each in a transaction. `trouble` says what the store refuses."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop) -> None:
        self.trouble: str | None = None
        #: Counts works done: what a work saw is older than what a later one wrote.
        self.number = 0
        #: The work at hand was tried before. It may even be committed, if the connection was lost meanwhile.
        self.is_repeating = False
        self._store = store
        self._loop = loop
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flows-committer", daemon=True)
        self._thread.start()

    def submit(
        self, work: Callable[[Transaction], Result], chain: Chain | None = None, is_link: bool = False
    ) -> asyncio.Future[Result]:
        """What `work` returns, once it is committed. It may be called several times; an exception in it
        takes its writes back. With a `chain` it is done only if all links before it were; `is_link`: those
        behind it rely on it in turn. Call it in the event loop."""
        future: asyncio.Future[Result] = self._loop.create_future()
        self._jobs.put((work, future, chain, is_link))
        return future

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def hurry(self) -> None:
        """From now on all work is tried once: what the store refuses fails, and nobody waits for it."""
        self._stopping.set()

    async def stop(self) -> None:
        """After all work that was given."""
        self.hurry()
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join, 10)

    def _run(self) -> None:
        while (first := self._jobs.get()) is not None:
            jobs, ends, is_awaited = [first], False, not first[3]
            until = time.monotonic() + _GATHERING
            while len(jobs) < _MOST_IN_ONE:
                # Those that others rely on but nobody waits for: a commit for several costs little more.
                rest = 0.0 if is_awaited else until - time.monotonic()
                try:
                    job = self._jobs.get(rest > 0, max(rest, 0.0))
                except queue.Empty:
                    break
                if job is None:
                    ends = True
                    break
                jobs.append(job)
                is_awaited = is_awaited or not job[3]
            self._tell(self._together(jobs))
            if ends:
                return

    def _tell(self, outcomes: list[_Outcome]) -> None:
        def tell() -> None:
            for future, result, error in outcomes:
                if future.done():
                    continue
                if error is None:
                    future.set_result(result)
                else:
                    future.set_exception(error)

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(tell)

    def _together(self, jobs: list[_Job]) -> list[_Outcome]:
        if len(jobs) > 1:
            try:
                return self._in_one_transaction(jobs)
            except Exception:
                logger.debug("a group of %d is done one by one", len(jobs), exc_info=True)
                return [self._again(job) for job in jobs]
        return [self._alone(job) for job in jobs]

    def _again(self, job: _Job) -> _Outcome:
        self.is_repeating = True
        return self._alone(job)

    def _in_one_transaction(self, jobs: list[_Job]) -> list[_Outcome]:
        outcomes: list[_Outcome] = []
        with self._store.writing() as transaction:
            for work, future, chain, _ in jobs:
                if chain is not None and chain.error is not None:
                    raise chain.error
                self.number += 1
                outcomes.append((future, work(transaction), None))
        return outcomes

    def _alone(self, job: _Job) -> _Outcome:
        pause = 0.02
        while True:
            try:
                (outcome,) = self._in_one_transaction([job])
            except Exception as error:
                if not self._is_worth_another_try(error):
                    self.is_repeating = False
                    _, future, chain, is_link = job
                    if chain is not None and is_link:
                        chain.error = error
                    return future, None, error
            else:
                self.trouble, self.is_repeating = None, False
                return outcome
            self.is_repeating = True
            self._stopping.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _is_worth_another_try(self, error: Exception) -> bool:
        if self._stopping.is_set():
            return False
        if isinstance(error, StoreError) and is_temporary(error):
            if not isinstance(error, TransactionAborted):
                if self.trouble is None:
                    logger.error("nothing can be written now, and is tried again: %s", error)
                self.trouble = str(error)
            return True
        return False


def is_temporary(error: Exception) -> bool:
    """Whether the store may do later what it refuses now: it is away, full, locked or read-only."""
    return isinstance(error, TransactionAborted) or getattr(error, "is_temporary", False)


def as_internal(error: BaseException) -> InternalError:
    return InternalError(f"the engine failed: {type(error).__name__}: {error}")
