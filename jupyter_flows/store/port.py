"""The store's port: what the engine may ask of a store, and what every store promises.

The contract, held by one test file for all implementations (tests/store/test_contract.py):

- `writing()` is one transaction. It sees the newest committed state and either commits all or nothing;
  an exception inside takes everything back. Two transactions that write the same execution never
  overlap: SQLite takes the write lock at BEGIN, PostgreSQL locks the rows read with ``lock=True``.
- `reading()` sees one consistent state and writes nothing.
- Every write of an execution, savepoint or log line also records a change, whose `seq` grows.
- What is committed survives a crash of the process and of the machine.
- Listeners are told after the commit, never before; they may be told more often than needed.
- A store knows no rules. It keeps values, and refuses what must never be.

All instants are aware UTC; the caller brings them, so that a test moves the clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, Protocol

import msgspec

from ..errors import StoreError
from ..model import (
    CellOutput,
    Execution,
    ExecutionType,
    ExecutionView,
    FlowSource,
    LogLevel,
    LogLine,
    Savepoint,
    SavepointView,
    Status,
    Value,
)


class TransactionAborted(StoreError):
    """The database took the transaction back for another one's sake, or lost its connection: try again."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that panels show is different now. `kind`: "execution", "savepoint" or "log"."""

    seq: int
    kind: str
    execution_id: str
    parent_id: str | None


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """What a listener is told after a commit: `has_changes` for panels, `is_due` for workers.

    `is_due`: an execution may be ready to be claimed, a timer may be nearer, or a worker may have to
    react to a wish or a restore. `has_ends`: an execution may have ended, for which somebody may wait. A
    commit of another process is told with all of them True.
    """

    has_changes: bool
    is_due: bool
    has_ends: bool = False


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A named JSON value. `version` counts its writes; `saved_by` is the execution that wrote it last."""

    name: str
    value: Any
    version: int
    saved_at: datetime
    saved_by: str | None


class WorkerRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that holds or held leases. `process` names its process beyond reuse of `pid`."""

    id: str
    host: str
    pid: int
    process: str
    slots: int
    started_at: datetime
    seen_at: datetime


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a list, newest first; `next` is the cursor of the following part, None at the end."""

    executions: tuple[ExecutionView, ...]
    next: str | None = None


class ChunkUse(msgspec.Struct, frozen=True, kw_only=True):
    """Something that refers to `chunks`: `kind` "savepoint", "file", "value" (inputs, outputs, arguments)."""

    kind: str
    chunks: tuple[str, ...]
    execution_id: str | None = None
    flow: str | None = None
    status: Status | None = None


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker checks its kernels against: the claim on an execution as the store knows it."""

    id: str
    status: Status
    epoch: int
    worker_id: str | None
    cancels: bool
    pauses: bool


class ExecutionFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which executions a list shows. `text` is looked for in id, name, flow, message and log; `created_after`
    is included, `created_before` not; `cursor` comes from the page before; at most `limit` are returned."""

    status: Status | None = None
    flow: str | None = None
    parent_id: str | None = None
    roots_only: bool = False
    text: str | None = None
    type: ExecutionType | None = None
    name: str | None = None
    owner: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    limit: int = 100
    cursor: str | None = None


class Transaction(Protocol):
    """One transaction of a store. Values are frozen: a change is a new value written back.

    `written_by`: the worker that writes, if it is one; what it ends itself is not `is_due` to it.
    """

    written_by: str | None

    # --- flow versions
    def put_flow_version(self, source: FlowSource) -> None:
        """Keep the source; a version that is there already stays as it is."""

    def flow_version(self, digest: str, flow: str) -> FlowSource | None: ...

    # --- executions
    def insert_execution(self, execution: Execution) -> None:
        """Raises ConflictError when its id or creation key is taken."""

    def update_execution(self, execution: Execution, epoch: int) -> None:
        """Write it back. Raises StaleLeaseError when the stored epoch is not `epoch` (as it was read)."""

    def execution(self, execution_id: str, lock: bool = False) -> Execution | None: ...

    def executions(self, execution_ids: Iterable[str], lock: bool = False) -> dict[str, Execution]:
        """Those that exist, by id."""

    def execution_by_key(self, creation_key: str) -> Execution | None: ...

    def view(self, execution_id: str) -> ExecutionView | None:
        """With its counts of children and savepoints."""

    def views(self, filter: ExecutionFilter) -> Page:
        """Views that are `short`."""

    def children(self, parent_id: str) -> list[Execution]:
        """In the order they were created."""

    def open_children(self, parent_id: str) -> list[Execution]:
        """Those that have not ended, locked."""

    def ended_before(self, instant: datetime, limit: int) -> list[Execution]:
        """Locked executions that ended before `instant` and are not archived, oldest first."""

    def delete_execution(self, execution_id: str) -> None:
        """With its savepoints, log, outputs of cells and waits. Chunks stay until the upkeep removes them."""

    # --- limits
    def permits(self, name: str) -> int:
        """How many executions have a permit of it. Nobody else gets one before the transaction ends."""

    def has_permit(self, name: str, execution_id: str) -> bool: ...

    def put_permits(self, execution_id: str, names: Iterable[str]) -> None: ...

    def release_permits(self, execution_id: str) -> None: ...

    def next_held_back(self, name: str) -> Execution | None:
        """The locked QUEUED execution that this limit holds back and that comes first in the queue."""

    # --- settings, locks, files
    def setting(self, name: str) -> Setting | None: ...

    def settings(self) -> list[Setting]:
        """By name."""

    def put_setting(self, name: str, value: Any, at: datetime, execution_id: str | None) -> None:
        """`value` is JSON; its `version` grows."""

    def delete_setting(self, name: str) -> None: ...

    def lock_holder(self, name: str) -> str | None:
        """Which execution holds the lock. Until the transaction ends, nobody else takes or releases it."""

    def take_lock(self, name: str, execution_id: str, at: datetime) -> None:
        """Make it its own, and take it out of the queue for locks."""

    def release_lock(self, name: str, execution_id: str) -> bool:
        """Whether it was its own."""

    def locks_of(self, execution_id: str) -> list[str]: ...

    def queue_for_lock(self, name: str, execution_id: str) -> None: ...

    def leave_lock_queue(self, execution_id: str) -> None: ...

    def next_in_lock_queue(self, name: str) -> Execution | None:
        """The locked WAITING execution that waits longest for it."""

    def file(self, name: str) -> Value | None: ...

    def put_file(
        self, name: str, content: Value, size: int, at: datetime, execution_id: str | None
    ) -> None: ...

    def delete_file(self, name: str) -> None: ...

    # --- what is due
    def claimable(
        self, worker_id: str, types: Sequence[ExecutionType], limit: int, now: datetime
    ) -> list[Execution]:
        """Locked QUEUED executions that this worker may claim and that no limit holds back, those of greater
        priority first, then the oldest; rows that another worker
        has locked are left out. One whose kernel another worker keeps (`worker_id` set) is left to it
        until its `lease_until`; a NOTEBOOK always is."""

    def has_claimable(self, worker_id: str, types: Sequence[ExecutionType], now: datetime) -> bool:
        """Whether `claimable` would find one; cheap."""

    def timers_due(self, now: datetime, limit: int) -> list[Execution]:
        """Locked WAITING executions whose `wait.wake_at` has come, in order."""

    def runtimes_over(self, now: datetime, limit: int) -> list[Execution]:
        """Locked executions whose `ends_by` has come."""

    def next_timer(self) -> datetime | None:
        """When the next `wake_at` or `ends_by` comes."""

    def held_by(self, worker_id: str) -> list[Held]:
        """Executions whose `worker_id` is this worker."""

    def held_executions(self, worker_ids: Sequence[str]) -> list[Execution]:
        """Locked executions that these workers hold."""

    def expired(self, now: datetime, limit: int) -> list[Execution]:
        """Locked RUNNING executions whose lease is over."""

    def renew_leases(self, worker_id: str, lease_until: datetime) -> None:
        """For every execution that the worker runs."""

    def status_counts(self) -> dict[str, int]:
        """How many executions there are, by status; statuses that none has are left out."""

    def oldest_queued(self) -> datetime | None:
        """When the oldest QUEUED execution was created."""

    def count_busy(self) -> int:
        """How many executions are QUEUED or RUNNING, notebooks left out."""

    # --- waits
    def put_waits(self, execution_id: str, awaited_ids: Iterable[str]) -> None: ...

    def end_waits(self, execution_id: str) -> None: ...

    def waiters(self, awaited_id: str) -> list[Execution]:
        """Locked WAITING executions that wait for this one."""

    def end_wait(self, execution_id: str, awaited_id: str) -> int:
        """Forget one awaited execution; return how many are left."""

    # --- savepoints
    def insert_savepoint(self, savepoint: Savepoint) -> None: ...

    def next_savepoint_number(self, execution_id: str) -> int: ...

    def savepoint(self, savepoint_id: str) -> Savepoint | None: ...

    def savepoint_by_name(self, execution_id: str, name: str) -> Savepoint | None:
        """The newest of that name."""

    def savepoint_views(self, execution_id: str) -> list[SavepointView]:
        """In the order they were made."""

    def branch(self, savepoint_id: str) -> Iterator[Savepoint]:
        """The savepoint and all before it in its branch, newest first, without manifests and chunks. Read as
        far as it is asked for."""

    def count_restore(self, savepoint_id: str) -> None: ...

    def delete_savepoints(self, execution_id: str) -> None: ...

    # --- log, outputs of cells, chunks
    def append_log(
        self, execution_id: str, at: datetime, level: LogLevel, text: str, fields: Mapping[str, object]
    ) -> None: ...

    def log(self, execution_id: str, after: int, limit: int) -> list[LogLine]:
        """Lines whose number is greater than `after`, in order."""

    def put_cells(
        self, execution_id: str, cells: Iterable[CellOutput], replaces_all: bool = False
    ) -> None: ...

    def cells(self, execution_id: str) -> tuple[CellOutput, ...]: ...

    def put_chunks(self, chunks: Mapping[str, bytes]) -> None:
        """By hash; one that is there already stays as it is."""

    def read_chunks(self, hashes: Iterable[str]) -> dict[str, bytes]:
        """Those that exist, by hash."""

    def small_chunks(self, hashes: Sequence[str]) -> dict[str, bytes]:
        """Some of those, enough for a small savepoint: a few, none of them large."""

    # --- upkeep (see `upkeep` for why removing is safe beside writers)
    def with_savepoints(self, more_than: int | None) -> list[str]:
        """Ids of executions with more than so many savepoints (None: none), and of all that have several
        and options of their own."""

    def drop_savepoints(self, parents: Mapping[str, str | None], hollow: Collection[str]) -> None:
        """Remove these savepoints; those that came from one come from its `parents` entry afterwards.

        The `hollow` ones stay in their branch with their call, but without their state: not exact any more.
        """

    def chunk_uses(self) -> Iterator[ChunkUse]:
        """Everything that refers to chunks."""

    def chunk_sizes(self) -> dict[str, int]:
        """The stored size of each chunk, in bytes."""

    def condemn_chunks(self, hashes: Iterable[str], at: datetime) -> None:
        """Those that are condemned already stay so since then; whoever puts one pardons it."""

    def pardon_chunks(self, used: Collection[str]) -> None: ...

    def remove_condemned(self, hashes: Iterable[str], before: datetime) -> set[str]:
        """Remove those that were condemned before an instant; return which."""

    def remove_chunk_files(self, hashes: Iterable[str], before: datetime) -> set[str]:
        """Remove chunks that are files and that nobody wrote since an instant; return which."""

    # --- changes
    def changes(self, after: int, limit: int) -> list[Change]: ...

    def newest_change(self) -> int: ...

    def prune_changes(self, keep: int) -> None:
        """Forget all but the newest `keep` changes."""

    # --- workers
    def put_worker(self, worker: WorkerRecord) -> None: ...

    def workers(self) -> list[WorkerRecord]: ...

    def delete_worker(self, worker_id: str) -> None: ...

    # --- the schema
    def another_schema(self) -> str | None:
        """The revision of the schema if it is not the one that this version knows: the store was migrated
        while it was open here."""


class Store(Protocol):
    """See the contract above. Safe to use from several threads.

    `url` names it without a password; `chunk_directory` is where kernels of this machine may read and
    write large chunks as files (None: there is no such place). `tells_in_order` is False where a change
    may become visible after one with a greater `seq`.
    """

    url: str
    chunk_directory: str | None
    tells_in_order: bool

    def writing(self) -> AbstractContextManager[Transaction]:
        """Raises StoreError when it cannot be written (locked, read-only, disk full …)."""

    def reading(self) -> AbstractContextManager[Transaction]: ...

    def listen(self, listener: Callable[[Notice], None]) -> Callable[[], None]:
        """Call `listener`, in any thread, soon after any commit, also of other processes; returns what
        ends it."""

    def close(self) -> None: ...
