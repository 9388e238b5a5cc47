"""What takes room in a store, and how it is freed: old savepoints, and chunks that nothing refers to."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

import msgspec

from ..model import Status
from ..store import Store
from .ledger import Ledger
from .retention import superseded
from .service import Engine

#: A chunk that nothing refers to may belong to a savepoint which is about to be committed.
GRACE = timedelta(hours=1)
_AT_ONCE = 500
#: Work that nobody waits for lets others go on: after so many seconds of it, for so many times as long.
_SPELL = 0.005
_REST = 4.0


class Leisure:
    """Called now and then by long work, it sleeps as often as keeps the work to a fifth of a processor: a
    worker serves its kernels in the same process."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self) -> None:
        took = time.monotonic() - self._began
        if took > _SPELL:
            time.sleep(_REST * took)
            self._began = time.monotonic()


def _without_rest() -> None:
    pass


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """The room of a flow, an execution or a kind of things. `bytes` counts each chunk once; `own_bytes`,
    those that nothing else refers to, would be freed without it."""

    name: str
    flow: str | None = None
    status: Status | None = None
    executions: int = 0
    savepoints: int = 0
    chunks: int = 0
    bytes: int = 0
    own_bytes: int = 0


class StorageView(msgspec.Struct, frozen=True, kw_only=True):
    """What takes the room, the largest first. `reclaimable_bytes` are those that nothing refers to."""

    bytes: int
    chunks: int
    reclaimable_bytes: int
    reclaimable_chunks: int
    kinds: list[Usage]
    flows: list[Usage]
    executions: list[Usage]


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """What one collection freed; the rest of what nothing refers to waits until its grace is over."""

    savepoints: int = 0
    chunks: int = 0
    bytes: int = 0
    waiting_bytes: int = 0


def collect(engine: Engine, grace: timedelta = GRACE, rest: Callable[[], None] = _without_rest) -> Collected:
    """Remove the chunks that nothing refers to and that nobody put since `grace`.

    `rest` is called again and again while it looks (see `Leisure`).

    Safe beside running writers, as long as `grace` is longer than their transactions and than the time
    for which kernels take it that what they sent is there.
    """
    store, now = engine.store, engine.clock()
    unused, sizes, used = _unused(store, rest)
    freed: set[str] = set()
    with store.writing() as transaction:
        transaction.pardon_chunks(used)
    for start in range(0, len(unused), _AT_ONCE):
        part = unused[start : start + _AT_ONCE]
        with store.writing() as transaction:
            transaction.condemn_chunks(part, now)
            freed |= transaction.remove_condemned(part, now - grace)
            freed |= transaction.remove_chunk_files(part, now - grace)
    return Collected(
        chunks=len(freed),
        bytes=sum(sizes[digest] for digest in freed),
        waiting_bytes=sum(sizes[digest] for digest in unused if digest not in freed),
    )


def _unused(store: Store, rest: Callable[[], None]) -> tuple[list[str], dict[str, int], set[str]]:
    used: set[str] = set()
    with store.reading() as transaction:
        sizes = transaction.chunk_sizes()
    # Afterwards: what was put since is among the used, or not among the sizes.
    with store.reading() as transaction:
        for use in transaction.chunk_uses():
            used.update(use.chunks)
            rest()
    return [digest for digest in sizes if digest not in used], sizes, used


def prune(engine: Engine, retention: int | None) -> int:
    """Let go of savepoints that no execution needs and no flow wants kept; return how many.

    `retention`: how many automatic savepoints are kept of executions whose flow does not say it (None: all).
    """
    with engine.store.reading() as transaction:
        many = transaction.with_savepoints(retention)
    return sum(prune_execution(engine, execution_id, retention) for execution_id in many)


def prune_execution(engine: Engine, execution_id: str, retention: int | None) -> int:
    """The same for one execution."""

    def work(ledger: Ledger) -> int:
        execution = ledger.transaction.execution(execution_id, lock=True)
        if execution is None:
            return 0
        own = execution.options.savepoint_retention
        keep = retention if own is None else own
        if keep is None:
            return 0
        goes = superseded(execution, ledger.transaction.savepoint_views(execution_id), keep)
        if goes.parents:
            ledger.transaction.drop_savepoints(goes.parents, goes.hollow)
        return len(goes.parents)

    return engine.write(lambda transaction: work(Ledger(transaction, engine.clock())))


def storage(engine: Engine) -> StorageView:
    """What takes the room in the engine's store."""
    kinds, flows, executions = _Tally(), _Tally(), _Tally()
    with engine.store.reading() as transaction:
        sizes = transaction.chunk_sizes()
        for use in transaction.chunk_uses():
            is_savepoint = use.kind == "savepoint"
            kinds.add(use.kind, use.chunks, is_savepoint)
            if use.execution_id is not None:
                flow = use.flow or "(notebooks without a file)"
                flows.add(flow, use.chunks, is_savepoint, execution_id=use.execution_id)
                executions.add(use.execution_id, use.chunks, is_savepoint, flow=use.flow, status=use.status)
    unused = [digest for digest in sizes if digest not in kinds.users]
    return StorageView(
        bytes=sum(sizes.values()),
        chunks=len(sizes),
        reclaimable_bytes=sum(sizes[digest] for digest in unused),
        reclaimable_chunks=len(unused),
        kinds=kinds.usages(sizes),
        flows=flows.usages(sizes),
        executions=executions.usages(sizes),
    )


class _Tally:
    """Chunks by who uses them."""

    def __init__(self) -> None:
        self.chunks: dict[str, set[str]] = defaultdict(set)
        self.users: dict[str, str] = {}
        self._savepoints: dict[str, int] = defaultdict(int)
        self._executions: dict[str, set[str]] = defaultdict(set)
        self._facts: dict[str, tuple[str | None, Status | None]] = {}

    def add(
        self,
        name: str,
        chunks: tuple[str, ...],
        is_savepoint: bool,
        execution_id: str | None = None,
        flow: str | None = None,
        status: Status | None = None,
    ) -> None:
        self.chunks[name].update(chunks)
        for digest in chunks:
            # Who uses it alone, or an empty text for several.
            self.users[digest] = name if self.users.get(digest, name) == name else ""
        self._savepoints[name] += is_savepoint
        if execution_id is not None:
            self._executions[name].add(execution_id)
        self._facts[name] = flow, status

    def usages(self, sizes: dict[str, int]) -> list[Usage]:
        found = []
        for name, chunks in self.chunks.items():
            own = sum(sizes.get(digest, 0) for digest in chunks if self.users[digest] == name)
            flow, status = self._facts[name]
            found.append(
                Usage(
                    name=name,
                    flow=flow,
                    status=status,
                    executions=len(self._executions[name]),
                    savepoints=self._savepoints[name],
                    chunks=len(chunks),
                    bytes=sum(sizes.get(digest, 0) for digest in chunks),
                    own_bytes=own,
                )
            )
        return sorted(found, key=lambda one: (-one.bytes, one.name))
