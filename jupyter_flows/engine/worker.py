"""`Worker`: claims executions that are due and runs them, each in a kernel of its own.

A worker is stateless: what it knows beyond the store (which kernel waits with which execution) only saves
time. It may be killed at any instant; another one, or the next of its kind, goes on from the store.

Time limits: a lease lasts `LEASE` seconds and is renewed three times as often, here and not in kernels, whose
flows could hold it up. A predecessor on this machine is known to be dead as soon as its process is; one on
another machine when its leases are over.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import msgspec

from .. import protocol
from ..errors import EngineException, KernelDiedError, StaleLeaseError
from ..model import Answer, ExecutionType, Status
from ..store import Held, Notice, WorkerRecord
from . import processes, sockets
from .arrivals import Arrivals
from .committer import Committer
from .connections import run_connection
from .desk import Desk
from .events import Evicted, FlowEnded, GraceOver, KernelDied, OutOfMemory, WorkerGone
from .identifiers import new_id
from .kernels import Kernel, KernelPool
from .ledger import Claim, Heard, Ledger
from .metrics import Metrics
from .neighbours import Neighbours
from .rounds import Rounds
from .service import Engine
from .sessions import Session, Sessions
from .traces import ExecutionTrace, tracer
from .zygotes import Zygote

LEASE = timedelta(seconds=30)
RETENTION = timedelta(days=14)
_PRECEDENCE = 0.005  # how much later a worker looks whose slots are all used: seconds
_MOST_WAIT = 5.0  # the claim loop looks at least so often: seconds
_GIVE_UP = 5.0  # how long a worker that stops waits for a store that refuses: seconds
_TIMERS_AT_ONCE = 500
_NOTEBOOKS_AT_ONCE = 1000

logger = logging.getLogger(__name__)


class _Due(msgspec.Struct, frozen=True, kw_only=True):
    """What one look at the store found."""

    claims: list[Claim]
    held: list[Held]
    next_timer: datetime | None
    has_more: bool


class Worker:
    """Runs what is due in `engine`'s store.

    Arguments: `slots`, how many flows compute at once; `connection_slots`, the same for connections;
    `socket_directory`, where kernels find the worker (a fresh directory of mode 0700 by default; its path
    must be short, as a Unix socket's may have 107 bytes); `sleep_max_seconds`, how long a waiting
    execution keeps its kernel; `cancel_grace_seconds`, how long a flow may ignore its cancellation;
    `warm_kernels`, how many are kept ready (one per slot where they are forked, else one);
    `kept_kernels`, how many waiting executions keep theirs;
    `lease_seconds`, after what silence others take over what it runs; `retention`, how long ended
    executions keep their savepoints (None: for ever); `savepoint_retention`, how many of its newest
    automatic savepoints an execution keeps whose flow does not say it (None: all); `kernel_command` makes the
    command line of a kernel from the socket's path and an id; `forks_kernels` False starts each kernel from
    scratch, `zygote_command` is what they are forked from.
    """

    def __init__(
        self,
        engine: Engine,
        slots: int = 2,
        socket_directory: str | os.PathLike[str] | None = None,
        *,
        connection_slots: int = 16,
        sleep_max_seconds: float = 60.0,
        cancel_grace_seconds: float = 10.0,
        warm_kernels: int | None = None,
        kept_kernels: int = 16,
        lease_seconds: float = LEASE.total_seconds(),
        retention: timedelta | None = RETENTION,
        savepoint_retention: int | None = None,
        kernel_command: Callable[[str, str], list[str]] | None = None,
        zygote_command: list[str] | None = None,
        forks_kernels: bool = True,
    ) -> None:
        self.id = new_id()
        self.slots = slots
        self._engine = engine
        self._connection_slots = connection_slots
        self._sleep_max_seconds = sleep_max_seconds
        self._cancel_grace_seconds = cancel_grace_seconds
        self._kept_kernels = kept_kernels
        self._lease_time = timedelta(seconds=lease_seconds)
        self._retention = retention
        self._savepoint_retention = savepoint_retention
        self._orphans: set[tuple[str, int]] = set()
        self._kernel_command = kernel_command
        # A command of one's own means that one's own kernels are wanted.
        is_given = kernel_command is not None and zygote_command is None
        self._zygote = Zygote(zygote_command) if forks_kernels and not is_given else None
        # A forked kernel that waits for work costs little: then every slot has its next one ready.
        self._warm_kernels = (slots if self._zygote else 1) if warm_kernels is None else warm_kernels
        #: Who watches may ask for these.
        self.metrics = Metrics(engine.store, engine.clock, lambda: (self.slots, self._sessions.slots_used))
        self._tracer = tracer()
        self._given_directory = socket_directory
        self._sessions = Sessions()
        self._connections: dict[str, int] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._hearings: dict[asyncio.Task[Any], asyncio.StreamWriter] = {}
        self._is_stopping = False
        self._is_started = False
        #: Why it takes no more work and hands over what it has: the store belongs to a newer version by now.
        self.outdated: str | None = None

    @property
    def running(self) -> list[str]:
        """Ids of the executions that use a slot now, and of connections."""
        flows = [
            session.execution_id
            for session in self._sessions
            if not session.is_notebook and not session.is_parked
        ]
        return [*flows, *self._connections]

    @property
    def trouble(self) -> str | None:
        """What the store refuses now; None when all is well."""
        return self.outdated or self._committer.trouble

    def what_is_dead(self) -> str | None:
        """Why this worker will not work any more, for a liveness probe; None while it lives."""
        if self.outdated is not None:
            return self.outdated
        if self._is_stopping:
            return "the worker has stopped"
        if not self._is_started:
            return None
        if not self._committer.is_alive:
            return "the thread that writes to the store has ended"
        return "the worker looks for work no more" if self._claiming.done() else None

    def what_is_missing(self) -> str | None:
        """Why this worker takes no work now, for a readiness probe; None when it does."""
        if not self._is_started:
            return "the worker is starting"
        if self._desk.is_draining:
            return "the worker hands its work over and stops"
        return self.what_is_dead() or self.trouble

    @property
    def socket_path(self) -> str:
        """Where kernels connect; a notebook's kernel is told by JUPYTER_FLOWS_SOCKET."""
        return str(self._socket_path)

    # --- life

    async def start(self) -> None:
        """Begin to run what is due. What dead predecessors on this machine held is set free."""
        self._loop = asyncio.get_running_loop()
        self._nudged = asyncio.Event()
        # Whether more was due than there were slots for, and whether one became free since that was asked.
        self._has_more = self._was_freed = False
        self._calm = asyncio.Event()
        self._directory = sockets.own_directory(self._given_directory)
        self._socket_path = self._directory / f"{self.id}.sock"
        self._neighbours = Neighbours(self.id, 4 * self._lease_time)
        self._committer = Committer(self._engine.store, self._loop)
        self._connection_threads = ThreadPoolExecutor(self._connection_slots, "flows-connection")
        self._desk = Desk(
            self._engine,
            self._committer,
            self._sessions,
            self.id,
            self._lease,
            on_parked=self._parked,
            on_free=self._slot_free,
            on_staying=lambda kernel, kind: self._pool.expect_back(kernel, kind),
            metrics=self.metrics,
        )
        self._server = await asyncio.start_unix_server(self._connected, str(self._socket_path))
        os.chmod(self._socket_path, 0o600)
        rounds = Rounds(
            self._engine,
            self._desk,
            self._sessions,
            self._neighbours,
            self._record,
            self._lease_time,
            retention=self._retention,
            savepoint_retention=self._savepoint_retention,
            on_large=lambda session, limit: self._keep(self._out_of_memory(session, limit)),
            on_another_schema=self._is_outdated_by,
        )
        await self._desk.commit(rounds.sign_on)
        self._arrivals = Arrivals(_Host(self))
        self._ignore_store = self._engine.store.listen(self._noticed)
        if self._zygote is not None:
            await self._zygote.start()
        self._pool = KernelPool(
            self._socket_path, self._warm_kernels, self._kernel_command, self._zygote, most_used=self.slots
        )
        self._pool.refill()
        self._is_started = True
        self._claiming = self._keep(self._claim_loop())
        self._rounds = [self._keep(work) for work in rounds.all()]
        self._refuse_arrivals = self._engine.take_in(self._arrivals)
        self._nudge()

    async def stop(self, drain_seconds: float = 0.0) -> None:
        """Hand everything back to the store: running executions go on elsewhere from their savepoints.

        With `drain_seconds` nothing new is claimed, and flows may compute so long to their next call and
        connections to their end.
        """
        if not self._is_started or self._is_stopping:
            return
        if drain_seconds > 0:
            self._desk.is_draining = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._drained(), drain_seconds)
        self._is_stopping = True
        for work in self._rounds:  # none may say that it lives once its claims are given up
            work.cancel()
        self._refuse_arrivals()
        await asyncio.to_thread(self._arrivals.close)
        self._ignore_store()
        self._server.close()
        self._neighbours.close()
        for session in self._sessions:
            session.is_leaving = True
            session.end_timers()
        # First the claims, then the kernels: what a kernel still says is refused, not lost half-way.
        # A store that refuses is not waited for: others see that this process is gone, or its leases over.
        with contextlib.suppress(EngineException, TimeoutError):
            given_up = self._desk.commit(lambda ledger: ledger.give_up([self.id]))
            await asyncio.wait_for(given_up, _GIVE_UP)
        # What kernels have said before is refused by now, or by a store that nobody waits for any more.
        self._committer.hurry()
        notebooks = [session.kernel for session in self._sessions if session.is_notebook and session.kernel]
        await asyncio.gather(*(kernel.stop("the worker stops") for kernel in notebooks))
        await self._pool.close()
        if self._zygote is not None:
            await self._zygote.close()
        for kernel in notebooks:
            kernel.lost("the worker stops")
        for writer in self._hearings.values():
            writer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._hearings, return_exceptions=True)
        self._connection_threads.shutdown(wait=False, cancel_futures=True)
        await self._committer.stop()
        self._socket_path.unlink(missing_ok=True)
        if self._given_directory is None:
            sockets.remove(self._directory)
        self._calm.set()

    async def _drained(self) -> None:
        while self.running:
            self._calm.clear()
            await self._calm.wait()

    async def until_outdated(self) -> None:
        """Return when another version of jupyter_flows has taken the store over."""
        while self.outdated is None and not self._is_stopping:
            self._calm.clear()
            if self.outdated is None:
                await self._calm.wait()

    async def until_idle(self) -> None:
        """Return when nothing runs here and nothing is due; waiting executions whose kernels are kept
        count as running, those that sleep longer do not."""
        while not self._is_stopping and self.outdated is None:
            self._calm.clear()
            has_due, _ = await self._desk.commit(self._has_due)
            if self._is_idle and not has_due:
                return
            await self._calm.wait()

    @property
    def _is_idle(self) -> bool:
        return self._sessions.is_idle and not self._connections and not self._arrivals.ids

    def _has_due(self, ledger: Ledger) -> bool:
        timer = ledger.transaction.next_timer()
        is_ringing = timer is not None and timer <= ledger.now
        return is_ringing or ledger.transaction.has_claimable(self.id, tuple(ExecutionType), ledger.now)

    def _keep(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a task of the worker failed", exc_info=error)
        self._slot_free()

    def _record(self, now: datetime) -> WorkerRecord:
        pid = os.getpid()
        return WorkerRecord(
            id=self.id,
            host=processes.host(),
            pid=pid,
            process=processes.identity(pid),
            slots=self.slots,
            started_at=now,
            seen_at=now,
        )

    def _lease(self) -> datetime:
        return self._engine.clock() + self._lease_time

    # --- what is due

    def _noticed(self, notice: Notice) -> None:
        if notice.is_due and not self._is_stopping:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._nudge)

    def _nudge(self) -> None:
        self._nudged.set()
        self._calm.set()

    def _slot_free(self) -> None:
        """Look again if something waits for a slot. What has become due since is told by the store."""
        self._was_freed = True
        self._calm.set()
        if self._has_more:
            self._nudged.set()

    async def _claim_loop(self) -> None:
        wait = 0.0
        while not self._is_stopping:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudged.wait(), wait)
            await self._give_precedence()
            self._nudged.clear()
            try:
                wait = await self._look()
            except EngineException:
                logger.exception("the store could not be asked for what is due")
                wait = _MOST_WAIT

    async def _give_precedence(self) -> None:
        """The busier this worker is, the later it looks: the least busy one takes what is due."""
        load = self._sessions.slots_used / max(1, self.slots)
        if load > 0 and self._neighbours.are_there:
            await asyncio.sleep(_PRECEDENCE * load)

    async def _look(self) -> float:
        """Claim what is due and react to wishes; return the seconds until the next timer."""
        free = self._arrivals.look(self.slots - self._sessions.slots_used)
        try:
            return await self._look_with(free)
        finally:
            self._arrivals.looked()

    async def _look_with(self, free: int) -> float:
        free_connections = self._connection_slots - len(self._connections)
        if self._desk.is_draining:
            free = free_connections = 0

        def work(ledger: Ledger) -> _Due:
            transaction = ledger.transaction
            ledger.ring_timers(_TIMERS_AT_ONCE)
            limits = {
                ExecutionType.FLOW: free,
                ExecutionType.CONNECTION: free_connections,
                ExecutionType.NOTEBOOK: _NOTEBOOKS_AT_ONCE,
            }
            # Asked here and not before: a claim made while the worker stops would be left behind.
            may_claim = not self._is_stopping
            open_types = tuple(kind for kind, limit in limits.items() if limit > 0 and may_claim)
            claims: list[Claim] = []
            if transaction.has_claimable(self.id, open_types, ledger.now):
                for kind in open_types:
                    claims += ledger.claim(
                        self.id, self._lease(), (kind,), limits[kind], self._sessions.keeps
                    )
            is_full = any(
                sum(claim.execution.type is kind for claim in claims) >= limit
                for kind, limit in limits.items()
            )
            return _Due(
                claims=claims,
                held=transaction.held_by(self.id),
                next_timer=transaction.next_timer(),
                has_more=is_full and transaction.has_claimable(self.id, tuple(ExecutionType), ledger.now),
            )

        self._was_freed = False
        due, number = await self._desk.commit(work)
        for claim in due.claims:
            self._take(claim, number)
        self._check(due.held, number)
        self._has_more = due.has_more
        if due.has_more and self._was_freed:
            self._nudged.set()
        if due.next_timer is None:
            return _MOST_WAIT
        return max(0.0, min(_MOST_WAIT, (due.next_timer - self._engine.clock()).total_seconds()))

    def _arrived(self, claim: Claim, number: int, is_news_missing: bool) -> None:
        """An execution that was claimed as it was made (`Arrivals`)."""
        if not self._is_stopping:  # else it is given back with all others
            self._take(claim, number)
            if is_news_missing:
                self._nudge()
        self._arrivals.begun(claim.execution.id)
        self._calm.set()

    def _take(self, claim: Claim, number: int) -> None:
        execution = claim.execution
        if execution.type is ExecutionType.CONNECTION:
            self._connections[execution.id] = execution.epoch
            self._keep(self._connect(claim))
            return
        session = self._sessions.get(execution.id)
        if session is not None and session.goes_on_with(execution, claim.begin):
            self._answer_in_place(session, claim, number)
            return
        old = session.kernel if session is not None and self._sessions.remove(session) else None
        session = Session(
            execution_id=execution.id,
            type=execution.type,
            directory=execution.directory,
            epoch=execution.epoch,
            savepoint_id=execution.savepoint_id,
            number=number,
            options=execution.options,
            trace=None if self._tracer is None else ExecutionTrace(self._tracer, execution),
            kind=(execution.owner, execution.flow, execution.flow_version, execution.directory),
        )
        if claim.begin.answer is not None and claim.begin.savepoint_id is not None:
            session.heard = Heard(claim.begin.savepoint_id, claim.begin.answer)
        self._sessions.add(session)
        self._keep(self._run(session, claim, old))

    def _answer_in_place(self, session: Session, claim: Claim, number: int) -> None:
        seq, session.waiting_seq = session.waiting_seq, None
        session.is_leaving = False
        session.end_timers()
        session.epoch, session.number = claim.execution.epoch, number
        session.savepoint_id = claim.execution.savepoint_id
        assert seq is not None
        assert claim.begin.answer is not None
        self._keep(self._answer(session, seq, claim.begin.answer))

    async def _answer(self, session: Session, seq: int, answer: Answer) -> None:
        assert session.kernel is not None
        await self._desk.answer(session, seq, answer)
        if session.kernel.gone.done():
            # It died between the claim and now, when its execution still counted as waiting.
            await self._kernel_gone(session.kernel)

    async def _run(self, session: Session, claim: Claim, old: Kernel | None) -> None:
        if old is not None:
            await old.stop("the execution goes on elsewhere")
        try:
            kernel = await self._pool.take(session.kind)
        except (KernelDiedError, OSError) as error:
            await self._kernel_died(session, str(error))
            return
        if self._sessions.get(session.execution_id) is not session:
            await kernel.stop("the execution was taken away before it began")
            return
        session.kernel = kernel
        await kernel.send(self._desk.begin_of(claim))
        if kernel.gone.done():
            await self._kernel_gone(kernel)

    async def _connect(self, claim: Claim) -> None:
        execution = claim.execution
        try:
            result = await self._loop.run_in_executor(self._connection_threads, run_connection, execution)

            def work(ledger: Ledger) -> None:
                held = ledger.held(execution.id, execution.epoch)
                ledger.transaction.put_chunks(result.chunks)
                event = FlowEnded(
                    at=ledger.now,
                    status=result.status,
                    message=result.message,
                    error=result.error,
                    outputs=result.outputs,
                )
                ledger.advance(held, event)

            await self._desk.commit(work)
        except StaleLeaseError as error:
            logger.info("the result of connection %s came too late: %s", execution.id, error)
        finally:
            self._connections.pop(execution.id, None)
            self._nudge()

    # --- wishes and lost claims

    def _check(self, held: list[Held], number: int) -> None:
        """Stop kernels whose execution was restored, cancelled or taken over; see to wishes."""
        claims = {one.id: one for one in held}
        for session in self._sessions:
            if session.number >= number:
                continue  # it is newer than what was read
            claim = claims.get(session.execution_id)
            if claim is None or claim.epoch != session.epoch:
                self._sessions.remove(session)
                if session.kernel is not None:
                    self._keep(session.kernel.stop("the execution is not this kernel's any more"))
                self._nudge()
            elif claim.cancels and claim.status is Status.RUNNING:
                self._await_reaction(session)
        self._find_orphans(held)

    def _find_orphans(self, held: list[Held]) -> None:
        """Let go of what this worker holds but does not run, as after a claim whose commit was lost."""
        arriving = self._arrivals.ids
        unknown = {
            (one.id, one.epoch)
            for one in held
            if one.status is Status.RUNNING
            and self._sessions.get(one.id) is None
            and one.id not in self._connections
            and one.id not in arriving
        }
        for execution_id, epoch in unknown & self._orphans:
            self._keep(self._let_go(execution_id, epoch))
        self._orphans = unknown

    async def _let_go(self, execution_id: str, epoch: int) -> None:
        with contextlib.suppress(StaleLeaseError):
            await self._desk.commit(
                lambda ledger: ledger.advance(ledger.held(execution_id, epoch), WorkerGone(at=ledger.now))
            )

    def _await_reaction(self, session: Session) -> None:
        if session.grace is None and not session.is_notebook:
            if session.kernel is not None:
                self._keep(session.kernel.send(protocol.CancelNow(execution_id=session.execution_id)))
            session.grace = self._loop.call_later(
                self._cancel_grace_seconds, lambda: self._keep(self._grace_over(session))
            )

    async def _grace_over(self, session: Session) -> None:
        def work(ledger: Ledger) -> None:
            event = GraceOver(at=ledger.now, seconds=self._cancel_grace_seconds)
            ledger.advance(ledger.held(session.execution_id, session.epoch), event)

        with contextlib.suppress(StaleLeaseError):
            await self._desk.commit(work)
            if self._sessions.remove(session) and session.kernel is not None:
                await session.kernel.stop("cancelled")

    # --- waiting executions

    def _parked(self, session: Session, is_paused: bool) -> None:
        """Keep the kernel for a while. One that stands at an inexact savepoint can only wait in place."""
        if session.is_notebook or not session.is_exact:
            return
        session.parked_at = self._loop.time()
        own = session.options.sleep_max_seconds
        seconds = 0.0 if is_paused else self._sleep_max_seconds if own is None else own
        session.timer = self._loop.call_later(seconds, lambda: self._keep(self._evict(session)))
        for oldest in self._sessions.evictable[: -self._kept_kernels or None]:
            self._keep(self._evict(oldest))

    async def _evict(self, session: Session) -> None:
        if session.is_leaving:
            return
        session.is_leaving = True

        def work(ledger: Ledger) -> bool:
            execution = ledger.execution(session.execution_id)
            if execution.epoch != session.epoch or execution.status is Status.RUNNING:
                return False
            if not execution.status.is_final:
                ledger.advance(execution, Evicted(at=ledger.now))
            return True

        is_evicted, _ = await self._desk.commit(work)
        if is_evicted and self._sessions.remove(session) and session.kernel is not None:
            await session.kernel.stop("it waits for long; it goes on from its savepoint")
        self._nudge()

    # --- kernels

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kernel: Kernel | None = None
        task = asyncio.current_task()
        assert task is not None
        self._hearings[task] = writer
        try:
            hello = await protocol.read(reader)
            kernel = self._greeted(hello, writer)
            while kernel is not None and not kernel.gone.done():
                await self._desk.serve(kernel, await protocol.read(reader))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        except (msgspec.DecodeError, OverflowError) as error:
            logger.warning("a kernel said what cannot be understood: %s", error)
        finally:
            self._hearings.pop(task, None)
            writer.close()
            if kernel is not None and not self._is_stopping:
                await self._hung_up(kernel)

    def _greeted(self, hello: protocol.KernelMessage, writer: asyncio.StreamWriter) -> Kernel | None:
        if not isinstance(hello, protocol.Hello) or hello.version != protocol.VERSION:
            return None
        if hello.kernel_id is None:
            kernel: Kernel | None = Kernel(new_id(), None, None)
        else:
            kernel = self._pool.find(hello.kernel_id)
        if kernel is not None:
            kernel.attach(writer, hello.pid)
        return kernel

    async def _hung_up(self, kernel: Kernel) -> None:
        """The connection ended. A process is given a moment to end too, so that it can be said how."""
        if kernel.process is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(kernel.gone), 2.0)
            kernel.kill()
        kernel.lost("its connection ended")
        await self._kernel_gone(kernel)

    async def _kernel_gone(self, kernel: Kernel) -> None:
        session = self._sessions.of_kernel(kernel)
        if session is None or self._is_stopping:
            return
        if session.is_notebook:
            await self._desk.notebook_gone(session)
        elif session.is_parked:
            await self._evict(session)
        else:
            await self._kernel_died(session, kernel.gone.result())

    async def _kernel_died(self, session: Session, reason: str) -> None:
        if not self._sessions.remove(session):
            return

        def work(ledger: Ledger) -> None:
            held = ledger.held(session.execution_id, session.epoch)
            decision = ledger.advance(held, KernelDied(at=ledger.now, reason=reason))
            logger.warning("execution %s: %s; it is %s", held.id, reason, decision.execution.status)

        with contextlib.suppress(StaleLeaseError):
            await self._desk.commit(work)
        self._nudge()

    async def _out_of_memory(self, session: Session, limit: int) -> None:
        """First the kernel, which may be growing, then the word of it."""
        if not self._sessions.remove(session) or session.kernel is None:
            return
        kernel = session.kernel
        kernel.kill()

        def work(ledger: Ledger) -> None:
            event = OutOfMemory(at=ledger.now, peak=kernel.peak, limit=limit)
            ledger.advance(ledger.held(session.execution_id, session.epoch), event)

        with contextlib.suppress(StaleLeaseError):
            await self._desk.commit(work)
        await kernel.stop("out of memory")
        self._nudge()

    def _is_outdated_by(self, schema: str) -> None:
        """The package was upgraded beside this process: what it knows of the store is not all any more."""
        if self.outdated is None:
            self.outdated = (
                f"the store {self._engine.store.url} was upgraded by a newer version of jupyter_flows (its "
                f"schema is {schema} now): this worker takes no more work and hands over what it runs; start "
                "it again"
            )
            logger.error("%s", self.outdated)
        self._desk.is_draining = True
        self._calm.set()


class _Host:
    """A worker, as `Arrivals` see it from other threads."""

    def __init__(self, worker: Worker) -> None:
        self.id = worker.id
        self._worker = worker

    def may_take(self) -> bool:
        worker = self._worker
        return (
            worker._sessions.slots_used < worker.slots
            and not worker._desk.is_draining
            and not worker._is_stopping
            and not worker._neighbours.are_there
        )

    def lease(self) -> datetime:
        return self._worker._lease()

    def commits(self) -> int:
        return self._worker._committer.number

    def begin_soon(self, claim: Claim, number: int, is_news_missing: bool) -> None:
        worker = self._worker
        worker._loop.call_soon_threadsafe(worker._arrived, claim, number, is_news_missing)
