"""Decisions of `machine`, carried out in one transaction.

A ledger lives as long as its transaction. It reads what an event must know, asks the machine, writes the
new execution and carries out the instructions for the store, those that concern other executions included
(a child's end wakes its parent, a cancelled parent cancels its children). Instructions for the worker come
back and are for after the commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from ..errors import ConflictError, ResourceNotFoundError, SavepointError, StaleLeaseError
from ..model import (
    Answer,
    Call,
    CellOutput,
    Execution,
    ExecutionType,
    FlowSource,
    ResumeMode,
    Savepoint,
    SavepointDraft,
    Status,
)
from ..store import Transaction
from . import machine
from .answers import CANCELLED, outcome
from .call_rules import wait_at
from .events import (
    Admitted,
    AppendLog,
    Archived,
    ArchiveOther,
    AwaitedEnded,
    Begin,
    CallMade,
    CancelChildren,
    CancelOther,
    CancelWished,
    Claimed,
    CountRestore,
    Deleted,
    DeleteExecution,
    DeleteOther,
    DeleteSavepoints,
    EndWait,
    Event,
    Facts,
    ForgetCells,
    HeldBack,
    InsertExecution,
    InsertSavepoint,
    Instruction,
    LockGranted,
    Park,
    PauseOther,
    PauseWished,
    ReleaseLock,
    ReleaseLocks,
    ReleasePermits,
    RemoveFile,
    RemoveSetting,
    Reply,
    Run,
    RunOther,
    RuntimeOver,
    SaveOther,
    SeekPermit,
    StartWait,
    StopKernel,
    TakeLock,
    TimerRang,
    WakeWaiters,
    WorkerGone,
    WriteFile,
    WriteSetting,
)
from .facts import Preparation, gather, same_call
from .limits import limits_of

#: Every so many savepoints one keeps the outputs so far (see `facts.outputs_at`).
OUTPUTS_EVERY = 128


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """The execution as it was written, and what is left to do for the worker."""

    execution: Execution
    instructions: list[Instruction]

    def first(self, kind: type[Any]) -> Any:
        return next((one for one in self.instructions if isinstance(one, kind)), None)


class Heard(NamedTuple):
    """The answer that a flow was given to the call of a savepoint."""

    savepoint_id: str
    answer: Answer


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """An execution that this worker now runs, with all that a kernel needs to begin."""

    execution: Execution
    begin: Begin
    stands_at: Savepoint | None = None
    source: FlowSource | None = None
    previous: FlowSource | None = None  # that of the savepoint, where it is another one
    cells: tuple[CellOutput, ...] = ()
    chunks: dict[str, bytes] = {}  # small ones of the savepoint


class Ledger:
    """`now` is the time of all decisions of this transaction."""

    def __init__(self, transaction: Transaction, now: datetime) -> None:
        self.transaction = transaction
        self.now = now
        self._known: dict[str, Execution] = {}

    def execution(self, execution_id: str) -> Execution:
        """Locked, as it is now. Raises ResourceNotFoundError."""
        found = self.transaction.execution(execution_id, lock=True)
        if found is None:
            raise ResourceNotFoundError(
                f"there is no execution {execution_id}: it was deleted, or the id is wrong",
                execution_id=execution_id,
            )
        return found

    def savepoint(self, savepoint_id: str) -> Savepoint:
        """Raises ResourceNotFoundError."""
        found = self.transaction.savepoint(savepoint_id)
        if found is None:
            raise ResourceNotFoundError(
                f"there is no savepoint {savepoint_id}: its execution was archived, or the id is wrong",
                savepoint_id=savepoint_id,
            )
        return found

    def held(self, execution_id: str, epoch: int) -> Execution:
        """The execution, if the claim with this epoch still holds. Raises StaleLeaseError if not."""
        found = self.execution(execution_id)
        if found.epoch != epoch or found.status is not Status.RUNNING:
            raise StaleLeaseError(
                f"execution {execution_id} is not yours any more: it is {found.status} with epoch "
                f"{found.epoch}, and this came with epoch {epoch}",
                execution_id=execution_id,
            )
        return found

    def advance(self, execution: Execution, event: Event) -> Decision:
        """Decide, write and carry out."""
        after, instructions = machine.handle(execution, event)
        if after is not execution:
            self.transaction.update_execution(after, epoch=execution.epoch)
        self._known[after.id] = after
        for_worker = [one for one in instructions if not self._carried_out(after, one)]
        return Decision(execution=after, instructions=for_worker)

    def _carried_out(self, execution: Execution, instruction: Instruction) -> bool:
        """Do what concerns the store; False for what concerns the worker."""
        carry_out = _FOR_STORE.get(type(instruction))
        if carry_out is None:
            return False
        carry_out(self, execution, instruction)
        return True

    # --- calls

    def call_made(
        self,
        execution: Execution,
        call: Call,
        draft: SavepointDraft | None,
        preparation: Preparation,
        *,
        was_told: bool = False,
        goes_on: bool = False,
        heard: Heard | None = None,
    ) -> Decision:
        """A Flow-API call of a held execution; without a draft the state is that of its savepoint.

        `was_told`: its kernel raised ExecutionCancel in the flow before. `goes_on`: the flow does not wait
        for the answer. `heard`: what it was told last.
        """
        if draft is None:
            if execution.savepoint_id is None:
                raise SavepointError(
                    f"execution {execution.id} made a call without a savepoint, and stands at none",
                    execution_id=execution.id,
                )
            draft = self.savepoint(execution.savepoint_id).draft
        number = self.transaction.next_savepoint_number(execution.id)
        draft = replace(draft, outputs=None if number % OUTPUTS_EVERY else execution.outputs)
        is_kept = not draft.exact and heard is not None and heard.savepoint_id == execution.savepoint_id
        savepoint = Savepoint(
            id=preparation.savepoint_id,
            execution_id=execution.id,
            parent_id=execution.savepoint_id,
            number=number,
            created_at=self.now,
            call=call,
            draft=draft,
            heard=heard.answer if heard is not None and is_kept else None,
        )
        joins, told = self._recorded(execution, call)
        facts = gather(
            self.transaction,
            execution,
            call,
            at=self.now,
            effect_ids=joins.effect_ids if joins else (),
            preparation=None if joins else preparation,
        )
        if facts.child is not None and preparation.source is not None:  # a clone's is there already
            self.transaction.put_flow_version(preparation.source)
        self._known |= facts.others
        event = CallMade(
            at=self.now,
            call=call,
            savepoint=savepoint,
            facts=facts,
            joins=joins,
            heard=told,
            was_told=was_told,
            goes_on=goes_on,
        )
        return self.advance(execution, event)

    def already_made(
        self, execution_id: str, epoch: int, call: Call, preparation: Preparation
    ) -> Decision | None:
        """What was decided for this call, if its transaction was committed and only the word of it lost.

        A new call is known by its savepoint; one that was joined by where its execution stands now.
        """
        execution = self.execution(execution_id)
        savepoint = self.transaction.savepoint(preparation.savepoint_id)
        if savepoint is None:
            stands_at = execution.savepoint_id
            if execution.epoch != epoch or stands_at is None or stands_at == preparation.stood_at:
                return None
            savepoint = self.savepoint(stands_at)
            if not same_call(savepoint.call, call):
                return None
        instructions: list[Instruction] = []
        if execution.savepoint_id != savepoint.id or execution.epoch != epoch:
            instructions.append(StopKernel(reason="the execution goes on from another savepoint"))
        elif execution.status is not Status.RUNNING:
            instructions.append(Park())
        elif execution.cancel_savepoint_id == savepoint.id:
            instructions.append(Reply(answer=CANCELLED))
        else:
            facts = gather(
                self.transaction, execution, savepoint.call, at=self.now, effect_ids=savepoint.effect_ids
            )
            answer = outcome(
                savepoint.call,
                facts,
                effect_ids=savepoint.effect_ids,
                error=savepoint.error,
                wait=wait_at(savepoint),
                at=self.now,
            )
            instructions.append(Park() if answer is None else Reply(answer=answer))
        return Decision(execution=execution, instructions=instructions)

    def _recorded(self, execution: Execution, call: Call) -> tuple[Savepoint | None, Answer | None]:
        """The savepoint that this same call made before the crash, if it comes next in the branch, and what
        was answered."""
        following, second = self._following(execution.savepoint_id, execution.joining)
        if following is None or not same_call(following.call, call):
            return None, None
        return following, self._heard(second)

    def _following(
        self, savepoint_id: str | None, newest: str | None
    ) -> tuple[Savepoint | None, Savepoint | None]:
        """The next two savepoints in the branch that ends with `newest`."""
        first: Savepoint | None = None
        second: Savepoint | None = None
        for savepoint in self.transaction.branch(newest) if newest is not None else ():
            if savepoint.id == savepoint_id:
                break
            first, second = savepoint, first
        return first, second

    def _heard(self, following: Savepoint | None) -> Answer | None:
        """What the flow was told before it made the call of this savepoint."""
        return None if following is None else self.savepoint(following.id).heard

    # --- what is due

    def claim(
        self,
        worker_id: str,
        lease_until: datetime,
        types: Sequence[ExecutionType],
        limit: int,
        is_kept: Callable[[Execution], bool],
    ) -> list[Claim]:
        """Claim what is due, oldest first. `is_kept` says whether its kernel still waits here."""
        claims = []
        for execution in self.transaction.claimable(worker_id, types, limit, self.now):
            in_place = is_kept(execution)
            stands_at, joining = self._stands_at(execution, in_place)
            heard = None
            if stands_at is not None and execution.resume_mode is ResumeMode.JOIN:
                heard = self._heard(self._following(stands_at.id, joining or execution.joining)[0])
            event = Claimed(
                at=self.now,
                worker_id=worker_id,
                lease_until=lease_until,
                stands_at=stands_at,
                facts=self._facts_again(execution, stands_at),
                joining=joining,
                in_place=in_place,
                heard=heard,
                is_untold=joining is not None and self._is_untold(execution, stands_at),
            )
            decision = self.advance(execution, event)
            begin = decision.first(Begin)
            if begin is not None:
                claims.append(self.prepared(decision.execution, begin, stands_at, in_place))
        return claims

    def prepared(
        self, execution: Execution, begin: Begin, stands_at: Savepoint | None, in_place: bool = False
    ) -> Claim:
        """With the source and cells that a kernel must be given, unless one waits with them."""
        if in_place or execution.type is ExecutionType.CONNECTION:
            return Claim(execution=execution, begin=begin, stands_at=stands_at)
        source = self._source(execution, execution.flow_version)
        made_under = stands_at.draft.flow_version if stands_at is not None else None
        is_moving = made_under is not None and made_under != execution.flow_version
        return Claim(
            execution=execution,
            begin=begin,
            stands_at=stands_at,
            source=source,
            previous=self._source(execution, made_under) if is_moving else None,
            cells=self.transaction.cells(execution.id),
            chunks=self.transaction.small_chunks(stands_at.draft.chunks) if stands_at is not None else {},
        )

    def _source(self, execution: Execution, version: str | None) -> FlowSource | None:
        if version is None:
            return None
        source = self.transaction.flow_version(version, execution.flow or "")
        return None if source is None else replace(source, directory=execution.directory)

    def _stands_at(self, execution: Execution, in_place: bool) -> tuple[Savepoint | None, str | None]:
        """Where it goes on, and what is to be joined from there: an inexact savepoint cannot be resumed."""
        if execution.savepoint_id is None:
            return None, execution.joining
        stands_at = self.savepoint(execution.savepoint_id)
        if in_place or stands_at.draft.exact:
            return stands_at, None
        branch = self.transaction.branch(stands_at.id)
        exact = next((one.id for one in branch if one.draft.exact), None)
        return (self.savepoint(exact) if exact else None), execution.joining or stands_at.id

    def _is_untold(self, execution: Execution, stands_at: Savepoint | None) -> bool:
        """Whether it heard of its cancellation where it goes on from, or later: it must hear of it again."""
        told_at = execution.cancel_savepoint_id
        if stands_at is None or told_at is None or execution.savepoint_id is None:
            return True
        for savepoint in self.transaction.branch(execution.savepoint_id):
            if savepoint.id == told_at:
                return True
            if savepoint.id == stands_at.id:
                return False
        return True

    def _facts_again(self, execution: Execution, stands_at: Savepoint | None) -> Facts:
        if stands_at is None or execution.resume_mode is ResumeMode.AGAIN or stands_at.error is not None:
            return Facts()
        facts = gather(
            self.transaction, execution, stands_at.call, at=self.now, effect_ids=stands_at.effect_ids
        )
        self._known |= facts.others
        return facts

    def ring_timers(self, limit: int) -> None:
        for execution in self.transaction.timers_due(self.now, limit):
            self.advance(execution, TimerRang(at=self.now))
        for execution in self.transaction.runtimes_over(self.now, limit):
            self.advance(execution, RuntimeOver(at=self.now))

    def give_up(self, worker_ids: Sequence[str]) -> None:
        """Set free what dead workers hold."""
        for execution in self.transaction.held_executions(worker_ids) if worker_ids else ():
            self.advance(execution, WorkerGone(at=self.now))
        for worker_id in worker_ids:
            self.transaction.delete_worker(worker_id)

    def reap_expired(
        self, own_id: str, limit: int, is_over: Callable[[Execution], bool] = lambda _: True
    ) -> None:
        """Set free what others let expire by the calendar, if `is_over` says so too. A worker trusts its own
        claims: it checks them itself."""
        for execution in self.transaction.expired(self.now, limit):
            if execution.worker_id != own_id and is_over(execution):
                self.advance(execution, WorkerGone(at=self.now))

    # --- instructions for the store

    def _insert_savepoint(self, _: Execution, instruction: InsertSavepoint) -> None:
        self.transaction.insert_savepoint(instruction.savepoint)

    def insert(self, execution: Execution) -> None:
        self.transaction.insert_execution(execution)
        self._known[execution.id] = execution
        if execution.status is Status.QUEUED:
            self._seek_permit(execution)

    def insert_claimed(
        self, execution: Execution, source: FlowSource, worker_id: str, lease_until: datetime
    ) -> Claim:
        """Insert a queued execution that nothing limits as claimed already: one write instead of two."""
        event = Claimed(at=self.now, worker_id=worker_id, lease_until=lease_until)
        after, (begin,) = machine.handle(execution, event)
        assert isinstance(begin, Begin)
        self.transaction.insert_execution(after)
        self._known[after.id] = after
        return Claim(execution=after, begin=begin, source=replace(source, directory=after.directory))

    def _insert_execution(self, _: Execution, instruction: InsertExecution) -> None:
        self.insert(instruction.execution)

    def _start_wait(self, execution: Execution, instruction: StartWait) -> None:
        known = (self._known.get(one) for one in instruction.execution_ids)
        open_ones = [one.id for one in known if one and not one.status.is_final]
        self.transaction.put_waits(execution.id, open_ones)
        if instruction.lock is not None:
            self.transaction.queue_for_lock(instruction.lock, execution.id)

    def _end_wait(self, execution: Execution, instruction: EndWait) -> None:
        self.transaction.end_waits(execution.id)
        if instruction.is_for_lock:
            self.transaction.leave_lock_queue(execution.id)

    def _wake_waiters(self, execution: Execution, instruction: WakeWaiters) -> None:
        for waiter in self.transaction.waiters(execution.id):
            left = self.transaction.end_wait(waiter.id, execution.id)
            event = AwaitedEnded(at=self.now, status=instruction.status, others_left=left > 0)
            self.advance(waiter, event)

    def _cancel_children(self, execution: Execution, _: CancelChildren) -> None:
        for child in self.transaction.open_children(execution.id):
            if not child.is_orphan:
                self._cancel(child)

    def _cancel_other(self, _: Execution, instruction: CancelOther) -> None:
        self._cancel(self.execution(instruction.execution_id))

    def _cancel(self, execution: Execution) -> None:
        if not execution.status.is_final:
            self.advance(execution, CancelWished(at=self.now))

    def _pause_other(self, _: Execution, instruction: PauseOther) -> None:
        self.advance(self.execution(instruction.execution_id), PauseWished(at=self.now))

    def _archive_other(self, _: Execution, instruction: ArchiveOther) -> None:
        self.advance(self.execution(instruction.execution_id), Archived(at=self.now))

    def _delete_other(self, _: Execution, instruction: DeleteOther) -> None:
        self.advance(self.execution(instruction.execution_id), Deleted(at=self.now))

    def _delete_savepoints(self, execution: Execution, _: DeleteSavepoints) -> None:
        self.transaction.delete_savepoints(execution.id)

    def _delete_execution(self, execution: Execution, _: DeleteExecution) -> None:
        for child in self.transaction.children(execution.id):
            if not child.status.is_final:
                raise ConflictError(
                    f"execution {execution.id} cannot be deleted: its child {child.id} ({child.name}) is "
                    f"{child.status}; cancel that first",
                    execution_id=child.id,
                )
            self.advance(child, Deleted(at=self.now))
        self.transaction.delete_execution(execution.id)

    def _forget_cells(self, execution: Execution, _: ForgetCells) -> None:
        self.transaction.put_cells(execution.id, (), replaces_all=True)

    # --- limits

    def _seek_permit(self, execution: Execution, _: SeekPermit | None = None) -> None:
        limits = limits_of(execution)
        if not limits:
            return
        for name, most in limits:
            if not self.transaction.has_permit(name, execution.id) and self.transaction.permits(name) >= most:
                self.advance(execution, HeldBack(at=self.now, limit=name))
                return
        self.transaction.put_permits(execution.id, [name for name, _ in limits])
        if execution.held_back is not None:
            self.advance(execution, Admitted(at=self.now))

    def _release_permits(self, execution: Execution, _: ReleasePermits) -> None:
        self.transaction.release_permits(execution.id)
        for name, _most in limits_of(execution):
            while (following := self.transaction.next_held_back(name)) is not None:
                self._seek_permit(following)
                if self.transaction.execution(following.id, lock=True) == following:
                    break  # it is held back as before

    # --- settings, locks, files

    def _take_lock(self, execution: Execution, instruction: TakeLock) -> None:
        self.transaction.take_lock(instruction.name, execution.id, self.now)

    def _release_lock(self, execution: Execution, instruction: ReleaseLock) -> None:
        if not self.transaction.release_lock(instruction.name, execution.id):
            return
        following = self.transaction.next_in_lock_queue(instruction.name)
        if following is not None:
            self.transaction.take_lock(instruction.name, following.id, self.now)
            self.advance(following, LockGranted(at=self.now))

    def _release_locks(self, execution: Execution, _: ReleaseLocks) -> None:
        for name in self.transaction.locks_of(execution.id):
            self._release_lock(execution, ReleaseLock(name=name))

    def _write_setting(self, execution: Execution, instruction: WriteSetting) -> None:
        self.transaction.put_setting(instruction.name, instruction.value, self.now, execution.id)

    def _remove_setting(self, _: Execution, instruction: RemoveSetting) -> None:
        self.transaction.delete_setting(instruction.name)

    def _write_file(self, execution: Execution, instruction: WriteFile) -> None:
        self.transaction.put_file(
            instruction.name, instruction.content, instruction.size, self.now, execution.id
        )

    def _remove_file(self, _: Execution, instruction: RemoveFile) -> None:
        self.transaction.delete_file(instruction.name)

    def _run_other(self, _: Execution, instruction: RunOther) -> None:
        self.advance(self.execution(instruction.execution_id), Run(at=self.now))

    def _save_other(self, _: Execution, instruction: SaveOther) -> None:
        other = self.execution(instruction.execution_id)
        self.transaction.update_execution(replace(other, **instruction.fields), epoch=other.epoch)

    def _append_log(self, execution: Execution, instruction: AppendLog) -> None:
        self.transaction.append_log(
            execution.id, self.now, instruction.level, instruction.text, instruction.fields
        )

    def _count_restore(self, _: Execution, instruction: CountRestore) -> None:
        self.transaction.count_restore(instruction.savepoint_id)


_FOR_STORE: dict[type[Any], Callable[[Ledger, Execution, Any], None]] = {
    InsertSavepoint: Ledger._insert_savepoint,
    InsertExecution: Ledger._insert_execution,
    StartWait: Ledger._start_wait,
    EndWait: Ledger._end_wait,
    WakeWaiters: Ledger._wake_waiters,
    CancelChildren: Ledger._cancel_children,
    CancelOther: Ledger._cancel_other,
    RunOther: Ledger._run_other,
    PauseOther: Ledger._pause_other,
    ArchiveOther: Ledger._archive_other,
    DeleteOther: Ledger._delete_other,
    DeleteSavepoints: Ledger._delete_savepoints,
    DeleteExecution: Ledger._delete_execution,
    ForgetCells: Ledger._forget_cells,
    SeekPermit: Ledger._seek_permit,
    ReleasePermits: Ledger._release_permits,
    TakeLock: Ledger._take_lock,
    ReleaseLock: Ledger._release_lock,
    ReleaseLocks: Ledger._release_locks,
    WriteSetting: Ledger._write_setting,
    RemoveSetting: Ledger._remove_setting,
    WriteFile: Ledger._write_file,
    RemoveFile: Ledger._remove_file,
    SaveOther: Ledger._save_other,
    AppendLog: Ledger._append_log,
    CountRestore: Ledger._count_restore,
}
