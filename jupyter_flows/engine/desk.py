"""Where kernels are heard: each message becomes a decision in the store, and its answer after the commit.

One task reads each connection, so a kernel's messages are served in order. A message that comes from a
kernel whose execution is not its own any more is refused by the epoch, and the kernel is stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from .. import connectors, protocol
from ..errors import ConflictError, EngineException, ResourceNotFoundError, StaleLeaseError
from ..model import (
    Answer,
    Call,
    Clone,
    Connect,
    Execution,
    ExecutionType,
    FindFlows,
    FlowView,
    RunScript,
    Savepoint,
    StartFlow,
    Status,
)
from ..store import ExecutionFilter, Transaction
from .answers import CANCELLED
from .committer import Chain, Committer, as_internal, is_temporary
from .damage import with_offer
from .events import (
    Begin,
    FlowEnded,
    NotebookOpened,
    NotebookReopened,
    Park,
    Reply,
    StopKernel,
    WaitAbandoned,
    WorkerGone,
)
from .facts import Preparation, error_info, outputs_at
from .flow_source import source_of_text
from .identifiers import new_id
from .kernels import Kernel, Kind
from .ledger import Claim, Decision, Heard, Ledger
from .metrics import Metrics
from .options import with_options
from .service import Engine, exact
from .sessions import Session, Sessions

Result = TypeVar("Result")
_MAKE_A_CHILD = (StartFlow, RunScript, Connect, Clone)
logger = logging.getLogger(__name__)


def _found(flows: list[FlowView], call: FindFlows) -> tuple[FlowView, ...]:
    """Those that the call asks for. Raises ResourceNotFoundError when it asks for one by name or path."""
    name, pattern = call.name, call.pattern
    if name is None:
        return tuple(flow for flow in flows if pattern is None or fnmatchcase(flow.name, pattern))
    found = tuple(flow for flow in flows if name in (flow.name, flow.path))
    if not found:
        raise ResourceNotFoundError(f"there is no flow {name}: `system.flows()` lists them", flow=name)
    return found


class Desk:
    """Serves kernels for a worker. `lease` gives the end of a lease taken now; `on_parked` and `on_free`
    are called when a session parks (and whether it was paused), and when a slot may be free; `on_staying`
    when a kernel's execution ended and it may be used again for that kind.

    `is_draining`: a flow that makes a call is not answered, but handed back to the store.
    """

    def __init__(
        self,
        engine: Engine,
        committer: Committer,
        sessions: Sessions,
        worker_id: str,
        lease: Callable[[], datetime],
        on_parked: Callable[[Session, bool], None],
        on_free: Callable[[], None],
        on_staying: Callable[[Kernel, Kind], None],
        metrics: Metrics,
    ) -> None:
        self._engine = engine
        self._committer = committer
        self._sessions = sessions
        self._worker_id = worker_id
        self._lease = lease
        self._on_parked = on_parked
        self._on_free = on_free
        self._on_staying = on_staying
        self._metrics = metrics
        self.is_draining = False

    def commit(
        self, work: Callable[[Ledger], Result], chain: Chain | None = None, is_link: bool = False
    ) -> asyncio.Future[tuple[Result, int]]:
        """What `work` decided, once committed, and the number of the commit."""

        def write(transaction: Transaction) -> tuple[Result, int]:
            transaction.written_by = self._worker_id
            return work(Ledger(transaction, self._engine.clock())), self._committer.number

        return self._committer.submit(write, chain, is_link)

    # --- kernel to worker ------------------------------------------------------------------------

    async def serve(self, kernel: Kernel, message: protocol.KernelMessage) -> None:
        """Serve one message of a kernel. Never raises for what a kernel says."""
        if isinstance(message, protocol.CallMade):
            await self._call_made(kernel, message)
        elif isinstance(message, protocol.CellsRun):
            await self._cells_run(kernel, message)
        elif isinstance(message, protocol.FetchChunks):
            await self._fetch(kernel, message)
        elif isinstance(message, protocol.Ready):
            if not kernel.is_fresh.done():
                kernel.is_fresh.set_result(None)
        elif isinstance(message, protocol.Ended):
            await self._ended(kernel, message)
        elif isinstance(message, protocol.OpenNotebook):
            await self._open_notebook(kernel, message)
        elif isinstance(message, protocol.Magic):
            await self._magic(kernel, message)

    async def _call_made(self, kernel: Kernel, message: protocol.CallMade) -> None:
        session = self._sessions.of_kernel(kernel)
        if session is None:
            await kernel.stop("this kernel has no execution")
            return
        began = time.time_ns()
        preparation = await self._prepare(session, message.call)
        # A notebook's claim is its connection: after an interrupt it may not have heard of a new epoch.
        epoch = session.epoch if session.is_notebook else message.epoch

        heard = session.heard

        def work(ledger: Ledger) -> Decision:
            if self._committer.is_repeating:
                made = ledger.already_made(session.execution_id, epoch, message.call, preparation)
                if made is not None:
                    return made
            execution = self._held(ledger, session, epoch)
            ledger.transaction.put_chunks(message.chunks)
            ledger.transaction.put_cells(execution.id, message.cells)
            return ledger.call_made(
                execution,
                message.call,
                message.savepoint,
                preparation,
                was_told=message.was_told,
                goes_on=message.goes_on,
                heard=heard,
            )

        committed = self.commit(work, session.ahead, is_link=message.goes_on)
        if message.goes_on:
            session.heard = Heard(preparation.savepoint_id, Answer())
            committed.add_done_callback(lambda done: self._went_on(session, message, began, done))
            return
        try:
            decision, number = await committed
        except StaleLeaseError as error:
            await self._drop(session, str(error))
        except EngineException as error:
            await self._fail(session, message.seq, error)
        except Exception as error:
            logger.exception("a Flow-API call of execution %s failed", session.execution_id)
            await self._fail(session, message.seq, as_internal(error))
        else:
            session.number = number
            session.savepoint_id = decision.execution.savepoint_id
            session.is_exact = message.savepoint is None or message.savepoint.exact
            self._note(session, message, began)
            await self._after_call(session, message.seq, decision)

    def _note(self, session: Session, message: protocol.CallMade, began: int) -> None:
        """For who watches: a call was committed that came at `began` (nanoseconds since 1970)."""
        ended, draft = time.time_ns(), message.savepoint
        self._metrics.savepoint((ended - began) / 1e9, draft.bytes_new if draft is not None else 0)
        if session.trace is not None:
            session.trace.call(message.call, draft, session.savepoint_id, began, ended)

    def _went_on(
        self,
        session: Session,
        message: protocol.CallMade,
        began: int,
        committed: asyncio.Future[tuple[Decision, int]],
    ) -> None:
        """A call that its flow did not wait for is committed. If it cannot be, the flow must not go on."""
        assert session.kernel is not None
        if committed.cancelled():
            return
        if (error := committed.exception()) is not None:
            if isinstance(error, StaleLeaseError):
                logger.info("execution %s: %s", session.execution_id, error)
            session.kernel.lost(f"a call of its flow could not be committed: {error}")
            session.kernel.kill()
            return
        decision, number = committed.result()
        session.number, session.savepoint_id = number, decision.execution.savepoint_id
        session.is_exact = True
        if session.committed_seq == session.told_seq:
            # What else is committed in this moment is told with it.
            asyncio.get_running_loop().call_soon(self._tell_committed, session, decision.execution)
        session.committed_seq = message.seq
        self._note(session, message, began)

    def _tell_committed(self, session: Session, execution: Execution) -> None:
        assert session.kernel is not None
        session.told_seq = session.committed_seq
        session.kernel.tell(
            protocol.Committed(seq=session.told_seq, may_go_on=self._may_go_on(session, execution))
        )

    def _may_go_on(self, session: Session, execution: Execution | None) -> bool:
        """Whether the flow may make calls without waiting for them: nobody wants anything of it."""
        return not session.is_notebook and execution is not None and self._is_undisturbed(execution)

    def _is_undisturbed(self, execution: Execution) -> bool:
        return not self.is_draining and execution.wish is None and execution.joining is None

    async def _after_call(self, session: Session, seq: int, decision: Decision) -> None:
        if stop := decision.first(StopKernel):
            await self._drop(session, stop.reason)
        elif decision.first(Park):
            session.waiting_seq = seq
            self._on_parked(session, decision.execution.status is Status.PAUSED)
            self._on_free()
        elif self.is_draining and not session.is_notebook:
            await self._hand_over(session)
        elif reply := decision.first(Reply):
            await self.answer(session, seq, reply.answer, decision.execution)

    async def answer(
        self, session: Session, seq: int, answer: Answer, execution: Execution | None = None
    ) -> None:
        """The outcome of a call; `execution` as it is now, if its flow is to go on ahead of its commits."""
        if session.savepoint_id is not None:
            session.heard = Heard(session.savepoint_id, answer)
        await self._tell(session, seq, answer, execution)

    async def _tell(
        self, session: Session, seq: int, answer: Answer, execution: Execution | None = None
    ) -> None:
        assert session.kernel is not None
        await session.kernel.send(
            protocol.Answered(
                seq=seq,
                answer=answer,
                epoch=session.epoch,
                savepoint_id=session.savepoint_id,
                may_go_on=self._may_go_on(session, execution),
            )
        )

    async def _hand_over(self, session: Session) -> None:
        """Its call is committed: whoever claims it next joins it there."""
        with contextlib.suppress(StaleLeaseError):
            await self.commit(
                lambda ledger: ledger.advance(
                    ledger.held(session.execution_id, session.epoch), WorkerGone(at=ledger.now)
                )
            )
        await self._drop(session, "the worker stops")

    async def _fail(self, session: Session, seq: int, error: EngineException) -> None:
        """The call was not recorded: where the flow stands, and what it was told there, is as before."""
        await self._tell(session, seq, Answer(error=error_info(error)))

    async def _drop(self, session: Session, reason: str) -> None:
        """The execution is not this kernel's any more."""
        self._sessions.remove(session)
        if session.kernel is not None:
            await session.kernel.stop(reason)
        self._on_free()

    def _held(self, ledger: Ledger, session: Session, epoch: int) -> Execution:
        if not session.is_notebook:
            return ledger.held(session.execution_id, epoch)
        execution = ledger.execution(session.execution_id)
        waits_here = execution.epoch == epoch and execution.worker_id == self._worker_id
        if waits_here and execution.status in (Status.WAITING, Status.QUEUED):
            # Its person interrupted the wait and goes on with something else.
            abandoned = WaitAbandoned(at=ledger.now, lease_until=self._lease())
            execution = ledger.advance(execution, abandoned).execution
        return ledger.held(session.execution_id, epoch)

    async def _prepare(self, session: Session, call: Call) -> Preparation:
        """Read the flow to be started, outside of the transaction."""
        plain = Preparation(
            savepoint_id=new_id(),
            child_id=new_id() if isinstance(call, _MAKE_A_CHILD) else "",
            stood_at=session.savepoint_id,
        )
        try:
            if isinstance(call, StartFlow):
                source = await asyncio.to_thread(self._engine.library.read, call.flow, session.directory)
                options = with_options(source.options, call.options)
                return replace(plain, source=source, options=options)
            if isinstance(call, RunScript):
                source = source_of_text(call.text, call.name or "script", session.directory)
                return replace(plain, source=source, options=with_options(source.options, call.options))
            if isinstance(call, FindFlows):
                flows = await asyncio.to_thread(self._engine.library.flows)
                return replace(plain, flows=_found(flows, call))
            if isinstance(call, Connect):
                await asyncio.to_thread(connectors.find, call.connector_type)
        except EngineException as error:
            return replace(plain, error=error_info(error))
        except Exception as error:
            logger.exception("a call of execution %s could not be prepared", session.execution_id)
            return replace(plain, error=error_info(as_internal(error)))
        return plain

    async def _cells_run(self, kernel: Kernel, message: protocol.CellsRun) -> None:
        session = self._sessions.of_kernel(kernel)
        if session is None:
            return

        def work(ledger: Ledger) -> None:
            execution = ledger.execution(session.execution_id)
            if execution.epoch == session.epoch:
                ledger.transaction.put_cells(execution.id, message.cells, message.replaces_all)

        try:
            await self.commit(work)
        except EngineException as error:
            logger.warning("outputs of execution %s were not kept: %s", session.execution_id, error)

    async def _fetch(self, kernel: Kernel, message: protocol.FetchChunks) -> None:
        def read() -> dict[str, bytes]:
            with self._engine.store.reading() as transaction:
                return transaction.read_chunks(message.hashes)

        chunks: dict[str, bytes] = {}
        pause = 0.05
        while not kernel.gone.done():
            try:
                chunks = await asyncio.to_thread(read)
                break
            except EngineException as error:
                # A database that is away for a while has not lost them.
                logger.warning("chunks could not be read: %s", error)
                if not is_temporary(error):
                    break
                await asyncio.sleep(pause)
                pause = min(2 * pause, 2.0)
        await kernel.send(protocol.Chunks(seq=message.seq, chunks=chunks))

    async def _ended(self, kernel: Kernel, message: protocol.Ended) -> None:
        session = self._sessions.of_kernel(kernel)
        if session is None:
            await kernel.stop("this kernel has no execution")
            return
        epoch = session.epoch if session.is_notebook else message.epoch
        ended_with, told = message.error, message.message
        if ended_with is not None:
            ended_with = await asyncio.to_thread(with_offer, self._engine.store, ended_with)
            if ended_with is not message.error and ended_with is not None:
                told = f"{ended_with.type}: {ended_with.message}"

        def work(ledger: Ledger) -> None:
            execution = self._held(ledger, session, epoch)
            ledger.transaction.put_cells(execution.id, message.cells)
            event = FlowEnded(at=ledger.now, status=message.status, message=told, error=ended_with)
            ledger.advance(execution, event)

        try:
            await self.commit(work, session.ahead)
        except StaleLeaseError as error:
            await self._drop(session, str(error))
            return
        except EngineException as error:
            await kernel.send(protocol.Acknowledged(seq=message.seq, error=error_info(error)))
            return
        if session.trace is not None:
            session.trace.end(message.status.value)
        self._sessions.remove(session)
        await kernel.send(protocol.Acknowledged(seq=message.seq))
        if message.may_stay and session.kind:
            self._on_staying(kernel, session.kind)
        self._on_free()
        if not message.may_stay:
            await kernel.leave()

    async def _magic(self, kernel: Kernel, message: protocol.Magic) -> None:
        if message.action == "offer" and message.error is not None:
            offered = await asyncio.to_thread(with_offer, self._engine.store, message.error)
            text = (offered or message.error).message
            await kernel.send(protocol.Acknowledged(seq=message.seq, result=text))
            return
        if message.action != "list":
            error = error_info(ResourceNotFoundError(f"the worker does not know {message.action!r}"))
            await kernel.send(protocol.Acknowledged(seq=message.seq, error=error))
            return
        flows = await asyncio.to_thread(self._engine.flows)
        await kernel.send(protocol.Acknowledged(seq=message.seq, result=msgspec.to_builtins(flows)))

    # --- worker to kernel ------------------------------------------------------------------------

    def begin_of(self, claim: Claim) -> protocol.Begin:
        """What a kernel must be told to run it."""
        execution, stands_at = claim.execution, claim.stands_at
        resume = None
        if stands_at is not None:
            resume = protocol.Resume(
                savepoint_id=stands_at.id,
                mode=claim.begin.mode,
                call=stands_at.call,
                draft=stands_at.draft,
                answer=claim.begin.answer,
                previous=claim.previous,
                chunks=claim.chunks,
            )
        return protocol.Begin(
            execution_id=execution.id,
            name=execution.name,
            parent_id=execution.parent_id,
            epoch=execution.epoch,
            source=claim.source,
            inputs=execution.inputs,
            chunk_directory=self._engine.store.chunk_directory,
            resume=resume,
            cells=claim.cells,
            was_told=execution.cancel_savepoint_id is not None
            and (claim.begin.answer is None or claim.begin.answer.error != CANCELLED.error),
            may_go_on=execution.type is ExecutionType.FLOW and self._is_undisturbed(execution),
        )

    # --- notebooks -------------------------------------------------------------------------------

    async def _open_notebook(self, kernel: Kernel, message: protocol.OpenNotebook) -> None:
        before = self._sessions.of_kernel(kernel)

        def work(ledger: Ledger) -> Claim:
            if message.savepoint_id is None:
                claim = self._new_notebook(ledger, message.path)
            else:
                claim = self._restored_notebook(ledger, message.savepoint_id, before)
            if before is not None and before.execution_id != claim.execution.id:
                self._close_notebook(ledger, before)
            return claim

        try:
            claim, number = await self.commit(work)
        except EngineException as error:
            await kernel.send(protocol.Opened(seq=message.seq, error=error_info(error)))
            return
        if before is not None:
            self._sessions.remove(before)
        execution = claim.execution
        self._sessions.add(
            Session(
                execution_id=execution.id,
                type=execution.type,
                directory=execution.directory,
                epoch=execution.epoch,
                savepoint_id=execution.savepoint_id,
                number=number,
                kernel=kernel,
            )
        )
        await kernel.send(protocol.Opened(seq=message.seq, begin=self.begin_of(claim)))

    def _new_notebook(self, ledger: Ledger, path: str) -> Claim:
        """The notebook's execution: the one that its last kernel left, or a new one."""
        file = PurePath(path)
        is_file = file.suffix == ".ipynb"
        flow = self._flow_name(path) if is_file else None
        directory = str(file.parent if is_file else file) if path else ""
        directory = os.path.abspath(directory or str(self._engine.library.root))
        if flow is not None and (left := self._left_notebook(ledger, flow, directory)):
            event = NotebookReopened(at=ledger.now, worker_id=self._worker_id, lease_until=self._lease())
            decision = ledger.advance(left, event)
            return Claim(execution=decision.execution, begin=decision.first(Begin))
        execution = Execution(
            id=new_id(),
            type=ExecutionType.NOTEBOOK,
            flow=flow,
            flow_version=None,
            name=file.stem if is_file else "notebook",
            directory=directory,
            status=Status.RUNNING,
            created_at=ledger.now,
            started_at=ledger.now,
            worker_id=self._worker_id,
            lease_until=self._lease(),
            epoch=1,
        )
        ledger.insert(execution)
        return Claim(execution=execution, begin=Begin(savepoint_id=None, mode=execution.resume_mode))

    def _left_notebook(self, ledger: Ledger, flow: str, directory: str) -> Execution | None:
        wanted = ExecutionFilter(type=ExecutionType.NOTEBOOK, status=Status.PAUSED, flow=flow, limit=1)
        for view in ledger.transaction.views(wanted).executions:
            left = ledger.execution(view.id)
            if left.directory == directory and left.status is Status.PAUSED:
                return left
        return None

    def _flow_name(self, path: str) -> str:
        name = os.path.relpath(path, self._engine.library.root) if os.path.isabs(path) else path
        return name.removesuffix(".ipynb")

    def _restored_notebook(self, ledger: Ledger, ref: str, before: Session | None) -> Claim:
        savepoint: Savepoint = exact(ledger, self._resolved(ledger, ref, before))
        execution = ledger.execution(savepoint.execution_id)
        holder = self._sessions.get(execution.id)
        is_elsewhere = execution.worker_id not in (None, self._worker_id) and not execution.status.is_final
        if is_elsewhere or (holder is not None and holder is not before):
            raise ConflictError(
                f"execution {execution.id} runs in another kernel: shut that one down first",
                execution_id=execution.id,
            )
        event = NotebookOpened(
            at=ledger.now,
            worker_id=self._worker_id,
            lease_until=self._lease(),
            savepoint_id=savepoint.id,
            outputs=outputs_at(ledger.transaction, savepoint),
        )
        decision = ledger.advance(execution, event)
        return Claim(execution=decision.execution, begin=decision.first(Begin), stands_at=savepoint)

    def _resolved(self, ledger: Ledger, ref: str, before: Session | None) -> str:
        """A savepoint's id from: itself, a name in this notebook's execution, or an execution's id."""
        if ledger.transaction.savepoint(ref) is not None:
            return ref
        if before is not None:
            named = ledger.transaction.savepoint_by_name(before.execution_id, ref)
            if named is not None:
                return named.id
        execution = ledger.transaction.execution(ref)
        if execution is not None and execution.savepoint_id is not None:
            return execution.savepoint_id
        raise ResourceNotFoundError(
            f"there is no savepoint {ref}: give the id or name that `%flow savepoints` shows",
            savepoint_id=ref,
        )

    def _close_notebook(self, ledger: Ledger, session: Session) -> None:
        execution = ledger.execution(session.execution_id)
        if execution.worker_id == self._worker_id and not execution.status.is_final:
            ledger.advance(execution, WorkerGone(at=ledger.now))

    async def notebook_gone(self, session: Session) -> None:
        """Its kernel was shut down or restarted."""
        if self._sessions.remove(session):
            await self.commit(lambda ledger: self._close_notebook(ledger, session))
