"""The worker with real kernels: real flows, real snapshots, real deaths."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from jupyter_flows.model import ExecutionView, Status

from .house import House

CHILD = """
def handler(system, this, inputs):
    this.log('child', inputs['n'])
    this.set_output('double', inputs['n'] * 2)
    return this.success('ok')
"""

PARENT = """
import os

def handler(system, this, inputs):
    pids = {os.getpid()}
    total = 0
    for n in range(3):
        child = this.flow('child', n=n)
        pids.add(os.getpid())
        total += child.get('output_value')['double']
    this.sleep(0.1)
    this.create_savepoint('summed')
    pids.add(os.getpid())
    this.set_output('kernels', len(pids))
    this.set_output('total', total)
    return this.success('all done')
"""


def run(house: House, flow: str, inputs: dict[str, Any] | None = None, **options: Any) -> ExecutionView:
    return house.run(flow, inputs, kernel_command=None, **options)


@pytest.fixture
def family(house: House) -> House:
    (house.root / "child.py").write_text(CHILD)
    (house.root / "parent.py").write_text(PARENT)
    return house


@pytest.mark.parametrize("forks_kernels", [True, False], ids=["forked", "started"])
def test_a_parent_and_its_children(family: House, forks_kernels: bool) -> None:
    view = run(family, "parent", forks_kernels=forks_kernels)
    assert view.status is Status.ENDED_SUCCESS, view.error
    assert view.output_value == {"total": 6, "kernels": 1}
    assert all(one.exact for one in family.engine.savepoints(view.id))


def test_without_memory_for_waiting_ones_each_wait_is_a_resume(family: House) -> None:
    view = run(family, "parent", sleep_max_seconds=0.0)
    assert view.status is Status.ENDED_SUCCESS, view.error
    assert view.output_value["total"] == 6
    assert view.output_value["kernels"] > 1
    assert len(family.engine.children(view.id)) == 3


def test_a_restored_flow_has_its_variables(family: House) -> None:
    async def main() -> None:
        async with family.worker(kernel_command=None):
            view = await family.until(family.engine.start("parent").id)
            (summed,) = [one for one in family.engine.savepoints(view.id) if one.name == "summed"]
            variables = {(one.scope, one.name): one.text for one in family.engine.variables(summed.id)}
            assert variables["handler", "total"] == "6"
            family.engine.restore(summed.id)
            again = await family.until(view.id)
            assert again.status is Status.ENDED_SUCCESS, again.error
            assert again.output_value["total"] == 6
            assert len(family.engine.children(view.id)) == 3

    asyncio.run(main())


def test_a_damaged_savepoint_is_refused_and_the_newest_whole_one_is_named(house: House) -> None:
    (house.root / "flow.py").write_text(
        "import random\n"
        "def handler(system, this):\n"
        "    this.create_savepoint('small')\n"
        "    large = random.Random(1).randbytes(300_000)\n"
        "    this.create_savepoint('large')\n"
    )

    async def main() -> None:
        async with house.worker(kernel_command=None):
            view = await house.until(house.engine.start("flow").id)
            small, large = house.engine.savepoints(view.id)
            assert house.store.chunk_directory is not None
            files = [one for one in Path(house.store.chunk_directory).rglob("*") if one.is_file()]
            file = max(files, key=lambda one: one.stat().st_size)
            content = bytearray(file.read_bytes())
            content[1000] ^= 1
            file.write_bytes(content)
            house.engine.restore(large.id)
            refused = await house.until(view.id)
            assert refused.status is Status.ENDED_ERROR
            assert refused.error is not None
            assert refused.error.traceback == ""
            for text in (refused.message, refused.error.message):
                assert text is not None
                assert f"the chunk {file.name} is damaged" in text
                assert "lost are large" in text
                assert f"`jupyter flows restore {small.id}`" in text
            house.engine.restore(small.id)
            assert (await house.until(view.id)).status is Status.ENDED_SUCCESS

    asyncio.run(main())


def test_cancelling_runs_the_finally_blocks(house: House) -> None:
    (house.root / "flow.py").write_text(
        "def handler(system, this):\n"
        "    try:\n"
        "        this.sleep(3600)\n"
        "    except Exception:\n"
        "        this.log('never')\n"
        "    finally:\n"
        "        this.log('cleaned')\n"
    )

    async def main() -> None:
        async with house.worker(kernel_command=None, sleep_max_seconds=0.0):
            view = house.engine.start("flow")
            await house.until_status(view.id, Status.WAITING)
            house.engine.cancel(view.id)
            assert (await house.until(view.id)).status is Status.ENDED_CANCELLED
            assert house.texts(view.id) == ["cleaned"], house.engine.execution(view.id).message

    asyncio.run(main())


def test_an_inexact_call_survives_the_death_of_its_kernel(house: House) -> None:
    """A Flow-API call below a function of C cannot be gone on from; it is joined, and its child made once."""
    (house.root / "child.py").write_text(CHILD)
    (house.root / "flow.py").write_text(
        "import ctypes, os\n"
        "def handler(system, this):\n"
        "    this.log('before')\n"
        "    def double(n):\n"
        "        return this.flow('child', n=n).get('output_value')['double']\n"
        "    found = [ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(double)(n) for n in (1, 2)]\n"
        "    if not os.path.exists('died'):\n"
        "        open('died', 'x').close()\n"
        "        os.kill(os.getpid(), 9)\n"
        "    this.set_output('doubles', found)\n"
    )
    view = run(house, "flow", sleep_max_seconds=0.0)
    assert view.status is Status.ENDED_SUCCESS, view.error
    assert view.output_value == {"doubles": [2, 4]}
    assert house.texts(view.id) == ["before"]
    assert len(house.engine.children(view.id)) == 2
    assert not all(one.exact for one in house.engine.savepoints(view.id))


def test_a_flow_that_kills_its_kernel_says_so(house: House) -> None:
    (house.root / "flow.py").write_text(
        "import os, sys\n"
        "def handler(system, this):\n"
        "    this.log('before')\n"
        "    os.write(2, b'corrupted size vs. prev_size')\n"
        "    os.abort()\n"
    )
    view = run(house, "flow")
    assert view.error is not None
    assert view.error.type == "KernelDiedError"
    assert "signal 6" in view.error.message
    assert house.texts(view.id) == ["before"]


ODD_PARENT = r"""
import os

def handler(system, this, inputs):
    name = os.fsdecode(b'caf\xe9.txt')
    print('found', name)
    this.log('found', name)
    this.create_savepoint(name)
    child = this.flow('odd_child', file=name, by_name={name: 1})
    this.set_output('is_same', child.get('output_value')['name'] == name)
    try:
        system.setting('file').save(value=name)
    except Exception as error:
        this.set_output('refused', type(error).__name__)
    return this.success(message=name)
"""

ODD_CHILD = """
def handler(system, this, inputs):
    this.set_output('name', inputs['file'])
    this.set_output('is_key', inputs['file'] in inputs['by_name'])
"""


def test_texts_that_are_not_utf_8_are_handed_over_as_they_are(house: House) -> None:
    (house.root / "odd_parent.py").write_text(ODD_PARENT)
    (house.root / "odd_child.py").write_text(ODD_CHILD)
    view = run(house, "odd_parent")
    assert view.status is Status.ENDED_SUCCESS, view.error
    assert view.output_value == {"is_same": True, "refused": "InvalidInputError"}
    assert view.message == r"caf\udce9.txt"
    assert r"caf\udce9.txt" in [one.name for one in house.engine.savepoints(view.id)]
    (child,) = house.engine.children(view.id)
    assert child.output_value is not None
    assert child.output_value["is_key"] is True
