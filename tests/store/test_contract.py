"""What every store promises: see the docstrings of `jupyter_flows.store.port`."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from jupyter_flows.errors import ConflictError, StaleLeaseError, StoreError
from jupyter_flows.model import (
    Cell,
    CellKind,
    CellOutput,
    CreateSavepoint,
    ErrorInfo,
    Execution,
    ExecutionType,
    FlowKind,
    FlowSource,
    Log,
    LogLevel,
    Missing,
    ResumeMode,
    ReturnWhen,
    Savepoint,
    SavepointDraft,
    SavepointKind,
    SetOutput,
    Site,
    Status,
    Value,
    Wait,
    Wish,
)
from jupyter_flows.store import ExecutionFilter, Notice, Store, WorkerRecord

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
FLOWS = (ExecutionType.FLOW,)


def execution(execution_id: str = "e1", **fields: Any) -> Execution:
    known: dict[str, Any] = {
        "id": execution_id,
        "type": ExecutionType.FLOW,
        "flow": "etl/score",
        "flow_version": "abc",
        "name": "score",
        "directory": "/flows/etl",
        "status": Status.QUEUED,
        "created_at": NOON,
    }
    return Execution(**{**known, **fields})


def running(execution_id: str = "e1", **fields: Any) -> Execution:
    claim = {"worker_id": "w1", "lease_until": NOON + timedelta(seconds=30), "started_at": NOON, "epoch": 1}
    return execution(execution_id, **{"status": Status.RUNNING, **claim, **fields})


def savepoint(savepoint_id: str, number: int, parent_id: str | None = None, **fields: Any) -> Savepoint:
    draft = SavepointDraft(
        kind=fields.pop("kind", SavepointKind.IMPLICIT),
        site=Site(cell=1, line=3, source="this.log(x)", function="handler"),
        manifest=b"manifest of " + savepoint_id.encode(),
        chunks=fields.pop("chunks", ("c1", "c2")),
        name=fields.pop("name", None),
        exact=fields.pop("exact", True),
        bytes_new=10,
        bytes_total=100,
        missing=(Missing(path="x", type="socket", reason="no"),),
    )
    known: dict[str, Any] = {"execution_id": "e1", "call": Log(text="hello"), "created_at": NOON}
    return Savepoint(
        **{**known, "id": savepoint_id, "parent_id": parent_id, "number": number, "draft": draft, **fields}
    )


def put(store: Store, *executions: Execution) -> None:
    with store.writing() as transaction:
        for one in executions:
            transaction.insert_execution(one)


def get(store: Store, execution_id: str = "e1") -> Execution | None:
    with store.reading() as transaction:
        return transaction.execution(execution_id)


# --- executions


def test_an_execution_comes_back_as_it_was(store: Store) -> None:
    full = running(
        message="half-way",
        wish=Wish.PAUSE,
        inputs={"a": Value(json={"b": [1, None, 2.5]})},
        outputs={"df": Value(manifest=b"\x00m", chunks=("c9",), type="DataFrame", text="3 rows")},
        parent_id="e0",
        creation_key="once",
        attempts=2,
        error=ErrorInfo(type="ValueError", message="bad", ids={"x": "1"}, traceback="…"),
        savepoint_id="s1",
        resume_mode=ResumeMode.AGAIN,
        wait=Wait(execution_ids=("e2",), return_when=ReturnWhen.FIRST_ENDED, wake_at=NOON),
        joining="s9",
        cancel_savepoint_id="s1",
    )
    put(store, full)
    assert get(store) == full


def test_an_update_writes_what_differs(store: Store) -> None:
    put(store, running())
    with store.writing() as transaction:
        read = transaction.execution("e1", lock=True)
        assert read is not None
        transaction.update_execution(replace(read, message="new", outputs={"n": Value(json=1)}), epoch=1)
    assert get(store) == running(message="new", outputs={"n": Value(json=1)})


def test_a_stale_epoch_is_refused_and_nothing_is_kept(store: Store) -> None:
    put(store, running(epoch=2))

    def write_late() -> None:
        with store.writing() as transaction:
            transaction.append_log("e1", NOON, LogLevel.INFO, "never", {})
            transaction.update_execution(running(epoch=1, message="stale"), epoch=1)

    with pytest.raises(StaleLeaseError):
        write_late()
    assert get(store) == running(epoch=2)
    with store.reading() as transaction:
        assert transaction.log("e1", 0, 10) == []


def test_a_creation_key_is_taken_once(store: Store) -> None:
    put(store, execution("e1", creation_key="k"))
    with pytest.raises(ConflictError):
        put(store, execution("e2", creation_key="k"))
    with store.reading() as transaction:
        found = transaction.execution_by_key("k")
        assert found is not None
        assert found.id == "e1"
        assert transaction.execution_by_key("other") is None


@pytest.mark.parametrize(
    "wrong",
    [
        execution(status=Status.ENDED_SUCCESS),
        execution(ended_at=NOON),
        execution(status=Status.WAITING),
        execution(status=Status.RUNNING),
        running(status=Status.ENDED_ERROR, ended_at=NOON),
        execution(attempts=-1),
        execution(flow=None),
    ],
    ids=["no end", "an end", "no wait", "no claim", "claimed at the end", "negative", "no source"],
)
def test_what_must_never_be_is_refused(store: Store, wrong: Execution) -> None:
    with pytest.raises(StoreError, match="must never be"):
        put(store, wrong)
    assert get(store) is None


def test_an_exception_takes_all_back(store: Store) -> None:

    def fail_in_the_middle() -> None:
        with store.writing() as transaction:
            transaction.insert_execution(execution())
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        fail_in_the_middle()
    assert get(store) is None


def test_lists_are_newest_first_and_paged(store: Store) -> None:
    put(store, *(execution(f"e{number}", name=f"n{number}") for number in range(5)))
    with store.reading() as transaction:
        first = transaction.views(ExecutionFilter(limit=2))
        second = transaction.views(ExecutionFilter(limit=2, cursor=first.next))
        third = transaction.views(ExecutionFilter(limit=2, cursor=second.next))
    assert [one.id for page in (first, second, third) for one in page.executions] == [
        "e4",
        "e3",
        "e2",
        "e1",
        "e0",
    ]
    assert third.next is None


def test_lists_are_filtered(store: Store) -> None:
    ended = {"status": Status.ENDED_SUCCESS, "ended_at": NOON}
    put(
        store,
        execution("e1", name="Alpha_1"),
        execution("e2", parent_id="e1", flow="other", **ended),
        execution("e3", message="100% done", type=ExecutionType.CONNECTION),
    )
    with store.writing() as transaction:
        transaction.append_log("e2", NOON, LogLevel.INFO, "a needle in the log", {})

    def ids(**fields: Any) -> list[str]:
        with store.reading() as transaction:
            return [one.id for one in transaction.views(ExecutionFilter(**fields)).executions]

    assert ids(status=Status.ENDED_SUCCESS) == ["e2"]
    assert ids(flow="other") == ["e2"]
    assert ids(parent_id="e1") == ["e2"]
    assert ids(roots_only=True) == ["e3", "e1"]
    assert ids(type=ExecutionType.CONNECTION) == ["e3"]
    assert ids(text="alpha_") == ["e1"]
    assert ids(text="0%") == ["e3"]
    assert ids(text="NEEDLE") == ["e2"]
    assert ids(text="%") == ["e3"]


def test_a_view_counts_children_and_savepoints(store: Store) -> None:
    put(store, execution("e1"), execution("e2", parent_id="e1"), execution("e3", parent_id="e1"))
    with store.writing() as transaction:
        transaction.insert_savepoint(savepoint("s1", 1))
    with store.reading() as transaction:
        view = transaction.view("e1")
        assert view is not None
        assert (view.children, view.savepoints) == (2, 1)
        assert [one.id for one in transaction.children("e1")] == ["e2", "e3"]


def test_deleting_takes_all_that_belongs_to_it(store: Store) -> None:
    put(store, execution())
    with store.writing() as transaction:
        transaction.insert_savepoint(savepoint("s1", 1))
        transaction.append_log("e1", NOON, LogLevel.INFO, "x", {})
        transaction.put_cells("e1", [CellOutput(cell=0, execution_count=1)])
        transaction.delete_execution("e1")
    with store.reading() as transaction:
        assert transaction.execution("e1") is None
        assert transaction.savepoint("s1") is None
        assert transaction.log("e1", 0, 10) == []
        assert transaction.cells("e1") == ()


# --- what is due


def claimable(store: Store, worker_id: str = "w1", now: datetime = NOON, limit: int = 10) -> list[str]:
    with store.writing() as transaction:
        found = [one.id for one in transaction.claimable(worker_id, FLOWS, limit, now)]
        assert transaction.has_claimable(worker_id, FLOWS, now) == bool(found)
        return found


def test_queued_executions_are_claimable_oldest_first(store: Store) -> None:
    put(
        store, execution("e2"), execution("e1"), running("e3"), execution("e4", type=ExecutionType.CONNECTION)
    )
    assert claimable(store) == ["e1", "e2"]
    assert claimable(store, limit=1) == ["e1"]


def test_an_execution_is_left_to_the_worker_that_keeps_its_kernel(store: Store) -> None:
    put(store, execution("e1", worker_id="w1", lease_until=NOON + timedelta(seconds=1)))
    assert claimable(store, "w1") == ["e1"]
    assert claimable(store, "w2") == []
    assert claimable(store, "w2", NOON + timedelta(seconds=2)) == ["e1"]


def test_a_notebook_is_left_to_its_worker_for_ever(store: Store) -> None:
    notebook = {"type": ExecutionType.NOTEBOOK, "worker_id": "w1", "lease_until": NOON}
    put(store, execution("e1", **notebook))
    with store.writing() as transaction:
        later = NOON + timedelta(days=1)
        assert transaction.claimable("w2", (ExecutionType.NOTEBOOK,), 9, later) == []
        assert [one.id for one in transaction.claimable("w1", (ExecutionType.NOTEBOOK,), 9, later)] == ["e1"]


def test_timers_are_due_in_order_and_not_early(store: Store) -> None:
    def sleeper(execution_id: str, seconds: float) -> Execution:
        wait = Wait(wake_at=NOON + timedelta(seconds=seconds))
        return execution(execution_id, status=Status.WAITING, wait=wait)

    put(store, sleeper("e1", 20), sleeper("e2", 10), sleeper("e3", 30), execution("e4"))
    with store.writing() as transaction:
        assert transaction.next_timer() == NOON + timedelta(seconds=10)
        assert transaction.timers_due(NOON + timedelta(seconds=9.999999), 9) == []
        due = transaction.timers_due(NOON + timedelta(seconds=20), 9)
        assert [one.id for one in due] == ["e2", "e1"]
        transaction.update_execution(replace(due[0], status=Status.QUEUED), epoch=0)
        assert transaction.next_timer() == NOON + timedelta(seconds=20)


def test_leases_are_renewed_and_expire(store: Store) -> None:
    put(store, running("e1"), running("e2", worker_id="w2"), execution("e3", worker_id="w1"))
    with store.writing() as transaction:
        transaction.renew_leases("w1", NOON + timedelta(seconds=90))
        expired = transaction.expired(NOON + timedelta(seconds=60), 10)
        assert [one.id for one in expired] == ["e2"]
        assert [one.id for one in transaction.held_by("w1")] == ["e1", "e3"]
        assert [one.id for one in transaction.held_executions(["w1", "w2"])] == ["e1", "e2", "e3"]
        assert transaction.count_busy() == 3


def test_two_workers_never_claim_the_same(store: Store) -> None:
    put(store, *(execution(f"e{number:03}") for number in range(60)))
    claims: dict[str, list[str]] = {f"w{number}": [] for number in range(4)}
    together = threading.Barrier(4)

    def claim(worker_id: str) -> None:
        together.wait()
        while True:
            with store.writing() as transaction:
                found = transaction.claimable(worker_id, FLOWS, 5, NOON)
                for one in found:
                    claimed = replace(
                        one,
                        status=Status.RUNNING,
                        worker_id=worker_id,
                        lease_until=NOON,
                        started_at=NOON,
                        epoch=one.epoch + 1,
                    )
                    transaction.update_execution(claimed, epoch=one.epoch)
                    claims[worker_id].append(one.id)
            if not found:
                return

    threads = [threading.Thread(target=claim, args=(worker_id,)) for worker_id in claims]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    everything = [one for found in claims.values() for one in found]
    assert sorted(everything) == [f"e{number:03}" for number in range(60)]


# --- waits


def test_waits_know_who_waits_for_whom(store: Store) -> None:
    wait = Wait(execution_ids=("e2", "e3"))
    put(store, execution("e1", status=Status.WAITING, wait=wait), execution("e2"), execution("e3"))
    with store.writing() as transaction:
        transaction.put_waits("e1", ["e2", "e3", "e2"])
        assert [one.id for one in transaction.waiters("e2")] == ["e1"]
        assert transaction.end_wait("e1", "e2") == 1
        assert transaction.waiters("e2") == []
        assert transaction.end_wait("e1", "e3") == 0
        transaction.put_waits("e1", ["e2"])
        transaction.end_waits("e1")
        assert transaction.waiters("e2") == []


# --- savepoints


def test_a_savepoint_comes_back_as_it_was(store: Store) -> None:
    put(store, execution())
    full = savepoint(
        "s1",
        1,
        call=SetOutput(outputs={"a": Value(json=[1])}),
        name="here",
        kind=SavepointKind.NAMED,
        effect_ids=("e7",),
        restores=3,
        error=ErrorInfo(type="InvalidInputError", message="no"),
    )
    with store.writing() as transaction:
        assert transaction.next_savepoint_number("e1") == 1
        transaction.insert_savepoint(full)
        transaction.count_restore("s1")
        assert transaction.next_savepoint_number("e1") == 2
    with store.reading() as transaction:
        assert transaction.savepoint("s1") == replace(full, restores=4)
        assert transaction.savepoint("unknown") is None
        assert transaction.savepoint_views("e1") == [replace(full, restores=4).view()]


def test_a_branch_goes_back_to_its_beginning(store: Store) -> None:
    put(store, execution())
    with store.writing() as transaction:
        for number, parent in ((1, None), (2, "s1"), (3, "s2"), (4, "s1"), (5, "s4")):
            name = "mark" if number in (2, 4) else None
            call = CreateSavepoint(name=name) if name else Log(text="x")
            transaction.insert_savepoint(savepoint(f"s{number}", number, parent, call=call, name=name))
    with store.reading() as transaction:
        assert [one.id for one in transaction.branch("s5")] == ["s5", "s4", "s1"]
        assert [one.id for one in transaction.branch("s3")] == ["s3", "s2", "s1"]
        newest = transaction.savepoint_by_name("e1", "mark")
        assert newest is not None
        assert newest.id == "s4"
        assert newest.draft.manifest == b"manifest of s4"
        assert transaction.savepoint_by_name("e1", "nothing") is None


# --- logs, cells, chunks


def test_the_log_is_read_on_from_where_one_was(store: Store) -> None:
    put(store, execution("e1"), execution("e2"))
    with store.writing() as transaction:
        transaction.append_log("e1", NOON, LogLevel.INFO, "one", {"rows": 3, "at": None})
        transaction.append_log("e2", NOON, LogLevel.ERROR, "other", {})
        transaction.append_log("e1", NOON, LogLevel.WARNING, "two", {})
    with store.reading() as transaction:
        first, second = transaction.log("e1", 0, 10)
        assert (first.text, first.level, first.fields, first.at) == (
            "one",
            LogLevel.INFO,
            {"rows": 3, "at": None},
            NOON,
        )
        assert transaction.log("e1", first.number, 10) == [second]
        assert len(transaction.log("e1", 0, 1)) == 1


def test_outputs_of_cells_are_replaced_by_cell(store: Store) -> None:
    def cell(number: int, text: str) -> CellOutput:
        outputs = ({"output_type": "stream", "name": "stdout", "text": text},)
        return CellOutput(cell=number, execution_count=number + 1, outputs=outputs)

    put(store, execution())
    with store.writing() as transaction:
        transaction.put_cells("e1", [cell(1, "b"), cell(0, "a")])
        transaction.put_cells("e1", [cell(1, "c")])
        assert transaction.cells("e1") == (cell(0, "a"), cell(1, "c"))
        transaction.put_cells("e1", [cell(4, "d")], replaces_all=True)
        assert transaction.cells("e1") == (cell(4, "d"),)


def test_chunks_are_kept_once_and_everything_that_refers_to_them_is_known(store: Store) -> None:
    large = bytes(range(256)) * 400
    value = Value(manifest=b"m", chunks=("of-a-value",))
    put(store, execution(inputs={"x": value}))
    with store.writing() as transaction:
        transaction.put_chunks(
            {"small-one": b"abc", "large-one": large, "of-a-value": b"v", "unused-one": b"u"}
        )
        transaction.put_chunks({"small-one": b"abc"})
        call = SetOutput(outputs={"y": Value(manifest=b"m", chunks=("of-a-call",))})
        transaction.put_chunks({"of-a-call": b"c"})
        transaction.insert_savepoint(savepoint("s1", 1, call=call, chunks=("small-one", "large-one")))
    with store.reading() as transaction:
        found = transaction.read_chunks(["small-one", "large-one", "nothing"])
        assert found == {"small-one": b"abc", "large-one": large}
        used = {digest for use in transaction.chunk_uses() for digest in use.chunks}
        assert used == {"small-one", "large-one", "of-a-value", "of-a-call"}
        assert transaction.chunk_sizes() == {
            "small-one": 3,
            "large-one": len(large),
            "of-a-value": 1,
            "unused-one": 1,
            "of-a-call": 1,
        }


def test_a_condemned_chunk_is_removed_later_unless_somebody_puts_it_again(store: Store) -> None:
    with store.writing() as transaction:
        transaction.put_chunks({"wanted-one": b"w", "unwanted": b"u", "innocent": b"i"})
        transaction.condemn_chunks(["wanted-one", "unwanted"], NOON)
    with store.writing() as transaction:
        transaction.put_chunks({"wanted-one": b"w"})
        transaction.condemn_chunks(["unwanted"], NOON + timedelta(hours=2))
        everything = ["wanted-one", "unwanted", "innocent"]
        assert transaction.remove_condemned(everything, NOON - timedelta(seconds=1)) == set()
        assert transaction.remove_condemned(everything, NOON) == {"unwanted"}
        assert sorted(transaction.read_chunks(everything)) == ["innocent", "wanted-one"]
        transaction.condemn_chunks(everything, NOON)
        transaction.pardon_chunks({"innocent"})
        assert transaction.remove_condemned(everything, NOON) == {"wanted-one"}


def test_savepoints_are_dropped_and_their_branch_stays_whole(store: Store) -> None:
    put(store, execution())
    with store.writing() as transaction:
        parent = None
        for number in range(1, 6):
            one = savepoint(f"s{number}", number, call=SetOutput(outputs={}), chunks=(f"chunk-{number}",))
            transaction.insert_savepoint(replace(one, parent_id=parent))
            parent = one.id
        transaction.drop_savepoints({"s2": "s1", "s3": "s1", "s4": "s3"}, hollow={"s3"})
    with store.reading() as transaction:
        assert [one.id for one in transaction.branch("s5")] == ["s5", "s3", "s1"]
        hollow = transaction.savepoint("s3")
        assert hollow is not None
        assert (hollow.draft.exact, hollow.draft.chunks, hollow.draft.manifest) == (False, (), b"")
        assert "let go" in (hollow.draft.inexact_reason or "")
        used = {digest for use in transaction.chunk_uses() for digest in use.chunks}
        assert used == {"chunk-1", "chunk-5"}


def test_a_fork_goes_on_from_what_stays_of_its_origin(store: Store) -> None:
    put(store, execution(), execution("e2"), execution("e3"))
    with store.writing() as transaction:
        for number in range(1, 2002):
            parent = f"s{number - 1}" if number > 1 else None
            transaction.insert_savepoint(savepoint(f"s{number}", number, parent_id=parent))
        transaction.insert_savepoint(savepoint("f1", 1, parent_id="s1500", execution_id="e2"))
        transaction.insert_savepoint(savepoint("f2", 2, parent_id="f1", execution_id="e2"))
        transaction.insert_savepoint(savepoint("g1", 1, parent_id="s2001", execution_id="e3"))
        transaction.drop_savepoints({f"s{number}": "s1" for number in range(2, 2001)}, hollow=())
    with store.reading() as transaction:
        assert [one.id for one in transaction.branch("f2")] == ["f2", "f1", "s1"]
        assert [one.id for one in transaction.branch("g1")] == ["g1", "s2001", "s1"]


def test_flow_versions_are_kept_once(store: Store) -> None:
    cells = (Cell(id="a", kind=CellKind.CODE, source="x = 1", tags=("parameters",)),)
    source = FlowSource(
        name="etl", path="etl.ipynb", directory="/flows", kind=FlowKind.NOTEBOOK, cells=cells, digest="d"
    )
    with store.writing() as transaction:
        transaction.put_flow_version(source)
        transaction.put_flow_version(replace(source, directory="/elsewhere"))
        assert transaction.flow_version("d", "etl") == source
        assert transaction.flow_version("d", "other") is None


# --- changes and workers


def test_every_write_is_a_change(store: Store) -> None:
    put(store, execution("e1", parent_id="p"))
    with store.writing() as transaction:
        transaction.insert_savepoint(savepoint("s1", 1))
        transaction.append_log("e1", NOON, LogLevel.INFO, "x", {})
    with store.reading() as transaction:
        changes = transaction.changes(0, 10)
        assert [(one.kind, one.execution_id, one.parent_id) for one in changes] == [
            ("execution", "e1", "p"),
            ("savepoint", "e1", "p"),
            ("log", "e1", "p"),
        ]
        numbers = [one.seq for one in changes]
        assert numbers == sorted(set(numbers))
        assert transaction.changes(numbers[1], 10) == changes[2:]
        assert transaction.newest_change() == numbers[-1]
    with store.writing() as transaction:
        transaction.prune_changes(keep=1)
        assert transaction.changes(0, 10) == changes[2:]


def test_listeners_are_told_after_the_commit(store: Store) -> None:
    told: list[bool] = []
    arrived = threading.Event()

    def listen(notice: Notice) -> None:  # the watch on other processes may see the commit first
        told.append(get(store) is not None)
        if notice == Notice(has_changes=True, is_due=True, has_ends=False):
            arrived.set()

    dispose = store.listen(listen)
    put(store, execution())
    assert arrived.wait(30)
    assert all(told)
    dispose()


def test_commits_of_other_processes_are_told(store: Store, url: str) -> None:
    from jupyter_flows.store import open_store

    other = open_store(url)
    arrived = threading.Event()
    other.listen(lambda notice: arrived.set() if notice.is_due else None)
    try:
        for number in range(100):
            put(store, execution(f"e{number}"))
            if arrived.wait(1):
                break
        assert arrived.is_set()
    finally:
        other.close()


def test_workers_sign_on_and_off(store: Store) -> None:
    worker = WorkerRecord(id="w1", host="here", pid=7, process="99", slots=2, started_at=NOON, seen_at=NOON)
    later = replace(worker, seen_at=NOON + timedelta(seconds=5))
    with store.writing() as transaction:
        transaction.put_worker(worker)
        transaction.put_worker(later)
        assert transaction.workers() == [later]
        transaction.delete_worker("w1")
        assert transaction.workers() == []


# --- search


def found(store: Store, text: str, **fields: Any) -> list[str]:
    with store.reading() as transaction:
        return [view.id for view in transaction.views(ExecutionFilter(text=text, **fields)).executions]


def test_a_text_is_found_wherever_it_is_said(store: Store) -> None:
    put(
        store,
        execution("e1", name="Nightly import"),
        execution("e2", flow="clean/addresses", status=Status.PAUSED),
        execution("e3", inputs={"region": Value(json="north"), "url": Value(json="x://me:hidden@h/d")}),
        execution("e4", message='it said "50%_done" twice'),
    )
    with store.writing() as transaction:
        transaction.append_log("e1", NOON, LogLevel.INFO, "fetched the ADDRESSES of the north", {})
        transaction.append_log("e1", NOON, LogLevel.INFO, "more addresses", {})
    assert found(store, "nightly") == ["e1"]
    assert found(store, "addresses") == ["e2", "e1"]
    assert found(store, "addresses", status=Status.PAUSED) == ["e2"]
    assert found(store, '"region":"north"') == ["e3"]
    assert found(store, "north") == ["e3", "e1"]
    assert found(store, '"50%_done"') == ["e4"]
    assert found(store, "hidden") == []
    assert found(store, "nowhere") == []
    assert found(store, "no") == ["e3", "e1"]
    put(store, execution("06h0kn94pawc", message="06h0zz"), execution("06h0zz1111"))
    assert found(store, "06H0kn94") == ["06h0kn94pawc"]
    assert found(store, "06h0zz", limit=1) == ["06h0zz1111"]
    assert (
        found(store, "06h0zz", status=Status.QUEUED)
        == found(store, "06h0zz")
        == ["06h0zz1111", "06h0kn94pawc"]
    )
    assert found(store, "06h0", cursor="06h0zz1111") == ["06h0kn94pawc"]
    with store.writing() as transaction:
        read = transaction.execution("e4", lock=True)
        assert read is not None
        transaction.update_execution(replace(read, message="all is well"), epoch=read.epoch)
        transaction.delete_execution("e1")
    assert found(store, "50%_done") == []
    assert found(store, "all is well") == ["e4"]
    assert found(store, "addresses") == ["e2"]


def test_a_search_comes_in_pages(store: Store) -> None:
    ids = [f"e{n:03}" for n in range(25)]
    put(store, *(execution(one, message="needle" if n % 2 else "hay") for n, one in enumerate(ids)))
    with store.writing() as transaction:
        for one in ids[::5]:
            transaction.append_log(one, NOON, LogLevel.INFO, "a needle here", {})
            transaction.append_log(one, NOON, LogLevel.INFO, "another needle", {})
    seen: list[str] = []
    cursor = None
    while True:
        with store.reading() as transaction:
            page = transaction.views(ExecutionFilter(text="needle", limit=4, cursor=cursor))
        assert 0 < len(page.executions) <= 4
        seen += [view.id for view in page.executions]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [one for n, one in reversed(list(enumerate(ids))) if n % 2 or n % 5 == 0]
