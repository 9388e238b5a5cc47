"""Kernels are forked from a process that has their imports, and watched as if they were started."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from subprocess import PIPE

import pytest

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


def test_a_killed_zygote_is_started_again_and_no_execution_hears_of_it(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """It is killed while a flow runs, and again and again while others start."""
    house.flow("flow", "Log(text=str(os.getppid()))", "Sleep(seconds=0.5)", "Log(text=str(os.getpid()))")

    async def main() -> None:
        async with house.worker(kernel_command=fake_command, slots=3, **FORKING) as worker:
            zygote = worker._zygote
            assert zygote is not None
            first = house.engine.start("flow")
            await house.until(first.id, lambda view: view.savepoints >= 1)
            assert parent_of(zygote._process.pid) == os.getpid()
            killed: set[int] = set()
            views = [first]
            for _ in range(4):
                while zygote._process.pid in killed:  # it is started again by itself
                    await asyncio.sleep(0.01)
                views += [house.engine.start("flow") for _ in range(3)]
                killed.add(zygote._process.pid)
                os.kill(zygote._process.pid, 9)
                await house.until(views[-1].id, lambda view: view.savepoints >= 1)
            for view in views:
                done = await house.until(view.id)
                assert done.status is Status.ENDED_SUCCESS, done
                assert len(house.texts(view.id)) == 2
                assert done.attempts == 0
            last = await house.until(house.engine.start("flow").id)
            assert last.status is Status.ENDED_SUCCESS
            assert len(killed) == 4, "it was not started again"
            assert zygote.is_usable
            # The kernel of the first one went on although its zygote had died.
            assert house.texts(first.id)[0] in map(str, killed)

    asyncio.run(main())
    assert not [record for record in caplog.records if record.exc_info]


def test_an_orphaned_kernel_is_still_watched(house: House) -> None:
    """Its zygote died, and then the kernel does: the execution goes on in another one."""
    house.flow(
        "flow",
        "Log(text='%s %s' % (os.getpid(), os.getppid()))",
        "[os.kill(os.getppid(), 9), die()] if once(directory + '/died') else None",
        "Log(text='end')",
    )
    view = house.run("flow", **FORKING)
    assert view.status is Status.ENDED_SUCCESS, view
    assert house.texts(view.id)[-1] == "end"


def test_a_zygote_whose_worker_was_killed_ends_without_a_word() -> None:
    """It tells of a kernel's end when nobody hears it any more."""
    order = {"kernel_id": "k", "socket": "/nowhere", "stderr": os.devnull}
    command = [sys.executable, "-m", "jupyter_flows.kernel.zygote"]
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"ready" in process.stdout.readline()
        process.stdout.close()
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait() == 0


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
