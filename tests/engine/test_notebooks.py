"""A notebook's kernel is an execution of its own, driven by a person."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

from jupyter_flows import model, protocol
from jupyter_flows.engine.worker import Worker
from jupyter_flows.errors import ConflictError
from jupyter_flows.model import ExecutionType, ResumeMode, Status

from .fake_kernel import FakeKernel
from .house import House

Result = TypeVar("Result")


class Notebook(FakeKernel):
    """What a notebook's kernel says; a `Stop` is only noted."""

    def __init__(self, path: str) -> None:
        super().__init__(path, None)
        self.socket.settimeout(60)
        self.state: dict[str, Any] = {"index": 0}

    def open(self, path: str, savepoint_id: str | None = None) -> Any:
        opened = self.ask(protocol.OpenNotebook, path=path, savepoint_id=savepoint_id)
        if opened.begin is not None:
            self.epoch = opened.begin.epoch
        return opened

    def cell(self, number: int) -> model.Answer:
        self.state = {"index": number}
        return self.call(model.CellFinished(cell=number), self.state)

    def close(self) -> None:
        self.socket.close()


async def by_hand(work: Callable[..., Result], *arguments: Any) -> Result:
    """A person at a notebook: in a thread, as it blocks."""
    return await asyncio.to_thread(work, *arguments)


def scene(house: House, act: Callable[[Worker], Any], **options: Any) -> None:
    async def main() -> None:
        async with house.worker(warm_kernels=0, **options) as worker:
            await act(worker)

    asyncio.run(main())


def test_a_notebook_runs_until_its_kernel_goes(house: House) -> None:
    async def act(worker: Worker) -> None:
        notebook = Notebook(worker.socket_path)
        opened = await by_hand(notebook.open, str(house.root / "lab" / "Try.ipynb"))
        execution_id = opened.begin.execution_id
        assert opened.begin.source is None
        view = house.engine.execution(execution_id)
        assert (view.type, view.status, view.name, view.flow) == (
            ExecutionType.NOTEBOOK,
            Status.RUNNING,
            "Try",
            "lab/Try",
        )
        await by_hand(notebook.cell, 0)
        assert worker.running == []
        notebook.close()
        paused = await house.until_status(execution_id, Status.PAUSED)
        (savepoint,) = house.engine.savepoints(execution_id)
        assert f"%flow restore {savepoint.id}" in (paused.message or "")
        with pytest.raises(ConflictError, match=f"%flow restore {savepoint.id}"):
            house.engine.restore(savepoint.id)

    scene(house, act)


def test_a_notebook_starts_children_and_waits_in_place(house: House) -> None:
    house.flow("child", "SetOutput(outputs={'n': Value(json=1)})")

    async def act(worker: Worker) -> None:
        notebook = Notebook(worker.socket_path)
        opened = await by_hand(notebook.open, str(house.root / "Try.ipynb"))
        answer = await by_hand(notebook.call, model.StartFlow(flow="child"), {"index": 0})
        assert [one.status for one in answer.executions] == [Status.ENDED_SUCCESS]
        assert notebook.epoch == opened.begin.epoch + 1
        await by_hand(notebook.cell, 1)
        notebook.close()

    scene(house, act, sleep_max_seconds=0.0, slots=1)


def test_an_interrupted_wait_is_given_up(house: House) -> None:
    async def act(worker: Worker) -> None:
        notebook = Notebook(worker.socket_path)
        opened = await by_hand(notebook.open, str(house.root / "Try.ipynb"))

        def sleep() -> None:
            with contextlib.suppress(OSError):
                notebook.call(model.Sleep(seconds=3600), {"index": 0})

        sleeping = threading.Thread(target=sleep, daemon=True)
        sleeping.start()
        await house.until_status(opened.begin.execution_id, Status.WAITING)
        # The answer to the sleep never comes; the next cell's does.
        notebook.send(
            protocol.CallMade(
                seq=99,
                epoch=notebook.epoch,
                call=model.CellFinished(cell=1),
                savepoint=model.SavepointDraft(
                    kind=model.SavepointKind.CELL, site=model.Site(), manifest=b"", chunks=()
                ),
            )
        )
        view = await house.until(opened.begin.execution_id, lambda view: view.savepoints == 2)
        assert view.status is Status.RUNNING
        notebook.socket.shutdown(2)
        await by_hand(sleeping.join)

    scene(house, act)


def test_a_notebook_goes_back_to_a_savepoint_in_a_new_kernel(house: House) -> None:
    async def act(worker: Worker) -> None:
        path = str(house.root / "Try.ipynb")
        first = Notebook(worker.socket_path)
        opened = await by_hand(first.open, path)
        execution_id = opened.begin.execution_id
        await by_hand(first.cell, 0)
        await by_hand(first.cell, 1)
        first_savepoint, _ = house.engine.savepoints(execution_id)

        second = Notebook(worker.socket_path)
        refused = await by_hand(second.open, path, first_savepoint.id)
        assert refused.error.type == "ConflictError"
        assert "shut that one down first" in refused.error.message

        first.close()
        await house.until_status(execution_id, Status.PAUSED)
        opened = await by_hand(second.open, path, first_savepoint.id)
        assert opened.begin.execution_id == execution_id
        assert opened.begin.resume.mode is ResumeMode.AGAIN
        assert opened.begin.resume.savepoint_id == first_savepoint.id
        await by_hand(second.cell, 2)
        assert house.engine.savepoints(execution_id)[-1].parent_id == first_savepoint.id
        assert house.engine.execution(execution_id).status is Status.RUNNING
        second.close()

    scene(house, act)


def test_a_notebook_goes_back_in_its_own_kernel_by_name(house: House) -> None:
    async def act(worker: Worker) -> None:
        path = str(house.root / "Try.ipynb")
        notebook = Notebook(worker.socket_path)
        begin = (await by_hand(notebook.open, path)).begin
        await by_hand(notebook.call, model.CreateSavepoint(name="clean"), {"index": 0})
        again = (await by_hand(notebook.open, path, "clean")).begin
        assert (again.execution_id, again.epoch) == (begin.execution_id, begin.epoch + 1)
        wrong = await by_hand(notebook.open, path, "dirty")
        assert wrong.error.type == "ResourceNotFoundError"
        await by_hand(notebook.cell, 1)
        notebook.close()

    scene(house, act)


def test_a_notebooks_savepoint_is_forked_into_a_flow(house: House) -> None:
    async def act(worker: Worker) -> None:
        notebook = Notebook(worker.socket_path)
        await by_hand(notebook.open, str(house.root / "Try.ipynb"))
        await by_hand(notebook.cell, 0)
        (session,) = house.engine.executions().executions
        (savepoint,) = house.engine.savepoints(session.id)
        fork = house.engine.fork(savepoint.id)
        assert fork.type is ExecutionType.FLOW
        assert fork.flow_version is None
        notebook.close()

    scene(house, act, slots=0)


def test_flows_are_listed_for_the_magic(house: House) -> None:
    house.flow("one")
    house.flow("two")

    async def act(worker: Worker) -> None:
        notebook = Notebook(worker.socket_path)
        listed = await by_hand(lambda: notebook.ask(protocol.Magic, action="list"))
        assert [flow["name"] for flow in listed.result] == ["one", "two"]
        unknown = await by_hand(lambda: notebook.ask(protocol.Magic, action="dance"))
        assert unknown.error.type == "ResourceNotFoundError"
        notebook.close()

    scene(house, act)
