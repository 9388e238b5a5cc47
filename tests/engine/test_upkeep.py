"""Room is freed, and never what somebody needs, on real stores with writers beside."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from jupyter_flows.engine import upkeep
from jupyter_flows.errors import SavepointError

from ..store.test_contract import execution, savepoint
from .house import House

AT_ONCE = timedelta(0)


def test_a_long_loop_keeps_its_newest_savepoints_and_its_outputs(house: House) -> None:
    calls = ["SetOutput(outputs={'a': Value(json=1)})", *(f"Log(text='{n}')" for n in range(12))]
    house.flow("flow", *calls, "CreateSavepoint(name='here')", *(f"Log(text='{n}')" for n in range(12)))
    view = house.run("flow")
    before = house.engine.savepoints(view.id)
    assert upkeep.prune(house.engine, None) == 0
    assert upkeep.prune(house.engine, 3) > 15
    after = house.engine.savepoints(view.id)
    assert [one.name for one in after if one.name] == ["here"]
    assert [one.id for one in after[-3:]] == [one.id for one in before[-3:]]
    assert upkeep.prune(house.engine, 3) == 0
    # The outputs of then are read from the calls before.
    assert house.engine.restore(after[-1].id).output_value == {"a": 1}
    hollow = next(one for one in after if not one.exact)
    with pytest.raises(SavepointError, match="let go"):
        house.engine.restore(hollow.id)


def test_a_flow_says_how_many_it_wants(house: House) -> None:
    house.flow("flow", *(f"Log(text='{n}')" for n in range(9)))
    few = house.engine.start("flow", options={"savepoint_retention": 2})
    everything = house.run("flow")

    async def until_end() -> None:
        async with house.worker():
            await house.until(few.id)

    asyncio.run(until_end())
    upkeep.prune(house.engine, None)  # the worker may have done it before
    assert len(house.engine.savepoints(few.id)) == 2
    assert len(house.engine.savepoints(everything.id)) == 9


def test_storage_says_what_takes_the_room(house: House) -> None:
    store = house.store
    with store.writing() as transaction:
        transaction.put_chunks({"shared-chunk": b"x" * 100, "own-chunk-1": b"y" * 50, "of-nobody": b"z" * 7})
        for number, chunks in ((1, ("shared-chunk", "own-chunk-1")), (2, ("shared-chunk",))):
            transaction.insert_execution(execution(f"e{number}"))
            transaction.insert_savepoint(savepoint(f"s{number}", 1, execution_id=f"e{number}", chunks=chunks))
    found = upkeep.storage(house.engine)
    assert (found.bytes, found.chunks, found.reclaimable_bytes) == (157, 3, 7)
    assert [(one.name, one.bytes, one.own_bytes) for one in found.executions] == [
        ("e1", 150, 50),
        ("e2", 100, 0),
    ]
    assert [(one.executions, one.savepoints, one.bytes, one.own_bytes) for one in found.flows] == [
        (2, 2, 150, 150)
    ]
    assert [(one.name, one.bytes) for one in found.kinds if one.bytes] == [("savepoint", 150)]
    collected = upkeep.collect(house.engine)
    assert (collected.bytes, collected.waiting_bytes) == (0, 7)
    collected = upkeep.collect(house.engine, AT_ONCE)
    assert (collected.bytes, collected.chunks, collected.waiting_bytes) == (7, 1, 0)


def test_no_writer_loses_a_chunk_to_the_collection(any_house: House) -> None:
    """Writers put chunks and commit savepoints that refer to them, and others go, while two free room beside.

    Each chunk is unused most of the time, and put again when it has just been condemned.
    """
    store, large, grace = any_house.store, b"x" * 70_000, 0.3
    problems: list[str] = []
    removed: list[int] = []
    stop = threading.Event()

    def write(writer: int) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            chunks = (f"small-{number % 7}", f"large-{writer}-{number % 7}")
            began = time.monotonic()
            with store.writing() as transaction:
                transaction.put_chunks({chunks[0]: b"small", chunks[1]: large})
                name = f"s-{writer}-{number}"
                transaction.insert_savepoint(
                    savepoint(name, number, execution_id=f"e{writer}", chunks=chunks)
                )
            if time.monotonic() - began < grace:  # a slow machine proves nothing
                stop.wait(0.05)
                with store.reading() as transaction:
                    missing = set(chunks) - set(transaction.read_chunks(chunks))
                if missing:
                    problems.append(f"{name}: {missing}")
            with store.writing() as transaction:
                transaction.delete_savepoints(f"e{writer}")

    def collect() -> None:
        until = time.monotonic() + 30
        while len(removed) < 12 and time.monotonic() < until:
            freed = upkeep.collect(any_house.engine, timedelta(seconds=grace))
            removed.extend([1] * freed.chunks)

    with store.writing() as transaction:
        for writer in range(3):
            transaction.insert_execution(execution(f"e{writer}"))
    writers = [threading.Thread(target=write, args=(writer,)) for writer in range(3)]
    for thread in writers:
        thread.start()
    try:
        with ThreadPoolExecutor(2) as collectors:
            for collecting in [collectors.submit(collect) for _ in range(2)]:
                collecting.result()
    finally:
        stop.set()
        for thread in writers:
            thread.join()
    assert removed
    assert problems == []
