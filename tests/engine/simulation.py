"""Hours of an engine in seconds: seeded schedules of calls, crashes, wishes and lost words on a real store.

The world is small and exact. Workers claim, renew, die and are cut off (and then believe for long that they
hold what they do not); kernels make the calls of their script and die; timers ring, clocks jump; people
cancel, pause, restore, archive; now and then a transaction is lost before its commit, or done and reported
lost. Kernels are positions in a script, their snapshots a line of JSON.

After every step nothing may be that must never be (`World.check`). A step draws its chances from the seed
and its own number, so that a schedule that fails can be made shorter: `shrunk` leaves out what is not needed
and `Failure` shows the rest.

``python -m tests.engine.simulation [--minutes M] [--seed S]`` runs seed after seed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jupyter_flows.engine.events import (
    Archived,
    CancelWished,
    Evicted,
    FlowEnded,
    GraceOver,
    KernelDied,
    PauseWished,
    Reply,
    Restored,
    Run,
    StopKernel,
    WorkerGone,
)
from jupyter_flows.engine.facts import Preparation, new_execution, outputs_at
from jupyter_flows.engine.ledger import Claim, Decision, Heard, Ledger
from jupyter_flows.engine.machine import violations
from jupyter_flows.errors import ConflictError, StaleLeaseError
from jupyter_flows.model import (
    AcquireLock,
    Answer,
    Call,
    Cell,
    CellKind,
    CreateSavepoint,
    ErrorInfo,
    Execution,
    ExecutionType,
    FlowKind,
    FlowOptions,
    FlowSource,
    GetSetting,
    LoadSavepoint,
    Log,
    ReleaseLock,
    ResumeMode,
    ReturnWhen,
    SavepointDraft,
    SavepointKind,
    SaveSetting,
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
ROUNDS = 3
TRIES = 3
_OPTIONS = {
    "failing": FlowOptions(retries=TRIES - 1, retry_delay=5.0),
    "limited": FlowOptions(max_concurrent=1),
    "long": FlowOptions(max_runtime=600.0),
}
KINDS = (
    "order",
    "order",
    "locker",
    "locker",
    "impatient",
    "sleeper",
    "looper",
    "failing",
    "limited",
    "long",
    "teller",
)


def source_of(kind: str) -> FlowSource:
    cell = Cell(id="a", kind=CellKind.CODE, source="")
    return FlowSource(
        name=kind,
        path=f"{kind}.py",
        directory="/flows",
        kind=FlowKind.SCRIPT,
        cells=(cell,),
        digest=kind,
        options=_OPTIONS.get(kind, FlowOptions()),
    )


class Lost(Exception):
    """The process died in the middle of a transaction."""


class Broken(AssertionError):
    """Something is that must never be."""


Memory = dict[str, Any]


def _at(value: int) -> Call:
    return SetOutput(outputs={"at": Value(json=value)})


def _child(memory: Memory) -> Call:
    kind = "order" if memory["depth"] > 1 else "leaf"
    return StartFlow(flow=kind, wait=False, inputs={"depth": Value(json=memory["depth"] - 1)})


#: What each kind of flow does. A step is a call, or makes one from what the flow remembers.
_SCRIPTS: dict[str, Sequence[Call | Callable[[Memory], Call]]] = {
    "order": (
        _at(0),
        _child,
        _child,
        CreateSavepoint(name="middle"),
        lambda memory: WaitFor(
            execution_ids=tuple(memory["children"]), return_when=ReturnWhen.ALL_ENDED, timeout=500
        ),
        _at(1),
        Log(text="end"),
    ),
    "leaf": (Log(text="leaf"), Sleep(seconds=7), _at(1), Log(text="end")),
    "locker": (
        AcquireLock(name="count"),
        GetSetting(name="count"),
        Sleep(seconds=3),
        lambda memory: SaveSetting(name="count", value=memory["read"] + 1),
        ReleaseLock(name="count"),
        Log(text="end"),
    ),
    "impatient": (AcquireLock(name="count", timeout=9.0), Sleep(seconds=2), Log(text="end")),
    "sleeper": (Sleep(seconds=20), Log(text="slept"), Sleep(seconds=0.5), Sleep(seconds=90), Log(text="end")),
    "looper": (
        CreateSavepoint(name="top"),
        Log(text="round"),
        LoadSavepoint(ref="top", by="name", max_restores=ROUNDS),
        Log(text="end"),
    ),
    # What it says is what it read, and what it read changes all the time.
    "teller": (
        GetSetting(name="news"),
        lambda memory: SaveSetting(name=f"told {memory['read']}", value=memory["read"]),
        GetSetting(name="news"),
        lambda memory: Log(text=f"news {memory['read']}"),
        Sleep(seconds=2),
        GetSetting(name="news"),
        lambda memory: Log(text=f"news {memory['read']}"),
        Log(text="end"),
    ),
    "failing": (Log(text="try"), Sleep(seconds=1)),
    "limited": (Log(text="in"), Sleep(seconds=5), Log(text="out")),
    "long": (Log(text="begun"), Sleep(seconds=5000), Log(text="never")),
}
#: Calls that no exact savepoint can be made for, as when a C function stands between.
_INEXACT = {
    ("order", 2),
    ("locker", 1),
    ("locker", 3),
    ("sleeper", 1),
    ("sleeper", 2),
    *(("teller", position) for position in (1, 2, 3, 4, 6)),
}


class SimulatedKernel:
    """Where a kernel is in its script. `asleep_until`: its call may not be answered before. `slept`: where
    the flow has slept already, which is told again as it was, wherever the clock jumped since."""

    def __init__(self, claim: Claim, now: datetime, slept: set[str]) -> None:
        self.id, self.epoch = claim.execution.id, claim.execution.epoch
        assert claim.execution.flow is not None
        self.kind = claim.execution.flow
        self.stands_at = claim.execution.savepoint_id
        self.signal: Status | None = None
        self.position = 0
        self.asleep_until: datetime | None = None
        self.heard: Heard | None = None
        self.slept = slept
        depth = claim.execution.inputs.get("depth")
        self.memory: Memory = {"children": [], "depth": int(depth.json) if depth else 0}
        at = claim.stands_at
        if at is None:
            return
        self.position, self.memory = json.loads(at.draft.manifest)
        if claim.begin.mode is ResumeMode.JOIN:
            assert claim.begin.answer is not None
            if isinstance(at.call, Sleep) and at.id not in slept:
                self.asleep_until = at.created_at + timedelta(seconds=at.call.seconds or 0)
            self.heard = Heard(at.id, claim.begin.answer)
            self.hear(claim.begin.answer, now)
        elif isinstance(at.call, CreateSavepoint):
            self.hear(Answer(), now)

    def next_call(self) -> Call | None:
        script = _SCRIPTS[self.kind]
        if self.signal is not None or self.position >= len(script):
            return None
        step = script[self.position]
        return step(self.memory) if callable(step) else step

    def draft(self) -> SavepointDraft:
        return SavepointDraft(
            kind=SavepointKind.IMPLICIT,
            name=getattr(self.next_call(), "name", None) if self._is_named else None,
            site=Site(),
            manifest=json.dumps([self.position, self.memory]).encode(),
            chunks=(),
            exact=(self.kind, self.position) not in _INEXACT,
        )

    @property
    def _is_named(self) -> bool:
        return isinstance(self.next_call(), CreateSavepoint)

    def hear(self, answer: Answer, now: datetime) -> None:
        call, error = self.next_call(), answer.error
        self.position += 1
        asleep_until, self.asleep_until = self.asleep_until, None
        if error is not None:
            if error.type == "ExecutionCancel":
                self.signal = Status.ENDED_CANCELLED
            elif error.type == "LockTimeoutError":
                self.position = len(_SCRIPTS[self.kind]) - 1
            return
        if asleep_until is not None and isinstance(call, Sleep) and now < asleep_until:
            raise Broken(f"{self.kind} {self.id} woke at {now} and should sleep until {asleep_until}")
        if self.heard is not None:
            self.slept.add(self.heard.savepoint_id)
        if isinstance(call, StartFlow):
            self.memory["children"].append(answer.executions[0].id)
        elif isinstance(call, GetSetting):
            self.memory["read"] = answer.fields["value"] if answer.fields else 0

    def ending(self, now: datetime) -> FlowEnded:
        if self.signal is None and self.kind == "failing":
            error = ErrorInfo(type="ValueError", message="as it should")
            return FlowEnded(at=now, status=Status.ENDED_ERROR, error=error)
        return FlowEnded(at=now, status=self.signal or Status.ENDED_SUCCESS)


class World:
    """`steps` happen one by one, each with chances of its own; `with_people` False: nobody interferes."""

    def __init__(self, directory: Path, seed: int, with_people: bool = True) -> None:
        self.path = directory / "store.db"
        self.store: Store = open_store(f"sqlite:///{self.path}")
        self._look = sqlite3.connect(self.path, isolation_level=None)
        self.seed = seed
        self.with_people = with_people
        self.chance = random.Random(f"{seed} start")
        self.now = NOON
        self.count = 0
        self.workers = ("w1", "w2", "w3")
        #: What each worker believes it runs. One that was cut off believes it still.
        self.kernels: dict[tuple[str, str], SimulatedKernel] = {}
        self.parked: dict[tuple[str, str], SimulatedKernel] = {}
        self.epochs: dict[str, int] = {}
        self.ends: dict[str, tuple[str, int]] = {}
        self.touched: set[str] = set()
        self.slept: set[str] = set()
        with self.store.writing() as transaction:
            transaction.put_setting("count", 0, self.now, None)
            transaction.put_setting("news", 0, self.now, None)
        for kind in KINDS:
            self.start(kind)

    def close(self) -> None:
        self._look.close()
        self.store.close()

    def new_id(self) -> str:
        self.count += 1
        return f"{self.count:06}"

    def start(self, kind: str) -> None:
        source = source_of(kind)
        inputs = {"depth": Value(json=2)}
        with self.store.writing() as transaction:
            transaction.put_flow_version(source)
            ledger = Ledger(transaction, self.now)
            ledger.insert(new_execution(source, self.new_id(), self.now, inputs))

    def decide(self, work: Callable[[Ledger], Any], again: Callable[[Ledger], Any] | None = None) -> Any:
        """One transaction. Sometimes the process dies before its commit (Lost), sometimes the commit is
        done and reported lost: then what is done `again` gives the result, or nobody hears of it."""
        fate = self.chance.random()
        with self.store.writing() as transaction:
            result = work(Ledger(transaction, self.now))
            if fate < 0.02:
                raise Lost
        if fate < 0.05:
            if again is None:
                raise Lost
            with self.store.writing() as transaction:
                result = again(Ledger(transaction, self.now))
        return result

    # --- what can happen

    def happenings(self) -> list[tuple[float, Callable[[], None]]]:
        everyday = [
            (6.0, self.claim),
            (14.0, self.make_call),
            (1.0, self.kernel_dies),
            (0.3, self.worker_dies),
            (0.4, self.worker_is_cut_off),
            (1.0, self.time_passes),
            (1.0, self.evict),
            (1.0, self.renew),
            (0.5, self.find_orphans),
            (0.3, self.start_more),
        ]
        return [*everyday, (0.6, self.person_acts)] if self.with_people else everyday

    def step(self, number: int) -> str:
        """The step of that number; returns what happened."""
        self.chance = random.Random(f"{self.seed} {number}")
        self.now += timedelta(seconds=self.chance.random() * 3)
        happenings = self.happenings()
        happening = self.chance.choices([one for _, one in happenings], [weight for weight, _ in happenings])[
            0
        ]
        with contextlib.suppress(Lost, StaleLeaseError):
            happening()
        with self.store.writing() as transaction:
            transaction.put_setting("news", number, self.now, None)
        self.check()
        return happening.__name__

    def start_more(self) -> None:
        if self.count < 400:
            self.start(self.chance.choice(KINDS))

    def claim(self) -> None:
        worker = self.chance.choice(self.workers)
        limit = self.chance.choice([1, 2, 10])

        def keeps(execution: Execution) -> bool:
            kernel = self.parked.get((worker, execution.id))
            return kernel is not None and kernel.epoch == execution.epoch

        def work(ledger: Ledger) -> list[Claim]:
            due = self._due_timers()
            ledger.ring_timers(limit)
            ledger.transaction.execution("", lock=True)
            left = {one for one in self._due_timers(ledger) if one in due}
            rung = [one for one in due if one not in left]
            if any(due[one] > due[other] for one in rung for other in left):
                raise Broken(f"timers rang out of order: {rung} before {left}")
            ledger.reap_expired(worker, 10)
            return ledger.claim(worker, self.now + LEASE, (ExecutionType.FLOW,), 2, keeps)

        for claim in self.decide(work):
            key = (worker, claim.execution.id)
            kernel = self.parked.pop(key, None)
            is_kept = kernel is not None and kernel.epoch == claim.execution.epoch - 1
            if kernel is not None and is_kept and claim.begin.mode is ResumeMode.JOIN:
                assert claim.begin.answer is not None
                kernel.epoch = claim.execution.epoch
                assert claim.begin.savepoint_id is not None
                kernel.heard = Heard(claim.begin.savepoint_id, claim.begin.answer)
                kernel.hear(claim.begin.answer, self.now)
            else:
                kernel = SimulatedKernel(claim, self.now, self.slept)
            self.kernels[key] = kernel

    def _due_timers(self, ledger: Ledger | None = None) -> dict[str, datetime]:
        def ask(transaction: Any) -> dict[str, datetime]:
            due = transaction.timers_due(self.now, 1000)
            return {
                one.id: one.wait.wake_at for one in due if one.wait and one.wait.wake_at and not one.ends_by
            }

        if ledger is not None:
            return ask(ledger.transaction)
        with self.store.reading() as transaction:
            return ask(transaction)

    def make_call(self) -> None:
        if not self.kernels:
            return
        key, kernel = self.chance.choice(sorted(self.kernels.items(), key=lambda item: item[0]))
        call = kernel.next_call()
        is_stale = not self._holds(kernel)
        before = self._fingerprint() if is_stale else None
        try:
            if call is None:
                self.decide(lambda ledger: self._end(ledger, kernel))
                self.kernels.pop(key)
                return
            child = source_of(call.flow) if isinstance(call, StartFlow) else None
            preparation = Preparation(
                savepoint_id=self.new_id(), child_id=self.new_id(), stood_at=kernel.stands_at, source=child
            )
            decision: Decision = self.decide(
                lambda ledger: self._call(ledger, kernel, call, preparation),
                lambda ledger: self._call_again(ledger, kernel, call, preparation),
            )
        except StaleLeaseError:
            self.kernels.pop(key, None)  # its worker stops it
            if before is not None and before != self._fingerprint():
                raise Broken(
                    f"{kernel.id}: a word with the old epoch {kernel.epoch} changed something"
                ) from None
            raise
        except Lost:
            self.kernels.pop(key, None)
            self.lose(kernel)
            raise
        if is_stale:
            raise Broken(f"{kernel.kind} {kernel.id}: a word with the old epoch {kernel.epoch} was accepted")
        self._heard(key, kernel, decision, call, preparation.savepoint_id)

    def _heard(
        self,
        key: tuple[str, str],
        kernel: SimulatedKernel,
        decision: Decision,
        call: Call,
        savepoint_id: str,
    ) -> None:
        # One that is joined sleeps since it was made first.
        if isinstance(call, Sleep) and decision.execution.savepoint_id == savepoint_id:
            kernel.asleep_until = self.now + timedelta(seconds=call.seconds or 0)
        kernel.stands_at = decision.execution.savepoint_id
        reply = decision.first(Reply)
        if reply is not None:
            assert kernel.stands_at is not None
            kernel.heard = Heard(kernel.stands_at, reply.answer)
            kernel.hear(reply.answer, self.now)
        elif decision.first(StopKernel):
            self.kernels.pop(key)
        else:
            self.parked[key] = self.kernels.pop(key)

    def _holds(self, kernel: SimulatedKernel) -> bool:
        row = self._look.execute("SELECT epoch, status FROM executions WHERE id = ?", [kernel.id]).fetchone()
        return row == (kernel.epoch, "RUNNING")

    def _fingerprint(self) -> list[Any]:
        tables = ("executions", "savepoints", "log", "settings", "locks", "lock_waits", "waits", "permits")
        return [self._look.execute(f"SELECT * FROM {table}").fetchall() for table in tables]

    def _end(self, ledger: Ledger, kernel: SimulatedKernel) -> None:
        ledger.advance(ledger.held(kernel.id, kernel.epoch), kernel.ending(self.now))

    def _call(
        self, ledger: Ledger, kernel: SimulatedKernel, call: Call, preparation: Preparation
    ) -> Decision:
        held = ledger.held(kernel.id, kernel.epoch)
        return ledger.call_made(held, call, kernel.draft(), preparation, heard=kernel.heard)

    def _call_again(
        self, ledger: Ledger, kernel: SimulatedKernel, call: Call, preparation: Preparation
    ) -> Decision:
        made = ledger.already_made(kernel.id, kernel.epoch, call, preparation)
        return made or self._call(ledger, kernel, call, preparation)

    def lose(self, kernel: SimulatedKernel) -> None:
        """Its process died without a word, and its worker notices."""
        with self.store.writing() as transaction, contextlib.suppress(StaleLeaseError):
            ledger = Ledger(transaction, self.now)
            held = ledger.held(kernel.id, kernel.epoch)
            ledger.advance(held, KernelDied(at=self.now, reason="x", limit=99))

    def kernel_dies(self) -> None:
        if self.kernels:
            self.lose(self.kernels.pop(self.chance.choice(sorted(self.kernels))))

    def worker_dies(self) -> None:
        """With its kernels; what it held is given up at once, as a neighbour sees its process end."""
        worker = self.chance.choice(self.workers)
        for kernels in (self.kernels, self.parked):
            for key in [key for key in kernels if key[0] == worker]:
                del kernels[key]
        self.decide(lambda ledger: ledger.give_up([worker]))

    def worker_is_cut_off(self) -> None:
        """Its leases end while its kernels go on: all that they say from then on is refused."""
        worker = self.chance.choice(self.workers)
        self.now += 2 * LEASE
        others = [one for one in self.workers if one != worker]
        self.decide(lambda ledger: ledger.transaction.renew_leases(others[0], self.now + LEASE))
        self.decide(lambda ledger: ledger.reap_expired(others[1], 100))

    def time_passes(self) -> None:
        """Clocks jump, now and then backwards."""
        self.now += timedelta(seconds=self.chance.choice([1, 20, 60, 60, 3600, 86_400, -2, -90]))

    def renew(self) -> None:
        worker = self.chance.choice(self.workers)
        self.decide(lambda ledger: ledger.transaction.renew_leases(worker, self.now + LEASE))

    def find_orphans(self) -> None:
        """A worker lets go of what it holds and does not run, as after a claim that was reported lost."""
        worker = self.chance.choice(self.workers)

        def work(ledger: Ledger) -> None:
            for held in ledger.transaction.held_by(worker):
                if held.status is Status.RUNNING and (worker, held.id) not in self.kernels:
                    ledger.advance(ledger.held(held.id, held.epoch), WorkerGone(at=self.now))

        self.decide(work)

    def evict(self) -> None:
        if not self.parked:
            return
        kernel = self.parked.pop(self.chance.choice(sorted(self.parked)))

        def work(ledger: Ledger) -> None:
            execution = ledger.execution(kernel.id)
            waits = execution.status in (Status.WAITING, Status.PAUSED, Status.QUEUED)
            if execution.epoch == kernel.epoch and waits:
                ledger.advance(execution, Evicted(at=self.now))

        self.decide(work)

    def person_acts(self) -> None:
        target = self.chance.choice([one.id for one in self.everything()])
        acts = [self._cancel, self._grace, self._pause, self._resume, self._restore, self._archive]
        act = self.chance.choice(acts)
        self.touched.add(target)
        with contextlib.suppress(ConflictError):
            self.decide(lambda ledger: act(ledger, ledger.execution(target)))

    def _cancel(self, ledger: Ledger, execution: Execution) -> None:
        ledger.advance(execution, CancelWished(at=self.now))

    def _grace(self, ledger: Ledger, execution: Execution) -> None:
        ledger.advance(execution, GraceOver(at=self.now, seconds=1))

    def _pause(self, ledger: Ledger, execution: Execution) -> None:
        ledger.advance(execution, PauseWished(at=self.now))

    def _resume(self, ledger: Ledger, execution: Execution) -> None:
        ledger.advance(execution, Run(at=self.now))

    def _restore(self, ledger: Ledger, execution: Execution) -> None:
        exact = [one for one in ledger.transaction.savepoint_views(execution.id) if one.exact]
        if exact:
            savepoint = ledger.savepoint(self.chance.choice(exact).id)
            outputs = outputs_at(ledger.transaction, savepoint)
            event = Restored(at=self.now, savepoint_id=savepoint.id, outputs=outputs)
            ledger.advance(execution, event)
            self.ends.pop(execution.id, None)

    def _archive(self, ledger: Ledger, execution: Execution) -> None:
        ledger.advance(execution, Archived(at=self.now))

    # --- what must always hold

    def everything(self) -> Iterator[Execution]:
        with self.store.reading() as transaction:
            views = transaction.views(ExecutionFilter(limit=10_000)).executions
            yield from transaction.executions([view.id for view in views]).values()

    def check(self) -> None:
        """Raises Broken for what must never be."""
        everything = {one.id: one for one in self.everything()}
        for execution in everything.values():
            if found := violations(execution):
                raise Broken(f"{found}: {execution}")
            if execution.epoch < self.epochs.get(execution.id, 0):
                raise Broken(f"the epoch of {execution.id} went back to {execution.epoch}")
            self.epochs[execution.id] = execution.epoch
            self._check_end(execution)
        holders = [
            kernel.id
            for kernel in self.kernels.values()
            if everything[kernel.id].epoch == kernel.epoch and everything[kernel.id].status is Status.RUNNING
        ]
        if len(holders) != len(set(holders)):
            raise Broken(f"an execution has two kernels that may write: {sorted(holders)}")
        for what, statement in _NEVER.items():
            if rows := self._look.execute(statement).fetchall():
                raise Broken(f"{what}: {rows}")

    def _check_end(self, execution: Execution) -> None:
        known = self.ends.get(execution.id)
        end = (execution.status.value, execution.epoch)
        if known is not None and known[0].startswith("ENDED") and end != known and end[1] == known[1]:
            raise Broken(f"{execution.id} had ended with {known} and has {end}")
        self.ends[execution.id] = end

    # --- the end

    def finish(self) -> None:
        """No more mischief: everything comes to its end."""
        self.chance = random.Random(f"{self.seed} end")
        self.decide = lambda work, _again=None: self._plainly(work)  # type: ignore[method-assign]
        for _ in range(3000):
            open_ones = [one for one in self.everything() if not one.status.is_final]
            if not open_ones:
                return
            self.now += timedelta(seconds=5)
            self._plainly(lambda ledger, them=open_ones: self._tidy(ledger, them))
            for happening in (self.claim, *[self.make_call] * 6):
                with contextlib.suppress(StaleLeaseError):
                    happening()
            self.check()
            if not self.kernels and (soonest := self._soonest()) is not None:
                self.now = max(self.now, soonest)
        raise Broken(f"these never end: {open_ones}")

    def _plainly(self, work: Callable[[Ledger], Any]) -> Any:
        with self.store.writing() as transaction:
            return work(Ledger(transaction, self.now))

    def _tidy(self, ledger: Ledger, open_ones: list[Execution]) -> None:
        for worker in self.workers:
            ledger.transaction.renew_leases(worker, self.now + LEASE)
        for one in open_ones:
            execution = ledger.execution(one.id)
            if execution.status is Status.PAUSED:
                ledger.advance(execution, Run(at=self.now))
            held = (execution.worker_id or "", execution.id)
            if execution.status is Status.RUNNING and held not in self.kernels:
                ledger.advance(execution, WorkerGone(at=self.now))

    def _soonest(self) -> datetime | None:
        with self.store.reading() as transaction:
            return transaction.next_timer()

    def check_children(self) -> None:
        """Each was started by one call, and each call that started one has it."""
        started: list[str] = []
        there: list[str] = []
        with self.store.reading() as transaction:
            for execution in self.everything():
                if execution.archived_at is not None or execution.flow != "order":
                    continue
                there += [child.id for child in transaction.children(execution.id)]
                for view in transaction.savepoint_views(execution.id):
                    savepoint = transaction.savepoint(view.id)
                    started += savepoint.effect_ids if savepoint else ()
        if sorted(started) != sorted(there):
            raise Broken(f"calls have started {sorted(started)}, and there are {sorted(there)}")

    def check_stories(self) -> None:
        """Where nobody interfered, every line and child is there once."""
        lines: dict[str, list[str]] = {}
        for execution_id, text in self._look.execute("SELECT execution_id, text FROM log ORDER BY number"):
            lines.setdefault(execution_id, []).append(text)
        counted = 0
        for execution in self.everything():
            kind, said = execution.flow or "", lines.get(execution.id, [])
            status, wanted = _ENDS[kind], _LINES[kind]
            said = [line.split()[0] for line in said]
            if kind == "long" and not said:
                continue  # its time was over before it could say anything
            if said != wanted or execution.status is not status:
                raise Broken(f"{kind} {execution.id} said {said}, not {wanted}, and is {execution}")
            counted += kind == "locker"
        with self.store.reading() as transaction:
            count = transaction.setting("count")
        if count is None or count.value != counted:
            raise Broken(f"{counted} flows counted one further, and the count is {count}")
        told = [name for (name,) in self._look.execute("SELECT name FROM settings WHERE name LIKE 'told %'")]
        tellers = sum(execution.flow == "teller" for execution in self.everything())
        if len(told) > tellers:
            raise Broken(f"{tellers} flows told more than once: {told}")
        orders = self._look.execute(
            "SELECT id, (SELECT count(*) FROM executions c WHERE c.parent_id = e.id) FROM executions e "
            "WHERE flow = 'order'"
        ).fetchall()
        if wrong := [row for row in orders if row[1] != 2]:
            raise Broken(f"these should have two children: {wrong}")


_ENDS = dict.fromkeys(_SCRIPTS, Status.ENDED_SUCCESS) | {
    "failing": Status.ENDED_ERROR,
    "long": Status.ENDED_ERROR,
}
_LINES = {
    "order": ["end"],
    "leaf": ["leaf", "end"],
    "locker": ["end"],
    "impatient": ["end"],
    "sleeper": ["slept", "end"],
    "looper": ["round"] * (ROUNDS + 1) + ["end"],
    "failing": ["try"] * TRIES,
    "limited": ["in", "out"],
    "teller": ["news", "news", "end"],
    "long": ["begun"],
}
_NEVER = {
    "one sleeps through an end": "SELECT waits.execution_id FROM waits JOIN executions ON id = awaited_id "
    "WHERE ended_at IS NOT NULL",
    "one that does not wait is waited for by rows": "SELECT execution_id FROM waits JOIN executions "
    "ON id = execution_id WHERE status <> 'WAITING'",
    "one waits for a lock that is free": "SELECT name FROM lock_waits WHERE name NOT IN "
    "(SELECT name FROM locks)",
    "one that does not wait stands in a lock's queue": "SELECT execution_id FROM lock_waits JOIN executions "
    "ON id = execution_id WHERE status <> 'WAITING'",
    "one that has ended holds a lock": "SELECT locks.name FROM locks JOIN executions ON id = execution_id "
    "WHERE ended_at IS NOT NULL",
    "one that has ended holds a permit": "SELECT permits.name FROM permits JOIN executions "
    "ON id = execution_id WHERE ended_at IS NOT NULL",
    "a limit is passed": "SELECT name, count(*) FROM permits GROUP BY name HAVING count(*) > 1",
    "one is held back for nothing": "SELECT id FROM executions WHERE held_back IS NOT NULL AND held_back "
    "NOT IN (SELECT name FROM permits)",
    "a savepoint follows one of another execution": "SELECT s.id FROM savepoints s JOIN savepoints o "
    "ON o.id = s.parent_id WHERE o.execution_id <> s.execution_id OR o.number >= s.number",
    "one stands at another's savepoint": "SELECT e.id FROM executions e LEFT JOIN savepoints s "
    "ON s.id = e.savepoint_id WHERE e.savepoint_id IS NOT NULL AND s.execution_id IS NOT e.id",
    "a savepoint follows none that is there": "SELECT id FROM savepoints WHERE parent_id IS NOT NULL "
    "AND parent_id NOT IN (SELECT id FROM savepoints)",
    "one sleeps with a timer that nobody sees": "SELECT id FROM executions WHERE status = 'WAITING' "
    "AND wake_at IS NULL AND id NOT IN (SELECT execution_id FROM waits) "
    "AND id NOT IN (SELECT execution_id FROM lock_waits)",
}


class Failure(AssertionError):
    """Shows the seed and the shortest schedule found that breaks the world in the same way."""


def run(seed: int, steps: Sequence[int], with_people: bool) -> str | None:
    """What broke in a world that takes these steps, and then comes to its end; None: nothing."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as directory:
        world = World(Path(directory), seed, with_people)
        try:
            for number in steps:
                world.step(number)
            world.finish()
            world.check_children()
            if not with_people:
                world.check_stories()
        except (AssertionError, ConflictError, KeyError) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            world.close()
    return None


def shrunk(seed: int, steps: Sequence[int], with_people: bool) -> list[int]:
    """A short part of the steps that breaks the world as well."""
    left = list(steps)
    part = len(left) // 2
    while part:
        begin = 0
        while begin < len(left):
            without = left[:begin] + left[begin + part :]
            if run(seed, without, with_people):
                left = without
            else:
                begin += part
        part //= 2
    return left


def simulate(seed: int, count: int, with_people: bool = True) -> None:
    """Take `count` steps by `seed`. Raises Failure."""
    steps = range(count)
    if run(seed, steps, with_people) is None:
        return
    left = shrunk(seed, steps, with_people)
    people = "with people" if with_people else "without people"
    raise Failure(f"seed {seed}, {people}, steps {left}: {run(seed, left, with_people)}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.engine.simulation", description=__doc__)
    parser.add_argument("--minutes", type=float, default=float(os.environ.get("SIMULATE_MINUTES") or 5))
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SIMULATE_SEED") or time.time()))
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args()
    ends_at = time.monotonic() + options.minutes * 60
    seed = options.seed
    while time.monotonic() < ends_at:
        for with_people in (True, False):
            try:
                simulate(seed, options.steps, with_people)
            except Failure as failure:
                sys.exit(str(failure))
        seed += 1
    print(f"{2 * (seed - options.seed)} worlds of {options.steps} steps came to their end")


if __name__ == "__main__":
    main()
