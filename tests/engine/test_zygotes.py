"""Kernels are forked from a process that has their imports, and watched as if they were started."""

from __future__ import annotations

import asyncio
import os
import sys

import pytest

from jupyter_flows.engine.worker import Worker
from jupyter_flows.model import Status

from .house import House, fake_command

ZYGOTE = [sys.executable, "-m", "jupyter_flows.kernel.zygote", "tests.engine.fake_kernel:main"]
FORKING = {"zygote_command": ZYGOTE}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")


def parent_of(pid: int) -> int:
    with open(f"/proc/{pid}/stat") as stat:
        return int(stat.read().rpartition(")")[2].split()[1])


def test_kernels_are_forked_from_one_process(house: House) -> None:
    house.flow("child", "Log(text='%s %s' % (os.getpid(), os.getppid()))")
    house.flow("parent", *["StartFlow(flow='child')"] * 3)
    view = house.run("parent", slots=2, **FORKING)
    assert view.status is Status.ENDED_SUCCESS, view
    said = [house.texts(child.id)[0].split() for child in house.engine.children(view.id)]
    assert len({pid for pid, _ in said}) == 3
    parents = {parent for _, parent in said}
    assert len(parents) == 1
    assert parents != {str(os.getpid())}


def test_a_forked_kernel_that_dies_is_told_by_its_signal(house: House) -> None:
    house.flow("bad", "Log(text='x')", "die()")
    view = house.run("bad", **FORKING)
    assert view.status is Status.ENDED_ERROR
    assert view.error is not None
    assert "signal 9" in view.error.message


def test_what_a_forked_kernel_said_is_kept(house: House) -> None:
    house.flow("bad", "Log(text='x')", "[os.write(2, b'segments all over'), os._exit(5)]")
    view = house.run("bad", **FORKING)
    assert view.error is not None
    assert "exit code 5" in view.error.message
    assert "segments all over" in view.error.message


def test_without_a_zygote_kernels_are_started(house: House) -> None:
    house.flow("flow", "Log(text=str(os.getppid()))")
    broken = ["/bin/sh", "-c", "exit 1"]
    view = house.run("flow", zygote_command=broken, kernel_command=fake_command)
    assert view.status is Status.ENDED_SUCCESS
    assert house.texts(view.id) == [str(os.getpid())]


def test_a_killed_zygote_takes_its_kernels_along_and_work_goes_on(house: House) -> None:
    house.flow("flow", "Log(text=str(os.getppid()))", "Sleep(seconds=0.5)", "Log(text='end')")

    async def main() -> None:
        async with house.worker(kernel_command=fake_command, **FORKING) as worker:
            assert isinstance(worker, Worker)
            view = house.engine.start("flow")
            await house.until(view.id, lambda view: view.savepoints >= 1)
            (zygote,) = map(int, house.texts(view.id))
            assert parent_of(zygote) == os.getpid()
            os.kill(zygote, 9)
            done = await house.until(view.id)
            assert done.status is Status.ENDED_SUCCESS
            assert house.texts(view.id)[-1] == "end"
            other = await house.until(house.engine.start("flow").id)
            assert other.status is Status.ENDED_SUCCESS

    asyncio.run(main())


def test_a_stopped_worker_leaves_no_process(house: House) -> None:
    house.flow("flow", "Log(text='%s %s' % (os.getpid(), os.getppid()))", "Sleep(seconds=3600)")

    async def main() -> list[int]:
        async with house.worker(**FORKING):
            view = house.engine.start("flow")
            await house.until_status(view.id, Status.WAITING)
            return [int(pid) for pid in house.texts(view.id)[0].split()]

    for pid in asyncio.run(main()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
