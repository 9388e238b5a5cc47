"""Hours of an engine in seconds: seeded schedules of calls, crashes, wishes and restores on a real store.

The world is small and exact: workers claim and die, kernels make calls from a script and die, timers
ring, people cancel, pause and restore, and now and then an answer or a whole transaction is lost. After
every step nothing may be that must never be; at the end every execution has ended, once.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jupyter_flows.engine.events import (
    CancelWished,
    Evicted,
    FlowEnded,
    KernelDied,
    PauseWished,
    Reply,
    Restored,
    Run,
)
from jupyter_flows.engine.facts import Preparation, new_execution, outputs_at
from jupyter_flows.engine.ledger import Claim, Ledger
from jupyter_flows.engine.machine import violations
from jupyter_flows.errors import ConflictError, StaleLeaseError
from jupyter_flows.model import (
    Answer,
    Call,
    Cell,
    CellKind,
    CreateSavepoint,
    Execution,
    ExecutionType,
    FlowKind,
    FlowSource,
    Log,
    ResumeMode,
    SavepointDraft,
    SavepointKind,
    SetOutput,
    Site,
    Sleep,
    StartFlow,
    Status,
    Value,
    WaitFor,
)
from jupyter_flows.store import ExecutionFilter, Store, open_store

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LEASE = timedelta(seconds=30)
SOURCE = FlowSource(
    name="flow",
    path="flow.py",
    directory="/flows",
    kind=FlowKind.SCRIPT,
    cells=(Cell(id="a", kind=CellKind.CODE, source=""),),
    digest="d",
)


class Lost(Exception):
    """The process died in the middle of a transaction."""


class Kernel:
    """Where a kernel is in its script. Its snapshot is its position."""

    def __init__(self, claim: Claim) -> None:
        self.id, self.epoch = claim.execution.id, claim.execution.epoch
        self.depth = int(claim.execution.inputs["depth"].json)
        self.position = 0
        self.children: list[str] = []
        self.signal: Status | None = None
        if claim.stands_at is not None:
            position, *self.children = claim.stands_at.draft.manifest.decode().split()
            self.position = int(position)
            if claim.begin.mode is ResumeMode.JOIN:
                assert claim.begin.answer is not None
                self.hear(claim.begin.answer)
            elif isinstance(claim.stands_at.call, CreateSavepoint):
                self.hear(Answer())

    def hear(self, answer: Answer) -> None:
        self.position += 1
        if answer.error is not None and answer.error.type == "ExecutionCancel":
            self.signal = Status.ENDED_CANCELLED
        elif answer.executions and len(self.children) < 2 and self.position <= 3:
            self.children.append(answer.executions[0].id)

    def next_call(self) -> Call | None:
        if self.signal is not None or self.position > 6:
            return None
        script: list[Call] = [
            SetOutput(outputs={"at": Value(json=0)}),
            StartFlow(flow="flow", wait=False) if self.depth else Log(text="leaf"),
            StartFlow(flow="flow", wait=False) if self.depth else Sleep(seconds=7),
            CreateSavepoint(name="middle"),
            WaitFor(execution_ids=tuple(self.children), timeout=500) if self.children else Sleep(seconds=40),
            SetOutput(outputs={"at": Value(json=1)}),
            Log(text="end"),
        ]
        return script[self.position]

    def draft(self) -> SavepointDraft:
        state = " ".join([str(self.position), *self.children]).encode()
        is_exact = self.position != 2
        return SavepointDraft(
            kind=SavepointKind.IMPLICIT, site=Site(), manifest=state, chunks=(), exact=is_exact
        )


class World:
    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.chance = random.Random(seed)
        self.now = NOON
        self.count = 0
        self.workers = ["w1", "w2"]
        #: What each worker believes it runs. A worker that was cut off believes it still.
        self.kernels: dict[tuple[str, str], Kernel] = {}
        self.parked: dict[tuple[str, str], Kernel] = {}
        self.epochs: dict[str, int] = {}

    def new_id(self) -> str:
        self.count += 1
        return f"{self.count:06}"

    def decide(self, work: Any) -> Any:
        """One transaction; sometimes the process dies before it is committed."""
        dies = self.chance.random() < 0.03
        with self.store.writing() as transaction:
            result = work(Ledger(transaction, self.now))
            if dies:
                raise Lost
        return result

    def start(self, depth: int) -> None:
        inputs = {"depth": Value(json=depth)}
        execution = new_execution(SOURCE, self.new_id(), self.now, inputs)
        with self.store.writing() as transaction:
            transaction.put_flow_version(SOURCE)
            transaction.insert_execution(execution)

    # --- what can happen

    def step(self) -> None:
        self.now += timedelta(seconds=self.chance.random() * 3)
        happening = self.chance.choices(
            [
                self.claim,
                self.make_call,
                self.kernel_dies,
                self.worker_dies,
                self.time_passes,
                self.wish,
                self.evict,
            ],
            weights=[6, 12, 1, 0.3, 1, 0.4, 1],
        )[0]
        with contextlib.suppress(Lost, StaleLeaseError):
            happening()
        self.check()

    def claim(self) -> None:
        worker = self.chance.choice(self.workers)

        def keeps(execution: Execution) -> bool:
            kernel = self.parked.get((worker, execution.id))
            return kernel is not None and kernel.epoch == execution.epoch

        def work(ledger: Ledger) -> list[Claim]:
            ledger.ring_timers(10)
            ledger.reap_expired(worker, 10)
            return ledger.claim(worker, self.now + LEASE, (ExecutionType.FLOW,), 2, keeps)

        for claim in self.decide(work):
            key = (worker, claim.execution.id)
            kernel = self.parked.pop(key, None)
            if kernel is not None and kernel.epoch == claim.execution.epoch - 1:
                assert claim.begin.answer is not None
                kernel.epoch = claim.execution.epoch
                kernel.hear(claim.begin.answer)
            else:
                kernel = Kernel(claim)
            self.kernels[key] = kernel

    def make_call(self) -> None:
        if not self.kernels:
            return
        key, kernel = self.chance.choice(sorted(self.kernels.items()))
        call = kernel.next_call()
        try:
            if call is None:
                self.decide(lambda ledger: self._end(ledger, kernel))
                del self.kernels[key]
                return
            ids = self.new_id(), self.new_id()
            decision = self.decide(lambda ledger: self._call(ledger, kernel, call, ids))
        except StaleLeaseError:
            del self.kernels[key]  # its worker stops it
            raise
        except Lost:
            del self.kernels[key]
            self.lose(kernel)
            raise
        reply = decision.first(Reply)
        if reply is not None:
            kernel.hear(reply.answer)
        elif decision.execution.status is not Status.QUEUED:
            self.parked[key] = self.kernels.pop(key)

    def _end(self, ledger: Ledger, kernel: Kernel) -> None:
        held = ledger.held(kernel.id, kernel.epoch)
        ledger.advance(held, FlowEnded(at=self.now, status=kernel.signal or Status.ENDED_SUCCESS))

    def _call(self, ledger: Ledger, kernel: Kernel, call: Call, ids: tuple[str, str]) -> Any:
        held = ledger.held(kernel.id, kernel.epoch)
        if isinstance(call, StartFlow):
            call = StartFlow(flow="flow", wait=False, inputs={"depth": Value(json=kernel.depth - 1)})
        preparation = Preparation(savepoint_id=ids[0], child_id=ids[1], source=SOURCE)
        return ledger.call_made(held, call, kernel.draft(), preparation)

    def lose(self, kernel: Kernel) -> None:
        """Its process died without a word: the worker, or the next one, notices."""
        with self.store.writing() as transaction:
            ledger = Ledger(transaction, self.now)
            with contextlib.suppress(StaleLeaseError):
                ledger.advance(
                    ledger.held(kernel.id, kernel.epoch), KernelDied(at=self.now, reason="x", limit=99)
                )

    def kernel_dies(self) -> None:
        if self.kernels:
            key = self.chance.choice(sorted(self.kernels))
            self.lose(self.kernels.pop(key))

    def worker_dies(self) -> None:
        """It is cut off: what it held is given up at once or when the lease is over, and it may come back."""
        worker = self.chance.choice(self.workers)
        if self.chance.random() < 0.5:
            for kernels in (self.kernels, self.parked):
                for key in [key for key in kernels if key[0] == worker]:
                    del kernels[key]
        self.decide(lambda ledger: ledger.give_up([worker]))

    def time_passes(self) -> None:
        self.now += timedelta(seconds=self.chance.choice([1, 20, 60]))

    def wish(self) -> None:
        with self.store.reading() as transaction:
            views = transaction.views(ExecutionFilter(limit=50)).executions
        target = self.chance.choice(views).id
        kind = self.chance.choice([CancelWished, PauseWished, Run, Restored])

        def work(ledger: Ledger) -> None:
            execution = ledger.execution(target)
            if kind is Restored:
                points = [one for one in ledger.transaction.savepoint_views(target) if one.exact]
                if points:
                    savepoint = ledger.savepoint(self.chance.choice(points).id)
                    outputs = outputs_at(ledger.transaction, savepoint)
                    ledger.advance(
                        execution, Restored(at=self.now, savepoint_id=savepoint.id, outputs=outputs)
                    )
            else:
                ledger.advance(execution, kind(at=self.now))

        with contextlib.suppress(ConflictError):
            self.decide(work)

    def evict(self) -> None:
        if not self.parked:
            return
        key = self.chance.choice(sorted(self.parked))
        kernel = self.parked.pop(key)

        def work(ledger: Ledger) -> None:
            execution = ledger.execution(kernel.id)
            if execution.epoch == kernel.epoch and execution.status in (Status.WAITING, Status.PAUSED):
                ledger.advance(execution, Evicted(at=self.now))

        self.decide(work)

    # --- what must always hold

    def everything(self) -> Iterator[Execution]:
        with self.store.reading() as transaction:
            views = transaction.views(ExecutionFilter(limit=10_000)).executions
            yield from transaction.executions([view.id for view in views]).values()

    def check(self) -> None:
        holders: dict[str, list[str]] = {}
        with self.store.reading() as transaction:
            for execution in self.everything():
                assert violations(execution) == [], execution
                assert execution.epoch >= self.epochs.get(execution.id, 0)
                self.epochs[execution.id] = execution.epoch
                waiters = [one.id for one in transaction.waiters(execution.id)]
                assert not (execution.status.is_final and waiters), f"{waiters} sleep through {execution}"
                for (worker, execution_id), kernel in self.kernels.items():
                    valid = execution.epoch == kernel.epoch and execution.status is Status.RUNNING
                    if execution_id == execution.id and valid:
                        holders.setdefault(execution.id, []).append(worker)
        assert all(len(workers) == 1 for workers in holders.values()), holders

    def finish(self) -> None:
        """No more mischief: everything comes to its end."""
        for _ in range(3000):
            open_ones = [one for one in self.everything() if not one.status.is_final]
            if not open_ones:
                return
            self.now += timedelta(seconds=5)
            with self.store.writing() as transaction:
                ledger = Ledger(transaction, self.now)
                for one in open_ones:
                    if one.status is Status.PAUSED:
                        ledger.advance(ledger.execution(one.id), Run(at=self.now))
                    if one.worker_id and (one.worker_id, one.id) not in {*self.kernels, *self.parked}:
                        ledger.give_up([one.worker_id])
            for happening in (self.claim, self.make_call, self.make_call, self.make_call):
                with contextlib.suppress(Lost, StaleLeaseError):
                    happening()
        raise AssertionError(f"these never end: {open_ones}")


@pytest.mark.parametrize("seed", range(12))
def test_a_world_full_of_mischief_comes_to_its_end(seed: int, tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    world = World(store, seed)
    for depth in (0, 1, 2):
        world.start(depth)
    for _ in range(250):
        world.step()
    world.finish()
    world.check()
    for execution in world.everything():
        if execution.status is Status.ENDED_SUCCESS:
            assert execution.outputs == {"at": Value(json=1)}, execution
        with store.reading() as transaction:
            numbers = [one.number for one in transaction.savepoint_views(execution.id)]
            assert numbers == list(range(1, len(numbers) + 1))
            for child in transaction.children(execution.id):
                assert child.parent_id == execution.id
    store.close()


@pytest.mark.parametrize("seed", range(100, 106))
def test_without_wishes_every_child_exists_once(seed: int, tmp_path: Path) -> None:
    """Crashes, lost transactions and lost leases alone never make an effect twice."""
    store = open_store(f"sqlite:///{tmp_path}/store.db")
    world = World(store, seed)
    world.wish = lambda: None  # type: ignore[method-assign]
    world.start(2)
    for _ in range(300):
        world.step()
    world.finish()
    executions = list(world.everything())
    assert {one.status for one in executions} == {Status.ENDED_SUCCESS}
    assert len(executions) == 1 + 2 + 4
    with store.reading() as transaction:
        for execution in executions:
            texts = [line.text for line in transaction.log(execution.id, 0, 100)]
            assert texts == (["end"] if transaction.children(execution.id) else ["leaf", "end"])
    store.close()
