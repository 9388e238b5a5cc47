"""`Engine`: the synchronous door for REST, the command line and tests. Safe to use from several threads.

It changes executions only through `machine`, each time in one transaction, and never waits for a worker:
a wish or a restore is committed, and the worker that holds the execution learns of it from the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
from msgspec.structs import replace

from ..errors import ConflictError, InvalidInputError, ResourceNotFoundError, SavepointError
from ..model import (
    Execution,
    ExecutionType,
    ExecutionView,
    FlowSource,
    FlowView,
    LogLine,
    ResumeMode,
    Savepoint,
    SavepointView,
    Status,
    Value,
    VariableChange,
    VariableView,
)
from ..store import Change, ExecutionFilter, Page, Store, Transaction, TransactionAborted
from .arrivals import Arrival, Arrivals
from .changes import SAVED, checked_code, current_source, with_changes
from .events import Archived, CancelWished, Deleted, PauseWished, Restored, Run
from .facts import copied, new_execution, outputs_at
from .feed import ChangeFeed
from .flows import FlowLibrary
from .identifiers import new_id
from .ledger import Ledger
from .machine import refused
from .notebooks import executed_notebook
from .options import with_options

Result = TypeVar("Result")

_ATTEMPTS = 5
_ARCHIVED_AT_ONCE = 200


def now() -> datetime:
    return datetime.now(UTC)


class Engine:
    """Executions in `store`, of the flows in `library`. `clock` gives the time, aware UTC.

    `owner_concurrent`: how many executions that one owner started may have begun and not ended.
    """

    def __init__(
        self,
        store: Store,
        library: FlowLibrary,
        clock: Callable[[], datetime] = now,
        owner_concurrent: int | None = None,
    ) -> None:
        self.store = store
        self.library = library
        self.clock = clock
        self.owner_concurrent = owner_concurrent
        self._feed = ChangeFeed(store)
        self._arrivals: list[Arrivals] = []

    def close(self) -> None:
        """End the telling of changes. The store stays open."""
        self._feed.close()

    # --- look

    def flows(self) -> list[FlowView]:
        """All flows below the root, also those that cannot be run (with their `error`)."""
        return self.library.flows()

    def execution(self, execution_id: str) -> ExecutionView:
        """Raises ResourceNotFoundError."""
        view = self.read(lambda transaction: transaction.view(execution_id))
        if view is None:
            raise _no_execution(execution_id)
        return view

    def executions(
        self,
        *,
        status: Status | None = None,
        flow: str | None = None,
        parent_id: str | None = None,
        roots_only: bool = False,
        text: str | None = None,
        type: ExecutionType | None = None,
        name: str | None = None,
        owner: str | None = None,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """Newest first; `text` is looked for in id, name, flow, message and log."""
        wanted = ExecutionFilter(
            status=status,
            flow=flow,
            parent_id=parent_id,
            roots_only=roots_only,
            text=text,
            type=type,
            name=name,
            owner=owner,
            created_after=created_after,
            created_before=created_before,
            limit=max(1, min(limit, 1000)),
            cursor=cursor,
        )
        return self.read(lambda transaction: transaction.views(wanted))

    def children(self, execution_id: str) -> list[ExecutionView]:
        """In the order they were created. Raises ResourceNotFoundError."""

        def read(transaction: Transaction) -> tuple[ExecutionView, ...]:
            if transaction.execution(execution_id) is None:
                raise _no_execution(execution_id)
            return transaction.views(ExecutionFilter(parent_id=execution_id, limit=1_000_000)).executions

        return list(reversed(self.read(read)))

    def savepoints(self, execution_id: str) -> list[SavepointView]:
        """In the order they were made. Raises ResourceNotFoundError."""

        def read(transaction: Transaction) -> list[SavepointView]:
            if transaction.execution(execution_id) is None:
                raise _no_execution(execution_id)
            return transaction.savepoint_views(execution_id)

        return self.read(read)

    def savepoint(self, savepoint_id: str) -> SavepointView:
        """Raises ResourceNotFoundError."""
        return self._savepoint(savepoint_id).view()

    def variables(self, savepoint_id: str) -> list[VariableView]:
        """The variables of a savepoint; nothing is unpickled. Raises SavepointError for a damaged one."""
        from ..snapshot import Manifest  # only here: the engine never loads a snapshot

        manifest = self._savepoint(savepoint_id).draft.manifest
        return list(Manifest.from_bytes(manifest).variables()) if manifest else []

    def difference(self, before_id: str, after_id: str) -> list[VariableChange]:
        """What became of each variable between two savepoints, without unpickling. Raises as `variables`."""
        from ..snapshot import Manifest, diff

        kept = [self._savepoint(savepoint_id).draft.manifest for savepoint_id in (before_id, after_id)]
        before, after = (Manifest.from_bytes(manifest) for manifest in kept)
        return list(diff(before, after))

    def log(self, execution_id: str, after: int = 0, limit: int = 1000) -> list[LogLine]:
        """Lines with a number greater than `after`, in order. Raises ResourceNotFoundError."""

        def read(transaction: Transaction) -> list[LogLine]:
            if transaction.execution(execution_id) is None:
                raise _no_execution(execution_id)
            return transaction.log(execution_id, after, limit)

        return self.read(read)

    def notebook(self, execution_id: str) -> dict[str, Any]:
        """The executed notebook in nbformat 4's shape. Raises ResourceNotFoundError."""

        def read(transaction: Transaction) -> dict[str, Any]:
            view = transaction.view(execution_id)
            if view is None:
                raise _no_execution(execution_id)
            source = None
            if view.flow_version is not None:
                source = transaction.flow_version(view.flow_version, view.flow or "")
            return executed_notebook(view, source, transaction.cells(execution_id))

        return self.read(read)

    # --- act

    def start(
        self,
        flow: str,
        inputs: dict[str, Any] | None = None,
        name: str | None = None,
        key: str | None = None,
        *,
        options: dict[str, Any] | None = None,
        owner: str | None = None,
    ) -> ExecutionView:
        """Create an execution; a worker runs it.

        Arguments: `flow` by name or path, `inputs` as JSON values, `name` for the panels. With `key` the
        call is idempotent: an execution that was started with it before is returned. `options` replace
        those that the flow declares (see `model.FlowOptions`), `owner` is the person who starts it.

        Raises ResourceNotFoundError and InvalidFlowError for a flow that cannot be run, InvalidInputError
        for inputs that are no JSON, ConflictError when another flow was started with `key`.
        """
        values = json_values(inputs or {})
        source = self.library.read(flow)
        wanted = replace(with_options(source.options, options or {}), owner_concurrent=self.owner_concurrent)
        execution = new_execution(
            source,
            new_id(),
            self.clock(),
            values,
            name=name,
            creation_key=key,
            options=wanted,
            owner=owner,
        )

        arrival = self._arrival_of(execution)
        is_repeat = False

        def create(transaction: Transaction) -> ExecutionView | None:
            nonlocal is_repeat
            existing = transaction.execution_by_key(key) if key is not None else None
            if existing is not None:
                if existing.flow != source.name:
                    raise ConflictError(
                        f"the key {key!r} belongs to execution {existing.id} of the flow {existing.flow}: "
                        "take another key",
                        execution_id=existing.id,
                    )
                return transaction.view(existing.id)
            made = transaction.execution(execution.id) if is_repeat else None
            is_repeat = True
            if made is None:
                transaction.put_flow_version(source)
                ledger = Ledger(transaction, self.clock())
                if arrival is None or not arrival.insert(ledger, execution, source):
                    ledger.insert(execution)
                made = transaction.execution(execution.id, lock=True)
            elif arrival is not None:  # it is committed, and only that was lost
                arrival.is_there(made, source)
            return None if made is None else made.view()  # it has neither children nor savepoints yet

        try:
            view = self._create(create, arrival)
        except ConflictError:
            if key is None:
                raise
            view = self.write(create)  # somebody else was quicker with this key
        return view if view is not None else self.execution(execution.id)

    def _create(
        self, create: Callable[[Transaction], ExecutionView | None], arrival: Arrival | None
    ) -> ExecutionView | None:
        is_committed = False
        try:
            view = self.write(create)
            is_committed = True
        finally:
            if arrival is not None:
                arrival.settle(is_committed)
        return view

    def take_in(self, arrivals: Arrivals) -> Callable[[], None]:
        """Let a worker of this process begin at once what is started here; returns what ends it."""
        self._arrivals.append(arrivals)
        return lambda: self._arrivals.remove(arrivals)

    def _arrival_of(self, execution: Execution) -> Arrival | None:
        return next((found for one in list(self._arrivals) if (found := one.reserve(execution))), None)

    def cancel(self, execution_id: str) -> ExecutionView:
        """Wish that it ends: its flow sees ExecutionCancel at its next call; `finally` blocks run.

        Children are cancelled too. Raises ConflictError when it ended otherwise already.
        """

        def cancel(ledger: Ledger, execution: Execution) -> None:
            if execution.status is not Status.ENDED_CANCELLED:
                if execution.status.is_final:
                    raise refused(execution, "cancelling", "it has ended already")
                ledger.advance(execution, CancelWished(at=ledger.now))

        return self._decide(execution_id, cancel)

    def pause(self, execution_id: str) -> ExecutionView:
        """Wish that it rests from its next call on. Raises ConflictError when it has ended."""
        return self._decide(
            execution_id, lambda ledger, execution: ledger.advance(execution, PauseWished(at=ledger.now))
        )

    def resume(self, execution_id: str) -> ExecutionView:
        """Let a paused or only created execution go on. Raises ConflictError when it is neither."""
        return self._decide(
            execution_id, lambda ledger, execution: ledger.advance(execution, Run(at=ledger.now))
        )

    def restore(
        self, savepoint_id: str, *, code: str = SAVED, changes: dict[str, Any] | None = None
    ) -> ExecutionView:
        """Put the execution back to one of its savepoints; it goes on from there.

        Arguments: `code`, "saved" (as it was at the savepoint) or "current" (the flow's file as it is now;
        where it does not fit the savepoint, the execution ends with a SavepointError that says why);
        `changes`, variables of the namespace and of the outermost function that get these JSON values.

        Raises ResourceNotFoundError, SavepointError for a savepoint that is not exact, ConflictError for a
        notebook's, which only a notebook can go on with, InvalidInputError for a variable that is none, and
        InvalidFlowError for a current file that cannot be run.
        """
        source = self._current_source(savepoint_id, code)
        values = json_values(changes or {})
        changed_id = new_id()

        def restore(transaction: Transaction) -> str:
            ledger = Ledger(transaction, self.clock())
            savepoint = exact(ledger, savepoint_id)
            execution = ledger.execution(savepoint.execution_id)
            version = savepoint.draft.flow_version
            if source is not None:
                transaction.put_flow_version(source)
                version = source.digest
            event = Restored(
                at=ledger.now,
                savepoint_id=changed_id if values else savepoint_id,
                outputs=outputs_at(transaction, savepoint),
                flow_version=version,
            )
            ledger.advance(execution, event)
            if values:
                changed = with_changes(savepoint, values, any_name=source is not None)
                number = transaction.next_savepoint_number(execution.id)
                transaction.insert_savepoint(
                    replace(
                        changed,
                        id=changed_id,
                        parent_id=savepoint_id,
                        number=number,
                        created_at=ledger.now,
                        restores=0,
                    )
                )
            return execution.id

        return self.execution(self.write(restore))

    def fork(
        self,
        savepoint_id: str,
        inputs: dict[str, Any] | None = None,
        name: str | None = None,
        *,
        code: str = SAVED,
        changes: dict[str, Any] | None = None,
    ) -> ExecutionView:
        """Start a new execution from a savepoint; `inputs` (JSON) replace those of the same name.

        `code` and `changes` as for `restore`. Raises what `restore` raises, save that a notebook's
        savepoint can be forked.
        """
        source = self._current_source(savepoint_id, code)
        values, new_values = json_values(inputs or {}), json_values(changes or {})
        fork_id, own_savepoint_id = new_id(), new_id()

        def fork(transaction: Transaction) -> str:
            if transaction.execution(fork_id) is not None:
                return fork_id  # it was committed, and only the word of it lost
            ledger = Ledger(transaction, self.clock())
            savepoint = exact(ledger, savepoint_id)
            origin = ledger.execution(savepoint.execution_id)
            version = savepoint.draft.flow_version or origin.flow_version
            if source is not None:
                transaction.put_flow_version(source)
                version = source.digest
            outputs = outputs_at(transaction, savepoint)
            execution = Execution(
                id=fork_id,
                type=ExecutionType.FLOW,
                flow=origin.flow,
                flow_version=version,
                name=name or origin.name,
                directory=origin.directory,
                status=Status.QUEUED,
                created_at=ledger.now,
                message=f"forked from savepoint {savepoint.number} of {origin.id}",
                inputs={**origin.inputs, **values},
                outputs=outputs,
                savepoint_id=own_savepoint_id,
                resume_mode=ResumeMode.AGAIN,
                options=origin.options,
                priority=origin.priority,
                owner=origin.owner,
            )
            ledger.insert(execution)
            # Its own copy: it stays when the origin is archived. Chunks are shared.
            copy = with_changes(savepoint, new_values, any_name=source is not None)
            inputs = {**copy.draft.inputs, **values}
            copy = replace(copy, draft=replace(copy.draft, inputs=inputs, outputs=outputs))
            transaction.insert_savepoint(
                replace(copy, id=own_savepoint_id, execution_id=fork_id, number=1, restores=0)
            )
            transaction.put_cells(fork_id, transaction.cells(origin.id))
            return fork_id

        return self.execution(self.write(fork))

    def _current_source(self, savepoint_id: str, code: str) -> FlowSource | None:
        """The flow's file as it is now, if it is asked for: read outside of the transaction that uses it."""
        if checked_code(code) == SAVED:
            return None

        def read(transaction: Transaction) -> FlowSource | None:
            ledger = Ledger(transaction, self.clock())
            execution = transaction.execution(exact(ledger, savepoint_id).execution_id)
            if execution is None:
                raise _no_execution(savepoint_id)
            return current_source(self.library, transaction, execution)

        return self.read(read)

    def archive(self, execution_id: str) -> ExecutionView:
        """Delete the savepoints of an ended execution. The worker frees the room that they took.

        Raises ConflictError when it has not ended.
        """

        def archive(ledger: Ledger, execution: Execution) -> None:
            if not execution.status.is_final:
                raise refused(execution, "archiving", "cancel it first, or wait for its end")
            ledger.advance(execution, Archived(at=ledger.now))

        return self._decide(execution_id, archive)

    def delete(self, execution_id: str) -> None:
        """Remove an ended execution with all that belongs to it, its descendants too.

        Raises ResourceNotFoundError, and ConflictError when it or a descendant has not ended.
        """

        def delete(transaction: Transaction) -> None:
            ledger = Ledger(transaction, self.clock())
            execution = ledger.execution(execution_id)
            if not execution.status.is_final:
                raise refused(execution, "deleting", "cancel it first, or wait for its end")
            ledger.advance(execution, Deleted(at=ledger.now))

        self.write(delete)

    def again(
        self, execution_id: str, *, same_code: bool = False, name: str | None = None, owner: str | None = None
    ) -> ExecutionView:
        """Start a new execution with the inputs that this one had.

        It runs the flow as it is now, or, with `same_code` or when the flow is gone, the version that this
        one ran. Raises ResourceNotFoundError, ConflictError for a notebook's, and InvalidFlowError.
        """
        origin = self.read(lambda transaction: transaction.execution(execution_id))
        if origin is None:
            raise _no_execution(execution_id)
        if origin.type is ExecutionType.NOTEBOOK or origin.flow is None:
            raise refused(origin, "running again", "open the notebook and run its cells")
        source = self._source_now(origin) if origin.type is ExecutionType.FLOW and not same_code else None
        if source is None and origin.type is ExecutionType.FLOW and origin.flow_version is None:
            raise refused(origin, "running again", "its flow is gone; fork one of its savepoints instead")
        again = copied(
            origin, new_id(), self.clock(), {}, name=name, owner=owner or origin.owner, parent_id=None
        )
        if source is not None:
            options = replace(source.options, owner_concurrent=self.owner_concurrent)
            again = replace(
                again,
                flow_version=source.digest,
                directory=source.directory,
                options=options,
                priority=options.priority,
            )

        def create(transaction: Transaction) -> None:
            if source is not None:
                transaction.put_flow_version(source)
            Ledger(transaction, self.clock()).insert(again)

        self.write(create)
        return self.execution(again.id)

    def _source_now(self, execution: Execution) -> FlowSource | None:
        """The flow that it ran, as it is now; None when it is not there any more."""
        try:
            source = self.library.read(execution.flow or "")
        except ResourceNotFoundError:
            return None
        return source if source.directory == execution.directory else None

    def archive_ended(self, before: datetime) -> int:
        """Archive all executions that ended before an instant (aware UTC); return how many."""

        def archive(transaction: Transaction) -> int:
            ended = transaction.ended_before(before, _ARCHIVED_AT_ONCE)
            ledger = Ledger(transaction, self.clock())
            for execution in ended:
                ledger.advance(execution, Archived(at=ledger.now))
            return len(ended)

        count = 0
        while part := self.write(archive):
            count += part
        return count

    def _decide(self, execution_id: str, decide: Callable[[Ledger, Execution], object]) -> ExecutionView:
        def write(transaction: Transaction) -> None:
            ledger = Ledger(transaction, self.clock())
            decide(ledger, ledger.execution(execution_id))

        self.write(write)
        return self.execution(execution_id)

    def write(self, work: Callable[[Transaction], Result]) -> Result:
        """Do `work` in one transaction; again when the database took it back. Raises StoreError."""
        return _persistently(self.store.writing, work)

    def read(self, work: Callable[[Transaction], Result]) -> Result:
        """The same for what only reads: whoever looks need not know that a server was restarted meanwhile."""
        return _persistently(self.store.reading, work)

    def _savepoint(self, savepoint_id: str) -> Savepoint:
        return self.read(lambda transaction: Ledger(transaction, self.clock()).savepoint(savepoint_id))

    # --- changes

    def changes(self, after: int = 0, limit: int = 1000) -> list[Change]:
        """What is different since the change with the seq `after`, in order."""
        return self.read(lambda transaction: transaction.changes(after, limit))

    def newest_change(self) -> int:
        return self.read(lambda transaction: transaction.newest_change())

    def on_change(self, callback: Callable[[Change], None]) -> Callable[[], None]:
        """Call `callback`, in a thread of the engine, for every later change; returns what ends it."""
        return self._feed.listen(callback)


def _persistently(
    begun: Callable[[], AbstractContextManager[Transaction]], work: Callable[[Transaction], Result]
) -> Result:
    for attempt in range(_ATTEMPTS - 1):
        try:
            with begun() as transaction:
                return work(transaction)
        except TransactionAborted:
            time.sleep(0.01 * 3**attempt)
    with begun() as transaction:
        return work(transaction)


def exact(ledger: Ledger, savepoint_id: str) -> Any:
    """A savepoint that can be gone on from. Raises ResourceNotFoundError and SavepointError."""
    savepoint = ledger.savepoint(savepoint_id)
    if not savepoint.draft.exact:
        raise SavepointError(
            f"savepoint {savepoint_id} is not exact, so nothing can go on from it "
            f"({savepoint.draft.inexact_reason}): take one before it",
            savepoint_id=savepoint_id,
        )
    return savepoint


def json_values(inputs: dict[str, Any]) -> dict[str, Value]:
    """Inputs from outside, which must be JSON. Raises InvalidInputError."""
    values = {}
    for name, value in inputs.items():
        try:
            plain = msgspec.json.decode(msgspec.json.encode(value))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise InvalidInputError(
                f"the input {name!r} is no JSON value: {error}", input=str(name)
            ) from error
        values[str(name)] = Value(json=plain)
    return values


def _no_execution(execution_id: str) -> ResourceNotFoundError:
    return ResourceNotFoundError(
        f"there is no execution {execution_id}: it was deleted, or the id is wrong", execution_id=execution_id
    )
